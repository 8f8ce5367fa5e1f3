package report

import (
	"bytes"
	"html"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// everyTime calls with each time that a reader of v can see.
func everyTime(v reflect.Value, path string, call func(string, time.Time)) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		call(path, v.Interface().(time.Time))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			everyTime(v.Elem(), path, call)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				everyTime(v.Field(i), path+"."+f.Name, call)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			everyTime(v.Index(i), path, call)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			everyTime(v.MapIndex(k), path, call)
		}
	}
}

// zoned is a state with a time wherever one can be.
func zoned() *ledger.State {
	l := sampleLeftOut()
	l.entries[0].Program = ""
	for i := range l.entries {
		switch e := &l.entries[i]; e.Event {
		case ledger.Listed:
			e.DeadBefore = &credential.DeadBefore{Campaign: "c0", At: noon}
		case ledger.EventOutcome:
			e.Written = map[string]time.Time{"kv/a": noon}
		case ledger.EventOpen:
			e.Until = at(time.Hour)
		}
	}
	l.add(ledger.Entry{At: at(13 * time.Second), Event: ledger.LoginAccepted, Credential: "corp/0000", Name: "approle/gw", Actor: "carol@bastion", Detail: "why"}, "1")
	l.add(ledger.Entry{At: at(13 * time.Second), Event: ledger.TookOver, TookFrom: &ledger.TookFrom{Campaign: "c0", Ended: noon}}, "1")
	for _, id := range []string{"", "corp/0001"} {
		l.add(ledger.Entry{At: at(13 * time.Second), Event: ledger.OpenAccepted, Credential: id, Actor: "a@b", Detail: "why", Owner: "jo", Due: noon}, "")
	}
	l.add(ledger.Entry{At: at(13 * time.Second), Event: ledger.DeviceContained, Containment: &credential.Containment{How: credential.Isolated, At: noon, AskedAt: noon}}, "")
	return l.fold()
}

func TestEveryTimeOfAStateIsShownInTheZoneThatWasAskedFor(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	s := zoned()
	n := 0
	everyTime(reflect.ValueOf(InZone(s, berlin)), "", func(path string, at time.Time) {
		if !at.IsZero() && !strings.HasPrefix(path, ".Answers") { // days, as people wrote them
			n++
			require.Equal(t, berlin, at.Location(), path)
		}
	})
	require.Greater(t, n, 20)
	everyTime(reflect.ValueOf(s), "", func(path string, at time.Time) { require.Equal(t, time.UTC, at.Location(), "%s was changed", path) })

	var b bytes.Buffer
	require.NoError(t, Text(&b, InZone(s, berlin), verified, 100))
	require.NoError(t, HTML(&b, InZone(s, berlin), verified, noon))
	require.NoError(t, SummaryText(&b, InZone(s, berlin), verified, noon, 100))
	require.NoError(t, SummaryHTML(&b, InZone(s, berlin), verified, noon))
	shown := html.UnescapeString(b.String())
	shown = regexp.MustCompile(`datetime="[^"]*"`).ReplaceAllString(shown, "") // for programs: in UTC
	for _, at := range regexp.MustCompile(`20\d\d-\d\d-\d\d[T ]\d\d:\d\d\S*|at \d\d:\d\d:\d\d\S*`).FindAllString(shown, -1) {
		if strings.HasPrefix(at, "2026-11-01T00:00:00Z") || strings.HasPrefix(at, "2026-11-23T09:30:00Z") {
			continue // the exposure, in the words of the campaign file
		}
		require.Contains(t, at, "+01:00", at)
	}
	require.Contains(t, shown, "2026-11-23 13:00:00+01:00")
	require.Contains(t, shown, "times in Europe/Berlin")
}

func TestTimesAreInUTCAndSaySoWhereNoZoneIsAskedFor(t *testing.T) {
	require.Equal(t, everyView(t, zoned()), everyView(t, InZone(zoned(), time.UTC)))
	_, doc := render(t, zoned(), verified)
	require.Contains(t, text(doc), "times in UTC")
	require.Empty(t, clock(time.Time{}))
}

func TestJSONAndCSVAreInUTCWhateverTheZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	s := sample(true).fold()
	var utc, there bytes.Buffer
	require.NoError(t, CSV(&utc, s, Verification{}))
	require.NoError(t, CSV(&there, InZone(s, berlin), Verification{}))
	require.Equal(t, utc.String(), there.String())
}
