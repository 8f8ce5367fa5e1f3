package ledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

const campaign = "esg-01"

// vault stands for the place outside the folder: it keeps every checkpoint.
type vault struct {
	mu    sync.Mutex
	kept  [][]byte
	fails error
	waits func() // before each
}

func (v *vault) anchor(_ context.Context, cp []byte) error {
	if v.waits != nil {
		v.waits()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fails != nil {
		return v.fails
	}
	v.kept = append(v.kept, cp)
	return nil
}

func (v *vault) last() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.kept[len(v.kept)-1]
}

// fixture is a ledger's folder with its keys and its anchor.
type fixture struct {
	dir        string
	skey, vkey string
	vault      *vault
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, Origin(campaign))
	require.NoError(t, err)
	return &fixture{dir: filepath.Join(lab.Folder(t), "ledger"), skey: skey, vkey: vkey, vault: &vault{}}
}

// taken takes a folder of a ledger away. A log that was closed writes for a
// moment more what it has in hand.
func taken(t *testing.T, dir string) {
	t.Helper()
	require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, 5*time.Minute, 10*time.Millisecond)
}

func (f *fixture) signer(t testing.TB) note.Signer {
	t.Helper()
	s, err := note.NewSigner(f.skey)
	require.NoError(t, err)
	return s
}

func (f *fixture) open(t testing.TB) *Log {
	t.Helper()
	l, err := Open(t.Context(), f.dir, campaign, f.signer(t), f.vkey, f.vault.anchor)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

func listed(n int) Entry {
	id := fmt.Sprintf("corp/%08d", n)
	return Entry{
		ID: EntryID(campaign, id, "", Listed), Event: Listed, Credential: id,
		Name: fmt.Sprintf("uid=svc-%d,ou=services,dc=example,dc=org", n), Kind: credential.LDAPPassword, Authority: "corp",
		Paths:   []credential.Path{{Mount: "kv", Path: fmt.Sprintf("apps/esg-01/svc-%d", n), Field: "password"}},
		Reasons: []credential.Reason{{Source: "inventory", Type: "manifest", Detail: fmt.Sprintf("roll.csv:%d", n)}},
	}
}

func listedFrom(from, n int) []Entry {
	out := make([]Entry, n)
	for i := range out {
		out[i] = listed(from + i)
	}
	return out
}

func read(t *testing.T, dir string) []Entry {
	t.Helper()
	r, err := OpenReader(dir)
	require.NoError(t, err)
	var all []Entry
	require.NoError(t, r.Entries(t.Context(), 0, func(i uint64, e Entry) error {
		require.EqualValues(t, len(all), i)
		all = append(all, e)
		return nil
	}))
	return all
}

func TestAppendedEntriesAreReadBackInOrder(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	before := time.Now()
	at, err := l.Append(t.Context(), listedFrom(0, 700))
	require.NoError(t, err)
	require.EqualValues(t, 0, at[0])
	require.EqualValues(t, 699, at[699])
	at, err = l.Append(t.Context(), listedFrom(700, 3))
	require.NoError(t, err)
	require.Equal(t, []uint64{700, 701, 702}, at)

	all := read(t, f.dir)
	require.Len(t, all, 703)
	for i, e := range all {
		want := listed(i)
		require.Equal(t, want.ID, e.ID)
		require.Equal(t, want.Paths, e.Paths)
		require.Equal(t, campaign, e.Campaign)
		require.WithinRange(t, e.At, before.Add(-time.Second), time.Now())
	}
	r, err := OpenReader(f.dir)
	require.NoError(t, err)
	cp, err := r.Checkpoint()
	require.NoError(t, err)
	require.EqualValues(t, 703, cp.Size)
	require.Equal(t, f.vault.last(), cp.Raw, "what was returned is anchored")
}

func TestAHundredThousandEntriesTakeSeconds(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	start := time.Now()
	at, err := l.Append(t.Context(), listedFrom(0, 100_000))
	require.NoError(t, err)
	require.EqualValues(t, 99_999, at[99_999])
	t.Logf("100,000 entries: %v", time.Since(start))
	require.Less(t, time.Since(start), 3*time.Minute, "bulk appends must not go one by one")

	start = time.Now()
	for i := range 20 {
		_, err := l.Append(t.Context(), listedFrom(200_000+i, 1))
		require.NoError(t, err)
	}
	t.Logf("one entry: %v", time.Since(start)/20)
	require.NoError(t, l.Close(t.Context()))

	start = time.Now()
	l = f.open(t)
	t.Logf("open with 100,020 entries: %v", time.Since(start))
	at, err = l.Append(t.Context(), listedFrom(99_999, 1))
	require.NoError(t, err)
	require.Equal(t, []uint64{99_999}, at)
}

func TestConcurrentCallersShareCheckpoints(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	opened := len(f.vault.kept)
	const callers = 200
	var wg, called sync.WaitGroup
	called.Add(callers)
	f.vault.waits = called.Wait // the first one's, so that the others come meanwhile
	indexes := make([]uint64, callers)
	for i := range callers {
		wg.Go(func() {
			called.Done()
			at, err := l.Append(context.Background(), listedFrom(i, 1))
			if err == nil {
				indexes[i] = at[0]
			}
		})
	}
	wg.Wait()
	all := read(t, f.dir)
	require.Len(t, all, callers)
	for i, at := range indexes {
		require.Equal(t, listed(i).ID, all[at].ID, "each caller got the index of its own entry")
	}
	require.Less(t, len(f.vault.kept)-opened, callers/4)
}
