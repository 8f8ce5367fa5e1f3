package vaulttoken

import (
	"os"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/setup"
	"rollcall/internal/vault/vaulttest"
)

// server is one real Vault for all tests; worker holds a token with nothing but
// the worker's policy.
var (
	server *lab.Vault
	worker *vaultapi.Client
)

func TestMain(m *testing.M) { os.Exit(vaulttest.Run(m, &server, seed)) }

func seed() error {
	c := &config.Campaign{Vault: config.Vault{Mount: "rollcall"}, Sources: []config.Source{{Type: config.VaultTokens}}}
	policy := setup.Policies(c, nil)[0]
	if err := server.Client().Sys().PutPolicy(policy.Name, policy.HCL); err != nil {
		return err
	}
	got, err := server.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{policy.Name}})
	if err != nil {
		return err
	}
	worker = server.Client()
	worker.SetToken(got.Auth.ClientToken)
	return server.Client().Sys().PutPolicy("static", `path "kv/data/apps/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/create-orphan" { capabilities = ["update", "sudo"] }`)
}

func made(t *testing.T, by *vaultapi.Client, req vaultapi.TokenCreateRequest) (*vaultapi.Client, credential.Credential) {
	t.Helper()
	create := by.Auth().Token().Create
	if req.NoParent {
		create = by.Auth().Token().CreateOrphan
	}
	got, err := create(&req)
	require.NoError(t, err)
	c := server.Client()
	c.SetToken(got.Auth.ClientToken)
	subject := minted.TokenPrefix + got.Auth.Accessor
	return c, credential.Credential{ID: "vault/" + subject, Kind: credential.VaultToken, Authority: "vault", Subject: subject, Name: subject}
}

func alive(t *testing.T, c *vaultapi.Client) bool {
	t.Helper()
	_, err := c.Auth().Token().LookupSelfWithContext(t.Context())
	return err == nil
}

func account(t *testing.T, au *Authority, c credential.Credential) kind.Account {
	t.Helper()
	a, err := au.Account(t.Context(), "vault", c)
	require.NoError(t, err)
	return a
}

// What is revoked takes with it what was made with it. An orphan stays, and is
// told: nothing in Vault says who made it.
func TestATokenEndsWithAllThatWasMadeWithItAndOrphansAreTold(t *testing.T) {
	au := New(minted.New(worker, "vault"), "vault")
	static := []string{"static"}
	other, _ := made(t, server.Client(), vaultapi.TokenCreateRequest{Policies: []string{"another"}})
	stolen, c := made(t, server.Client(), vaultapi.TokenCreateRequest{Policies: static, Period: "72h", DisplayName: "esg-01", NoParent: true})
	child, _ := made(t, stolen, vaultapi.TokenCreateRequest{})
	grandchild, _ := made(t, child, vaultapi.TokenCreateRequest{})
	orphan, orphanLine := made(t, stolen, vaultapi.TokenCreateRequest{NoParent: true})

	batch, _ := made(t, stolen, vaultapi.TokenCreateRequest{Type: "batch", TTL: "10m"})
	lasting, _ := made(t, stolen, vaultapi.TokenCreateRequest{Type: "batch", TTL: "10m", NoParent: true})

	a := account(t, au, c)
	require.Equal(t, protocol.Accepted, a.State)
	reads, err := au.Reads(t.Context(), c, nil, []string{"kv/data/apps/a", "kv/data/b"})
	require.NoError(t, err)
	require.Equal(t, "kv/data/apps/a", reads[0])

	mark, findings, err := au.Retire(t.Context(), a, credential.Secret{})
	require.NoError(t, err)
	require.Empty(t, mark)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingOrphanTokens, findings[0].Code)
	require.Contains(t, findings[0].Detail, "1 living one is younger and has no policy")
	for name, c := range map[string]*vaultapi.Client{"stolen": stolen, "child": child, "grandchild": grandchild, "batch": batch} {
		require.False(t, alive(t, c), name)
	}
	require.True(t, alive(t, orphan))
	require.True(t, alive(t, lasting), "an orphan of type batch, which is in no list: the finding says so")
	require.True(t, alive(t, other), "somebody else's")
	require.Equal(t, protocol.Gone, account(t, au, c).State)
	reads, err = au.Reads(t.Context(), c, nil, []string{"kv/data/apps/a"})
	require.NoError(t, err)
	require.Empty(t, reads)

	_, findings, err = au.Retire(t.Context(), a, credential.Secret{})
	require.NoError(t, err, "twice does no harm")
	require.Empty(t, findings)
	plain, plainLine := made(t, server.Client(), vaultapi.TokenCreateRequest{Policies: []string{"another"}})
	_, findings, err = au.Retire(t.Context(), account(t, au, plainLine), credential.Secret{})
	require.NoError(t, err)
	require.Empty(t, findings, "it may make none")
	require.False(t, alive(t, plain))
	_, _, err = au.Retire(t.Context(), account(t, au, orphanLine), credential.Secret{})
	require.NoError(t, err)
	require.False(t, alive(t, orphan))
}

func TestWhatIsAtRiskIsNotRevoked(t *testing.T) {
	au := New(minted.New(worker, "vault"), "vault")
	self, err := minted.New(worker, "vault").Self(t.Context())
	require.NoError(t, err)
	subject := minted.TokenPrefix + self
	_, err = au.Account(t.Context(), "vault", credential.Credential{Kind: credential.VaultToken, Subject: subject})
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonSelf, stop.Reason)
	require.True(t, alive(t, worker))

	nobody, _ := made(t, server.Client(), vaultapi.TokenCreateRequest{Policies: []string{"another"}})
	_, c := made(t, server.Client(), vaultapi.TokenCreateRequest{Policies: []string{"another"}})
	_, err = New(minted.New(nobody, "vault"), "vault").Account(t.Context(), "vault", c)
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonRights, stop.Reason, "a right that is missing is no token that is gone")
	require.NotContains(t, stop.Error(), c.Subject)
}
