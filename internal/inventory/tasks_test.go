package inventory

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/profile"
	"rollcall/internal/vault/ownmount"
)

const taskRows = `
- kind: shared-secret
  name: RADIUS secret
  line: radius-secret
  owner: userpass/alice
  due: 8h
  ends:
    - new gateway
    - {name: NPS at hq, owner: bob}
- {kind: purge, name: old backups, line: old-backups, owner: carol, due: 2026-12-05, make: false, note: tapes too}
- {kind: cloud-account, name: Cloud Control, line: cloud-control, owner: carol, due: "2026-12-01T08:00:00Z"}
`

func taskCampaign(t *testing.T, file, rows string) *config.Campaign {
	c := &config.Campaign{Device: "ESG-01", Vault: config.Vault{Mount: "rollcall", Adopt: "kv/a/{directory}/{account}#password", HandOver: "kv/h/{directory}/{account}#password"}}
	c.Sources = []config.Source{{Name: "people", Type: config.Manifest, File: file, Content: []byte(rows)}}
	return withProfile(t, c)
}

var listedAt = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func listTasks(t *testing.T, c *config.Campaign) (*credential.Roll, error) {
	t.Helper()
	roll, _, err := List(t.Context(), c, Authorities{}, emptyVault{}, "esg-01-1", listedAt)
	return roll, err
}

func TestRowsOfAManifestSayWhatOnlyAPersonCanDo(t *testing.T) {
	c := taskCampaign(t, "tasks.yaml", taskRows)
	for i := range c.Profile.Lines {
		l := &c.Profile.Lines[i]
		switch l.Kind {
		case credential.Content:
			if l.ID != "old-backups" && strings.Contains(l.What, "backups") {
				l.ID = "old-backups"
			}
		case credential.SharedSecret:
			if strings.Contains(l.What, "RADIUS") {
				l.ID = "radius-secret"
			}
		}
	}
	roll, err := listTasks(t, c)
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 3)
	byName := map[string]credential.Credential{}
	for _, r := range roll.Credentials {
		byName[r.Name] = r
		require.Equal(t, "person", r.Authority)
		require.True(t, roll.Waves[r.Wave].Tasks)
		require.Equal(t, len(roll.Waves)-1, r.Wave)
		require.Empty(t, r.Paths)
		require.Nil(t, r.Spare)
		require.Empty(t, r.Problem)
	}
	radius := byName["RADIUS secret"]
	require.Equal(t, "person/esg-01/radius_secret", radius.ID)
	require.Equal(t, []credential.TaskEnd{{Name: "new gateway", Owner: "userpass/alice"}, {Name: "NPS at hq", Owner: "bob"}}, radius.Task.Ends)
	require.Equal(t, []string{"userpass/alice", "bob"}, radius.Task.Owners())
	require.True(t, radius.Task.Make, "a shared secret is made where nothing says otherwise")
	require.Equal(t, listedAt.Add(8*time.Hour), radius.Task.Due)
	require.Equal(t, []credential.LineRef{{Line: "radius-secret", By: credential.ByManifest}}, radius.Lines)
	require.Contains(t, radius.Task.Do[0], "RADIUS")
	backups := byName["old backups"]
	require.False(t, backups.Task.Make)
	require.Equal(t, itself, backups.Task.Ends[0].Name)
	require.Equal(t, "tapes too", backups.Task.Do[len(backups.Task.Do)-1])
	require.Equal(t, time.Date(2026, 12, 5, 23, 59, 59, 0, time.UTC), backups.Task.Due)
	cloud := byName["Cloud Control"]
	require.Equal(t, []string{itself, "users of Cloud Control and their second factors", "its connectors to LDAP or Entra", "API keys"}, endNames(cloud.Task.Ends))

	// They answer their lines.
	acc := profile.Account(c.Profile, nil, "answers.yaml", nil, roll.Credentials, listedAt)
	answered := map[string]credential.Answer{}
	for _, l := range acc.Lines {
		answered[l.Line] = l.Answer
	}
	require.Equal(t, credential.Covered, answered["cloud-control"])
	require.Equal(t, credential.Covered, answered["radius-secret"])
}

