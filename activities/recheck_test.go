package activities

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/recheck"
	"rollcall/internal/wire"
)

// What the look at the end may offer comes from the ledger: by index and
// version, and without the path that took no part.
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
	l := &Ledger{Store: s.store, Dir: folderOf(t)}
	env.RegisterActivity(l)
	call := func(name string, in any) []wire.ProvedItem {
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		var out []wire.ProvedItem
		if got.HasValue() {
			require.NoError(t, got.Get(&out))
		}
		return out
	}
	call("RecordRoll", wire.Roll{Campaign: "c1", Device: "esg-01", Snapshot: b.Snapshot, Pages: 1, Listed: len(listed)})
	dead := func(i int, to ...int) wire.AppliedItem {
		return wire.AppliedItem{Index: i, Applied: wire.Applied{
			Attempt: 1, Proof: protocol.ProofBind, From: make([]int, len(to)), To: to,
			Evidence: []protocol.Evidence{{Server: "ldap1", Changed: "m", At: time.Now().UTC().Format(time.RFC3339)}},
		}}
	}
	call("RecordResults", wire.ResultInput{Batch: b, Pass: 1, Applied: []wire.AppliedItem{dead(1, 7, 0), dead(2, 0, 4)}})
	require.Equal(t, []wire.ProvedItem{{Index: 1, Mark: "m", To: []int{7, 0}}, {Index: 2, Mark: "m", To: []int{0, 4}}}, call("Proved", b))

	require.Equal(t, recheck.Proved{Mark: "m", Marks: map[string]string{"two": "m", "three": "n"}},
		proved(wire.ProvedItem{Mark: "m", Marks: map[string]string{"two": "", "three": "n"}}, credential.Credential{}))

	reopened := func(i int) wire.OpenItem {
		return wire.OpenItem{Index: i, Step: protocol.Outcome, Reason: protocol.ReasonChangedSince, Server: "ldap1"}
	}
	found := wire.Rechecked{Reopened: []wire.OpenItem{reopened(1), reopened(2)}}
	found.Tell(1, "was changed")
	found.Tell(2, "could not be tried")
	call("RecordRechecked", wire.RecheckedInput{Batch: b, Result: found, Number: 1})
	require.Empty(t, call("Proved", b), "a look right after it has nothing left to open again")
	state, err := l.state(t.Context(), "c1")
	require.NoError(t, err)
	for id, want := range map[string]string{"corp/2": "was changed", "corp/3": "could not be tried"} {
		require.Equal(t, ledger.IsException, state.Credential(id).Outcome)
		require.Equal(t, want, state.Credential(id).Detail)
	}
}

