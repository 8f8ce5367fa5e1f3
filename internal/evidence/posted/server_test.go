package posted

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// soon is what anything may take on a busy machine.
const soon = 2 * time.Minute

const right = "0123456789abcdef0123"

// world is a server, with a clock of the test's, and who posts to it.
type world struct {
	t     *testing.T
	in    *Inbox
	s     *Server
	dir   string
	roots *x509.CertPool

	mu    sync.Mutex
	clock time.Time
	vault func() (string, error)
	asked atomic.Int64
}

func serve(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), roots: x509.NewCertPool(), clock: time.Now(), vault: func() (string, error) { return right, nil }}
	ca, err := lab.NewCA()
	require.NoError(t, err)
	w.roots.AppendCertsFromPEM(ca.PEM)
	cert, key, _, err := ca.Issue(w.dir, "watch", time.Hour)
	require.NoError(t, err)
	w.in, err = Open(filepath.Join(w.dir, "posted"), []string{"a", "b"}, w.now)
	require.NoError(t, err)
	w.s, err = Listen(t.Context(), w.in, Options{Address: "127.0.0.1:0", Cert: cert, Key: key, Now: w.now, Token: func(context.Context) (credential.Secret, error) {
		w.asked.Add(1)
		w.mu.Lock()
		defer w.mu.Unlock()
		text, err := w.vault()
		return credential.NewSecret(text), err
	}})
	require.NoError(t, err)
	t.Cleanup(func() {
		w.s.Close()
		require.NoError(t, w.in.Close())
	})
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) passes(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) has(text string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vault = func() (string, error) { return text, err }
}

// from are the connections of one address.
func (w *world) from(address string) *http.Client {
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial.DialContext, TLSClientConfig: &tls.Config{RootCAs: w.roots}}}
}

type request struct {
	address, method, path, token, packed, kind string
	body                                       io.Reader
}

