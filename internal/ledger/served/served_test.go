package served

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
)

const campaign = "esg-01-20261129T120000Z"

// written is a ledger that grows, in a folder of ledgers.
type written struct {
	dir, key string
	signer   note.Signer
	log      *ledger.Log
	n        int
}

func write(t *testing.T) *written {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, ledger.Origin(campaign))
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	w := &written{dir: lab.Folder(t), key: vkey, signer: signer}
	w.log, err = ledger.Open(t.Context(), filepath.Join(w.dir, campaign), campaign, signer, vkey, func(context.Context, []byte) error { return nil })
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.log.Close(context.Background()) })
	return w
}

func (w *written) grow(t *testing.T, n int) {
	t.Helper()
	var entries []ledger.Entry
	for range n {
		w.n++
		id := fmt.Sprintf("corp/%08d", w.n)
		entries = append(entries, ledger.Entry{
			ID: ledger.EntryID(campaign, id, "", ledger.Listed), At: time.Now().UTC(), Campaign: campaign, Event: ledger.Listed,
			Credential: id, Name: fmt.Sprintf("uid=svc-%d,dc=example,dc=org", w.n), Kind: credential.LDAPPassword, Authority: "corp",
		})
	}
	_, err := w.log.Append(t.Context(), entries)
	require.NoError(t, err)
}

// pinned is what is known of it: its key and, once it was anchored, how it
// begins.
func (w *written) pinned(t *testing.T) ledger.Pinned {
	t.Helper()
	anchored, err := os.ReadFile(filepath.Join(w.dir, campaign, "checkpoint"))
	if os.IsNotExist(err) {
		anchored = nil
	}
	is, err := ledger.Pin(w.key, anchored)
	require.NoError(t, err)
	return is
}

func serve(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Listen(dir, "127.0.0.1:0", "")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, port, ok := strings.Cut(strings.TrimPrefix(s.Access.URL, "https://"), ":")
	require.True(t, ok)
	s.Access.URL = "https://127.0.0.1:" + port
	return s
}

// mirror is Mirror of what was not held before.
func mirror(t *testing.T, from Access, campaign string, is ledger.Pinned, into string) error {
	_, err := Mirror(t.Context(), from, campaign, is, into, false)
	return err
}

func TestACopyIsTheLedgerAndFollowsIt(t *testing.T) {
	w := write(t)
	s := serve(t, w.dir)
	into := filepath.Join(t.TempDir(), "copy")
	for _, more := range []int{1, 200, 300, 1, 700} {
		w.grow(t, more)
		require.NoError(t, mirror(t, s.Access, campaign, w.pinned(t), into))
		found, err := ledger.Verify(t.Context(), into, w.key, nil)
		require.NoError(t, err)
		require.Equal(t, uint64(w.n), found.Size)
		for _, p := range found.Problems {
			require.Contains(t, p.What, "roll", "what was listed alone has no end, and nothing else is wrong")
		}
		r, err := ledger.OpenReader(into)
		require.NoError(t, err)
		state, err := r.State(t.Context())
		require.NoError(t, err)
		require.Len(t, state.Credentials, w.n)
	}
	require.ErrorIs(t, mirror(t, s.Access, "esg-02-20261129T120000Z", w.pinned(t), into+"2"), ErrNotThere)
	require.NoDirExists(t, into+"2")
}

func TestNothingIsGivenWithoutTheTokenOrToWhoTakesAnotherCertificate(t *testing.T) {
	w := write(t)
	w.grow(t, 3)
	s, other := serve(t, w.dir), serve(t, w.dir)
	into := filepath.Join(t.TempDir(), "copy")
	wrong := s.Access
	wrong.Token = other.Access.Token
	require.ErrorContains(t, mirror(t, wrong, campaign, w.pinned(t), into), "401")
	wrong = s.Access
	wrong.Certificate = other.Access.Certificate
	require.ErrorContains(t, mirror(t, wrong, campaign, w.pinned(t), into), "certificate")
	wrong.Certificate = "none"
	require.ErrorContains(t, mirror(t, wrong, campaign, w.pinned(t), into), "is none")
	require.NoDirExists(t, into)
}

func TestNothingButTheRecordIsGiven(t *testing.T) {
	w := write(t)
	w.grow(t, 3)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "secret"), []byte("PLANTED"), 0o600))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(w.dir, campaign, "tile", "entries", "001")))
	s := serve(t, w.dir)
	r, err := newReader(s.Access)
	require.NoError(t, err)
	for _, at := range []string{"ledger.lock", ".state/treeState", "../secret", "..%2fsecret", "%2e%2e/secret", "tile/../../secret", "tile/entries/001", "/etc/passwd", ""} {
		_, err := r.get(t.Context(), "/ledgers/"+campaign+"/file/"+at, 1<<20)
		require.Error(t, err, at)
	}
	for _, name := range []string{"..", ".", "%2e%2e", ""} {
		_, err := r.get(t.Context(), "/ledgers/"+name+"/files", 1<<20)
		require.Error(t, err, name)
	}
	text, err := r.get(t.Context(), "/ledgers/"+campaign+"/files", 1<<20)
	require.NoError(t, err)
	require.NotContains(t, string(text), "lock")
	require.NotContains(t, string(text), "001")
}

