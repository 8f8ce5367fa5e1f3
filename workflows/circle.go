package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// Of logins that read each other's places one is set first, and its consumers
// are cut off until the last of the others is retired. So an end that comes
// about in between takes those others to theirs as well.

// waitsForLogins: it is retired, and its new value waits for other logins to be
// so. An outage since changes nothing of that.
func waitsForLogins(it wire.OpenItem) bool {
	c := it.Cause()
	return c != nil && c.Reason == protocol.ReasonWithinReach && c.Step == protocol.Activate
}

// heldUp gives why a login is open which waits for others and is not retired;
// nil for everything else. What may be in force of it was looked at by then.
func heldUp(it wire.OpenItem) *wire.OpenItem {
	if c := it.Cause(); !waitsForLogins(it) && c != nil && c.Reason == protocol.ReasonWithinReach {
		return c
	}
	return nil
}

// circleAgain has what is half done and waits for logins tried once more, with
// those, if the last such pass has brought any of them further: also what that
// pass itself has begun and left half done. It reports whether there is such a
// pass.
func (w *wave) circleAgain(ctx workflow.Context) bool {
	half := func(batch int, it wire.OpenItem) bool {
		return waitsForLogins(it) || w.state.Circle > 0 && halfDone(it) && slices.Contains(w.state.Control.Logins, w.ref(batch, it))
	}
	some := slices.ContainsFunc(w.state.Open, func(t batchTodo) bool {
		return slices.ContainsFunc(t.Items, func(it wire.OpenItem) bool { return half(t.Batch, it) })
	})
	if !some || w.state.Circle > w.came() || !knowsCircles(ctx) {
		return false
	}
	w.state.Half = append(w.state.Half, w.part(half)...)
	w.addAwaited()
	w.state.Pass++
	return true
}

func knowsCircles(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, changeCircle, workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// came is how far the credentials of the wave have come, as a number that grows
// with each that is set and with each that dies.
func (w *wave) came() int {
	n := 2 * w.state.Dead
	for _, t := range slices.Concat(w.state.Open, w.state.Half) {
		for _, it := range t.Items {
			if halfDone(it) {
				n++
			}
		}
	}
	return n
}

// addAwaited takes into the last pass the logins for which those wait that are
// half done, and those for which these wait.
func (w *wave) addAwaited() {
	w.state.Circle = w.came() + 1
	held := heldLogins{why: map[credential.Ref]*wire.OpenItem{}}
	for _, t := range w.state.Open {
		for _, it := range t.Items {
			at := w.ref(t.Batch, it)
			if why := heldUp(it); why != nil && slices.Contains(w.state.Control.Logins, at) {
				held.all, held.why[at] = append(held.all, at), why
			}
		}
	}
	take := awaitedBy(w.waiting(), held)
	for _, t := range w.part(func(batch int, it wire.OpenItem) bool { return take[w.ref(batch, it)] }) {
		at := slices.IndexFunc(w.state.Half, func(h batchTodo) bool { return h.Batch == t.Batch })
		if at < 0 {
			w.state.Half = append(w.state.Half, t)
		} else {
			w.state.Half[at].Items = append(w.state.Half[at].Items, t.Items...)
		}
	}
}

// waiting are those of the last pass that wait for logins.
func (w *wave) waiting() (out []wire.OpenItem) {
	for _, t := range w.state.Half {
		out = append(out, slices.DeleteFunc(slices.Clone(t.Items), func(it wire.OpenItem) bool { return !waitsForLogins(it) })...)
	}
	return out
}

// ref is where on the roll something open of a batch stands.
func (w *wave) ref(batch int, it wire.OpenItem) credential.Ref {
	return credential.Ref{Page: w.batches[batch].Span.Page, Index: it.Index}
}

// heldLogins are open and wait for others, in order, with why each is open.
type heldLogins struct {
	all []credential.Ref
	why map[credential.Ref]*wire.OpenItem
}

// awaitedBy are those of held for which some wait, and those for which these
// wait. Which they are is not known of some: those wait for all.
func awaitedBy(waiting []wire.OpenItem, held heldLogins) map[credential.Ref]bool {
	take := map[credential.Ref]bool{}
	for ; len(waiting) > 0; waiting = waiting[1:] {
		awaits := waiting[0].Awaits
		if awaits == nil {
			for _, at := range held.all {
				take[at] = true
			}
			return take
		}
		for _, at := range awaits {
			if why := held.why[at]; why != nil && !take[at] {
				take[at] = true
				waiting = append(waiting, *why)
			}
		}
	}
	return take
}

// part takes out of what is open what is so.
func (w *wave) part(so func(batch int, it wire.OpenItem) bool) (out []batchTodo) {
	var rest []batchTodo
	for _, t := range w.state.Open {
		var is, isNot []wire.OpenItem
		for _, it := range t.Items {
			if so(t.Batch, it) {
				is = append(is, it)
			} else {
				isNot = append(isNot, it)
			}
		}
		if is != nil {
			out = append(out, batchTodo{Batch: t.Batch, Items: is})
		}
		if isNot != nil {
			rest = append(rest, batchTodo{Batch: t.Batch, Items: isNot})
		}
	}
	w.state.Open = rest
	return out
}
