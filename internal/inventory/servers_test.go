package inventory

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// One real directory and one real Vault for all tests that call servers; they
// start with the first one, so that fuzzing starts none.
var (
	slapd     *lab.Slapd
	realVault *lab.Vault
	start     sync.Once
	startErr  error
	folder    string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	defer func() {
		if realVault != nil {
			realVault.Kill()
		}
		if slapd != nil {
			_ = slapd.Stop(context.Background())
		}
		_ = os.RemoveAll(folder)
	}()
	return m.Run()
}

func servers(t *testing.T) {
	t.Helper()
	start.Do(func() {
		// The servers outlive the test that starts them.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if folder, startErr = os.MkdirTemp("", "rollcall-inventory"); startErr != nil {
			return
		}
		var g errgroup.Group
		g.Go(func() (err error) { slapd, err = startSlapd(ctx, filepath.Join(folder, "slapd")); return err })
		g.Go(func() (err error) {
			realVault, err = lab.StartVault(ctx, lab.VaultOptions{Dir: filepath.Join(folder, "vault")})
			return err
		})
		startErr = g.Wait()
	})
	require.NoError(t, startErr)
}

// startSlapd seeds more accounts than fit on a page of a search.
func startSlapd(ctx context.Context, dir string) (*lab.Slapd, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ca, err := lab.NewCA()
	if err != nil {
		return nil, err
	}
	people := lab.SeedAccounts("esg", 1200)
	for i := range people {
		people[i].Attrs = map[string][]string{"description": {"used by esg-01"}}
	}
	people = append(people, lab.SeedAccounts("bystander", 20)...)
	for _, a := range []lab.Account{
		{UID: "alice", Attrs: map[string][]string{"mail": {"alice@example.org"}}},
		{UID: "bob", Attrs: map[string][]string{"mail": {"shared@example.org"}}},
		{UID: "carol", Attrs: map[string][]string{"mail": {"shared@example.org"}}},
		{UID: "o'neil (jr)*"},
		{UID: "jörg"},
	} {
		a.Password = "not used"
		people = append(people, a)
	}
	return lab.StartSlapd(ctx, lab.SlapdOptions{Dir: dir, CA: ca, Accounts: people})
}

// patience is how long a server of a test may take to answer: the machine does
// much besides.
const patience = config.Duration(5 * time.Minute)

// corp is the directory's part of a campaign.
func corp() config.Directory {
	return config.Directory{
		Driver: "openldap", Servers: []string{slapd.LDAPS()}, Base: slapd.BaseDN(), CA: slapd.CA,
		Bind: config.Bind{DN: slapd.BinderDN}, Connections: 8, Timeout: patience,
	}
}

func openDirectory(t *testing.T, d config.Directory) map[string]Directory {
	t.Helper()
	return openDirectoryAs(t, d, slapd.BinderPassword)
}

func openDirectoryAs(t *testing.T, d config.Directory, password string) map[string]Directory {
	t.Helper()
	c, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(password), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return map[string]Directory{"corp": c}
}

func openVault(t *testing.T, token string) *ownmount.Store {
	t.Helper()
	return openVaultAt(t, realVault.Address(), token)
}

func openVaultAt(t *testing.T, address, token string) *ownmount.Store {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{vault.EnvRoleID, vault.EnvSecretIDFile, "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY"} {
		t.Setenv(name, "")
	}
	t.Setenv("VAULT_ADDR", address)
	t.Setenv("VAULT_TOKEN", token)
	t.Setenv("VAULT_CLIENT_TIMEOUT", time.Duration(patience).String())
	s, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func write(t *testing.T, path string, body map[string]any) map[string]any {
	t.Helper()
	s, err := realVault.Client().Logical().WriteWithContext(t.Context(), path, body)
	require.NoError(t, err, path)
	if s == nil {
		return nil
	}
	return s.Data
}

func manifestSource(rows ...string) config.Source {
	return config.Source{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte(strings.Join(rows, "\n") + "\n")}
}

func byName(roll *credential.Roll) map[string]credential.Credential {
	out := map[string]credential.Credential{}
	for _, c := range roll.Credentials {
		out[c.Name] = c
	}
	return out
}

func TestASearchOfManyPagesListsEveryAccountOnceAndNoBystander(t *testing.T) {
	servers(t)
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{
		{Name: "by filter", Type: config.FromLDAP, Directory: "corp", Filter: "(description=*esg-01*)"},
		{Name: "people", Type: config.FromLDAP, Directory: "corp", Filter: "(uid=esg*)", Base: slapd.PeopleDN()},
		{Name: "nobody", Type: config.FromLDAP, Directory: "corp", Filter: "(uid=nobody)"},
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	roll, warnings, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "esg-01-1", now)
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 1200)
	require.Equal(t, "esg-01-1", roll.Campaign)
	require.Equal(t, "esg-01", roll.Device)
	require.Equal(t, now, roll.ListedAt)
	for _, x := range roll.Credentials {
		require.NotContains(t, x.Name, "bystander")
		require.Len(t, x.Reasons, 2)
		require.True(t, x.Adopted)
		require.Equal(t, "corp/"+x.Subject, x.ID)
	}
	require.Equal(t, []Warning{{Code: credential.FindingSourceEmpty, Detail: "source nobody found nothing: check its settings before you rely on the roll, for one that is mistyped finds nothing either; if the device has none of these, say so: accept: - {source: nobody, reason: …}"}}, warnings)
	require.Equal(t, warnings, roll.Warnings)
}

