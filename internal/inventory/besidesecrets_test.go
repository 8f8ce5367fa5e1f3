package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
)

// withCluster lists the accounts of the real directory beside a cluster with a
// role of the name of one of them.
func withCluster(t *testing.T, c *config.Campaign) *credential.Roll {
	t.Helper()
	db := cluster{roles: map[string]authority.Account{
		"alice":    {Subject: "16384", Name: "alice", Short: "alice", Names: []string{"alice"}},
		"reports":  {Subject: "16385", Name: "reports", Short: "reports", Names: []string{"reports"}},
		"rollcall": {Subject: "16386", Name: "rollcall", Short: "rollcall", Names: []string{"rollcall"}},
	}}
	c.Directories["corp"] = corp()
	c.Systems = config.Systems{"appdb": settings.Cluster{
		Servers: db.Servers(), Bind: []authority.Login{{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}},
	}}
	at := Authorities{Directories: openDirectory(t, corp()), Systems: map[string]authority.Finder{"appdb": db}}
	roll, _, err := List(t.Context(), c, at, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	require.NotContains(t, asJSON(t, roll), "PLANTED")
	return roll
}

// Metadata without a directory means the one directory of the file. A role of a
// cluster in the same file that has the name is held until somebody has said
// which of the two is meant: else its consumers would be cut off.
func TestASecretThatNamesNoDirectoryMayBeARolesToo(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{
		"apps/assumed/one":   {"password": "PLANTED1"},
		"apps/assumed/other": {"password": "PLANTED2", "user": "reports"},
		"apps/assumed/mine":  {"password": "PLANTED3"},
	}))
	meta := func(directory string) {
		require.NoError(t, realVault.SeedMetadata(t.Context(), map[string]map[string]any{"apps/assumed/one": directoryOf(directory)}))
	}
	list := func(rows ...string) *credential.Roll {
		c := campaign()
		c.Sources = []config.Source{
			{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/assumed"},
			{Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte("account,directory,path\n" + strings.Join(rows, "\n") + "\n")},
		}
		return withCluster(t, c)
	}
	role := func(roll *credential.Roll, name string) credential.Credential {
		i := slices.IndexFunc(roll.Credentials, func(c credential.Credential) bool { return c.Authority == "appdb" && c.Name == name })
		require.GreaterOrEqual(t, i, 0)
		return roll.Credentials[i]
	}
	meta("")
	roll := list("alice,appdb,", "reports,appdb,")
	held := role(roll, "alice")
	require.Equal(t, credential.PerhapsIts, held.Problem)
	require.Contains(t, details(roll, held.ID, credential.FindingPlace), "directory: appdb")
	require.Equal(t, credential.PerhapsIts, role(roll, "reports").Problem, "a user name beside a password, where nothing names an authority")
	require.Empty(t, byName(roll)[slapd.AccountDN("alice")].Problem)

	meta("corp")
	require.Empty(t, role(list("alice,appdb,"), "alice").Problem, "the directory is named")
	meta("")
	has := list("alice,appdb,kv/apps/assumed/mine#password")
	require.Empty(t, role(has, "alice").Problem)
	require.True(t, slices.ContainsFunc(has.Warnings, func(w Warning) bool {
		return w.Code == credential.FindingFieldBeside && strings.Contains(w.Detail, "kv/apps/assumed/one")
	}), "it has another path: exit code 2")
	row := list("alice,,kv/apps/assumed/one#password", "alice,appdb,")
	require.Equal(t, credential.PerhapsIts, role(row, "alice").Problem, "a row that names no authority")
}

func directoryOf(name string) map[string]any {
	if name == "" {
		return map[string]any{"account": "alice"}
	}
	return map[string]any{"account": "alice", "directory": name}
}

