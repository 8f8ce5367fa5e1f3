package record

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// The order is the ledger's: clocks of two machines may differ.
func TestWhatWasAnnouncedBeforeALoginThatWasFoundWasDeadMayHaveBeenRead(t *testing.T) {
	login := credential.Credential{ID: "vault/approle/found", Kind: credential.AppRoleSecretID, Authority: "vault", Name: "found"}
	dead := func(c credential.Credential, attempt int) ledger.Entry {
		return died("c1", c, wire.AppliedItem{Applied: wire.Applied{Attempt: attempt, Proof: protocol.ProofRevoked, Evidence: []protocol.Evidence{{Server: "vault"}}, SetAt: noon, To: []int{2, 8}}}, noon)
	}
	intent := func(attempt int) ledger.Entry {
		e := ledger.About("c1", cred, ledger.EventIntent, string(rune('0'+attempt)), noon)
		e.Attempt = attempt
		return e
	}
	accepted := ledger.About("c1", login, ledger.LoginAccepted, "", noon)
	index := ownmount.RollIndex{Amended: []ownmount.Amended{{}, {Logins: credential.Refs{{Page: 2}}, Read: credential.Refs{{Page: 0, Index: 1}, {Page: 0, Index: 2}}, Staged: credential.Refs{{Page: 0, Index: 2}}}}}
	read := func(at credential.Ref, entries ...ledger.Entry) bool {
		t.Helper()
		state := ledger.NewState()
		state.Add(1, listed("c1", cred, ledger.Listed, "", noon))
		state.Add(2, listed("c1", login, ledger.Added, "", noon))
		for i, e := range entries {
			state.Add(uint64(3+i), e)
		}
		got, err := ReadBefore(index, state, func(a ownmount.Amended) ([]credential.Credential, error) {
			require.Equal(t, index.Amended[1], a, "the other has no logins")
			return []credential.Credential{login}, nil
		})
		require.NoError(t, err)
		return got(at, state.Credential(cred.ID))
	}
	at := credential.Ref{Page: 0, Index: 1}
	require.True(t, read(at, intent(1), dead(cred, 1), dead(login, 1)))
	require.True(t, read(at, intent(1), dead(login, 1), dead(cred, 1)), "set later, and announced by then")
	require.False(t, read(at, dead(login, 1), intent(1), dead(cred, 1)))
	require.False(t, read(at, intent(1), dead(login, 1), intent(2), dead(cred, 2)), "that value was never in force")
	require.True(t, read(at, intent(1), dead(cred, 1)), "it is not dead")
	require.False(t, read(credential.Ref{Page: 0, Index: 3}, intent(1), dead(cred, 1)), "what it could not read")
	require.True(t, read(credential.Ref{Page: 0, Index: 2}, dead(login, 1), intent(1), dead(cred, 1)), "its value lay in staging")
	require.False(t, read(at, intent(1), dead(cred, 1), accepted), "a person answers for it")

	_, err := ReadBefore(index, ledger.NewState(), func(ownmount.Amended) ([]credential.Credential, error) { return nil, errors.New("sealed") })
	require.ErrorContains(t, err, "sealed")
}
