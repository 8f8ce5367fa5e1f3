package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// asking is the user on a machine whose resolver asks the lab's name server and
// no other (a mount namespace with a resolv.conf of its own). It needs root, as
// a domain does.
func (u *user) asking() (*user, *lab.DNS) {
	u.t.Helper()
	require.Zero(u.t, os.Geteuid(), "a name server on port 53 needs root: run the tests as root (sudo -E)")
	var dns *lab.DNS
	for n := 2; ; n++ {
		var err error
		if dns, err = lab.StartDNS(fmt.Sprintf("127.0.53.%d:53", n)); err == nil {
			break
		}
		require.Less(u.t, n, 250, "%v", err)
	}
	u.t.Cleanup(dns.Close)
	file := filepath.Join(u.t.TempDir(), "resolv.conf")
	require.NoError(u.t, os.WriteFile(file, []byte("nameserver "+strings.TrimSuffix(dns.Addr(), ":53")+"\noptions attempts:3 timeout:5\n"), 0o644))
	v := *u
	v.under = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, file}
	v.env = append(append([]string{}, u.env...), "GODEBUG=netdns=go")
	return &v, dns
}

// local is a server of the lab by name, for which its certificate is good too.
func local(t *testing.T, server string) (string, lab.SRV) {
	t.Helper()
	at, err := url.Parse(server)
	require.NoError(t, err)
	port, err := strconv.Atoi(at.Port())
	require.NoError(t, err)
	return "ldaps://localhost:" + at.Port(), lab.SRV{Target: "localhost", Port: uint16(port)}
}

func TestServersFoundInDNSAreFoundOnceForEachCampaignAndAskedLikeThoseOfTheFile(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Replica: true})
	e.Directory = "    discover: dns\n"
	write, writeAt := local(t, e.Slapd.LDAPS())
	replica, replicaAt := local(t, e.Replica.LDAPS())
	file, err := e.CampaignFile([]string{write}, "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 10m}\n")
	require.NoError(t, err)
	u, dns := newUser(t, e, file).asking()
	u.must("init")

	const service = "_ldaps._tcp.example.org"
	refused := u.run("run")
	require.Equal(t, 1, refused.code)
	require.Contains(t, refused.err, "DNS has no SRV record "+service)
	require.Zero(t, u.entries(), "nothing was begun")
	dns.Service(service, writeAt, replicaAt)
	require.Contains(t, u.must("list"), "servers of corp: "+write+" "+replica)
	require.Contains(t, u.must("plan"), "2 servers")
	require.Contains(t, u.must("doctor"), "dns and the file: "+write+", "+replica)

	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	lagging := func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging && l.Server == replica }) == 4
	}
	requireSoon(t, "every credential waits for the server that was found", said, lagging)

	// Another process goes on with it, on a day on which DNS says something
	// else.
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	dns.Service(service, writeAt)
	cmd, said = u.begin("run")
	before := u.entries()
	requireSoon(t, "it is rejoined", said, func() bool { return strings.Contains(said.String(), "rejoining campaign") })
	require.Never(t, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }) > 0
	}, 2*time.Second, 100*time.Millisecond, "the server that lags was dropped")
	require.GreaterOrEqual(t, u.entries(), before)
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	require.NoError(t, cmd.Wait(), said.String())
	state := u.ledger()
	require.Equal(t, map[string][]string{"corp": {write, replica}}, state.Servers)
	for _, l := range state.Credentials {
		require.Equal(t, ledger.Dead, l.Outcome)
		require.Equal(t, []string{write, replica}, []string{l.Evidence[0].Server, l.Evidence[1].Server})
	}
	u.must("ledger", "verify")
	requireConsumersServed(t, e)

	next := u.run("run")
	require.Equal(t, 2, next.code, "the server that DNS names no more may have the stolen values: %s", next.out)
	require.Contains(t, next.out, "more-servers")
	require.Equal(t, map[string][]string{"corp": {write}}, u.ledger().Servers, "the next campaign looks afresh")
}

// The domain was joined by another controller once, and nobody has removed what
// is left of it: it may be switched off, with every stolen password in it.
func TestADomainControllerThatIsFoundAndDoesNotAnswerIsNeverPassedOver(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Domain: 3})
	require.NoError(t, e.Domain.AddController(t.Context(), "dc2.ad.example.org"))
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 10m}\n")
	require.NoError(t, err)
	base, dns := newUser(t, e, file).asking()
	base.must("init")
	gone := "ldaps://dc2.ad.example.org" + e.Domain.LDAPS()[strings.LastIndex(e.Domain.LDAPS(), ":"):]

	wrong, code := diagnose(t, base)
	require.Equal(t, 1, code)
	require.Len(t, wrong, 1, "%v", wrong)
	require.Equal(t, "servers", wrong[0].What)
	require.Contains(t, wrong[0].Detail, "dc2.ad.example.org")

	u := base.edited("driver: active-directory\n", "driver: active-directory\n    discover: configuration\n")
	wrong, code = diagnose(t, u)
	require.Equal(t, 1, code)
	require.Len(t, wrong, 1, "%v", wrong)
	require.Equal(t, estate.DomainName+" "+gone, wrong[0].Where)
	require.Equal(t, "connect", wrong[0].What)

	// In DNS the domain has one controller, by the name that it gives itself.
	dns.Service("_ldap._tcp.dc._msdcs.ad.example.org", lab.SRV{Target: "dc1.ad.example.org", Port: 389})
	byDNS := base.edited("driver: active-directory\n", "driver: active-directory\n    discover: dns\n")
	listed := byDNS.run("list")
	require.Equal(t, 1, listed.code, "the domain knows of another one, and no campaign begins without it")
	require.Contains(t, strings.Join(strings.Fields(listed.err), " "), "servers leaves out 1: dc2.ad.example.org")
	require.Contains(t, listed.out, "servers of windows: "+e.Domain.LDAPS()+"\n")
	require.Contains(t, listed.err, "warning: more-servers: directory windows: the domain has 2 domain controllers")
	require.Contains(t, strings.Join(strings.Fields(listed.err), " "), "these are not asked: dc2.ad.example.org")

	cmd, said := u.begin("run")
	requireSoon(t, "the accounts of the domain wait for it", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool {
			return l.Reason == protocol.ReasonUnreachable && l.Server == gone
		}) == 3
	})
	require.Zero(t, u.count(func(l *ledger.CredentialState) bool {
		return l.Kind == credential.ADPassword && l.Outcome == ledger.Dead
	}))
	u.must("leave-out", "--server", gone, "--reason", "scrapped last year, its metadata was left behind")
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	state := u.ledger()
	require.Equal(t, []string{e.Domain.LDAPS(), gone}, state.Servers[estate.DomainName])
	for _, l := range state.Credentials {
		require.Equal(t, ledger.Dead, l.Outcome, l.Name)
		if l.Kind == credential.ADPassword {
			require.Equal(t, []string{gone}, l.LeftOut)
		} else {
			require.Empty(t, l.LeftOut, "another directory's servers are all asked")
		}
	}
	u.must("ledger", "verify")
	requireConsumersServed(t, e)
}