// Whoever stands in for the server writes nowhere but into the copy.
// Who runs a campaign beside it sees nothing of what strangers do there, and
// they keep no connection.
func TestStrangersWriteNothingAndKeepNothing(t *testing.T) {
	var said bytes.Buffer
	log.SetOutput(&said)
	defer log.SetOutput(os.Stderr)
	s := serve(t, write(t).dir)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.Access.URL, "https://"))
	require.NoError(t, err)
	_, err = tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{ServerName: serverName, MinVersion: tls.VersionTLS13}) // it does not know the certificate
	require.Error(t, err)
	c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	require.NoError(t, err)
	defer c.Close()
	require.NotEqual(t, "h2", c.ConnectionState().NegotiatedProtocol)
	_, err = c.Write([]byte("GET /ledgers/x/files HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = io.ReadAll(c)
	require.NoError(t, err, "it was not closed")
	require.NoError(t, s.Close())
	require.Empty(t, said.String())
}

func TestAServerThatNamesOtherFilesIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ list, want string }{
		"a path upwards": {`[{"path":"../../x","size":1}]`, "no ledger has"},
		"an absolute":    {`[{"path":"/tmp/x","size":1}]`, "no ledger has"},
		"no list":        {`{`, "cannot be read"},
		"too much":       {`[{"path":"tile/0/000","size":99999999999999}]`, "more than a ledger holds"},
		"less than none": {`[{"path":"tile/0/000","size":-1}]`, "more than a ledger holds"},
	} {
		t.Run(name, func(t *testing.T) {
			w := write(t)
			w.grow(t, 1)
			s := serve(t, w.dir)
			whole := s.http.Handler
			s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/files") {
					_, _ = w.Write([]byte(c.list))
					return
				}
				whole.ServeHTTP(w, r)
			})
			into := filepath.Join(t.TempDir(), "copy")
			require.ErrorContains(t, mirror(t, s.Access, campaign, w.pinned(t), into), c.want)
			require.NoDirExists(t, into)
		})
	}
}

// A file is no longer than the list says, or the list would bound nothing.
func TestAServerThatSendsMoreThanItNamesIsRefused(t *testing.T) {
	w := write(t)
	w.grow(t, 1)
	s := serve(t, w.dir)
	whole := s.http.Handler
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/files") {
			_, _ = w.Write([]byte(`[{"path":"tile/0/000.p/1","size":0}]`))
			return
		}
		whole.ServeHTTP(w, r)
	})
	require.ErrorContains(t, mirror(t, s.Access, campaign, w.pinned(t), filepath.Join(t.TempDir(), "copy")), "sends more than a ledger's file holds")
}

// What a server gives that is another ledger, an older one, or not whole leaves
// the copy as it was, byte for byte.
func TestACopyIsNotReplacedByWhatIsNotTheLedger(t *testing.T) {
	w := write(t)
	w.grow(t, 300)
	older := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(older, campaign), os.DirFS(filepath.Join(w.dir, campaign))))
	w.grow(t, 300)
	into := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, mirror(t, serve(t, w.dir).Access, campaign, w.pinned(t), into))
	before := contents(t, into)
	is := w.pinned(t)

	other := write(t)
	other.grow(t, 700)
	changed, cut := t.TempDir(), t.TempDir()
	for _, dir := range []string{changed, cut} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, campaign), os.DirFS(filepath.Join(w.dir, campaign))))
	}
	bundle := filepath.Join(changed, campaign, "tile", "entries", "000")
	text, err := os.ReadFile(bundle)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bundle, bytes.Replace(text, []byte("uid=svc-7,"), []byte("uid=svc-8,"), 1), 0o600))
	require.NoError(t, os.Remove(filepath.Join(cut, campaign, "tile", "0", "001")))

	for name, c := range map[string]struct {
		dir  string
		into string
		want error
		says string
	}{
		"another key":          {other.dir, into, ledger.ErrWrongLedger, "not signed with the key that is known of it"},
		"older than anchored":  {older, into, ledger.ErrDamaged, "it has 300 entries, and what is anchored is over 600"},
		"an entry was changed": {changed, filepath.Join(t.TempDir(), "new"), ledger.ErrDamaged, "an entry is not what its hash tile says"},
		"a tile is missing":    {cut, filepath.Join(t.TempDir(), "new"), ledger.ErrDamaged, "tile/0/001"},
	} {
		err := mirror(t, serve(t, c.dir).Access, campaign, is, c.into)
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
		if c.into != into {
			require.NoDirExists(t, c.into, name)
		}
	}
	require.Equal(t, before, contents(t, into))

	// A fork that goes on from another history than the anchored one.
	fork := forkOf(t, w)
	is, err = ledger.Pin(w.key, fork)
	require.NoError(t, err)
	w.grow(t, 200)
	err = mirror(t, serve(t, w.dir).Access, campaign, is, into)
	require.ErrorIs(t, err, ledger.ErrDamaged)
	require.ErrorContains(t, err, "its first 600 entries are not those that are anchored")
	require.Equal(t, before, contents(t, into))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(into), unfinished+"*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// A copy in which another ledger's files lie, as an earlier version left them,
