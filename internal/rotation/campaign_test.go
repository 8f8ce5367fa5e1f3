package rotation

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// maxPasses is how many passes a credential may take. A reset that a policy
// keeps refusing costs refused logins, and those lock the account for a while.
const maxPasses = 40

// pause lies between passes: longer than any lag that is meant to end.
const pause = time.Minute

// run takes the credential through passes, as the workflow does, until it is
// dead and cleaned. again says what follows a killed Apply: the same activity
// once more, or a whole new pass.
func (w *world) run(again bool) (Applied, bool) {
	for range maxPasses {
		a, dead := w.pass(again)
		if dead {
			return a, true
		}
		if a.Stop != nil && a.Stop.Reason.Immediate() {
			continue
		}
		<-time.After(pause)
	}
	return Applied{}, false
}

// pass is one pass of Prepare, intent, Apply, outcome, Clean.
func (w *world) pass(again bool) (Applied, bool) {
	var p Prepared
	if !survives(func() {
		r := w.rotator()
		if w.cache != nil {
			r.Authority = seeing{r.Authority.(*hand), map[string]bool{w.cred.ID: true}}
			r.LookUp(context.Background(), []credential.Credential{w.cred, w.cred})
		}
		p = r.Prepare(context.Background(), w.cred)
	}) {
		return Applied{}, false
	}
	if p.Stop != nil {
		w.note("prepare stops: " + p.Stop.Error())
		return Applied{Applied: wire.Applied{Stop: p.Stop, Step: p.Step}}, false
	}
	w.intents[p.Attempt] = true
	a, ok := w.apply(p.Attempt, p.Fresh)
	for n := 0; !ok && again && n < 8; n++ {
		a, ok = w.apply(p.Attempt, false)
	}
	if !ok || !a.Dead() {
		return a, false
	}
	w.cache.Proved(us, w.cred.ID, a.Attempt, time.Now())
	again = false
	var lost *protocol.Stop
	clean := func() {
		r := w.rotator()
		r.Again = again
		var err error
		lost, err = r.Clean(context.Background(), w.cred, a.ToClean())
		ok = err == nil
	}
	for !survives(clean) || !ok {
		w.note("clean again")
		again = true
	}
	if lost != nil {
		w.note("open again: " + string(lost.Reason))
		return a, false // a later campaign goes on with what is staged
	}
	return a, true
}

// apply reports false when the process died.
func (w *world) apply(attempt int, fresh bool) (a Applied, ok bool) {
	for _, s := range w.servers {
		e := s.entries[subject]
		e.proved, e.rejected, e.refused = false, map[string]bool{}, map[string]int{}
	}
	ok = survives(func() {
		r := w.rotator()
		out := []Applied{r.Apply(context.Background(), w.cred, attempt, fresh)}
		if w.together {
			f := r.Following([]credential.Credential{w.cred}, out)
			for range f.Next(context.Background(), nil) {
				out[0] = r.GoOn(context.Background(), out[0])
			}
		}
		a = out[0]
	})
	if ok && a.Dead() {
		w.judge(a)
	}
	if ok && a.Stop != nil {
		w.note("apply stops at " + string(a.Step) + ": " + a.Stop.Error())
	}
	return a, ok
}

// rotator is a new process with nothing remembered.
func (w *world) rotator() *Rotator { return w.as(&hand{w: w}) }

func (w *world) as(h *hand) *Rotator {
	r := &Rotator{Store: h, Authority: h, Campaign: us, LeftOut: w.leftOut, Now: time.Now, Cache: w.cache, Reach: w.reach,
		StillOpen: func(context.Context) bool { return !w.closed[us] }}
	if w.deletes == nil {
		r.Listed = time.Now()
	}
	if w.together {
		r.Behind = &Behind{}
	}
	return r
}

// survives reports whether do ran to its end, or the process was killed in it.
func survives(do func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, killed := p.(death); !killed {
				panic(p)
			}
			ok = false
		}
	}()
	do()
	return true
}

// ended holds the world to what must be true once a credential is dead and
// cleaned.
func (w *world) ended() {
	// Of a reset that may still arrive its time stays, and no value.
	if s := w.staging[w.cred.ID]; s != nil && (!s.Freed || s.Late.IsZero() || !s.Secret.IsZero() || len(s.Old) > 0) {
		w.fail("staged after the end: attempt %d of %s", s.Attempt, s.Campaign)
	}
	now := w.write().inForce()
	for i, p := range w.cred.Paths {
		vs := w.secrets[place(p)].versions
		if w.foreign[place(p)] {
			continue
		}
		if s := w.spare(); s != "" && (s == now || w.theirs[now]) {
			continue // the path was left as it was, and Rollcall's own has the value
		}
		if !w.theirs[now] && !vs[len(vs)-1].strangers && w.live(i) != now {
			w.fail("%s holds %q and %q is in force", p, w.live(i), now)
		}
		rewritten := slices.ContainsFunc(vs[min(1, len(vs)):], func(v version) bool { return v.strangers })
		if first, last := vs[0].fields, vs[len(vs)-1].fields; !rewritten && !w.theirs[now] && first["other"] != "" && (last["other"] == "") != slices.Contains(w.stolen, first["other"]) {
			w.fail("%s was read in one way and written in the other: %v", p, last)
		}
		// What was not seen to be the account's stays: that is for a person to
		// destroy. So may a version that somebody else wrote meanwhile. Where
		// few wrong logins are allowed not each path is asked.
		if w.twins || w.locks > 0 || slices.ContainsFunc(vs[min(1, len(vs)):], func(v version) bool { return v.strangers }) {
			continue
		}
		last := len(vs) - 2
		for last > 0 && w.ours[vs[last].fields[p.Field]] {
			last--
		}
		if w.at(p) == now && len(w.cred.Confirmed) == 0 && last >= 0 && !vs[last].destroyed && slices.Contains(w.stolen, vs[last].fields[p.Field]) {
			w.fail("version %d of %s can still be read", last+1, p)
		}
	}
}

// kept fails the test when a promise was broken, with all that happened.
func (w *world) kept(t require.TestingT, what string) {
	if len(w.broken) > 0 {
		require.Empty(t, w.broken, "%s\n%s", what, w.story())
	}
}

// rotate runs to the end and holds every promise.
func (w *world) rotate(t *testing.T, again bool, what string) Applied {
	t.Helper()
	a, dead := w.run(again)
	if !dead {
		require.True(t, dead, "%s: it never came to an end\n%s", what, w.story())
	}
	w.ended()
	w.kept(t, what)
	require.Equal(t, protocol.Prove, a.Step)
	return a
}
