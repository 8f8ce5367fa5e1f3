package rotation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// service is a door that goes by what it remembers.
type service struct {
	mu       sync.Mutex
	answers  map[string][]protocol.Reply // to login and value, in turn; the last one stays
	asked    []string
	atOnce   int
	together int    // the most that were in it at once
	code     string // its own
}

func (s *service) Ask(_ context.Context, login string, value credential.Secret) door.Said {
	s.mu.Lock()
	s.atOnce++
	s.together = max(s.together, s.atOnce)
	key := login + "/" + value.Reveal()
	s.asked = append(s.asked, key)
	answer := protocol.Refused
	if all := s.answers[key]; len(all) > 0 {
		if answer = all[0]; len(all) > 1 {
			s.answers[key] = all[1:]
		}
	}
	s.atOnce--
	s.mu.Unlock()
	return door.Said{Reply: answer, Code: s.code}
}

func (s *service) Software(context.Context) (string, error) { return "", nil }

// atServers is a credential that every server has proved dead, with one door.
func atServers(id string, doors ...string) Verdict {
	c := credential.Credential{ID: id}
	for _, d := range doors {
		c.Doors = append(c.Doors, credential.DoorLogin{Door: d, Login: id})
	}
	return Verdict{Credential: c, Applied: &Applied{
		Applied: wire.Applied{Proof: protocol.ProofBind, Step: protocol.Prove},
		at: atDoors{new: credential.NewSecret("new"), olds: []credential.Secret{credential.NewSecret("old")},
			remember: func(context.Context) {}},
	}}
}

// willing is an authority that lets in whom it is asked about.
type willing struct{ kind.Authority }

func (willing) Servers() []string { return []string{"ldap1"} }

func (willing) Account(context.Context, string, credential.Credential) (kind.Account, error) {
	return kind.Account{State: protocol.Accepted}, nil
}

func (willing) Offer(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error) {
	return protocol.Accepted, nil
}

func askDoors(verdicts []Verdict, services map[string]*service, stopped bool) {
	rot := &Rotator{Now: time.Now, Authority: willing{}, Refusals: &Refusals{}}
	open := func(name string) (*opened.Door, error) {
		if services[name] == nil {
			return nil, errors.New("none of that name")
		}
		return &opened.Door{Door: services[name]}, nil
	}
	rot.AskDoors(context.Background(), verdicts, DoorAsker{Open: open, Now: time.Now}, func() bool { return stopped })
}

// The sandwich: new, old, new, several times over. The old one is offered only
// where the new one works.
func TestAStolenValueIsDeadOnlyWhereEachDoorRefusesItBetweenTwoGoodLogins(t *testing.T) {
	for _, row := range []struct {
		name       string
		first, old protocol.Reply
		again      protocol.Reply
		reason     protocol.Reason // empty: dead
		asked      int
	}{
		{"refused between two good logins", protocol.Accepted, protocol.Refused, protocol.Accepted, "", door.NewLogins(door.MaxLooks, 1) + door.MaxLooks},
		{"the old one is in its cache", protocol.Accepted, protocol.Accepted, "", protocol.ReasonDoorTakesOld, 2},
		{"the old one was right, and the login failed", protocol.Accepted, protocol.Restricted, "", protocol.ReasonDoorTakesOld, 2},
		{"the old one was right, and has to be changed", protocol.Accepted, protocol.MustChange, "", protocol.ReasonDoorTakesOld, 2},
		{"its directory is down by then", protocol.Accepted, protocol.Unreachable, "", protocol.ReasonDoorSilent, 2},
		{"it turns the worker away by then", protocol.Accepted, protocol.TooMany, "", protocol.ReasonDoorSilent, 2},
		{"no login there carries the old one, which a thief may show it all the same", protocol.Accepted, protocol.NotCarried, "", protocol.ReasonNotCarried, 2},
		{"no login there carries the new one", protocol.NotCarried, "", "", protocol.ReasonNotCarried, 1},
		{"the new one is refused", protocol.Refused, "", "", protocol.ReasonDoorRefusesNew, 1},
		{"it is not there", protocol.Unreachable, "", "", protocol.ReasonDoorSilent, 1},
		{"it lets in whoever comes", protocol.Guest, "", "", protocol.ReasonDoorGuest, 1},
		{"the account is locked there", protocol.Locked, "", "", protocol.ReasonDoorSilent, 1},
		{"it refuses the new one afterwards", protocol.Accepted, protocol.Refused, protocol.Refused, protocol.ReasonDoorRefusesNew, 3},
		{"it is gone afterwards", protocol.Accepted, protocol.Refused, protocol.Unreachable, protocol.ReasonDoorSilent, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			mail := &service{answers: map[string][]protocol.Reply{"a/new": {row.first, row.again}, "a/old": {row.old}}}
			v := atServers("a", "mail")
			remembered := false
			v.at.remember = func(context.Context) { remembered = true }
			askDoors([]Verdict{v}, map[string]*service{"mail": mail}, false)
			require.Len(t, mail.asked, row.asked)
			if row.reason == "" {
				require.True(t, v.Dead())
				require.Equal(t, protocol.Refused, v.Doors[0].Old)
				require.NotEmpty(t, v.Doors[0].At)
				return
			}
			require.False(t, v.Dead())
			require.Equal(t, row.reason, v.Stop.Reason)
			require.Equal(t, "mail", v.Stop.Server)
			if row.reason == protocol.ReasonDoorSilent {
				require.Contains(t, v.Stop.Detail, "the new value itself is in no doubt: every server takes it, and it is activated")
				about := map[int]string{1: " to the new value, so that it was not asked", 2: "takes the new value, and answered ", 3: " to the new value after it had refused the stolen one"}[row.asked]
				require.Contains(t, v.Stop.Detail, about)
			}
			require.True(t, remembered, "the next pass would retire the old value once more")
		})
	}
}

