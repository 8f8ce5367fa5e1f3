package approlesecretid

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/vault/setup"
	"rollcall/internal/vault/vaulttest"
)

// server is one real Vault for all tests; worker holds a token with nothing
// but the worker's policy.
var (
	server *lab.Vault
	worker *vaultapi.Client
)

func TestMain(m *testing.M) {
	os.Exit(vaulttest.Run(m, &server, func() (err error) {
		worker, err = workerClient()
		return err
	}))
}

func workerClient() (*vaultapi.Client, error) {
	c := &config.Campaign{Vault: config.Vault{Mount: "rollcall"}, Sources: []config.Source{{Type: "vault-approle"}}}
	policy := setup.Policies(c, nil)[0]
	admin := server.Client()
	if err := admin.Sys().PutPolicy(policy.Name, policy.HCL); err != nil {
		return nil, err
	}
	got, err := admin.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{policy.Name}})
	if err != nil {
		return nil, err
	}
	client := server.Client()
	client.SetToken(got.Auth.ClientToken)
	return client, nil
}

var roles atomic.Int64

// newRole makes a role with one secret-id.
func newRole(t *testing.T, settings map[string]any) (credential.Credential, credential.Secret) {
	t.Helper()
	name := fmt.Sprintf("esg-%d", roles.Add(1))
	if settings == nil {
		settings = map[string]any{}
	}
	admin(t, "auth/approle/role/"+name, settings)
	c := credential.Credential{ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID,
		Authority: credential.VaultAuthority, Subject: "approle/" + name, Name: name}
	return c, newSecretID(t, c)
}

func newSecretID(t *testing.T, c credential.Credential) credential.Secret {
	t.Helper()
	got := admin(t, "auth/approle/role/"+c.Name+"/secret-id", nil)
	return credential.NewSecret(got.Data["secret_id"].(string))
}

// admin writes with root rights.
func admin(t *testing.T, path string, body map[string]any) *vaultapi.Secret {
	t.Helper()
	got, err := server.Client().Logical().WriteWithContext(t.Context(), path, body)
	require.NoError(t, err)
	return got
}

// login logs in as the device does and returns its token.
func login(t *testing.T, c credential.Credential, value credential.Secret) string {
	t.Helper()
	token, err := tryLogin(t, c, value)
	require.NoError(t, err)
	return token
}

func tryLogin(t *testing.T, c credential.Credential, value credential.Secret) (string, error) {
	t.Helper()
	id, err := server.Client().Logical().ReadWithContext(t.Context(), "auth/approle/role/"+c.Name+"/role-id")
	require.NoError(t, err)
	device := server.Client()
	device.ClearToken()
	got, err := device.Logical().WriteWithContext(t.Context(), "auth/approle/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": value.Reveal()})
	if err != nil {
		return "", err
	}
	return got.Auth.ClientToken, nil
}

func alive(t *testing.T, token string) bool {
	t.Helper()
	_, err := server.Client().Auth().Token().LookupWithContext(t.Context(), token)
	return err == nil
}

// tokens are the accessors of those that Vault knows; nil if it does not say.
func tokens(t *testing.T) []string {
	t.Helper()
	got, err := server.Client().Logical().ListWithContext(t.Context(), "auth/token/accessors")
	if err != nil {
		return nil
	}
	return keys(got)
}

// leavesNone waits until Vault knows no token that it did not know before. It
// takes those away that were revoked, in its own time, those of before too.
func leavesNone(t *testing.T, before []string) {
	t.Helper()
	require.NotEmpty(t, before, "the root token is one")
	require.Eventually(t, func() bool {
		now := tokens(t)
		return len(now) > 0 && !slices.ContainsFunc(now, func(accessor string) bool { return !slices.Contains(before, accessor) })
	}, 5*time.Minute, 20*time.Millisecond)
}

func account(t *testing.T, au *Authority, c credential.Credential) kind.Account {
	t.Helper()
	a, err := au.Account(t.Context(), "vault", c)
	require.NoError(t, err)
	return a
}

// set gives the credential another value, as a rotation does up to Activate.
func set(t *testing.T, au *Authority, c credential.Credential, old credential.Secret) (kind.Account, credential.Secret) {
	t.Helper()
	a := account(t, au, c)
	next, err := au.Generate(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, au.Set(t.Context(), a, next, old))
	return a, next
}
