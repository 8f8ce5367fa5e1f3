package e2e

import (
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
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
	file, err = e.CampaignFile(nil, quick+"accept:\n  - {vault: auth/token/policy/mail-flow, reason: the mail flow reads the same secrets}\n")
	require.NoError(t, err)
	u.file = file
	u.must("run")
	for _, line := range u.ledger().Credentials {
		require.Equal(t, "dead", string(line.Outcome), line.Name)
	}
	require.Equal(t, []credential.FindingCode{credential.FindingAccepted}, warningsOf(u.ledger()))
}
