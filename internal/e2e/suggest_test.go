package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// What lies where the name should, in another's place and in exchange with it.
const (
	misplaced = "S3cret-in-the-wrong-field"
	exchanged = "hunter2"
)

// unnamedUser has an estate in which no secret's metadata says whose it is: two
// hold a user name beside the password, a thief wrote a bystander's into a
// third, in two a password lies where the name should, and one names nobody.
func unnamedUser(t *testing.T) *user {
	e := startEstate(t, estate.Options{Accounts: 2, Bystanders: 2, Logs: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 20s}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{
		"apps/esg-01/cache":     {"username": "app-0001", "password": "pl4nted-Value"},
		"apps/esg-01/misplaced": {"username": misplaced, "password": "An0ther-1"},
		"apps/esg-01/exchanged": {"username": exchanged, "password": "svc"},
		"apps/esg-01/unknown":   {"username": "svc-of-nobody", "password": "Unkn0wn-1"},
	}))
	for _, uid := range []string{"svc-esg-0001", "svc-esg-0002"} {
		_, err := e.Vault.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/apps/esg-01/"+uid, map[string]any{"custom_metadata": map[string]any{}})
		require.NoError(t, err)
	}
	return newUser(t, e, file)
}

// requireOnlyWhatTookItsValue: the account that accepted what its path holds is
// dead, and the one that a thief named was not touched.
func requireOnlyWhatTookItsValue(t *testing.T, u *user) {
	t.Helper()
	ran := u.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	require.NotContains(t, ran.out+ran.err, misplaced)
	state := u.ledger()
	for _, uid := range []string{"svc-esg-0001", "svc-esg-0002"} {
		require.Equal(t, ledger.Dead, state.Credential(u.e.ID(uid)).Outcome, uid)
	}
	planted := state.Credential(u.e.ID("app-0001"))
	require.Equal(t, ledger.IsException, planted.Outcome)
	require.Equal(t, protocol.ReasonUnproved, planted.Reason)
	requireBystandersUntouched(t, u.e)
	require.Equal(t, 1, versions(t, u.e.Vault.Client(), credential.Path{Mount: "kv", Path: "apps/esg-01/cache"}))
	require.NotContains(t, u.run("report").out, misplaced)
	requireNobodyAskedForAPassword(t, u)
}

// requireNobodyAskedForAPassword: the directory writes down what it is asked.
func requireNobodyAskedForAPassword(t *testing.T, u *user) {
	t.Helper()
	log, err := os.ReadFile(u.e.Slapd.LogFile())
	require.NoError(t, err)
	asked := strings.ToLower(string(log))
	require.Contains(t, asked, "svc-of-nobody", "what is written as a name is asked for")
	for _, password := range []string{misplaced, exchanged} {
		require.NotContains(t, asked, strings.ToLower(password))
	}
}

func TestAFieldOfTheSecretSaysWhoseItIsAndOpensNothingThatTheAccountRefuses(t *testing.T) {
	t.Parallel()
	u := unnamedUser(t)
	require.Contains(t, u.run("list").out, "svc-esg-0001#password [no-owner]", "nobody has named it")
	u = u.edited("prefix: kv/apps/esg-01\n", "prefix: kv/apps/esg-01\n    account_field: username\n")
	u.must("init")
	listed := u.run("list")
	require.Equal(t, 1, listed.code, listed.err)
	require.Contains(t, listed.out, `its field "username" does not say whose it is: no account of corp is called so`)
	require.Contains(t, listed.out, `its field "username" does not say whose it is: it is not written as names of accounts are`)
	require.Contains(t, listed.out, `its field "username" does not say whose it is: the password beside it is written as names are`)
	require.NotContains(t, listed.out+listed.err, exchanged)
	require.NotContains(t, listed.out+listed.err, misplaced, "what no directory knows may be a password")
	requireOnlyWhatTookItsValue(t, u)
}

func TestASuggestedManifestIsNoPersonsWordUntilThatIsTakenOut(t *testing.T) {
	t.Parallel()
	u := unnamedUser(t)
	u.must("init")
	said := u.run("list", "--suggest-manifest")
	require.Equal(t, 2, said.code, said.err)
	require.NotContains(t, said.out+said.err, misplaced)
	require.NotContains(t, said.out+said.err, exchanged)
	require.Contains(t, said.err, "no row for kv/apps/esg-01/unknown: no authority of the campaign file knows an account by a name that it holds")
	require.Contains(t, said.err, "no row for kv/apps/esg-01/misplaced: what it holds beside the password is not written as names of accounts are, so it may be a password too: no directory was asked for it")
	require.Contains(t, said.err, "no row for kv/apps/esg-01/exchanged: its password is written as names of accounts are, so that the two may lie in each other's place: no directory was asked for either")
	require.Contains(t, said.err, "nothing can be suggested for 3 secrets")
	planted := "corp,\"" + u.e.Slapd.AccountDN("app-0001") + "\",kv/apps/esg-01/cache#password,"
	require.Equal(t, "directory,account,path,suggested\n"+planted+"true\n"+
		"corp,\""+u.e.Slapd.AccountDN("svc-esg-0001")+"\",kv/apps/esg-01/svc-esg-0001#password,true\n"+
		"corp,\""+u.e.Slapd.AccountDN("svc-esg-0002")+"\",kv/apps/esg-01/svc-esg-0002#password,true\n", withoutComments(said.out))

	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(u.file), "suggested.csv"), []byte(text), 0o600))
	}
	write(said.out)
	u = u.edited("sources:\n", "sources:\n  - {name: suggested, type: manifest, file: suggested.csv}\n")
	u.must("init")
	require.Contains(t, u.run("list", "--suggest-manifest").err, "nothing can be suggested for 3 secrets", "what a row names is named")
	requireOnlyWhatTookItsValue(t, u)

	write(strings.Replace(said.out, planted+"true", planted, 1))
	require.Contains(t, u.run("plan").out, "cache", "a person's word ties the account")
	hearsay := func() map[string]bool {
		out := map[string]bool{}
		for _, c := range decode[credential.Roll](t, u.run("list", "-o", "json").out).Credentials {
			out[c.ID] = c.Hearsay
		}
		return out
	}()
	require.False(t, hearsay[u.e.ID("app-0001")])
	require.True(t, hearsay[u.e.ID("svc-esg-0001")])
}

func withoutComments(text string) (out string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			out += line
		}
	}
	return out
}
