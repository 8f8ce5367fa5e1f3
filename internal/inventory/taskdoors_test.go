package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/vault"
)

func withDoors(c *config.Campaign) *config.Campaign {
	c.Doors = map[string]door.Settings{
		"mail":  {Type: "imaps", Login: "{account}@example.org", For: []door.Match{{Directory: "corp"}}},
		"nas":   {Type: "ssh", Login: "{account}"},
		"proxy": {Type: "https", Login: "{account}", For: []door.Match{{Kind: credential.SecretByHand, End: "gateway"}}},
	}
	return c
}

// Whoever had the device may have written a secret's metadata. It adds doors
// that the file has, and takes none away.
func TestASourceAddsDoorsOfTheCampaignFileAndTakesNoneAway(t *testing.T) {
	c := withDoors(&config.Campaign{Directories: map[string]config.Directory{"corp": {Driver: config.OpenLDAP}}})
	account := credential.Credential{Kind: credential.LDAPPassword, Authority: "corp"}
	for text, want := range map[string]struct {
		doors   []string
		unknown int
	}{
		"":                         {[]string{"mail"}, 0},
		"nas":                      {[]string{"mail", "nas"}, 0},
		"nas, mail;nas":            {[]string{"mail", "nas"}, 0},
		"-mail !mail none":         {[]string{"mail"}, 3},
		"a b c d e f g":            {[]string{"mail"}, mostUnknownDoors},
		"smtp://192.0.2.10:25 NAS": {[]string{"mail"}, 2},
	} {
		cand := fromMetadata(c, config.Source{Type: config.VaultKV}, vault.SecretMeta{Mount: "kv", Path: "a", Custom: map[string]string{"account": "a", "doors": text}})
		d := &draft{}
		d.takeDoors(cand)
		var names []string
		for _, l := range doorsOf(c, account, d.doors, "svc", "uid=svc") {
			names = append(names, l.Door)
		}
		require.Equal(t, want.doors, names, text)
		require.Len(t, d.findings, want.unknown, text)
	}
	var got []Candidate
	require.NoError(t, manifest(c, config.Source{Name: "l", Type: config.Manifest, File: "m.csv", Content: []byte("account,doors\nuid=a,nas; proxy\n")}, func(f Candidate) { got = append(got, f) }))
	require.Equal(t, []credential.DoorLogin{{Door: "mail", Login: "a@example.org"}, {Door: "nas", Login: "a"}, {Door: "proxy", Login: "a"}}, doorsOf(c, account, got[0].Doors, "a", "uid=a"))
}

// What a person changes is asked at doors where Vault has a value of it.
func TestWhatAPersonDoesHasDoorsWhereVaultHasItsValue(t *testing.T) {
	c := withDoors(&config.Campaign{Device: "esg-01"})
	rows := `
- {kind: local-account, name: nas backup, login: backup, owner: a, due: 8h, path: kv/nas#password, make: false, doors: nas}
- {kind: shared-secret, name: radius, owner: a, due: 8h, ends: [gateway, NPS], doors: nas = nps}
- {kind: api-key, name: key, owner: a, due: 8h, doors: nas}
- {kind: shared-secret, name: other, owner: a, due: 8h}
`
	l := &lister{c: c, vault: emptyVault{}, hints: map[reference]string{}}
	require.NoError(t, l.manifest(t.Context(), config.Source{Name: "people", Type: config.Manifest, File: "m.yaml", Content: []byte(rows)}))
	// An earlier campaign left it open, with what it took for stolen.
	before := credential.StolenVersion{Version: 3, Written: listedAt}
	l.past.tasks = []kept{{Credential: credential.Credential{ID: "person/esg-01/nas_backup", Name: "nas backup",
		Task: &credential.Task{At: &credential.Path{Mount: "kv", Path: "nas", Field: "password"}, Stolen: []credential.StolenVersion{before}}}}}
	roll := &credential.Roll{Findings: map[string][]credential.Finding{}}
	l.addTasks(roll, listedAt)
	by := map[string]credential.Credential{}
	for _, k := range roll.Credentials {
		by[k.Name] = k
	}
	require.Equal(t, []credential.DoorLogin{{Door: "nas", Login: "backup"}}, by["nas backup"].Doors)
	require.Equal(t, []credential.StolenVersion{before}, by["nas backup"].Task.Stolen)
	require.Contains(t, by["nas backup"].Task.Do[0], "write the new value to kv/nas#password before you say that it is done")
	require.Equal(t, []credential.DoorLogin{{Door: "nas", Login: "radius", End: "NPS"}, {Door: "proxy", Login: "radius", End: "gateway"}}, by["radius"].Doors)
	require.Empty(t, by["key"].Doors, "no value of it is in Vault")
	require.Equal(t, credential.FindingDoorsShowLess, roll.Findings[by["key"].ID][0].Code)
	require.Empty(t, by["other"].Doors)
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "nas", Field: "password"}}, by["nas backup"].Places(), "who could read there would read the new value")
}

// A mistyped match means a door that is never asked.
func TestAMatchOfADoorThatTakesNothingIsTold(t *testing.T) {
	c := withDoors(&config.Campaign{Device: "esg-01"})
	nas := c.Doors["nas"]
	nas.For = []door.Match{{Account: "rad*"}, {Account: "svc-*"}}
	c.Doors["nas"], c.Doors["spare"] = nas, door.Settings{Type: "ssh", Login: "{account}"}
	l := &lister{c: c, vault: emptyVault{}, hints: map[reference]string{}, doorUses: doorUses{}}
	require.NoError(t, l.manifest(t.Context(), config.Source{Name: "people", Type: config.Manifest, File: "m.yaml", Content: []byte("- {kind: shared-secret, name: radius, owner: a, due: 8h, ends: [gateway]}\n")}))
	m := &merger{c: c, lost: unfound{doorUses: l.doorUses}}
	account := &draft{Credential: credential.Credential{Kind: credential.LDAPPassword, Authority: "corp"}, short: "x"}
	m.complete(account)
	require.Len(t, account.Doors, 1)
	roll := &credential.Roll{Findings: map[string][]credential.Finding{}}
	l.addTasks(roll, listedAt)
	l.sayUnmatched(roll)
	var said []string
	for _, w := range l.warnings {
		require.Equal(t, credential.FindingDoorUnmatched, w.Code)
		require.True(t, w.Code.Incomplete())
		said = append(said, w.Detail)
	}
	require.Equal(t, []string{
		"doors.nas.for[1] (account: svc-*) takes no credential of the roll: correct it, or take it out",
		"doors.spare: no row of a manifest and no metadata names it, so it is asked about nothing",
	}, said)
}
