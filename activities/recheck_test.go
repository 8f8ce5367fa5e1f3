package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
)

// What the look at the end may offer comes from the ledger: by index and version, and
// without the path that took no part.
func TestTheLookAtTheEndKnowsWhichVersionsWereActivated(t *testing.T) {
	s := newSafe(t)
	at := func(path string) credential.Path { return credential.Path{Mount: "kv", Path: path, Field: "password"} }
	spare := at("rollcall/own/three")
	listed := []credential.Credential{
		{ID: "corp/1", Kind: credential.LDAPPassword, Authority: "corp", Subject: "1", Paths: []credential.Path{at("apps/open")}},
		{ID: "corp/2", Kind: credential.LDAPPassword, Authority: "corp", Subject: "2", Paths: []credential.Path{at("apps/a"), at("apps/b")}},
		{ID: "corp/3", Kind: credential.LDAPPassword, Authority: "corp", Subject: "3", Paths: []credential.Path{at("apps/refused")}, Spare: &spare},
	}
	b := s.batch("c1", "esg-01", listed...)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	l := &Ledger{Store: s.store, Dir: t.TempDir()}
	env.RegisterActivity(l)
	call := func(name string, in any) []ProvedItem {
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		var out []ProvedItem
		if got.HasValue() {
			require.NoError(t, got.Get(&out))
		}
		return out
	}
	call("RecordRoll", Roll{Campaign: "c1", Device: "esg-01", Snapshot: b.Snapshot, Pages: 1, Listed: 3})
	dead := func(i int, to ...int) AppliedItem {
		return AppliedItem{Index: i, Applied: rotation.Applied{
			Attempt: 1, Proof: protocol.ProofBind, From: make([]int, len(to)), To: to,
			Evidence: []protocol.Evidence{{Server: "ldap1", Changed: "m", At: time.Now().UTC().Format(time.RFC3339)}},
		}}
	}
	call("RecordResults", ResultInput{Batch: b, Pass: 1, Applied: []AppliedItem{dead(1, 7, 0), dead(2, 0, 4)}})
	require.Equal(t, []ProvedItem{{1, "m", []int{7, 0}}, {2, "m", []int{0, 4}}}, call("Proved", b))

	reopened := func(i int) OpenItem {
		return OpenItem{Index: i, Step: protocol.Outcome, Reason: protocol.ReasonChangedSince, Server: "ldap1"}
	}
	found := Rechecked{Reopened: []OpenItem{reopened(1), reopened(2)}}
	found.detail(1, "was changed")
	found.detail(2, "could not be tried")
	call("RecordRechecked", RecheckedInput{Batch: b, Result: found, Number: 1})
	l.last = folded{}
	state, err := l.state(t.Context(), "c1")
	require.NoError(t, err)
	for id, want := range map[string]string{"corp/2": "was changed", "corp/3": "could not be tried"} {
		require.Equal(t, ledger.IsException, state.Line(id).Outcome)
		require.Equal(t, want, state.Line(id).Detail)
	}
}
