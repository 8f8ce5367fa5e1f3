package inventory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// An account must not get a new value at a path of Rollcall's own while the
// path that its consumers read lies unclaimed on the same roll.
func TestAnAccountIsNotCutOffFromAPathThatMayBeItsOwn(t *testing.T) {
	svc := svc("sales").Name
	other := "uid=svc,ou=plant," + base
	for name, row := range map[string]struct {
		found  []string
		users  []string // of the last one
		except string   // path that the file excludes
		want   string   // of the account
		says   string
	}{
		"the name there means two accounts": {[]string{"ldap " + svc + " -", "kv svc kv/apps/svc#password"}, nil, "",
			svc + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", "kv/apps/svc may be where its password is read"},
		"nothing but a user name there": {[]string{"ldap " + person("alice").Name + " -", "kv - kv/apps/a#password"}, []string{"Alice"}, "",
			person("alice").Name + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", "kv/apps/a may be where its password is read"},
		"its DN there": {[]string{"ldap " + svc + " -", "kv - kv/apps/svc#password"}, []string{svc}, "",
			svc + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", ""},
		"a domain's form": {[]string{"ldap alice -", "kv - kv/apps/a#password"}, []string{`CORP\alice`}, "",
			person("alice").Name + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", ""},
		"it has a path of its own": {[]string{"list " + svc + " kv/apps/mine#password", "kv svc kv/apps/svc#password"}, nil, "",
			svc + " [kv/apps/mine#password] (list) FINDING unusable-path", "kv/apps/svc may hold its password too"},
		"the path is its own by another source": {[]string{"list " + svc + " kv/apps/svc#password", "kv svc kv/apps/svc#password"}, nil, "",
			svc + " [kv/apps/svc#password] (kv list)", ""},
		"the path is another one's": {[]string{"list " + other + " kv/apps/svc#password", "ldap " + svc + " -", "kv svc kv/apps/svc#password"}, nil, "",
			svc + " [kv/rollcall/corp/svc#password] (ldap) adopted", ""},
		"the path is left out": {[]string{"ldap " + svc + " -", "kv svc kv/apps/svc#password"}, nil, "kv/apps/svc",
			svc + " [kv/rollcall/corp/svc#password] (ldap) adopted", ""},
		"the secret's own name": {[]string{"ldap " + person("alice").Name + " -", "kv - kv/apps/alice#password"}, nil, "",
			person("alice").Name + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", ""},
		"it was moved, and the secret has its old DN": {[]string{"ldap " + person("alice").Name + " -", "kv uid=alice,ou=gone," + base + " kv/apps/a#password"}, nil, "",
			person("alice").Name + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", "kv/apps/a may be where its password is read"},
		"it was renamed, and the secret is called as it is now": {[]string{"ldap " + person("alice").Name + " -", "kv ally kv/apps/alice#password"}, nil, "",
			person("alice").Name + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", ""},
		"an account that is not there, and another name": {[]string{"ldap alice -", "kv ally kv/apps/a#password"}, nil, "",
			person("alice").Name + " [kv/rollcall/corp/alice#password] (ldap) adopted", ""},
		"another name there": {[]string{"ldap alice -", "kv - kv/apps/a#password"}, []string{"bob", "PLANTED"}, "",
			person("alice").Name + " [kv/rollcall/corp/alice#password] (ldap) adopted", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := campaign()
			if row.except != "" {
				c.Exclude = []config.Exclude{{Path: row.except, Reason: "not its own"}}
			}
			var found []Candidate
			for i, text := range row.found {
				cand := from(t, text)
				if i == len(row.found)-1 {
					cand.Users = row.users
				}
				found = append(found, cand)
			}
			roll, _, err := merge(c, found, people(), nil)
			require.NoError(t, err)
			var got []string
			for _, c := range roll.Credentials {
				got = append(got, shown(roll, c))
				if c.Subject != "" && row.says != "" {
					require.Contains(t, details(roll, c.ID, credential.FindingPlace), row.says)
				}
			}
			require.Contains(t, got, row.want)
			require.NotContains(t, asJSON(t, roll), "PLANTED")
		})
	}
}

// The same on real servers: secrets as teams write them, without metadata.
func TestASecretThatNamesItsUserBesideThePasswordKeepsThatAccountFromAnotherPath(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{
		"apps/perhaps/a": {"username": "alice", "password": "PLANTED1"},
		"apps/perhaps/b": {"dsn": "Server=db;User Id=bob;Password=PLANTED2"},
		"apps/perhaps/c": {"user": "nobody-here", "password": "PLANTED3"},
	}))
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{
		{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/perhaps"},
		{Name: "ldap", Type: config.FromLDAP, Directory: "corp", Filter: "(|(uid=alice)(uid=bob)(uid=carol))"},
	}
	roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	for uid, want := range map[string]credential.Problem{"alice": credential.PerhapsIts, "bob": credential.PerhapsIts, "carol": ""} {
		a := got[slapd.AccountDN(uid)]
		require.Equal(t, want, a.Problem, uid)
		require.Equal(t, want == "", a.Adopted, uid)
	}
	require.NotContains(t, asJSON(t, roll), "PLANTED")
	require.NotContains(t, asJSON(t, roll), "nobody-here")
}
