package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// What waits for tokens that are not watched by name waits for the next
// listing, whichever of those that are lives.
func TestWhatMoreTokensReadThanAreWatchedWaits(t *testing.T) {
	t.Parallel()
	with := func(accessors ...string) credential.Credential { return credential.Credential{ReadBy: accessors} }
	require.Nil(t, readByToken(with(), nil))
	require.Nil(t, readByToken(with("gone"), map[string]bool{"gone": false}))
	require.Equal(t, protocol.ReasonWithinReach, readByToken(with("lives"), map[string]bool{"lives": true}).Reason)
	stop := readByToken(with("gone", credential.MoreReaders), map[string]bool{"gone": false})
	require.Equal(t, protocol.ReasonWithinReach, stop.Reason)
	require.Contains(t, stop.Detail, "run again, which lists anew")
}
