package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Two domain controllers that cannot see each other: the far one takes the
// stolen password for as long as that lasts.
func TestADomainControllerThatIsCutOffKeepsItsCredentialsOpenUntilItFollows(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Domain: 9, Controllers: true})
	file, err := e.CampaignFile(nil, patient)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	require.Contains(t, u.must("doctor"), "servers leaves out 0")
	cut := lag{
		far: e.Controllers.Second.LDAPS(), stolen: inDomain(e), heal: e.Controllers.Heal,
		changed: func(dn string) string { return domainAttr(t, e, dn, "pwdLastSet") },
	}

	t.Run("before the campaign", func(t *testing.T) {
		u := u.in(t)
		require.NoError(t, e.Controllers.Cut())
		cmd, said := u.begin("run")
		changed := u.heldOpen(cut, said)
		require.LessOrEqual(t, len(deaths(t, u.ledger())), 1, "one is not of the domain")
		u.healed(cut, changed, cmd, said)
		requireNotLockedInDomain(t, e)
	})
	t.Run("while it runs", func(t *testing.T) {
		u := u.in(t)
		stealAgain(t, e)
		proxy := ldapProxy(t, e, e.Domain.LDAPS())
		u = u.edited(e.Domain.LDAPS(), proxy.URL()).edited(cut.far, cut.far+"\n    formerly: ["+e.Domain.LDAPS()+"]").edited("batch: 6", "batch: 20, concurrency: 1")
		u = u.edited("driver: active-directory\n", "driver: active-directory\n"+waitsLong) // while it is held both controllers come in step
		const followed = 3
		reached, release := atReset(proxy, 2*followed+1)
		t.Cleanup(release)
		cmd, said := u.begin("run")
		select {
		case <-reached:
		case <-time.After(patience):
			require.Fail(t, "the campaign never came so far", said.String())
		}
		require.NoError(t, e.Controllers.AwaitReplication(t.Context()))
		require.NoError(t, e.Controllers.Cut())
		release()

		// Those that were reset before are dead, and the others wait.
		requireSoon(t, "some are dead", said, func() bool { return u.entries() > 0 && len(deaths(t, u.ledger())) == followed+1 })
		dead := map[string]bool{}
		for _, d := range deaths(t, u.ledger()) {
			dead[d.ID] = true
		}
		late := cut
		late.stolen = nil
		for _, s := range inDomain(e) {
			if !dead[s.ID] {
				late.stolen = append(late.stolen, s)
			}
		}
		require.Len(t, late.stolen, len(cut.stolen)-followed)
		changed := u.heldOpen(late, said)

		// Whoever got hold of the far one sets a password there, more often
		// than the campaign did on the near one, so that theirs prevails once
		// both see each other.
		victim, theirs := late.stolen[0], credential.NewSecret("Set-by-an-intruder-1")
		delete(changed, victim.DN)
		for range 3 {
			setByIntruder(t, e, cut.far, victim.DN, theirs)
		}
		requireSoon(t, "it is seen", said, func() bool {
			l := u.ledger().Credential(victim.ID)
			return l.Reason == protocol.ReasonNewRefused && l.Server == cut.far
		})
		u.healed(late, changed, cmd, said)
		requireNotLockedInDomain(t, e)
		require.Contains(t, codes(u.ledger().Credential(victim.ID)), credential.FindingChangedAfter)
		for _, server := range victim.Servers {
			require.False(t, binds(t, e, server, victim.DN, theirs), server)
		}
	})
	t.Run("behind a balancer", func(t *testing.T) {
		u := u.in(t)
		stealAgain(t, e)
		one, other := machineOf(t, e, e.Controllers.First), machineOf(t, e, e.Controllers.Second)
		for _, name := range []string{"dnsHostName", "dsServiceName", "serverName"} {
			require.Contains(t, one, name)
			require.NotEqual(t, one[name], other[name], "a balancer may show one certificate for both")
		}
		b, err := lab.StartBalancer("127.0.0.1:0", e.Controllers.First.LDAPS(), e.Controllers.Second.LDAPS())
		require.NoError(t, err)
		t.Cleanup(b.Close)
		address, far := "ldaps://"+b.Addr(), e.Controllers.Second.LDAPS()
		u = u.edited(far, address+"\n    formerly: ["+far+"]") // a campaign had other addresses under this name
		refused := u.run("run")
		require.Equal(t, 1, refused.code)
		require.Contains(t, refused.err, "nothing was started")
		wrong, _ := diagnose(t, u)
		require.True(t, slices.ContainsFunc(wrong, func(d diagnosis) bool {
			return d.What == "machine" && strings.HasSuffix(d.Where, address) && strings.Contains(d.Detail, "several machines answer at this address")
		}), "%v", wrong)

		// The campaign begins while one answers; then the near one does too,
		// which has every change.
		b.Behind(far)
		require.NoError(t, e.Controllers.Cut())
		cmd, said := u.begin("run")
		open := func(r protocol.Reason) func() bool {
			return func() bool {
				return u.count(func(l *ledger.CredentialState) bool { return l.Reason == r && l.Server == address }) == len(inDomain(e))
			}
		}
		requireSoon(t, "every credential waits for it", said, open(protocol.ReasonLagging))
		b.Behind(e.Controllers.First.LDAPS(), far)
		requireSoon(t, "the address contradicts itself", said, open(protocol.ReasonContradicts))
		for _, s := range inDomain(e) {
			require.True(t, binds(t, e, far, s.DN, credential.NewSecret(s.Password)))
		}
		b.Behind(e.Controllers.First.LDAPS())
		require.NoError(t, e.Controllers.Heal(t.Context()))
		require.Never(t, func() bool {
			return u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }) > 1
		},
			time.Second, 100*time.Millisecond, "good answers do not help any more; one is not of the domain")
		u.must("leave-out", "--server", address, "--reason", "the balancer goes; its machines are named in the next campaign")
		_ = cmd.Wait()
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
		for _, s := range inDomain(e) {
			require.Equal(t, ledger.Dead, u.ledger().Credential(s.ID).Outcome)
			require.Equal(t, []string{address}, u.ledger().Credential(s.ID).LeftOut)
		}
	})
}

