package judge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/taken"
)

// result is that of events, as the command writes it.
func result(t require.TestingT, o Options, events ...event.Event) []byte {
	o.DeviceName = "esg-01"
	j := New(o)
	for _, e := range events {
		j.Add(e)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(j.Finish(nil, nil)))
	return b.Bytes()
}

func TestWhatTheDeviceUsedIsInTheResultOnTheRollOrNot(t *testing.T) {
	const dev, home = "192.0.2.10", "198.51.100.1"
	of := func(e event.Event, authority string) event.Event { e.Authority = authority; return e }
	login := func(e event.Event, name string) event.Event { e.Form, e.Account = event.Login, name; return e }
	file, err := taken.Read(result(t, options(),
		at(11, "uid=a,dc=x", dev, event.Accepted), at(12, "UID=A,dc=x", dev, event.Accepted), // of the roll
		at(11, "uid=b,dc=x", dev, event.Refused), // of the roll, and that it is tried is no news of it
		of(at(11, "uid=c,dc=x", dev, event.Accepted), "corp"), of(at(13, "uid=c,dc=x", dev, event.Accepted), "corp"), of(at(14, "uid=c,dc=x", dev, event.Refused), "corp"),
		of(at(11, "uid=c,dc=x", dev, event.Accepted), "plant"), // a namesake
		at(5, "uid=d,dc=x", dev, event.Accepted),
		at(11, "uid=e,dc=x", dev, event.Accepted, event.OverGap),
		at(11, "uid=f,dc=x", dev, event.Refused), at(11, "hunter2", dev, event.Refused), at(11, "typed", dev, event.Unknown),
		login(at(11, "", dev, event.Accepted), "svc@one"), login(at(11, "", dev, event.Accepted), "svc@two"),
		at(11, "uid=g,dc=x", home, event.Accepted), // not the device
		at(11, "", dev, event.Accepted),            // nobody is named
		at(11, "uid=h,dc=x", dev, event.Failed),
	))
	require.NoError(t, err)
	require.Equal(t, "esg-01", file.Device)
	require.Equal(t, []string{"192.0.2.10/32"}, file.Addresses)
	var got []string
	for _, f := range file.Accounts {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s%s %s %d %v", f.Grade, f.Outcome, strings.Trim(f.Authority+" ", " ")+":", f.Account, f.Credential, f.Count, f.Doubts)))
	}
	require.ElementsMatch(t, []string{
		"confirmed accepted corp:uid=a,dc=x corp/a 2 []",
		"confirmed accepted corp:uid=c,dc=x  2 []",
		"confirmed accepted plant:uid=c,dc=x  1 []",
		"confirmed accepted :svc@one  1 []",
		"confirmed accepted :svc@two  1 []",
		"probable accepted :uid=d,dc=x  1 []",
		"probable accepted :uid=e,dc=x  1 [address-over-gap]",
		"possible refused corp:uid=(masked, 1 character),dc=x  1 []",
		"possible refused :uid=(masked, 1 character),dc=x  1 []",
		"possible refused :(masked, 7 characters)  1 []",
		"possible unknown :(masked, 5 characters)  1 []",
	}, got)
	parts := file.Parts()
	require.Len(t, parts.Accounts, 7)
	require.Equal(t, string(Confirmed), parts.Accounts[0].Grade, "those that bear furthest come first")
	require.Equal(t, 3, parts.Rest.Tried)
	require.Equal(t, 1, parts.Rest.Masked)
}

// Who calls himself as the device does, from an address that is another one,
// puts nobody onto the roll: it is counted, and somebody looks. Where the log
// has no address the name is all that there is.
func TestWhoCallsHimselfAsTheDeviceFromAnotherAddressIsNotTakenUp(t *testing.T) {
	o := options()
	o.DeviceNames = []string{"esg-01"}
	named := func(account, address string) event.Event {
		e := at(11, account, address, event.Accepted)
		e.Client, e.NameSaid = "ESG-01", true
		return e
	}
	file, err := taken.Read(result(t, o, named("uid=c,dc=x", "203.0.113.9"), named("uid=d,dc=x", ""), named("uid=e,dc=x", "192.0.2.10"), named("uid=f,dc=x", "203.0.113.9"), at(12, "uid=f,dc=x", "192.0.2.10", event.Accepted),
		named("uid=g,dc=x", "203.0.113.9"), at(12, "uid=g,dc=x", "192.0.2.10", event.Refused)))
	require.NoError(t, err)
	parts := file.Parts()
	var got []string
	for _, f := range parts.Accounts {
		got = append(got, f.Account)
	}
	require.ElementsMatch(t, []string{"uid=d,dc=x", "uid=e,dc=x", "uid=f,dc=x"}, got)
	require.Equal(t, 2, parts.Rest.NameOnly, "that the device tried in vain as well is no use by it")
}

