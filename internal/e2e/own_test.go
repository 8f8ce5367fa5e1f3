package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// restrictedUser works with the rights of worker and ledger, as `run` needs
// them, and no more.
func restrictedUser(t *testing.T, e *estate.Estate, u *user) *user {
	t.Helper()
	token, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{vault.WorkerPolicy, vault.LedgerPolicy}, TTL: "1h"})
	require.NoError(t, err)
	return u.with("VAULT_TOKEN=" + token.Auth.ClientToken)
}

func TestACampaignRotatesItsOwnBindPairsLastEachByTheOther(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 6, Replica: true, Domain: 3, Bystanders: 2, Pair: true})
	file, err := e.CampaignFile(nil, unhurried+"accept:\n  - {directory: windows, finding: copies-not-shown, reason: the bind identities are no accounts of UNIX}\n")
	require.NoError(t, err)
	admin := newUser(t, e, file)
	admin.must("init")
	u := restrictedUser(t, e, admin)
	require.Contains(t, u.must("doctor"), e.Domain.PartnerDN+" has the right Reset Password on "+e.Domain.BinderDN+": yes")
	require.Contains(t, u.must("plan"), "Rollcall's own, alone")
	r := startRaid(t, e)

	ran := u.run("run")
	require.Zero(t, ran.code, ran.out+ran.err)
	results := r.end()

	state := u.ledger()
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, state.Credentials, 13)
	requireAllDead(t, state, results)
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	own := []string{e.OwnID(e.Slapd.BinderDN), e.OwnID(e.Slapd.PartnerDN), e.OwnID(e.Domain.BinderDN), e.OwnID(e.Domain.PartnerDN)}
	last := time.Time{}
	for _, l := range state.Credentials {
		require.Equal(t, protocol.ProofBind, l.Proof, l.Name)
		require.Equal(t, 2, versions(t, e.Vault.Client(), e.Live[l.ID]), "consumers of %s see one change", l.Name)
		if !slices.Contains(own, l.ID) && l.DeadAt.After(last) {
			last = l.DeadAt
		}
	}
	for _, id := range own {
		l := state.Credential(id)
		require.False(t, l.SetAt.Before(last), "%s was set before the one before it was dead", l.Name)
		last = l.DeadAt
	}
	for dn, by := range map[string]string{e.Slapd.BinderDN: e.Slapd.PartnerDN, e.Slapd.PartnerDN: e.Slapd.BinderDN} {
		conn, err := e.Slapd.AdminConn(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{by}, readAttr(t, conn, dn, "modifiersName"))
		require.NoError(t, conn.Close())
	}
	t.Run("the next campaign works with what this one put there", func(t *testing.T) {
		again := u.run("run")
		require.Zero(t, again.code, again.out+again.err)
		u.must("doctor")
	})
}

func TestASingleBindIdentityStaysOpenWithTheHintToNameAPair(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	file, err := e.CampaignFile(nil, quick+"waves: []\n")
	require.NoError(t, err)
	u := newUser(t, e, file).edited("filter: (description=*esg-01*)", "filter: (|(description=*esg-01*)(cn=rollcall))")
	u.must("init")
	ran := u.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	require.Contains(t, ran.out+ran.err+u.must("report"), "own-identity")
	require.Contains(t, u.run("list").err, "name a pair under directories.corp.bind")
	require.True(t, binds(t, e, e.Slapd.LDAPS(), e.Slapd.BinderDN, credential.NewSecret(e.Slapd.BinderPassword)), "it was left alone")
}

// The campaign is killed -9 around each write that matters of both own
// rotations, and the same command goes on each time.
func TestACampaignKilledInItsOwnRotationsGoesOnWithTheIdentityThatIsLeft(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Pair: true})
	directory, store := proxied(t, e)
	file, err := e.CampaignFile([]string{directory.URL()}, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	r := startRaid(t, e)
	u.env = append(u.env, "VAULT_ADDR="+store.URL())

	set := func(r faultproxy.Request) bool { return r.Detail == "1.3.6.1.4.1.4203.1.11.1" } // password modify, RFC 3062
	activates := func(path string) func(faultproxy.Request) bool {
		return func(r faultproxy.Request) bool {
			return r.Kind == "PUT" && strings.HasSuffix(r.Detail, "/kv/data/"+path)
		}
	}
	for _, at := range []struct {
		name  string
		proxy *faultproxy.Proxy
		fault faultproxy.Fault
		nth   int
		match func(faultproxy.Request) bool
	}{
		{"before A is set, after two accounts", directory, faultproxy.Cut, 3, set},
		{"after A is set", directory, faultproxy.DropReply, 1, set},
		{"before A is activated", store, faultproxy.Cut, 1, activates("infra/rollcall-bind")},
		{"after A is activated", store, faultproxy.DropReply, 1, activates("infra/rollcall-bind")},
		{"before B is set", directory, faultproxy.Cut, 1, set},
		{"after B is set", directory, faultproxy.DropReply, 1, set},
		{"after B is activated", store, faultproxy.DropReply, 1, activates("infra/rollcall-bind-b")},
	} {
		u.killedAt(at.name, at.proxy, at.fault, at.nth, at.match)
		requireNothingLost(t, e)
		require.False(t, u.closed())
	}
	last := u.run("run")
	require.Zero(t, last.code, last.out+last.err)
	state := u.ledger()
	require.Len(t, state.Credentials, 4)
	requireAllDead(t, state, r.end())
	requireConsumersServed(t, e)
	requireClean(t, e)
}

// killedAt runs the campaign, with flags, and kills it at the nth request that
// matches: before the server sees it (Cut), or after its answer (DropReply).
func (u *user) killedAt(what string, p *faultproxy.Proxy, fault faultproxy.Fault, nth int, match func(faultproxy.Request) bool, flags ...string) {
	u.t.Helper()
	var cmd *exec.Cmd
	var seen atomic.Int64
	begun, met := make(chan struct{}), make(chan struct{})
	hook := func(r faultproxy.Request) {
		if match(r) && seen.Add(1) == int64(nth) {
			<-begun
			close(met) // before it: who waits for its end may be quicker than this
			_ = cmd.Process.Kill()
		}
	}
	p.Arm(faultproxy.Plan{At: nth, Fault: fault, Match: match})
	if fault == faultproxy.DropReply {
		p.OnReply(hook)
	} else {
		p.OnRequest(hook)
	}
	cmd, said := u.begin(append([]string{"run"}, flags...)...)
	close(begun)
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(2 * patience):
		_ = cmd.Process.Kill()
		<-ended
	}
	p.Disarm()
	p.OnRequest(nil)
	p.OnReply(nil)
	select {
	case <-met:
	default:
		require.Fail(u.t, "it was never there to be killed: "+what, said.String())
	}
}