func TestAccountsAreFoundByWhateverNamePeopleWrite(t *testing.T) {
	servers(t)
	c := campaign()
	c.Directories["corp"] = corp()
	dirs := openDirectory(t, corp())
	var alice directory.Entry
	_, err := dirs["corp"].Find(t.Context(), slapd.LDAPS(), slapd.BaseDN(), "(uid=alice)", nil, func(e directory.Entry) error { alice = e; return nil })
	require.NoError(t, err)
	for _, tc := range []struct {
		name, account, want string
		problem             credential.Problem
	}{
		{"uid", "alice", "alice", ""},
		{"uid in capitals", "ALICE", "alice", ""},
		{"mail", "Alice@Example.org", "alice", ""},
		{"entryUUID", strings.ToUpper(alice.ID), "alice", ""},
		{"DN", slapd.AccountDN("alice"), "alice", ""},
		{"DN with blanks and capitals", "UID = Alice , OU=People, DC=Example,DC=org", "alice", ""},
		{"DN with another name of the attribute", "userid=alice,ou=people,dc=example,dc=org", "alice", ""},
		{"DN with OIDs", "0.9.2342.19200300.100.1.1=alice,2.5.4.11=people,dc=example,dc=org", "alice", ""},
		{"uid with the signs of a filter", "o'neil (jr)*", "o'neil (jr)*", ""},
		{"uid in another Unicode form", "jo\u0308rg", "jörg", ""},
		{"mail of two accounts", "shared@example.org", "", credential.Ambiguous},
		{"a uid with a star is no pattern", "ali*", "", credential.NoAccount},
		{"uid of nobody", "nobody", "", credential.NoAccount},
		{"DN of nobody", "uid=nobody,ou=people,dc=example,dc=org", "", credential.NoAccount},
		{"DN outside the base", "uid=alice,dc=example,dc=com", "", credential.NoAccount},
		{"DN of an unknown attribute", "zzz=alice,dc=example,dc=org", "", credential.NoAccount},
		{"entryUUID of nobody", "00000000-0000-4000-8000-000000000000", "", credential.NoAccount},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.Sources = []config.Source{manifestSource("account,path", `"`+tc.account+`",kv/x#password`)}
			roll, _, err := listIn(t.Context(), c, dirs, emptyVault{}, "c", time.Now())
			require.NoError(t, err)
			require.Len(t, roll.Credentials, 1)
			got := roll.Credentials[0]
			require.Equal(t, tc.problem, got.Problem)
			if tc.problem == "" {
				require.True(t, directory.SameDN(slapd.AccountDN(strings.NewReplacer("(", `\28`, ")", `\29`).Replace(tc.want)), got.Name), got.Name)
				return
			}
			require.Empty(t, got.Subject)
			require.Equal(t, "unmatched/kv/x#password", got.ID)
			require.NotEmpty(t, roll.Findings[got.ID][0].Detail)
		})
	}
}

func TestManyNamesAreLookedUpInFewSearches(t *testing.T) {
	servers(t)
	rows := []string{"account"}
	for i := 1; i <= 1200; i++ {
		uid := fmt.Sprintf("esg%04d", i)
		if i%2 == 0 {
			uid = `"` + slapd.AccountDN(uid) + `"`
		}
		rows = append(rows, uid)
	}
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource(rows...)}
	counted := &counter{Directory: openDirectory(t, corp())["corp"]}
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": counted}, emptyVault{}, "c", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 1200)
	for _, x := range roll.Credentials {
		require.Empty(t, x.Problem)
	}
	require.LessOrEqual(t, counted.n.Load(), int64(1200/perSearch+1+1200/namesPerSearch))
}

