package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/ledger"
)

// atTerminal runs a command on a terminal of its own, where somebody types.
func (u *user) atTerminal(typed string, args ...string) ran {
	u.t.Helper()
	var words []string
	for _, w := range u.command(args...).Args {
		words = append(words, "'"+w+"'")
	}
	cmd := exec.Command("script", "-qec", strings.Join(words, " "), "/dev/null")
	plain := u.command()
	cmd.Dir, cmd.Env = plain.Dir, append(plain.Env, "SHELL=/bin/sh")
	cmd.Stdin = strings.NewReader(typed)
	out, _ := cmd.CombinedOutput()
	return ran{cmd.ProcessState.ExitCode(), string(out), ""}
}

// Nobody changes forty passwords at night before one was seen to work.
func TestOneIsTriedForRealAndTheOthersWaitUntilSomebodyLetsThemGoOn(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 5})
	ctx, api := t.Context(), e.Vault.Client()
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	takesStolen := func(n int) bool {
		dn := e.Slapd.AccountDN(fmt.Sprintf("svc-esg-%04d", n))
		return binds(t, e, e.Slapd.LDAPS(), dn, credential.NewSecret(stolenValue(e, e.ID(fmt.Sprintf("svc-esg-%04d", n)))))
	}

	// What would be done is shown, in all and of one.
	require.Equal(t, 5, strings.Count(u.must("plan"), "~ uid=svc-esg-000"))
	one := u.must("plan", "--only", "svc-esg-0002")
	require.Contains(t, one, "~ uid=svc-esg-0002,")
	require.Contains(t, one, "new value at "+e.Slapd.LDAPS())
	require.NotContains(t, one, "svc-esg-0003")
	listed := u.run("list", "--only", "SVC-esg-000[12]")
	require.Contains(t, listed.err, "2 of 5 of the roll, as picked")
	require.Contains(t, listed.out, "2 listed")

	// A name that is none, and a no, begin nothing.
	for _, c := range []struct {
		code int
		want string
		r    ran
	}{
		{1, `no credential of the roll is called "svc-esg-002"`, u.run("run", "--only", "svc-esg-002")},
		{1, "--limit: must be 1 or more", u.run("run", "--limit", "0")},
		{1, "esg-01 was not typed; nothing was done", u.atTerminal("yes\n", "run", "--only", "svc-esg-0002")},
	} {
		require.Equal(t, c.code, c.r.code, c.r.out+c.r.err)
		require.Contains(t, c.r.out+c.r.err, c.want)
		kept, err := api.Logical().ListWithContext(ctx, "rollcall/metadata/campaigns")
		require.NoError(t, err)
		require.Nil(t, kept)
	}
	require.Contains(t, u.atTerminal("no\n", "run", "--only", "svc-esg-0002").out, "Tried first, before the others begin: uid=svc-esg-0002,")

	tried := u.atTerminal("esg-01\n", "run", "--only", "svc-esg-0002")
	require.Equal(t, 3, tried.code, tried.out)
	require.Contains(t, tried.out, "tried first: 1 dead, 0 open; the others wait")
	require.False(t, takesStolen(2))
	for _, n := range []int{1, 3, 4, 5} {
		require.True(t, takesStolen(n), "of the others nothing was changed")
	}
	require.Contains(t, u.must("status"), "paused")
	require.Contains(t, u.atTerminal("no\n", "run", "--limit", "1").out, "Tried next, before the others begin: uid=svc-esg-0001,")
	require.Equal(t, 3, u.atTerminal("\n", "run").code, "who is asked and does not say it leaves it there")
	require.True(t, takesStolen(1))

	rest := u.atTerminal("esg-01\n", "run")
	require.Equal(t, 0, rest.code, rest.out)
	for n := range 5 {
		require.False(t, takesStolen(n+1))
	}
	for _, c := range u.ledger().Credentials {
		require.Equal(t, c.Name == e.Slapd.AccountDN("svc-esg-0002"), c.Wave == 0, c.Name)
	}
}

// One was tried and looked at, and before the rest an operator wants to see
// some more.
func TestMoreIsTriedFromTheCommandLineWhileTheOthersWait(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 6, AppRoles: 1})
	e.Directory = waitsLong
	directory, _ := proxied(t, e)
	file, err := e.CampaignFile([]string{directory.URL()}, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.env = append(u.env, vaultWaitsLong)
	u.must("init")
	name := func(n int) string { return fmt.Sprintf("svc-esg-%04d", n) }
	takesStolen := func(n int) bool {
		return binds(t, e, e.Slapd.LDAPS(), e.Slapd.AccountDN(name(n)), credential.NewSecret(stolenValue(e, e.ID(name(n)))))
	}
	ends := func(code int, want string, args ...string) string {
		r := u.run(append([]string{"run"}, args...)...)
		require.Equal(t, code, r.code, r.out+r.err)
		require.Contains(t, strings.Join(strings.Fields(r.out+r.err), " "), want)
		return r.err
	}
	others := func(from int) {
		for n := from; n <= 6; n++ {
			require.True(t, takesStolen(n), "of %s nothing was changed", name(n))
		}
	}

	// The device's own login reads what would be set, whichever try it is.
	ends(3, "tried first: 0 dead, 1 open; the others wait", "--only", name(1))
	ends(3, "would stay open (within-reach): approle/esg-01-login-1 could read the new value", "--only", name(2))
	require.True(t, takesStolen(2))
	ends(3, "tried first: 3 dead, 0 open; the others wait", "--only", "approle/*", "--only", name(1), "--only", name(2))
	others(3)

	// Names that are none, or done with.
	ends(1, `no credential of the roll is called "svc-esg-003" (by its DN or the first value of that, its role, its user, or its place in Vault; * stands for any text); like it: svc-esg-0003,`, "--only", "svc-esg-003")
	said := ends(3, "nothing of what was picked is left to try", "--only", name(1), "--only", "approle/*")
	require.Contains(t, strings.Join(strings.Fields(said), " "), "note: dead already: uid=svc-esg-0001,ou=people,dc=example,dc=org; approle/esg-01-login-1 ")

	// Whoever is cut off goes on with the same command, and with no other one.
	u.killedAt("before what was picked is set", directory, faultproxy.Cut, 1, func(r faultproxy.Request) bool {
		return r.Detail == "1.3.6.1.4.1.4203.1.11.1"
	}, "--only", name(3))
	ends(1, "and uid=svc-esg-0004,ou=people,dc=example,dc=org is not of that", "--only", name(4))
	ends(3, "tried first: 1 dead, 0 open; the others wait", "--only", name(3))
	others(4)
	ends(3, "tried first: 1 dead, 0 open", "--limit", "1")
	others(5)

	ends(0, "")
	state := u.ledger()
	require.Len(t, state.Credentials, 7)
	tries := 0
	for _, a := range state.Actions {
		if a.Event == ledger.CampaignResumed && strings.Contains(a.Why, "more before the others, which wait") {
			require.NotEmpty(t, a.Who)
			tries++
		}
	}
	require.Equal(t, 4, tries)
	u.must("ledger", "verify")
	require.Contains(t, strings.Join(strings.Fields(u.must("report")), " "), "resumed it: to try 3 more before the others, which wait")
	requireNothingLost(t, e)
	requireConsumersServed(t, e)
	requireClean(t, e)
}
