package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
)

// Whoever adds open.wait to the file of a campaign that runs is not to believe
// that it stays for him.
func TestHowLongACampaignStaysIsNotTakenUpByOneThatRuns(t *testing.T) {
	of := func(owner string, wait time.Duration) *config.Campaign {
		return &config.Campaign{Open: &config.OpenItems{Owner: owner, Wait: config.Duration(wait)}}
	}
	parts := []string{"open"}
	require.Empty(t, notTakenUp(parts, of("jo", time.Hour), of("ann", time.Hour)))
	require.Empty(t, notTakenUp(parts, &config.Campaign{}, of("ann", 0)))
	for _, begun := range []*config.Campaign{{}, of("jo", 0), of("jo", time.Hour)} {
		require.Equal(t, []string{"open (wait: a campaign stays for a person as long as it was begun with)"}, notTakenUp(parts, begun, of("jo", 4*time.Hour)))
	}
}
