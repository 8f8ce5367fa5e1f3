package report

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// A ledger that does not verify is shown all the same, and whoever may write
// the folder can have it say anything.
func TestWhateverALedgerSaysIsShown(t *testing.T) {
	every := []ledger.Event{ledger.Listed, ledger.Listed, ledger.EventOutcome, ledger.EventIntent, ledger.Reopened, ledger.Replaced, ledger.Added, ledger.TakenUp, ledger.Relisted, ledger.Exception,
		ledger.EventOpen, ledger.Activated, ledger.TaskOpened, ledger.EndAttested, ledger.TaskRenewed, ledger.TaskHandedOver, ledger.TaskReassigned, ledger.TaskOverdue, ledger.TaskReminded, ledger.RollClosed,
		ledger.CampaignClosed, ledger.CampaignStarted, ledger.ServerLeftOut, ledger.DoorLeftOut, ledger.OpenAccepted, ledger.LoginAccepted, ledger.DoorNotAsked, ledger.Excluded, ledger.LineAnswered, ledger.ProfileNamed,
		ledger.DeviceContained, ledger.TookOver, ledger.EventFinding, ledger.Anchored, ledger.CampaignAborted, ledger.CampaignPaused, ledger.CampaignResumed}
	zero := time.Unix(1e9, 0).UTC()
	rapid.Check(t, func(t *rapid.T) {
		s := ledger.NewState()
		if rapid.Bool().Draw(t, "packed") {
			s = ledger.NewPackedState()
		}
		for i := range rapid.IntRange(0, 15).Draw(t, "entries") {
			e := ledger.Entry{ID: fmt.Sprint(i), Campaign: "esg-01", At: zero.Add(time.Duration(i) * time.Second), Event: rapid.SampledFrom(every).Draw(t, "event")}
			e.Credential = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "credential")
			e.Attempt, e.Wave = rapid.IntRange(-1, 1).Draw(t, "attempt"), rapid.IntRange(-2, 2).Draw(t, "wave")
			e.Kind = rapid.SampledFrom([]credential.Kind{"", "ldap-password", credential.VaultToken, "by-hand", "no such"}).Draw(t, "kind")
			e.Proof = rapid.SampledFrom([]protocol.Proof{"", protocol.ProofBind, protocol.ProofRevoked, protocol.ProofDoors, protocol.ProofAttested, "no such"}).Draw(t, "proof")
			e.Step = rapid.SampledFrom([]protocol.Step{"", protocol.Set, protocol.Prove, "no such"}).Draw(t, "step")
			e.Reason = rapid.SampledFrom([]protocol.Reason{"", protocol.ReasonLagging, protocol.ReasonByHand, "no such"}).Draw(t, "reason")
			if rapid.Bool().Draw(t, "full") {
				e.Authority, e.Server, e.Doors, e.LeftOut, e.DoorsLeftOut = "corp", "ldap-2", []string{"mail"}, []string{"ldap-2"}, []string{"mail"}
				e.Evidence = []protocol.Evidence{{}, {Server: "ldap-1", At: "never"}}
				e.AtDoors = []protocol.DoorEvidence{{}}
				e.Task, e.Word = &ledger.TaskOpening{Ends: []ledger.TaskSeat{{End: "a"}, {}}}, &ledger.Word{End: "a"}
				e.Counts, e.End, e.TookFrom = &ledger.Counts{}, &ledger.End{Clean: true}, &ledger.TookFrom{}
				e.Profile, e.Line = &ledger.DeviceProfile{Lines: []string{"x"}}, &credential.LineAnswer{Line: "x"}
				e.Servers, e.Waves = map[string][]string{"corp": nil}, map[int]string{1: ""}
				e.Paths, e.Reasons = []credential.Path{{}}, []credential.Reason{{}}
				e.Containment, e.Spec, e.DeadBefore = &credential.Containment{}, &ledger.Specification{}, &credential.DeadBefore{}
				e.Lines, e.UsedBy = []credential.LineRef{{Line: "y"}}, []string{""}
			}
			s.Add(uint64(i), e)
		}
		s = InZone(s, time.UTC)
		require.NoError(t, Text(io.Discard, s, verified, 80))
		require.NoError(t, HTML(io.Discard, s, verified, zero))
		require.NoError(t, JSON(io.Discard, s, verified))
		require.NoError(t, CSV(io.Discard, s, Verification{}))
		require.NoError(t, SummaryText(io.Discard, s, verified, zero, 80))
		require.NoError(t, SummaryHTML(io.Discard, s, verified, zero))
		StatusOf(s, verified)
		RenderProgress(ProgressOf(s, zero, s.Waves), 80, false)
		SeenTo(s, 80)
		ProfileLine(s)
	})
}
