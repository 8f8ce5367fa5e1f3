package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// accessors are those of all tokens that Vault knows.
func accessors(t *testing.T, client *vaultapi.Client) []any {
	t.Helper()
	got, err := client.Logical().ListWithContext(t.Context(), "auth/token/accessors")
	require.NoError(t, err)
	return got.Data["keys"].([]any)
}

// leavesNone waits until Vault knows no token that it did not know before. It
// takes those away that were revoked, in its own time, those of before too.
func leavesNone(t *testing.T, client *vaultapi.Client, before []any) {
	t.Helper()
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(accessors(t, client), func(accessor any) bool { return !slices.Contains(before, accessor) })
	}, 5*time.Minute, 20*time.Millisecond, "a token is left behind")
}

func TestWhatAVaultsAnswersMean(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	office := doortest.NewOffice(t, lab.SlapdOptions{})
	directory := office.Directory
	vault := doortest.Start(t, lab.StartVault, lab.VaultOptions{Dir: t.TempDir(), CA: office.CA})
	client := vault.Client()
	write := func(path string, data map[string]any) {
		_, err := client.Logical().WriteWithContext(ctx, path, data)
		require.NoError(t, err)
	}
	right := credential.NewSecret("the value of operator")
	for _, kind := range []string{"userpass", "ldap"} {
		require.NoError(t, client.Sys().EnableAuthWithOptionsWithContext(ctx, kind, &vaultapi.EnableAuthOptions{Type: kind}))
	}
	write("auth/userpass/users/operator", map[string]any{"password": right.Reveal()})
	write("auth/userpass/users/other", map[string]any{"password": right.Reveal()})
	write("auth/userpass/users/elsewhere", map[string]any{"password": right.Reveal(), "token_bound_cidrs": "192.0.2.1/32"})
	write("auth/ldap/config", map[string]any{"url": directory.LDAP(), "userdn": directory.PeopleDN(), "userattr": "uid", "binddn": directory.BinderDN, "bindpass": directory.BinderPassword,
		"groupdn": directory.PeopleDN(), "request_timeout": 20, "connection_timeout": 20})

	at := door.Settings{Type: "vault", Address: strings.TrimPrefix(vault.Address(), "https://"), TLS: door.Implicit, CA: string(office.CA.PEM), Path: "/auth/userpass", Timeout: 30 * time.Second}
	ask := func(path, login string, value credential.Secret) protocol.Reply {
		t.Helper()
		at := at
		at.Path = path
		return doortest.Ask(t, OpenVault(at), login, value)
	}
	before := accessors(t, client)
	require.Equal(t, protocol.Accepted, ask("/auth/userpass", "operator", right))
	require.Equal(t, protocol.Refused, ask("auth/userpass/", "operator", wrong))
	require.Equal(t, protocol.Accepted, ask("/auth/userpass", "operator", right))
	require.Equal(t, protocol.Refused, ask("/auth/userpass", "nobody-of-that-name", wrong), "the same as wrong")
	require.Equal(t, protocol.NotThisWay, ask("/auth/userpass", "elsewhere", right), "bound to an address: 403")
	require.Equal(t, protocol.Refused, ask("/auth/userpass", "elsewhere", wrong))
	require.Equal(t, protocol.NotThisWay, ask("/auth/none", "operator", right), "no such method: 403")
	for range 5 {
		require.Equal(t, protocol.Refused, ask("/auth/userpass", "other", wrong))
	}
	require.Equal(t, protocol.NotThisWay, ask("/auth/userpass", "other", right), "locked out for all values: 403")
	require.Equal(t, protocol.NotThisWay, ask("/auth/userpass", "other", wrong), "locked out for all values: 403")

	value := func(uid string) credential.Secret { return credential.NewSecret(directory.SeededPassword(uid)) }
	require.Equal(t, protocol.Accepted, ask("/auth/ldap", "svc-0001", value("svc-0001")))
	require.Equal(t, protocol.Refused, ask("/auth/ldap", "svc-0001", wrong))
	require.Equal(t, protocol.Accepted, ask("/auth/ldap", "svc-0001", value("svc-0001")))
	require.Equal(t, protocol.Refused, ask("/auth/ldap", "svc-0002", value("svc-0002")), "locked is the same as wrong")
	require.Equal(t, protocol.Refused, ask("/auth/ldap", "nobody-of-that-name", wrong), "the same as wrong")
	leavesNone(t, client, before)
	software, err := OpenVault(at).Software(ctx)
	require.NoError(t, err)
	require.Contains(t, software, "Vault ")
	require.Equal(t, protocol.NotThisWay, ask("/auth/userpass", "a/../b", wrong))
	require.Equal(t, protocol.NotCarried, ask("/auth/userpass", "operator", credential.Secret{}))
	require.Equal(t, protocol.NotCarried, ask("/auth/userpass", "operator", credential.NewSecret("\xff")), "JSON would make another value of it")

	directory.Process().Pause()
	hangs := at
	hangs.Path, hangs.Timeout = "/auth/ldap", time.Second
	for _, v := range []credential.Secret{value("svc-0001"), wrong} {
		require.Equal(t, protocol.Unreachable, doortest.Ask(t, OpenVault(hangs), "svc-0001", v), "its directory hangs")
	}
	directory.Process().Resume()
	require.NoError(t, directory.Stop(ctx))
	require.Equal(t, protocol.Unreachable, ask("/auth/ldap", "svc-0001", value("svc-0001")), "500")
	require.Equal(t, protocol.Unreachable, ask("/auth/ldap", "svc-0001", wrong), "500")

	subject := doortest.Subject{At: at, Login: "operator", Value: right, Open: func(d door.Settings) door.Door { return OpenVault(d) }}
	subject.Certificates(t)
	subject.NotTLS(t)
	require.NoError(t, vault.Seal(ctx))
	require.Equal(t, protocol.Unreachable, ask("/auth/userpass", "operator", right), "sealed: 503")
	require.NoError(t, vault.Unseal(ctx))

	vault.Process().Pause()
	at.Timeout = 300 * time.Millisecond
	require.Equal(t, protocol.Unreachable, ask("/auth/userpass", "operator", right))
	vault.Process().Resume()
}