func TestMoreSpellingsThanAreKeptApartAreTold(t *testing.T) {
	var events []event.Event
	for i := range mostSpelled + 2 {
		e := at(11, "", "192.0.2.10", event.Accepted)
		e.Form, e.Account = event.Login, "svc"+strings.Repeat(" ", i)
		events = append(events, e)
	}
	o := options()
	o.Fold = func(_ event.Form, s string) (string, bool) { return strings.TrimSpace(s), false }
	file, err := taken.Read(result(t, o, events...))
	require.NoError(t, err)
	require.Len(t, file.Accounts, mostSpelled)
	require.Equal(t, mostSpelled, file.Parts().Rest.Spelt)
}

func TestNoMoreAreTakenUpFromOneFileThanTheMost(t *testing.T) {
	file := &taken.File{Accounts: make([]taken.Account, taken.Most+3)}
	for i := range file.Accounts {
		file.Accounts[i] = taken.Account{Account: fmt.Sprint(i), Grade: string(Possible), Outcome: event.Accepted}
	}
	file.Accounts[taken.Most+2].Grade = string(Confirmed)
	parts := file.Parts()
	require.Len(t, parts.Accounts, taken.Most)
	require.Equal(t, string(Confirmed), parts.Accounts[0].Grade)
	require.Equal(t, 3, parts.Rest.More)
}

func TestAFileThatEvidenceDidNotWriteSoIsRefusedWithItsLine(t *testing.T) {
	good := string(result(t, options(), at(11, "uid=c,dc=x", "192.0.2.10", event.Accepted)))
	_, err := taken.Read([]byte(good))
	require.NoError(t, err)
	accounts := strings.Index(good, `"from_device"`)
	swap := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	inEntry := func(old, new string) string {
		require.Contains(t, good[accounts:], old)
		return good[:accounts] + strings.Replace(good[accounts:], old, new, 1)
	}
	lineOf := func(text, what string) int { return 1 + strings.Count(text[:strings.Index(text, what)], "\n") }
	for name, row := range map[string]struct {
		text, says string
		line       int
	}{
		"not JSON":                  {"dear diary\n", "is not JSON from here on", 1},
		"not JSON behind a while":   {swap(`"findings":`, `"findings" `), "is not JSON from here on", lineOf(good, `"findings":`)},
		"a list":                    {"[]\n", "is not what evidence writes, which is one JSON object", 1},
		"of another command":        {`{"credentials": [], "windows": [], "from_device": []}`, "is JSON of another command", 0},
		"of none":                   {`{}`, "is JSON of another command", 0},
		"without its accounts":      {`{"evidence": {"layout": 2, "read_at": "2026-01-01T00:00:00Z"}, "windows": [], "logs": [], "findings": []}`, `has no "from_device"`, 0},
		"cut off":                   {good[:strings.Index(good, `"uid=c`)+4], "ends in the middle", lineOf(good, `"uid=c`)},
		"without its last line":     {strings.TrimSuffix(good, "}\n"), "ends in the middle", strings.Count(good, "\n") - 1},
		"two in one":                {good + good, "has something behind its end", 1 + strings.Count(good, "\n")},
		"of a newer Rollcall":       {swap(`"layout": 2`, `"layout": 3`), "is of a newer Rollcall (layout 3, and this one reads 2)", 2},
		"of an older one":           {swap(`"layout": 2`, `"layout": 1`), "is of an older Rollcall (layout 1", 2},
		"a key twice":               {swap(`"windows": [`, `"from_device": [], "windows": [`), `has the key "from_device" twice`, 0},
		"a time that is none":       {inEntry(`"first": "2026-01-11T12:00:00Z"`, `"first": "PLANTED"`), "is not as evidence writes it", 0},
		"it ends before it begins":  {inEntry(`"first": "2026-01-11T12:00:00Z"`, `"first": "2026-01-12T12:00:00Z"`), "ends before it begins", 0},
		"no account":                {inEntry(`"account": "uid=c,dc=x"`, `"account": ""`), "has no account", 0},
		"an account beyond measure": {inEntry(`"account": "uid=c,dc=x"`, `"account": "`+strings.Repeat("x", 600)+`"`), "has no account, or one that is too long", 0},
		"a form that is none":       {inEntry(`"form": "dn"`, `"form": "PLANTED"`), "has a form that no account has", 0},
		"a grade that is none":      {inEntry(`"grade": "confirmed"`, `"grade": "PLANTED"`), "has a grade", 0},
		"a rule that is no word":    {inEntry(`"rule": "let-in-from-device"`, `"rule": "PLANTED: a secret"`), "has a rule", 0},
		"an address that is none":   {inEntry(`"address": "192.0.2.10"`, `"address": "PLANTED"`), "has no address", 0},
		"a number that is a text":   {inEntry(`"line": 11`, `"line": "PLANTED"`), "is not as evidence writes it", 0},
		"a line that is none":       {inEntry(`"line": 11`, `"line": 0`), "has no file and line", 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := taken.Read([]byte(row.text))
			var m *taken.Mistake
			require.ErrorAs(t, err, &m)
			require.Contains(t, m.Text, row.says)
			require.NotContains(t, m.Text, "PLANTED")
			if row.line > 0 {
				require.Equal(t, row.line, m.Line)
			}
		})
	}
}

