package judge

import (
	"slices"

	"rollcall/internal/evidence/event"
)

// Bounds of the usual places that are learned: of one credential, and of all.
const (
	mostUsual    = 20_000
	mostUsualAll = 200_000
)

// places are those from which the right value came before the first window.
// Those of which the log does not say how that ended are told apart.
type places struct {
	of   map[from]event.Outcome
	more bool // there were more than are kept
}

// learned are the places of credentials, by their index.
type learned map[int]*places

// has reports whether a place is a usual one, for a login of that outcome. A
// log may never say how logins end, so such ones count for each other.
func (p *places) has(f from, outcome event.Outcome) bool {
	if p == nil || f.unread() {
		return false
	}
	is, ok := p.of[f]
	return ok && (is == event.Accepted || outcome == event.Unknown)
}

// any reports whether there are usual places, for a login of that outcome.
func (p *places) any(outcome event.Outcome) bool {
	if p == nil {
		return false
	}
	for _, is := range p.of {
		if is == event.Accepted || outcome == event.Unknown {
			return true
		}
	}
	return false
}

func (p *places) full() bool { return p != nil && p.more }

// list are those from which it was let in, at most as many as have findings of
// their own.
func (p *places) list() (out []string) {
	if p == nil {
		return nil
	}
	for f, is := range p.of {
		if is == event.Accepted {
			out = append(out, f.String())
		}
	}
	slices.Sort(out)
	return out[:min(len(out), mostLetIn)]
}

// learn takes the place of a login from before the first window. Several
// addresses of which one is true are one place, as a whole: each by itself may
// be what who asked wrote. What may have been within the window teaches
// nothing.
func (j *Judge) learn(k key, g *group) {
	if k.phase != Before || k.credential < 0 || k.change != "" || k.perhaps || g.either || g.indicator != "" || !k.address.IsValid() || k.unread() || g.place == device || g.place == usual {
		return
	}
	outcome := k.outcome
	switch {
	case outcome.Right():
		outcome = event.Accepted
	case outcome != event.Unknown:
		return
	}
	p := j.learned[k.credential]
	if p == nil {
		p = &places{of: map[from]event.Outcome{}}
		j.learned[k.credential] = p
	}
	switch is, ok := p.of[k.from]; {
	case ok && is == event.Accepted:
	case !ok && (len(p.of) >= mostUsual || j.usualPlaces >= mostUsualAll):
		p.more = true
	default:
		if !ok {
			j.usualPlaces++
		}
		p.of[k.from] = outcome
	}
}
