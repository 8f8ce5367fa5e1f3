package protocol

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
)

// TestRecoveryTable holds every row of the table in docs/protocol.md that Next
// decides: each has a case that ends as the table says, and each case belongs
// to a row.
func TestRecoveryTable(t *testing.T) {
	table := recoveryTable(t)
	held := map[string]bool{}
	for _, c := range []struct {
		name, row string
		f         Facts
		want      Decision
	}{
		{"just staged, old in force: set",
			"just now | – | accepted | old | nothing yet",
			Facts{Fresh: true, OldKnown: true, OldBinds: Accepted}, Decision{Step: Set}},
		{"just staged, somebody changed it before us: a finding, and set",
			"just now | – | refused | old | changed before us",
			Facts{Fresh: true, OldKnown: true, OldBinds: Refused}, Decision{Step: Set, Finding: credential.FindingChangedBefore}},
		{"just staged, Vault never held the old value: a finding, and set",
			"just now | – | – | none | Vault never held it",
			Facts{Fresh: true}, Decision{Step: Set, Finding: credential.FindingNeverHeld}},
		{"staged earlier, set not applied: set with the same value",
			"earlier | refused | accepted | old | set was not applied",
			Facts{NewBinds: Refused, OldKnown: true, OldBinds: Accepted}, Decision{Step: Set}},
		{"staged earlier, never held before, set not applied: set with the same value",
			"earlier | refused | – | none | set was not applied, Vault never held it",
			Facts{NewBinds: Refused}, Decision{Step: Set, Finding: credential.FindingNeverHeld}},
		{"some old values were refused and the others spared: set, and no finding, for a spared one may be in force",
			"just now | – | some refused, others not offered | old | one that was not offered may be in force",
			Facts{Fresh: true, OldKnown: true, OldBinds: Refused, OldSpared: true}, Decision{Step: Set}},
		{"all old values were spared: set with the same value",
			"earlier | refused | none offered | old | the same",
			Facts{NewBinds: Refused, OldKnown: true, OldSpared: true}, Decision{Step: Set}},
		{"set applied, answer lost: verify, no second set as repair",
			"earlier | accepted | – | old | set was applied, its answer lost",
			Facts{NewBinds: Accepted, OldKnown: true}, Decision{Step: Verify}},
		{"set applied and the old one still accepted (AD grace): verify",
			"earlier | accepted | accepted | old | set was applied, the server still takes both",
			Facts{NewBinds: Accepted, OldKnown: true, OldBinds: Accepted}, Decision{Step: Verify}},
		{"neither binds: a third party changed it; set again with the same value",
			"earlier | refused | refused | old | a third party changed it",
			Facts{NewBinds: Refused, OldKnown: true, OldBinds: Refused}, Decision{Step: Set, Finding: credential.FindingChangedDuring}},
		{"neither binds and policy refuses the same value: a new attempt",
			"earlier, refused by policy | refused | refused | old | as above, and the same value cannot be set",
			Facts{NewBinds: Refused, OldKnown: true, OldBinds: Refused, PolicyRefused: true}, Decision{Step: Stage, Finding: credential.FindingChangedDuring}},
		{"policy refused the value before it was ever in force: a new attempt, and no finding",
			"earlier, refused by policy | refused | accepted | old | the value never was in force",
			Facts{NewBinds: Refused, OldKnown: true, OldBinds: Accepted, PolicyRefused: true}, Decision{Step: Stage}},
		{"policy is said to have refused it and yet it binds: it is in force",
			"earlier, refused by policy | accepted | – | old | the refusal was of a second set: it is in force",
			Facts{NewBinds: Accepted, OldKnown: true, PolicyRefused: true}, Decision{Step: Verify}},
		{"activated and in force: retire and prove",
			"earlier | accepted | – | new | activated",
			Facts{NewBinds: Accepted, OldKnown: true, Activated: true}, Decision{Step: Retire}},
		{"activated, in force and retired by an earlier pass, and nothing was changed since: prove",
			"earlier | accepted | – | new | retired by an earlier pass, and the change mark is still that one",
			Facts{NewBinds: Accepted, OldKnown: true, Activated: true, RetiredBefore: true}, Decision{Step: Prove}},
		{"retired by an earlier pass, not activated: somebody wrote the path since; verify, activate and retire again",
			"earlier | accepted | – | old | set was applied, of a kind that is retired first: it may be retired already",
			Facts{NewBinds: Accepted, OldKnown: true, RetiredBefore: true}, Decision{Step: Verify}},
		{"retired, and the old value is still accepted beside the new one: a finding and another value",
			"earlier | accepted | accepted, after it was retired three times over | new | retiring by the same value does not work here",
			Facts{NewBinds: Accepted, OldKnown: true, OldBinds: Accepted, Activated: true, Retired: 3}, Decision{Step: Stage, Finding: credential.FindingOutlived}},
		{"retired, and the old value is accepted again: retire again, somebody may have put it back in between",
			"earlier | accepted | accepted, after it was retired three times over | new | retiring by the same value does not work here",
			Facts{NewBinds: Accepted, OldKnown: true, OldBinds: Accepted, Activated: true, Retired: 2}, Decision{Step: Retire}},
		{"other values were set for that, and the old one is accepted still: a person must look",
			"earlier | accepted | accepted, after it was retired three times over | new | retiring by the same value does not work here",
			Facts{NewBinds: Accepted, OldKnown: true, OldBinds: Accepted, Activated: true, Retired: 3, Outlived: 4}, Decision{Stop: &Stop{Reason: ReasonOldAccepted}}},
		{"the reset left the new value expired: set it again, by now the right may be there",
			"earlier | right, expired | – | any | set was applied and left it expired (Active Directory)",
			Facts{NewBinds: PasswordExpired, OldKnown: true}, Decision{Step: Set}},
		{"activated, and expired since: set the same value again",
			"earlier | right, expired | – | any | set was applied and left it expired (Active Directory)",
			Facts{NewBinds: PasswordExpired, OldKnown: true, Activated: true}, Decision{Step: Set}},
		{"the old value is right and expired: set",
			"just now | – | accepted | old | nothing yet",
			Facts{Fresh: true, OldKnown: true, OldBinds: PasswordExpired}, Decision{Step: Set}},
		{"activated, then changed by somebody: a finding and a new attempt",
			"earlier | refused | refused | new | somebody changed it after activation",
			Facts{NewBinds: Refused, OldKnown: true, OldBinds: Refused, Activated: true}, Decision{Step: Stage, Finding: credential.FindingChangedAfter}},
		{"activated, and the entry was put back as it was before the reset: set the same value again",
			"earlier | refused | – | new | the password is as it was before set: replication put the entry back",
			Facts{NewBinds: Refused, OldKnown: true, Activated: true, Reverted: true}, Decision{Step: Set, Finding: credential.FindingUndone}},
		{"the new value must be changed by its owner: consumers could do nothing with it",
			"earlier | must change | – | old | the value logs in and may do nothing",
			Facts{NewBinds: MustChange, OldKnown: true}, Decision{Stop: &Stop{Reason: ReasonMustChange}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Next(c.f)
			require.Equal(t, c.want.Step, got.Step)
			require.Equal(t, c.want.Finding, got.Finding)
			require.Equal(t, c.want.Stop == nil, got.Stop == nil)
			if c.want.Stop != nil {
				require.Equal(t, c.want.Stop.Reason, got.Stop.Reason)
			}
			require.Contains(t, table, c.row, "the table has that row")
			held[c.row] = held[c.row] || table[c.row] == asWritten(got)
		})
	}
	for row, next := range table {
		require.True(t, held[row], "no case ends as the table says: %s | %v", row, next)
	}
}