// counter counts searches.
type counter struct {
	Directory
	n atomic.Int64
}

func (c *counter) Find(ctx context.Context, server, base, filter string, attrs []string, each func(directory.Entry) error) ([]string, error) {
	c.n.Add(1)
	return c.Directory.Find(ctx, server, base, filter, attrs, each)
}

// A secret of the device may hold several credentials, and its metadata names
// one.
func TestWhatElseLiesInASecretOfTheRollIsSaidByItsNames(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{
		"apps/beside/mail":    {"ldap_user": "alice", "ldap_password": "PLANTED1", "smtp_user": "bob", "smtp_password": "PLANTED2", "api_key": "PLANTED3", "dsn": "PLANTED4"},
		"apps/beside/licence": {"licence": "PLANTED5", "Key": "PLANTED6"},
		"apps/beside/left":    {"key": "PLANTED9"},
	}))
	require.NoError(t, realVault.SeedMetadata(t.Context(), map[string]map[string]any{
		"apps/beside/mail": {"account": "alice", "field": "ldap_password"}, "apps/beside/licence": {"Account": "carol"},
	}))
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/beside"}, manifestSource("account,path", "bob,kv/apps/beside/mail#smtp_password")}
	c.Exclude = []config.Exclude{{Path: "kv/apps/beside/mail#dsn", Reason: "no credential"}, {Path: "kv/apps/beside/left", Reason: "no credential"}}
	roll, warnings, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	var said []string
	for _, w := range warnings {
		if w.Code == credential.FindingOtherSecrets {
			said = append(said, w.Detail)
		}
	}
	require.Len(t, said, 1)
	require.Contains(t, said[0], "kv/apps/beside/mail holds more that looks like a credential, by its name or its form, than the roll has of it: api_key.")
	licence := byName(roll)["kv/apps/beside/licence"]
	require.Equal(t, credential.NoOwner, licence.Problem)
	found := details(roll, licence.ID, credential.FindingNoAccount)
	require.Contains(t, found, `its custom_metadata has the keys ["Account"]`)
	require.Contains(t, found, `the secret has ["Key" "licence"]`)
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "apps/beside/licence"}}, licence.Paths, "a field that nobody named and that is not there was invented")
	require.Equal(t, "kv/apps/beside/left", roll.Excluded[0].Name)
	require.NotContains(t, asJSON(t, roll), "PLANTED")
}

// Who fills in a secret by hand puts the password where a name belongs.
func TestAPasswordThatLiesWhereANameBelongsIsNotRepeated(t *testing.T) {
	servers(t)
	const word, other = "pLANTED7-XMCF9W3", "pLANTED8-QX2R3YA" // no names by their form
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{
		"apps/slips/exchanged": {word: "alice"},
		"apps/slips/beside":    {"password": other, word: "AbCdEf0123456789xyz", "token-" + word: "AbCdEf0123456789xyz"},
		"apps/slips/account":   {"password": word},
		"apps/slips/moved":     {"password": other, "service": "SvcBackup01", "domain": "old.example.org"},
		"apps/slips/field":     {"password": word},
		"apps/slips/owner":     {"password": word},
		"apps/slips/named":     {"password": "dave"},
	}))
	require.NoError(t, realVault.SeedMetadata(t.Context(), map[string]map[string]any{
		"apps/slips/exchanged": {"account": "alice"}, "apps/slips/beside": {"account": "bob"},
		"apps/slips/account": {"account": word}, "apps/slips/moved": {"account": "SvcBackup01"},
		"apps/slips/field": {"account": "carol", "field": word}, "apps/slips/named": {"account": "dave"},
		"apps/slips/owner": {"account": "alice", "owner": "ask for " + word, "doors": word + " mail", "line": word, word: "x"},
	}))
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/slips"}}
	roll, warnings, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	all := asJSON(t, roll)
	for _, w := range warnings {
		all += w.Detail
	}
	require.NotContains(t, all, "pLANTED")
	require.Contains(t, all, "(a name of 16 characters that is not written as names are", "an operator finds it there")
	is := byName(roll)["kv/apps/slips/account#password"]
	require.Equal(t, credential.NoOwner, is.Problem)
	require.Contains(t, details(roll, is.ID, credential.FindingSecretInMetadata), "custom_metadata (account)")
	moved := byName(roll)["SvcBackup01"]
	require.Equal(t, credential.NoAccount, moved.Problem, "an account that was renamed keeps its name, and stays open")
	found := 0
	for _, is := range roll.Credentials {
		for _, p := range is.Paths {
			switch {
			case is.Authority != "corp": // a login to Vault of another test, by carol's password
			case p.Path == "apps/slips/field":
				found++
				require.Equal(t, "password", p.Field, "as if nothing named a field")
				require.Contains(t, details(roll, is.ID, credential.FindingSecretInMetadata), "custom_metadata (field)", is.Name)
			case p.Path == "apps/slips/named":
				found++
				require.Contains(t, is.Name, "dave", "a password that is a name hides no account")
			}
		}
	}
	require.Equal(t, 2, found)
}

