package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/intruder"
	"rollcall/internal/protocol"
)

// changes are the requests to Vault that change something, and logins.
func changes(r faultproxy.Request) bool {
	for _, read := range []string{"sys/capabilities", "identity/lookup/", "lookup-accessor", "lookup-self", "renew-self"} {
		if strings.Contains(r.Detail, read) {
			return false
		}
	}
	return r.Kind != http.MethodGet && r.Kind != "LIST"
}

// The crash matrix of a kind of which each login costs Vault as much as a whole
// rotation of others: at the requests that change something.
func TestCrashMatrixOfUserpassUsers(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1, Users: 44, Bystanders: 1})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	newUser(t, e, file).must("init")
	pool := &supply{e: e}
	for _, m := range mishaps {
		if m.name == "the connection is cut" || m.name == "the request is dropped" || m.kill == "before" {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			walk(t, pool, credential.UserpassPassword, "vault", m)
		})
	}
}

// People and appliances use one password for both.
func TestAUserpassUserWithTheNameOfAStolenAccountShowsTheThiefNothingNew(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, AppRoles: 1, Users: 1, Bystanders: 1})
	api := e.Vault.Client().Logical()
	const name = "svc-esg-0001"
	password := stolenValue(e, e.ID(name))
	for user, value := range map[string]string{name: password, "svc-esg-0002": "another password"} {
		_, err := api.Write("auth/userpass/users/"+user, map[string]any{"password": value, "token_policies": "default," + estate.Device + "-read"})
		require.NoError(t, err)
	}
	id := "vault/userpass/" + name
	e.Stolen = append(e.Stolen, intruder.Stolen{ID: id, Kind: intruder.Userpass, Servers: []string{e.Vault.Address()}, User: name, Password: password, Reads: []string{"kv/apps/" + estate.Device}})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	listed := u.run("list")
	require.Contains(t, listed.out+listed.err, "same-name")
	r := startRaid(t, e)
	r.listening()
	ran := u.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	state := u.ledger()
	require.Equal(t, protocol.ReasonSameName, state.Credential(id).Reason)
	require.Equal(t, protocol.ReasonSameName, state.Credential("vault/userpass/svc-esg-0002").Reason)
	require.Equal(t, protocol.ReasonWithinReach, state.Credential(e.ID(name)).Reason, "its own account too: with it the answer would change")
	require.Equal(t, protocol.ReasonWithinReach, state.Credential(e.ID("svc-esg-0002")).Reason, "what the first one reads")

	// Listed, and the other one excluded, all of it dies.
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	more := strings.Replace(string(text), "sources:\n", fmt.Sprintf("exclude:\n  - {account: userpass/svc-esg-0002, reason: a colleague}\nsources:\n  - {name: same, type: vault-userpass, user: %s}\n", name), 1)
	more = strings.Replace(more, "deadline: 2s", "deadline: 30s", 1) // a login takes Vault a while
	require.NoError(t, os.WriteFile(file, []byte(more), 0o600))
	u.must("init")
	ran = u.run("run")
	results, state := r.end(), u.ledger()
	requireAllDead(t, state, results)
	r.requireNothingOverheard(state)
	require.Equal(t, protocol.ProofRevoked, state.Credential(id).Proof, "its password was in Vault for another account")
	require.NotContains(t, ran.out+ran.err, "login-excluded")
	require.Equal(t, 0, ran.code, ran.out+ran.err)
}
