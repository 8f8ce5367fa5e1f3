package listing

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

func at(path string) credential.Path {
	return credential.Path{Mount: "kv", Path: path, Field: "password"}
}

func acc(name string, paths ...string) credential.Credential {
	c := credential.Credential{ID: "corp/" + name, Kind: credential.LDAPPassword, Authority: "corp", Subject: name, Name: name}
	for _, p := range paths {
		c.Paths = append(c.Paths, at(p))
	}
	return c
}

func nobody(path string) credential.Credential {
	return credential.Credential{ID: "unmatched/kv/" + path, Kind: credential.LDAPPassword, Authority: "corp", Name: path, Problem: credential.NoAccount, Paths: []credential.Path{at(path)}}
}

func rollOf(cs ...credential.Credential) (was []Was) {
	for i, c := range cs {
		was = append(was, Was{credential.Ref{Page: 0, Index: i}, c})
	}
	return was
}

func ref(i int) credential.Ref { return credential.Ref{Page: 0, Index: i} }

func TestASecretOfWhichNoFieldWasKnownIsTakenUpByTheOneThatIsNamedNow(t *testing.T) {
	unknown := nobody("licence")
	unknown.Paths[0].Field = ""
	p := Again("p1", rollOf(unknown), &credential.Roll{Credentials: []credential.Credential{acc("added", "licence")}}, nil, nil)
	require.Equal(t, credential.Refs{ref(0)}, p.Replaced)
	require.Empty(t, p.Gone)
}

func TestListingAgainTakesUpWhatIsOtherAndForgetsNothing(t *testing.T) {
	login := credential.Credential{ID: "vault/approle/a", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/a", Name: "a"}
	other := login
	other.Paths = []credential.Path{at("a")}
	door := acc("door", "d")
	door.Doors = []credential.DoorLogin{{Door: "mail", Login: "door"}}
	later := acc("later", "l")
	later.Doors = []credential.DoorLogin{{Door: "new", Login: "later"}}
	was := rollOf(acc("same", "s"), acc("moved", "m"), nobody("typo"), nobody("licence"), acc("gone", "g"), login, acc("door", "d"), acc("later", "l"))
	same := acc("same", "s")
	same.Reasons = []credential.Reason{{Source: "another"}}
	same.Wave = 3
	p := Again("p1", was, &credential.Roll{
		Credentials: []credential.Credential{same, acc("moved", "m2", "m"), acc("added", "typo"), nobody("licence"), other, door, later},
		Findings:    map[string][]credential.Finding{"corp/added": {{Code: credential.FindingOwner}}},
	}, map[string]bool{"mail": true}, nil)
	require.Equal(t, []ownmount.ProposalItem{
		{Now: acc("moved", "m2", "m"), Old: &credential.Ref{Page: 0, Index: 1}},
		{Now: acc("added", "typo"), Findings: []credential.Finding{{Code: credential.FindingOwner}}},
		{Now: door, Old: &credential.Ref{Page: 0, Index: 6}},
	}, p.Items)
	require.Equal(t, credential.Refs{ref(2)}, p.Replaced, "what it stood for is another's path now")
	require.Equal(t, credential.Refs{ref(4)}, p.Gone)
	require.Equal(t, map[string]string{login.ID: ApartLogin, later.ID: ApartDoor}, p.Apart)
}

func TestAPathThatAnotherGoesOnWithIsNobodyElses(t *testing.T) {
	// b gets a's path and a gets c's; c may be set and goes on with its own.
	was := rollOf(acc("a", "a"), acc("b", "b"), acc("c", "c"), nobody("typo"))
	p := ownmount.Proposal{Items: []ownmount.ProposalItem{
		{Now: acc("a", "c"), Old: &credential.Ref{Index: 0}},
		{Now: acc("b", "a"), Old: &credential.Ref{Index: 1}},
		{Now: acc("d", "typo")},
	}}
	fit, instead := Fits(p, was, []int{0, 1, 2}, credential.Refs{ref(3)})
	require.Equal(t, []int{2}, fit, "a stays, and so b does")
	require.Equal(t, credential.Refs{ref(3)}, instead)
	require.Equal(t, credential.Refs{ref(0), ref(1)}, LeftOf(p, []int{0, 1, 2}, credential.Refs{ref(3)}, fit, instead))

	// Where the typo's wave did not give it up, its path stays its own.
	fit, instead = Fits(p, was, []int{2}, nil)
	require.Empty(t, fit)
	require.Empty(t, instead)
	// One that is new and on the roll by now is not there twice.
	fit, _ = Fits(ownmount.Proposal{Items: []ownmount.ProposalItem{{Now: acc("a", "x")}}}, was, []int{0}, nil)
	require.Empty(t, fit)
}

func TestOfWhatIsTakenUpNoPathHasTwoCredentialsThatHadOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d"}
		paths := rapid.Permutation(names).Draw(t, "now")
		var was []credential.Credential
		var p ownmount.Proposal
		var take []int
		for i, name := range names {
			was = append(was, acc(name, name))
			p.Items = append(p.Items, ownmount.ProposalItem{Now: acc(name, paths[i]), Old: &credential.Ref{Index: i}})
			if rapid.Bool().Draw(t, "given up "+name) {
				take = append(take, i)
			}
		}
		fit, instead := Fits(p, rollOf(was...), take, nil)
		has := map[string]string{}
		for i, c := range was {
			for _, k := range fit {
				if k == i {
					c = p.Items[k].Now
				}
			}
			path := c.Paths[0].String()
			require.Empty(t, has[path], "%s and %s", has[path], c.Name)
			has[path] = c.Name
		}
		require.Empty(t, instead)
		require.Len(t, LeftOf(p, take, nil, fit, instead), len(take)-len(fit), "none is lost")
	})
}

