package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

func TestAnExceptionKeepsWhatWasSaidOfItsReason(t *testing.T) {
	s := NewState()
	index := uint64(0)
	say := func(event Event, reason protocol.Reason, detail string) {
		s.Add(index, Entry{ID: fmt.Sprint(index), Event: event, Credential: "corp/1", Step: protocol.Set, Reason: reason, Detail: detail})
		index++
	}
	say(Listed, "", "")
	say(EventOpen, protocol.ReasonUnreachable, "no answer")
	say(EventOpen, protocol.ReasonPolicy, "too young")
	say(EventIntent, "", "")
	say(EventOpen, protocol.ReasonRestaged, "attempt 2 is staged")
	say(Exception, protocol.ReasonPolicy, "the deadline has passed")
	require.Equal(t, "too young (the deadline has passed)", s.Credential("corp/1").Detail)

	say(EventIntent, "", "")
	say(Exception, protocol.ReasonLocked, "the campaign was aborted")
	require.Equal(t, "the campaign was aborted", s.Credential("corp/1").Detail)
}

func TestWhenAValueWasSetIsKnownToTheEndThoughALaterPassOnlyProves(t *testing.T) {
	set := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	s := NewState()
	for i, e := range []Entry{
		{Event: Listed},
		{Event: EventOpen, Step: protocol.Prove, Reason: protocol.ReasonLagging, SetAt: set},
		{Event: EventOutcome, Attempt: 1, Proof: protocol.ProofBind, At: set.Add(time.Minute)},
	} {
		e.ID, e.Credential = fmt.Sprint(i), "corp/1"
		s.Add(uint64(i), e)
	}
	require.Equal(t, set, s.Credential("corp/1").SetAt)
	require.Equal(t, set.Add(time.Minute), s.Credential("corp/1").DeadAt)
	require.Equal(t, set.Add(time.Minute), s.LatestAt)
}

func TestADeathIsTakenBackByWhatWasFoundSince(t *testing.T) {
	s := NewState()
	for i, e := range []Entry{
		{Event: Listed}, {Event: Reopened, Reason: protocol.ReasonChangedSince}, {Event: EventIntent, Attempt: 1},
		{Event: EventOutcome, Attempt: 1, Proof: protocol.ProofBind, Evidence: []protocol.Evidence{{Server: "a"}}},
		{Event: Reopened, Reason: protocol.ReasonChangedSince, Server: "a", Detail: "changed"},
	} {
		e.ID, e.Credential = fmt.Sprint(i), "corp/1"
		s.Add(uint64(i), e)
		switch i {
		case 1:
			require.Equal(t, NoOutcome, s.Credential("corp/1").Outcome, "it was not dead")
		case 3:
			require.Equal(t, Dead, s.Credential("corp/1").Outcome)
		}
	}
	l := s.Credential("corp/1")
	require.Equal(t, []any{IsException, protocol.ReasonChangedSince, "changed"}, []any{l.Outcome, l.Reason, l.Detail})
	require.Zero(t, l.DeadAt)
	s.Add(9, Entry{ID: "9", Event: EventIntent, Credential: "corp/1", Attempt: 2})
	require.Equal(t, NoOutcome, l.Outcome, "it can be tried again")
}