// Wherever a file was cut, it is refused, and never read as one that has less.
func TestAFileThatWasCutOffAnywhereIsRefused(t *testing.T) {
	good := result(t, options(), at(11, "uid=c,dc=x", "192.0.2.10", event.Accepted), at(11, "uid=d,dc=x", "192.0.2.10", event.Refused))
	whole := len(bytes.TrimSpace(good))
	rapid.Check(t, func(t *rapid.T) {
		cut := good[:rapid.IntRange(1, whole-1).Draw(t, "cut")]
		_, err := taken.Read(cut)
		var m *taken.Mistake
		require.ErrorAs(t, err, &m)
		require.Contains(t, m.Text, "ends in the middle")
		require.Equal(t, 1+bytes.Count(bytes.TrimRight(cut, " \n"), []byte("\n")), m.Line)
	})
}

func TestAResultOfOtherWindowsOrAddressesIsNoneOfThisCampaign(t *testing.T) {
	file, err := taken.Read(result(t, options(), at(11, "uid=c,dc=x", "192.0.2.10", event.Accepted)))
	require.NoError(t, err)
	net := func(all ...string) (out []netip.Prefix) {
		for _, s := range all {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	window := []taken.Span{{From: day(10), To: day(20)}}
	require.Empty(t, file.Unlike([]taken.Span{{From: day(10).In(time.FixedZone("", 3600)), To: day(20)}}, net("192.0.2.10/32")))
	require.Empty(t, file.Unlike(window, net("192.0.2.10/32", "192.0.2.10/32")))
	for says, got := range map[string]string{
		"was made for another exposure (2026-01-10T12:00:00Z to 2026-01-20T12:00:00Z) than the campaign file has (2026-01-10T12:00:00Z to now)": file.Unlike([]taken.Span{{From: day(10)}}, net("192.0.2.10/32")),
		"than the campaign file has (none)": file.Unlike(nil, net("192.0.2.10/32")),
		"was made with the device at 192.0.2.10, which is none of its addresses in the campaign file: if the device is seen there (behind a balancer, or another name), say so at this source (addresses: [192.0.2.10])": file.Unlike(window, net("192.0.2.11/32")),
		"was made without the device's address 192.0.2.11":   file.Unlike(window, net("192.0.2.10/32", "192.0.2.11/32")),
		"was made without the device's address 192.0.2.0/24": file.Unlike(window, net("192.0.2.0/24")),
	} {
		require.Contains(t, got, says)
	}
}
