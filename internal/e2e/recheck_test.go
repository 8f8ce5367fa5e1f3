package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// A thief who is logged in when the password is reset stays so, and sets one of
// his own once the account was proved dead, while the campaign is still at
// others.
func TestWhatAKeptConnectionChangesAfterTheProofIsOpenAgainAtTheEnd(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Bystanders: 1})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 300ms, deadline: 1h, batch: 20}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	const victim, other = "svc-esg-0002", "svc-esg-0001" // the first is tied by the directory too
	dn := e.Slapd.AccountDN(victim)
	kept, err := ldap.DialURL(e.Slapd.LDAP())
	require.NoError(t, err)
	t.Cleanup(func() { _ = kept.Close() })
	require.NoError(t, kept.Bind(dn, e.Slapd.SeededPassword(victim)))
	admin, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	lock := ldap.NewModifyRequest(e.Slapd.AccountDN(other), nil)
	lock.Replace("pwdAccountLockedTime", []string{"000001010000Z"}) // keeps the campaign until a person closes it
	require.NoError(t, admin.Modify(lock))

	run := u.follow("run")
	require.Eventually(t, func() bool { return outcomeOf(e, victim) == ledger.Dead }, patience, 50*time.Millisecond)
	_, err = kept.PasswordModify(ldap.NewPasswordModifyRequest("", "", "the thief's own"))
	require.NoError(t, err)
	// Another one's secret is deleted and made anew, with its entry left alone.
	const remade = "svc-esg-0003"
	require.Eventually(t, func() bool { return outcomeOf(e, remade) == ledger.Dead }, patience, 50*time.Millisecond)
	api := e.Vault.Client()
	place := u.ledger().Credential(e.ID(remade)).Paths[0]
	require.Eventually(t, func() bool {
		got, err := api.Logical().Read(place.Mount + "/metadata/" + place.Path)
		require.NoError(t, err)
		first, _ := got.Data["versions"].(map[string]any)["1"].(map[string]any)
		return first["destroyed"] == true // it is cleaned: nothing is staged any more
	}, patience, 50*time.Millisecond)
	_, err = api.Logical().Delete(place.Mount + "/metadata/" + place.Path)
	require.NoError(t, err)
	for range 2 {
		_, err = api.Logical().Write(place.Mount+"/data/"+place.Path, map[string]any{"data": map[string]any{place.Field: "anew"}})
		require.NoError(t, err)
	}
	closes := u.oncePassed(&text{}, "close", "--reason", "the lock is looked into tomorrow", "--owner", "jo")
	require.Zero(t, closes.code, closes.err)
	ended := run.wait()
	require.Equal(t, 2, ended.code, ended.out+ended.err)

	state := u.ledger()
	require.Equal(t, ledger.IsException, state.Credential(e.ID(remade)).Outcome)
	require.Equal(t, protocol.ReasonMadeAnew, state.Credential(e.ID(remade)).Reason)
	require.Equal(t, ledger.Closed, state.Phase)
	line := state.Credential(e.ID(victim))
	require.Equal(t, ledger.IsException, line.Outcome)
	require.Equal(t, protocol.ReasonChangedSince, line.Reason)
	require.Contains(t, codes(line), credential.FindingChangedAfter)
	require.Equal(t, ledger.IsException, state.Credential(e.ID(other)).Outcome)
	st := decode[report.Status](t, u.must("status", "-o", "json"))
	require.Equal(t, []int{4, 3}, []int{st.Listed, len(st.Open)})
	require.Contains(t, u.must("report"), "4 listed · 1 dead · 3 open")
	key := filepath.Join(e.Dir, "ledger.key")
	require.NoError(t, os.WriteFile(key, []byte(u.must("ledger", "key")), 0o644))
	require.Contains(t, u.must("ledger", "verify", "--key", key), "VERIFIED")

	shut := strings.Replace(readFile(t, file), "deadline: 1h", "deadline: 2s", 1)
	require.NoError(t, os.WriteFile(file, []byte(shut), 0o600))
	again := u.run("run")
	require.Equal(t, 2, again.code, "the locked one is open still:\n%s%s", again.out, again.err)
	require.Equal(t, ledger.Dead, u.ledger().Credential(e.ID(victim)).Outcome, again.out)
	require.False(t, binds(t, e, e.Slapd.LDAPS(), dn, credential.NewSecret("the thief's own")))
	requireBystandersUntouched(t, e)
}

// outcomeOf is an account's in the ledger that is being written.
func outcomeOf(e *estate.Estate, uid string) ledger.Outcome {
	folders, _ := filepath.Glob(filepath.Join(e.Dir, "ledger", "*", "ledger.json"))
	if len(folders) == 0 {
		return ""
	}
	r, err := ledger.OpenReader(filepath.Dir(folders[len(folders)-1]))
	if err != nil {
		return ""
	}
	state, err := r.State(context.Background())
	if err != nil || state.Credential(e.ID(uid)) == nil {
		return ""
	}
	return state.Credential(e.ID(uid)).Outcome
}
