package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Whoever stole an account that may replicate a domain's secrets has each new
// one of the domain until it is dead.
func TestNothingIsSetThatAnOpenAccountOfTheDomainMayFetch(t *testing.T) {
	w := reachableWith(t, func(w *reachable) { w.roll.Credentials[3].ReadsOthers = true })
	reader := credential.Ref{Page: 0, Index: 3}
	require.Contains(t, w.index.Logins, reader, "it is waited for, and a person may accept it by name")
	w.accounts.Logins = credential.Refs{reader}
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, w.reasons(), "it waits for none of its like")
	// Of another authority nothing waits for it, nor do logins to Vault.
	w.logins.Logins = credential.Refs{reader}
	require.True(t, w.pass(0)[0].Dead())
	w.accounts.Logins = nil // dead, or accepted
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}, w.reasons())
}
