package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

// snapshot is every file below dir with its content and time of change.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		out[path] = info.ModTime().String() + string(data)
		return err
	}))
	return out
}

func TestAFolderThatIsNotThisCampaignsIsRefusedAndLeftAlone(t *testing.T) {
	newKey := func(campaign string) (note.Signer, string) {
		skey, vkey, err := note.GenerateKey(rand.Reader, Origin(campaign))
		require.NoError(t, err)
		s, err := note.NewSigner(skey)
		require.NoError(t, err)
		return s, vkey
	}
	full := func(t *testing.T, f *fixture) {
		l := f.open(t)
		_, err := l.Append(t.Context(), listedFrom(0, 300))
		require.NoError(t, err)
		require.NoError(t, l.Close(t.Context()))
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, f *fixture)
		open    func(f *fixture) error
		is      error
		says    string
	}{
		{"another campaign's ledger", full, func(f *fixture) error {
			s, v := newKey("vpn-02")
			_, err := Open(context.Background(), f.dir, "vpn-02", s, v, f.vault.anchor)
			return err
		}, ErrWrongLedger, `holds the log "rollcall/esg-01", not "rollcall/vpn-02"`},
		{"a ledger under another key", full, func(f *fixture) error {
			s, v := newKey(campaign)
			_, err := Open(context.Background(), f.dir, campaign, s, v, f.vault.anchor)
			return err
		}, ErrWrongLedger, "a ledger cannot change its key"},
		{"files that are no ledger", func(t *testing.T, f *fixture) {
			require.NoError(t, os.MkdirAll(f.dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(f.dir, "thesis.txt"), []byte("years of work"), 0o644))
		}, nil, ErrWrongLedger, `it holds "thesis.txt"`},
		{"an unreadable ledger.json", func(t *testing.T, f *fixture) {
			full(t, f)
			require.NoError(t, os.WriteFile(filepath.Join(f.dir, aboutFile), []byte("{"), 0o644))
		}, nil, ErrWrongLedger, "ledger.json cannot be read"},
		{"a folder without the writer's state", func(t *testing.T, f *fixture) {
			full(t, f)
			taken(t, filepath.Join(f.dir, ".state"))
		}, nil, ErrDamaged, ".state/treeState is restored"},
		{"a state older than the checkpoint", func(t *testing.T, f *fixture) {
			full(t, f)
			require.NoError(t, os.WriteFile(filepath.Join(f.dir, stateFile), []byte(`{"size":3,"root":""}`), 0o644))
		}, nil, ErrDamaged, "knows 3 entries"},
		{"a checkpoint that was forged", func(t *testing.T, f *fixture) {
			full(t, f)
			other, _ := newKey(campaign)
			raw, err := note.Sign(&note.Note{Text: Origin(campaign) + "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"}, other)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(f.dir, checkpointFile), raw, 0o644))
		}, nil, ErrDamaged, "no verifiable signatures"},
		{"a hash tile that was changed", func(t *testing.T, f *fixture) {
			full(t, f)
			flip(t, f.dir, "tile/1/000.p/1", 7)
		}, nil, ErrDamaged, "do not lead to the root that was signed at 300 entries"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			c.prepare(t, f)
			before := snapshot(t, f.dir)
			if c.open == nil {
				c.open = func(f *fixture) error {
					_, err := Open(context.Background(), f.dir, campaign, f.signer(t), f.vkey, f.vault.anchor)
					return err
				}
			}
			err := c.open(f)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.says)
			after := snapshot(t, f.dir)
			if c.is == ErrDamaged { // found under the lock, which is not part of the log
				delete(before, filepath.Join(f.dir, lockFile))
				delete(after, filepath.Join(f.dir, lockFile))
			}
			require.Equal(t, before, after, "nothing was changed")
		})
	}
}

func TestKeysThatDoNotFitAreRefusedBeforeAnythingIsCreated(t *testing.T) {
	f, g := newFixture(t), newFixture(t)
	for name, open := range map[string]func() (*Log, error){
		"signer of another key": func() (*Log, error) {
			return Open(t.Context(), f.dir, campaign, g.signer(t), f.vkey, f.vault.anchor)
		},
		"key of another campaign": func() (*Log, error) {
			return Open(t.Context(), f.dir, "vpn-02", f.signer(t), f.vkey, f.vault.anchor)
		},
		"no key": func() (*Log, error) {
			return Open(t.Context(), f.dir, campaign, f.signer(t), "", f.vault.anchor)
		},
		"no anchor": func() (*Log, error) {
			return Open(t.Context(), f.dir, campaign, f.signer(t), f.vkey, nil)
		},
	} {
		_, err := open()
		require.Error(t, err, name)
		require.NoDirExists(t, f.dir, name)
	}
}

func TestARetriedAppendCollapsesAlsoAcrossReopening(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	first, err := l.Append(t.Context(), listedFrom(0, 400))
	require.NoError(t, err)
	again, err := l.Append(t.Context(), append(listedFrom(100, 400), listed(100)))
	require.NoError(t, err)
	require.Equal(t, first[100], again[0])
	require.EqualValues(t, 499, again[399])
	require.Equal(t, again[0], again[400], "also within one call")
	require.NoError(t, l.Close(t.Context()))

	l = f.open(t)
	later, err := l.Append(t.Context(), listedFrom(0, 501))
	require.NoError(t, err)
	require.Equal(t, first, later[:400])
	require.EqualValues(t, 500, later[500])
	require.Len(t, read(t, f.dir), 501)
}

