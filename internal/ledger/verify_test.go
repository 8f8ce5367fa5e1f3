package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func flip(t *testing.T, dir, name string, at int) {
	t.Helper()
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[at] ^= 1
	require.NoError(t, os.WriteFile(path, data, 0o644))
}

// edit replaces old by a new text of the same length in an entry bundle.
func edit(t *testing.T, dir, name, old, new string) {
	t.Helper()
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(data, []byte(old)))
	require.Len(t, new, len(old))
	require.NoError(t, os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(new), 1), 0o644))
}

// forge replaces an entry and its hash in the tile beside it, as somebody
// would who knows the format.
func forge(t *testing.T, dir string, index int, line []byte) {
	t.Helper()
	const size = 700
	bt := tileAt(entryLevel, int64(index/tileWidth), size)
	lines, err := readBundle(dir, bt.N, size)
	require.NoError(t, err)
	lines[index%tileWidth] = line
	var b []byte
	for _, l := range lines {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(l))), l...)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, tilePath(bt)), b, 0o644))

	ht := tileAt(0, bt.N, size)
	data, err := os.ReadFile(filepath.Join(dir, tilePath(ht)))
	require.NoError(t, err)
	h := tlog.RecordHash(line)
	copy(data[index%tileWidth*tlog.HashSize:], h[:])
	require.NoError(t, os.WriteFile(filepath.Join(dir, tilePath(ht)), data, 0o644))
}

func (r Report) says(index int64, what string) bool {
	for _, p := range r.Problems {
		if p.Index == index && bytes.Contains([]byte(p.What), []byte(what)) {
			return true
		}
	}
	return false
}

// 700 entries: two full bundles and one of 188, under a level-1 tile of 2.
func TestVerifyFindsTampering(t *testing.T) {
	const entries2, tile0 = "tile/entries/002.p/188", "tile/0/000"
	for _, c := range []struct {
		name   string
		tamper func(t *testing.T, f *fixture, old []byte)
		index  int64
		what   string
		only   bool // nothing else is reported
	}{
		{"a byte of an entry", func(t *testing.T, f *fixture, _ []byte) {
			edit(t, f.dir, "tile/entries/000", "roll.csv:17\"", "roll.csv:18\"")
		}, 17, "entry 17 was changed", false},
		{"a byte of an entry in the last bundle", func(t *testing.T, f *fixture, _ []byte) {
			edit(t, f.dir, entries2, "roll.csv:699\"", "roll.csv:698\"")
		}, 699, "entry 699 was changed", false},
		{"a byte of a full hash tile", func(t *testing.T, f *fixture, _ []byte) {
			flip(t, f.dir, tile0, 5*tlog.HashSize)
		}, 5, "the hash of entry 5 in tile/0/000 was changed; the entry itself is what was signed", true},
		{"a byte of the last hash tile", func(t *testing.T, f *fixture, _ []byte) {
			flip(t, f.dir, "tile/0/002.p/188", 0)
		}, 512, "the hash of entry 512", true},
		{"a byte of an upper tile", func(t *testing.T, f *fixture, _ []byte) {
			flip(t, f.dir, "tile/1/000.p/2", tlog.HashSize)
		}, 256, "hash over entries 256 to 511", true},
		{"a length in an entry bundle", func(t *testing.T, f *fixture, _ []byte) {
			flip(t, f.dir, "tile/entries/001", 1)
		}, 256, "entries 256 to 511 cannot be read: tile/entries/001", true},
		{"an entry bundle removed", func(t *testing.T, f *fixture, _ []byte) {
			require.NoError(t, os.Remove(filepath.Join(f.dir, "tile/entries/001")))
		}, 256, "entries 256 to 511 cannot be read: the file is missing", true},
		{"a hash tile removed", func(t *testing.T, f *fixture, _ []byte) {
			require.NoError(t, os.Remove(filepath.Join(f.dir, tile0)))
		}, 0, "the hash tile of entries 0 to 255 cannot be read: the file is missing", true},
		{"a hash tile cut short", func(t *testing.T, f *fixture, _ []byte) {
			require.NoError(t, os.Truncate(filepath.Join(f.dir, tile0), 100))
		}, 0, "the hash tile of entries 0 to 255 cannot be read: tile/0/000 has 100 bytes", true},
		{"an upper tile removed", func(t *testing.T, f *fixture, _ []byte) {
			require.NoError(t, os.RemoveAll(filepath.Join(f.dir, "tile/1")))
		}, noIndex, "a hash tile cannot be read", true},
		{"bundle and tile removed together", func(t *testing.T, f *fixture, _ []byte) {
			require.NoError(t, os.Remove(filepath.Join(f.dir, "tile/entries/001")))
			require.NoError(t, os.Remove(filepath.Join(f.dir, "tile/0/001")))
		}, 256, "entries 256 to 511 cannot be read", false},
		{"an entry and its hash replaced", func(t *testing.T, f *fixture, _ []byte) {
			forge(t, f.dir, 300, mustEncode(t, withTime(listed(5000))))
		}, 256, "one of the entries 256 to 511 was replaced", false},
		{"an entry and its hash replaced at the end", func(t *testing.T, f *fixture, _ []byte) {
			forge(t, f.dir, 690, mustEncode(t, withTime(listed(5000))))
		}, noIndex, "do not lead to the root that was signed at 700 entries", false},
		{"an older genuine checkpoint restored", func(t *testing.T, f *fixture, old []byte) {
			require.NoError(t, os.WriteFile(filepath.Join(f.dir, checkpointFile), old, 0o644))
		}, noIndex, "truncated: the anchored checkpoint signs 700 entries, the ledger's own 300", true},
		{"truncated, with a checkpoint by somebody without the key", func(t *testing.T, f *fixture, old []byte) {
			skey, _, err := note.GenerateKey(rand.Reader, Origin(campaign))
			require.NoError(t, err)
			s, err := note.NewSigner(skey)
			require.NoError(t, err)
			n, err := note.Open(old, note.VerifierList(mustVerifier(t, f.vkey)))
			require.NoError(t, err)
			raw, err := note.Sign(&note.Note{Text: n.Text}, s)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(f.dir, checkpointFile), raw, 0o644))
		}, noIndex, "checkpoint cannot be trusted", true},
		{"the size in the checkpoint edited", func(t *testing.T, f *fixture, _ []byte) {
			edit(t, f.dir, checkpointFile, "\n700\n", "\n600\n")
		}, noIndex, "checkpoint cannot be trusted", true},
		{"the checkpoint removed", func(t *testing.T, f *fixture, _ []byte) {
			require.NoError(t, os.Remove(filepath.Join(f.dir, checkpointFile)))
		}, noIndex, "checkpoint cannot be trusted", true},
		{"ledger.json under another key", func(t *testing.T, f *fixture, _ []byte) {
			_, vkey, err := note.GenerateKey(rand.Reader, Origin(campaign))
			require.NoError(t, err)
			edit(t, f.dir, aboutFile, f.vkey, vkey)
		}, noIndex, "names another public key", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			l := f.open(t)
			_, err := l.Append(t.Context(), listedFrom(0, 300))
			require.NoError(t, err)
			old := f.vault.last()
			_, err = l.Append(t.Context(), listedFrom(300, 400))
			require.NoError(t, err)
			require.NoError(t, l.Close(t.Context()))
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			require.True(t, rep.OK(), "%v", rep.Problems)
			rep, err = Verify(t.Context(), f.dir, f.vkey, old)
			require.NoError(t, err)
			require.True(t, rep.OK(), "grown since it was anchored: %v", rep.Problems)

			c.tamper(t, f, old)
			rep, err = Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
			require.LessOrEqual(t, len(rep.Problems), 5, "%+v", rep.Problems)
			if c.only {
				require.Len(t, rep.Problems, 1)
			}
		})
	}
}

