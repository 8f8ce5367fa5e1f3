package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// merged is a mail relay after a merger: each name with its realm is an account
// of one directory, and a name without one is an account of the other.
type merged struct {
	in    map[string]string // values by login
	keeps map[string]string // in its cache, by spelling
	wrong map[string]int
	all   map[string]int // logins
	odd   map[string]protocol.Reply
}

func (d *merged) Ask(_ context.Context, login string, v credential.Secret) door.Said {
	d.all[login]++
	switch {
	case d.odd[login] != "":
		return door.Said{Reply: d.odd[login]}
	case d.in[login] == v.Reveal(), d.keeps[login] == v.Reveal():
		return door.Said{Reply: protocol.Accepted}
	}
	d.wrong[login]++
	return door.Said{Reply: protocol.Refused, Code: "535"}
}

func (d *merged) Software(context.Context) (string, error) { return "", nil }

func newMerged(in map[string]string) *merged {
	return &merged{in: in, keeps: map[string]string{}, wrong: map[string]int{}, all: map[string]int{}, odd: map[string]protocol.Reply{}}
}

// ofLab is the account scan of lab.example.org, which every server has proved.
func ofLab(own ...string) Verdict {
	v := atServers("scan@lab.example.org", "relay")
	v.Credential.Kind, v.Credential.Name = credential.LDAPPassword, "uid=scan,ou=services,dc=lab,dc=example,dc=org"
	v.Credential.Doors[0].Own = own
	return v
}

// pass asks the relay about v as a worker of its own does.
func (d *merged) pass(v Verdict, notes *vaultNotes, at door.Settings) Verdict {
	rot := &Rotator{Now: time.Now, Authority: willing{}, Campaign: "c", Refusals: &Refusals{Notes: notes}}
	ask := DoorAsker{Open: func(string) (*opened.Door, error) { return &opened.Door{Door: d}, nil }, Now: time.Now,
		Settings: func(string) door.Settings { return at }}
	rot.AskDoors(context.Background(), []Verdict{v}, ask, func() bool { return false })
	return v
}

func relayFor(realm string) door.Settings {
	return door.Settings{Type: "submission", Login: "{account}@lab.example.org", Realm: realm}
}

// A name without its realm, or with another one, may be somebody's who is on no
// roll, and whom each wrong login brings nearer to a lock. By all passes,
// workers, doors and accounts together that is two of them in a campaign.
func TestANameThatMayBeAnotherAccountsCostsThatOneTwoWrongLoginsAtMost(t *testing.T) {
	d, notes := newMerged(map[string]string{"scan@lab.example.org": "new", "scan": "of the other one"}), &vaultNotes{}
	d.keeps["scan@lab.example.org"] = "old" // so that the next passes look more than once
	require.Equal(t, protocol.ReasonDoorTakesOld, d.pass(ofLab(), notes, relayFor("")).Stop.Reason)
	delete(d.keeps, "scan@lab.example.org")
	for range 3 {
		require.True(t, d.pass(ofLab(), notes, relayFor("")).Dead())
	}
	require.LessOrEqual(t, d.wrong["scan"], 1, "once it is refused it is not asked again")
	require.Positive(t, d.all["SCAN@LAB.EXAMPLE.ORG"])
	require.LessOrEqual(t, len(notes.all), 5, "of a name that is the account's own for sure nothing is noted: %v", notes.all)

	for _, realm := range []string{"plant", "works", "depot"} {
		v := atServers("scan@"+realm, "relay")
		v.Credential.Kind, v.Credential.Name = credential.LDAPPassword, "uid=scan,dc="+realm
		d.in["scan@"+realm] = "new"
		require.True(t, d.pass(v, notes, relayFor("")).Dead())
	}
	require.LessOrEqual(t, d.wrong["scan"], 2, "all accounts of that name together")
}

// Where the file says which realm a login without one has, the name is the
// account's own, or another one's for sure.
func TestARealmThatTheFileSaysTellsWhoseANameIs(t *testing.T) {
	d := newMerged(map[string]string{"scan@lab.example.org": "new", "scan": "of the other one"})
	require.True(t, d.pass(ofLab(), &vaultNotes{}, relayFor("example.org")).Dead())
	require.Zero(t, d.all["scan"], "a name of example.org's")

	d = newMerged(map[string]string{"scan@lab.example.org": "new", "scan": "new"})
	d.keeps["scan"] = "old"
	at := relayFor("LAB.example.org")
	got := d.pass(ofLab(), &vaultNotes{}, at)
	require.Equal(t, protocol.ReasonDoorTakesOld, got.Stop.Reason)
	require.Contains(t, got.Stop.Detail, "by another spelling of the login name")
}

// What the account's directory says of its addresses is asked as its own name.
func TestAnAddressOfTheAccountIsAskedAsItsOwnName(t *testing.T) {
	notes := &vaultNotes{}
	d := newMerged(map[string]string{"scan@lab.example.org": "new"})
	d.keeps["scan@mail.example.org"] = "old" // the old value is taken by it, and the new one is not
	for range 3 {
		got := d.pass(ofLab("scan@mail.example.org"), notes, relayFor("example.org"))
		require.Equal(t, protocol.ReasonDoorTakesOld, got.Stop.Reason, "in each pass, for as long as it is taken")
	}
	delete(d.keeps, "scan@mail.example.org")
	require.True(t, d.pass(ofLab("scan@mail.example.org"), notes, relayFor("example.org")).Dead())
}

// By a name that takes the new value the account itself logs in: a stolen one
// that is kept by it is found in every pass.
func TestANameWithoutItsRealmThatTakesTheNewValueIsTheAccountsOwn(t *testing.T) {
	notes := &vaultNotes{}
	d := newMerged(map[string]string{"scan@lab.example.org": "new", "scan": "new"})
	d.keeps["scan"] = "old"
	for range 4 {
		require.Equal(t, protocol.ReasonDoorTakesOld, d.pass(ofLab(), notes, relayFor("")).Stop.Reason)
	}
	delete(d.keeps, "scan")
	require.True(t, d.pass(ofLab(), notes, relayFor("")).Dead())
}

// A name that gives no answer is no name that was refused: the door stays open,
// also when it may not be asked any more.
func TestANameThatGivesNoAnswerKeepsItsDoorOpen(t *testing.T) {
	notes := &vaultNotes{}
	d := newMerged(map[string]string{"scan@lab.example.org": "new"})
	d.odd["scan"] = protocol.Unreachable
	for range 4 {
		require.Equal(t, protocol.ReasonDoorSilent, d.pass(ofLab(), notes, relayFor("")).Stop.Reason)
	}
	require.LessOrEqual(t, d.all["scan"], 2)
	d.odd["scan"] = ""
	require.Contains(t, d.pass(ofLab(), notes, relayFor("")).Stop.Detail, "say under realm: of this door")
	require.True(t, d.pass(ofLab(), notes, relayFor("example.org")).Dead(), "as a person says")
}
