package ledger

import (
	"fmt"
	"testing"

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
	say(StillOpen, protocol.ReasonUnreachable, "no answer")
	say(StillOpen, protocol.ReasonPolicy, "too young")
	say(Intending, "", "")
	say(StillOpen, protocol.ReasonRestaged, "attempt 2 is staged")
	say(Exception, protocol.ReasonPolicy, "the deadline has passed")
	require.Equal(t, "too young (the deadline has passed)", s.Line("corp/1").Detail)

	say(Intending, "", "")
	say(Exception, protocol.ReasonLocked, "the campaign was aborted")
	require.Equal(t, "the campaign was aborted", s.Line("corp/1").Detail)
}
