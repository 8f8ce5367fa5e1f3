package ownmount

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
)

// begin opens a campaign that a worker has taken up.
func (s *Store) begin(t *testing.T, rec CampaignRecord) {
	t.Helper()
	require.NoError(t, s.OpenCampaign(t.Context(), rec))
	ended, err := s.SignOfLife(t.Context(), rec.Campaign)
	require.NoError(t, err)
	require.False(t, ended)
}

func TestACampaignThatLivesIsNotEndedUnlessAPersonAsksForIt(t *testing.T) {
	s := newStore(t)
	s.begin(t, CampaignRecord{Campaign: "first", Device: "esg-11", Actor: "root@vm"})
	s.begin(t, CampaignRecord{Campaign: "elsewhere", Device: "esg-12"})
	others, err := s.Others(t.Context(), "esg-11", "")
	require.NoError(t, err)
	require.Len(t, others, 1)
	require.True(t, others[0].Lives())
	require.Regexp(t, `^campaign first of device esg-11 runs since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, started by root@vm, last seen (\d+m)?\d+s ago$`, others[0].String())

	require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "second", Device: "esg-11"}))
	for _, err := range []error{s.MayBegin(t.Context(), "second"), func() error { _, err := s.Supersede(t.Context(), "second"); return err }()} {
		lives, ok := AsLives(err)
		require.True(t, ok, "%v", err)
		require.Equal(t, "first", lives.Campaign)
		require.ErrorContains(t, err, "`rollcall run --take-over` ends it")
	}
	ended, _, err := s.CampaignWasClosed(t.Context(), "first")
	require.NoError(t, err)
	require.False(t, ended)
	require.NoError(t, s.MayBegin(t.Context(), "first"), "the later one is not in the way of the earlier")

	require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "third", Device: "esg-11", TakesOver: true}))
	require.NoError(t, s.MayBegin(t.Context(), "third"))
	names, err := s.Supersede(t.Context(), "third")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"first", "second"}, names)
	ended, rec, err := s.CampaignWasClosed(t.Context(), "first")
	require.NoError(t, err)
	require.True(t, ended)
	require.Equal(t, "third", rec.By)
	require.ErrorContains(t, s.MayBegin(t.Context(), "first"), "by campaign third of the device, which took over")
	done, err := s.SignOfLife(t.Context(), "first")
	require.NoError(t, err)
	require.True(t, done, "it gives no sign of life any more")
	names, err = s.Supersede(t.Context(), "third")
	require.NoError(t, err)
	require.Empty(t, names, "doing it again does no harm")
}

func TestWhatWasNeverBegunOrIsSilentForMinutesIsTakenForLost(t *testing.T) {
	require.False(t, Running{CampaignRecord{Begun: true}, SupersededGrace}.Lives())
	require.True(t, Running{CampaignRecord{Begun: true}, SupersededGrace - time.Second}.Lives())
	require.False(t, Running{CampaignRecord{}, 0}.Lives())

	s := newStore(t)
	require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "killed", Device: "esg-13"}))
	require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: "next", Device: "esg-13"}))
	names, err := s.Supersede(t.Context(), "next")
	require.NoError(t, err)
	require.Equal(t, []string{"killed"}, names)

	old := CampaignRecord{Device: "esg-13", OpenedAt: time.Now().UTC()}.encode()
	delete(old, "begun")
	_, err = s.Put(t.Context(), "test", s.mount, campaignPath("of an earlier version"), 0, old)
	require.NoError(t, err)
	others, err := s.Others(t.Context(), "esg-13", "next")
	require.NoError(t, err)
	require.True(t, others[0].Lives(), "its campaigns did not say whether they had begun")
}

func TestOfCampaignsThatBeginAtOnceExactlyOneGoesOn(t *testing.T) {
	s := newStore(t)
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		require.NoError(t, s.OpenCampaign(t.Context(), CampaignRecord{Campaign: name, Device: "esg-14"}))
	}
	var wg sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		wg.Go(func() {
			_, err := s.SignOfLife(t.Context(), name)
			if err == nil {
				_, err = s.Supersede(t.Context(), name)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	open := 0
	all, err := s.Campaigns(t.Context(), "esg-14")
	require.NoError(t, err)
	for _, r := range all {
		for i, name := range names {
			if r.Campaign == name && r.ClosedAt.IsZero() && errs[i] == nil {
				open++
			}
		}
	}
	require.Equal(t, 1, open, "%v", errs)
}

func TestTheSameNameIsOneCampaignsAlone(t *testing.T) {
	s := newStore(t)
	rec := CampaignRecord{Campaign: "esg-15-1", Device: "esg-15", Actor: "anna@a", Starter: "one"}
	require.NoError(t, s.OpenCampaign(t.Context(), rec))
	require.NoError(t, s.OpenCampaign(t.Context(), rec), "an activity that is tried again")
	rec.Starter = "two"
	require.ErrorIs(t, s.OpenCampaign(t.Context(), rec), ErrTaken)
}

// A sign of life writes to the record that a close is about to write.
func TestACampaignIsClosedWhileItGivesSignsOfLife(t *testing.T) {
	s := newStore(t)
	s.begin(t, CampaignRecord{Campaign: "busy", Device: "esg-16"})
	stale, _, err := s.readCampaign(t.Context(), "busy")
	require.NoError(t, err)
	_, err = s.SignOfLife(t.Context(), "busy")
	require.NoError(t, err)
	require.True(t, vault.IsCASMismatch(s.end(t.Context(), stale, true, "later")), "what was looked at before is not ended by it")
	require.NoError(t, s.CloseCampaign(t.Context(), "busy"))
}
