package e2e

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// A login that ends is said before, meanwhile and at its end, and a campaign
// does not stand without a word because of it.
func TestALoginToVaultThatEndsIsSaidInTime(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 5, Replica: true})
	file, err := e.CampaignFile(nil, patient)
	require.NoError(t, err)
	admin := newUser(t, e, file)
	admin.must("init")
	no := false
	token := func(ttl string) string {
		got, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{vault.WorkerPolicy, vault.LedgerPolicy}, TTL: ttl, Renewable: &no})
		require.NoError(t, err)
		return got.Auth.ClientToken
	}

	r := admin.with("VAULT_TOKEN=" + token("55s")).run("run") // less than the minute that a campaign needs
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "cannot be prolonged, too soon to set a value and activate it; nothing was started")

	e.Replica.PauseReplication()
	short := token("5m")
	u := admin.with("VAULT_TOKEN=" + short)
	run := u.follow("run")
	soon := func(what string, is func() bool) {
		t.Helper()
		require.Eventually(t, is, patience, 50*time.Millisecond, "%s: %s", what, run.errors())
	}
	soon("it waits for the replica", func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) > 0
	})
	require.NoError(t, e.Vault.Seal(t.Context()))
	soon("what it waits for is said, though nothing can be recorded", func() bool {
		return run.said("waiting: Vault at " + e.Vault.Address() + " is sealed: unseal it")
	})
	require.NoError(t, e.Vault.Unseal(t.Context()))

	require.NoError(t, e.Vault.Client().Auth().Token().RevokeTree(short))
	soon("it ends", run.over)
	require.Equal(t, 3, run.cmd.ProcessState.ExitCode(), run.errors())
	for _, words := range []string{
		"note: Rollcall's login to Vault ends in ", "and cannot be prolonged beyond that; the campaign may take 30m0s",
		"Rollcall's login to Vault has ended; give it another VAULT_TOKEN and run the same command",
		"the same command goes on from here",
	} {
		require.True(t, run.said(words), run.errors())
	}

	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	admin.must("run")
}
