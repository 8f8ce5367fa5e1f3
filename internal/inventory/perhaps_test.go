package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/setup"
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
		"the secret has it with what stood behind the @ before": {[]string{"ldap " + person("alice").Name + " -", "kv alice@former.example.org kv/apps/a#password"}, nil, "",
			person("alice").Name + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", "kv/apps/a may be where its password is read"},
		"spelled otherwise, too": {[]string{"ldap " + person("alice").Name + " -", "kv ALICE_svc@former.example.org kv/apps/a#password"}, nil, "",
			person("alice").Name + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path", ""},
		"another name behind whose @ something stands": {[]string{"ldap alice -", "kv alice-smith@former.example.org kv/apps/a#password"}, nil, "",
			person("alice").Name + " [kv/rollcall/corp/alice#password] (ldap) adopted", ""},
		"an account of another domain": {[]string{"ldap alice -", `kv OTHER\alice kv/apps/a#password`}, nil, "",
			person("alice").Name + " [kv/rollcall/corp/alice#password] (ldap) adopted", ""},
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
		"apps/perhaps/d": {"all": "ESG0001_PASSWORD=PLANTED4\nnobody-here=PLANTED5\n"},
	}))
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{
		{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/perhaps"},
		{Name: "ldap", Type: config.FromLDAP, Directory: "corp", Filter: "(|(uid=alice)(uid=bob)(uid=carol)(uid=esg0001))"},
	}
	roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	for uid, want := range map[string]credential.Problem{"alice": credential.PerhapsIts, "bob": credential.PerhapsIts, "carol": "", "esg0001": credential.PerhapsIts} {
		a := got[slapd.AccountDN(uid)]
		require.Equal(t, want, a.Problem, uid)
		require.Equal(t, want == "", a.Adopted, uid)
	}
	require.NotContains(t, asJSON(t, roll), "PLANTED")
	require.NotContains(t, asJSON(t, roll), "nobody-here")
}

// The same where one secret holds several passwords: custom_metadata names one
// account and field, and a secret without any may be a list.
func TestAnAccountIsNotCutOffFromAFieldThatMayBeItsOwn(t *testing.T) {
	alice, bob := person("alice").Name, person("bob").Name
	const list = "kv/apps/list"
	open := bob + " [] (ldap) PROBLEM perhaps-its-path FINDING unusable-path"
	for name, row := range map[string]struct {
		list   Candidate
		leaves config.Exclude
		accept string
		want   string // of bob
		says   []string
	}{
		"a field called like it": {list: Candidate{Fields: []string{"alice", "bob"}}, want: open,
			says: []string{list + " may be where its password is read", list + "#bob)"}},
		"with what it is at the end, as environments write it": {list: Candidate{Fields: []string{"BOB_PASSWORD"}}, want: open, says: []string{list + "#BOB_PASSWORD)"}},
		"a member of a document":                               {list: Candidate{Fields: []string{"all"}, Settings: []string{"bob"}}, want: open, says: []string{list + "#FIELD)"}},
		"another field of alice's secret":                      {list: Candidate{Account: "alice", Fields: []string{"password", "bob"}}, want: open, says: []string{list + "#bob)", "names another account", "problem: perhaps-its-path"}},
		"another user beside another password in alice's secret": {list: Candidate{Account: "alice", Fields: []string{"password", "smtp_password", "smtp_user", "user"}, Users: []string{"alice", "bob"}}, want: open,
			says: []string{list + "#smtp_password)"}},
		"a member of alice's document":       {list: Candidate{Account: "alice", Fields: []string{"password"}, Settings: []string{"BOB_PW"}}, want: open},
		"a mistyped account beside its name": {list: Candidate{Account: "bobb", Fields: []string{"password", "user"}, Users: []string{"bob"}}, want: open},
		"a user named where no other password is": {list: Candidate{Account: "alice", Fields: []string{"password", "notify_user"}, Users: []string{"bob"}},
			want: bob + " [kv/rollcall/corp/bob#password] (ldap) adopted"},
		"that password is left out": {list: Candidate{Account: "alice", Fields: []string{"password", "smtp_password"}, Users: []string{"bob"}}, leaves: config.Exclude{Path: list + "#smtp_password", Reason: "the test system's"},
			want: bob + " [kv/rollcall/corp/bob#password] (ldap) adopted"},
		"a person says that it is not its own": {list: Candidate{Account: "alice", Fields: []string{"password", "bob"}}, accept: "bob",
			want: bob + " [kv/rollcall/corp/bob#password] (ldap) adopted FINDING unusable-path", says: []string{"what may be its path is not, by the campaign file: looked"}},
		"a shortened DN":     {list: Candidate{Fields: []string{"dsn"}, Users: []string{"uid=bob,ou=old"}}, want: open},
		"it may be nobody's": {list: Candidate{Account: "alice", Fields: []string{"password", "bobby", "host", "PLANTED"}}, want: bob + " [kv/rollcall/corp/bob#password] (ldap) adopted"},
	} {
		t.Run(name, func(t *testing.T) {
			c := campaign()
			if row.leaves.Path != "" {
				c.Exclude = []config.Exclude{row.leaves}
			}
			if row.accept != "" {
				c.Accept = []config.Accept{{Account: row.accept, Problem: credential.PerhapsIts, Reason: "looked"}}
			}
			owner := "-"
			if row.list.Account != "" {
				owner = row.list.Account
			}
			kv := from(t, "kv "+owner+" "+list+"#password")
			kv.Fields, kv.Settings, kv.Users = row.list.Fields, row.list.Settings, row.list.Users
			roll, warnings, err := merge(c, []Candidate{from(t, "ldap "+alice+" -"), from(t, "ldap "+bob+" -"), kv}, people(), nil)
			require.NoError(t, err)
			require.Empty(t, warnings)
			var got []string
			for _, c := range roll.Credentials {
				got = append(got, shown(roll, c))
				if c.Name == bob {
					for _, says := range row.says {
						require.Contains(t, details(roll, c.ID, credential.FindingPlace), says)
					}
				}
			}
			require.Contains(t, got, row.want)
			require.NotContains(t, asJSON(t, roll), "PLANTED")
		})
	}
}

