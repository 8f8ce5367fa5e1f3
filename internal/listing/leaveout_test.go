package listing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestNoCampaignBeginsWithAnExcludeThatIsMistyped(t *testing.T) {
	roll := &credential.Roll{Warnings: []credential.Finding{{Code: credential.FindingExcludeNothing, Detail: "of an account that was deleted"}}}
	require.NoError(t, leavesOutWhatIsMeant(roll))
	roll.Warnings = append(roll.Warnings, credential.Finding{Code: credential.FindingExcludeMistyped, Detail: "exclude account svc-hardcoded matches nothing"})
	err := leavesOutWhatIsMeant(roll)
	require.ErrorContains(t, err, "take nothing off the roll: 1")
	require.NotContains(t, err.Error(), "svc-hardcoded", "it goes through Temporal")
}