func (w *world) post(r request) (status int, said string) {
	w.t.Helper()
	if r.path == "" {
		r.path = "/lines/a"
	}
	if r.method == "" {
		r.method = http.MethodPost
	}
	if r.address == "" {
		r.address = "127.0.0.1"
	}
	req, err := http.NewRequest(r.method, "https://"+w.s.Address()+r.path, r.body)
	require.NoError(w.t, err)
	if r.token != "none" {
		if r.token == "" {
			r.token = right
		}
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.packed != "" {
		req.Header.Set("Content-Encoding", r.packed)
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	res, err := w.from(r.address).Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	require.NotContains(w.t, string(text), "PLANTED", "what was sent is never said again")
	require.NotContains(w.t, string(text), right)
	return res.StatusCode, string(text)
}

func (w *world) kept(source string) string {
	text, err := os.ReadFile(w.in.Path(source))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	require.NoError(w.t, err)
	var out []string
	for _, line := range strings.SplitAfter(string(text), "\n") {
		if !IsMark([]byte(line)) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func pack(t *testing.T, text string, to func(io.Writer) io.WriteCloser) io.Reader {
	var b bytes.Buffer
	w := to(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return &b
}

func toGzip(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func TestWhatIsPostedIsKeptHoweverItIsPacked(t *testing.T) {
	w := serve(t)
	for i, r := range []request{
		{body: strings.NewReader("line 0\r\n\n  \n")},
		{body: pack(t, "line 1\n", toGzip), packed: "gzip"},
		{body: pack(t, "line 2", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), packed: "deflate"},
		{body: pack(t, "line 3\n", func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z }), packed: "zstd"},
		{body: strings.NewReader(` [ "line 4" ]`), kind: "application/json; charset=utf-8"},
		{body: io.MultiReader(strings.NewReader("li"), strings.NewReader("ne 5\n"))}, // of no known length
	} {
		status, said := w.post(r)
		require.Equal(t, 200, status, "%d: %s", i, said)
		require.Equal(t, "taken: 1\n", said)
	}
	require.Equal(t, "line 0\nline 1\nline 2\nline 3\n\"line 4\"\nline 5\n", w.kept("a"))
	status, said := w.post(request{path: "/lines/b", body: strings.NewReader("[29/Nov/2026:10:00:00 +0000] no list\n\x1eno mark\n"), kind: "text/plain"})
	require.Equal(t, 200, status, said)
	require.Equal(t, "[29/Nov/2026:10:00:00 +0000] no list\n no mark\n", w.kept("b"))
	// Events of Windows stand on one line, as wevtutil writes them.
	status, _ = w.post(request{path: "/lines/b", body: strings.NewReader("<Event>1</Event><Event>2</Event>")})
	require.Equal(t, 200, status)
	require.Contains(t, w.kept("b"), "<Event>1</Event>\n<Event>2</Event>\n")
	// What says that all is well without lines.
	status, said = w.post(request{body: strings.NewReader("")})
	require.Equal(t, 200, status)
	require.Equal(t, "taken: 0\n", said)
	require.Zero(t, w.s.Refused())
}

func TestAPostThatComesAgainIsTakenOnceAlsoAcrossACrash(t *testing.T) {
	w := serve(t)
	again := func() string {
		_, said := w.post(request{body: strings.NewReader("one\ntwo\n")})
		return said
	}
	require.Equal(t, "taken: 2\n", again())
	require.Equal(t, "this post was taken before\n", again())
	// The process that kept it died before it answered, in the middle of
	// another one.
	f, err := os.OpenFile(w.in.Path("a"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("half a li")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	in, err := Open(filepath.Join(w.dir, "posted"), []string{"a"}, time.Now)
	require.NoError(t, err)
	w.s.inbox = in
	require.Equal(t, "this post was taken before\n", again())
	_, said := w.post(request{body: strings.NewReader("one\ntwo\nthree\n")})
	require.Equal(t, "taken: 3\n", said)
	require.Equal(t, "one\ntwo\nhalf a li\none\ntwo\nthree\n", w.kept("a"), "a line that was cut off is one of its own")
	require.NoError(t, in.Close())
}

func TestWhatIsRefusedIsToldInPlainWordsAndKeptNowhere(t *testing.T) {
	w := serve(t)
	bomb := pack(t, strings.Repeat("PLANTED ", 200<<17), toGzip) // 200 MiB
	for name, c := range map[string]struct {
		r      request
		status int
		words  string
	}{
		"no token":        {request{token: "none"}, 401, "the token is missing or not the right one"},
		"another token":   {request{token: "PLANTED-PLANTED-PLANTED"}, 401, "the token is missing or not the right one"},
		"no such source":  {request{path: "/lines/PLANTED"}, 404, "post to /lines/SOURCE"},
		"elsewhere":       {request{path: "/PLANTED"}, 404, "post to /lines/SOURCE"},
		"asked":           {request{method: http.MethodGet}, 405, "lines are posted here"},
		"too long":        {request{body: bytes.NewReader(make([]byte, mostBody+1))}, 413, "a post holds 8 MiB at most"},
		"much for nobody": {request{token: "none", body: bytes.NewReader(make([]byte, mostBody))}, 401, "the token is missing"},
		"no end":          {request{body: io.LimitReader(zeros{}, 3*mostBody)}, 413, "a post holds 8 MiB at most"},
		"a bomb":          {request{body: bomb, packed: "gzip"}, 413, "a post holds 8 MiB at most"},
		"other packing":   {request{body: strings.NewReader("PLANTED"), packed: "br"}, 415, "Content-Encoding is gzip, deflate, zstd or none"},
		"none of it":      {request{body: strings.NewReader("PLANTED"), packed: "gzip"}, 400, "cannot be unpacked"},
		"cut off":         {request{body: io.LimitReader(pack(t, strings.Repeat("PLANTED", 1000), toGzip), 20), packed: "gzip"}, 400, "cannot be unpacked"},
		"not said":        {request{body: pack(t, "PLANTED", toGzip)}, 415, "say how it is packed"},
		"half a list":     {request{body: strings.NewReader(`[{"x":"PLANTED"},`), kind: "application/json"}, 400, "no list in JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			status, said := w.post(c.r)
			require.Equal(t, c.status, status, said)
			require.Contains(t, said, c.words)
			require.Less(t, len(said), 300)
		})
	}
	require.Empty(t, w.kept("a"))
	is := w.s.Refused()
	require.Equal(t, []any{3, 11, "127.0.0.1"}, []any{is.Tokens, is.Others, is.From})
	require.NotEmpty(t, is.Why)
	require.Zero(t, w.s.NotTaken())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestALineThatIsTooLongStaysOneAndItsNeighboursAreKept(t *testing.T) {
	w := serve(t)
	status, said := w.post(request{body: strings.NewReader("before\n" + strings.Repeat("x", 3<<20) + "\nbehind\n")})
	require.Equal(t, 200, status, said)
	got := strings.Split(w.kept("a"), "\n")
	require.Equal(t, "before", got[0])
	require.Len(t, got[1], 1<<20+1, "who reads it tells that it is too long")
	require.Equal(t, []string{"behind", ""}, got[2:])
}

func TestATokenIsChangedInVaultWithoutALineLost(t *testing.T) {
	const next = "another-token-of-some-length"
	w := serve(t)
	n := 0
	say := func(token string) int {
		n++ // each is another post
		status, _ := w.post(request{token: token, body: strings.NewReader(fmt.Sprint("line ", n))})
		return status
	}
	require.Equal(t, 200, say(right))
	w.has(right+"\n"+next+"\n", nil) // both, for a while
	w.passes(tokenGap)
	require.Equal(t, 200, say(next), "it is read anew for one that is not known")
	require.Equal(t, 200, say(right))
	w.has(next, nil)
	w.passes(tokenEvery)
	require.NoError(t, w.s.tokens.renew(t.Context(), w.now())) // as each half a minute
	require.Equal(t, 401, say(right))
	require.Equal(t, 200, say(next))
	require.NoError(t, w.s.Trouble())

	// Vault does not answer: what it said last stands.
	w.has("", errors.New("sealed"))
	require.Error(t, w.s.tokens.renew(t.Context(), w.now()))
	require.Equal(t, 200, say(next))
	require.ErrorContains(t, w.s.Trouble(), "sealed")
	// It answers that there is none.
	w.has("", &NoToken{"Vault holds nothing there"})
	require.Error(t, w.s.tokens.renew(t.Context(), w.now()))
	require.Equal(t, 503, say(next))
	require.Equal(t, 1, w.s.NotTaken().Times)
	w.has("short", nil)
	require.Error(t, w.s.tokens.renew(t.Context(), w.now()))
	require.Equal(t, 503, say("short"))
	require.ErrorContains(t, w.s.Trouble(), "too short")
}

// Whether a token is right that Vault was given a moment ago is not known while
// Vault does not answer: who shows it is to send again, and not told that it is
// wrong.
func TestATokenThatVaultCannotBeAskedAboutIsNotCalledWrong(t *testing.T) {
	w := serve(t)
	w.has("", errors.New("sealed"))
	w.passes(tokenGap)
	post := func() (int, string) {
		req, err := http.NewRequest(http.MethodPost, "https://"+w.s.Address()+"/lines/a", strings.NewReader("x\n"))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer another-token-of-some-length")
		res, err := w.from("127.0.0.1").Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode, res.Header.Get("Retry-After")
	}
	for range 2 { // the second within the moment in which Vault is not asked again
		status, after := post()
		require.Equal(t, []any{503, "5"}, []any{status, after})
	}
	require.Zero(t, w.s.Refused().Tokens)
	require.Equal(t, 2, w.s.NotTaken().Times)
	status, _ := w.post(request{body: strings.NewReader("y\n")})
	require.Equal(t, 200, status, "what Vault said last stands")
	status, _ = w.post(request{token: "none"})
	require.Equal(t, 401, status)
	w.has("another-token-of-some-length", nil)
	w.passes(tokenGap)
	status, _ = post()
	require.Equal(t, 200, status)
}

// A look at Vault is for all who post: that the one who asked for it hangs up
// does not break it off.
func TestWhoHangsUpBreaksNoLookAtVaultOff(t *testing.T) {
	const next = "another-token-of-some-length"
	asked, answer := make(chan struct{}), make(chan struct{})
	at := time.Now()
	k := &tokens{now: func() time.Time { return at }, read: func(ctx context.Context) (credential.Secret, error) {
		close(asked)
		select {
		case <-ctx.Done():
			return credential.Secret{}, ctx.Err()
		case <-answer:
			return credential.NewSecret(next), nil
		}
	}}
	poster, hangsUp := context.WithCancel(t.Context())
	first := make(chan bool)
	go func() {
		ok, _ := k.allows(poster, "guess-of-somebody")
		first <- ok
	}()
	<-asked
	hangsUp()
	close(answer)
	require.False(t, <-first)
	require.NoError(t, k.trouble())
	ok, known := k.allows(t.Context(), next)
	require.Equal(t, []bool{true, true}, []bool{ok, known})
}

func TestGuessesOfATokenAskVaultSeldomAndShutNobodyOut(t *testing.T) {
	w := serve(t)
	before, began := w.asked.Load(), time.Now()
	statuses := map[int]int{}
	for i := range 100 {
		status, _ := w.post(request{address: "127.0.0.66", token: fmt.Sprintf("guess-number-%06d", i)})
		statuses[status]++
	}
	require.Equal(t, map[int]int{401: mostWrong, 429: 100 - mostWrong}, statuses)
	status, said := w.post(request{address: "127.0.0.66", body: strings.NewReader("from a neighbour of it\n")})
	require.Equal(t, 200, status, said)
	require.LessOrEqual(t, w.asked.Load()-before, int64(time.Since(began)/tokenEvery)+1, "as it is read by itself; the clock stands still, and nobody's guess has it read")
	w.passes(2 * wrongFor)
	status, _ = w.post(request{address: "127.0.0.66", token: "guess-of-tomorrow"})
	require.Equal(t, 401, status)
	require.Equal(t, 101, w.s.Refused().Tokens)
}

// Connections that say nothing, more than the server takes of one address: who
// comes from elsewhere is served meanwhile.
func TestConnectionsOfOneAddressShutNoOtherOut(t *testing.T) {
	w := serve(t)
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.66")}}
	closed := make(chan bool, 200)
	for range 200 {
		c, err := dial.DialContext(t.Context(), "tcp", w.s.Address())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			_, err := c.Read(make([]byte, 1))
			closed <- err != nil
		}()
	}
	for range 200 - mostOfAddr {
		select {
		case is := <-closed:
			require.True(t, is)
		case <-time.After(soon):
			t.Fatal("more connections of one address are held than may be")
		}
	}
	status, said := w.post(request{address: "127.0.0.5", body: strings.NewReader("line\n")})
	require.Equal(t, 200, status, said)
}

// Bodies that never come, as many as are read at once: each ends by itself.
func TestBodiesThatNeverComeHoldNobodyUp(t *testing.T) {
	w := serve(t)
	w.s.body = 300 * time.Millisecond
	var answers []*bufio.Reader
	for range mostAtOnce {
		c, err := tls.Dial("tcp", w.s.Address(), &tls.Config{RootCAs: w.roots})
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = fmt.Fprintf(c, "POST /lines/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\nhalf", right)
		require.NoError(t, err)
		answers = append(answers, bufio.NewReader(c))
	}
	for _, a := range answers {
		line, err := a.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 408 Request Timeout\r\n", line)
	}
	w.s.body = bodyTime
	status, said := w.post(request{body: strings.NewReader("line\n")})
	require.Equal(t, 200, status, said)
	require.Equal(t, "line\n", w.kept("a"))
}

func TestWhoFindsNoTurnIsToSendAgain(t *testing.T) {
	w := serve(t)
	for range mostAtOnce {
		w.s.turns <- struct{}{}
	}
	status, said := w.post(request{body: strings.NewReader("line\n")})
	require.Equal(t, 503, status)
	require.Contains(t, said, "too many posts at once: send them again; nothing of them was taken")
	<-w.s.turns
	status, _ = w.post(request{body: strings.NewReader("line\n")})
	require.Equal(t, 200, status)
}

func TestWhatADiskTakesNotIsToBeSentAgain(t *testing.T) {
	w := serve(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	b := w.in.boxes["a"]
	disk := b.out
	b.out = full
	for range 2 {
		status, said := w.post(request{body: strings.NewReader("PLANTED line\n")})
		require.Equal(t, 503, status)
		require.Equal(t, "the lines cannot be kept now: send them again; nothing of them was taken\n", said)
	}
	require.Contains(t, w.s.NotTaken().Why, "no space left on device")
	require.Equal(t, 2, w.s.NotTaken().Times)
	b.out = disk
	require.NoError(t, full.Close())
	status, said := w.post(request{body: strings.NewReader("PLANTED line\n")})
	require.Equal(t, 200, status, said)
	require.Equal(t, "\nPLANTED line\n", w.kept("a"), "what may have been cut off is a line of its own")
}

func TestManyPostersAtOnceLoseNoLine(t *testing.T) {
	w := serve(t)
	var posters sync.WaitGroup
	for i := range 8 {
		posters.Go(func() {
			for j := range 10 {
				status, said := w.post(request{path: "/lines/" + []string{"a", "b"}[i%2], body: strings.NewReader(fmt.Sprintf("poster %d line %d\n", i, j))})
				if status != 200 {
					t.Errorf("%d %s", status, said)
				}
			}
		})
	}
	posters.Wait()
	for i := range 8 {
		for j := range 10 {
			require.Equal(t, 1, strings.Count(w.kept("a")+w.kept("b"), fmt.Sprintf("poster %d line %d\n", i, j)))
		}
	}
}

func TestTheCertificateIsReadAgainAndNoOtherVersionIsSpoken(t *testing.T) {
	w := serve(t)
	serial := func() string {
		c, err := tls.Dial("tcp", w.s.Address(), &tls.Config{RootCAs: w.roots})
		require.NoError(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	w.roots.AppendCertsFromPEM(ca.PEM)
	_, _, _, err = ca.Issue(w.dir, "watch", time.Hour)
	require.NoError(t, err)
	stamp := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(filepath.Join(w.dir, "watch.crt"), stamp, stamp))
	w.passes(certEvery)
	require.NotEqual(t, first, serial())
	require.NoError(t, w.s.Trouble())
	w.passes(2 * time.Hour)
	require.ErrorContains(t, w.s.Trouble(), "ended at")
	require.NoError(t, os.Chmod(filepath.Join(w.dir, "watch.key"), 0o644))
	w.passes(certEvery)
	require.ErrorContains(t, w.s.Trouble(), "others may read or write this key")
	require.NotEmpty(t, serial(), "the last one that could be read stands")

	_, err = tls.Dial("tcp", w.s.Address(), &tls.Config{RootCAs: w.roots, MaxVersion: tls.VersionTLS11})
	require.Error(t, err)
	res, err := http.Post("http://"+w.s.Address()+"/lines/a", "", strings.NewReader("line\n"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 400, res.StatusCode, "in clear text nothing is taken")
	require.Empty(t, w.kept("a"))
}

func TestWhatCannotBeginIsAnError(t *testing.T) {
	w := serve(t)
	begin := func(o Options) error {
		if o.Token == nil {
			o.Token = func(context.Context) (credential.Secret, error) { return credential.NewSecret(right), nil }
		}
		_, err := Listen(t.Context(), w.in, o)
		return err
	}
	cert, key := filepath.Join(w.dir, "watch.crt"), filepath.Join(w.dir, "watch.key")
	require.ErrorContains(t, begin(Options{Cert: cert, Key: filepath.Join(w.dir, "nokey"), Address: ":0"}), "the certificate for what is posted")
	require.ErrorContains(t, begin(Options{Cert: cert, Key: key, Address: w.s.Address()}), "listening for what is posted")
	none := func(context.Context) (credential.Secret, error) {
		return credential.Secret{}, &NoToken{"Vault holds nothing at kv/x#y"}
	}
	require.ErrorContains(t, begin(Options{Cert: cert, Key: key, Address: "127.0.0.1:0", Token: none}), "the token for what is posted: Vault holds nothing at kv/x#y")
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "file"), nil, 0o600))
	_, err := Open(filepath.Join(w.dir, "file"), []string{"a"}, time.Now)
	require.ErrorContains(t, err, "what is posted cannot be kept")
}