func TestAnEntryThatCannotBeWrittenStopsTheWholeCall(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	big, other, nameless, eventless := listed(1), listed(1), listed(1), listed(1)
	big.Detail = strings.Repeat("x", MaxEntrySize)
	other.Campaign = "vpn-02"
	nameless.ID = ""
	eventless.Event = ""
	for says, e := range map[string]Entry{
		"at most 65535 fit": big, `of campaign "vpn-02"`: other, "has no id": nameless, "has no event": eventless,
	} {
		_, err := l.Append(t.Context(), []Entry{listed(0), e})
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, says)
	}
	require.Empty(t, read(t, f.dir))

	big.Detail = ""
	room := MaxEntrySize - len(mustEncode(t, withTime(big)))
	big.Detail = strings.Repeat("x", room-len(`,"detail":""`))
	_, err := l.Append(t.Context(), []Entry{withTime(big)})
	require.NoError(t, err, "the longest entry fits")
	require.Len(t, read(t, f.dir), 1)
}

func withTime(e Entry) Entry {
	e.At, e.Campaign = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC), campaign
	return e
}

func mustEncode(t *testing.T, e Entry) []byte {
	t.Helper()
	line, err := encode(e)
	require.NoError(t, err)
	return line
}

func TestAnAnchorThatFailsIsTriedAgainByTheSameAppend(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	f.vault.fails = errors.New("sealed")
	_, err := l.Append(t.Context(), listedFrom(0, 2))
	require.ErrorIs(t, err, ErrNotAnchored)
	require.ErrorIs(t, err, f.vault.fails)
	require.Len(t, read(t, f.dir), 2, "the entries are in the log")

	f.vault.fails = nil
	at, err := l.Append(t.Context(), listedFrom(0, 2))
	require.NoError(t, err)
	require.Equal(t, []uint64{0, 1}, at)
	cp, err := openCheckpoint(f.vault.last(), l.verifier)
	require.NoError(t, err)
	require.EqualValues(t, 2, cp.Size)
}

// moody is a signer that can lose its connection.
type moody struct {
	note.Signer
	fails error
}

func (m *moody) Sign(msg []byte) ([]byte, error) {
	if m.fails != nil {
		return nil, m.fails
	}
	return m.Signer.Sign(msg)
}

func TestASignerThatFailsLeavesEntriesForTheNextAppendOrOpen(t *testing.T) {
	f := newFixture(t)
	s := &moody{Signer: f.signer(t)}
	l, err := Open(t.Context(), f.dir, campaign, s, f.vkey, f.vault.anchor)
	require.NoError(t, err)
	s.fails = errors.New("connection refused")
	_, err = l.Append(t.Context(), listedFrom(0, 2))
	require.ErrorIs(t, err, ErrNotPublished)
	require.ErrorIs(t, err, s.fails)
	require.Empty(t, read(t, f.dir), "no reader sees what is not signed")
	require.NoError(t, l.Close(t.Context()))

	_, err = Open(t.Context(), f.dir, campaign, s, f.vkey, f.vault.anchor)
	require.ErrorIs(t, err, ErrNotPublished)
	s.fails = nil
	l, err = Open(t.Context(), f.dir, campaign, s, f.vkey, f.vault.anchor)
	require.NoError(t, err)
	require.Len(t, read(t, f.dir), 2, "opening signs what was left")
	at, err := l.Append(t.Context(), listedFrom(1, 2))
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2}, at)
	require.NoError(t, l.Close(t.Context()))
}

func TestACallerMayLeaveAndAClosedLogRefuses(t *testing.T) {
	f := newFixture(t)
	hold := make(chan struct{})
	held := make(chan struct{})
	l, err := Open(t.Context(), f.dir, campaign, f.signer(t), f.vkey, func(_ context.Context, cp []byte) error {
		if !strings.Contains(string(cp), "\n1\n") {
			return nil
		}
		close(held)
		<-hold
		return nil
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held
		cancel()
	}()
	_, err = l.Append(ctx, listedFrom(0, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, l.Close(ctx), context.Canceled, "the commit in hand is not finished")
	close(hold)
	require.NoError(t, l.Close(t.Context()))
	_, err = l.Append(t.Context(), listedFrom(1, 1))
	require.ErrorIs(t, err, ErrClosed)
	require.Len(t, read(t, f.dir), 1)
}

func TestAReaderSeesWholePrefixesWhileAWriterAppends(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	done := make(chan error, 1)
	go func() {
		for n := range 60 {
			if _, err := l.Append(context.Background(), listedFrom(n*20, 20)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			require.NoError(t, err)
			running = false
		default:
		}
		all := read(t, f.dir)
		require.Zero(t, len(all)%20, "a commit is seen as a whole")
		rep, err := Verify(t.Context(), f.dir, f.vkey, nil)
		require.NoError(t, err)
		require.Empty(t, rep.Problems)
	}
	require.Len(t, read(t, f.dir), 1200)
}
