package ledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// bothWays verifies a ledger the quick way and the long way.
func bothWays(t require.TestingT, dir, vkey string, anchored []byte) (quickly, long Report, ofQuick, ofLong *State) {
	v, err := note.NewVerifier(vkey)
	require.NoError(t, err)
	start := Report{VerifierKey: vkey, KeySource: KeyGiven, Origin: v.Name(), Campaign: campaign, Problems: []Problem{}, Open: []OpenCredential{}}
	cp, kept, ok := checkpoints(&start, dir, v, anchored)
	require.True(t, ok)
	start.Size, start.Root = cp.Size, cp.Root
	quickly, long = start, start
	ofQuick, err = verifyQuick(context.Background(), &quickly, dir, cp, kept)
	require.NoError(t, err)
	ofLong, err = verifyLong(context.Background(), &long, dir, cp, kept)
	require.NoError(t, err)
	return quickly, long, ofQuick, ofLong
}

func appendAll(t require.TestingT, l *Log, entries []Entry) {
	_, err := l.Append(context.Background(), entries)
	require.NoError(t, err)
}

func requireSameCredentials(t require.TestingT, a, b *State) {
	require.Equal(t, slices.Collect(a.All()), slices.Collect(b.All()))
}

func TestTheQuickWaySaysOfAWholeLedgerWhatTheLongWaySays(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	appendAll(t, l, story()[:5])
	for n := 10; n < 1000; n += 90 { // anchors in the midst of bundles and at their ends
		var more []Entry
		for i := n; i < n+90; i++ {
			e := of(i, "", EventFinding)
			e.Credential, e.Detail = "", fmt.Sprint(i)
			e.ID = EntryID(campaign, "", e.Detail, EventFinding)
			more = append(more, e)
		}
		appendAll(t, l, more)
	}
	appendAll(t, l, story()[5:])
	var anchored []byte
	for _, cp := range f.vault.kept {
		anchored = append(append(anchored, cp...), '\n')
	}
	quickly, long, a, b := bothWays(t, f.dir, f.vkey, anchored)
	require.Empty(t, long.Problems)
	require.NotNil(t, a, "nothing is wrong with it, so the quick way does")
	require.Equal(t, long, quickly)
	requireSameState(t, a, b)
	rep, err := Verify(t.Context(), f.dir, f.vkey, anchored)
	require.NoError(t, err)
	require.Empty(t, rep.Problems)
	require.Positive(t, rep.Anchors)
}

// Whatever entries say, in whatever order: what the quick way calls whole the
// long way calls whole.
func TestTheQuickWayCallsNothingWholeThatTheLongWayDoesNot(t *testing.T) {
	fixtures := lab.Folder(t)
	n, verified := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		entries := story()
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			at := rapid.IntRange(0, len(entries)-1).Draw(t, "at")
			switch e := &entries[at]; rapid.IntRange(0, 9).Draw(t, "change") {
			case 0:
				entries = slices.Delete(entries, at, at+1)
			case 1:
				to := rapid.IntRange(0, len(entries)-1).Draw(t, "to")
				entries[at], entries[to] = entries[to], entries[at]
			case 2: // another server gives evidence
				e.Evidence = append(slices.Clone(e.Evidence), protocol.Evidence{Server: "ldap-3", Old: protocol.Refused, New: protocol.Accepted, At: "2026-11-23T16:00:09.000Z"})
			case 3:
				e.Evidence = slices.Clone(e.Evidence[:len(e.Evidence)/2])
			case 4:
				e.Attempt++
			case 5:
				e.Proof = protocol.ProofMetadata
			case 6:
				again := of(rapid.IntRange(0, 3).Draw(t, "credential"), "7", rapid.SampledFrom([]Event{Reopened, TakenUp, Replaced, Added, Listed, EventIntent, EventOutcome, EventOpen, Exception}).Draw(t, "event"))
				again.Authority, again.Proof, again.Kind, again.Doors = "corp", protocol.ProofBind, listed(0).Kind, []string{"mail"}
				again.Attempt = rapid.IntRange(0, 1).Draw(t, "attempt")
				entries = slices.Insert(entries, at, again)
			case 7:
				start := whole(CampaignStarted, nil)
				start.ID, start.Servers = start.ID+"2", map[string][]string{"corp": {"ldap-1", "ldap-2", "ldap-3"}}
				entries = slices.Insert(entries, at, start)
			case 8:
				left := whole(ServerLeftOut, nil)
				left.Authority, left.Server, left.Actor, left.Detail = "corp", "ldap-2", "a@b", "it burnt"
				entries = slices.Insert(entries, at, left)
			case 9:
				e.LeftOut = []string{"ldap-2"}
			}
			if len(entries) == 0 {
				return
			}
		}
		n++
		f := &fixture{dir: fmt.Sprintf("%s/%d", fixtures, n), vault: &vault{}}
		var err error
		f.skey, f.vkey, err = note.GenerateKey(rand.Reader, Origin(campaign))
		require.NoError(t, err)
		signer, err := note.NewSigner(f.skey)
		require.NoError(t, err)
		l, err := Open(context.Background(), f.dir, campaign, signer, f.vkey, f.vault.anchor)
		require.NoError(t, err)
		appendAll(t, l, entries)
		require.NoError(t, l.Close(context.Background()))
		quickly, long, a, b := bothWays(t, f.dir, f.vkey, nil)
		if a == nil {
			return
		}
		verified++
		require.Empty(t, long.Problems)
		require.Equal(t, long, quickly)
		requireSameState(t, a, b)
	})
	require.Positive(t, verified)
}

func TestAForestHasTheHashesOfATree(t *testing.T) {
	for _, size := range []uint64{1, 2, 255, 256, 257, 511, 512, 700, 3 * 256, 9*256 + 17} {
		leaves := make([]tlog.Hash, size)
		for i := range leaves {
			leaves[i] = tlog.RecordHash([]byte(fmt.Sprint(i)))
		}
		tree, root, err := buildTree(leaves)
		require.NoError(t, err)
		var kept []Checkpoint
		for k := uint64(1); k <= size; k += 97 {
			kept = append(kept, Checkpoint{Size: k})
		}
		f := newForest(size, kept)
		for n := range f.bundles() {
			f.add(n, leaves[n*tileWidth:min(size, uint64(n+1)*tileWidth)])
		}
		is, err := tlog.TreeHash(int64(size), f)
		require.NoError(t, err)
		require.Equal(t, root, is, size)
		for _, k := range kept {
			was, err := tlog.TreeHash(int64(k.Size), tree)
			require.NoError(t, err)
			is, err := tlog.TreeHash(int64(k.Size), f)
			require.NoError(t, err)
			require.Equal(t, was, is, "%d of %d", k.Size, size)
		}
	}
}