func TestARowOfATaskMeansTheSameAsCSV(t *testing.T) {
	c := taskCampaign(t, "", "")
	text := "kind,name,line,owner,due,ends,make,note\n" +
		"shared-secret,RADIUS secret,,userpass/alice,8h,new gateway; NPS at hq = bob,,\n" +
		"purge,old backups,,carol,2026-12-05,,no,tapes too\n"
	asCSV, err := read(c, "t.csv", text)
	require.NoError(t, err)
	asYAML, err := read(c, "t.yaml", strings.ReplaceAll(strings.ReplaceAll(taskRows, "  line: radius-secret\n", ""), "line: old-backups, ", ""))
	require.NoError(t, err)
	for i := range asCSV {
		require.Equal(t, asYAML[i].Task, asCSV[i].Task)
		require.Equal(t, asYAML[i].Account, asCSV[i].Account)
	}
}

func TestMistakesInRowsOfTasksAreToldWithTheirLines(t *testing.T) {
	c := taskCampaign(t, "", "")
	c.Directories = map[string]config.Directory{"corp": {Driver: config.OpenLDAP, Base: base}}
	c.Doors = map[string]door.Settings{"mail": {}, "relay": {}}
	for row, want := range map[string]string{
		"{kind: shared-secret, name: a, due: 8h}":                                                    "owner: missing",
		"{kind: shared-secret, name: a, owner: alice}":                                               "due: missing",
		"{kind: shared-secret, owner: alice, due: 8h}":                                               "name: missing",
		"{kind: shared-secret, name: ../x, owner: alice, due: 8h}":                                   "name: must be 1 to 64",
		"{kind: shared-secret, name: a, owner: alice, due: tomorrow}":                                "due: must be a time",
		"{kind: shared-secret, name: a, owner: alice, due: -3h}":                                     "due: must be from a minute to a year",
		"{kind: shared-secret, name: a, owner: alice, due: 9999d}":                                   "due: must be a time",
		"{kind: shared-secret, name: a, owner: 'a b', due: 8h}":                                      "owner: must be the name of an entity",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, make: perhaps}":                       "make: must be true or false",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, path: PLANTED}":                       "path: must be a Vault reference, mount/path#field: where Vault holds the value",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, path: rollcall/staging/x#value}":      "path: lies on Rollcall's own mount",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, doors: nowhere}":                      "m.yaml:1: doors: nowhere is not in the campaign file, which has: mail, relay",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, doors: mail; mail}":                   "doors: the same door is named twice",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, doors: mail = moon}":                  "doors: the task has no such end; it has: itself",
		"{account: x, doors: mail = itself}":                                                         "doors: an end belongs to what a person does",
		"{account: x, login: y}":                                                                     "login: belongs to what a person does",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, account: PLANTED}":                    "account: leave it out",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, directory: corp}":                     "directory: leave it out",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, ends: [x, X]}":                        "ends: the same end is named twice",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, ends: []}":                            "ends: names none",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, ends: [{owner: bob}]}":                "ends: one has no name",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, ends: [{name: b, who: c}]}":           "ends: an end has name and owner",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, line: cloud-contrl}":                  "did you mean cloud-control?",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, note: 'https://a:PLANTED@x'}":         "an address with a login in it",
		"{kind: shared-secret, name: a, owner: alice, due: 8h, password: PLANTED}":                   "a column for secrets is refused",
		"{kind: by-hnd, name: a, owner: alice, due: 8h}":                                             "kind: must be",
		"{account: x, owner: alice}":                                                                 "owner: belongs to what a person does",
		"{kind: purge, name: a, owner: alice, due: 8h}\n- {kind: purge, name: A, owner: b, due: 8h}": "m.yaml:2: name: the row on line 1 has this name already",
	} {
		_, err := read(c, "m.yaml", "- "+row+"\n")
		var bad *config.Errors
		require.True(t, errors.As(err, &bad), "%s: %v", row, err)
		require.ErrorContains(t, err, want, row)
		require.ErrorContains(t, err, "m.yaml:", row)
		require.NotContains(t, err.Error(), "PLANTED", row)
	}
}

