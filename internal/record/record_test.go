package record

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cred = credential.Credential{
		ID: "corp/uuid-1", Kind: credential.LDAPPassword, Authority: "corp", Subject: "uuid-1", Name: "uid=svc-mail,dc=example,dc=org", Wave: 2,
		Paths: []credential.Path{{Mount: "kv", Path: "apps/a", Field: "password"}, {Mount: "kv", Path: "apps/b", Field: "password"}},
	}
)

// Whoever may write an account's attributes gives it the names that he likes:
// its entry has room for what it says all the same.
func TestNamesOfLoginsFillNoEntry(t *testing.T) {
	c := cred
	names := []string{"svc-mail"}
	for i := range 1000 {
		names = append(names, fmt.Sprintf("%04d%s", i, strings.Repeat("\x01", 5000)), fmt.Sprintf("%04d%s", i, strings.Repeat("\x01", 70)))
	}
	c.LoginNames, c.Logins = names, []credential.VaultLogin{{Mount: "ldap", Names: names}}
	e := Listed("c1", []credential.Credential{c}, nil, noon)[0]
	text, err := json.Marshal(e)
	require.NoError(t, err)
	require.Less(t, len(text), ledger.MaxEntrySize)
	require.Len(t, e.VaultLogins, 32)
	require.Contains(t, e.Logins, "svc-mail")
}

func TestADeathIsRecordedWithItsProofAndTheVersionsByPath(t *testing.T) {
	ev := []protocol.Evidence{{Server: "ldaps://a", Old: protocol.Refused, New: protocol.Accepted}}
	e := died("c1", cred, wire.AppliedItem{Applied: wire.Applied{
		Attempt: 3, Proof: protocol.ProofBind, Evidence: ev, SetAt: noon, From: []int{1, 7}, To: []int{2, 8},
		LeftOut: []string{"ldaps://b"},
	}}, noon)
	require.Equal(t, []string{"ldaps://b"}, e.LeftOut)
	require.Equal(t, "c1/corp/uuid-1/3/outcome", e.ID)
	require.Equal(t, ledger.EventOutcome, e.Event)
	require.Equal(t, cred.Name, e.Name)
	require.Equal(t, map[string]int{"kv/apps/a#password": 1, "kv/apps/b#password": 7}, e.From)
	require.Equal(t, map[string]int{"kv/apps/a#password": 2, "kv/apps/b#password": 8}, e.To)
	require.Equal(t, ev, e.Evidence)
	require.Equal(t, noon, e.SetAt)
	require.Equal(t, e.ID, died("c1", cred, wire.AppliedItem{Applied: wire.Applied{Attempt: 3}}, noon.Add(time.Hour)).ID,
		"a retried append collapses")
}

func TestAnOpenCredentialIsRecordedOnceForEachPass(t *testing.T) {
	at := wire.OpenItem{Index: 4, Step: protocol.Prove, Reason: protocol.ReasonLagging, Server: "ldaps://b"}
	first := open(wire.ResultInput{Batch: wire.Batch{Campaign: "c1"}, Pass: 1}, cred, at, "lags", noon)
	second := open(wire.ResultInput{Batch: wire.Batch{Campaign: "c1"}, Pass: 2}, cred, at, "lags", noon)
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, ledger.EventOpen, first.Event)
	require.Equal(t, protocol.Prove, first.Step)
	require.Equal(t, protocol.ReasonLagging, first.Reason)
	require.Equal(t, "ldaps://b", first.Server)
	require.Equal(t, "lags", first.Detail)
}

func TestWhatAPassLeavesAsItWasIsNotToldAgainWhateverIsKeptOfIt(t *testing.T) {
	stop := &protocol.Stop{Reason: protocol.ReasonVault, Detail: "Vault is sealed"}
	was := wire.OpenAs(0, protocol.Set, stop)
	was.Sent, was.Unheard, was.Contradicts = true, true, "ldap://2"
	was.Own = &wire.OpenItem{Step: protocol.Precheck, Reason: protocol.ReasonLocked}
	in := wire.ResultInput{Pass: 3, Known: []wire.OpenItem{was}, Applied: []wire.AppliedItem{{Applied: wire.Applied{Step: protocol.Set, Stop: stop}}}}
	require.Empty(t, Results(in, []credential.Credential{cred}, noon))
	in.Known[0].Step = protocol.Verify
	require.Len(t, Results(in, []credential.Credential{cred}, noon), 1)
}

