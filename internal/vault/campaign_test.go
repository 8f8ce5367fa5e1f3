package vault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACampaignIsOpenUntilItIsClosed(t *testing.T) {
	s := newStore(t)
	closed := func() bool {
		is, err := s.CampaignClosed(t.Context(), "esg-01/1")
		require.NoError(t, err)
		return is
	}
	require.True(t, closed(), "one that was never opened owns nothing")
	for range 2 {
		require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "esg-01/1", Device: "esg-01"}))
	}
	require.False(t, closed())
	require.ErrorContains(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "esg-01/1", Device: "esg-02"}), "belongs to device esg-01")
	for range 2 {
		require.NoError(t, s.CloseCampaign(t.Context(), "esg-01/1"))
	}
	require.True(t, closed())
	require.ErrorContains(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "esg-01/1", Device: "esg-01"}), "was closed")
	require.ErrorContains(t, s.CloseCampaign(t.Context(), "never"), "no record")
}

func TestCampaignsAreListedByDeviceNewestFirst(t *testing.T) {
	s := newStore(t)
	none, err := s.Campaigns(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, none)
	for _, c := range [][2]string{{"a", "esg-01"}, {"b/x y", "esg-01"}, {"c", "esg-02"}, {"d", "esg-01"}} {
		require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: c[0], Device: c[1]}))
	}
	require.NoError(t, s.CloseCampaign(t.Context(), "a"))
	ids := func(device string) (out []string) {
		all, err := s.Campaigns(t.Context(), device)
		require.NoError(t, err)
		for _, r := range all {
			out = append(out, r.Campaign)
			require.Equal(t, r.Campaign == "a", !r.ClosedAt.IsZero())
		}
		return out
	}
	require.Equal(t, []string{"d", "b/x y", "a"}, ids("esg-01"))
	require.Equal(t, []string{"d", "c", "b/x y", "a"}, ids(""))
}

func TestASupersededCampaignEndsAtOnceAndKeepsForAWhileWhatItStaged(t *testing.T) {
	s := newStore(t)
	for _, id := range []string{"lost", "done", "new"} {
		require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: id, Device: "esg-09", TakesOver: id == "new"}))
	}
	require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "other", Device: "esg-10"}))
	require.NoError(t, s.CloseCampaign(t.Context(), "done"))
	require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "later", Device: "esg-09"}))
	for range 2 {
		_, err := s.Supersede(t.Context(), "new")
		require.NoError(t, err)
	}
	for id, want := range map[string]struct{ ended, closed bool }{
		"lost":  {true, false}, // a worker of it may still be at it
		"done":  {true, true},
		"new":   {false, false},
		"later": {false, false},
		"other": {false, false},
		"never": {false, true},
	} {
		ended, _, err := s.CampaignEnded(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want.ended, ended, id)
		closed, err := s.CampaignClosed(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want.closed, closed, id)
	}
	old := CampaignRecord{Device: "esg-09", OpenedAt: time.Now().Add(-time.Hour), ClosedAt: time.Now().Add(-Settles - time.Second), Superseded: true}
	_, err := s.put(t.Context(), "test", s.mount, campaignPath("old"), 0, old.encode())
	require.NoError(t, err)
	closed, err := s.CampaignClosed(t.Context(), "old")
	require.NoError(t, err)
	require.True(t, closed)
	_, err = s.Supersede(t.Context(), "unknown")
	require.ErrorContains(t, err, "no record")
}