// What is done at the device that was stolen from is done for the thief.
func TestNoEndIsAtAnAddressOfTheDevice(t *testing.T) {
	c := taskCampaign(t, "", "")
	c.Containment = &config.Containment{Addresses: []string{"192.0.2.10", "esg-01.example.org"}}
	for end, bad := range map[string]bool{"192.0.2.10": true, "the box (https://192.0.2.10:8000/)": true, "ESG-01.example.org": true, "192.0.2.100": false, "esg-02.example.org": false, "NPS": false} {
		_, err := read(c, "m.yaml", "- {kind: shared-secret, name: a, owner: alice, due: 8h, ends: ['"+end+"']}\n")
		if !bad {
			require.NoError(t, err, end)
			continue
		}
		require.ErrorContains(t, err, "m.yaml:1: ends: points at", end)
	}
}

// Two manifests may not mean two things by one name.
func TestTwoTasksOfOneNameAreRefusedAcrossManifests(t *testing.T) {
	c := taskCampaign(t, "a.yaml", "- {kind: purge, name: Old backups, owner: a, due: 8h}\n")
	c.Sources = append(c.Sources, config.Source{Name: "more", Type: config.Manifest, File: "b.yaml", Content: []byte("\n- {kind: purge, name: old backups, owner: a, due: 8h}\n")})
	_, err := listTasks(t, c)
	require.ErrorContains(t, err, "b.yaml:2: name: a.yaml:1 names a task of this name already; nothing was listed")
}

// A task that is open is not done because its row is gone: a person names it
// again, or leaves it out with a reason.
func TestATaskThatWasLeftOpenStaysOnTheRollWithoutItsRow(t *testing.T) {
	c := taskCampaign(t, "a.yaml", "- {kind: purge, name: Old backups, owner: a, due: 8h}\n")
	was := credential.Credential{ID: "person/esg-01/console", Kind: credential.LocalAccountByHand, Authority: "person", Subject: "esg-01/console", Name: "Console",
		Reasons: []credential.Reason{{Source: "people", Type: config.Manifest, Detail: "a.yaml:2"}}, Task: &credential.Task{Ends: []credential.TaskEnd{{Name: itself, Owner: "a"}}, Due: listedAt}}
	list := func() *credential.Roll {
		l := &lister{c: c, vault: emptyVault{}, hints: map[reference]string{}}
		for _, s := range c.Sources {
			require.NoError(t, l.manifest(t.Context(), s))
		}
		last := ownmount.LastRoll{Campaign: "esg-01-0", Credentials: []credential.Credential{was}, Dead: map[string]bool{}}
		l.past.last = &last
		l.past.choose(c)
		roll := &credential.Roll{Findings: map[string][]credential.Finding{}}
		l.addTasks(roll, listedAt)
		return roll
	}
	roll := list()
	require.Len(t, roll.Credentials, 2)
	require.Equal(t, credential.NotNamed, roll.Credentials[0].Problem)
	require.Equal(t, credential.FindingNotNamed, roll.Findings[was.ID][0].Code)
	c.Exclude = []config.Exclude{{Account: "console", Reason: "it went with the box"}}
	require.Len(t, list().Credentials, 1)
	require.Equal(t, "it went with the box", list().Excluded[0].Reason)
	before := &lister{c: c, vault: emptyVault{}, past: past{tasks: []kept{{Credential: was, campaign: "esg-01-0", staged: true}}, leftovers: []ownmount.Leftover{{ID: was.ID, Campaign: "esg-01-0"}}}}
	before.addTasks(&credential.Roll{Findings: map[string][]credential.Finding{}}, listedAt)
	require.Len(t, before.warnings, 1, "what was handed over of it is said")
	require.Equal(t, credential.FindingTakenFromPeople, before.warnings[0].Code)
	require.False(t, before.warnings[0].Code.Incomplete())
	c.Exclude = []config.Exclude{{Campaign: "esg-01-0", Reason: "all of them"}}
	require.Len(t, list().Excluded, 1)
	// The campaign after that one: it is a task still, while it is left out and
	// when it is not any more.
	l := &lister{c: c, vault: emptyVault{}, past: past{last: &ownmount.LastRoll{Campaign: "esg-01-1", Excluded: list().Excluded, Dead: map[string]bool{}}}}
	l.past.choose(c)
	require.Empty(t, l.past.kept, "it is no account")
	for excluded := range 2 {
		roll := &credential.Roll{Findings: map[string][]credential.Finding{}}
		l.addTasks(roll, listedAt)
		require.Len(t, roll.Excluded, 1-excluded)
		if c.Exclude = nil; excluded == 1 {
			require.Equal(t, credential.NotNamed, roll.Credentials[0].Problem)
			require.True(t, roll.Credentials[0].Kind.ByHand())
			require.Equal(t, was.ID, roll.Credentials[0].ID)
		}
	}
	c.Exclude, c.Sources[0].Content = nil, append(c.Sources[0].Content, "- {kind: local-account, name: CONSOLE, owner: b, due: 1d}\n"...)
	require.Empty(t, list().Credentials[0].Problem, "it is named again")
}

