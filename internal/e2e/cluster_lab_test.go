package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/vault"
	"rollcall/workflows"
)

// cluster is an estate with a Temporal server that stands apart and workers
// that log in with the roles that init made. Its user is the operator.
type cluster struct {
	*user
	admin   *user // with the root token
	engine  *lab.Engine
	ledgers string // folder of the ledger worker
	common  []string
}

func startCluster(t *testing.T, e *estate.Estate, file string, env ...string) *cluster {
	t.Helper()
	engine, err := lab.StartEngine(t.Context(), lab.EngineOptions{Dir: filepath.Join(e.Dir, "cluster")})
	require.NoError(t, err)
	t.Cleanup(engine.Kill)
	c := &cluster{engine: engine, ledgers: filepath.Join(e.Dir, "ledger")}
	// An empty value wins over whatever the test's own environment holds.
	c.common = append([]string{
		"HOME=" + e.Dir, "TEMPORAL_ADDRESS=" + engine.Address(), "VAULT_ADDR=" + e.Vault.Address(), "VAULT_TOKEN=", "VAULT_CLIENT_TIMEOUT=",
	}, env...)
	c.user, c.admin = newUser(t, e, file), newUser(t, e, file)
	c.admin.env = append(c.common, "VAULT_TOKEN="+e.Vault.RootToken().Reveal())
	c.admin.must("init")
	c.user.env = append(c.common, c.login(vault.OperatorPolicy)...)
	return c
}

// login makes a secret-id for one of the roles of init, as an administrator
// does for each machine.
func (c *cluster) login(role string) []string {
	c.t.Helper()
	at := "auth/approle/role/" + role
	id, err := c.e.Vault.Client().Logical().Read(at + "/role-id")
	require.NoError(c.t, err)
	secret, err := c.e.Vault.Client().Logical().Write(at+"/secret-id", nil)
	require.NoError(c.t, err)
	file := filepath.Join(c.e.Dir, role+".secret-id")
	require.NoError(c.t, os.WriteFile(file, []byte(secret.Data["secret_id"].(string)+"\n"), 0o600))
	return []string{"ROLLCALL_ROLE_ID=" + id.Data["role_id"].(string), "ROLLCALL_SECRET_ID_FILE=" + file}
}

// worker starts one that rotates. It is given no campaign file.
func (c *cluster) worker(env ...string) *service {
	return c.serve(append(append(c.common, c.login(vault.WorkerPolicy)...), env...), binary, "worker")
}

// countingWorker is worker with counters for Prometheus.
func (c *cluster) countingWorker() *service {
	return c.serve(append(c.common, c.login(vault.WorkerPolicy)...), binary, "worker", "--metrics", "127.0.0.1:0")
}

// metrics are the counters of a worker, as it serves them.
func (s *service) metrics() string {
	_, text := s.served("metrics")
	return text
}

// health is what a worker says of itself.
func (s *service) health() (code int, said string) { return s.served("health") }

