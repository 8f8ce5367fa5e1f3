package ledger

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// storyOfAContainedGateway is the clean campaign of a device that is contained.
func storyOfAContainedGateway(c *credential.Containment) []Entry {
	s := storyOfAGateway()
	s[0].Rules = RulesContained
	entry := ContainmentEntry(campaign, c, askedAt)
	return append(s[:1:1], append([]Entry{entry}, s[1:]...)...)
}

var askedAt = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)

func silent() *credential.Containment {
	return &credential.Containment{How: credential.Isolated, At: askedAt.Add(-time.Hour), By: "jo@desk", Named: []string{"esg-01.example.org"},
		Addresses: []string{"192.0.2.10"}, Ports: []int{22, 443}, AskedAt: askedAt}
}

// Offline, from the ledger alone: nothing is clean, and nothing may be set,
// before the ledger says that the device is contained.
func TestACleanEndNeedsADeviceThatIsContained(t *testing.T) {
	const (
		start, said       = 0, 1
		intent, ending    = 9, 13
		nothingSays       = "nothing before it says that the device is contained"
		calledClean       = "the campaign was closed as clean, and the entries tell otherwise: "
		wentOn, wentOnNot = "a person went on although the device may not be contained", "nobody is said to have gone on all the same"
	)
	change := func(f func(*credential.Containment)) func([]Entry) []Entry {
		return func(s []Entry) []Entry { f(s[said].Containment); return s }
	}
	notClean := func(s []Entry) []Entry { s[len(s)-1].End = &End{Complete: true}; return s }
	without := func(s []Entry) []Entry { return append(s[:said:said], s[said+1:]...) }
	override := func(c *credential.Containment) { c.Override, c.OverrideBy = "the mail must flow", "jo@desk" }
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"contained", inTurn(), 0, ""},
		{"not said", without, intent - 1, nothingSays},
		{"not said, and called clean", without, ending - 1, calledClean + "nothing says that the device is contained"},
		{"not said by a build that did not ask", func(s []Entry) []Entry { s[start].Rules = 0; return without(s) }, 0, ""},
		{"said after something was to be set", func(s []Entry) []Entry {
			e := s[said]
			s = without(s)
			return append(s[:ending-1:ending-1], e, s[ending-1])
		}, intent - 1, nothingSays},
		{"said after the roll", func(s []Entry) []Entry {
			e := s[said]
			s = without(s)
			return append(s[:intent-1:intent-1], append([]Entry{e}, s[intent-1:]...)...)
		}, intent - 1, "contained after the listing had begun"},
		{"said twice", func(s []Entry) []Entry {
			e := s[said]
			e.ID = EntryID(campaign, "", "2", DeviceContained)
			return append(s[:said+1:said+1], append([]Entry{e}, s[said+1:]...)...)
		}, said + 1, "the device was contained a second time"},
		{"an entry that says nothing", func(s []Entry) []Entry { s[said].Containment = nil; return s }, said, "does not say how"},
		{"by nobody", change(func(c *credential.Containment) { c.By = "" }), said, "does not say how, since when and who says so"},
		{"never", change(func(c *credential.Containment) { c.At = time.Time{} }), said, "does not say how, since when and who says so"},
		{"in a way that nobody knows", change(func(c *credential.Containment) { c.How = "gone" }), said, "does not say how, since when and who says so"},
		{"in the future", change(func(c *credential.Containment) { c.At = c.At.Add(2 * time.Hour) }), said, "contained later than the entry says so"},
		{"no statement", change(func(c *credential.Containment) { c.How = "" }), said, wentOnNot},
		{"its addresses were not asked", change(func(c *credential.Containment) { c.Addresses, c.AskedAt = nil, time.Time{} }), said, "does not say that they were asked"},
		{"without an address nobody is asked", change(func(c *credential.Containment) {
			c.Named, c.Addresses, c.Ports, c.AskedAt = nil, nil, nil, time.Time{}
		}), 0, ""},
		{"it answered", change(func(c *credential.Containment) { c.Answers = []string{"192.0.2.10:22 accepts connections"} }), said, "the device was not contained, and " + wentOnNot + ": 192.0.2.10:22"},
		{"it answered, and called clean", change(func(c *credential.Containment) { c.Answers = []string{"x"} }), ending, calledClean + "the device answered at 1 place"},
		{"Vault is at its address", change(func(c *credential.Containment) { c.Against = []string{"Vault is at 192.0.2.10"} }), said, wentOnNot},
		{"overridden, and called clean", change(override), ending, calledClean + wentOn},
		{"overridden, and called so", inTurn(change(override), notClean), 0, ""},
		{"overridden without a statement", inTurn(change(func(c *credential.Containment) { *c = credential.Containment{}; override(c) }), notClean), 0, ""},
		{"overridden by nobody", inTurn(change(func(c *credential.Containment) { c.Override = "x" }), notClean), said, "does not say who and why"},
		{"it came back, and called clean", func(s []Entry) []Entry {
			e := whole(EventFinding, nil)
			e.Finding = credential.FindingCameBack
			return append(s[:ending:ending], e, s[ending])
		}, ending + 1, calledClean + "1 warning that something may be missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			_, err := f.open(t).Append(t.Context(), c.edit(storyOfAContainedGateway(silent())))
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
}

// A campaign without a profile claims no end: there the first announcement is
// what must not stand alone.
func TestNothingIsAnnouncedBeforeTheDeviceIsContained(t *testing.T) {
	s := storyOfAContainedGateway(silent())
	text := &bytes.Buffer{}
	require.NoError(t, WriteText(text, 1, s[1]))
	require.Contains(t, text.String(), "the device is contained (isolated) since ")
	require.Contains(t, text.String(), "1 address at 2 ports: no answer")
	state := NewState()
	var plain []Entry
	for i, e := range s {
		if e.Event != ProfileNamed && e.Event != LineAnswered && e.Event != DeviceContained {
			e.End, e.Lines = nil, nil
			plain = append(plain, e)
		}
		state.Add(uint64(i), e)
	}
	require.Equal(t, s[1].Containment, state.Containment)
	f := newFixture(t)
	_, err := f.open(t).Append(t.Context(), plain)
	require.NoError(t, err)
	rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
	require.NoError(t, err)
	require.True(t, rep.says(4, "nothing before it says that the device is contained"), "%+v", rep.Problems)
}
