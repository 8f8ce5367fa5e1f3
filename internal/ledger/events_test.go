package ledger

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// An event that the audit does not know makes every ledger that has it one that
// does not verify.
func TestTheAuditKnowsEveryEvent(t *testing.T) {
	text, err := os.ReadFile("entry.go")
	require.NoError(t, err)
	events := map[Event]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t\w+\s+Event = "([^"]+)"`).FindAllSubmatch(text, -1) {
		events[Event(m[1])] = true
	}
	require.Contains(t, events, CampaignStarted)
	require.Equal(t, events, known)
}