func TestWhateverStandsInARowOfATaskNothingBreaks(t *testing.T) {
	c := taskCampaign(t, "", "")
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringN(0, 12, 40)
		quoted := func(name string) string { return `"` + strings.ReplaceAll(cell.Draw(t, name), `"`, `""`) + `"` }
		text := "kind,name,owner,due,ends,make\nshared-secret"
		for _, column := range []string{"name", "owner", "due", "ends", "make"} {
			text += "," + quoted(column)
		}
		got, err := read(c, "m.csv", text+"\n")
		if err != nil {
			return
		}
		for _, cand := range got {
			if cand.Task == nil || len(cand.Task.Ends) == 0 || cand.Account == "" || cand.Task.Due.IsZero() == (cand.Task.Within == 0) {
				t.Fatalf("%+v", cand)
			}
			for _, e := range cand.Task.Ends {
				if e.Name == "" || e.Owner == "" {
					t.Fatalf("%+v", cand.Task)
				}
			}
		}
	})
}

// What accounts are called is kept where people have tasks, of what is left out
// too: whoever stole a password may come in as a person by it.
func TestWhatAccountsAreCalledIsKeptForPeoplesTasks(t *testing.T) {
	t.Parallel()
	c := campaign()
	a := Account{Subject: "id-1", Name: "cn=Oscar M,dc=example,dc=org", Short: "oscar", Logins: []string{"oscar", "oscar.m@ad.example.org"}}
	b := Account{Subject: "id-2", Name: "uid=trent,dc=example,dc=org", Short: "trent", Logins: []string{"trent"}}
	found := []Candidate{{Kind: credential.LDAPPassword, Authority: "corp", Account: "oscar", Found: &a}, {Kind: credential.LDAPPassword, Authority: "corp", Account: "trent", Found: &b}}
	c.Exclude = []config.Exclude{{Account: "trent", Reason: "it stays"}}
	known := accounts{refTo(c, "corp", "trent"): {b}, refTo(c, "corp", "oscar"): {a}}
	for _, tasks := range []bool{false, true} {
		roll, _, err := mergeAll(c, found, known, nil, unfound{tasks: tasks})
		require.NoError(t, err)
		require.Len(t, roll.Credentials, 1)
		require.Len(t, roll.Excluded, 1)
		if !tasks {
			require.Empty(t, roll.Credentials[0].Names, "which costs room on each page")
			require.Empty(t, roll.Excluded[0].Names)
			continue
		}
		require.ElementsMatch(t, []string{"oscar", "oscar.m", "oscar m", "oscar.m@ad.example.org"}, roll.Credentials[0].AccountNames())
		require.Equal(t, []string{"trent"}, roll.Excluded[0].Names)
	}
	l := &lister{c: c, vault: emptyVault{}, tasks: []credential.Credential{{ID: "person/esg-01/x", Task: &credential.Task{Ends: []credential.TaskEnd{{Name: "x", Owner: "corp/oscar@example.org"}}}}}}
	c.Accept = []config.Accept{{Vault: "auth/corp/oscar@example.org", Reason: "her own"}, {Vault: "sys/policies/x", Reason: "-"}}
	roll := &credential.Roll{Findings: map[string][]credential.Finding{}}
	l.addTasks(roll, listedAt)
	require.Equal(t, []string{"corp/oscar@example.org"}, roll.PeoplesOwn)
	require.Len(t, l.warnings, 1)
	require.Equal(t, credential.FindingAccepted, l.warnings[0].Code)
}