// next is the first step of a row's "next", the finding before it, and the
// reason of a stop.
type next struct {
	step    Step
	finding credential.FindingCode
	stop    Reason
}

func asWritten(d Decision) next {
	n := next{step: d.Step, finding: d.Finding}
	if d.Stop != nil {
		n.stop = d.Stop.Reason
	}
	return n
}

// recoveryTable reads those rows of docs/protocol.md.
func recoveryTable(t *testing.T) map[string]next {
	doc, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	cell := regexp.MustCompile("^(?:finding `([^`]*)`, )?(?:stop `([^`]*)`|(new attempt|[a-z]+))")
	rows := map[string]next{}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if len(cells) != 7 || !strings.HasPrefix(cells[6], "`Next`") {
			continue
		}
		m := cell.FindStringSubmatch(cells[5])
		require.NotNil(t, m, cells[5])
		n := next{finding: credential.FindingCode(m[1]), stop: Reason(m[2]), step: Step(m[3])}
		if n.step == "new attempt" {
			n.step = Stage
		}
		row := strings.Join(cells[:5], " | ")
		require.NotContains(t, rows, row, "each row once")
		rows[row] = n
	}
	require.NotEmpty(t, rows)
	return rows
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
	for _, a := range []Reply{Restricted, NotThisWay, Locked, LockNotShown, RoleLocked, Disabled, Expired, Gone, Unreachable} {
		for _, f := range []Facts{
			{NewBinds: a, OldKnown: true},
			{NewBinds: Refused, OldKnown: true, OldBinds: a},
			{NewBinds: a, OldKnown: true, Activated: true},
			{Fresh: true, OldKnown: true, OldBinds: a},
			{OldKnown: true, OldBinds: a},
		} {
			d := Next(f)
			require.NotNil(t, d.Stop, "%s: %+v", a, f)
			require.Equal(t, StopFor(a, "").Reason, d.Stop.Reason)
		}
	}
}

func TestNextNeverGuesses(t *testing.T) {
	answers := rapid.SampledFrom([]Reply{NotAsked, Accepted, Refused, MustChange, PasswordExpired, Restricted, NotThisWay, Locked, LockNotShown, RoleLocked, Disabled, Expired, Gone, Unreachable})
	rapid.Check(t, func(t *rapid.T) {
		f := Facts{
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
			require.NotEqual(t, Accepted, f.NewBinds, "nothing in force is set twice")
			require.True(t, !f.Activated || f.NewBinds == PasswordExpired || f.NewBinds == Refused && f.Reverted, "what consumers can use is never set again under them")
			require.True(t, f.Fresh || f.NewBinds == Refused || f.NewBinds == PasswordExpired)
		case Verify, Retire:
			require.Equal(t, Accepted, f.NewBinds)
		case Prove:
			require.True(t, f.NewBinds == Accepted && f.Activated && f.RetiredBefore, "nothing is proved that was not retired")
		case Stage:
			require.True(t, f.NewBinds != Accepted || d.Finding == credential.FindingOutlived && f.Activated && f.Retired >= enoughRetires && f.Outlived < maxOutlived,
				"a value in force is thrown away only where the old one works beside it, and not for ever")
		}
	})
}