func TestAllSourcesTogetherFromACampaignFile(t *testing.T) {
	servers(t)
	ctx := t.Context()
	kv := map[string]map[string]any{"apps/all/alice": {"password": "a"}, "apps/all/deep/er/gone": {"pw": "b"}, "apps/all/loose": {"x": "c"}, "apps/all/login": {"secret_id": "d"}, "other/bystander": {"password": "e"}}
	require.NoError(t, realVault.SeedKV(ctx, kv))
	require.NoError(t, realVault.SeedMetadata(ctx, map[string]map[string]any{
		"apps/all/alice":        {"account": "alice", "directory": "corp"},
		"apps/all/deep/er/gone": {"account": "gone", "field": "pw"},
		"apps/all/login":        {"account": "approle/all-01", "directory": "vault"},
		"other/bystander":       {"account": "bystander0001"},
	}))
	write(t, "auth/approle/role/all-01", map[string]any{"token_ttl": "1m"})
	write(t, "auth/approle/role/unrelated", map[string]any{"token_ttl": "1m"})

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(slapd.CA), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m.yaml"), []byte(
		"- account: "+slapd.AccountDN("bob")+"\n- {account: alice, path: kv/other/place#password, new: true}\n- {account: '"+slapd.BinderDN+"'}\n"), 0o600))
	file := filepath.Join(dir, "campaign.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
device: all-01
directories:
  corp:
    driver: openldap
    servers: [`+slapd.LDAPS()+`]
    base: `+slapd.BaseDN()+`
    ca_file: ca.pem
    bind: {dn: "`+slapd.BinderDN+`", password: "kv/bind#password"}
sources:
  - {type: manifest, file: m.yaml}
  - {type: vault-kv, prefix: kv/apps/all}
  - {type: directory, directory: corp, filter: (|(uid=alice)(uid=carol))}
  - {type: vault-approle, role: all-*}
exclude:
  - {account: carol, reason: "on leave"}
waves:
  - {name: logins, kind: approle-secret-id}
`), 0o600))
	c, err := config.Load(file)
	require.NoError(t, err)
	roll, warnings, err := listIn(ctx, c, openDirectory(t, c.Directories["corp"]), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)

	got := byName(roll)
	require.Len(t, roll.Credentials, 6)
	alice := got[slapd.AccountDN("alice")]
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "apps/all/alice", Field: "password"}, {Mount: "kv", Path: "other/place", Field: "password"}}, alice.Paths)
	require.Len(t, alice.Reasons, 3)
	require.Equal(t, credential.FindingTwoPaths, roll.Findings[alice.ID][0].Code)
	require.True(t, got[slapd.AccountDN("bob")].Adopted)
	require.Equal(t, credential.NoAccount, got["gone"].Problem)
	require.Equal(t, "unmatched/kv/apps/all/deep/er/gone#pw", got["gone"].ID)
	require.Equal(t, credential.NoOwner, got["kv/apps/all/loose"].Problem)
	require.Equal(t, credential.OwnIdentity, got[slapd.BinderDN].Problem)
	require.Len(t, warnings, 1)
	login := roll.Credentials[0]
	require.Equal(t, "vault/approle/all-01", login.ID)
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "apps/all/login", Field: "secret_id"}}, login.Paths)
	require.Len(t, login.Reasons, 2)
	require.Equal(t, 0, login.Wave)
	require.Equal(t, 1, alice.Wave)
	require.Len(t, roll.Excluded, 1)
	require.Equal(t, "on leave", roll.Excluded[0].Reason)
}