// What lies beside the field that a row or a confirm names is asked about as
// what lies beside one that metadata names.
func TestWhatLiesBesideTheFieldOfARowIsAskedAbout(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{
		"rows/all":   {"alice": "PLANTED1", "bob_password": "PLANTED2", "db_user": "reports", "db_pw": "PLANTED3"},
		"rows/mine":  {"password": "PLANTED4"},
		"apps/row/a": {"alice": "PLANTED5", "bob": "PLANTED6"}, // without metadata, below the source's prefix
	}))
	list := func(source config.Source, rows string, change func(*config.Campaign)) *credential.Roll {
		c := campaign()
		c.Sources = []config.Source{source, {Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte("account,directory,path\n" + rows)}}
		change(c)
		return withCluster(t, c)
	}
	everybody := config.Source{Name: "ldap", Type: config.FromLDAP, Directory: "corp", Filter: "(|(uid=alice)(uid=bob))"}
	nothing := func(*config.Campaign) {}
	bob := func(roll *credential.Roll) credential.Credential { return byName(roll)[slapd.AccountDN("bob")] }

	roll := list(everybody, "alice,corp,kv/rows/all#alice\nreports,appdb,\n", nothing)
	require.Equal(t, credential.PerhapsIts, bob(roll).Problem)
	require.Contains(t, details(roll, bob(roll).ID, credential.FindingPlace), "kv/rows/all#bob_password")
	i := slices.IndexFunc(roll.Credentials, func(c credential.Credential) bool { return c.Name == "reports" })
	require.Equal(t, credential.PerhapsIts, roll.Credentials[i].Problem, "a user beside, of another authority than the row's")

	confirm := func(c *config.Campaign) {
		c.Confirm = []config.Confirm{{Account: slapd.AccountDN("alice"), Path: credential.Path{Mount: "kv", Path: "rows/all", Field: "alice"}, Reason: "asked"}}
	}
	require.Equal(t, credential.PerhapsIts, bob(list(everybody, "alice,corp,\n", confirm)).Problem)

	roll = list(everybody, "alice,corp,kv/rows/all#alice\nbob,corp,kv/rows/mine#password\n", nothing)
	require.Empty(t, bob(roll).Problem)
	require.True(t, slices.ContainsFunc(roll.Warnings, func(w Warning) bool { return w.Code == credential.FindingFieldBeside }))

	roll = list(everybody, "alice,corp,kv/rows/all#alice\nbob,corp,kv/rows/all#bob_password\n", nothing)
	require.Empty(t, bob(roll).Problem)
	require.False(t, slices.ContainsFunc(roll.Warnings, func(w Warning) bool { return w.Code == credential.FindingFieldBeside }))

	kv := config.Source{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/row"}
	roll = list(kv, "alice,corp,kv/apps/row/a#alice\nbob,corp,\n", nothing)
	require.Equal(t, credential.PerhapsIts, bob(roll).Problem, "a secret that says nothing of itself, and of which a row names a field")
}

// A credential of a roll's secret that nobody rotates is a forgotten one: exit
// code 2, until it is listed, left out or accepted, once.
func TestACredentialBesideThatNobodyAnswersForIsExitCode2(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{
		"forgot/mail": {"password": "p", "user": "alice", "host": "h", "smtp_url": "smtp://esg:PLANTED@mail", "connection_string": "Server=db;Uid=x;Pwd=PLANTED",
			"snmp_community": "PLANTED", "jdbc": "jdbc:postgresql://db/x?user=a&password=PLANTED", "more": map[string]any{"api_key": "PLANTED"}, "web url": "https://u:PLANTED@h/"},
		"forgot/env":  {"env": "LDAP_PASSWORD=PLANTEDPLANTED\nAPI_KEY=PLANTED\n"},
		"forgot/task": {"secret": "PLANTEDPLANTED", "snmp_community": "PLANTED"},
		"forgot/calm": {"password": "p", "user": "bob", "url": "https://h/", "smtp_auth": "LOGIN", "tls_key": "/etc/esg/tls.key", "password_length": "12", "auth": ""},
	}))
	list := func(change func(*config.Campaign)) (others []string, roll *credential.Roll) {
		c := campaign()
		c.Directories["corp"] = corp()
		c.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "list.yaml", Content: []byte(`
- {account: alice, path: kv/forgot/mail#password}
- {account: carol, path: kv/forgot/env#env}
- {account: bob, path: kv/forgot/calm#password}
- {kind: shared-secret, name: radius, owner: userpass/a, due: 8h, ends: a; b, path: kv/forgot/task#secret}
`)}}
		change(c)
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
		require.NoError(t, err)
		require.NotContains(t, asJSON(t, roll), "PLANTED")
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingOtherSecrets {
				require.True(t, w.Code.Incomplete())
				others = append(others, w.Detail)
			}
		}
		return others, roll
	}
	others, _ := list(func(*config.Campaign) {})
	require.Len(t, others, 3)
	require.Contains(t, others[0], "kv/forgot/env holds more")
	require.Contains(t, others[0], ": env (of env one password is rotated, and more is in there).")
	require.Contains(t, others[1], "kv/forgot/mail holds more")
	require.Contains(t, others[1], ": connection_string, jdbc, more, smtp_url, snmp_community, web url.")
	require.Contains(t, others[2], "kv/forgot/task holds more")
	require.Contains(t, others[2], ": snmp_community.")
	require.Contains(t, others[0], `accept: - {vault: "kv/forgot/env#env", on: TIME`)
	require.Contains(t, others[1], `exclude: - {path: "kv/forgot/mail#connection_string"`)
	require.Contains(t, others[1], `accept: - {vault: "kv/forgot/mail#web url", on: TIME`)

	others, roll := list(func(c *config.Campaign) {
		for _, f := range []string{"mail#connection_string", "mail#jdbc", "mail#more", "mail#smtp_url", "mail#snmp_community", "task#snmp_community"} {
			c.Exclude = append(c.Exclude, config.Exclude{Path: "kv/forgot/" + f, Reason: "the test system's"})
		}
		for _, f := range []string{"mail#web url", "env#env"} { // not a name that exclude takes; a part of a field
			c.Accept = append(c.Accept, config.Accept{Vault: "kv/forgot/" + f, On: time.Now().Add(-time.Minute), Reason: "looked"})
		}
	})
	require.Empty(t, others)
	require.False(t, slices.ContainsFunc(roll.Warnings, func(w Warning) bool { return w.Code == credential.FindingExcludeNothing }), "%v", roll.Warnings)
}
