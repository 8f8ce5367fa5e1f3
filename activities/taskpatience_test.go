package activities

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/tasks"
	"rollcall/internal/wire"
)

// hanging is a door that takes new values and gives no answer to old ones.
type hanging struct{ asked []string }

func (h *hanging) Ask(_ context.Context, login string, value credential.Secret) door.Said {
	h.asked = append(h.asked, login)
	if value.Reveal() == "new" {
		return door.Said{Reply: protocol.Accepted}
	}
	return door.Unreachable("no answer in time")
}

func (*hanging) Software(context.Context) (string, error) { return "", nil }

// A door that hangs at the stolen value costs its whole timeout for each task:
// after three of them in a row the others are not asked there, and say so.
func TestADoorThatHangsAtTheOldValueHoldsUpALookForAFewTasksOnly(t *testing.T) {
	const silent = 3
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("nas-%d", i))
	}
	p := newPeopled(t, nil, names...)
	p.open()
	var cs []credential.Credential
	for _, name := range names {
		p.put(name, "stolen-of-"+name)
		at := credential.Path{Mount: "kv", Path: "net/" + name, Field: "value"}
		was, err := p.store.ReadLive(t.Context(), at, 0)
		require.NoError(t, err)
		p.put(name, "new")
		cs = append(cs, credential.Credential{ID: "person/esg-01/" + name, Name: name, Kind: credential.SecretByHand, Doors: []credential.DoorLogin{{Door: "nas", Login: name}},
			Task: &credential.Task{At: &at, Ends: []credential.TaskEnd{{Name: "NAS"}}, Stolen: []credential.StolenVersion{{Version: was.Version, Written: was.Written}}}})
	}
	h := &hanging{}
	nas := &opened.Door{Door: h}
	asking := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{Now: time.Now, Open: func(string) (*opened.Door, error) { return nas, nil }}}
	out, err := asking.Ask(t.Context(), wire.Tasks{Campaign: "c", Snapshot: p.index.Snapshot, Refs: p.in.Refs}, cs)
	require.NoError(t, err)
	require.Len(t, out, len(names))
	require.Len(t, h.asked, 2*silent, "the new value and the old one, of each of three")
	for i, it := range out {
		require.Equal(t, protocol.ReasonDoorSilent, it.Stop.Reason)
		require.Empty(t, it.Proof)
		if i >= silent {
			require.Contains(t, it.Stop.Detail, "gave no reply about 3 others in this look")
		}
	}
}
