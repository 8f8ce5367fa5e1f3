package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// again are entries of a campaign that was listed again: a is dead, b was
// announced, c has no account, d is none at all.
func again(more ...Entry) (*State, *Report) {
	all := []Entry{
		{Event: CampaignStarted, Actor: "jo"},
		{Event: Listed, Credential: "a"}, {Event: Listed, Credential: "b"}, {Event: Listed, Credential: "c"}, {Event: Listed, Credential: "d"},
		{Event: RollClosed, Counts: &Counts{Listed: 4}},
		{Event: EventIntent, Credential: "a", Attempt: 1}, {Event: EventIntent, Credential: "b", Attempt: 1},
		{Event: EventOpen, Credential: "c", Step: protocol.Precheck, Reason: protocol.ReasonNoAccount},
		{Event: Exception, Credential: "d", Step: protocol.Precheck, Reason: protocol.ReasonNoAccount},
	}
	rep := &Report{Campaign: "c1"}
	a := newAudit(rep)
	for i, e := range append(all, more...) {
		e.ID, e.Campaign, e.At = EntryID("c1", e.Credential, string(rune('A'+i)), e.Event), "c1", time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC)
		line, err := encode(e)
		if err != nil {
			panic(err)
		}
		a.entry(int64(i), line)
	}
	return a.state, rep
}

func TestWhatIsListedAgainIsOpenAsItIsListedNow(t *testing.T) {
	path := credential.Path{Mount: "kv", Path: "c", Field: "password"}
	s, rep := again(
		Entry{Event: Relisted, Actor: "bo", Detail: "two typos"},
		Entry{Event: Replaced, Credential: "d"},
		Entry{Event: TakenUp, Credential: "c", Name: "uid=c", Paths: []credential.Path{path}, Wave: 2},
		Entry{Event: Added, Credential: "e", Name: "uid=e", Wave: 2},
	)
	require.Empty(t, rep.Problems)
	require.Equal(t, 4, s.Listed)
	require.Len(t, s.Credentials, 4)
	require.Nil(t, s.Credential("d"))
	require.Equal(t, "d", s.Excluded[0].ID, "it is not forgotten")
	c := s.Credential("c")
	require.Equal(t, NoOutcome, c.Outcome)
	require.Equal(t, []credential.Path{path}, c.Paths)
	require.Empty(t, c.Reason)
	require.Equal(t, "uid=e", s.Credential("e").Name)
	require.Equal(t, "two typos", s.By(Relisted).Why)
}

func TestNothingIsListedOtherwiseThatIsDeadOrMayBeSetNorWithoutAPerson(t *testing.T) {
	asked := Entry{Event: Relisted, Actor: "bo", Detail: "a typo"}
	for name, c := range map[string]struct {
		want string
		more []Entry
	}{
		"nobody asked":   {"nobody had asked", []Entry{{Event: TakenUp, Credential: "c"}}},
		"no name":        {"does not say who", []Entry{{Event: Relisted, Detail: "a typo"}}},
		"announced":      {"a new value of it was announced", []Entry{asked, {Event: TakenUp, Credential: "b", Name: "other"}}},
		"replaced":       {"a new value of it was announced", []Entry{asked, {Event: Replaced, Credential: "b"}}},
		"unknown":        {"not on the roll", []Entry{asked, {Event: TakenUp, Credential: "x"}}},
		"there already":  {"on the roll already", []Entry{asked, {Event: Added, Credential: "c"}}},
		"after the end":  {"after the campaign was closed", []Entry{asked, {Event: CampaignClosed, Detail: "early"}, {Event: Added, Credential: "e"}}},
		"listed, not so": {"listed after the roll was closed", []Entry{asked, {Event: Listed, Credential: "e"}}},
	} {
		s, rep := again(c.more...)
		var said []string
		for _, p := range rep.Problems {
			said = append(said, p.What)
		}
		require.Contains(t, said[0], c.want, name)
		require.Empty(t, s.Credential("b").Name, name)
	}
}

func TestWhatAPersonExcludesByNowIsOffTheRollForHisReason(t *testing.T) {
	asked := Entry{Event: Relisted, Actor: "bo", Detail: "the PLC has it"}
	s, rep := again(asked, Entry{Event: Replaced, Credential: "c", Name: "uid=c", Detail: "hard-coded in the PLC"})
	require.Empty(t, rep.Problems)
	require.Nil(t, s.Credential("c"))
	require.Equal(t, []ExcludedCredential{{ID: "c", Name: "", Reason: "hard-coded in the PLC"}}, s.Excluded)

	s, rep = again(asked, Entry{Event: Replaced, Credential: "c", Detail: "hard-coded in the PLC"}, asked, Entry{Event: Added, Credential: "c", Name: "uid=c"})
	require.Empty(t, rep.Problems)
	require.Empty(t, s.Excluded, "he took that back")
	require.Equal(t, "uid=c", s.Credential("c").Name)
}
