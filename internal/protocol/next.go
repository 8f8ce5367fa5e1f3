package protocol

import "rollcall/internal/credential"

// Facts are what was observed just now of one credential, for which this
// campaign has staged a value. Whether it may stage one is decided by
// check-and-set (rotation.Rotator.Prepare).
type Facts struct {
	// Fresh: no server can have the staged value: the entry was created by the
	// call whose reply we hold, or says that the value was not sent. Any doubt
	// means false.
	Fresh bool

	// NewBinds is the write server's answer to the staged value. NotAsked is
	// allowed only when Fresh.
	NewBinds Reply

	// OldBinds is the write server's answer to the value that Vault held
	// before the rotation. NotAsked when Vault held none, or when NewBinds
	// settles the matter.
	OldBinds Reply

	// OldSpared: some old values were not offered, because more wrong logins
	// could lock the account, or because they outlived their retirement and may
	// have ended by now; those that were offered were refused.
	OldSpared bool

	// OldKnown: Vault held (or still holds, in an older version) the value
	// from before the rotation.
	OldKnown bool

	// Activated: every live path carries the staged value.
	Activated bool

	// Retired is how often the old value was retired in this very look;
	// OldBinds is the answer after that.
	Retired int

	// RetiredBefore: an earlier pass retired the old value, the write server
	// refused it after that, and that server's change mark is still the one of
	// then.
	RetiredBefore bool

	// Outlived is how many attempts were replaced because the old value
	// outlived its retirement.
	Outlived int

	// Reverted: the account's secret is as it was before Set (Reverted).
	Reverted bool
	// Unproved: no path is known to be the account's, and nothing but a
	// secret's own word ties the two.
	Unproved bool

	// PolicyRefused: the authority refused to be set to the staged value by
	// policy, on an earlier try of this attempt.
	PolicyRefused bool
}

// Decision is what to do next.
type Decision struct {
	// Step comes next. Stage: throw the staged value away and stage another
	// one.
	Step Step
	// Finding to record, if any.
	Finding credential.FindingCode
	// Stop is set when nothing may be changed now.
	Stop *Stop
}

// Next decides the next step from facts alone. See docs/protocol.md for the
// table; TestRecoveryTable holds each of its rows.
func Next(f Facts) Decision {
	// A server that is silent or refuses any password tells nothing about
	// which value is in force: change nothing.
	for _, a := range []Reply{f.NewBinds, f.OldBinds} {
		if !conclusive(a) {
			return stop(StopFor(a, ""))
		}
	}
	if missing := unobserved(f); missing != "" {
		return stop(&Stop{Reason: ReasonInternal, Detail: "undecided: " + missing + " was not observed; nothing was changed: keep the worker's log (-v) and report it"})
	}
	if f.Unproved && !f.Activated && !f.NewBinds.Right() {
		return stop(&Stop{Reason: ReasonUnproved, Detail: "the account did not accept what its path in Vault holds, and nothing but that secret's own word says that it is the account's; nothing was changed: ask who reads it, then confirm account and path in the campaign file, or exclude the path"})
	}
	// Spared values may be in force, so nothing says that somebody changed it.
	unchanged := f.OldBinds.Right() || f.OldSpared
	switch {
	case f.NewBinds == MustChange:
		// Set was applied; consumers could do nothing with it.
		return stop(StopFor(MustChange, ""))
	case f.NewBinds == PasswordExpired:
		// Set was applied, and its identity could not lift the expiry; by now
		// it may.
		return Decision{Step: Set}
	case f.NewBinds == Accepted && f.Activated && f.Retired >= enoughRetires && f.OldBinds.Right() && f.Outlived >= maxOutlived:
		return stop(&Stop{Reason: ReasonOldAccepted, Detail: "the old value is still accepted beside the new one, after resets to the same and to other values, so it is put back each time or kept somewhere else too; find out what accepts it, and disable the account"})
	case f.NewBinds == Accepted && f.Activated && f.Retired >= enoughRetires && f.OldBinds.Right():
		// Retiring by the same value does not work here; a reset to another one
		// may.
		return Decision{Step: Stage, Finding: credential.FindingOutlived}
	case f.NewBinds == Accepted && f.Activated && f.RetiredBefore:
		// Retiring once more would be one more change for the other servers to
		// follow.
		return Decision{Step: Prove}
	case f.NewBinds == Accepted && f.Activated:
		return Decision{Step: Retire}
	case f.NewBinds == Accepted:
		return Decision{Step: Verify}
	case f.Activated && f.Reverted && f.NewBinds == Refused:
		// Nobody set another one: consumers read the right value, and it is to
		// be in force.
		return Decision{Step: Set, Finding: credential.FindingUndone}
	case f.Activated:
		return Decision{Step: Stage, Finding: credential.FindingChangedAfter}
	case f.PolicyRefused && unchanged:
		// It never was in force; another value may please the policy.
		return Decision{Step: Stage}
	case f.PolicyRefused:
		return Decision{Step: Stage, Finding: credential.FindingChangedDuring}
	case unchanged:
		return Decision{Step: Set}
	case !f.OldKnown:
		return Decision{Step: Set, Finding: credential.FindingNeverHeld}
	case f.Fresh:
		return Decision{Step: Set, Finding: credential.FindingChangedBefore}
	default:
		// Neither value binds and Set may or may not have been tried: the
		// credential changed before us, or under our hands. Either way a
		// reset to the same staged value loses nothing.
		return Decision{Step: Set, Finding: credential.FindingChangedDuring}
	}
}

// Order is what is done from a step on, one after the other and without another
// look.
//
// retireFirst: the old value opens the place at which the new one is activated.
// What it minted is therefore ended before anything is written there. A crash
// in between leaves the new value in force, staged and not activated: the next
// look says Verify, and retiring again finds it done.
func Order(from Step, retireFirst bool) []Step {
	order := []Step{Set, Verify, Activate, Retire, Prove}
	if retireFirst && from != Retire && from != Prove {
		order = []Step{Set, Verify, Retire, Activate, Prove}
	}
	for i, s := range order {
		if s == from {
			return order[i:]
		}
	}
	return nil
}

const (
	// enoughRetires: who puts the old value back between one and the look after
	// it makes it outlive the next one too.
	enoughRetires = 3
	// maxOutlived bounds the values that consumers are put through. More than
	// one is needed only where somebody keeps putting the old value back.
	maxOutlived = 4
)

// unobserved names the fact without which Next would have to guess.
func unobserved(f Facts) string {
	switch {
	case f.NewBinds == NotAsked && !f.Fresh:
		return "whether the staged value is in force"
	case !f.NewBinds.Right() && f.OldKnown && f.OldBinds == NotAsked && !f.OldSpared && !f.Activated:
		return "whether the old value is in force"
	}
	return ""
}

func stop(s *Stop) Decision { return Decision{Stop: s} }

// conclusive reports whether an answer says which value is in force (or was not
// asked for).
func conclusive(a Reply) bool { return a == NotAsked || a == Refused || a.Right() }
