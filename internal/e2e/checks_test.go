package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
)

// binds logs in to an LDAP server with a value and reports whether it worked.
func binds(t *testing.T, e *estate.Estate, server, dn string, value credential.Secret) bool {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(e.Slapd.CA)))
	conn, err := ldap.DialURL(server, ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool}))
	require.NoError(t, err)
	defer conn.Close()
	err = conn.Bind(dn, value.Reveal())
	if err != nil {
		require.True(t, ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials), "%v", err)
	}
	return err == nil
}

// live reads what consumers read; zero if there is nothing.
func live(t *testing.T, e *estate.Estate, p credential.Path) credential.Secret {
	t.Helper()
	return field(t, e, p.Mount+"/data/"+p.Path, p.Field)
}

func staged(t *testing.T, e *estate.Estate, id string) credential.Secret {
	t.Helper()
	return field(t, e, "rollcall/data/staging/"+id, "secret")
}

func field(t *testing.T, e *estate.Estate, path, name string) credential.Secret {
	t.Helper()
	got, err := e.Vault.Client().Logical().ReadWithContext(context.Background(), path)
	require.NoError(t, err)
	if got == nil {
		return credential.Secret{}
	}
	data, _ := got.Data["data"].(map[string]any)
	value, _ := data[name].(string)
	return credential.NewSecret(value)
}

// requireNothingLost is the invariant at any moment: for every credential
// Vault holds, live or staged, a value that logs in.
func requireNothingLost(t *testing.T, e *estate.Estate) {
	t.Helper()
	for _, s := range e.Stolen {
		if s.Kind != intruder.LDAP || s.DN == e.Slapd.AccountDN(estate.Changed) {
			// Somebody else changed that one: Vault's value never worked.
			continue
		}
		p, ok := e.Live[s.ID]
		if !ok {
			p = credential.Path{Mount: "kv", Path: "rollcall/corp/" + estate.Adopted, Field: "password"}
		}
		held := []credential.Secret{live(t, e, p), staged(t, e, s.ID)}
		if !ok {
			// Vault never held an adopted one; the stolen value still works
			// until it is set.
			held = append(held, credential.NewSecret(s.Password))
		}
		works := false
		for _, v := range held {
			works = works || !v.IsZero() && binds(t, e, s.Servers[0], s.DN, v)
		}
		require.True(t, works, "%s is lost: neither the live nor the staged value logs in", s.DN)
	}
}

// requireConsumersServed: what Vault shows to consumers works on every server,
// and other fields of the secrets survived.
func requireConsumersServed(t *testing.T, e *estate.Estate) {
	t.Helper()
	for _, s := range e.Stolen {
		p, ok := e.Live[s.ID]
		if !ok || s.Kind != intruder.LDAP {
			continue
		}
		for _, server := range s.Servers {
			require.True(t, binds(t, e, server, s.DN, live(t, e, p)), "%s at %s", s.DN, server)
		}
		require.False(t, field(t, e, p.Mount+"/data/"+p.Path, "username").IsZero(), "another field of %s was lost", p)
	}
}

func requireBystandersUntouched(t *testing.T, e *estate.Estate) {
	t.Helper()
	for dn, value := range e.Bystanders {
		require.True(t, binds(t, e, e.Slapd.LDAPS(), dn, value), "%s was touched", dn)
	}
}

// requireClean: nothing is staged any more, and no old version can be read.
func requireClean(t *testing.T, e *estate.Estate) {
	t.Helper()
	api := e.Vault.Client()
	for id, p := range e.Live {
		require.True(t, staged(t, e, id).IsZero(), "%s is still staged", id)
		got, err := api.Logical().ReadWithDataWithContext(context.Background(), p.Mount+"/data/"+p.Path, map[string][]string{"version": {"1"}})
		require.NoError(t, err)
		data, _ := got.Data["data"].(map[string]any)
		require.Empty(t, data, "the stolen version of %s can still be read", p)
	}
}

// versions counts how often consumers saw a change of a path.
func versions(t *testing.T, api *vaultapi.Client, p credential.Path) int {
	t.Helper()
	got, err := api.Logical().ReadWithContext(context.Background(), p.Mount+"/metadata/"+p.Path)
	require.NoError(t, err)
	var n int
	_, err = fmt.Sscan(fmt.Sprint(got.Data["current_version"]), &n)
	require.NoError(t, err)
	return n
}
