package workflows

import (
	"slices"
	"time"

	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// cutOffWait is the longest wait before the next pass while consumers are cut
// off.
const cutOffWait = 30 * time.Second

// cutOff reports whether the credential was set and Vault did not take its new
// value, so that its consumers can log in nowhere.
func cutOff(it wire.OpenItem) bool { return it.Reason == protocol.ReasonNotActive }

// inTurn orders the open credentials of a batch for a pass: those that are cut
// off, then those whose new value may be in force, then the rest. Among these
// each pass begins elsewhere, so that whatever makes a pass break off does not
// always spare the same ones.
func inTurn(items []wire.OpenItem, pass int) []wire.OpenItem {
	var first, second, rest []wire.OpenItem
	for _, it := range items {
		switch {
		case cutOff(it):
			first = append(first, it)
		case it.Sent:
			second = append(second, it)
		default:
			rest = append(rest, it)
		}
	}
	if n := len(rest); n > 0 {
		at := pass * stride % n
		rest = slices.Concat(rest[at:], rest[:at])
	}
	return slices.Concat(first, second, rest)
}

// stride is how much further in a batch the next pass begins.
const stride = 7

// byUrgency puts the batches first in which something is cut off or half done.
func byUrgency(todo []batchTodo) {
	urgency := func(t batchTodo) int {
		rank := 2
		for _, it := range t.Items {
			switch {
			case cutOff(it):
				return 0
			case it.Sent:
				rank = 1
			}
		}
		return rank
	}
	slices.SortStableFunc(todo, func(a, b batchTodo) int { return urgency(a) - urgency(b) })
}

// stillCutOff keeps the reason of a credential that an earlier pass left
// between Set and Activate and that this one could not look at: that Vault does
// not answer is not what its consumers suffer from.
func stillCutOff(known []wire.OpenItem, stopped []wire.PreparedItem, applied []wire.AppliedItem) {
	was := map[int]wire.OpenItem{}
	for _, k := range known {
		if cutOff(k) {
			was[k.Index] = k
		}
	}
	keep := func(index int, step *protocol.Step, stop *protocol.Stop) *protocol.Stop {
		k, ok := was[index]
		if !ok || stop == nil || !unseen(*step, stop.Reason) {
			return stop
		}
		*step = k.Step
		return &protocol.Stop{Reason: k.Reason, Server: k.Server, Detail: "it was changed by an earlier pass and waits in staging, and its consumers are cut off until Vault takes it: " + stop.Detail}
	}
	for i, p := range stopped {
		stopped[i].Stop = keep(p.Index, &stopped[i].Step, p.Stop)
	}
	for i, a := range applied {
		applied[i].Stop = keep(a.Index, &applied[i].Step, a.Stop)
	}
}

// unseen reports whether a pass ended before it saw which value is in force.
func unseen(at protocol.Step, why protocol.Reason) bool {
	switch at {
	case protocol.Precheck, protocol.Stage, protocol.Intent, protocol.Set:
		return why.OfVault() || why == protocol.ReasonLedger || why == protocol.ReasonInterrupted
	}
	return false
}
