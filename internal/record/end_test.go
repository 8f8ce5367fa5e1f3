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

// What people changed has no mark. Its doors are asked once more, where there
// is a value to ask them with.
func TestWhatDoorsProvedIsLookedAtAgain(t *testing.T) {
	state := ledger.NewState()
	at := &credential.Path{Mount: "kv", Path: "net/nas", Field: "value"}
	page := []credential.Credential{
		{ID: "person/esg-01/door", Kind: credential.SecretByHand, Authority: "person", Name: "door", Task: &credential.Task{At: at}},
		{ID: "person/esg-01/word", Kind: credential.SecretByHand, Authority: "person", Name: "word", Task: &credential.Task{At: at}},
		{ID: "person/esg-01/open", Kind: credential.SecretByHand, Authority: "person", Name: "open", Task: &credential.Task{At: at}},
		{ID: "person/esg-01/no-path", Kind: credential.SecretByHand, Authority: "person", Name: "no-path", Task: &credential.Task{}},
	}
	for i, c := range page {
		state.Add(uint64(1+2*i), listed("c1", c, ledger.Listed, "", noon))
		if c.Name == "open" {
			continue
		}
		e := ledger.About("c1", c, ledger.EventOutcome, "1", noon)
		e.Step, e.Attempt, e.Proof = protocol.Outcome, 1, protocol.ProofDoors
		if c.Name != "word" {
			e.AtDoors = []protocol.DoorEvidence{{Door: "gateway", First: protocol.Accepted, Old: protocol.Refused, New: protocol.Accepted}}
		}
		state.Add(uint64(2+2*i), e)
	}
	got := Proved(wire.Batch{Campaign: "c1", Span: credential.Span{To: 4}}, page, state,
		func(int, int) bool { return true }, func(credential.Ref, *ledger.CredentialState) bool { return false })
	require.Equal(t, []wire.ProvedItem{{Index: 0}}, got)
}
