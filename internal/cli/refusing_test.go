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

func TestAnAccountThatHidesTheMarksOfItsPasswordIsNamedBefore(t *testing.T) {
	require.Equal(t, protocol.ReasonRights, wouldStay(credential.Credential{}, kind.Account{State: protocol.Accepted, Exact: true}))
	require.Empty(t, wouldStay(credential.Credential{}, kind.Account{State: protocol.Accepted, Exact: true, Changed: "0000000002 00000000000000000007"}))
}

// One more wrong login would lock it, and only what nobody knows is asked
// about.
func TestAnAccountNearItsLockIsNamedUnlessItsPathsAreKnown(t *testing.T) {
	near := kind.Account{State: protocol.Accepted, Locks: 2, Failed: 1}
	a, b := credential.Path{Mount: "kv", Path: "a", Field: "password"}, credential.Path{Mount: "kv", Path: "b", Field: "password"}
	require.Equal(t, protocol.ReasonNearLock, wouldStay(credential.Credential{Paths: []credential.Path{a, b}, Ours: []credential.Path{a}}, near))
	require.Empty(t, wouldStay(credential.Credential{Paths: []credential.Path{a}, Ours: []credential.Path{a}}, near), "an earlier campaign put its value there")
	require.Empty(t, wouldStay(credential.Credential{Paths: []credential.Path{a}, Confirmed: []credential.Path{a}}, near))
	require.Empty(t, wouldStay(credential.Credential{Paths: []credential.Path{a}}, kind.Account{State: protocol.Accepted, Locks: 3, Failed: 1}))
}

func TestOfWhichAccountsNothingWasShownIsSaid(t *testing.T) {
	require.Empty(t, notShown(nil))
	rows := notShown([]string{"uid=a", "uid=b"})
	require.Len(t, rows, 1)
	require.True(t, rows[0].NotChecked)
	require.Contains(t, rows[0].Detail, "2 accounts: the write server did not show in time whether locked, disabled or expired, so the run finds it out: uid=a; uid=b")
}
