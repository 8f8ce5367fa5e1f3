package rotation

import (
	"context"
	"slices"
	"strings"
	"sync"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
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
	goodSoLate = "it refused the new value, or showed an older state, and then was in order although no later change came"
)

// Doubts remembers, for the campaigns of one worker, which servers contradicted
// themselves. One good look never takes back a bad one. Safe for concurrent
// use; nil remembers nothing.
type Doubts struct {
	mu       sync.Mutex
	against  map[serverKey]string // what contradicted
	machines map[serverKey]string // who answered
	bad      map[serverKey]bool   // it lagged, or refused what it should take
	marks    map[markKey]string   // of an account, when the server was not in order with it
}

type serverKey struct{ campaign, server string }

type markKey struct {
	serverKey
	id string
}

// NewDoubts has none.
func NewDoubts() *Doubts {
	return &Doubts{against: map[serverKey]string{}, machines: map[serverKey]string{}, bad: map[serverKey]bool{}, marks: map[markKey]string{}}
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

// of is why nothing is proved on a server in this campaign, or nil.
func (d *Doubts) of(campaign, server string) *protocol.Stop {
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

// Steady looks once more at each server on which a batch was proved, over
// connections that are made for it: one address can be a balancer, and what one
// connection proved is true of the machine that it met. cs and out belong
// together. What it finds keeps credentials open; it closes none.
func (r *Rotator) Steady(ctx context.Context, cs []credential.Credential, out []Applied) {
	again, can := kind.As[kind.Again](r.Authority)
	if !can {
		return
	}
	asked, _ := r.asked()
	answers := make([]answer, len(asked))
	var wg sync.WaitGroup
	for n, server := range asked {
		wg.Go(func() { answers[n] = r.lookAgain(ctx, again, server, cs, out) })
	}
	wg.Wait()
	for n, server := range asked {
		r.judge(server, cs, out, answers[n])
	}
}

// answer is what one server showed.
type answer struct {
	asked bool
	look  kind.Look
	err   error
}

func (r *Rotator) lookAgain(ctx context.Context, again kind.Again, server string, cs []credential.Credential, out []Applied) answer {
	n := looks
	if r.Doubts.wasBad(serverKey{r.Campaign, server}) {
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
	if len(dead)+len(strange) == 0 || r.Doubts.of(r.Campaign, server) != nil {
		return answer{}
	}
	slices.SortFunc(dead, func(a, b int) int { return strings.Compare(provedAt(out[b], server), provedAt(out[a], server)) })
	var about []credential.Credential
	for _, i := range append(dead[:min(len(dead), sampled)], strange[:min(len(strange), sampled)]...) {
		about = append(about, cs[i])
	}
	look, err := again.LookAgain(ctx, server, about, n)
	return answer{true, look, err}
}

// odd: the proof broke off at this server, in a way in which a balancer does it
// too.
func odd(a Applied, server string) bool {
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
func (r *Rotator) judge(server string, cs []credential.Credential, out []Applied, a answer) {
	at := serverKey{r.Campaign, server}
	if a.asked && a.err == nil {
		r.Doubts.heard(at, a.look, cs, out)
	}
	doubt := r.Doubts.of(r.Campaign, server)
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
			out[i].open(doubt)
		case dead && a.err != nil:
			stop := asStop(a.err)
			stop.Server = server
			out[i].open(stop)
		case dead && gone: // those that were not looked at are no better
			out[i].open(&protocol.Stop{Reason: protocol.ReasonLagging, Server: server, Detail: wentBack})
		}
	}
}

func (a *Applied) open(stop *protocol.Stop) {
	a.Proof, a.Stop, a.Step, a.LeftOut = "", stop, protocol.Prove, nil
}

// back reports whether a server shows an account older than when it was proved
// there.
func back(a Applied, server, mark string) bool {
	return mark < changedAt(a, server)
}

// provedAt is when a server gave its last answer.
func provedAt(a Applied, server string) string {
	for _, e := range a.Evidence {
		if e.Server == server {
			return e.At
		}
	}
	return ""
}

// changedAt is the change mark that a server showed when it was proved on;
// empty if none was read.
func changedAt(a Applied, server string) string {
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

// heard takes in what a server showed of the credentials that were proved on
// it, and of those whose proof broke off there.
func (d *Doubts) heard(at serverKey, look kind.Look, cs []credential.Credential, out []Applied) {
	if d == nil {
		return
	}
	what := look.Contradicts
	d.mu.Lock()
	if first := d.machines[at]; first == "" {
		d.machines[at] = look.Machine
	} else if what == "" && look.Machine != "" && look.Machine != first {
		what = otherOne
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
