package activities

import (
	"context"
	"sync"
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

// spending are the doors of one account, whose wrong logins one directory
// counts.
type spending struct {
	mu    sync.Mutex
	takes map[string]map[string]protocol.Reply // by door and value; none: refused
	wrong int
	asked func() // before each login; nil: nobody looks
}

func (s *spending) set(at, value string, reply protocol.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.takes[at] == nil {
		s.takes[at] = map[string]protocol.Reply{}
	}
	s.takes[at][value] = reply
}

func (s *spending) open(at string) (*opened.Door, error) {
	return &opened.Door{Door: spent{s, at}}, nil
}

type spent struct {
	*spending
	at string
}

func (s spent) Ask(_ context.Context, _ string, value credential.Secret) door.Said {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != nil {
		s.asked()
	}
	if reply := s.takes[s.at][value.Reveal()]; reply != "" {
		return door.Said{Reply: reply}
	}
	s.wrong++
	return door.Said{Reply: protocol.Refused}
}

func (spent) Software(context.Context) (string, error) { return "", nil }

// A directory that Rollcall does not know counts the wrong logins of all doors,
// in however many looks, by whichever worker. Two within an hour are all, also
// where a door opens and shuts in between.
func TestLooksSpendTwoWrongLoginsAnHourWhateverOpensAndShutsAndWhoeverLooks(t *testing.T) {
	p, c := newAtTwoDoors(t)
	for name, row := range map[string]struct {
		between func(*spending)
		another bool // worker
		waits   bool
		machine int // how many there are behind the first door
	}{
		"the first one is shut in between":    {between: func(s *spending) { s.set("vpn", "stolen", "") }, waits: true, machine: 2},
		"another worker looks":                {between: func(*spending) {}, another: true, waits: true, machine: 1},
		"it is silent, and another one looks": {between: func(s *spending) { s.set("vpn", "new", protocol.Unreachable) }, another: true, waits: true, machine: 1},
		"both are silent, and both are there": {between: func(s *spending) { s.set("mail", "new", protocol.Unreachable) }, machine: 1},
	} {
		t.Run(name, func(t *testing.T) {
			doors, now, refusals := &spending{takes: map[string]map[string]protocol.Reply{}}, time.Now(), &rotation.Refusals{}
			doors.set("vpn", "new", protocol.Accepted)
			doors.set("mail", "new", protocol.Accepted)
			doors.set("vpn", "stolen", protocol.Accepted)
			if !row.waits {
				doors.set("vpn", "new", protocol.Unreachable)
				row.between(doors)
			}
			look := func() wire.AskedTask {
				a := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{
					Now: func() time.Time { return now }, Campaign: name, Refusals: refusals, Open: doors.open,
					Settings: func(at string) door.Settings {
						return door.Settings{Type: "http", Machines: map[string]int{"vpn": row.machine, "mail": 1}[at]}
					}}}
				out, err := a.Ask(t.Context(), wire.Tasks{Campaign: name, Snapshot: p.index.Snapshot, Refs: p.in.Refs[:1]}, []credential.Credential{c})
				require.NoError(t, err)
				return out[0]
			}
			hour := 0
			for n := range 4 {
				before := doors.wrong
				it := look()
				if hour += doors.wrong - before; n == 0 {
					require.NotNil(t, it.Stop)
					require.Equal(t, row.waits, it.Spent, "the next look is made in an hour")
					row.between(doors)
				}
				require.LessOrEqual(t, hour, 2)
				if it.Spent && it.Stop != nil && !it.Stop.Until.IsZero() {
					require.False(t, it.Stop.Until.Before(now.Add(time.Hour).Truncate(time.Second)), "people are told when it is asked: %s", it.Stop)
				}
				if it.Spent {
					now, hour = now.Add(time.Hour), 0
				}
				if it.Stop == nil {
					break
				}
				if row.another {
					refusals = &rotation.Refusals{}
				}
			}
		})
	}
}

// A person who leaves a door out has the others asked at once, a worker may be
// killed, and another campaign may begin: the account has had its wrong logins
// of this hour all the same, and is told until when.
func TestNoLookMakesTheThirdWrongLoginOfAnHourWhoeverMadeTheOthers(t *testing.T) {
	p, c := newAtTwoDoors(t)
	doors := &spending{takes: map[string]map[string]protocol.Reply{}}
	look := func(campaign string, leftOut ...string) wire.AskedTask {
		asker := rotation.DoorAsker{Now: time.Now, Campaign: campaign, Refusals: &rotation.Refusals{}, Open: doors.open,
			Settings: func(string) door.Settings { return door.Settings{Type: "http"} }}
		a := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: asker.Counting(p.store)}
		out, err := a.Ask(t.Context(), wire.Tasks{Campaign: campaign, Snapshot: p.index.Snapshot, Refs: p.in.Refs[:1], DoorsLeftOut: leftOut}, []credential.Credential{c})
		require.NoError(t, err)
		return out[0]
	}
	for range 3 { // silence to the new value is none
		doors.set("vpn", "new", protocol.Unreachable)
		doors.set("mail", "new", protocol.Unreachable)
		require.Equal(t, protocol.ReasonDoorSilent, look("one").Stop.Reason)
	}
	doors.set("vpn", "new", protocol.Accepted)
	doors.set("mail", "new", protocol.Accepted)
	it := look("one")
	require.Equal(t, 2, doors.wrong, "the old one, twice, at the first door")
	require.Equal(t, protocol.ReasonNearLock, it.Stop.Reason)
	for _, again := range []func() wire.AskedTask{
		func() wire.AskedTask { return look("one") },
		func() wire.AskedTask { return look("one", "vpn") },
		func() wire.AskedTask { return look("another") },
	} {
		it = again()
		require.Equal(t, 2, doors.wrong)
		require.Equal(t, protocol.ReasonNearLock, it.Stop.Reason)
		require.WithinDuration(t, time.Now().Add(55*time.Minute), it.Stop.Until, 5*time.Minute)
	}
	of := c
	c.ID += "-of-another-device"
	require.Equal(t, protocol.ReasonNearLock, look("another").Stop.Reason, "it is about the same account")
	require.Equal(t, 2, doors.wrong)
	c = of
	it = look("one", "vpn", "mail")
	require.Nil(t, it.Stop, "no door is left to ask")
}

