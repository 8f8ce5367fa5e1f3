package served

import (
	"context"
	"crypto/rand"
	"fmt"
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
	log      *ledger.Log
	n        int
}

func write(t *testing.T) *written {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, ledger.Origin(campaign))
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	w := &written{dir: lab.Folder(t), key: vkey}
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

func TestACopyIsTheLedgerAndFollowsIt(t *testing.T) {
	w := write(t)
	s := serve(t, w.dir)
	into := filepath.Join(t.TempDir(), "copy")
	for _, more := range []int{1, 200, 300, 1, 700} {
		w.grow(t, more)
		require.NoError(t, Mirror(t.Context(), s.Access, campaign, into))
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
	require.ErrorIs(t, Mirror(t.Context(), s.Access, "esg-02-20261129T120000Z", into+"2"), ErrNotThere)
	require.NoDirExists(t, into+"2")
}

func TestNothingIsGivenWithoutTheTokenOrToWhoTakesAnotherCertificate(t *testing.T) {
	w := write(t)
	w.grow(t, 3)
	s, other := serve(t, w.dir), serve(t, w.dir)
	into := filepath.Join(t.TempDir(), "copy")
	wrong := s.Access
	wrong.Token = other.Access.Token
	require.ErrorContains(t, Mirror(t.Context(), wrong, campaign, into), "401")
	wrong = s.Access
	wrong.Certificate = other.Access.Certificate
	require.ErrorContains(t, Mirror(t.Context(), wrong, campaign, into), "certificate")
	wrong.Certificate = "none"
	require.ErrorContains(t, Mirror(t.Context(), wrong, campaign, into), "is none")
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
func TestAServerThatNamesOtherFilesIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ list, want string }{
		"a path upwards": {`[{"path":"../../x","size":1}]`, "no ledger has"},
		"an absolute":    {`[{"path":"/tmp/x","size":1}]`, "no ledger has"},
		"no list":        {`{`, "cannot be read"},
		"too much":       {`[{"path":"tile/0/000","size":99999999999999}]`, "more than a ledger holds"},
		"less than none": {`[{"path":"tile/0/000","size":-1}]`, "more than a ledger holds"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, t.TempDir())
			s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/files") {
					_, _ = w.Write([]byte(c.list))
				}
			})
			into := filepath.Join(t.TempDir(), "copy")
			require.ErrorContains(t, Mirror(t.Context(), s.Access, campaign, into), c.want)
			require.NoDirExists(t, into)
		})
	}
}