// machineOf is what a domain controller says of itself.
func machineOf(t *testing.T, e *estate.Estate, dc *lab.Samba) map[string]string {
	t.Helper()
	d := patientDirectoryOf(e, credential.ADPassword)
	d.Servers = []string{dc.LDAPS()}
	client, err := directory.Open(estate.DomainName, d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(e.Domain.BinderPassword), nil
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	seen, err := client.LookAgain(t.Context(), dc.LDAPS(), nil, 2, func(directory.Entry) string { return "" })
	require.NoError(t, err)
	require.Empty(t, seen.Contradicts)
	out := map[string]string{}
	for _, part := range strings.Split(seen.Machine, "; ") {
		name, value, _ := strings.Cut(part, " ")
		out[name] = value
	}
	return out
}

// setByIntruder sets a password at one domain controller past Rollcall.
func setByIntruder(t *testing.T, e *estate.Estate, server, dn string, value credential.Secret) {
	t.Helper()
	d := patientDirectoryOf(e, credential.ADPassword)
	d.Servers = []string{server}
	client, err := directory.Open(estate.DomainName, d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(e.Domain.BinderPassword), nil
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.NoError(t, client.ResetPassword(t.Context(), dn, value, credential.Secret{}))
}

// in is u in a subtest, which then fails instead of its parent.
func (u *user) in(t *testing.T) *user {
	v := *u
	v.t = t
	return &v
}

// atReset holds the n-th reset of a password until released.
func atReset(p *faultproxy.Proxy, n int) (reached <-chan struct{}, release func()) {
	at, released := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	seen := 0
	p.OnRequest(func(r faultproxy.Request) {
		// The question whether changes are taken is no reset.
		if r.Kind != "modify" || strings.HasPrefix(r.Detail, "cn=rollcall-asks-") {
			return
		}
		mu.Lock()
		seen++
		now := seen == n
		mu.Unlock()
		if now {
			close(at)
			<-released
		}
	})
	return at, sync.OnceFunc(func() { close(released) })
}

// stealAgain hands the intruder what is in force now.
func stealAgain(t *testing.T, e *estate.Estate) {
	t.Helper()
	for i, s := range e.Stolen {
		e.Stolen[i].Password = live(t, e, e.Live[s.ID]).Reveal()
	}
}

// requireNotLockedInDomain: neither the proof nor the intruder locked anybody
// anywhere.
func requireNotLockedInDomain(t *testing.T, e *estate.Estate) {
	t.Helper()
	for _, s := range inDomain(e) {
		require.Equal(t, "0", attrAt(t, e.Controllers.First, s.DN, "lockoutTime"), s.DN)
		require.Equal(t, "0", attrAt(t, e.Controllers.Second, s.DN, "lockoutTime"), s.DN)
	}
}