// A worker may be killed in any login, and a good one may turn out wrong.
func TestEachLoginAtAPersonsDoorIsCountedBeforeItIsMade(t *testing.T) {
	p, c := newAtTwoDoors(t)
	var before []int
	doors := &spending{takes: map[string]map[string]protocol.Reply{}}
	doors.set("vpn", "new", protocol.Accepted)
	doors.set("mail", "new", protocol.Accepted)
	doors.asked = func() {
		n, err := p.store.WrongLogins(t.Context(), c.ID, 50*time.Minute)
		require.NoError(t, err)
		before = append(before, n)
	}
	asker := rotation.DoorAsker{Now: time.Now, Campaign: "counted", Refusals: &rotation.Refusals{}, Open: doors.open,
		Settings: func(string) door.Settings { return door.Settings{Type: "http", Machines: 1} }}
	a := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: asker.Counting(p.store)}
	out, err := a.Ask(t.Context(), wire.Tasks{Campaign: "counted", Snapshot: p.index.Snapshot, Refs: p.in.Refs[:1]}, []credential.Credential{c})
	require.NoError(t, err)
	require.Nil(t, out[0].Stop)
	require.Equal(t, []int{1, 1, 2, 2, 2, 3}, before, "new, old and new again, at each of two doors")
	n, err := p.store.WrongLogins(t.Context(), c.ID, 50*time.Minute)
	require.NoError(t, err)
	require.Equal(t, 2, n, "the good ones were taken back")
}

// That a door still takes the new value is seen last of all: there too the
// account has two wrong logins an hour, and each is counted.
func TestTheLastOfferOfALookCountsWithItsWrongLogins(t *testing.T) {
	p, c := newAtTwoDoors(t)
	doors := &spending{takes: map[string]map[string]protocol.Reply{}}
	refusals := &rotation.Refusals{}
	now := time.Now()
	look := func() wire.AskedTask {
		asker := rotation.DoorAsker{Now: func() time.Time { return now }, Campaign: "one", Refusals: refusals, Open: doors.open,
			Settings: func(string) door.Settings { return door.Settings{Type: "http", Machines: 2} }}
		a := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: asker.Counting(p.store)}
		out, err := a.Ask(t.Context(), wire.Tasks{Campaign: "one", Snapshot: p.index.Snapshot, Refs: p.in.Refs[:1]}, []credential.Credential{c})
		require.NoError(t, err)
		return out[0]
	}
	doors.set("vpn", "new", protocol.Accepted)
	doors.set("mail", "new", protocol.Accepted)
	require.Equal(t, protocol.ReasonNearLock, look().Stop.Reason) // the first door is proved
	now = now.Add(time.Hour)
	later := func() { // as Vault has it an hour later
		for _, id := range rotation.CountedAs(c, door.Settings{}, c.Doors[0]) {
			require.NoError(t, p.store.EndLogins(t.Context(), id, 99))
		}
	}
	later()
	doors.wrong = 0
	doors.set("vpn", "new", "") // refused by now
	it := look()
	require.Equal(t, 2, doors.wrong)
	require.Equal(t, protocol.ReasonNearLock, it.Stop.Reason)
	n, err := p.store.WrongLogins(t.Context(), c.ID, 50*time.Minute)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	now = now.Add(time.Hour)
	later()
	require.Equal(t, protocol.ReasonDoorRefusesNew, look().Stop.Reason)
	require.Equal(t, 3, doors.wrong)
	n, err = p.store.WrongLogins(t.Context(), c.ID, 50*time.Minute)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// newAtTwoDoors is a secret that a person has changed, and that two doors take.
func newAtTwoDoors(t *testing.T) (p *peopled, c credential.Credential) {
	p = newPeopled(t, nil, "nas")
	p.put("nas", "stolen")
	c = credential.Credential{ID: "person/esg-01/nas", Name: "nas", Kind: credential.SecretByHand,
		Doors: []credential.DoorLogin{{Door: "vpn", Login: "nas"}, {Door: "mail", Login: "nas"}},
		Task:  &credential.Task{At: &credential.Path{Mount: "kv", Path: "net/nas", Field: "value"}, Ends: []credential.TaskEnd{{Name: "it"}}}}
	was, err := p.store.ReadLive(t.Context(), *c.Task.At, 0)
	require.NoError(t, err)
	c.Task.Stolen = []credential.StolenVersion{{Version: was.Version, Written: was.Written}}
	require.NoError(t, tasks.KeepStolen(t.Context(), p.store, []credential.Credential{c}))
	p.put("nas", "new")
	p.open()
	return p, c
}
