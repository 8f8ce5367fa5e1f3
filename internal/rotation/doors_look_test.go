package rotation

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// counting is a directory that Rollcall does not know, behind doors that keep
// good logins: only a good one that reaches it ends its count of wrong ones.
type counting struct {
	in     string // the value in force
	cached bool
	most   int // wrong ones in a row
	wrong  int
	asked  []string
}

func (c *counting) Ask(_ context.Context, _ string, value credential.Secret) door.Said {
	c.asked = append(c.asked, value.Reveal())
	switch {
	case value.Reveal() != c.in:
		c.wrong++
		c.most = max(c.most, c.wrong)
		return door.Said{Reply: protocol.Refused, Code: "535"}
	case !c.cached:
		c.wrong = 0
	}
	c.cached = true
	return door.Said{Reply: protocol.Accepted}
}

func (c *counting) Software(context.Context) (string, error) { return "", nil }

// A look costs the account of a task two wrong logins at most, at however many
// doors, with however many stolen values and however often each is offered. The
// next look goes on where it broke off, and in the end all is shown.
func TestALookAtThePeoplesDoorsCostsTwoWrongLoginsAtMost(t *testing.T) {
	behind := &counting{in: "new"}
	doors := []*opened.Door{{Door: behind}, {Door: behind}, {Door: behind}}
	logins := []credential.DoorLogin{{Door: "imap", Login: "nas"}, {Door: "pop", Login: "nas"}, {Door: "smtp", Login: "nas"}}
	olds := []credential.Secret{credential.NewSecret("old-1"), credential.NewSecret("old-2")}
	refusals := &Refusals{}
	refusals.tookFirst("c", "nas", "imap") // it took an old value before: four looks at each
	now := time.Now()
	ask := DoorAsker{Now: func() time.Time { return now }, Campaign: "c", Refusals: refusals}
	c := credential.Credential{ID: "nas", Task: &credential.Task{}}
	shut := 0
	for looks := 0; shut < len(doors); looks++ {
		require.Less(t, looks, 10)
		look, before := NewLook(), behind.wrong
		shut = 0
		for i, d := range doors {
			ev, _, stop := ask.Ask(t.Context(), look, d, c, logins[i], credential.NewSecret("new"), olds)
			if stop != nil {
				require.Equal(t, protocol.ReasonNearLock, stop.Reason)
				require.Equal(t, logins[i].Door, stop.Server)
				break
			}
			require.Nil(t, ev.Open(true))
			shut++
		}
		require.LessOrEqual(t, behind.wrong-before, maxWrongLogins)
		behind.wrong, behind.cached = 0, false
		now = now.Add(time.Hour)
	}
	require.Equal(t, maxWrongLogins, behind.most)
	offered := map[string]int{}
	for _, v := range behind.asked {
		offered[v]++
	}
	require.Equal(t, door.MaxLooks+2+2, offered["old-1"], "four times at the first door, twice at the others")
	require.Equal(t, door.MaxLooks+2+2, offered["old-2"])

	// Another new value is proved anew.
	behind.in = "newer"
	_, _, stop := ask.Ask(t.Context(), NewLook(), doors[1], c, logins[1], credential.NewSecret("newer"), olds)
	require.Equal(t, protocol.ReasonNearLock, stop.Reason, "the other old value is for the next look")
	require.Equal(t, door.MaxLooks+2+2+2, count(behind.asked, "old-1"))
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// A door that answers the new value and hangs at the old one costs each account
// a time-out as well.
func TestADoorThatHangsAtTheOldValueHoldsABatchUpForAFewAccountsOnly(t *testing.T) {
	hangs := &service{answers: map[string][]protocol.Reply{}}
	var all []Verdict
	for i := range 20 {
		id := string(rune('a' + i))
		hangs.answers[id+"/new"], hangs.answers[id+"/old"] = []protocol.Reply{protocol.Accepted}, []protocol.Reply{protocol.Unreachable}
		all = append(all, atServers(id, "mail"))
	}
	askDoors(all, map[string]*service{"mail": hangs}, false)
	require.Len(t, hangs.asked, 2*doorPatience)
	for _, v := range all {
		require.Equal(t, protocol.ReasonDoorSilent, v.Stop.Reason)
	}
}

// Why a door says nothing reaches the operator.
func TestWhatADoorSaidIsInTheReason(t *testing.T) {
	mail := &service{answers: map[string][]protocol.Reply{"a/new": {protocol.Unreachable}}, code: "its certificate is not trusted, or not of its name"}
	v := atServers("a", "mail")
	askDoors([]Verdict{v}, map[string]*service{"mail": mail}, false)
	require.Equal(t, protocol.ReasonDoorSilent, v.Stop.Reason)
	require.Contains(t, v.Stop.Detail, "it said: its certificate is not trusted, or not of its name")
}

// When time is up no other account is begun, and what was not begun is neither
// dead nor open: the next part asks it.
func TestDoorsThatThereIsNoTimeForAreLeftForLater(t *testing.T) {
	good := map[string][]protocol.Reply{}
	var all []Verdict
	var remembered atomic.Int32
	for i := range 40 {
		id := string(rune('A' + i))
		good[id+"/new"] = []protocol.Reply{protocol.Accepted}
		v := atServers(id, "mail")
		v.at.remember = func(context.Context) { remembered.Add(1) }
		all = append(all, v)
	}
	mail := &opened.Door{Door: &service{answers: good}}
	rot := &Rotator{Now: time.Now, Authority: willing{}}
	ask := DoorAsker{Open: func(string) (*opened.Door, error) { return mail, nil }, Now: time.Now, Until: time.Now().Add(-time.Second)}
	rot.AskDoors(t.Context(), all, ask, func() bool { return false })
	dead, later := 0, 0
	for _, v := range all {
		require.Nil(t, v.Stop)
		require.NotEqual(t, v.Dead(), v.AtDoors)
		if v.Dead() {
			dead++
		} else {
			later++
			require.Empty(t, v.Doors)
		}
	}
	require.Equal(t, 1, dead, "one is always asked, so that parts come to an end")
	require.Equal(t, 39, later)
	require.Equal(t, later, int(remembered.Load()), "the next look would retire the old value once more")

	v, w := atServers("a", "mail"), atServers("b")
	rot.LeaveDoors(t.Context(), DoorAsker{}, []Verdict{v, w})
	require.True(t, v.AtDoors)
	require.False(t, v.Dead())
	require.True(t, w.Dead(), "what has no door is dead")
}
