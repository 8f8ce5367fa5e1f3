package e2e

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// An administrator once made a token for the device, and another one for a
// consumer of the same secrets. No login of the roll made them, so no rotation
// ends them.
func TestWhatATokenOfTheDeviceReadsWaitsUntilItIsGone(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 2, AppRoles: 1})
	api := e.Vault.Client()
	const reads = `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`
	token := func(policy, name string) *vaultapi.SecretAuth {
		require.NoError(t, api.Sys().PutPolicy(policy, reads))
		made, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{policy}, Period: "72h", DisplayName: name, NoParent: true})
		require.NoError(t, err)
		return made.Auth
	}
	stolen, consumer := token("static", "esg-01"), token("mail-flow", "mail-flow")
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	said := u.run("run")
	require.Equal(t, 2, said.code, said.out+said.err)
	require.Contains(t, said.err, "other-reader: a token of Vault that no login of the roll made names the device by its display name")
	require.Contains(t, said.err, "vault token revoke -accessor "+stolen.Accessor)
	require.Contains(t, said.err, consumer.Accessor)
	thief, err := api.Clone()
	require.NoError(t, err)
	thief.SetToken(stolen.ClientToken)
	read := 0
	for _, line := range u.ledger().Credentials {
		p, ok := e.Live[line.ID]
		if !ok {
			continue
		}
		require.Equal(t, "within-reach", string(line.Reason), line.Name)
		got, err := thief.Logical().Read(p.Mount + "/data/" + p.Path)
		require.NoError(t, err)
		require.NotNil(t, got)
		require.EqualValues(t, "1", got.Data["metadata"].(map[string]any)["version"].(interface{ String() string }).String(), "no new value came where the token reads")
		read++
	}
	require.NotZero(t, read)

	require.NoError(t, api.Auth().Token().RevokeAccessor(stolen.Accessor))
	file, err = e.CampaignFile(nil, quick+"accept:\n  - {vault: auth/token/policy/mail-flow, on: "+time.Now().UTC().Format(time.RFC3339)+", reason: the mail flow reads the same secrets}\n")
	require.NoError(t, err)
	u.file = file
	u.must("run")
	for _, line := range u.ledger().Credentials {
		require.Equal(t, "dead", string(line.Outcome), line.Name)
	}
	require.Equal(t, []credential.FindingCode{credential.FindingAccepted}, warningsOf(u.ledger()))
}

