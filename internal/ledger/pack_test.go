package ledger

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// fill gives a value of any shape something to hold, so that a field that comes
// later is not forgotten here.
func fill(t *rapid.T, name string, v reflect.Value) {
	if rapid.IntRange(0, 3).Draw(t, name) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.SampledFrom([]string{"corp", "kv/apps/x#password", "ü", "\xff"}), rapid.String()).Draw(t, name))
	case reflect.Int:
		v.SetInt(int64(rapid.Int().Draw(t, name)))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, name))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, name+" items")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, fmt.Sprint(name, i), v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range rapid.IntRange(0, 3).Draw(t, name+" keys") {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, fmt.Sprint(name, " key ", i), key)
			fill(t, fmt.Sprint(name, " value ", i), value)
			v.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, name, v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(-1e10, 1e10).Draw(t, name), rapid.Int64Range(0, 999999999).Draw(t, name+" fraction")).UTC()))
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(t, name+"."+f.Name, v.Field(i))
			}
		}
	default:
		t.Fatalf("%s is a %s, of which this test knows nothing", name, v.Kind())
	}
}

func TestWhatIsPackedIsUnpackedAsItWas(t *testing.T) {
	p := newPacker() // of a whole roll
	rapid.Check(t, func(t *rapid.T) {
		var c CredentialState
		fill(t, "", reflect.ValueOf(&c).Elem())
		c.Task, c.Accepted = nil, nil
		if rapid.Bool().Draw(t, "said") {
			c.said = map[protocol.Reason]string{protocol.ReasonLocked: "locked", protocol.ReasonUnreachable: ""}
		}
		packed, ok := p.pack(&c)
		require.True(t, ok)
		require.Equal(t, &c, p.unpack(packed))
	})
}

func TestWhatPeopleSeeToAndTimesOfOtherZonesStayAsTheyAre(t *testing.T) {
	p := newPacker()
	for _, c := range []CredentialState{
		{Task: &Task{}}, {Accepted: &Acceptance{}}, {Since: time.Unix(1, 0).In(time.FixedZone("", 3600))},
		{Written: map[string]time.Time{"kv/x": time.Unix(1, 0).In(time.FixedZone("", 3600))}},
	} {
		_, ok := p.pack(&c)
		require.False(t, ok, "%+v", c)
	}
}

// A packed state is the other one, whatever is told in which order; few are in
// hand, so that each is packed and unpacked again and again.
func TestAPackedStateIsTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, packed := NewState(), NewPackedState()
		packed.roll.most = 2
		events := []Event{CampaignStarted, Listed, Listed, Listed, RollClosed, EventIntent, EventIntent, EventOpen, EventOutcome, EventOutcome, Exception, Reopened,
			TakenUp, Added, Replaced, EventFinding, Activated, TaskOpened, OpenAccepted, Excluded, ServerLeftOut, CampaignClosed,
			ReadingBegun, LogRead, SignFound, SignFound, ReadingEnded}
		for i := range rapid.IntRange(1, 60).Draw(t, "entries") {
			n := rapid.IntRange(0, 5).Draw(t, "credential")
			e := withTime(of(n, fmt.Sprint(i%50), rapid.SampledFrom(events).Draw(t, "event")))
			e.At = e.At.Add(time.Duration(i) * time.Second)
			switch e.Event {
			case Listed, Added, TakenUp:
				l := listed(n)
				e.Name, e.Kind, e.Authority, e.Paths, e.Reasons = l.Name, l.Kind, l.Authority, l.Paths, l.Reasons
				e.Lines = []credential.LineRef{{Line: fmt.Sprint("line", i%3)}, {Line: "line0"}}
			case EventIntent, Activated, EventOutcome:
				e.Attempt, e.From = 1+i%2, map[string]int{"kv/x": i}
				if e.Event == EventOutcome {
					e.To, e.Proof, e.SetAt, e.Evidence = map[string]int{"kv/x": i + 1}, protocol.ProofBind, e.At, dead(n, "ldap-1", "ldap-2").Evidence
				}
			case EventOpen, Exception, Reopened:
				e.Step, e.Reason, e.Detail = protocol.Prove, rapid.SampledFrom([]protocol.Reason{protocol.ReasonLocked, protocol.ReasonUnreachable}).Draw(t, "reason"), fmt.Sprint("because ", i)
			case EventFinding:
				e.Finding, e.Detail = credential.FindingChangedBefore, fmt.Sprint(i%2)
			case TaskOpened:
				e.Task = &TaskOpening{Due: e.At, At: e.At, Ends: []TaskSeat{{End: "x", Owner: "y", Entity: "z"}}}
			case ReadingBegun, LogRead, SignFound, ReadingEnded:
				e.Reading = &Reading{ID: fmt.Sprint("r", i%2), Of: &credential.LogReading{}, Log: &credential.ReadLog{Number: i}, Counts: &credential.ReadingCounts{Logs: i},
					Sign: &credential.Sign{Code: "used-elsewhere", Grade: credential.Probable, Count: i, First: e.At, Last: e.At, At: &credential.LogPlace{Log: 1, Name: "x", Line: i}}}
				if e.Event != SignFound || i%3 == 0 {
					e.Credential = ""
				}
			case OpenAccepted:
				e.Owner, e.Detail = "y", "why"
			case CampaignStarted, RollClosed, CampaignClosed, ServerLeftOut:
				e.Credential, e.Counts = "", &Counts{Listed: 3}
			}
			plain.Add(uint64(i), e)
			packed.Add(uint64(i), e)
		}
		require.Equal(t, len(plain.Credentials), packed.Len())
		require.Equal(t, plain.answering(), packed.answering())
		for n := range 6 {
			id := listed(n).Credential
			require.Equal(t, plain.Credential(id), packed.Credential(id))
		}
		requireSameState(t, plain, packed)
	})
}

// requireSameState compares all that states say, however they hold it.
func requireSameState(t require.TestingT, a, b *State) {
	requireSameCredentials(t, a, b)
	was, is := *a, *b
	for _, s := range []*State{&was, &is} {
		s.Credentials, s.byID, s.roll, s.seen = nil, nil, nil, nil
	}
	require.Equal(t, was, is)
}
