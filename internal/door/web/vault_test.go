package web

import (
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
		"groupdn": directory.PeopleDN(), "request_timeout": 2, "connection_timeout": 2})

	at := door.Settings{Type: "vault", Address: strings.TrimPrefix(vault.Address(), "https://"), TLS: door.Implicit, CA: string(office.CA.PEM), Path: "/auth/userpass", Timeout: 30 * time.Second}
	ask := func(path, login string, value credential.Secret) protocol.Reply {
		t.Helper()
		at := at
		at.Path = path
		return doortest.Ask(t, OpenVault(at), login, value)
	}
	leases := func() int {
		got, err := client.Logical().ListWithContext(ctx, "auth/token/accessors")
		require.NoError(t, err)
		return len(got.Data["keys"].([]any))
	}
	before := leases()
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
	require.Equal(t, before, leases(), "no token is left behind")
	software, err := OpenVault(at).Software(ctx)
	require.NoError(t, err)
	require.Contains(t, software, "Vault ")
	require.Equal(t, protocol.NotThisWay, ask("/auth/userpass", "a/../b", wrong))
	require.Equal(t, protocol.NotThisWay, ask("/auth/userpass", "operator", credential.Secret{}))
	require.Equal(t, protocol.NotThisWay, ask("/auth/userpass", "operator", credential.NewSecret("\xff")), "JSON would make another value of it")

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
