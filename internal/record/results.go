package record

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// Intents say that these are about to be set.
func Intents(in wire.IntentInput, page []credential.Credential, now time.Time) (entries []ledger.Entry) {
	for _, it := range in.Items {
		c := page[it.Index]
		e := ledger.About(in.Batch.Campaign, c, ledger.EventIntent, strconv.Itoa(it.Attempt), now)
		e.Attempt, e.From = it.Attempt, byPath(c, it.From)
		entries = append(entries, e)
	}
	return entries
}

// Activated say where the new value is by now, before the batch is through.
func Activated(in wire.ActivatedInput, page []credential.Credential, now time.Time) (entries []ledger.Entry) {
	for _, it := range in.Items {
		c := page[it.Index]
		e := ledger.About(in.Batch.Campaign, c, ledger.Activated, strconv.Itoa(it.Attempt), now)
		e.Attempt, e.To = it.Attempt, written(c, it.To)
		entries = append(entries, e)
	}
	return entries
}

// Results say how a pass over a batch ended for each credential.
func Results(in wire.ResultInput, page []credential.Credential, now time.Time) (entries []ledger.Entry) {
	known := map[int]wire.OpenItem{}
	for _, k := range in.Known {
		known[k.Index] = k
	}
	for _, p := range in.Stopped {
		at := wire.OpenAs(p.Index, p.Step, p.Stop)
		if !sameOpen(known[p.Index], at) {
			entries = append(entries, open(in, page[p.Index], at, p.Stop.Detail, now))
		}
	}
	for _, a := range in.Applied {
		c := page[a.Index]
		for _, f := range a.Findings {
			entries = append(entries, found(in.Batch.Campaign, c, a.Attempt, f, now))
		}
		if a.Dead() {
			entries = append(entries, died(in.Batch.Campaign, c, a, now))
			continue
		}
		at := wire.OpenAs(a.Index, a.Step, a.Stop)
		if !sameOpen(known[a.Index], at) {
			e := open(in, c, at, a.Stop.Detail, now)
			e.SetAt = a.SetAt
			entries = append(entries, e)
		}
	}
	return entries
}

// sameOpen reports whether two passes left a credential open in the same way.
func sameOpen(a, b wire.OpenItem) bool {
	return a.Step == b.Step && a.Reason == b.Reason && a.Server == b.Server && a.Until == b.Until && a.Wait == b.Wait
}

// again tells what is said after another listing from what was said before: the
// passes begin anew.
func again(b wire.Batch, which string) string {
	if b.Again == 0 {
		return which
	}
	return strings.TrimSuffix(fmt.Sprintf("again%d.%s", b.Again, which), ".")
}

func open(in wire.ResultInput, c credential.Credential, at wire.OpenItem, detail string, now time.Time) ledger.Entry {
	e := ledger.About(in.Batch.Campaign, c, ledger.EventOpen, again(in.Batch, fmt.Sprint(in.Pass)), now)
	e.Step, e.Reason, e.Server, e.Detail = at.Step, at.Reason, at.Server, detail
	if at.Until > 0 {
		e.Until = time.Unix(at.Until, 0).UTC()
	}
	return e
}

func died(campaign string, c credential.Credential, a wire.AppliedItem, now time.Time) ledger.Entry {
	e := ledger.About(campaign, c, ledger.EventOutcome, fmt.Sprint(a.Attempt), now)
	e.Step, e.Attempt, e.Proof, e.Evidence, e.SetAt = protocol.Outcome, a.Attempt, a.Proof, a.Evidence, a.SetAt
	e.AtDoors, e.DoorsLeftOut = a.Doors, a.DoorsLeftOut
	e.From, e.To, e.Written, e.LeftOut = byPath(c, a.From), written(c, a.To), writtenAt(c, a), a.LeftOut
	return e
}

// lies says where the new value lies of what stays open after it was sent.
// From retire on it is at each path that takes part.
func lies(step protocol.Step) string {
	switch step {
	case protocol.Retire, protocol.Prove, protocol.Outcome:
		return "its new value was set, and lies where consumers read"
	}
	return "its new value may be in force and not be where consumers read"
}

// outage words why a pass did not come to look.
func outage(it wire.OpenItem) string {
	if it.Server == "" {
		return string(it.Reason)
	}
	return string(it.Reason) + " at " + it.Server
}

// Exceptions say which credentials stay open for good, and why. An outage is
// not called the cause of what has one of its own.
func Exceptions(in wire.ExceptionInput, page []credential.Credential, now time.Time) (entries []ledger.Entry) {
	for _, it := range in.Items {
		e := ledger.About(in.Batch.Campaign, page[it.Index], ledger.Exception, again(in.Batch, ""), now)
		cause := it
		if it.Own != nil {
			cause = *it.Own
		}
		e.Step, e.Reason, e.Server, e.Detail = cause.Step, cause.Reason, cause.Server, in.Why
		if cause.Reason.Final() {
			e.Detail = "trying again cannot help"
		}
		if it.Own != nil {
			e.Detail += "; the last try found nothing else: " + outage(it)
		}
		if it.Sent {
			e.Detail += "; " + lies(cause.Step) + ": it is kept in staging, and the next campaign goes on from it"
		}
		entries = append(entries, e)
	}
	return entries
}