func TestEveryLineOfARollIsListedWithItsProvenance(t *testing.T) {
	c := cred
	c.Reasons = []credential.Reason{{Source: "vault", Type: "vault-kv", Detail: "kv/apps/a"}}
	orphan := credential.Credential{ID: "unmatched/kv/apps/x", Name: "kv/apps/x", Problem: credential.NoAccount}
	got := Listed("c1", []credential.Credential{c, orphan}, map[string][]credential.Finding{
		orphan.ID: {{Code: credential.FindingNoAccount, Detail: "nobody"}},
		c.ID:      {{Code: credential.FindingTwoPaths}},
	}, noon)
	require.Len(t, got, 4)
	require.Equal(t, ledger.Listed, got[0].Event)
	require.Equal(t, c.Reasons, got[0].Reasons)
	require.Equal(t, c.Paths, got[0].Paths)
	require.Equal(t, 2, got[0].Wave)
	require.Equal(t, "c1/corp/uuid-1/several-paths/finding", got[2].ID, "in a fixed order, so that a retried append collapses")
	require.Equal(t, credential.FindingNoAccount, got[3].Finding)
	ids := map[string]bool{}
	for _, e := range got {
		require.False(t, ids[e.ID], e.ID)
		ids[e.ID] = true
	}
}

// The ledger keeps the first entry of an id, so two findings of one code need
// two.
func TestFindingsOfOneCodeStayApartUnlessTheySayTheSame(t *testing.T) {
	got := Listed("c1", nil, map[string][]credential.Finding{cred.ID: {
		{Code: credential.FindingAmbiguous, Detail: "kv/apps/a"}, {Code: credential.FindingAmbiguous, Detail: "kv/apps/b"},
	}}, noon)
	require.NotEqual(t, got[0].ID, got[1].ID)
	tokens := func(attempt int, detail string) string {
		return found("c1", cred, attempt, credential.Finding{Code: credential.FindingTokensRevoked, Detail: detail}, noon).ID
	}
	require.Equal(t, tokens(1, "3 live tokens"), tokens(1, "3 live tokens"), "a later pass finds the same again")
	require.NotEqual(t, tokens(1, "3 live tokens"), tokens(1, "1 live token"))
	require.NotEqual(t, tokens(1, ""), tokens(2, ""), "another intrusion")
}

// Who began a campaign that never had a roll is said in the entry that would
// have begun its record: where that was written, it stands.
func TestACampaignThatNeverHadARollIsBegunByTheSameEntry(t *testing.T) {
	about := credential.Incident{Number: "INC0012345"}
	never := NeverListed("c1", "esg-01", "root@vm", about, noon)
	started := Started(wire.Roll{Campaign: "c1", Device: "esg-01", Actor: "root@vm", Spec: &ledger.Specification{SHA256: "aa", FileSHA256: "bb"}}, about, nil, nil, noon)[0]
	require.Equal(t, started.ID, never.ID)
	require.Equal(t, &about, started.Incident)
	require.Equal(t, &about, never.Incident)
	require.Nil(t, NeverListed("c1", "esg-01", "root@vm", credential.Incident{}, noon).Incident)
	require.Equal(t, "root@vm", never.Actor)
	require.Equal(t, noon, never.At)
	require.Equal(t, "bb", started.Spec.FileSHA256)
}

func TestWhatDiedBeforeIsListedWithTheCampaignThatKilledIt(t *testing.T) {
	c := cred
	c.DeadBefore = &credential.DeadBefore{Campaign: "c0", At: noon}
	require.Equal(t, c.DeadBefore, Listed("c1", []credential.Credential{c}, nil, noon)[0].DeadBefore)
}