func TestWhatConnectsStaysAsTheCampaignBegan(t *testing.T) {
	begun := &config.Campaign{Device: "esg-01", Sources: []config.Source{{Name: "old"}}, Vault: config.Vault{Mount: "rollcall"}}
	now := &config.Campaign{Device: "esg-01", Sources: []config.Source{{Name: "new"}}, Vault: config.Vault{Mount: "elsewhere"}, Accept: []config.Accept{{Reason: "looked"}}}
	got := AgainSpec(begun, now)
	require.Equal(t, "new", got.Sources[0].Name)
	require.Equal(t, now.Accept, got.Accept)
	require.Equal(t, "rollcall", got.Vault.Mount)
}

// Beside the others it would keep their new values from the other servers.
func TestWhatServersReplicateByIsNotTakenUpBesideTheOthers(t *testing.T) {
	replicates := acc("replicator", "r")
	replicates.Problem = credential.Replicates
	accepted := acc("replicator", "r")
	accepted.Accepted = []credential.Problem{credential.Replicates}
	for had, was := range map[bool][]Was{true: rollOf(replicates), false: nil} {
		p := Again("p1", was, &credential.Roll{Credentials: []credential.Credential{accepted}}, nil, nil)
		require.Empty(t, p.Items)
		require.Equal(t, map[string]string{accepted.ID: ApartLast}, p.Apart)
		require.Len(t, p.Warnings, 1)
		require.Contains(t, p.Warnings[0].Detail, "servers replicate by it")
		require.Equal(t, !had, strings.Contains(p.Warnings[0].Detail, "not on its roll"))
	}
	p := Again("p1", rollOf(accepted), &credential.Roll{Credentials: []credential.Credential{accepted}}, nil, nil)
	require.Empty(t, p.Apart)
	require.Empty(t, ExcludedStays(accepted), "a person may still leave it out")
}

