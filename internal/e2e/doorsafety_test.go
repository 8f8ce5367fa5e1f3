package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/mail"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// gate stands in front of a service, counts the connections to it and can hold
// one. A door makes one for each login.
type gate struct {
	net.Listener
	to func(n int) string

	mu   sync.Mutex
	n    int
	hold map[int]chan struct{}
}

func startGate(t *testing.T, to func(n int) string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	g := &gate{Listener: l, to: to, hold: map[int]chan struct{}{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	return g
}

func (g *gate) pass(near net.Conn) {
	defer near.Close()
	g.mu.Lock()
	g.n++
	n, held := g.n, g.hold[g.n]
	g.mu.Unlock()
	if held != nil {
		close(held)
		_, _ = io.Copy(io.Discard, near) // until whoever is there has died
		return
	}
	far, err := net.Dial("tcp", g.to(n))
	if err != nil {
		return
	}
	defer far.Close()
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
}

// holds is closed when connection n is there. It gets no answer.
func (g *gate) holds(n int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold[n] = make(chan struct{})
	return g.hold[n]
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}

// started starts a server of the lab in a folder of its own.
func started[O any, S interface {
	Stop(ctx context.Context) error
}](t *testing.T, start func(context.Context, O) (S, error), o O) S {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := start(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

// operational are the values of an attribute of an account that the server
// keeps by itself.
func operational(t *testing.T, s *lab.Slapd, uid, attribute string) []string {
	t.Helper()
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	got, err := admin.Search(ldap.NewSearchRequest(s.AccountDN(uid), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{attribute}, nil))
	require.NoError(t, err)
	require.Len(t, got.Entries, 1)
	return got.Entries[0].GetAttributeValues(attribute)
}

// A campaign finds machines that go on to take the old values of two accounts,
// and what the operator gave it to end that.
//
// On the same servers, another one: the third wrong login locks an account, at
// the directory and at another one that stands behind one of the doors, and the
// doors answer wrong logins late and keep good ones. Its worker is killed
// between two tries at a door again and again.
func TestDoorsLockNoAccountWhereverTheWorkerDiesAndAreFlushedOnce(t *testing.T) {
	t.Parallel()
	threshold := lab.SlapdPolicy{History: 5, MaxFailure: 3, LockoutDuration: 15 * time.Minute}
	e := startEstate(t, estate.Options{Accounts: 5, Policy: threshold, Doors: "svc-esg-", DoorCache: time.Hour, DoorDelays: true, Relay: true})
	flushesOnce(t, e)
	locksNobody(t, e, threshold)
}

func locksNobody(t *testing.T, e *estate.Estate, threshold lab.SlapdPolicy) {
	const behind = "svc-esg-0003" // its files are kept elsewhere too
	other := started(t, lab.StartSlapd, lab.SlapdOptions{Dir: t.TempDir(), CA: e.CA, Policy: threshold, Accounts: lab.SeedAccounts("svc-esg-", 5)})
	files := started(t, lab.StartProFTPD, lab.ProFTPDOptions{Dir: t.TempDir(), CA: e.CA, Directory: other})
	archive := startGate(t, func(int) string { return files.Address("strict") })
	mails := startGate(t, func(int) string { return e.Mail.Address("imaps") })
	doors := strings.Replace(strings.ReplaceAll(e.DoorsYAML(), "svc-esg-*", "svc-esg-000[1-3]"), e.Mail.Address("imaps"), mails.Addr().String(), 1) +
		fmt.Sprintf("  archive: {type: ftp, address: %q, ca_file: ca.pem, for: [{directory: corp, account: %s}]}\n", archive.Addr(), behind)
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5s, batch: 20}\n"+doors)
	require.NoError(t, err)
	u := newUser(t, e, file)
	asked := accountsNamed(e, "svc-esg-")[:3]

	provedOnly := func() {
		for _, l := range u.ledger().Credentials {
			require.True(t, l.Outcome != ledger.Dead || len(l.AtDoors) == len(l.Doors), "%s is called dead without its doors", l.Name)
		}
		for _, a := range accountsNamed(e, "svc-esg-") {
			require.Less(t, len(operational(t, e.Slapd, a.uid(), "pwdFailureTime")), 3)
		}
	}
	// Between the new value and the old one, between the old one and the new
	// one, and between two accounts. Before all, the listing asks each door
	// about nobody, once.
	const nobody = 1
	for _, n := range []int{nobody + 2, nobody + 5, nobody + 6 + 13} {
		there := mails.holds(n)
		cmd, said := u.begin("run")
		select {
		case <-there:
		case <-time.After(patience):
			require.FailNow(t, "the door was not asked", "%d times\n%s", n, said)
		}
		require.True(t, u.kill(cmd, "worker"))
		provedOnly()
	}
	last := u.run("run")
	require.Equal(t, 2, last.code, last.out+last.err)
	provedOnly()

	state := u.ledger()
	for _, a := range asked {
		require.Empty(t, operational(t, e.Slapd, a.uid(), "pwdAccountLockedTime"))
		require.Empty(t, operational(t, e.Slapd, a.uid(), "pwdFailureTime"), "no wrong login is left behind")
		require.Empty(t, operational(t, other, a.uid(), "pwdAccountLockedTime"), "nor does one lock it elsewhere")
		l := state.Credential(a.ID)
		if a.uid() == behind {
			require.Equal(t, protocol.ReasonDoorRefusesNew, l.Reason, l.Detail)
			require.Equal(t, "archive", l.Server)
			continue
		}
		require.Equal(t, ledger.Dead, l.Outcome, "%s: %s", l.Reason, l.Detail)
		require.Len(t, l.AtDoors, 3)
		for _, ev := range l.AtDoors {
			require.Equal(t, []protocol.Reply{protocol.Accepted, protocol.Refused, protocol.Accepted}, []protocol.Reply{ev.First, ev.Old, ev.New}, ev.Door)
		}
	}
	require.LessOrEqual(t, archive.count(), nobody+2, "a new value that is refused twice is offered no more, whoever has died")
	require.LessOrEqual(t, mails.count(), nobody+6+13+3*13, "thirteen logins for each account, and those of the passes that were killed")
	u.must("ledger", "verify")
}

func flushesOnce(t *testing.T, e *estate.Estate) {
	// Machines behind one address, each of which remembers both accounts.
	machines := []*lab.Dovecot{}
	at := []string{}
	for range 2 {
		dir := t.TempDir()
		machines = append(machines, started(t, lab.StartDovecot, lab.DovecotOptions{Dir: dir, CA: e.CA, Directory: e.Slapd, Cache: time.Hour, AtOnce: true}))
		at = append(at, filepath.Join(dir, "dovecot.conf"))
	}
	const flushed, kept = "svc-esg-0004", "svc-esg-0005"
	values := map[string]string{"the token": e.Vault.RootToken().Reveal(), "the bind password": e.Slapd.BinderPassword}
	for _, a := range accountsNamed(e, "svc-esg-") {
		old := live(t, e, e.Live[a.ID])
		values["stolen "+a.uid()], values["old "+a.uid()] = a.Password, old.Reveal()
		for _, m := range machines {
			d := mail.OpenIMAP(door.Settings{Type: "imaps", Address: m.Address("imaps"), TLS: door.Implicit, CA: string(e.CA.PEM), Timeout: time.Minute})
			require.Equal(t, protocol.Accepted, d.Ask(t.Context(), a.uid(), old).Reply)
		}
	}
	// One of the two commands does its work.
	folder, out := t.TempDir(), t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755))
	command := filepath.Join(folder, "dovecot")
	require.NoError(t, os.WriteFile(command, []byte(`#!/bin/sh
{ echo "args: $*"; tr '\0' '\n' </proc/$$/environ; } >>`+out+`/$1
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' >>`+out+`/processes
for p in /proc/[0-9]*; do
	case $(readlink $p/exe) in *rollcall-engine) tr '\0' '\n' <$p/environ >>`+out+`/engine ;; esac
done
[ "$1" = `+flushed+` ] || exit 7
for conf in `+strings.Join(at, " ")+`; do doveadm -c $conf auth cache flush "$1" || exit 1; done
`), 0o755))
	doors, gates := "doors:\n", map[string]*gate{}
	for name, uid := range map[string]string{"first": flushed, "second": kept} {
		gates[uid] = startGate(t, func(n int) string { return machines[n%2].Address("imaps") })
		doors += fmt.Sprintf("  %s: {type: imaps, address: %q, ca_file: ca.pem, software: dovecot, flush: {command: [%s, \"{login}\"]}, for: [{directory: corp, account: %s}]}\n",
			name, gates[uid].Addr(), command, uid)
	}
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 6s, batch: 20}\n"+doors)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	u.env = append(u.env, "ROLLCALL_FLUSH_DIR="+folder)
	ran := u.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)

	state, seen := u.ledger(), ran.out+ran.err+u.must("ledger", "cat")
	for _, a := range accountsNamed(e, "svc-esg-") {
		l := state.Credential(a.ID)
		values["new "+a.uid()] = live(t, e, e.Live[a.ID]).Reveal()
		var code credential.FindingCode
		detail := ""
		for _, f := range l.Findings {
			if f.Code == credential.FindingFlushed || f.Code == credential.FindingFlushFailed {
				code, detail = f.Code, f.Detail
			}
		}
		switch a.uid() {
		case flushed:
			require.Equal(t, ledger.Dead, l.Outcome, "%s: %s", l.Reason, l.Detail)
			require.Equal(t, credential.FindingFlushed, code)
			require.GreaterOrEqual(t, gates[flushed].count(), 5, "the new one, the old one, which it takes; and all three after the flush, at more than one machine")
		case kept:
			require.Equal(t, protocol.ReasonDoorTakesOld, l.Reason, l.Detail)
			require.Equal(t, "second", l.Server)
			require.Equal(t, credential.FindingFlushFailed, code)
			require.Contains(t, detail, "exit code 7")
			require.GreaterOrEqual(t, gates[kept].count(), 4, "it was asked again, in another pass")
		default:
			require.Equal(t, ledger.Dead, l.Outcome, "it has no door: %s", l.Detail)
			continue
		}
		told := readFile(t, filepath.Join(out, a.uid()))
		require.Equal(t, 1, strings.Count(told, "args: "), "run once for an account and door")
		require.Contains(t, told, "args: "+a.uid()+"\n")
		for _, line := range strings.Split(strings.TrimSpace(told), "\n")[1:] {
			name, _, _ := strings.Cut(line, "=")
			require.Contains(t, []string{"PATH", "PWD", "ROLLCALL_DOOR", "ROLLCALL_LOGIN", "ROLLCALL_DEVICE", "ROLLCALL_CAMPAIGN"}, name)
		}
		seen += told
	}
	processes, engine := readFile(t, filepath.Join(out, "processes")), readFile(t, filepath.Join(out, "engine"))
	require.NotEmpty(t, engine)
	require.NotContains(t, engine, "VAULT_TOKEN")
	require.Contains(t, processes, "rollcall")
	for what, value := range values {
		require.NotEmpty(t, value, what)
		require.NotContains(t, seen, value, what)
		require.NotContains(t, processes, value, what)
		require.NotContains(t, engine, value, what)
	}
}
