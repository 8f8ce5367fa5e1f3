package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

const ownLogin = "vault/" + vault.WorkerRole

// workerHost is a machine with a rotation worker: its login, and the file of
// it.
type workerHost struct {
	c         *cluster
	env       []string
	file      string
	was, role string // secret-id, role-id
}

// host makes a login for a worker in a folder of its own, as on another
// machine.
func (c *cluster) host(name string, env ...string) *workerHost {
	c.t.Helper()
	login := c.login(vault.WorkerPolicy)
	_, made, _ := strings.Cut(login[1], "=")
	secret, err := os.ReadFile(made)
	require.NoError(c.t, err)
	dir := filepath.Join(c.e.Dir, name)
	require.NoError(c.t, os.Mkdir(dir, 0o700))
	h := &workerHost{c: c, file: filepath.Join(dir, "secret-id"), was: strings.TrimSpace(string(secret))}
	require.NoError(c.t, os.WriteFile(h.file, secret, 0o600))
	_, h.role, _ = strings.Cut(login[0], "=")
	h.env = append(append(append([]string{}, c.common...), login[0], "ROLLCALL_SECRET_ID_FILE="+h.file), env...)
	return h
}

func (h *workerHost) start() *service { return h.c.serve(h.env, binary, "worker") }

func (h *workerHost) holds() string {
	h.c.t.Helper()
	text, err := os.ReadFile(h.file)
	require.NoError(h.c.t, err)
	is, err := os.Stat(h.file)
	require.NoError(h.c.t, err)
	require.Equal(h.c.t, os.FileMode(0o600), is.Mode())
	return strings.TrimSpace(string(text))
}

// logsIn offers a secret-id of the workers' role to Vault.
func (h *workerHost) logsIn(secretID string) bool {
	h.c.t.Helper()
	api := h.c.e.Vault.Client()
	api.ClearToken()
	got, err := api.Logical().Write("auth/approle/login", map[string]any{"role_id": h.role, "secret_id": secretID})
	if err != nil {
		return false
	}
	api.SetToken(got.Auth.ClientToken)
	require.NoError(h.c.t, api.Auth().Token().RevokeSelf(""))
	return true
}

// keep puts the secret-id where Vault keeps that of the workers, as the
// documentation says.
func (h *workerHost) keep() {
	h.c.t.Helper()
	_, err := h.c.e.Vault.Client().Logical().Write("rollcall/data/own/rollcall-worker", map[string]any{"data": map[string]any{"secret_id": h.was}})
	require.NoError(h.c.t, err)
}

func ownPlace() credential.Path { return vault.OwnSecretID("rollcall") }

const rotatesLogin = unhurried + "vault: {rotate_login: true}\n"

func TestWorkersRotateTheSecretIDThatTheyLogInWithAndGoOn(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Pair: true})
	file, err := e.CampaignFile(nil, rotatesLogin)
	require.NoError(t, err)
	c := startCluster(t, e, file)
	c.ledgerWorker()
	first, second := c.host("one"), c.host("two")
	first.keep()
	workers := []*service{first.start(), second.start()}
	e.Stolen = append(e.Stolen, intruder.Stolen{
		ID: ownLogin, Kind: intruder.AppRole, Servers: []string{e.Vault.Address()}, Mount: "approle", RoleID: first.role, Password: first.was,
	})
	r := startRaid(t, e)

	campaign := strings.TrimSpace(c.must("start"))
	watched := c.run("watch")
	require.Zero(t, watched.code, watched.out+watched.err)
	state := c.state(campaign)
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, state.Credentials, 7)
	own := state.Credential(ownLogin)
	require.Equal(t, protocol.ProofBind, own.Proof)
	for _, l := range state.Credentials {
		require.False(t, l.ID != ownLogin && own.SetAt.Before(l.DeadAt), "%s was still at work", l.Name)
	}
	now := live(t, e, ownPlace()).Reveal()
	for _, h := range []*workerHost{first, second} {
		require.Equal(t, now, h.holds())
		require.NotEqual(t, h.was, now)
	}
	requireAllDead(t, state, r.end())

	t.Run("the workers go on with the next campaign", func(t *testing.T) {
		for _, w := range workers {
			require.False(t, w.over(), w.errors())
		}
		c.must("start")
		again := c.run("watch")
		require.Zero(t, again.code, again.out+again.err)
		require.NotEqual(t, now, live(t, e, ownPlace()).Reveal())
		require.False(t, first.logsIn(now))
	})
	t.Run("and can be started again", func(t *testing.T) {
		for _, w := range workers {
			w.kill()
		}
		first.start()
		second.start()
	})
}

