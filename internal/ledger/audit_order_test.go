package ledger

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

func audited(entries []Entry) Report {
	rep := Report{Campaign: campaign}
	a := newAudit(&rep)
	for i, e := range entries {
		e.Campaign = campaign
		a.take(int64(i), &e, true)
	}
	a.finish()
	return rep
}

func quicklyWhole(entries []Entry) bool {
	rep := Report{Campaign: campaign}
	a := newQuickAudit(&rep, uint64(len(entries)))
	for i, e := range entries {
		e.Campaign = campaign
		if a.take(int64(i), &e, true); a.quick.lost {
			return false
		}
	}
	a.finish()
	return rep.OK()
}

// Whoever may write the folder can lay any entries there, and they are audited
// before the hashes tell that they are not those that were signed.
func TestNoOrderOfEntriesStopsTheAudit(t *testing.T) {
	every := []Event{Listed, Listed, EventOutcome, EventOutcome, EventIntent, EventIntent, Reopened, Replaced, Added, TakenUp, Relisted, Exception, EventOpen, Activated,
		TaskOpened, EndAttested, TaskRenewed, TaskHandedOver, TaskReassigned, TaskOverdue, TaskReminded, RollClosed, CampaignClosed, CampaignStarted, ServerLeftOut,
		DoorLeftOut, OpenAccepted, LoginAccepted, DoorNotAsked, Excluded, LineAnswered, ProfileNamed, DeviceContained, TookOver, EventFinding, Anchored, CampaignAborted}
	rapid.Check(t, func(t *rapid.T) {
		var entries []Entry
		for i := range rapid.IntRange(0, 12).Draw(t, "entries") {
			e := of(rapid.IntRange(0, 1).Draw(t, "credential"), fmt.Sprint(i), rapid.SampledFrom(every).Draw(t, "event"))
			e.Attempt = rapid.IntRange(0, 1).Draw(t, "attempt")
			e.Kind = rapid.SampledFrom([]credential.Kind{listed(0).Kind, credential.VaultToken, "by-hand"}).Draw(t, "kind")
			e.Proof = rapid.SampledFrom([]protocol.Proof{"", protocol.ProofBind, protocol.ProofRevoked, protocol.ProofDoors, protocol.ProofAttested}).Draw(t, "proof")
			if rapid.Bool().Draw(t, "full") {
				e.Authority, e.Doors, e.LeftOut, e.DoorsLeftOut = "corp", []string{"mail"}, []string{"ldap-2"}, []string{"mail"}
				e.Evidence = dead(0, "ldap-1", "ldap-2").Evidence
				e.Task = &TaskOpening{Ends: []TaskSeat{{End: "a"}}}
				e.Word = &Word{End: "a"}
				e.Counts, e.End = &Counts{}, &End{Clean: true}
			}
			require.NoError(t, WriteText(io.Discard, uint64(i), e))
			require.NoError(t, WriteJSONL(io.Discard, e))
			entries = append(entries, e)
		}
		rep := audited(entries)
		if quicklyWhole(entries) {
			require.Empty(t, rep.Problems)
		}
		for i, e := range entries {
			on := slices.ContainsFunc(entries[:i], func(b Entry) bool {
				return (b.Event == Listed || b.Event == Added) && b.Credential == e.Credential
			})
			if e.Event == EventOutcome && !on {
				require.True(t, slices.ContainsFunc(rep.Problems, func(p Problem) bool { return p.Credential == e.Credential && p.Index <= int64(i) }), "%+v", rep.Problems)
			}
		}
	})
}

func TestADeathOfWhatCameOffTheRollIsAProblem(t *testing.T) {
	death := dead(0, "ldap-1")
	death.Attempt = 0
	again := whole(Relisted, nil)
	again.Actor, again.Detail = "a@b", "asked"
	rep := audited([]Entry{whole(CampaignStarted, nil), listed(0), death, of(0, "2", Reopened), again, of(0, "3", Replaced)})
	require.True(t, rep.says(2, "called dead, and taken off the roll afterwards"), "%+v", rep.Problems)
}

func TestWhatIsClaimedOfACredentialBeforeItIsListedIsAProblem(t *testing.T) {
	opened := of(0, "", TaskOpened)
	for _, early := range []Entry{dead(0, "ldap-1"), of(0, "1", EventIntent), of(0, "1", Activated), of(0, "1", Reopened), opened} {
		entries := []Entry{whole(CampaignStarted, nil), early, listed(0)}
		require.True(t, audited(entries).says(1, string(early.Event)+" before it was listed"), early.Event)
		require.False(t, quicklyWhole(entries), early.Event)
	}
	unproved := of(0, "", EventOutcome) // of which nothing else would be said
	entries := []Entry{whole(CampaignStarted, nil), unproved, listed(0), whole(RollClosed, &Counts{Listed: 1}), whole(CampaignClosed, &Counts{Listed: 1, Dead: 1})}
	rep := audited(entries)
	require.Len(t, rep.Problems, 1)
	require.True(t, rep.says(1, "outcome before it was listed"))
	require.False(t, quicklyWhole(entries))
}

func TestACampaignThatWasStartedTwiceIsAProblem(t *testing.T) {
	entries := story()
	again := whole(CampaignStarted, nil)
	again.ID += "2"
	for _, at := range []int{1, 5, 11} {
		twice := slices.Insert(slices.Clone(entries), at, again)
		require.True(t, audited(twice).says(int64(at), "started a second time: entry 0 started it"))
		require.False(t, quicklyWhole(twice))
	}
	require.Empty(t, audited(entries).Problems)
}

// The key that lies beside a log may be anybody's, and so may the size that it
// signs.
func TestASizeThatTheFolderCannotHoldIsToldAndTakesNoMemory(t *testing.T) {
	for _, size := range []int64{1 << 34, 1 << 60, 1<<63 - 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			f := newFixture(t)
			l := f.open(t)
			appendAll(t, l, story())
			require.NoError(t, l.Close(t.Context()))
			signer, err := note.NewSigner(f.skey)
			require.NoError(t, err)
			raw, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", Origin(campaign), size, f.root(t))}, signer)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(f.dir, checkpointFile), raw, 0o600))
			rep, err := Verify(t.Context(), f.dir, "", nil)
			require.NoError(t, err)
			require.True(t, rep.says(0, "cannot be read"), "%+v", rep.Problems[:3])
		})
	}
}

func TestADeathByNoKnownProofIsNotClean(t *testing.T) {
	s := NewState()
	for i, e := range []Entry{whole(CampaignStarted, nil), listed(0), of(0, "", EventOutcome)} {
		s.Add(uint64(i), e)
	}
	_, _, unclean := EndOf(s)
	require.Contains(t, unclean, "1 credential called dead by no known proof")
}

func (f *fixture) root(t *testing.T) string {
	r, err := OpenReader(f.dir)
	require.NoError(t, err)
	cp, err := r.Checkpoint()
	require.NoError(t, err)
	return cp.Root.String()
}
