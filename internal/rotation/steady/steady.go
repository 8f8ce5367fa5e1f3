// Package steady finds out that several machines answer at the address of one
// server: what one of them proved is not true of the others.
package steady

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// How many new connections a proof is looked at over, and how many where the
// server lagged or refused before: a balancer that picks by chance shows both
// of two machines at three in three of four looks, and at eight in all but one
// of 128.
const (
	looks      = 3
	moreLooks  = 8
	sampled    = 25 // accounts of a batch, the last ones: a machine that fell behind lacks those first
	wentBack   = "it showed the change while the value was proved there, and shows it no more"
	earlier    = "several machines answered at this address earlier in the campaign"
	otherOne   = "it answers as another machine than earlier in the campaign"
	startedOld = "it says that it was started earlier than it said before in the campaign, and a machine that is started again says a later time"
	goodSoLate = "it refused the new value, or showed an older state, and then was in order although no later change came"
)

// Doubts remembers, for the campaigns of one worker, which servers contradicted
// themselves. One good look never takes back a bad one. Safe for concurrent
// use; nil remembers nothing.
type Doubts struct {
	mu       sync.Mutex
	against  map[serverKey]string    // what contradicted
	machines map[serverKey]string    // who answered
	started  map[serverKey]time.Time // the latest start that was shown
	bad      map[serverKey]bool      // it lagged, or refused what it should take
	marks    map[markKey]string      // of an account, when the server was not in order with it
}

type serverKey struct{ campaign, server string }

type markKey struct {
	serverKey
	id string
}

// NewDoubts has none.
func NewDoubts() *Doubts {
	return &Doubts{against: map[serverKey]string{}, machines: map[serverKey]string{}, started: map[serverKey]time.Time{}, bad: map[serverKey]bool{}, marks: map[markKey]string{}}
}

// Recall tells of a contradiction that an earlier pass of a campaign met, in
// another process perhaps.
func (d *Doubts) Recall(campaign, server string) { d.set(serverKey{campaign, server}, earlier) }

func (d *Doubts) set(at serverKey, what string) {
	if d == nil || at.server == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.against[at] == "" {
		d.against[at] = what
	}
}

// Of is why nothing is proved on a server in this campaign, or nil.
func (d *Doubts) Of(campaign, server string) *protocol.Stop {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	what := d.against[serverKey{campaign, server}]
	if what == "" {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonContradicts, Server: server, Detail: "several machines answer as this one server: " + what + "; what one of them refuses the others may accept, so nothing is proved here in this campaign"}
}

// Look is a second look at the servers on which a batch was proved.
type Look struct {
	Authority kind.Authority
	Campaign  string
	Servers   []string // those that the proofs asked
	Doubts    *Doubts  // nil: it forgets
}

// At looks once more at each server, over connections that are made for it: one
// address can be a balancer, and what one connection proved is true of the
// machine that it met. cs and out belong together. What it finds keeps
// credentials open; it closes none.
func (l Look) At(ctx context.Context, cs []credential.Credential, out []*wire.Applied) {
	again, can := kind.As[kind.Again](l.Authority)
	if !can {
		return
	}
	all := make([]shown, len(l.Servers))
	var wg sync.WaitGroup
	for n, server := range l.Servers {
		wg.Go(func() { all[n] = l.again(ctx, again, server, cs, out) })
	}
	wg.Wait()
	for n, server := range l.Servers {
		l.judge(server, cs, out, all[n])
	}
}

// shown is what one server showed.
type shown struct {
	asked  bool
	before time.Time // the latest start that the server had shown when it was asked
	look   kind.Look
	err    error
}

func (l Look) again(ctx context.Context, again kind.Again, server string, cs []credential.Credential, out []*wire.Applied) shown {
	n := looks
	if l.Doubts.wasBad(serverKey{l.Campaign, server}) {
		n = moreLooks
	}
	var dead, strange []int
	for i := range out {
		switch {
		case out[i].Dead():
			dead = append(dead, i)
		case odd(out[i], server):
			strange, n = append(strange, i), moreLooks
		}
	}
	if len(dead)+len(strange) == 0 || l.Doubts.Of(l.Campaign, server) != nil {
		return shown{}
	}
	slices.SortFunc(dead, func(a, b int) int { return strings.Compare(provedAt(out[b], server), provedAt(out[a], server)) })
	var about []credential.Credential
	for _, i := range append(dead[:min(len(dead), sampled)], strange[:min(len(strange), sampled)]...) {
		about = append(about, cs[i])
	}
	before := l.Doubts.lastStart(serverKey{l.Campaign, server})
	look, err := again.LookAgain(ctx, server, about, n)
	return shown{true, before, look, err}
}