func mustVerifier(t *testing.T, vkey string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	require.NoError(t, err)
	return v
}

func TestALogRewrittenWithTheKeyStillContradictsTheAnchor(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	_, err := l.Append(t.Context(), listedFrom(0, 10))
	require.NoError(t, err)
	require.NoError(t, l.Close(t.Context()))
	anchored := f.vault.last()

	taken(t, f.dir)
	l = f.open(t)
	_, err = l.Append(t.Context(), listedFrom(1, 12))
	require.NoError(t, err)
	rep, err := Verify(t.Context(), f.dir, f.vkey, anchored)
	require.NoError(t, err)
	require.True(t, rep.says(noIndex, "its first 10 entries are not those that the anchored checkpoint signs"), "%+v", rep.Problems)
	require.ErrorIs(t, CheckAnchored(f.dir, f.vkey, anchored), ErrDamaged)
	require.NoError(t, CheckAnchored(f.dir, f.vkey, f.vault.last()))

	elsewhere := CheckAnchored(filepath.Join(t.TempDir(), "none"), f.vkey, anchored)
	require.ErrorIs(t, elsewhere, ErrElsewhere)
	require.NotErrorIs(t, elsewhere, ErrDamaged, "nobody tampered with a folder that is another one")
	require.ErrorIs(t, CheckAnchored(t.TempDir(), f.vkey, anchored), ErrElsewhere)
}

// Whoever has the ledger's login can sign another history, and anchor it beside
// what is anchored. He cannot take that away, and the other history contradicts
// it.
func TestALogMustAgreeWithEveryAnchor(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	var anchors []byte
	for i := range 3 {
		_, err := l.Append(t.Context(), listedFrom(i*5, 5))
		require.NoError(t, err)
		anchors = append(append(anchors, f.vault.last()...), '\n')
	}
	require.NoError(t, l.Close(t.Context()))
	rep, err := Verify(t.Context(), f.dir, f.vkey, anchors)
	require.NoError(t, err)
	require.True(t, rep.OK(), "%+v", rep.Problems)
	require.Equal(t, []uint64{15, 3}, []uint64{rep.Anchored, uint64(rep.Anchors)})

	taken(t, f.dir)
	l = f.open(t)
	_, err = l.Append(t.Context(), listedFrom(1, 40))
	require.NoError(t, err)
	rep, err = Verify(t.Context(), f.dir, f.vkey, append(slices.Clone(f.vault.last()), anchors...))
	require.NoError(t, err)
	require.Equal(t, 4, rep.Anchors)
	for _, n := range []string{"5", "10", "15"} {
		require.True(t, rep.says(noIndex, "its first "+n+" entries are not those"), "%+v", rep.Problems)
	}
	require.Len(t, rep.Problems, 3)
}

