package record

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// What has no change mark, because the authority does not show it, is looked
// at all the same. What was only ended has no secret that could be another one.
func TestWhatIsDeadWithoutAChangeMarkIsLookedAtAgain(t *testing.T) {
	state := ledger.NewState()
	dc := credential.Credential{ID: "corp/guid-1", Kind: credential.ADPassword, Authority: "corp", Name: "CN=svc"}
	token := credential.Credential{ID: "vault/token/a", Kind: credential.VaultToken, Authority: "vault", Name: "token/a"}
	page := []credential.Credential{dc, token}
	for _, c := range page {
		state.Add(1, listed("c1", c, ledger.Listed, "", noon))
		state.Add(2, died("c1", c, wire.AppliedItem{Applied: wire.Applied{
			Attempt: 1, Proof: protocol.ProofBind, Evidence: []protocol.Evidence{{Server: "ldaps://a"}}, SetAt: noon,
		}}, noon))
	}
	got := Proved(wire.Batch{Campaign: "c1", Span: credential.Span{To: 2}}, page, state,
		func(int, int) bool { return true }, func(credential.Ref, *ledger.CredentialState) bool { return false })
	require.Equal(t, []wire.ProvedItem{{Index: 0}}, got)
}

// Where it was listed before it was listed again nothing was ever set, and a
// path that it has no more tells nothing of it.
func TestWhatWasListedAgainIsLookedAtWhereItIsByNowAlone(t *testing.T) {
	moved := cred
	moved.Paths = []credential.Path{{Mount: "kv", Path: "apps/typo", Field: "password"}}
	state := ledger.NewState()
	other := credential.Credential{ID: "corp/uuid-2", Kind: credential.LDAPPassword, Authority: "corp", Name: "uid=other", Paths: cred.Paths[:1]}
	for _, c := range []credential.Credential{cred, other} {
		state.Add(1, listed("c1", c, ledger.Listed, "", noon))
		state.Add(2, died("c1", c, wire.AppliedItem{Applied: wire.Applied{
			Attempt: 1, Proof: protocol.ProofBind, Evidence: []protocol.Evidence{{Server: "ldaps://a", Changed: "1/0"}}, SetAt: noon, To: []int{2, 8},
		}}, noon))
	}
	page := []credential.Credential{moved, other}
	b := wire.Batch{Campaign: "c1", Span: credential.Span{Page: 3, To: 2}}
	counts := func(page, index int) bool { return page != 3 || index != 0 }
	nobody := func(credential.Ref, *ledger.CredentialState) bool { return false }
	got := Proved(b, page, state, counts, nobody)
	require.Len(t, got, 1)
	require.Equal(t, 1, got[0].Index)
	b.Span = credential.Span{Page: 4, To: 1}
	got = Proved(b, []credential.Credential{cred}, state, counts, nobody)
	require.Len(t, got, 1)
	require.Equal(t, []int{2, 8}, got[0].To)
}
