package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/door"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
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
	require.Equal(t, []credential.DoorLogin{{Door: "mail", Login: "a@example.org"}, {Door: "nas", Login: "a", By: credential.DoorByRow}, {Door: "proxy", Login: "a", By: credential.DoorByRow}}, doorsOf(c, account, got[0].Doors, "a", "uid=a"))
}

// What a door kept open stays to be proved there: whoever may write a secret's
// metadata takes no door away from it by the next campaign.
func TestADoorThatAnOpenCredentialHadIsNotForgottenWithWhatNamedIt(t *testing.T) {
	id := "corp/" + uuidOf("alice")
	mail := door.Settings{Type: "imaps", Login: "{account}"}
	tagged := mail
	tagged.For = []door.Match{{Line: "relay"}}
	for name, tc := range map[string]struct {
		had   []credential.DoorLogin
		dead  bool
		then  door.Settings
		now   door.Settings
		rows  []config.DoorOf
		want  []string
		finds int
	}{
		"its metadata named it":            {had: []credential.DoorLogin{{Door: "mail", By: credential.DoorByMetadata}}, then: mail, now: mail, want: []string{"mail"}, finds: 1},
		"at each of its addresses":         {had: []credential.DoorLogin{{Door: "mail@192.0.2.7", By: credential.DoorByMetadata}, {Door: "mail@192.0.2.8", By: credential.DoorByMetadata}}, then: mail, now: mail, want: []string{"mail"}, finds: 1},
		"a line of its metadata did":       {had: []credential.DoorLogin{{Door: "mail"}}, then: tagged, now: tagged, want: []string{"mail"}, finds: 1},
		"a person changed what it is for":  {had: []credential.DoorLogin{{Door: "mail"}}, then: tagged, now: mail},
		"a person took its row away":       {had: []credential.DoorLogin{{Door: "mail", By: credential.DoorByRow}}, then: mail, now: mail},
		"a person says which doors it has": {had: []credential.DoorLogin{{Door: "mail", By: credential.DoorByMetadata}}, then: mail, now: mail, rows: []config.DoorOf{{Door: "nas", By: credential.DoorByRow}}, want: []string{"nas"}},
		"it is named still":                {had: []credential.DoorLogin{{Door: "mail", By: credential.DoorByMetadata}}, then: mail, now: mail, rows: []config.DoorOf{{Door: "mail", By: credential.DoorByMetadata}}, want: []string{"mail"}},
		"it was proved dead":               {had: []credential.DoorLogin{{Door: "mail", By: credential.DoorByMetadata}}, dead: true, then: mail, now: mail},
		"the file has no such door":        {had: []credential.DoorLogin{{Door: "gone", By: credential.DoorByMetadata}}, then: mail, now: mail},
	} {
		t.Run(name, func(t *testing.T) {
			c := campaign()
			c.Doors = map[string]door.Settings{"mail": tc.now, "nas": {Type: "ssh", Login: "{account}"}}
			last := &ownmount.LastRoll{Campaign: "c1", Credentials: []credential.Credential{{ID: id, Doors: tc.had}}, Dead: map[string]bool{id: tc.dead}, Doors: map[string]door.Settings{"mail": tc.then}}
			alice := from(t, "kv alice kv/apps/a#password")
			alice.Doors = tc.rows
			roll, _, err := mergeAll(c, []Candidate{alice}, people(), nil, unfound{past: past{last: last}})
			require.NoError(t, err)
			var names []string
			for _, d := range byName(roll)[person("alice").Name].Doors {
				names = append(names, d.Door)
				require.Equal(t, "alice", d.Login)
			}
			require.Equal(t, tc.want, names)
			require.Len(t, roll.Findings[id], tc.finds)
		})
	}
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
	require.Equal(t, []credential.DoorLogin{{Door: "nas", Login: "backup", By: credential.DoorByRow}}, by["nas backup"].Doors)
	require.Equal(t, []credential.StolenVersion{before}, by["nas backup"].Task.Stolen)
	require.Contains(t, by["nas backup"].Task.Do[0], "write the new value to kv/nas#password before you say that it is done")
	require.Equal(t, []credential.DoorLogin{{Door: "nas", Login: "radius", End: "NPS", By: credential.DoorByRow}, {Door: "proxy", Login: "radius", End: "gateway"}}, by["radius"].Doors)
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

// A secret that lies where the device's do, and that a row of what a person
// does names, is that task's and nobody else's.
func TestASecretThatARowOfAPersonNamesHasAnOwner(t *testing.T) {
	row := credential.Credential{ID: "person/esg-01/nas", Name: "nas", Subject: "esg-01/nas", Authority: credential.PersonAuthority, Kind: credential.SecretByHand,
		Reasons: []credential.Reason{{Source: "people", Type: config.Manifest, Detail: "m.yaml:3"}},
		Task:    &credential.Task{Ends: []credential.TaskEnd{{Name: itself, Owner: "a"}}, At: &credential.Path{Mount: "kv", Path: "esg/nas", Field: "password"}}}
	secret := func(account string, any bool, fields ...string) Candidate {
		return Candidate{Kind: credential.LDAPPassword, Authority: "corp", Account: account, AnyField: any, Fields: fields,
			Path: &credential.Path{Mount: "kv", Path: "esg/nas", Field: "password"}, Reason: credential.Reason{Source: "kv", Type: config.VaultKV, Detail: "kv/esg/nas"}}
	}
	for name, tc := range map[string]struct {
		found Candidate
		want  map[string]credential.Problem // of others than the task
	}{
		"it says nothing of itself":     {secret("", true, "host", "password"), nil},
		"it names the field alone":      {secret("", false, "api_key", "password"), nil},
		"it has more that is a secret":  {secret("", true, "api_key", "password"), map[string]credential.Problem{"kv/esg/nas#password": credential.NoOwner}},
		"what it holds is not shown":    {secret("", true), map[string]credential.Problem{"kv/esg/nas#password": credential.NoOwner}},
		"it is said to be an account's": {secret("alice", false, "password"), map[string]credential.Problem{person("alice").Name: credential.SharedPath}},
		"it lies beside what a row says": {func() Candidate {
			c := secret("", false, "other")
			c.Path = &credential.Path{Mount: "kv", Path: "esg/nas", Field: "other"}
			return c
		}(), map[string]credential.Problem{"kv/esg/nas#other": credential.NoOwner}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lister{c: campaign(), vault: emptyVault{}, hints: map[reference]string{}, tasks: []credential.Credential{row}, candidates: []Candidate{tc.found}}
			require.NoError(t, l.cutPaths(t.Context()))
			roll, _, err := mergeAll(l.withoutTasks(), l.withoutTasksPlaces(), people(), nil, unfound{})
			require.NoError(t, err)
			l.addTasks(roll, listedAt)
			sharedWithTasks(roll)
			got := map[string]credential.Problem{}
			for _, c := range roll.Credentials {
				if c.Task == nil {
					got[c.Name] = c.Problem
				}
			}
			if len(tc.want) == 0 {
				require.Empty(t, got)
				return
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// A login to Vault has the doors that name it as one; a match by name alone
// means services of a directory, which commonly have the same name. A token is
// ended, and has none.
func TestLoginsToVaultHaveDoors(t *testing.T) {
	userpassMount(t, "users/doors", map[string]map[string]any{"svc-door": nil})
	write(t, "auth/approle/role/svc-door", map[string]any{"secret_id_num_uses": 3})
	c := campaign()
	c.Sources = []config.Source{
		{Name: "users", Type: config.VaultUserpass, Mount: "users/doors", User: "svc-door"},
		{Name: "roles", Type: config.VaultAppRole, Mount: "approle", Role: "svc-door"},
	}
	c.Doors = map[string]door.Settings{
		"page":   {Type: "https", Login: "{account}", For: []door.Match{{Directory: credential.VaultAuthority}}},
		"second": {Type: "vault", Auth: door.ByAppRole, Login: "7f2c", For: []door.Match{{Kind: credential.AppRoleSecretID, Account: "svc-*"}}},
		"mail":   {Type: "imaps", Login: "{account}", For: []door.Match{{Account: "svc-*"}}},
	}
	roll, warnings := listUserpass(t, c)
	doors := map[string][]credential.DoorLogin{}
	for _, x := range roll.Credentials {
		doors[x.Subject] = x.Doors
		require.Equal(t, x.Kind == credential.AppRoleSecretID, hasFinding(roll, x.ID, credential.FindingLimits), "its logins are counted")
	}
	require.Equal(t, map[string][]credential.DoorLogin{
		"users/doors/svc-door": {{Door: "page", Login: "svc-door"}},
		"approle/svc-door":     {{Door: "page", Login: "svc-door"}, {Door: "second", Login: "7f2c"}},
	}, doors)
	var unmatched []string
	for _, w := range warnings {
		if w.Code == credential.FindingDoorUnmatched {
			unmatched = append(unmatched, w.Detail)
		}
	}
	require.Equal(t, []string{"doors.mail.for[0] (account: svc-*) takes no credential of the roll: correct it, or take it out"}, unmatched)

	var got []Candidate
	rows := config.Source{Name: "l", Type: config.Manifest, File: "m.csv", Content: []byte("kind,account,doors\napprole-secret-id,approle/svc-door,page\n")}
	require.NoError(t, manifest(c, rows, func(f Candidate) { got = append(got, f) }))
	require.Equal(t, []config.DoorOf{{Door: "page", By: credential.DoorByRow}}, got[0].Doors)
	rows.Content = []byte("kind,account,doors\nvault-token,token/abc,page\n")
	require.ErrorContains(t, manifest(c, rows, func(Candidate) {}), "vault-token has no door: Rollcall ends it by its accessor, never reads its value")
}

// Whoever had the device may have written a secret's metadata: it chooses no
// service at which a new value is shown.
func TestMetadataNamesNoDoorThatTheFileDoesNotLeaveToIt(t *testing.T) {
	c := campaign()
	some := []door.Match{{Account: "somebody-else"}}
	c.Doors = map[string]door.Settings{
		"portal":  {Type: "https", Login: "{account}", For: some},
		"printer": {Type: "ftp", Login: "{account}", TLS: door.ClearText},
		"mail":    {Type: "imaps", Login: "{account}"},
		"web":     {Type: "https", Login: "{account}", For: []door.Match{{Directory: "corp"}}},
	}
	cand := from(t, "kv alice kv/apps/alice#password")
	cand.Doors, cand.UnknownDoor = metadataDoors(c, "portal printer mail web")
	roll, _, err := merge(c, []Candidate{cand}, people(), nil)
	require.NoError(t, err)
	got := byName(roll)[person("alice").Name]
	var names []string
	for _, d := range got.Doors {
		names = append(names, d.Door)
	}
	require.Equal(t, []string{"mail", "web"}, names)
	told := details(roll, got.ID, credential.FindingUnknownDoor)
	require.Contains(t, told, "door portal")
	require.Contains(t, told, "door printer")
	require.NotContains(t, told, "door web", "the file itself gives it that one")
}

// What the directory says of an account's addresses is kept for doors that may
// keep each spelling of its name: of another one's address nothing is.
func TestAnAddressOfAnAccountIsAnotherSpellingOfItsLoginName(t *testing.T) {
	c := withDoors(&config.Campaign{Directories: map[string]config.Directory{"corp": {Driver: config.OpenLDAP}}})
	all := []door.Match{{Directory: "corp"}}
	c.Doors = map[string]door.Settings{
		"mail":  {Type: "imaps", Login: "{account}", For: all},
		"relay": {Type: "submission", Login: "{account}@lab.example.org", For: all},
		"page":  {Type: "https", Login: "{account}", For: all},
	}
	a, err := (&lister{c: c}).driver("corp").accountOf(directory.Entry{ID: "1", DN: "uid=scan,dc=lab", Attrs: map[string][]string{
		"uid": {"scan"}, "mail": {"Scan@mail.example.org", "scan@lab.example.org", "printers@example.org"}}})
	require.NoError(t, err)
	m := &merger{c: c, drafts: map[string]*draft{}, lost: unfound{doorUses: doorUses{}}}
	m.matched(Candidate{Authority: "corp", Kind: credential.LDAPPassword}, a)
	d := m.drafts["corp/1"]
	m.complete(d)
	require.Equal(t, []credential.DoorLogin{
		{Door: "mail", Login: "scan"},
		{Door: "page", Login: "scan", Own: []string{"Scan@mail.example.org", "scan@lab.example.org"}},
		{Door: "relay", Login: "scan@lab.example.org", Own: []string{"Scan@mail.example.org"}},
	}, d.Doors)
}
