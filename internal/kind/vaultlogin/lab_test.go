package vaultlogin

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind/ldappassword"
	"rollcall/internal/lab"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
)

// reader is what the policies of the mount let its users do in Vault.
const reader = `path "rollcall/data/device/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }
`

// world is a directory with a replica that locks accounts at the third wrong
// password, and a Vault with auth mounts that ask the two.
type world struct {
	provider, replica *lab.Slapd
	server            *lab.Vault
	store             *ownmount.Store
	authority         *Authority
	bare              *ldappassword.Authority

	mu       sync.Mutex
	accounts []lab.Account
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	w := &world{accounts: lab.SeedAccounts("svc", 120)}
	w.provider, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Policy: lab.SlapdPolicy{MaxFailure: 3}, Accounts: w.accounts})
	require.NoError(t, err)
	w.replica, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, ReplicaOf: w.provider})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = w.replica.Stop(context.Background())
		_ = w.provider.Stop(context.Background())
	})
	w.server, err = lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(w.server.Kill)
	w.open(ctx, t)
	w.mount(t, "ldap", w.provider, nil)
	dir, err := directory.Open("corp", config.Directory{
		Driver: config.OpenLDAP, Servers: []string{w.provider.LDAPS(), w.replica.LDAPS()}, Base: w.provider.BaseDN(), CA: w.provider.CA,
		Bind: config.Bind{DN: w.provider.BinderDN, Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
		Set:  "exop", Connections: 8, Timeout: config.Duration(time.Minute),
	}, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(w.provider.BinderPassword), nil
	})
	require.NoError(t, err)
	w.bare = ldappassword.New(dir, config.PasswordPolicy{Length: 20}, nil)
	t.Cleanup(func() { _ = dir.Close() })
	w.authority = Around(w.bare, minted.New(w.worker(t), "vault"), "vault")
	return w
}

// open opens our own mount as an administrator.
func (w *world) open(ctx context.Context, t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	w.server.UseIn(t, w.server.RootToken().Reveal())
	var err error
	w.store, err = ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.store.Close() })
	_, err = setup.Run(ctx, w.store, &config.Campaign{Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}}, nil)
	require.NoError(t, err)
	require.NoError(t, w.server.Client().Sys().PutPolicy("reads-device", reader))
}

// worker has the rights that the product's own policy gives, and no more.
func (w *world) worker(t *testing.T) *vaultapi.Client {
	known := []credential.Credential{{ID: "corp/x", Kind: credential.LDAPPassword, Subject: "x", Logins: []credential.VaultLogin{{Mount: "ldap"}}}}
	policy := setup.Policies(&config.Campaign{Vault: config.Vault{Mount: "rollcall"}, Directories: map[string]config.Directory{"corp": {}}}, known)[0]
	admin := w.server.Client()
	require.NoError(t, admin.Sys().PutPolicy(policy.Name, policy.HCL))
	got, err := admin.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{policy.Name}})
	require.NoError(t, err)
	c := w.server.Client()
	c.SetToken(got.Auth.ClientToken)
	return c
}

// mount makes an auth mount that asks one server.
func (w *world) mount(t *testing.T, name string, s *lab.Slapd, more map[string]any) {
	w.write(t, "sys/auth/"+name, map[string]any{"type": "ldap"})
	body := map[string]any{
		"url": s.LDAPS(), "certificate": s.CA, "userdn": s.PeopleDN(), "userattr": "uid", "groupdn": s.BaseDN(),
		"binddn": s.BinderDN, "bindpass": s.BinderPassword, "token_policies": "reads-device",
	}
	for k, v := range more {
		body[k] = v
	}
	w.write(t, "auth/"+name+"/config", body)
}

func (w *world) write(t *testing.T, path string, body map[string]any) *vaultapi.Secret {
	t.Helper()
	got, err := w.server.Client().Logical().Write(path, body)
	require.NoError(t, err, path)
	return got
}

// credential hands out an account that nobody used yet, with its login.
func (w *world) credential(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	w.mu.Lock()
	acc := w.accounts[0]
	w.accounts = w.accounts[1:]
	w.mu.Unlock()
	dn := w.provider.AccountDN(acc.UID)
	uuid := w.attr(t, w.provider, dn, "entryUUID")
	return credential.Credential{
		ID: "corp/" + uuid, Kind: credential.LDAPPassword, Authority: "corp", Subject: uuid, Name: dn,
		Logins: []credential.VaultLogin{{Mount: "ldap", Names: []string{acc.UID}, Servers: []string{w.provider.LDAPS()}}},
	}, credential.NewSecret(acc.Password)
}

func (w *world) attr(t *testing.T, s *lab.Slapd, dn, name string) string {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{name}, nil))
	require.NoError(t, err)
	require.Len(t, res.Entries, 1)
	return res.Entries[0].GetAttributeValue(name)
}

// login logs in as somebody typed it.
func (w *world) login(mount, typed string, value credential.Secret) (*vaultapi.Client, error) {
	c := w.server.Client()
	c.ClearToken()
	got, err := c.Logical().Write("auth/"+mount+"/login/"+typed, map[string]any{"password": value.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	c.SetToken(got.Auth.ClientToken)
	return c, nil
}

func (w *world) mustLogin(t *testing.T, mount, typed string, value credential.Secret) *vaultapi.Client {
	t.Helper()
	c, err := w.login(mount, typed, value)
	require.NoError(t, err)
	return c
}

func alive(c *vaultapi.Client) bool {
	_, err := c.Auth().Token().LookupSelf()
	return err == nil
}

func deletion(dn string) *ldap.DelRequest { return ldap.NewDelRequest(dn, nil) }

func tokensOf(c *vaultapi.Client) *minted.Tokens { return minted.New(c, "vault") }