func TestOfAValueThatNobodyKnowsADoorIsAskedForTheNewOneAlone(t *testing.T) {
	mail := &service{answers: map[string][]protocol.Reply{"a/new": {protocol.Accepted}}}
	v := atServers("a", "mail")
	v.at.olds, v.Proof = nil, protocol.ProofMetadata
	askDoors([]Verdict{v}, map[string]*service{"mail": mail}, false)
	require.True(t, v.Dead())
	require.Equal(t, []string{"a/new"}, mail.asked)
	require.Equal(t, []protocol.DoorEvidence{{Door: "mail", At: v.Doors[0].At, First: protocol.Accepted, New: protocol.Accepted}}, v.Doors)
}

// One door that shuts does not make up for another that does not, and a door
// that cannot be opened is none that shut.
func TestEachDoorOfACredentialHasToShut(t *testing.T) {
	good := map[string][]protocol.Reply{"a/new": {protocol.Accepted}}
	v, w := atServers("a", "files", "mail"), atServers("a", "mail", "nowhere")
	askDoors([]Verdict{v, w}, map[string]*service{
		"mail":  {answers: good},
		"files": {answers: map[string][]protocol.Reply{"a/new": {protocol.Accepted}, "a/old": {protocol.Accepted}}},
	}, false)
	require.Equal(t, protocol.ReasonDoorTakesOld, v.Stop.Reason)
	require.Equal(t, "files", v.Stop.Server)
	require.Equal(t, "nowhere", w.Stop.Server)
	require.False(t, w.Dead())
}

// A refusal of the new value behind the old one is a wrong login as well, and
// two are all that an account in another directory can bear.
func TestANewValueThatIsRefusedAfterTheOldOneWasRefused(t *testing.T) {
	notes := &vaultNotes{}
	mail := &service{answers: map[string][]protocol.Reply{"a/new": {protocol.Accepted, protocol.Refused}}}
	asked := []int{}
	for range 4 {
		v := atServers("a", "mail")
		rot := &Rotator{Now: time.Now, Authority: willing{}, Campaign: "c", Refusals: &Refusals{Notes: notes}} // as another worker
		rot.AskDoors(t.Context(), []Verdict{v}, DoorAsker{Open: func(string) (*opened.Door, error) { return &opened.Door{Door: mail}, nil }, Now: time.Now}, func() bool { return false })
		require.Equal(t, protocol.ReasonDoorRefusesNew, v.Stop.Reason)
		asked = append(asked, len(mail.asked))
	}
	require.Equal(t, []int{3, 4, 4, 4}, asked, "new, old, new; new; and nothing any more")
}

// Where the thief gets in now is what people are told, whatever is wrong at
// another door, wherever that stands in the list.
func TestADoorThatIsNotAskedHidesNoOtherThatTakesTheStolenValue(t *testing.T) {
	for _, doors := range [][]string{{"nowhere", "files"}, {"files", "nowhere"}, {"deaf", "files"}, {"files", "strict", "strict again", "mail"}} {
		v := atServers("a", doors...)
		refuses := func() *service { return &service{answers: map[string][]protocol.Reply{"a/new": {protocol.Refused}}} }
		askDoors([]Verdict{v}, map[string]*service{
			"deaf": {answers: map[string][]protocol.Reply{"a/new": {protocol.Unreachable}}}, "strict": refuses(), "strict again": refuses(), "mail": refuses(),
			"files": {answers: map[string][]protocol.Reply{"a/new": {protocol.Accepted}, "a/old": {protocol.Accepted}}},
		}, false)
		require.False(t, v.Dead())
		require.Equal(t, protocol.ReasonDoorTakesOld, v.Stop.Reason, doors)
		require.Equal(t, "files", v.Stop.Server)
	}
}

// A door that is gone costs a batch a few time-outs, and not one for each
// account; and it is asked about one account at a time.
func TestADoorThatIsGoneHoldsABatchUpForAFewAccountsOnly(t *testing.T) {
	gone := &service{answers: map[string][]protocol.Reply{}}
	var all []Verdict
	for i := range 40 {
		id := fmt.Sprint(i)
		gone.answers[id+"/new"] = []protocol.Reply{protocol.Unreachable}
		all = append(all, atServers(id, "mail"))
	}
	askDoors(all, map[string]*service{"mail": gone}, false)
	require.Len(t, gone.asked, doorPatience)
	require.Equal(t, 1, gone.together)
	for _, v := range all {
		require.Equal(t, protocol.ReasonDoorSilent, v.Stop.Reason)
	}
}

func TestAWorkerThatStopsAsksNoDoorAndSaysSo(t *testing.T) {
	mail := &service{}
	v := atServers("a", "mail")
	askDoors([]Verdict{v}, map[string]*service{"mail": mail}, true)
	require.Equal(t, protocol.ReasonInterrupted, v.Stop.Reason)
	require.Empty(t, mail.asked)
}

// What is open already is none of a door's, and what has no door is as it was.
func TestADoorIsAskedAboutNothingThatItsServersHaveNotProved(t *testing.T) {
	mail := &service{}
	open, none := atServers("a", "mail"), atServers("b")
	open.Stop, open.Proof = protocol.StopFor(protocol.Unreachable, "ldap2"), ""
	askDoors([]Verdict{open, none}, map[string]*service{"mail": mail}, false)
	require.Empty(t, mail.asked)
	require.Equal(t, protocol.ReasonUnreachable, open.Stop.Reason)
	require.True(t, none.Dead())
	require.Empty(t, none.Doors)
}
