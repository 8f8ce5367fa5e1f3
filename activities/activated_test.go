package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// Two devices know one account, each by a path of its own, and their campaigns run at once. What the
// first has activated must not be undone for its consumers by the second.
func TestWhatAnotherCampaignActivatedAtAPathThatIsNotOnTheRollIsLeftAsItIs(t *testing.T) {
	s := newSafe(t)
	s.role("shared", "stolen")
	mail, vpn := approle("shared", "apps/mail"), approle("shared", "apps/vpn")
	both := mail
	both.Paths = append([]credential.Path{}, mail.Paths[0], vpn.Paths[0])
	for _, p := range both.Paths {
		_, err := s.store.Activate(s.ctx, p, vault.Live{}, credential.NewSecret("stolen"), "")
		require.NoError(t, err)
	}
	first, second := s.batch("first", "esg-01", mail), s.batch("second", "esg-02", vpn)
	prepare := func(b Batch) PreparedItem {
		var out []PreparedItem
		require.NoError(t, s.call("Prepare", PrepareInput{Batch: b, Pass: 1, Items: []int{0}}, &out))
		return out[0]
	}
	p := prepare(first)
	require.Nil(t, p.Stop)
	var applied []AppliedItem
	require.NoError(t, s.call("Apply", ApplyInput{Batch: first, Items: []ApplyItem{{Attempt: p.Attempt, Fresh: p.Fresh}}}, &applied))
	require.True(t, applied[0].Dead(), "%v", applied[0].Stop)
	require.Equal(t, protocol.ReasonOtherOwner, prepare(second).Stop.Reason, "until it is cleaned it is the first one's")
	require.NoError(t, s.store.Unstage(s.ctx, mail.ID, "first", p.Attempt))

	stopped := prepare(second)
	require.Equal(t, protocol.ReasonMorePaths, stopped.Stop.Reason)
	require.True(t, stopped.Stop.Reason.Final(), "the next campaign lists that path")
	_, found, err := s.store.ReadStaged(s.ctx, vpn.ID)
	require.NoError(t, err)
	require.False(t, found, "a value that nobody has seen is not left behind")
	now, err := s.store.ReadLive(s.ctx, mail.Paths[0], 0)
	require.NoError(t, err)
	require.Equal(t, 2, now.Version)

	placed, err := s.store.ActivatedPlaces(s.ctx, []string{mail.ID})
	require.NoError(t, err)
	require.Equal(t, mail.Paths, placed[mail.ID])
	require.Nil(t, prepare(s.batch("third", "esg-02", both)).Stop, "which has both")
}
