package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// A file that accepted a directory whole was written when there was nothing to
// accept but a part that is not searched.
func TestAnAcceptTakesTheOneWarningThatItNames(t *testing.T) {
	whole, named, other := Accept{Directory: "corp"}, Accept{Directory: "corp", Finding: credential.FindingReplicatorsHidden}, Accept{Directory: "corp", Finding: credential.FindingRulesHidden}
	require.True(t, whole.Accepts("corp", credential.FindingNotSearched))
	for _, later := range hiddenFindings[1:] {
		require.False(t, whole.Accepts("corp", credential.FindingCode(later)), later)
	}
	require.True(t, named.Accepts("corp", credential.FindingReplicatorsHidden))
	require.False(t, named.Accepts("corp", credential.FindingNotSearched))
	require.False(t, named.Accepts("ad", credential.FindingReplicatorsHidden))
	require.False(t, other.Accepts("corp", credential.FindingReplicatorsHidden))
	require.False(t, Accept{Directory: "corp", Server: "2"}.Accepts("corp", credential.FindingNotSearched))
}
