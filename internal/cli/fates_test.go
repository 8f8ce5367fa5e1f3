package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who asks when a stolen value died is told of that one, and not of those that
// later campaigns ended.
func TestCampaignsOfACredentialAnswersFirstSinceWhenTheStolenValueIsDead(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 11, 30, h, 0, 0, 0, time.UTC) }
	opened := map[string]time.Time{"c1": at(1), "c2": at(2), "c3": at(3)}
	fate := func(campaign, dead string, some bool) knownFate {
		return knownFate{ID: "corp/1", Credential: "uid=a", Authority: "corp", Campaign: campaign, DeadAt: dead, OnSome: some}
	}
	for want, of := range map[string][]knownFate{
		"what was stolen before 2026-11-30T01:00:00Z is dead since 2026-11-30T01:30:00Z, on all servers": {
			fate("c3", "", false), fate("c2", "2026-11-30T02:30:00Z", false), fate("c1", "2026-11-30T01:30:00Z", false)},
		"what was stolen before 2026-11-30T02:00:00Z is dead since 2026-11-30T02:30:00Z, on all servers": {
			fate("c2", "2026-11-30T02:30:00Z", false), fate("c1", "", false)},
		"what was stolen before 2026-11-30T01:00:00Z is dead since 2026-11-30T01:30:00Z, on some servers or doors; all of them were asked first in c3, which proved a later value dead at 2026-11-30T03:30:00Z": {
			fate("c3", "2026-11-30T03:30:00Z", false), fate("c2", "2026-11-30T02:30:00Z", true), fate("c1", "2026-11-30T01:30:00Z", true)},
		"what was stolen before 2026-11-30T01:00:00Z is dead since 2026-11-30T01:30:00Z, on some servers or doors; no campaign has asked all of them": {
			fate("c1", "2026-11-30T01:30:00Z", true)},
		"no campaign has proved a value of it dead": {fate("c1", "", false)},
	} {
		require.Equal(t, want, firstDeathOf(of, opened).words(time.UTC))
	}
	n := 0
	for of := range ofEach([]knownFate{{ID: "a"}, {ID: "a"}, {ID: "b"}}) {
		n += len(of) * len(of[0].ID)
	}
	require.Equal(t, 3, n)
}
