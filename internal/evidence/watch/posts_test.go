package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/posted"
	"rollcall/internal/lab"
)

const posterToken = "0123456789abcdef0123"

// posts are those of one source, with a certificate of a CA.
func posts(t *testing.T, source evidence.File) (p *Posts, ca *lab.CA, caFile string) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	cert, key, caFile, err := ca.Issue(t.TempDir(), "watch", time.Hour)
	require.NoError(t, err)
	return &Posts{Sources: []evidence.File{source}, Options: posted.Options{Address: "127.0.0.1:0", Cert: cert, Key: key, Token: token}}, ca, caFile
}

func token(context.Context) (credential.Secret, error) { return credential.NewSecret(posterToken), nil }

// address is where a watch says that it takes posts.
func (r *running) address() string {
	at := ""
	require.Eventually(r.t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, n := range r.notes {
			if _, rest, ok := strings.Cut(n, "https://"); ok {
				at, _, _ = strings.Cut(rest, "/")
			}
		}
		return at != ""
	}, soon, time.Millisecond)
	return at
}

// curl posts as a person does.
func curl(t *testing.T, ca, url string, text string, more ...string) string {
	args := append([]string{"-sS", "--cacert", ca, "-H", "Authorization: Bearer " + posterToken, "--data-binary", "@-", url}, more...)
	cmd := exec.CommandContext(t.Context(), "curl", args...)
	cmd.Stdin = strings.NewReader(text)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	return string(said)
}

func TestWhatIsPostedIsToldAndReadOnAfterARestart(t *testing.T) {
	o := options(t)
	var ca string
	o.Posts, _, ca = posts(t, evidence.File{Path: "ldap", Authority: "corp"})
	r := start(t, o)
	at := r.address()
	url := "https://" + at + "/lines/ldap"
	require.Equal(t, "taken: 3\n", curl(t, ca, url, refused("203.0.113.2")))
	r.until("probable tried-after-rotation 203.0.113.2")
	// In the middle of a login.
	text := strings.SplitAfter(refused("203.0.113.3"), "\n")
	curl(t, ca, url, text[0]+text[1])
	r.stop()
	require.NoError(t, r.err)
	require.Equal(t, "post:ldap", r.told[0].Alerts[0].Seen[0].File)
	require.Equal(t, 2, r.told[0].Alerts[0].Seen[0].Line)

	o.Roll = options(t).Roll
	second := start(t, o)
	url = "https://" + second.address() + "/lines/ldap"
	curl(t, ca, url, text[2])
	second.until("probable tried-after-rotation 203.0.113.3")
	second.stop()
	require.Len(t, second.says(), 1)
	require.Len(t, r.says(), 1)
}

func TestWhatKeepsLinesFromBeingPostedIsTold(t *testing.T) {
	o := options(t)
	var ca string
	o.Posts, _, ca = posts(t, evidence.File{Path: "ldap"})
	r := start(t, o)
	at := r.address()
	require.Contains(t, curl(t, ca, "https://"+at+"/lines/ldap", "PLANTED", "-H", "Content-Encoding: br"), "Content-Encoding is gzip")
	r.until("posts-refused")
	curl(t, ca, "https://"+at+"/lines/ldap", "PLANTED is no line\n")
	r.until("log-not-understood")
	r.stop()
	require.NoError(t, r.err)
	for _, b := range r.told {
		require.NotContains(t, fmt.Sprint(b), "PLANTED")
		require.NotContains(t, fmt.Sprint(b), posterToken)
	}
}

