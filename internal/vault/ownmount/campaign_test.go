package ownmount

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACampaignIsOpenUntilItIsClosed(t *testing.T) {
	s := newStore(t)
	closed := func() bool {
		is, _, err := s.CampaignReleased(t.Context(), "esg-01/1")
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
		ended, _, err := s.CampaignWasClosed(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want.ended, ended, id)
		closed, _, err := s.CampaignReleased(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want.closed, closed, id)
	}
	_, err := s.Supersede(t.Context(), "unknown")
	require.ErrorContains(t, err, "no record")
}

// Its workers heard that it was ended, finished what they had in hand and
// closed it.
func TestASupersededCampaignThatCameToItsEndLetsGoAtOnce(t *testing.T) {
	s := newStore(t)
	for _, id := range []string{"first", "second"} {
		s.begin(t, CampaignRecord{Campaign: id, Device: "esg-19", Actor: "root@" + id, TakesOver: id == "second"})
	}
	_, err := s.Supersede(t.Context(), "second")
	require.NoError(t, err)
	closed, until, err := s.CampaignReleased(t.Context(), "first")
	require.NoError(t, err)
	require.False(t, closed)
	require.WithinDuration(t, time.Now().Add(SupersededGrace), until, time.Minute)
	_, before, err := s.CampaignWasClosed(t.Context(), "first")
	require.NoError(t, err)

	for range 2 {
		require.NoError(t, s.CloseCampaign(t.Context(), "first"))
		closed, _, err = s.CampaignReleased(t.Context(), "first")
		require.NoError(t, err)
		require.True(t, closed)
	}
	_, after, err := s.CampaignWasClosed(t.Context(), "first")
	require.NoError(t, err)
	require.Equal(t, before.ClosedAt, after.ClosedAt)
	require.Equal(t, "second", after.By, "whose it was is not forgotten")
	for range 2 {
		names, err := s.SupersededBy(t.Context(), "esg-19", "second")
		require.NoError(t, err)
		require.Equal(t, []string{"first"}, names)
	}
}

// What a killed process of it sent may still arrive, and no entry says so: it
// lets go a while after its end, superseded or not.
func TestACampaignOfWhichSomethingMayArriveLetsGoLater(t *testing.T) {
	s := newStore(t)
	for _, id := range []string{"ends", "is-ended", "next"} {
		s.begin(t, CampaignRecord{Campaign: id, Device: "esg-" + id, Actor: "root"})
	}
	rec, _, err := s.readCampaign(t.Context(), "is-ended")
	require.NoError(t, err)
	require.NoError(t, s.end(t.Context(), rec, true, "next"))
	for _, id := range []string{"ends", "is-ended"} {
		for range 2 {
			require.NoError(t, s.CloseAs(t.Context(), id, true, Ending{}))
			require.NoError(t, s.CloseCampaign(t.Context(), id), "once more, by somebody who knows nothing of it")
		}
		released, until, err := s.CampaignReleased(t.Context(), id)
		require.NoError(t, err)
		require.False(t, released, id)
		require.WithinDuration(t, time.Now().Add(LateFor), until, time.Minute)
		rec, _, err := s.readCampaign(t.Context(), id)
		require.NoError(t, err)
		require.True(t, rec.Unheard)
		require.True(t, rec.released(until.Add(time.Second)))
		require.False(t, rec.released(until.Add(-time.Second)))
	}
}

// The clock of whoever closed it says nothing, nor does that of whoever asks.
func TestHowLongASupersededCampaignKeepsWhatItStagedIsVaultsTime(t *testing.T) {
	s := newStore(t)
	for name, wrong := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		rec := CampaignRecord{Device: "esg-29", OpenedAt: time.Now().Add(wrong), ClosedAt: time.Now().Add(wrong), Superseded: true}
		_, err := s.Put(t.Context(), "test", s.mount, campaignPath(name), 0, rec.encode())
		require.NoError(t, err)
		closed, until, err := s.CampaignReleased(t.Context(), name)
		require.NoError(t, err)
		require.False(t, closed, name)
		require.WithinDuration(t, time.Now().Add(SupersededGrace), until, time.Minute, name)
		require.NoError(t, s.CloseCampaign(t.Context(), name))
		_, after, err := s.CampaignWasClosed(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, until, after.ClosedAt.Add(SupersededGrace), "what is written next keeps it")
	}
	rec := CampaignRecord{ClosedAt: time.Now()}
	require.False(t, rec.letsGo(rec.ClosedAt.Add(SupersededGrace)))
	require.True(t, rec.letsGo(rec.ClosedAt.Add(SupersededGrace+time.Nanosecond)))
}
