package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/posted"
	"rollcall/internal/lab"
	"rollcall/internal/wholefile"
)

// childEnv has this program be a watch of its own, which can be killed.
const childEnv = "ROLLCALL_TEST_WATCH"

type child struct {
	Log, Folder, Roll, Out string
	Cert, Key              string // it takes posts in place of a log
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		var c child
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			panic(err)
		}
		os.Exit(c.run())
	}
	os.Exit(m.Run())
}

func (c child) run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	out, err := os.OpenFile(c.Out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	last := ""
	o := Options{
		Folder: c.Folder, Files: []evidence.File{{Path: c.Log, Authority: "corp"}}, Every: 20 * time.Millisecond, Again: time.Hour, In: strings.NewReader(""),
		Evidence: evidence.Options{Drivers: map[string]string{"corp": "openldap"}, Judge: judge.Options{
			Windows: []judge.Window{{From: time.Now().Add(-48 * time.Hour), To: time.Now().Add(-24 * time.Hour)}},
			Device:  []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Usual: []netip.Prefix{netip.MustParsePrefix("127.0.0.5/32")},
		}},
		Roll: func(context.Context) (all []judge.Credential, changed bool, err error) {
			text, err := os.ReadFile(c.Roll)
			if err == nil {
				err = json.Unmarshal(text, &all)
			}
			changed, last = last != string(text), string(text)
			return all, changed, err
		},
		Show: func(b Batch) error { return json.NewEncoder(out).Encode(b) },
		Say: func(format string, args ...any) {
			text := fmt.Sprintf(format, args...)
			fmt.Fprintln(os.Stderr, text)
			if _, rest, ok := strings.Cut(text, "https://"); ok {
				at, _, _ := strings.Cut(rest, "/")
				_ = wholefile.Write(c.Out+".at", []byte(at), 0o600)
			}
		},
	}
	if c.Cert != "" {
		o.Files = nil
		o.Posts = &Posts{Sources: []evidence.File{{Path: "ldap", Authority: "corp"}}, Options: posted.Options{Address: "127.0.0.1:0", Cert: c.Cert, Key: c.Key, Token: token}}
	}
	if _, err = Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// begin starts it and waits until it follows.
func (c child) begin(t *testing.T) *exec.Cmd {
	text, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	before, _ := os.ReadFile(filepath.Join(c.Folder, stateFile))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		now, err := os.ReadFile(filepath.Join(c.Folder, stateFile))
		return err == nil && string(now) != string(before)
	}, soon, 10*time.Millisecond)
	return cmd
}

// url is where it takes posts.
func (c child) url(t *testing.T) (url string) {
	require.Eventually(t, func() bool {
		at, err := os.ReadFile(c.Out + ".at")
		url = "https://" + string(at) + "/lines/ldap"
		return err == nil
	}, soon, 10*time.Millisecond)
	return url
}

// told are the findings, by code and address, and how often each was told.
func (c child) told(t *testing.T) (out map[string]int, ids map[string]bool) {
	out, ids = map[string]int{}, map[string]bool{}
	f, err := os.Open(c.Out)
	require.NoError(t, err)
	defer f.Close()
	for in := json.NewDecoder(f); ; {
		var b Batch
		err := in.Decode(&b)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // it is being written
			return out, ids
		}
		require.NoError(t, err)
		for _, a := range b.Alerts {
			out[string(a.Code)+" "+a.Account+" "+a.Address]++
			require.False(t, ids[a.ID], "%s is told twice", a.ID)
			ids[a.ID] = true
		}
		for _, x := range b.Troubles {
			out[string(x.Code)]++
		}
	}
}

var opened = regexp.MustCompile(`(conn=\d+ fd=\d+) ACCEPT from IP=([0-9.]+):`)

// allClosed reports whether slapd has written the end of each connection that
// came from elsewhere than the lab itself.
func allClosed(t *testing.T, path string) bool {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, m := range opened.FindAllSubmatch(text, -1) {
		if string(m[2]) != "127.0.0.1" && !bytes.Contains(text, append(m[1], " closed"...)) {
			return false
		}
	}
	return true
}