// A machine's login: a secret id of a role, or a token by itself.
func TestWhatAVaultsAnswersToMachinesMean(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	vault := doortest.Start(t, lab.StartVault, lab.VaultOptions{Dir: t.TempDir(), CA: ca})
	client := vault.Client()
	write := func(path string, data map[string]any) *vaultapi.Secret {
		got, err := client.Logical().WriteWithContext(ctx, path, data)
		require.NoError(t, err)
		return got
	}
	require.NoError(t, client.Sys().EnableAuthWithOptionsWithContext(ctx, "esg", &vaultapi.EnableAuthOptions{Type: "approle"}))
	role := func(name string, data map[string]any) string {
		write("auth/esg/role/"+name, data)
		got, err := client.Logical().ReadWithContext(ctx, "auth/esg/role/"+name+"/role-id")
		require.NoError(t, err)
		return got.Data["role_id"].(string)
	}
	secretID := func(name string, data map[string]any) credential.Secret {
		return credential.NewSecret(write("auth/esg/role/"+name+"/secret-id", data).Data["secret_id"].(string))
	}
	at := door.Settings{Type: "vault", Auth: door.ByAppRole, Address: strings.TrimPrefix(vault.Address(), "https://"), TLS: door.Implicit, CA: string(ca.PEM), Path: "/auth/esg", Timeout: 30 * time.Second}
	ask := func(login string, value credential.Secret) protocol.Reply {
		t.Helper()
		return doortest.Ask(t, OpenVault(at), login, value)
	}
	esg := role("esg", nil)
	old, renewed, spent := secretID("esg", nil), secretID("esg", nil), secretID("esg", map[string]any{"num_uses": 1})
	elsewhere := secretID("esg", map[string]any{"cidr_list": "192.0.2.1/32"})
	bare := role("bare", map[string]any{"bind_secret_id": false, "secret_id_bound_cidrs": "127.0.0.0/8"})
	batch := role("batch", map[string]any{"token_type": "batch"})
	before := accessors(t, client)
	require.Equal(t, protocol.Accepted, ask(esg, renewed))
	require.Equal(t, protocol.Accepted, ask(esg, old), "both are in force")
	write("auth/esg/role/esg/secret-id/destroy", map[string]any{"secret_id": old.Reveal()})
	require.Equal(t, protocol.Refused, ask(esg, old))
	require.Equal(t, protocol.Accepted, ask(esg, renewed))
	require.Equal(t, protocol.Refused, ask("no-role-of-that-id", renewed), "the same as wrong")
	require.Equal(t, protocol.Restricted, ask(esg, elsewhere), "bound to an address: it was found")
	require.Equal(t, protocol.Accepted, ask(esg, spent))
	require.Equal(t, protocol.Refused, ask(esg, spent), "each login is a use")
	require.Equal(t, protocol.Guest, ask(bare, wrong), "the role needs no secret id")
	require.Equal(t, protocol.NotThisWay, ask("", renewed))
	require.Equal(t, protocol.NotCarried, ask(esg, credential.Secret{}))
	leavesNone(t, client, before)
	said := OpenVault(at).Ask(ctx, batch, secretID("batch", nil))
	require.Equal(t, door.Said{Reply: protocol.Accepted, Code: "200, and its token was not revoked"}, said, "a batch token lives to its end")
	for range 4 { // and the one above
		require.Equal(t, protocol.Refused, ask(esg, wrong))
	}
	require.Equal(t, protocol.NotThisWay, ask(esg, renewed), "locked out for all values: 403")
	require.Equal(t, protocol.NotThisWay, ask(esg, wrong), "locked out for all values: 403")

	at.Auth, at.Path = door.ByToken, "/auth/token"
	token := func(data map[string]any) credential.Secret {
		return credential.NewSecret(write("auth/token/create", data).Auth.ClientToken)
	}
	right, tight := token(map[string]any{"policies": []string{"default"}}), token(map[string]any{"no_default_policy": true, "policies": []string{"none"}})
	write("auth/token/roles/elsewhere", map[string]any{"token_bound_cidrs": "192.0.2.1/32"})
	far := credential.NewSecret(write("auth/token/create/elsewhere", map[string]any{"policies": []string{"default"}}).Auth.ClientToken)
	once := token(map[string]any{"num_uses": 1})
	require.Equal(t, protocol.Accepted, ask("", right))
	require.Equal(t, protocol.Refused, ask("", wrong))
	require.Equal(t, protocol.Refused, ask("", credential.NewSecret("hvs.CAESIJnotatokenbutlikeone")))
	require.Equal(t, protocol.Restricted, ask("", tight), "it may not look itself up")
	require.Equal(t, protocol.Restricted, ask("", far), "bound to an address")
	require.Equal(t, protocol.Accepted, ask("", once))
	require.Equal(t, protocol.Refused, ask("", once), "each look is a use")
	// Of a token of four uses a sandwich leaves two, and one of three keeps its
	// last: it is not asked about again.
	counting := OpenVault(at)
	looks := func(value credential.Secret) protocol.Reply { return doortest.Ask(t, counting, "", value) }
	four, three := token(map[string]any{"num_uses": 4}), token(map[string]any{"num_uses": 3})
	require.Equal(t, protocol.Accepted, looks(four))
	require.Equal(t, protocol.Accepted, looks(four))
	require.Equal(t, protocol.Accepted, looks(three))
	for range 5 {
		require.Equal(t, protocol.NotThisWay, looks(three), "a single use is left")
	}
	owner := vault.Client()
	for value, left := range map[credential.Secret]int{four: 2, three: 1} {
		owner.SetToken(value.Reveal())
		for range left {
			_, err := owner.Auth().Token().LookupSelfWithContext(ctx)
			require.NoError(t, err, "its owner's")
		}
		_, err := owner.Auth().Token().LookupSelfWithContext(ctx)
		require.Error(t, err)
	}
	write("auth/token/revoke", map[string]any{"token": right.Reveal()})
	require.Equal(t, protocol.Refused, ask("", right))
	require.Equal(t, protocol.NotCarried, ask("", credential.NewSecret("two\nlines")))
	// The same over HTTP alone, as of any API that says 403 of each wrong
	// value.
	api := at
	api.Type, api.Path = "https", "/v1/auth/token/lookup-self"
	for _, as := range []door.Auth{door.ByHeader, door.ByBearer} {
		api.Auth, api.Header = as, "X-Vault-Token"
		fresh := token(map[string]any{"policies": []string{"default"}})
		require.Equal(t, protocol.Accepted, doortest.Ask(t, Open(api), "", fresh), as)
		require.Equal(t, protocol.Refused, doortest.Ask(t, Open(api), "", right), as)
		require.Equal(t, protocol.NotThisWay, doortest.Ask(t, Open(api), "", tight), "403 too, for no right to the page, in other words than to a value of nobody's")
	}
	require.NoError(t, vault.Seal(ctx))
	require.Equal(t, protocol.Unreachable, ask("", tight), "sealed: 503")
	at.Auth, at.Path = door.ByAppRole, "/auth/esg"
	require.Equal(t, protocol.Unreachable, ask(esg, renewed), "sealed: 503")
}