func (s *service) served(what string) (code int, text string) {
	s.t.Helper()
	_, rest, found := strings.Cut(s.errors(), what+": ")
	require.True(s.t, found, s.errors())
	url, _, _ := strings.Cut(rest, "\n")
	got, err := http.Get(url)
	require.NoError(s.t, err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	require.NoError(s.t, err)
	return got.StatusCode, string(body)
}

func (c *cluster) ledgerWorker() *service {
	return c.serve(append(c.common, c.login(vault.LedgerPolicy)...), binary, "worker", "--role", "ledger", "--ledger-dir", c.ledgers)
}

func (c *cluster) serve(env []string, args ...string) *service {
	c.t.Helper()
	s := spawn(c.t, c.e.Dir, env, args...)
	require.Eventually(c.t, func() bool { return s.said("serving Temporal") || s.said("writing to") || s.over() }, patience, tick)
	require.False(c.t, s.over(), "%v: %s", args, s.errors())
	return s
}

// state folds the ledger of a campaign.
func (c *cluster) state(campaign string) *ledger.State {
	c.t.Helper()
	r, err := ledger.OpenReader(filepath.Join(c.ledgers, campaign))
	require.NoError(c.t, err)
	s, err := r.State(context.Background())
	require.NoError(c.t, err)
	return s
}

// histories calls each with every event of the newest campaign of the device
// and of its wave 0.
func (c *cluster) histories(campaign string, each func(*historypb.HistoryEvent)) {
	c.t.Helper()
	api, err := client.Dial(client.Options{HostPort: c.engine.Address()})
	require.NoError(c.t, err)
	defer api.Close()
	id := workflows.CampaignID(estate.Device)
	for wave := 0; ; wave++ {
		events := api.GetWorkflowHistory(context.Background(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			var none *serviceerror.NotFound
			if wave > 1 && errors.As(err, &none) {
				return // there are no more waves
			}
			require.NoError(c.t, err)
			each(e)
		}
		id = workflows.WaveID(campaign, wave)
	}
}

// service is a process that runs until it is told to end.
type service struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  string // standard error
	out  string
	done chan struct{}
}

func spawn(t *testing.T, dir string, env []string, args ...string) *service {
	t.Helper()
	logs := t.TempDir()
	s := &service{t: t, cmd: exec.Command(args[0], args[1:]...), log: filepath.Join(logs, "err"), out: filepath.Join(logs, "out"), done: make(chan struct{})}
	errs, err := os.Create(s.log)
	require.NoError(t, err)
	out, err := os.Create(s.out)
	require.NoError(t, err)
	s.cmd.Dir, s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = dir, append(environ(), env...), out, errs
	require.NoError(t, s.cmd.Start())
	go func() {
		_ = s.cmd.Wait()
		_, _ = out.Close(), errs.Close()
		close(s.done)
	}()
	t.Cleanup(s.kill)
	return s
}

// follow starts a command that takes its time, such as run or watch.
func (u *user) follow(args ...string) *service {
	u.t.Helper()
	cmd := u.command(args...)
	u.t.Cleanup(u.endEngine)
	return spawn(u.t, u.e.Dir, u.env, cmd.Args...)
}

func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

func (s *service) signal(sig syscall.Signal) { require.NoError(s.t, s.cmd.Process.Signal(sig)) }

func (s *service) said(words string) bool { return strings.Contains(s.errors(), words) }

func (s *service) errors() string {
	b, err := os.ReadFile(s.log)
	require.NoError(s.t, err)
	return string(b)
}

func (s *service) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// wait is how it ended.
func (s *service) wait() ran {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(2 * patience):
		require.Fail(s.t, "did not end", "%v: %s", s.cmd.Args, s.errors())
	}
	out, err := os.ReadFile(s.out)
	require.NoError(s.t, err)
	return ran{s.cmd.ProcessState.ExitCode(), string(out), s.errors()}
}

// proxied puts a fault proxy before the directory's write server and one before
// Vault.
func proxied(t *testing.T, e *estate.Estate) (directory, store *faultproxy.Proxy) {
	t.Helper()
	directory = ldapProxy(t, e, e.Slapd.LDAPS())
	store, err := faultproxy.StartHTTP(context.Background(), "127.0.0.1:0", e.Vault.Address(), nil, nil)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	return directory, store
}

// ldapProxy puts a fault proxy before an LDAP server of the estate.
func ldapProxy(t *testing.T, e *estate.Estate, server string) *faultproxy.Proxy {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(e.CA.PEM))
	cert, key, _, err := e.CA.Issue(t.TempDir(), "proxy", time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	p, err := faultproxy.StartLDAP(context.Background(), "127.0.0.1:0", server,
		&tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// pauseAt pauses a directory behind the n-th password that is set from now on,
// which is answered yet.
func pauseAt(p *faultproxy.Proxy, n int) (paused <-chan struct{}) {
	there := make(chan struct{})
	var sets atomic.Int64
	p.OnRequest(func(r faultproxy.Request) {
		if r.Detail == passwordModify && sets.Add(1) == int64(n) {
			p.Pause()
			close(there)
		}
	})
	return there
}

// await waits for what a channel tells by its end.
func await(t *testing.T, told <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(patience):
		require.Fail(t, otherwise)
	}
}

// freeAddress is one at which nobody listens, and that no other test gets.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := lab.FreePort()
	require.NoError(t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// How long to wait for what should come at once, and how often to look. A
// machine that is busy with other tests takes its time.
const (
	patience = 4 * time.Minute
	tick     = 20 * time.Millisecond
)
