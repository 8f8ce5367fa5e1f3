package ledger

import (
	"os"
	"regexp"
	"slices"
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

// What State makes nothing of is in the record, and no report tells it.
func TestEveryEventMeansSomethingToTheState(t *testing.T) {
	written, err := os.ReadFile("entry.go")
	require.NoError(t, err)
	fold, err := os.ReadFile("fold.go")
	require.NoError(t, err)
	saysWhereAnchorsLie := []string{"Anchored"}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+)\s+Event = "`).FindAllSubmatch(written, -1) {
		if name := string(m[1]); !slices.Contains(saysWhereAnchorsLie, name) {
			require.Regexp(t, `\b`+name+`\b`, string(fold), "an event that fold.go does not know")
		}
	}
}

// Whoever reads a record looks an event up there.
func TestEveryEventStandsInTheDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/ledger.md")
	require.NoError(t, err)
	for event := range known {
		require.Regexp(t, "(?m)^\\|[^|]*`"+string(event)+"`[^|]*\\|", string(doc))
	}
}
