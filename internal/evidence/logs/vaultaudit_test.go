package logs

import (
	"context"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/lab"
)

// vaultFrom is a client of Vault that has an address of its own.
func vaultFrom(t *testing.T, v *lab.Vault, from, token string) *vaultapi.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := vaultapi.NewClient(&vaultapi.Config{Address: v.Address(), HttpClient: &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}})
	require.NoError(t, err)
	c.SetMaxRetries(0)
	c.ClearToken()
	if token != "" {
		c.SetToken(token)
	}
	return c
}

func TestWhatVaultsAuditDeviceWritesIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir(), Audit: true})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	root := v.Client()
	require.NoError(t, root.Sys().EnableAuthWithOptionsWithContext(ctx, "userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	write := func(c *vaultapi.Client, path string, data map[string]any) (*vaultapi.Secret, error) {
		return c.Logical().WriteWithContext(ctx, path, data)
	}
	_, err = write(root, "auth/userpass/users/alice", map[string]any{"password": "stolen"})
	require.NoError(t, err)
	_, err = write(root, "auth/approle/role/app", map[string]any{"policies": "default"})
	require.NoError(t, err)
	role, err := root.Logical().ReadWithContext(ctx, "auth/approle/role/app/role-id")
	require.NoError(t, err)
	secret, err := write(root, "auth/approle/role/app/secret-id", nil)
	require.NoError(t, err)

	thief := vaultFrom(t, v, "127.0.0.3", "")
	in, err := write(thief, "auth/userpass/login/Alice", map[string]any{"password": "stolen"})
	require.NoError(t, err)
	_, err = write(thief, "auth/userpass/login/alice", map[string]any{"password": "wrong"})
	require.Error(t, err)
	_, err = write(thief, "auth/userpass/login/nobody", map[string]any{"password": "stolen"})
	require.Error(t, err) // has neither an error nor auth: no success
	_, err = write(thief, "auth/approle/login", map[string]any{"role_id": role.Data["role_id"], "secret_id": secret.Data["secret_id"]})
	require.NoError(t, err)
	_, err = write(thief, "auth/approle/login", map[string]any{"role_id": role.Data["role_id"], "secret_id": "wrong"})
	require.Error(t, err)
	stolen := vaultFrom(t, v, "127.0.0.3", in.Auth.ClientToken)
	_, err = stolen.Auth().Token().LookupSelfWithContext(ctx)
	require.NoError(t, err)
	require.NoError(t, root.Auth().Token().RevokeAccessorWithContext(ctx, in.Auth.Accessor))
	_, err = stolen.Auth().Token().LookupSelfWithContext(ctx)
	require.Error(t, err)

	// Whose token comes along with a login says nothing of the login.
	other := vaultFrom(t, v, "127.0.0.4", root.Token())
	_, err = write(other, "auth/userpass/login/alice", map[string]any{"password": "wrong"})
	require.Error(t, err)
	wrapping := vaultFrom(t, v, "127.0.0.4", "")
	wrapping.SetWrappingLookupFunc(func(string, string) string { return "60s" })
	wrapped, err := write(wrapping, "auth/userpass/login/alice", map[string]any{"password": "stolen"})
	require.NoError(t, err)
	require.NotNil(t, wrapped.WrapInfo)

	hash := func(value any) string {
		h, err := root.Sys().AuditHashWithContext(ctx, "file", value.(string))
		require.NoError(t, err)
		return h
	}
	text, err := os.ReadFile(v.AuditFile())
	require.NoError(t, err)
	events, notes, unreadable := readText(t, "vault-audit", string(text))
	require.Empty(t, unreadable)
	require.Equal(t, map[event.Note]int{event.NamesNobody: 1}, notes, "a refused AppRole has its role-id's hash alone")
	from := slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.Address.String() != "127.0.0.3" })
	type want struct {
		account string
		outcome event.Outcome
		login   bool
		hash    string
	}
	for i, w := range []want{
		{"userpass/Alice", event.Accepted, true, hash("stolen")},
		{"userpass/alice", event.Refused, true, hash("wrong")},
		{"userpass/nobody", event.Refused, true, hash("stolen")},
		{"approle/app", event.Accepted, true, hash(secret.Data["secret_id"])},
		{"", event.Refused, true, hash(role.Data["role_id"])},
		{"userpass/Alice", event.Accepted, false, hash(in.Auth.ClientToken)},
		// After the revocation Vault writes the inner hash alone.
		{"userpass/Alice", event.Refused, false, hash(in.Auth.ClientToken)},
	} {
		e := from[i]
		require.Equal(t, want{w.account, w.outcome, w.login, ""}, want{e.Account, e.Outcome, e.Login, ""}, "%d: %+v", i, e)
		require.Contains(t, e.Hashes, w.hash, "%d: %+v", i, e)
	}
	require.Len(t, from, 7)
	last := strings.Split(string(text), "\n")[from[6].Line-1]
	require.NotContains(t, last, hash(in.Auth.ClientToken), "the hash that audit-hash gives is not in the line")
	for _, e := range events {
		require.NotContains(t, e.Code+e.Method+e.Account, "stolen")
	}

	var fourth []event.Outcome
	for _, e := range events {
		if e.Address.String() == "127.0.0.4" {
			require.Equal(t, "userpass/alice", e.Account)
			require.True(t, e.Login)
			fourth = append(fourth, e.Outcome)
		}
	}
	require.Equal(t, []event.Outcome{event.Refused, event.Accepted}, fourth, "with somebody's token, and wrapped")

	t.Run("enabled anew: hashes are others, and that is told", func(t *testing.T) {
		before := hash("stolen")
		require.NoError(t, root.Sys().DisableAuditWithContext(ctx, "file"))
		require.NoError(t, root.Sys().EnableAuditWithOptionsWithContext(ctx, "file", &vaultapi.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": v.AuditFile()}}))
		_, err = write(thief, "auth/userpass/login/nobody", map[string]any{"password": "stolen"})
		require.Error(t, err)
		require.NotEqual(t, before, hash("stolen"))
		text, err := os.ReadFile(v.AuditFile())
		require.NoError(t, err)
		events, notes, _ := readText(t, "vault-audit", string(text))
		require.Equal(t, 1, notes[event.SaltChanged])
		require.Contains(t, events[len(events)-2].Hashes, hash("stolen"))
	})
	t.Run("a request whose response is missing is told and is no success", func(t *testing.T) {
		var requests strings.Builder
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, `"type":"request"`) {
				requests.WriteString(line + "\n")
			}
		}
		events, notes, _ := readText(t, "vault-audit", requests.String())
		require.Positive(t, notes[event.NoResponse])
		for _, e := range events {
			require.Equal(t, event.Unknown, e.Outcome)
		}
	})
}
