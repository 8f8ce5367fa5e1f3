package rotation

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// No rotation touches what only a person can change, whatever it is called.
func TestWhatOnlyAPersonCanChangeIsNotRotated(t *testing.T) {
	for _, k := range credential.Kinds() {
		stop := ProblemStop(credential.Credential{Kind: k})
		if !k.ByHand() {
			require.Nil(t, stop, k)
			continue
		}
		require.Equal(t, protocol.ReasonByHand, stop.Reason, k)
		require.True(t, stop.Reason.Final(), "no pass is spent on it")
		require.Equal(t, protocol.ReasonNotNamed, ProblemStop(credential.Credential{Kind: k, Problem: credential.NotNamed}).Reason)
	}
}