// A real server's log, posted in pieces by several at once, to a watch that is
// killed between keeping a post and answering it: who got no answer sends
// again, and it is one finding.
func TestAPostWhoseAnswerAKillSwallowedComesToOneFinding(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	p, ca, caFile := posts(t, evidence.File{})
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Stats: true, Accounts: []lab.Account{{UID: "svc", Password: "new"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM)
	bind := func(address string) {
		c, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
		require.NoError(t, err)
		_ = c.Bind(s.AccountDN("svc"), "stolen")
		require.NoError(t, c.Close())
	}
	dn := s.AccountDN("svc")
	dir := t.TempDir()
	c := child{Folder: filepath.Join(dir, "state"), Roll: filepath.Join(dir, "roll.json"), Out: filepath.Join(dir, "out.json"), Cert: p.Cert, Key: p.Key}
	put(t, c.Out, "")
	all, err := json.Marshal([]judge.Credential{{ID: "corp/svc", Name: dn, Authority: "corp", Accounts: []judge.Account{{Form: event.DN, Name: dn}}, Rotated: time.Now()}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.Roll, all, 0o600))
	// shipped is what the log gained, to its end.
	var had int
	shipped := func() string {
		require.Eventually(t, func() bool { return allClosed(t, s.LogFile()) }, soon, 20*time.Millisecond)
		text, err := os.ReadFile(s.LogFile())
		require.NoError(t, err)
		whole := bytes.LastIndexByte(text, '\n') + 1
		defer func() { had = whole }()
		return string(text[had:whole])
	}
	known := func(address string) {
		t.Helper()
		require.Eventually(t, func() bool {
			return len(c.ids(t)[string(judge.TriedAfter)+" "+dn+" "+address]) == 1
		}, soon, 20*time.Millisecond)
	}
	first := c.begin(t)
	bind("127.0.0.61")
	require.Contains(t, curl(t, caFile, c.url(t), shipped()), "taken: ")
	known("127.0.0.61")

	bind("127.0.0.62")
	again := shipped()
	silent, err := tls.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(c.url(t), "https://"), "/lines/ldap"), &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	_, err = fmt.Fprintf(silent, "POST /lines/ldap HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", posterToken, len(again), again)
	require.NoError(t, err)
	kept := filepath.Join(c.Folder, postsFolder, "ldap", "lines")
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(kept)
		return err == nil && strings.Contains(string(text), again)
	}, soon, time.Millisecond)
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	require.NoError(t, silent.Close())

	require.NoError(t, os.Remove(c.Out+".at"))
	second := c.begin(t)
	require.Contains(t, []string{"this post was taken before\n", fmt.Sprintf("taken: %d\n", strings.Count(again, "\n"))}, curl(t, caFile, c.url(t), again))
	require.Equal(t, "this post was taken before\n", curl(t, caFile, c.url(t), again))
	known("127.0.0.62")
	// Several shippers at once.
	var texts []string
	for i := range 4 {
		bind(fmt.Sprintf("127.0.0.7%d", i))
		texts = append(texts, shipped())
	}
	said := make(chan string, len(texts))
	for _, text := range texts {
		go func() { said <- curl(t, caFile, c.url(t), text, "--compressed") }()
	}
	for range texts {
		require.Contains(t, <-said, "taken: ")
	}
	for i := range 4 {
		known(fmt.Sprintf("127.0.0.7%d", i))
	}
	require.NoError(t, second.Process.Signal(os.Interrupt))
	require.NoError(t, second.Wait())
	got := c.ids(t)
	require.Len(t, got, 6)
	for what, ids := range got {
		require.Len(t, ids, 1, what)
	}
}

// ids are those under which each finding was told: what was just being told
// when the process was killed is told again, under the same.
func (c child) ids(t *testing.T) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	f, err := os.Open(c.Out)
	require.NoError(t, err)
	defer f.Close()
	for in := json.NewDecoder(f); ; {
		var b Batch
		if in.Decode(&b) != nil { // its end, or it is being written
			return out
		}
		for _, a := range b.Alerts {
			key := string(a.Code) + " " + a.Account + " " + a.Address
			if out[key] == nil {
				out[key] = map[string]bool{}
			}
			out[key][a.ID] = true
		}
	}
}