// What was kept of another campaign tells nothing of this one: it is no history
// that was rewritten.
func TestWhatWasKeptOfAnotherCampaignIsHeldAgainstNothing(t *testing.T) {
	one := newFixture(t)
	_, err := one.open(t).Append(t.Context(), listedFrom(0, 20))
	require.NoError(t, err)
	skey, vkey, err := note.GenerateKey(rand.Reader, Origin("esg-02-20260301T120000Z"))
	require.NoError(t, err)
	_, err = Verify(t.Context(), one.dir, vkey, nil)
	require.ErrorContains(t, err, "the public key is of campaign esg-02-20260301T120000Z, and "+one.dir+" says that it is the ledger of "+campaign)
	s, err := note.NewSigner(skey)
	require.NoError(t, err)
	anchor, err := note.Sign(&note.Note{Text: Origin("esg-02-20260301T120000Z") + "\n132\n" + strings.Repeat("A", 43) + "=\n"}, s)
	require.NoError(t, err)
	_, err = Verify(t.Context(), one.dir, one.vkey, anchor)
	require.ErrorContains(t, err, "the anchored checkpoint is of campaign esg-02-20260301T120000Z")
}

func TestVerifySaysWhatItsKeyIsWorth(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	_, err := l.Append(t.Context(), listedFrom(0, 10))
	require.NoError(t, err)
	rep, err := Verify(t.Context(), f.dir, "", nil)
	require.NoError(t, err)
	require.Equal(t, KeyFromLedger, rep.KeySource)
	require.Equal(t, f.vkey, rep.VerifierKey)
	rep, err = Verify(t.Context(), f.dir, f.vkey, nil)
	require.NoError(t, err)
	require.Equal(t, KeyGiven, rep.KeySource)
	require.EqualValues(t, 10, rep.Size)
	require.Equal(t, campaign, rep.Campaign)

	_, other, err := note.GenerateKey(rand.Reader, Origin(campaign))
	require.NoError(t, err)
	rep, err = Verify(t.Context(), f.dir, other, nil)
	require.NoError(t, err)
	require.False(t, rep.OK())

	_, err = Verify(t.Context(), t.TempDir(), "", nil)
	require.ErrorContains(t, err, "holds no ledger")
	_, err = Verify(t.Context(), f.dir, "nonsense", nil)
	require.ErrorContains(t, err, `public key "nonsense"`)
}

func TestAKeyFileHoldsOneKey(t *testing.T) {
	f := newFixture(t)
	path := filepath.Join(t.TempDir(), "ledger.pub")
	require.NoError(t, os.WriteFile(path, []byte(f.vkey+"\n"), 0o644))
	key, err := ReadKeyFile(path)
	require.NoError(t, err)
	require.Equal(t, f.vkey, key)
	require.NoError(t, os.WriteFile(path, []byte("hello"), 0o644))
	_, err = ReadKeyFile(path)
	require.ErrorContains(t, err, "holds no ledger public key")
	_, err = ReadKeyFile(path + ".missing")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A report shows what the entries come to and whether they verify, and reads
// them once.
func TestVerifyGivesTheStateThatAReaderGives(t *testing.T) {
	for name, entries := range map[string][]Entry{"accounts": story(), "a gateway": storyOfAGateway(), "a task": storyOfATask(), "a server left out": storyWithout("ldap-2")} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			l := f.open(t)
			_, err := l.Append(t.Context(), entries)
			require.NoError(t, err)
			r, err := OpenReader(f.dir)
			require.NoError(t, err)
			want, err := r.State(t.Context())
			require.NoError(t, err)
			rep, got, err := VerifyState(t.Context(), f.dir, f.vkey, nil)
			require.NoError(t, err)
			require.True(t, rep.OK(), "%v", rep.Problems)
			requireSameState(t, want, got)

			flip(t, f.dir, tilePath(tileAt(entryLevel, 0, rep.Size)), 100)
			rep, got, err = VerifyState(t.Context(), f.dir, f.vkey, nil)
			require.NoError(t, err)
			require.False(t, rep.OK())
			require.Nil(t, got, "of a ledger with which something is wrong nothing is taken for true")
		})
	}
}

func TestTheCheckpointOfAReportIsTheOneThatSignsItsSizeAndRoot(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	_, err := l.Append(t.Context(), story())
	require.NoError(t, err)
	for _, vkey := range []string{f.vkey, ""} {
		rep, err := Verify(t.Context(), f.dir, vkey, nil)
		require.NoError(t, err)
		cp, err := parseCheckpointText(rep.Checkpoint[:strings.Index(rep.Checkpoint, "\n\n")+1])
		require.NoError(t, err)
		require.Equal(t, rep.Size, cp.Size)
		require.Equal(t, rep.Root, cp.Root)
	}
}
