package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// An account may read what the others of its directory are set to. Whoever
// stole it may be logged in as it still when it is dead, so its death frees
// nothing, and where the right is not shown it is there.
func TestNothingIsSetThatAnOpenAccountOfTheDomainMayFetch(t *testing.T) {
	w := reachableWith(t, func(w *reachable) { w.roll.Credentials[2].ReadsOthers = true })
	reader := credential.Ref{Page: 0, Index: 2}
	require.Equal(t, credential.Refs{reader}, w.index.Readers)
	require.Contains(t, w.index.Logins, reader, "a person accepts it by its place among the logins")

	held := []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}
	w.accounts.Logins = credential.Refs{reader}
	require.Equal(t, held, w.reasons(), "a campaign that began with workers of before")
	w.accounts.Logins, w.accounts.Readers = nil, w.index.Readers
	require.Equal(t, held, w.reasons(), "dead, and itself")
	// Of another authority nothing waits for it, nor do logins to Vault.
	w.logins.Readers, w.logins.Logins = w.index.Readers, credential.Refs{reader}
	require.True(t, w.pass(0)[0].Dead())
	w.accounts.Readers = nil // a person accepts it
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}, w.reasons())
}
