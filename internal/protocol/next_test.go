package protocol

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
)

// TestRecoveryTable holds every row of the table in docs/protocol.md.
func TestRecoveryTable(t *testing.T) {
	for _, row := range []struct {
		name string
		f    Facts
		want Decision
	}{
		{"nothing yet: stage",
			Facts{OldKnown: true, OldBinds: Accepted}, Decision{Step: Stage}},
		{"nothing yet and the stored value is refused: stage all the same, a reset needs no old value",
			Facts{OldKnown: true, OldBinds: Refused}, Decision{Step: Stage}},
		{"just staged, old in force: set",
			Facts{Staged: Ours, Fresh: true, OldKnown: true, OldBinds: Accepted}, Decision{Step: Set}},
		{"just staged, somebody changed it before us: a finding, and set",
			Facts{Staged: Ours, Fresh: true, OldKnown: true, OldBinds: Refused},
			Decision{Step: Set, Finding: credential.FindingChangedBefore}},
		{"just staged, Vault never held the old value: a finding, and set",
			Facts{Staged: Ours, Fresh: true}, Decision{Step: Set, Finding: credential.FindingNeverHeld}},
		{"staged earlier, set not applied: set with the same value",
			Facts{Staged: Ours, NewBinds: Refused, OldKnown: true, OldBinds: Accepted}, Decision{Step: Set}},
		{"staged earlier, never held before, set not applied: set with the same value",
			Facts{Staged: Ours, NewBinds: Refused}, Decision{Step: Set, Finding: credential.FindingNeverHeld}},
		{"some old values were refused and the others spared: set, and no finding, for a spared one may be in force",
			Facts{Staged: Ours, Fresh: true, OldKnown: true, OldBinds: Refused, OldSpared: true}, Decision{Step: Set}},
		{"all old values were spared: set with the same value",
			Facts{Staged: Ours, NewBinds: Refused, OldKnown: true, OldSpared: true}, Decision{Step: Set}},
		{"set applied, answer lost: verify, no second set as repair",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true}, Decision{Step: Verify}},
		{"set applied and the old one still accepted (AD grace): verify",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, OldBinds: Accepted}, Decision{Step: Verify}},
		{"neither binds: a third party changed it; set again with the same value",
			Facts{Staged: Ours, NewBinds: Refused, OldKnown: true, OldBinds: Refused},
			Decision{Step: Set, Finding: credential.FindingChangedDuring}},
		{"neither binds and policy refuses the same value: a new attempt",
			Facts{Staged: Ours, NewBinds: Refused, OldKnown: true, OldBinds: Refused, PolicyRefused: true},
			Decision{Step: Stage, NewAttempt: true, Finding: credential.FindingChangedDuring}},
		{"policy refused the value before it was ever in force: a new attempt, and no finding",
			Facts{Staged: Ours, NewBinds: Refused, OldKnown: true, OldBinds: Accepted, PolicyRefused: true},
			Decision{Step: Stage, NewAttempt: true}},
		{"policy is said to have refused it and yet it binds: it is in force",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, PolicyRefused: true}, Decision{Step: Verify}},
		{"activated and in force: retire and prove",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, Activated: true}, Decision{Step: Retire}},
		{"activated, in force and retired by an earlier pass, and nothing was changed since: prove",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, Activated: true, RetiredBefore: true}, Decision{Step: Prove}},
		{"retired by an earlier pass, not activated: somebody wrote the path since; verify, activate and retire again",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, RetiredBefore: true}, Decision{Step: Verify}},
		{"retired, and the old value is still accepted beside the new one: a finding and another value",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, OldBinds: Accepted, Activated: true, Retired: 3},
			Decision{Step: Stage, NewAttempt: true, Finding: credential.FindingOutlived}},
		{"retired, and the old value is accepted again: retire again, somebody may have put it back in between",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, OldBinds: Accepted, Activated: true, Retired: 2}, Decision{Step: Retire}},
		{"other values were set for that, and the old one is accepted still: a person must look",
			Facts{Staged: Ours, NewBinds: Accepted, OldKnown: true, OldBinds: Accepted, Activated: true, Retired: 3, Outlived: 4},
			Decision{Stop: &Stop{Reason: ReasonOldAccepted}}},
		{"the reset left the new value expired: set it again, by now the right may be there",
			Facts{Staged: Ours, NewBinds: PasswordExpired, OldKnown: true}, Decision{Step: Set}},
		{"activated, and expired since: set the same value again",
			Facts{Staged: Ours, NewBinds: PasswordExpired, OldKnown: true, Activated: true}, Decision{Step: Set}},
		{"the old value is right and expired: set",
			Facts{Staged: Ours, Fresh: true, OldKnown: true, OldBinds: PasswordExpired}, Decision{Step: Set}},
		{"activated, then changed by somebody: a finding and a new attempt",
			Facts{Staged: Ours, NewBinds: Refused, OldKnown: true, OldBinds: Refused, Activated: true},
			Decision{Step: Stage, NewAttempt: true, Finding: credential.FindingChangedAfter}},
		{"activated, and the entry was put back as it was before the reset: set the same value again",
			Facts{Staged: Ours, NewBinds: Refused, OldKnown: true, Activated: true, Reverted: true},
			Decision{Step: Set, Finding: credential.FindingUndone}},
		{"another running campaign holds it: hands off",
			Facts{Staged: Other}, Decision{Stop: &Stop{Reason: ReasonOtherOwner}}},
		{"the new value must be changed by its owner: consumers could do nothing with it",
			Facts{Staged: Ours, NewBinds: MustChange, OldKnown: true}, Decision{Stop: &Stop{Reason: ReasonMustChange}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := Next(row.f)
			require.Equal(t, row.want.Step, got.Step)
			require.Equal(t, row.want.NewAttempt, got.NewAttempt)
			require.Equal(t, row.want.Finding, got.Finding)
			require.Equal(t, row.want.Stop == nil, got.Stop == nil)
			if row.want.Stop != nil {
				require.Equal(t, row.want.Stop.Reason, got.Stop.Reason)
			}
		})
	}
}

