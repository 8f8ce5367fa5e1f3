package rotation

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// What ending the old value showed is gone with what was ended: whoever comes
// after a process that was killed, or whose result was lost, tells it, once and
// in its words.
func TestWhatWasFoundByDoingIsToldThoughItsResultWasLost(t *testing.T) {
	revoked := credential.Finding{Code: credential.FindingTokensRevoked, Detail: "2 live tokens of the old secret-ids were revoked"}
	begin := func(first bool) (*world, Prepared) {
		w := newWorld(1, "P0")
		w.first, w.lives = first, []credential.Finding{revoked}
		p := w.rotator().Prepare(context.Background(), w.cred)
		require.Nil(t, p.Stop)
		w.intents[p.Attempt] = true
		return w, p
	}
	told := func(w *world, a Applied) {
		require.True(t, a.Dead(), w.story())
		require.Equal(t, []credential.Finding{revoked}, a.Findings, w.story())
	}
	for _, first := range []bool{false, true} {
		ended, calls := 0, 0
		synctest.Test(t, func(t *testing.T) {
			w, p := begin(first)
			lost, ok := w.apply(p.Attempt, p.Fresh)
			require.True(t, ok)
			told(w, lost)
			calls = w.calls
			for _, s := range w.trace {
				if s.what == "retire" {
					ended = s.call
				}
			}
			require.NotZero(t, ended, w.story())
			for range 2 {
				again, ok := w.apply(p.Attempt, false)
				require.True(t, ok)
				told(w, again)
			}
		})
		if !first {
			continue // it is written when the look is over
		}
		for at := ended + 1; at <= calls; at++ {
			synctest.Test(t, func(t *testing.T) {
				w, p := begin(first)
				w.faults[at] = diedAfter
				_, ok := w.apply(p.Attempt, p.Fresh)
				require.False(t, ok)
				a, dead := w.pass(true)
				require.True(t, dead, w.story())
				require.Contains(t, a.Findings, revoked, "killed at call %d: %s", at, w.story())
			})
		}
	}
}

// An entry keeps a bounded number of them, and each once.
func TestAnEntryKeepsNoEndlessListOfFindings(t *testing.T) {
	j := &job{}
	for range 3 {
		for n := range 2 * maxFound {
			j.out.Findings = append(j.out.Findings, credential.Finding{Code: credential.FindingTokensRevoked, Detail: fmt.Sprint(n)})
		}
		j.out.Findings = append(j.out.Findings, credential.Finding{Code: credential.FindingPathRefused, Detail: "seen at each look"})
		j.staged = j.withFound(j.staged)
	}
	require.Len(t, j.staged.Found, maxFound)
	require.Len(t, slices.Compact(slices.Clone(j.staged.Found)), maxFound)
	require.False(t, slices.ContainsFunc(j.staged.Found, func(f credential.Finding) bool { return !f.Code.ByDoing() }))
}
