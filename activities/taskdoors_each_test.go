package activities

import (
	"errors"
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

// A look asks the doors behind one that is open, too: each that takes the
// stolen value is named. It does so once an hour, and costs the account two
// wrong logins at most; a door that refuses the new value is not offered it
// again in that hour.
func TestALookNamesEachDoorThatTakesTheStolenValue(t *testing.T) {
	vpn, mail, nas, relay := newPage(t), newPage(t), newPage(t), newPage(t)
	p := newPeopled(t, nil, "nas")
	p.put("nas", "stolen")
	c := credential.Credential{ID: "person/esg-01/nas", Name: "nas", Kind: credential.SecretByHand,
		Doors: []credential.DoorLogin{{Door: "vpn", Login: "nas"}, {Door: "mail", Login: "nas"}, {Door: "nas", Login: "nas"}, {Door: "relay", Login: "nas"}},
		Task:  &credential.Task{At: &credential.Path{Mount: "kv", Path: "net/nas", Field: "value"}, Ends: []credential.TaskEnd{{Name: "it"}}}}
	was, err := p.store.ReadLive(t.Context(), *c.Task.At, 0)
	require.NoError(t, err)
	c.Task.Stolen = []credential.StolenVersion{{Version: was.Version, Written: was.Written}}
	require.NoError(t, tasks.KeepStolen(t.Context(), p.store, []credential.Credential{c}))
	p.put("nas", "new")
	p.open()
	now := time.Now()
	var late *page
	var doors opened.Doors
	asking := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{
		Now: func() time.Time { return now }, Campaign: "c", Refusals: &rotation.Refusals{},
		Settings: func(string) door.Settings { return door.Settings{Type: "http", Machines: 1} },
		Open: func(name string) (*opened.Door, error) {
			if name == "late" && late == nil {
				return nil, errors.New("its name has no address now")
			}
			return doors.Open(map[string]*page{"vpn": vpn, "mail": mail, "nas": nas, "relay": relay, "late": late}[name].door())
		}}}
	wrong := func() (n int) {
		for _, at := range []*page{vpn, mail, nas, relay} {
			took := map[string]bool{}
			at.mu.Lock()
			for _, v := range at.takes["nas"] {
				took[v] = true
			}
			at.mu.Unlock()
			for _, v := range at.tried("nas") {
				if !took[v] {
					n++
				}
			}
		}
		return n
	}
	look := func() *protocol.Stop {
		before := wrong()
		out, err := asking.Ask(t.Context(), wire.Tasks{Campaign: "c", Snapshot: p.index.Snapshot, Refs: p.in.Refs[:1]}, []credential.Credential{c})
		require.NoError(t, err)
		require.LessOrEqual(t, wrong()-before, 2)
		now = now.Add(time.Minute)
		return out[0].Stop
	}
	vpn.take("nas", "new", "stolen")
	mail.take("nas", "new")
	nas.take("nas", "new", "stolen")
	relay.take("nas", "stolen") // and refuses the new one
	stop := look()
	require.Equal(t, protocol.ReasonDoorTakesOld, stop.Reason)
	require.Equal(t, "vpn", stop.Server)
	require.Contains(t, stop.Detail, "(as does nas)")
	require.Equal(t, 2, wrong(), "the stolen value at the one that is shut, and the new one at the relay")
	detail := stop.Detail
	for range 20 {
		require.Equal(t, detail, look().Detail, "the record says nothing new")
	}
	require.Equal(t, 2, wrong())

	// One that cannot be asked is no reason to look at no other, and what
	// the relay showed counts for the hour.
	c.ID, c.Doors = "person/esg-01/again", []credential.DoorLogin{{Door: "late", Login: "nas"}, c.Doors[1], c.Doors[3]}
	require.NoError(t, tasks.KeepStolen(t.Context(), p.store, []credential.Credential{c}))
	stop = look()
	require.Equal(t, protocol.ReasonDoorSilent, stop.Reason)
	require.Equal(t, "late", stop.Server)
	require.Equal(t, 4, wrong())
	late = vpn
	vpn.take("nas", "new")
	before := len(relay.tried("nas"))
	stop = look()
	require.Equal(t, protocol.ReasonDoorRefusesNew, stop.Reason)
	require.Equal(t, "relay", stop.Server)
	require.Len(t, relay.tried("nas"), before)
	require.NotContains(t, relay.tried("nas"), "stolen")
	now = now.Add(time.Hour)
	relay.take("nas", "new")
	require.Nil(t, look())
}
