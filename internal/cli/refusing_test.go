package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// list and plan name what the run would leave as it is.
func TestAnAccountWhosePolicyHasEachResetChangedIsNamedBefore(t *testing.T) {
	forced := kind.Account{State: protocol.Accepted, Hindered: []credential.Problem{credential.ForcedChange}}
	require.Equal(t, protocol.ReasonForced, wouldStay(credential.Credential{}, forced))
	require.Empty(t, wouldStay(credential.Credential{Accepted: []credential.Problem{credential.ForcedChange}}, forced))
	require.Empty(t, wouldStay(credential.Credential{}, kind.Account{State: protocol.Accepted}))
}

func TestARoleThatMayHaveNoPasswordIsNamedBeforeWhereVaultHoldsNone(t *testing.T) {
	hidden := kind.Account{State: protocol.Accepted, SecretHidden: true}
	require.Equal(t, protocol.ReasonPasswordHidden, wouldStay(credential.Credential{Adopted: true}, hidden))
	require.Empty(t, wouldStay(credential.Credential{}, hidden), "Vault may hold what it accepts")
	require.Empty(t, wouldStay(credential.Credential{Adopted: true, Accepted: []credential.Problem{credential.PasswordHidden}}, hidden))
	require.Empty(t, wouldStay(credential.Credential{Adopted: true}, kind.Account{State: protocol.Accepted}))
}