func TestTheOrderOfStepsEndsInTheProof(t *testing.T) {
	for _, first := range []bool{false, true} {
		for _, from := range []Step{Set, Verify, Retire, Prove} {
			order := Order(from, first)
			require.Equal(t, from, order[0])
			require.Equal(t, Prove, order[len(order)-1])
			activate, retire := slices.Index(order, Activate), slices.Index(order, Retire)
			if activate >= 0 {
				require.Equal(t, first, retire < activate, "%s: %v", from, order)
				require.Less(t, slices.Index(order, Verify), activate, "nothing is activated that was not seen to log in")
			}
			require.Equal(t, from != Prove, retire >= 0, "nothing is proved that was not retired")
		}
		require.Empty(t, Order(Stage, first))
	}
}

func TestAServerThatCannotTellWhichValueIsInForceStopsEverything(t *testing.T) {
	for _, a := range []Answer{Restricted, NotThisWay, Locked, RoleLocked, Disabled, Expired, Gone, Unreachable} {
		for _, f := range []Facts{
			{Staged: Ours, NewBinds: a, OldKnown: true},
			{Staged: Ours, NewBinds: Refused, OldKnown: true, OldBinds: a},
			{Staged: Ours, NewBinds: a, OldKnown: true, Activated: true},
			{Staged: Ours, Fresh: true, OldKnown: true, OldBinds: a},
			{OldKnown: true, OldBinds: a},
		} {
			d := Next(f)
			require.NotNil(t, d.Stop, "%s: %+v", a, f)
			require.Equal(t, StopFor(a, "").Reason, d.Stop.Reason)
		}
	}
}

func TestNextNeverGuesses(t *testing.T) {
	answers := rapid.SampledFrom([]Answer{NotAsked, Accepted, Refused, MustChange, PasswordExpired, Restricted, NotThisWay, Locked, RoleLocked, Disabled, Expired, Gone, Unreachable})
	rapid.Check(t, func(t *rapid.T) {
		f := Facts{
			Staged:        rapid.SampledFrom([]Owner{Nobody, Ours, Other}).Draw(t, "staged"),
			Fresh:         rapid.Bool().Draw(t, "fresh"),
			NewBinds:      answers.Draw(t, "new"),
			OldBinds:      answers.Draw(t, "old"),
			OldKnown:      rapid.Bool().Draw(t, "known"),
			OldSpared:     rapid.Bool().Draw(t, "spared"),
			Activated:     rapid.Bool().Draw(t, "activated"),
			PolicyRefused: rapid.Bool().Draw(t, "policy"),
			Retired:       rapid.IntRange(0, 4).Draw(t, "retired"),
			RetiredBefore: rapid.Bool().Draw(t, "retired before"),
			Reverted:      rapid.Bool().Draw(t, "reverted"),
			Outlived:      rapid.IntRange(0, 5).Draw(t, "outlived"),
		}
		d := Next(f)
		require.Equal(t, d.Stop == nil, d.Step != "", "exactly one of step and stop")
		switch d.Step {
		case Set:
			require.Equal(t, Ours, f.Staged, "nothing is set that is not durable and ours")
			require.NotEqual(t, Accepted, f.NewBinds, "nothing in force is set twice")
			require.True(t, !f.Activated || f.NewBinds == PasswordExpired || f.NewBinds == Refused && f.Reverted, "what consumers can use is never set again under them")
			require.True(t, f.Fresh || f.NewBinds == Refused || f.NewBinds == PasswordExpired)
		case Verify, Retire:
			require.Equal(t, Accepted, f.NewBinds)
		case Prove:
			require.True(t, f.NewBinds == Accepted && f.Activated && f.RetiredBefore, "nothing is proved that was not retired")
		}
		if d.NewAttempt {
			require.Equal(t, Stage, d.Step)
			require.True(t, f.NewBinds != Accepted || d.Finding == credential.FindingOutlived && f.Activated && f.Retired >= retiresEnough && f.Outlived < outlivedMost,
				"a value in force is thrown away only where the old one works beside it, and not for ever")
		}
	})
}