func TestWhatIsNotTakenUpAndWhatTheListingWarnsOfIsSaidOnce(t *testing.T) {
	login := credential.Credential{ID: "vault/approle/nas", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/nas", Name: "nas", ReadsOthers: true}
	told := credential.Finding{Code: credential.FindingReader, Detail: "said at the beginning"}
	missing := credential.Finding{Code: credential.FindingNewSecret, Detail: "nothing is at kv/moved"}
	p := Again("p1", rollOf(acc("same", "s")), &credential.Roll{
		Credentials: []credential.Credential{acc("same", "s"), login}, Warnings: []credential.Finding{told, missing, {Code: credential.FindingServers, Detail: "how they were found"}},
	}, nil, []credential.Finding{told})
	require.Empty(t, p.Items)
	require.Equal(t, map[string]string{login.ID: ApartLogin}, p.Apart)
	require.Len(t, p.Warnings, 3)
	require.NotContains(t, p.Warnings, told)
	require.Contains(t, p.Warnings, missing)
	require.Equal(t, credential.FindingNotTakenUp, p.Warnings[2].Code)
	require.Contains(t, p.Warnings[2].Detail, "vault: nas was listed again, and is not taken up while the campaign runs: "+ApartLogin+", and is not on its roll")
	require.Equal(t, 2, p.Incomplete)

	again := Again("p2", rollOf(acc("same", "s")), &credential.Roll{Credentials: []credential.Credential{acc("same", "s"), login}}, nil, p.Warnings)
	require.Empty(t, again.Warnings)
	require.Zero(t, again.Incomplete)
}

// What somebody else may read by now is said of all of the roll, also of what
// is dead: whoever takes the login up learns what it may have seen.
func TestALoginThatIsFoundIsTakenUpAndWhatItMayHaveReadIsNoted(t *testing.T) {
	const place = "auth/approle/role/nas"
	login := credential.Credential{ID: "vault/approle/nas", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/nas", Name: "nas"}
	readBy := func(c credential.Credential, by ...string) credential.Credential { c.ReadBy = by; return c }
	known := credential.Credential{ID: "vault/approle/a", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/a", Name: "a", Paths: []credential.Path{at("a")}}
	locked := acc("locked", "l")
	locked.Problem = credential.SharedPath
	ended := credential.Credential{ID: "vault/token/t", Kind: credential.VaultToken, Authority: "vault", Subject: "token/t"} // nothing new of it lies anywhere
	was := rollOf(acc("other", "o"), readBy(acc("read", "r"), "token-1"), known, acc("locked", "l"), acc("gone", "g"), readBy(acc("waits", "w"), place), ended)
	now := &credential.Roll{Credentials: []credential.Credential{
		acc("other", "o"), readBy(acc("read", "r"), "token-1", place), readBy(known, place), locked, readBy(acc("waits", "w"), place), login,
	}}
	p := Again("p1", was, now, nil, nil)
	require.Contains(t, p.Items, ownmount.ProposalItem{Now: login})
	require.NotContains(t, p.Apart, login.ID)
	require.Equal(t, credential.Refs{ref(1), ref(2), ref(3), ref(4)}, p.Read, "a login of the roll too, and what nobody looks at any more")

	now.Credentials = now.Credentials[:5]
	require.Empty(t, Again("p2", was, now, nil, nil).Read, "no login is taken up")
	account := acc("read", "r")
	account.Logins = []credential.VaultLogin{{Mount: "ldap", Names: []string{"read"}}}
	now.Credentials = []credential.Credential{account}
	p = Again("p3", was, now, nil, nil)
	require.Empty(t, p.Items, "its new value may be in force already")
	require.Equal(t, ApartLogin, p.Apart[account.ID])
}

// Silence would have a person believe that the others do what he wrote. What
// counts from the listing is the same in each.
func TestATaskThatIsWrittenOtherwiseIsSaidAndWhatToDoInstead(t *testing.T) {
	task := func(change func(*credential.Task)) credential.Credential {
		c := credential.Credential{ID: "people/esg-01/radius", Kind: credential.SecretByHand, Authority: credential.PersonAuthority, Subject: "radius", Name: "radius"}
		c.Task = &credential.Task{Do: []string{"change it"}, Due: time.Date(2026, 12, 5, 8, 0, 0, 0, time.UTC), After: 8 * time.Hour, Ends: []credential.TaskEnd{{Name: "nas", Owner: "people/alice"}}}
		change(c.Task)
		return c
	}
	was := rollOf(task(func(*credential.Task) {}))
	for name, c := range map[string]struct {
		change func(*credential.Task)
		said   bool
	}{
		"listed later":   {func(t *credential.Task) { t.Due = t.Due.Add(time.Hour) }, false},
		"a stolen value": {func(t *credential.Task) { t.Stolen = []credential.StolenVersion{{Version: 1}} }, false},
		"an owner":       {func(t *credential.Task) { t.Ends = []credential.TaskEnd{{Name: "nas", Owner: "people/bob"}} }, true},
		"an end": {func(t *credential.Task) {
			t.Ends = append(t.Ends, credential.TaskEnd{Name: "vpn", Owner: "people/bob"})
		}, true},
		"instructions": {func(t *credential.Task) { t.Do = append(t.Do, "and restart it") }, true},
		"its time":     {func(t *credential.Task) { t.After = 9 * time.Hour }, true},
		"a day":        {func(t *credential.Task) { t.After = 0 }, true},
	} {
		p := Again("p1", was, &credential.Roll{Credentials: []credential.Credential{task(c.change)}}, nil, nil)
		require.Empty(t, p.Items, name)
		require.Equal(t, c.said, p.Apart["people/esg-01/radius"] == ApartTask, name)
		if c.said {
			require.Contains(t, p.Warnings[0].Detail, "`rollcall tasks reassign`", name)
			require.Contains(t, p.Warnings[0].Detail, "run again once it has ended", name)
		}
	}
	fresh := Again("p1", nil, &credential.Roll{Credentials: []credential.Credential{task(func(*credential.Task) {})}}, nil, nil)
	require.Contains(t, fresh.Warnings[0].Detail, "radius was listed again, and is not taken up while the campaign runs: "+ApartTask+", and is not on its roll. Run again once it has ended")
}

func TestWhoMayReadWhatIsTakenUpKeepsItWaiting(t *testing.T) {
	read := acc("read", "r")
	read.ReadBy = []string{"auth/approle/role/nas"}
	p := Again("p1", rollOf(acc("read", "r"), acc("other", "o")), &credential.Roll{Credentials: []credential.Credential{read, acc("other", "o")}}, nil, nil)
	require.Equal(t, []ownmount.ProposalItem{{Now: read, Old: &credential.Ref{}}}, p.Items, "it is other than it was, although it has the same paths")

	// An account that the campaign does not know may read what all of its
	// authority are set to.
	reads := acc("replicates", "p")
	reads.ReadsOthers = true
	nobody := nobody("typo")
	p = Again("p1", rollOf(acc("other", "o"), nobody), &credential.Roll{Credentials: []credential.Credential{acc("other", "o"), acc("added", "a"), nobody, reads}}, nil, nil)
	require.Equal(t, map[string]string{reads.ID: ApartLogin}, p.Apart)
	require.Len(t, p.Items, 2)
	for _, it := range p.Items {
		require.Equal(t, []string{credential.MoreReaders}, it.Now.ReadBy, it.Now.Name)
	}
	// The campaign has it among those that may read: it looks at that itself.
	p = Again("p1", rollOf(acc("other", "o"), reads), &credential.Roll{Credentials: []credential.Credential{acc("other", "o"), reads}}, nil, nil)
	require.Empty(t, p.Items)
	require.Empty(t, p.Apart)

	// By now its password opens Vault.
	opens := acc("other", "o")
	opens.Logins = []credential.VaultLogin{{Mount: "ldap", Names: []string{"other"}}}
	p = Again("p1", rollOf(acc("other", "o")), &credential.Roll{Credentials: []credential.Credential{opens}}, nil, nil)
	require.Equal(t, map[string]string{opens.ID: ApartLogin}, p.Apart)
}

func TestWhoIsOnTheRollForHisNameIsNotGoneWhereNobodyWasAsked(t *testing.T) {
	open, takes := acc("open"), acc("takes", "t")
	open.Problem = credential.SameName
	takes.Alike = []credential.PathVersion{{Path: at("s"), Version: 1}}
	p := Again("p1", rollOf(open, takes, acc("gone", "g")), &credential.Roll{}, nil, nil)
	require.Equal(t, credential.Refs{ref(2)}, p.Gone)
}

// The campaign has rotated it meanwhile: its path is there now, and known.
func TestWhatTheCampaignItselfChangedOfALoginIsNoChangeOfTheListing(t *testing.T) {
	login := credential.Credential{ID: "vault/approle/a", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/a", Name: "a",
		Paths: []credential.Path{at("a")}, Adopted: true}
	rotated := login
	rotated.Adopted, rotated.Named, rotated.Confirmed = false, rotated.Paths, rotated.Paths
	p := Again("p1", rollOf(login), &credential.Roll{Credentials: []credential.Credential{rotated}}, nil, nil)
	require.Empty(t, p.Apart)
	require.Empty(t, p.Warnings)
	rotated.Paths = []credential.Path{at("a"), at("b")}
	p = Again("p1", rollOf(login), &credential.Roll{Credentials: []credential.Credential{rotated}}, nil, nil)
	require.Equal(t, map[string]string{login.ID: ApartLogin}, p.Apart, "it is to be written to another path too")
}

// The rolls of earlier versions do not say which other logins an account has at
// a door, nor that a task's time counts from the listing.
func TestWhatTheRollOfAnEarlierVersionDoesNotSayIsNoChange(t *testing.T) {
	mail := acc("svc", "mail")
	mail.Doors = []credential.DoorLogin{{Door: "mail", Login: "svc"}, {Door: "web", Login: "svc"}}
	task := credential.Credential{ID: "people/esg-01/radius", Kind: credential.SecretByHand, Authority: credential.PersonAuthority, Subject: "radius", Name: "radius",
		Task: &credential.Task{Due: time.Date(2026, 12, 5, 8, 0, 0, 0, time.UTC)}}
	was := rollOf(mail, task)
	now := func(own string, do ...string) *credential.Roll {
		c, again := mail, *task.Task
		c.Doors = []credential.DoorLogin{{Door: "mail", Login: own, Own: []string{"svc@example.org"}}, {Door: "web", Login: "svc"}}
		again.After, again.Due, again.Do = 8*time.Hour, again.Due.Add(time.Hour), do
		other := task
		other.Task = &again
		return &credential.Roll{Credentials: []credential.Credential{c, other}}
	}
	doors := map[string]bool{"mail": true, "web": true}
	p := Again("p1", was, now("svc"), doors, nil)
	require.Empty(t, p.Items)
	require.Empty(t, p.Apart)
	require.Zero(t, p.Incomplete)
	p = Again("p2", was, now("other", "change it"), doors, nil)
	require.Len(t, p.Items, 1, "what both say is compared")
	require.Len(t, p.Apart, 1)
}
