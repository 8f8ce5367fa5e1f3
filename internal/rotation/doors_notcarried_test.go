package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// What a door's protocol cannot carry was shown to nobody: it is no wrong login
// and no refusal, however often that is so.
func TestAValueThatCouldNotBeShownAtADoorWasNotRefusedThere(t *testing.T) {
	mail := &service{answers: map[string][]protocol.Reply{"a/new": {protocol.NotCarried}}}
	notes := &vaultNotes{}
	pass := func() Verdict {
		v := atServers("a", "mail")
		rot := &Rotator{Now: time.Now, Authority: willing{}, Campaign: "c", Refusals: &Refusals{Notes: notes}}
		rot.AskDoors(context.Background(), []Verdict{v}, DoorAsker{Open: func(string) (*opened.Door, error) { return &opened.Door{Door: mail}, nil }, Now: time.Now}, func() bool { return false })
		return v
	}
	for range maxWrongLogins + 1 {
		require.NotContains(t, pass().Stop.Detail, "refused the new value")
	}
	require.Empty(t, notes.all)
	look := &wrongLogins{most: maxWrongLogins}
	for range maxWrongLogins + 1 {
		look.saw(protocol.NotCarried)
	}
	require.Nil(t, look.spent("mail"))
	mail.answers["a/new"] = []protocol.Reply{protocol.Accepted}
	require.True(t, pass().Dead(), "it can be shown by now")
}
