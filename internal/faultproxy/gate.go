package faultproxy

import (
	"context"
	"time"
)

// OnRequest sets a hook that runs when a request has arrived and before
// anything is done with it. The request waits for the hook. What a process
// killed in it has sent is forwarded all the same, as it would be from a real
// server's socket buffer; arm Cut for that request to have it never applied.
// nil removes the hook.
func (p *Proxy) OnRequest(hook func(Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onRequest = hook
}

// OnReply sets a hook that runs when the server's last answer to a request has
// arrived and before it is passed on: a process killed in it dies with the
// request applied and the answer unread. nil removes it.
func (p *Proxy) OnReply(hook func(Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onReply = hook
}

// arrive records a request, decides its fault and waits for hook, pause and
// stall. gone ends when the client's connection does; a stalled request does
// not care, a paused one is given up with it (ok is false).
func (p *Proxy) arrive(gone context.Context, kind, detail string) (r Request, f Fault, ok bool) {
	p.mu.Lock()
	r = Request{N: len(p.requests) + 1, Kind: kind, Detail: detail}
	p.requests = append(p.requests, r)
	p.arrived = append(p.arrived, time.Now())
	if p.plan != nil && p.fired == 0 && (p.plan.Match == nil || p.plan.Match(r)) {
		p.matched++
		if p.matched == p.plan.At {
			f, p.fired = p.plan.Fault, r.N
		}
	}
	if p.closed {
		f = Cut
	}
	hook, flowing, released := p.onRequest, p.flowing, p.released
	p.mu.Unlock()

	if hook != nil {
		hook(r)
	}
	select {
	case <-flowing:
	default:
		select {
		case <-flowing:
		case <-gone.Done():
			p.mu.Lock()
			p.requests[r.N-1].Abandoned = true
			p.mu.Unlock()
			return r, f, false
		}
	}
	if f == Stall {
		<-released
	}
	return r, f, true
}

// answered records that the server's last answer to a request is here.
func (p *Proxy) answered(r Request) {
	p.mu.Lock()
	p.requests[r.N-1].Applied = true
	p.took[r.N] = time.Since(p.arrived[r.N-1])
	r = p.requests[r.N-1]
	hook := p.onReply
	p.mu.Unlock()
	if hook != nil {
		hook(r)
	}
}