// odd: the proof broke off at this server, in a way in which a balancer does it
// too.
func odd(a *wire.Applied, server string) bool {
	if a.Step != protocol.Prove || a.Stop == nil || a.Stop.Server != server {
		return false
	}
	switch a.Stop.Reason {
	case protocol.ReasonLagging, protocol.ReasonNewRefused, protocol.ReasonOldAccepted, protocol.ReasonSecondPassword:
		return true
	}
	return false
}

// judge keeps open what a server gives no proof of.
func (l Look) judge(server string, cs []credential.Credential, out []*wire.Applied, a shown) {
	at := serverKey{l.Campaign, server}
	if a.asked && a.err == nil {
		l.Doubts.heard(at, a, cs, out)
	}
	doubt := l.Doubts.Of(l.Campaign, server)
	if doubt == nil && a.look.Contradicts != "" { // nobody remembers, as in a test
		doubt = &protocol.Stop{Reason: protocol.ReasonContradicts, Server: server, Detail: a.look.Contradicts}
	}
	gone := false
	for i := range out {
		mark, shown := a.look.Marks[cs[i].ID]
		gone = gone || shown && out[i].Dead() && back(out[i], server, mark)
	}
	for i := range out {
		switch dead := out[i].Dead(); {
		case !dead && !odd(out[i], server):
		case doubt != nil:
			open(out[i], doubt)
		case dead && a.err != nil:
			stop := protocol.AsStop(a.err)
			stop.Server = server
			open(out[i], stop)
		case dead && gone: // those that were not looked at are no better
			open(out[i], &protocol.Stop{Reason: protocol.ReasonLagging, Server: server, Detail: wentBack})
		}
	}
}

func open(a *wire.Applied, stop *protocol.Stop) {
	a.Proof, a.Stop, a.Step, a.LeftOut = "", stop, protocol.Prove, nil
}

// back reports whether a server shows an account older than when it was proved
// there.
func back(a *wire.Applied, server, mark string) bool {
	return mark < changedAt(a, server)
}

// provedAt is when a server gave its last answer.
func provedAt(a *wire.Applied, server string) string {
	for _, e := range a.Evidence {
		if e.Server == server {
			return e.At
		}
	}
	return ""
}

// changedAt is the change mark that a server showed when it was proved on;
// empty if none was read.
func changedAt(a *wire.Applied, server string) string {
	for _, e := range a.Evidence {
		if e.Server == server {
			return e.Changed
		}
	}
	return ""
}

func (d *Doubts) wasBad(at serverKey) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bad[at]
}

func (d *Doubts) lastStart(at serverKey) time.Time {
	if d == nil {
		return time.Time{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.started[at]
}

// heard takes in what a server showed of the credentials that were proved on
// it, and of those whose proof broke off there.
func (d *Doubts) heard(at serverKey, a shown, cs []credential.Credential, out []*wire.Applied) {
	if d == nil {
		return
	}
	look, what := a.look, a.look.Contradicts
	d.mu.Lock()
	if first := d.machines[at]; first == "" {
		d.machines[at] = look.Machine
	} else if what == "" && look.Machine != "" && look.Machine != first {
		what = otherOne
	}
	if what == "" && !look.Started.IsZero() && look.Started.Before(a.before) {
		what = startedOld
	}
	if look.Started.After(d.started[at]) {
		d.started[at] = look.Started
	}
	for i, c := range cs {
		key, mark := markKey{at, c.ID}, changedAt(out[i], at.server)
		switch bad := d.marks[key]; {
		case out[i].Dead() && bad != "" && mark != "" && mark <= bad && what == "":
			what = goodSoLate
		case out[i].Dead():
			if now, shown := look.Marks[c.ID]; shown && back(out[i], at.server, now) {
				d.bad[at], d.marks[key] = true, mark
			}
		case odd(out[i], at.server):
			d.bad[at] = true
			if now, shown := look.Marks[c.ID]; shown && out[i].Stop.Reason != protocol.ReasonLagging {
				d.marks[key] = now
			}
		}
	}
	d.mu.Unlock()
	if what != "" {
		d.set(at, what)
	}
}
