package userpasspassword

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

// server is one real Vault for all tests; worker holds a token with nothing but
// the worker's policy.
var (
	server *lab.Vault
	worker *vaultapi.Client
)

func TestMain(m *testing.M) { os.Exit(vaulttest.Run(m, &server, seed)) }

func seed() error {
	if err := server.Client().Sys().EnableAuthWithOptions("userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}); err != nil {
		return err
	}
	c := &config.Campaign{Vault: config.Vault{Mount: "rollcall"}, Sources: []config.Source{{Type: config.VaultUserpass, Mount: "userpass"}}}
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
	return nil
}

func authority() *Authority { return New(worker, "vault", config.PasswordPolicy{}, nil) }

var users atomic.Int64

// newUser makes a user with a password of its own.
func newUser(t *testing.T, settings map[string]any) (credential.Credential, credential.Secret) {
	t.Helper()
	name := fmt.Sprintf("esg-%d", users.Add(1))
	value := credential.NewSecret("stolen-" + name)
	body := map[string]any{"password": value.Reveal()}
	for k, v := range settings {
		body[k] = v
	}
	admin(t, "auth/userpass/users/"+name, body)
	return credential.Credential{ID: "vault/userpass/" + name, Kind: credential.UserpassPassword,
		Authority: credential.VaultAuthority, Subject: "userpass/" + name, Name: name}, value
}

// admin writes with root rights.
func admin(t *testing.T, path string, body map[string]any) *vaultapi.Secret {
	t.Helper()
	got, err := server.Client().Logical().WriteWithContext(t.Context(), path, body)
	require.NoError(t, err)
	return got
}

// login logs in as the device does, by the name as it is typed here.
func login(t *testing.T, typed string, value credential.Secret) *vaultapi.Client {
	t.Helper()
	c, err := tryLogin(t, typed, value)
	require.NoError(t, err)
	return c
}

func tryLogin(t *testing.T, typed string, value credential.Secret) (*vaultapi.Client, error) {
	t.Helper()
	c := server.Client()
	c.ClearToken()
	got, err := c.Logical().WriteWithContext(t.Context(), "auth/userpass/login/"+typed, map[string]any{"password": value.Reveal()})
	if err != nil {
		return nil, err
	}
	c.SetToken(got.Auth.ClientToken)
	return c, nil
}

func alive(t *testing.T, c *vaultapi.Client) bool {
	t.Helper()
	_, err := c.Auth().Token().LookupSelfWithContext(t.Context())
	return err == nil
}

// tokens are the accessors of those that Vault knows; nil if it does not say.
func tokens(t *testing.T) []any {
	t.Helper()
	got, err := server.Client().Logical().ListWithContext(t.Context(), "auth/token/accessors")
	if err != nil {
		return nil
	}
	list, _ := got.Data["keys"].([]any)
	return list
}

// leavesNone waits until Vault knows no token that it did not know before. It
// takes those away that were revoked, in its own time, those of before too.
func leavesNone(t *testing.T, before []any) {
	t.Helper()
	require.NotEmpty(t, before, "the root token is one")
	require.Eventually(t, func() bool {
		now := tokens(t)
		return len(now) > 0 && !slices.ContainsFunc(now, func(accessor any) bool { return !slices.Contains(before, accessor) })
	}, 5*time.Minute, 20*time.Millisecond)
}

func account(t *testing.T, au *Authority, c credential.Credential) kind.Account {
	t.Helper()
	a, err := au.Account(t.Context(), "vault", c)
	require.NoError(t, err)
	return a
}

// set gives the credential another value, as a rotation does up to Retire.
func set(t *testing.T, au *Authority, c credential.Credential, old credential.Secret) (kind.Account, credential.Secret) {
	t.Helper()
	a := account(t, au, c)
	next, err := au.Generate(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, au.Set(t.Context(), a, next, old))
	return a, next
}