// A watch of a real server's log, through rotation and a kill: what a thief
// tries is told, once, with the address, whenever he does.
func TestAThiefIsSeenWhateverHappensToTheLogAndTheWatch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Stats: true, Accounts: []lab.Account{{UID: "svc", Password: "stolen"}, {UID: "passer-by", Password: "typed"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	dial := func(address string) *ldap.Conn {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(s.CA))
		c, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
		require.NoError(t, err)
		return c
	}
	bind := func(address, uid, password string) {
		c := dial(address)
		_ = c.Bind(s.AccountDN(uid), password)
		require.NoError(t, c.Close())
	}
	dn := s.AccountDN("svc")
	dir := t.TempDir()
	c := child{Log: s.LogFile(), Folder: filepath.Join(dir, "state"), Roll: filepath.Join(dir, "roll.json"), Out: filepath.Join(dir, "out.json")}
	put(t, c.Out, "")
	is := judge.Credential{ID: "corp/svc", Name: dn, Authority: "corp", Accounts: []judge.Account{{Form: event.DN, Name: dn}}}
	know := func() {
		text, err := json.Marshal([]judge.Credential{is})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(c.Roll+".new", text, 0o600))
		require.NoError(t, os.Rename(c.Roll+".new", c.Roll))
	}
	want := map[string]int{}
	// told waits for what is new.
	told := func(code, account, address string) {
		t.Helper()
		want[code+" "+account+" "+address]++
		require.Eventually(t, func() bool {
			got, _ := c.told(t)
			state, err := os.ReadFile(filepath.Join(c.Folder, stateFile))
			require.NoError(t, err)
			return got[code+" "+account+" "+address] > 0 && !strings.Contains(string(state), `"telling"`)
		}, soon, 20*time.Millisecond, "%s %s", code, address)
	}
	tried := string(judge.TriedAfter)

	bind("127.0.0.60", "svc", "wrong") // before anybody looked
	know()
	first := c.begin(t)
	bind("127.0.0.61", "svc", "wrong") // before the value is dead
	admin, err := s.AdminConn(ctx)
	require.NoError(t, err)
	defer admin.Close()
	change := ldap.NewModifyRequest(dn, nil)
	change.Replace("userPassword", []string{"new"})
	require.NoError(t, admin.Modify(change))
	is.Rotated = time.Now()
	bind("127.0.0.66", "svc", "stolen") // and before the ledger says so
	know()
	told(tried, dn, "127.0.0.66")
	bind("127.0.0.5", "svc", "new")
	bind("127.0.0.5", "svc", "stolen") // a consumer that was missed
	for range 100 {
		bind("127.0.0.66", "svc", "guess") // counted
	}
	bind("127.0.0.2", "passer-by", "typed")
	told(string(judge.NotOnRoll), s.AccountDN("passer-by"), "127.0.0.2")

	// Copied and truncated. What slapd wrote between the two would be lost.
	require.Eventually(t, func() bool { return allClosed(t, s.LogFile()) }, soon, 20*time.Millisecond)
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.LogFile()+".1", text, 0o600))
	require.NoError(t, os.Truncate(s.LogFile(), 0))
	bind("127.0.0.67", "svc", "stolen")
	told(tried, dn, "127.0.0.67")

	// Killed; a login on a connection of before it, and others while nobody
	// looks, in a log that is rotated by a server that starts anew.
	open := dial("127.0.0.70")
	bind("127.0.0.71", "svc", "stolen")
	told(tried, dn, "127.0.0.71")
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	_ = open.Bind(dn, "stolen")
	require.NoError(t, open.Close())
	bind("127.0.0.68", "svc", "stolen")
	require.NoError(t, s.Stop(ctx))
	require.NoError(t, os.Rename(s.LogFile(), s.LogFile()+".2"))
	require.NoError(t, s.Restart(ctx))
	bind("127.0.0.69", "svc", "stolen")
	second := c.begin(t)
	told(tried, dn, "127.0.0.70")
	told(tried, dn, "127.0.0.68")
	told(tried, dn, "127.0.0.69")
	bind("127.0.0.72", "svc", "stolen")
	told(tried, dn, "127.0.0.72")

	// Renamed while its writer has it open, and killed in the flow.
	require.NoError(t, os.Rename(s.LogFile(), s.LogFile()+".3"))
	put(t, s.LogFile(), "")
	bind("127.0.0.73", "svc", "stolen")
	told(tried, dn, "127.0.0.73")
	require.NoError(t, second.Process.Kill())
	_ = second.Wait()
	bind("127.0.0.74", "svc", "stolen")
	third := c.begin(t)
	told(tried, dn, "127.0.0.74")

	require.NoError(t, third.Process.Signal(syscall.SIGTERM))
	require.NoError(t, third.Wait(), "it ends with exit code 0")
	got, _ := c.told(t)
	require.Contains(t, got, "burst-of-failures  127.0.0.66")
	maps.DeleteFunc(got, func(key string, _ int) bool { return strings.HasPrefix(key, string(judge.Burst)) })
	require.Equal(t, want, got)
}