// A Vault that has no mount called kv, which vault.adopt guesses: the account
// has that trouble, with the key of the campaign file, and the listing goes on.
// Vault answers a worker's login about it as if it lacked a right.
// One that has another path is rotated, so that what reads the field is cut
// off: that is said with exit code 2 until a person has answered.
func TestAFieldThatMayBeAnAccountsThatHasAnotherPathIsExitCode2(t *testing.T) {
	list := func(accept ...config.Accept) (*credential.Roll, []Warning) {
		c := campaign()
		c.Accept = accept
		kv := from(t, "kv alice kv/apps/list#password")
		kv.Fields = []string{"password", "bob"}
		roll, warnings, err := merge(c, []Candidate{from(t, "ldap bob -"), from(t, "kv bob kv/apps/bob#password"), kv}, people(), nil)
		require.NoError(t, err)
		return roll, warnings
	}
	roll, warnings := list()
	require.Empty(t, byName(roll)[person("bob").Name].Problem)
	require.Len(t, warnings, 1)
	require.True(t, warnings[0].Code.Incomplete())
	require.Contains(t, warnings[0].Detail, "kv/apps/list#bob)")
	_, warnings = list(config.Accept{Account: "bob", Problem: credential.PerhapsIts, Reason: "looked"})
	require.Empty(t, warnings)
}

func TestAMountForNewValuesThatIsNotThereIsTheTroubleOfWhatGoesThere(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"apps/nomount/a": {"password": "p"}}))
	_, err := realVault.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/apps/nomount/a", map[string]any{"custom_metadata": map[string]any{"account": "alice"}})
	require.NoError(t, err)
	c := campaign()
	c.Vault.Adopt = "nowhere/rollcall/{directory}/{account}#password"
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{
		{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/nomount"},
		{Name: "ldap", Type: config.FromLDAP, Directory: "corp", Filter: "(|(uid=alice)(uid=bob))"},
	}
	require.NoError(t, realVault.Client().Sys().PutPolicy("nomount", setup.Policies(c, nil)[0].HCL))
	got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"nomount"}})
	require.NoError(t, err)
	for _, token := range []string{realVault.RootToken().Reveal(), got.Auth.ClientToken} {
		roll, warnings, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		rotated, open := byName(roll)[slapd.AccountDN("alice")], byName(roll)[slapd.AccountDN("bob")]
		require.Empty(t, rotated.Problem)
		require.Equal(t, credential.NoMount, open.Problem)
		require.Contains(t, details(roll, open.ID, credential.FindingPlace), "vault: {adopt:")
		told := slices.ContainsFunc(warnings, func(w Warning) bool {
			return w.Code == credential.FindingPlace && strings.Contains(w.Detail, "an account that refuses what its paths hold")
		})
		require.True(t, told, "%v", warnings)
	}
}