// is made anew.
func TestACopyThatIsNotTheLedgerIsMadeAnew(t *testing.T) {
	w, other := write(t), write(t)
	w.grow(t, 600)
	other.grow(t, 600)
	into := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, mirror(t, serve(t, other.dir).Access, campaign, other.pinned(t), into))
	require.NoError(t, mirror(t, serve(t, w.dir).Access, campaign, w.pinned(t), into))
	found, err := ledger.Verify(t.Context(), into, w.key, nil)
	require.NoError(t, err)
	require.Equal(t, uint64(600), found.Size)
	for _, p := range found.Problems {
		require.Contains(t, p.What, "roll")
	}
}

// A disk may change what lies on it, and what was whole when it came is not for
// that whole now: whoever looks anew holds all of it to the checkpoint.
func TestACopyThatWasDamagedOnItsDiskIsMendedByTheNextFetch(t *testing.T) {
	w := write(t)
	w.grow(t, 300)
	s := serve(t, w.dir)
	into := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, mirror(t, s.Access, campaign, w.pinned(t), into))
	before := contents(t, into)
	for _, name := range []string{"tile/entries/000", "tile/0/000", "ledger.json"} {
		at := filepath.Join(into, filepath.FromSlash(name))
		text, err := os.ReadFile(at)
		require.NoError(t, err)
		text[len(text)/2] ^= 1
		require.NoError(t, os.WriteFile(at, text, 0o600))
		anew, err := Mirror(t.Context(), s.Access, campaign, w.pinned(t), into, false)
		require.NoError(t, err, name)
		require.True(t, anew, name)
		require.Equal(t, before, contents(t, into), name)
	}
}

func TestALedgerOfWhichNothingIsAnchoredIsNotTaken(t *testing.T) {
	w := write(t)
	w.grow(t, 3)
	is, err := ledger.Pin(w.key, nil)
	require.NoError(t, err)
	into := filepath.Join(t.TempDir(), "copy")
	require.ErrorIs(t, mirror(t, serve(t, w.dir).Access, campaign, is, into), ErrUnpinned)
	require.NoDirExists(t, into)
}

func TestWhoServesIsToldThatItEnded(t *testing.T) {
	w := write(t)
	s := serve(t, w.dir)
	require.NoError(t, s.listen.Close())
	require.ErrorContains(t, <-s.Failed(), "serving ledgers at "+s.Access.URL+" ended")
	s = serve(t, w.dir)
	require.NoError(t, s.Close())
	require.NoError(t, <-s.Failed(), "it was told to")
}

// What a process left that died while it fetched is taken away, and what
// another one fetches now is not.
func TestWhatWasLeftUnfinishedIsTakenAway(t *testing.T) {
	w := write(t)
	w.grow(t, 3)
	dir := t.TempDir()
	old, now := filepath.Join(dir, unfinished+"1"), filepath.Join(dir, unfinished+"2")
	for _, at := range []string{old, now} {
		require.NoError(t, os.Mkdir(at, 0o700))
	}
	long := time.Now().Add(-2 * longGone)
	require.NoError(t, os.Chtimes(old, long, long))
	require.NoError(t, mirror(t, serve(t, w.dir).Access, campaign, w.pinned(t), filepath.Join(dir, "copy")))
	require.NoDirExists(t, old)
	require.DirExists(t, now)
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, p))
		out[p] = string(text)
		return err
	}))
	return out
}

// forkOf is a checkpoint over as many entries as w has, of another history that
// the same key signed.
func forkOf(t *testing.T, w *written) []byte {
	t.Helper()
	text := fmt.Sprintf("%s\n%d\n%s\n", ledger.Origin(campaign), w.n, base64.StdEncoding.EncodeToString(make([]byte, 32)))
	raw, err := note.Sign(&note.Note{Text: text}, w.signer)
	require.NoError(t, err)
	return raw
}
