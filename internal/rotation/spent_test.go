package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// slapd keeps what a modify writes as it is. Whoever may read userPassword has
// that value, so another one is set by the operation that hashes, and the first
// one is neither activated nor in force.
func TestAValueThatWasReadableIsReplacedBeforeAnybodyGetsIt(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{KeepsClear: true})
	r.conf.Set = "replace"
	c, rot := r.credential(0), r.rotator()
	pass := func() Applied {
		p := rot.Prepare(r.Context(), c)
		require.Nil(t, p.Stop)
		out := rot.Apply(r.Context(), c, p.Attempt, p.Fresh)
		rot.Pass++
		return out
	}
	first := pass()
	require.Equal(t, protocol.ReasonRestaged, first.Stop.Reason)
	spent := r.attribute(r.slapd, c.Name, "userPassword")
	require.NotContains(t, spent, "{SSHA}", "as it was sent")
	require.True(t, r.logsIn(r.slapd, c.Name, spent))
	require.NotEqual(t, spent, r.store.staged[c.ID].Secret.Reveal())
	require.Equal(t, r.accounts[0].Password, r.store.live[c.Paths[0].String()].Value.Reveal(), "nothing is activated")

	st := r.store.staged[c.ID]
	require.True(t, st.MayBeInForce(), "whoever ends here leaves what is in force to the next")
	require.Equal(t, spent, st.Old["taken over, attempt 1"].Reveal())

	second := pass()
	require.True(t, second.Dead(), "%+v", second.Stop)
	live := r.store.live[c.Paths[0].String()].Value.Reveal()
	require.True(t, r.logsIn(r.slapd, c.Name, live))
	require.False(t, r.logsIn(r.slapd, c.Name, spent))
	require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
	require.Contains(t, r.attribute(r.slapd, c.Name, "userPassword"), "{SSHA}")
	var codes []credential.FindingCode
	for _, f := range append(first.Findings, second.Findings...) {
		codes = append(codes, f.Code)
	}
	require.Contains(t, codes, credential.FindingStoredAsSent)
}

// The campaign is over before the second value is set, and nothing but its
// secret ties the account to its path: the next one goes on with what is in
// force.
func TestWhatIsSpentAndInForceIsTakenOverByTheNextCampaign(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{KeepsClear: true})
	r.conf.Set = "replace"
	c, rot := r.credential(0), r.rotator()
	c.Spare, c.Named, c.Hearsay = nil, nil, true
	p := rot.Prepare(r.Context(), c)
	require.Nil(t, p.Stop)
	require.Equal(t, protocol.ReasonRestaged, rot.Apply(r.Context(), c, p.Attempt, p.Fresh).Stop.Reason)

	next := r.rotator()
	next.Campaign, next.Store = "campaign-of-next-week", ended{r.store}
	var last Applied
	for range 3 {
		p = next.Prepare(r.Context(), c)
		require.Nil(t, p.Stop)
		if last = next.Apply(r.Context(), c, p.Attempt, p.Fresh); last.Dead() {
			break
		}
		require.Equal(t, protocol.ReasonRestaged, last.Stop.Reason)
		next.Pass++
	}
	require.True(t, last.Dead(), "%+v", last.Stop)
	require.True(t, r.logsIn(r.slapd, c.Name, r.store.live[c.Paths[0].String()].Value.Reveal()))
}

// A process that waited right before Set, for longer than another one took that
// was begun in its place, puts nothing in force over what that one has set:
// least of all the value that was readable, and lies nowhere any more.
func TestASlowTwinDoesNotPutASpentValueBackInForce(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{KeepsClear: true})
	r.conf.Set = "replace"
	c, slow := r.credential(0), r.rotator()
	p := slow.Prepare(r.Context(), c)
	require.Nil(t, p.Stop)
	spent, waited := r.store.staged[c.ID].Secret, time.Duration(0)
	slow.Now = func() time.Time { return time.Now().Add(waited) }
	twins := false
	slow.BeforeSet = func(context.Context, credential.Credential) *protocol.Stop {
		if twins {
			return nil
		}
		twins = true
		quick := r.rotator()
		require.Equal(t, protocol.ReasonRestaged, quick.Apply(r.Context(), c, p.Attempt, false).Stop.Reason)
		next := quick.Prepare(r.Context(), c)
		require.Nil(t, next.Stop)
		require.True(t, quick.Apply(r.Context(), c, next.Attempt, false).Dead())
		waited = 10 * time.Second // as it takes on a busy machine
		return nil
	}
	late := slow.Apply(r.Context(), c, p.Attempt, p.Fresh)
	require.True(t, twins)
	require.Equal(t, protocol.ReasonRestaged, late.Stop.Reason, "%+v", late.Stop)
	live := r.store.live[c.Paths[0].String()].Value
	require.True(t, r.logsIn(r.slapd, c.Name, live.Reveal()), "consumers are served")
	require.False(t, r.logsIn(r.slapd, c.Name, spent.Reveal()))
}