// A worker is killed -9 at each step of the rotation of its own secret-id. The
// one that is started in its place logs in with what the file holds by then.
func TestAWorkerKilledWhileItRotatesItsOwnLoginGetsInAgain(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1})
	file, err := e.CampaignFile(nil, rotatesLogin)
	require.NoError(t, err)
	c := startCluster(t, e, file)
	c.ledgerWorker()
	_, store := proxied(t, e)
	h := c.host("one", "VAULT_ADDR="+store.URL())
	h.keep()

	campaign := strings.TrimSpace(c.must("start"))
	own := "/v1/auth/approle/role/rollcall-worker"
	ends := func(path string) func(faultproxy.Request) bool {
		return func(r faultproxy.Request) bool { return r.Kind != "GET" && strings.HasSuffix(r.Detail, path) }
	}
	for _, at := range []struct {
		name  string
		fault faultproxy.Fault
		match func(faultproxy.Request) bool
	}{
		{"after it is staged", faultproxy.DropReply, ends("/staging/" + ownLogin)},
		{"after it is set", faultproxy.DropReply, ends(own + "/custom-secret-id")},
		{"after it is activated", faultproxy.DropReply, ends("/data/own/rollcall-worker")},
		{"with the new one in its file and the old token not revoked", faultproxy.Cut, ends("/v1/auth/token/revoke-self")},
		{"before the old one is destroyed", faultproxy.Cut, ends(own + "/secret-id-accessor/destroy")},
		{"after the old one is destroyed", faultproxy.DropReply, ends(own + "/secret-id-accessor/destroy")},
	} {
		h.killedAt(at.name, store, at.fault, at.match)
		require.True(t, h.logsIn(h.holds()), "%s: what the file holds does not log in", at.name)
	}
	before := len(store.Requests())
	h.start()
	watched := c.run("watch")
	require.Zero(t, watched.code, watched.out+watched.err)
	require.Equal(t, ledger.Dead, c.state(campaign).Credential(ownLogin).Outcome)
	require.False(t, h.logsIn(h.was))
	require.Equal(t, live(t, e, ownPlace()).Reveal(), h.holds())
	require.True(t, h.logsIn(h.holds()))
	// Those that were killed leave tokens that nobody moves over. They had
	// their time when the new secret-id was activated, and nobody waits for
	// them again.
	looks := 0
	for _, r := range store.Requests()[before:] {
		if r.String() == "LIST /v1/auth/token/accessors" {
			looks++
		}
	}
	require.Less(t, looks, 18, "one pass costs up to four, and there may be several; to wait for them is some eighteen more")
}

// killedAt starts a worker and kills it at the first request that matches,
// before Vault sees it (Cut) or after its answer (DropReply).
func (h *workerHost) killedAt(what string, p *faultproxy.Proxy, fault faultproxy.Fault, match func(faultproxy.Request) bool) {
	c := h.c
	c.t.Helper()
	var w *service
	begun := make(chan struct{})
	hook := func(r faultproxy.Request) {
		if match(r) {
			<-begun
			_ = w.cmd.Process.Kill()
		}
	}
	if fault == faultproxy.DropReply {
		p.OnReply(hook)
	} else {
		p.OnRequest(hook)
	}
	p.Arm(faultproxy.Plan{At: 1, Fault: fault, Match: match})
	w = spawn(c.t, c.e.Dir, h.env, binary, "worker")
	close(begun)
	require.Eventually(c.t, w.over, 3*time.Minute, tick, "%s: it was never there to be killed: %s", what, w.errors())
	_, fired := p.Fired()
	require.True(c.t, fired, "%s: it ended by itself: %s", what, w.errors())
	p.Disarm()
	p.OnRequest(nil)
	p.OnReply(nil)
}

func TestAWorkerThatCannotReplaceItsSecretIDFileLeavesItsLoginOpenAndWorking(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	file, err := e.CampaignFile(nil, quick+"vault: {rotate_login: true}\n")
	require.NoError(t, err)
	c := startCluster(t, e, file)
	c.ledgerWorker()
	h := c.host("one")
	h.keep()
	// A mount of its own that ends with the process: nobody writes there, not
	// even root.
	dir := filepath.Dir(h.file)
	w := c.serve(h.env, "unshare", "--mount", "sh", "-c", `mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" worker`, "sh", dir, binary)

	campaign := strings.TrimSpace(c.must("start"))
	watched := c.run("watch")
	require.Equal(t, 2, watched.code, watched.out+watched.err)
	own := c.state(campaign).Credential(ownLogin)
	require.Equal(t, ledger.IsException, own.Outcome)
	require.Equal(t, protocol.ReasonRights, own.Reason)
	require.Contains(t, own.Detail, "read-only file system")
	require.Equal(t, h.was, h.holds())
	require.True(t, h.logsIn(h.was), "nothing was destroyed")
	require.Equal(t, h.was, live(t, e, ownPlace()).Reveal())
	require.False(t, w.over())
	w.signal(syscall.SIGTERM)
	require.Zero(t, w.wait().code)
}
