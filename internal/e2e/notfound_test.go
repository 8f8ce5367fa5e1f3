package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
)

// keepsACopy gives an account's entry the same password a second time.
func keepsACopy(t *testing.T, e *estate.Estate, dn string) {
	t.Helper()
	m := ldap.NewModifyRequest(dn, nil)
	m.Add("objectClass", []string{"sambaSamAccount"})
	m.Add("sambaSID", []string{"S-1-5-21-1-2-3-4"})
	m.Add("sambaNTPassword", []string{"0123456789ABCDEF0123456789ABCDEF"})
	modify(t, e, m)
}

// vaultTeam is a second campaign file of the same device that has no directory.
func vaultTeam(t *testing.T, e *estate.Estate, plain string) *user {
	t.Helper()
	head, _, _ := strings.Cut(plain, "directories:\n")
	file := filepath.Join(e.Dir, "vault-team.yaml")
	require.NoError(t, os.WriteFile(file, []byte(head+"sources:\n  - {name: logins, type: vault-approle, mount: approle, role: esg-01-*}\n"+quick), 0o600))
	return newUser(t, e, file)
}

// Two teams have a campaign file each for one device, and one of them has no
// directory: its listing does not find what the other one left open there.
func TestAnAccountThatOneListingDidNotFindIsRotatedOnceItIsThere(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Tagged: 2, AppRoles: 1})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	locked := accountsNamed(e, "svc-mass-")[0]
	copied := accountsNamed(e, "svc-mass-")[1]
	keepsACopy(t, e, copied.DN)
	u, v := newUser(t, e, file), vaultTeam(t, e, readFile(t, file))
	u.must("init")
	lock(t, e, locked, true)
	require.Equal(t, 2, u.run("run").code)
	v.must("init")
	require.Equal(t, 2, v.run("run").code)
	lock(t, e, locked, false)
	// Whoever may write entries takes the tag of the other one away.
	describe(t, e, copied, "nothing")
	u.must("init")
	for range 2 {
		r := u.run("run")
		require.Equal(t, 2, r.code, "%s%s", r.out, r.err)
		require.Contains(t, r.out, copied.DN, "its source names it no more, and it is open")
	}
	require.False(t, binds(t, e, e.Slapd.LDAPS(), locked.DN, credential.NewSecret(locked.Password)), "its source names it, and it is in order")
}

// A person took a problem of the account upon himself, and later narrowed the
// source: what he named no more is not reset.
func TestWhoAcceptsAProblemHasNotNamedTheAccount(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Tagged: 2})
	a := accountsNamed(e, "svc-mass-")[0]
	keepsACopy(t, e, a.DN)
	file, err := e.CampaignFile(nil, quick+"accept:\n  - {account: '"+a.DN+"', problem: second-copy, reason: nothing reads it}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	lock(t, e, a, true)
	require.Equal(t, 2, u.run("run").code)
	lock(t, e, a, false)
	plain := readFile(t, file)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(plain, "(description=*esg-01*)", "(&(uid=svc-esg-*)(description=*esg-01*))", 1)), 0o600))
	r := u.run("run")
	require.Equal(t, 2, r.code, "%s%s", r.out, r.err)
	require.Contains(t, r.out, "no-longer-named")
	require.True(t, binds(t, e, e.Slapd.LDAPS(), a.DN, credential.NewSecret(a.Password)), "nothing is done to it")
}

// An account of which something is staged was deleted: what its reason asks a
// person to do gets past it.
func TestAnAccountThatIsGoneIsLeftOutAlthoughSomethingIsStagedOfIt(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3})
	gone, other := accountsNamed(e, "svc-esg-0001")[0], accountsNamed(e, "svc-esg-0002")[0]
	lock(t, e, other, true)
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	plain := readFile(t, file)
	u := newUser(t, e, file)
	u.must("init")
	require.Equal(t, 2, u.run("run").code)
	lock(t, e, other, false)
	leaveStaged(t, e, gone, u.ledger().Campaign, e.Live[gone.ID])
	exclude := plain + "exclude:\n  - {account: '" + gone.DN + "', reason: 'deleted by its owner'}\n  - {path: " + e.Live[gone.ID].String() + ", reason: 'its account is deleted'}\n"
	require.NoError(t, os.WriteFile(file, []byte(exclude), 0o600))
	r := u.run("run")
	require.Equal(t, 1, r.code, "it is there: its consumers may be cut off")
	require.Contains(t, r.err, "let a campaign finish it")

	conn, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Del(ldap.NewDelRequest(gone.DN, nil)))
	r = u.run("run")
	require.Zero(t, r.code, "%s%s", r.out, r.err)
	require.Contains(t, strings.Join(strings.Fields(r.out), " "), "shows no such account any more")

	// What is left out is what was meant, or the campaign does not begin.
	require.NoError(t, os.WriteFile(file, []byte(exclude+"  - {account: svc-esg-002, reason: 'the plant stands still without it'}\n"), 0o600))
	listed := u.run("list")
	require.Equal(t, 2, listed.code)
	require.Contains(t, listed.out+listed.err, "exclude account svc-esg-002 matches nothing on the roll")
	before := e.Live[other.ID]
	u.refuses("take nothing off the roll", "run")
	require.Equal(t, before, e.Live[other.ID])
}