// A token that the campaign names goes first and alone: it is dead before
// anything is set, whatever it could read.
func TestATokenOfTheDeviceThatIsNamedEndsBeforeAnythingIsSet(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, AppRoles: 1})
	api := e.Vault.Client()
	require.NoError(t, api.Sys().PutPolicy("esg-static", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`))
	token := func(req vaultapi.TokenCreateRequest) *vaultapi.SecretAuth {
		req.Policies, req.Period, req.NoParent = []string{"esg-static"}, "72h", true
		made, err := api.Auth().Token().Create(&req)
		require.NoError(t, err)
		return made.Auth
	}
	named := token(vaultapi.TokenCreateRequest{DisplayName: "esg-01"})
	fits := token(vaultapi.TokenCreateRequest{Metadata: map[string]string{"device": "esg-01"}})
	consumers := token(vaultapi.TokenCreateRequest{Metadata: map[string]string{"device": "other"}})
	now := time.Now().UTC().Format(time.RFC3339) // of one second: what was accepted before the containment counts for nothing
	file, err := e.CampaignFile(nil, quick+"accept:\n  - {vault: auth/token/policy/esg-static, on: "+now+", reason: another appliance has one too}\n")
	require.NoError(t, err)
	admin := newUser(t, e, file)
	admin = admin.edited("sources:\n", "sources:\n  - {name: static, type: vault-tokens, accessor: ["+named.Accessor+"]}\n"+
		"  - {name: alike, type: vault-tokens, policy: esg-*, metadata: {device: esg-01}}\n")
	// The device had them: it was contained after they were made.
	admin = admin.edited("at: 2023-06-08T09:00:00Z", "at: "+now)
	admin.must("init")
	u := restrictedUser(t, e, admin)
	listed := admin.run("list")
	require.Contains(t, listed.out, named.Accessor)
	require.Contains(t, listed.err, "the worker does, when a campaign starts")
	require.NotContains(t, listed.out, fits.Accessor, "a look at all tokens is the worker's")

	ran := u.run("run")
	require.Zero(t, ran.code, ran.out+ran.err)
	first := map[string]bool{"vault/token/" + named.Accessor: true, "vault/token/" + fits.Accessor: true}
	state, n := u.ledger(), 0
	var ended time.Time
	for _, l := range state.Credentials {
		require.Equal(t, ledger.Dead, l.Outcome, l.Name)
		if first[l.ID] {
			require.Equal(t, protocol.ProofRevoked, l.Proof)
			require.Equal(t, protocol.Gone, l.Evidence[0].Old)
			ended, n = l.DeadAt, n+1
		}
	}
	require.Equal(t, 2, n)
	for _, l := range state.Credentials {
		require.True(t, first[l.ID] || l.SetAt.After(ended), "%s was set while a token could read it", l.Name)
	}
	for _, auth := range []*vaultapi.SecretAuth{named, fits} {
		_, err := api.Auth().Token().LookupAccessor(auth.Accessor)
		require.ErrorContains(t, err, "invalid accessor")
	}
	_, err = api.Auth().Token().LookupAccessor(consumers.Accessor)
	require.NoError(t, err)
	require.Contains(t, u.must("ledger", "verify"), "VERIFIED")
	require.Contains(t, u.must("report", "-o", "json"), named.Accessor)

	// It is named still, and has ended: that is no slip of the pen. And the
	// machine that replaced the device keeps its token, made in the same way.
	replaced := token(vaultapi.TokenCreateRequest{Metadata: map[string]string{"device": "esg-01"}})
	again := u.run("run")
	require.Equal(t, 2, again.code, again.out+again.err)
	require.Contains(t, again.err, "newer-token: a token of Vault fits source alike")
	require.Contains(t, again.err, "accessor: ["+replaced.Accessor+"]")
	require.NotContains(t, again.err, "no-account")
	require.NotContains(t, again.err, "missing-from-sources")
	_, err = api.Auth().Token().LookupAccessor(replaced.Accessor)
	require.NoError(t, err, "the new machine is cut off")
	for _, l := range u.ledger().Credentials {
		require.True(t, l.Outcome == ledger.Dead || l.Reason == protocol.ReasonWithinReach, "%s: what it reads waits for the answer", l.Name)
	}
	u = u.edited("accept:\n", "accept:\n  - {vault: auth/token/accessor/"+replaced.Accessor+", reason: of the machine that replaced it}\n")
	again = u.run("run")
	require.Zero(t, again.code, again.out+again.err)
	_, err = api.Auth().Token().LookupAccessor(replaced.Accessor)
	require.NoError(t, err)
	for _, l := range u.ledger().Credentials {
		require.Equal(t, ledger.Dead, l.Outcome, l.Name)
	}
}

// The README's file without a vault-approle source: the AppRole by which the
// device reads its prefix is on no roll, and has no token alive just now.
func TestALoginOfTheDeviceThatNoSourceListsHoldsUpWhatItReads(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	api := e.Vault.Client()
	require.NoError(t, api.Sys().PutPolicy("mailgw", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`))
	if auths, err := api.Sys().ListAuth(); err == nil && auths["approle/"] == nil {
		require.NoError(t, api.Sys().EnableAuthWithOptions("approle", &vaultapi.EnableAuthOptions{Type: "approle"}))
	}
	write := func(c *vaultapi.Client, at string, body map[string]any) *vaultapi.Secret {
		got, err := c.Logical().Write(at, body)
		require.NoError(t, err)
		return got
	}
	stolen := map[string]any{}
	for _, role := range []string{"mailgw-1", "consumer"} {
		write(api, "auth/approle/role/"+role, map[string]any{"token_policies": "mailgw", "token_ttl": "60s"})
	}
	id, err := api.Logical().Read("auth/approle/role/mailgw-1/role-id")
	require.NoError(t, err)
	stolen["role_id"] = id.Data["role_id"]
	stolen["secret_id"] = write(api, "auth/approle/role/mailgw-1/secret-id", map[string]any{"metadata": `{"device":"esg-01"}`}).Data["secret_id"]
	write(api, "auth/approle/role/consumer/secret-id", map[string]any{"metadata": `{"device":"web"}`})

	answered := "accept:\n  - {vault: auth/token/policy/mailgw, on: " + time.Now().UTC().Format(time.RFC3339) + ", reason: the web server reads the same secrets}\n"
	file, err := e.CampaignFile(nil, quick+answered)
	require.NoError(t, err)
	admin := newUser(t, e, file)
	admin.must("init")
	u := restrictedUser(t, e, admin)
	const said = "other-reader: auth/approle/role/mailgw-1: a login to Vault that no source lists names the device by the metadata of a secret-id"
	for _, step := range []string{"list", "plan", "run"} {
		r := u.run(step)
		if step != "run" {
			r = admin.run(step)
		}
		require.Equal(t, 2, r.code, r.out+r.err)
		require.Contains(t, r.err, said, step)
	}
	versions := func() (out []string) {
		for _, line := range u.ledger().Credentials {
			if p, ok := e.Live[line.ID]; ok {
				got, err := api.Logical().Read(p.Mount + "/data/" + p.Path)
				require.NoError(t, err)
				out = append(out, got.Data["metadata"].(map[string]any)["version"].(interface{ String() string }).String())
			}
		}
		return out
	}
	for _, line := range u.ledger().Credentials {
		require.Equal(t, protocol.ReasonWithinReach, line.Reason, line.Name)
	}
	require.Equal(t, []string{"1", "1"}, versions(), "no new value came where the thief reads")

	admin = admin.edited("sources:\n", "sources:\n  - {name: login, type: vault-approle, role: mailgw-1}\n")
	admin.must("init")
	u = restrictedUser(t, e, admin)
	ran := u.run("run")
	require.Zero(t, ran.code, ran.out+ran.err)
	state := u.ledger()
	require.Len(t, state.Credentials, 3)
	for _, line := range state.Credentials {
		require.Equal(t, ledger.Dead, line.Outcome, line.Name)
	}
	require.Equal(t, []credential.FindingCode{credential.FindingAccepted}, warningsOf(state))
	thief := e.Vault.Client()
	thief.ClearToken()
	_, err = thief.Logical().Write("auth/approle/login", stolen)
	require.ErrorContains(t, err, "invalid role or secret ID")
}