// From the directory through Vault and the ledger to the finding: who may
// delete a secret with its metadata chooses what lies at version 2, and not
// when Vault wrote it. AppRoles are looked at too.
func TestTheLookAtTheEndGoesByWhenVaultWroteAVersion(t *testing.T) {
	g := newGround(t)
	server := g.slapd(lab.SlapdOptions{Accounts: lab.SeedAccounts("esg", 3), Policy: lab.SlapdPolicy{MaxFailure: 5}})
	write := func(p credential.Path, value string) {
		now, err := g.store.ReadLive(g.ctx, p, 0)
		require.NoError(t, err)
		_, err = g.store.Activate(g.ctx, p, now, credential.NewSecret(value), "")
		require.NoError(t, err)
	}
	at := func(path string) credential.Path {
		return credential.Path{Mount: "rollcall", Path: path, Field: "password"}
	}
	d := g.directory("dc=example,dc=org", server.LDAPS())
	d.Bind, d.Connections, d.Password = config.Bind{DN: server.BinderDN, Password: at("binder")}, 4, config.PasswordPolicy{Length: 24}
	write(at("binder"), server.BinderPassword)
	g.spec.Directories = map[string]config.Directory{"corp": d}
	kinds := registry.New(g.store.Client)
	defer kinds.Close()
	c, err := kinds.Directory(g.spec, "corp")
	require.NoError(t, err)
	var listed []credential.Credential
	require.NoError(t, c.Search(g.ctx, server.LDAPS(), server.PeopleDN(), "(uid=esg*)", []string{"uid"}, func(e directory.Entry) error {
		p := at("apps/" + e.First("uid"))
		write(p, server.SeededPassword(e.First("uid")))
		listed = append(listed, credential.Credential{ID: "corp/" + e.ID, Kind: credential.LDAPPassword, Authority: "corp", Subject: e.ID, Name: e.DN, Paths: []credential.Path{p}})
		return nil
	}))
	const untouched, madeAnew, deletedOnly = 0, 1, 2
	for n := range 100 { // and as many on the roll that nobody gets to
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
		listed = append(listed, credential.Credential{ID: "corp/" + id, Kind: credential.LDAPPassword, Authority: "corp", Subject: id, Name: fmt.Sprintf("uid=esg%04d,ou=people,dc=example,dc=org", 1000+n)})
	}
	b := g.batch("c1", "esg-01", listed...)
	b.Authority, b.Kind = "corp", credential.LDAPPassword
	l := &Ledger{Store: g.store, Dir: folderOf(t)}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(l)
	record := func(name string, in, out any) {
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		if out != nil {
			require.NoError(t, got.Get(out))
		}
	}
	record("RecordRoll", wire.Roll{Campaign: "c1", Device: "esg-01", Snapshot: b.Snapshot, Pages: 1, Listed: 3}, nil)
	var prepared []wire.PreparedItem
	require.NoError(t, g.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0, 1, 2}}, &prepared))
	record("RecordIntents", wire.IntentInput{Batch: b, Items: prepared}, nil)
	in := wire.ApplyInput{Batch: b}
	for _, p := range prepared {
		in.Items = append(in.Items, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
	}
	var applied []wire.AppliedItem
	require.NoError(t, g.call("Apply", in, &applied))
	record("RecordResults", wire.ResultInput{Batch: b, Pass: 1, Applied: applied}, nil)
	var proved []wire.ProvedItem
	record("Proved", b, &proved)
	require.Len(t, proved, 3)

	const own = "the thief's own"
	remove := func(p credential.Path) {
		_, err := g.api.Logical().DeleteWithContext(g.ctx, "rollcall/metadata/"+p.Path)
		require.NoError(t, err)
	}
	remove(listed[deletedOnly].Paths[0])
	remove(listed[madeAnew].Paths[0])
	for range 2 { // both versions are his
		write(listed[madeAnew].Paths[0], own)
	}
	// Right after the proof, and however many credentials the run has: their
	// entries are as they were.
	var atOnce wire.Rechecked
	require.NoError(t, g.call("Recheck", wire.RecheckInput{Batch: b, Items: proved}, &atOnce))
	require.Len(t, atOnce.Reopened, 2, "%+v", atOnce)
	for _, it := range atOnce.Reopened {
		require.Equal(t, protocol.ReasonMadeAnew, it.Reason)
	}
	require.NoError(t, c.ResetPassword(g.ctx, listed[madeAnew].Name, credential.NewSecret(own), credential.Secret{}))
	for i := range proved {
		require.Equal(t, []int{2}, proved[i].To)
		entries := c.ManyByID(g.ctx, server.LDAPS(), []string{listed[i].Subject})
		set, _, _ := strings.Cut(c.Changed(entries[listed[i].Subject]), "/")
		proved[i].Mark = set + "/0" // as if it was touched in the second of the reset
	}
	var found wire.Rechecked
	require.NoError(t, g.call("Recheck", wire.RecheckInput{Batch: b, Items: proved}, &found))
	require.Len(t, found.Reopened, 2, "%+v", found)
	require.Equal(t, []protocol.Reason{protocol.ReasonMadeAnew, protocol.ReasonChangedSince}, []protocol.Reason{found.Reopened[0].Reason, found.Reopened[1].Reason})
	require.Equal(t, madeAnew, found.Reopened[0].Index)
	record("RecordRechecked", wire.RecheckedInput{Batch: b, Result: found, Number: 1}, nil)
	l.last = folded{}
	state, err := l.state(g.ctx, "c1")
	require.NoError(t, err)
	require.Equal(t, ledger.Dead, state.Credential(listed[untouched].ID).Outcome)
	line := state.Credential(listed[madeAnew].ID)
	require.Equal(t, protocol.ReasonMadeAnew, line.Reason)
	require.Equal(t, credential.FindingMadeAnew, line.Findings[len(line.Findings)-1].Code)
	kept, err := g.store.ReadLive(g.ctx, listed[madeAnew].Paths[0], 1)
	require.NoError(t, err)
	require.True(t, kept.Found, "nothing is destroyed")

	for i := range proved {
		proved[i].Written = nil // an older ledger
	}
	found = wire.Rechecked{}
	require.NoError(t, g.call("Recheck", wire.RecheckInput{Batch: b, Items: proved}, &found))
	require.Len(t, found.Reopened, 1, "the number alone is believed there")
}

// Whether another campaign is at them Vault alone knows. A look that did not
// happen because it was not told is an error, which is recorded: an empty
// answer would say that nothing has changed.
func TestALookAtTheEndThatVaultDoesNotAllowIsNotOneThatFoundNothing(t *testing.T) {
	s := newSafe(t)
	s.role("mail", "stolen")
	b := s.batch("c1", "esg-01", approle("mail", "apps/mail"))
	in := wire.RecheckInput{Batch: b, Items: []wire.ProvedItem{{Index: 0}}}
	var out wire.Rechecked
	require.NoError(t, s.call("Recheck", in, &out))
	require.NoError(t, s.api.Sys().SealWithContext(s.ctx))
	require.Error(t, s.call("Recheck", in, nil))
}
