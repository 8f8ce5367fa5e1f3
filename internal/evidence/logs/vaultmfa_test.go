package logs

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238, as the server has it by default
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/lab"
)

// totp is the code of RFC 6238 of a time, from a URL that has the secret.
func totp(t *testing.T, from string, at time.Time) string {
	u, err := url.Parse(from)
	require.NoError(t, err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(u.Query().Get("secret"), "="))
	require.NoError(t, err)
	mac := hmac.New(sha1.New, secret)
	require.NoError(t, binary.Write(mac, binary.BigEndian, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// A login with a second factor has two requests: the second one lets in, and is
// read as the login of the same user. With log_raw the device writes secrets as
// they are: that is told, and none of them is in what is read.
func TestALoginWithASecondFactorIsReadAndSecretsInTheClearAreTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir(), Audit: true})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	root := v.Client()
	raw := v.AuditFile() + ".raw"
	require.NoError(t, root.Sys().EnableAuditWithOptionsWithContext(ctx, "raw", &vaultapi.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": raw, "log_raw": "true"}}))
	write := func(c *vaultapi.Client, path string, data map[string]any) *vaultapi.Secret {
		s, err := c.Logical().WriteWithContext(ctx, path, data)
		require.NoError(t, err, path)
		return s
	}
	require.NoError(t, root.Sys().EnableAuthWithOptionsWithContext(ctx, "team/factors", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	const password = "in-the-clear-0815"
	write(root, "auth/team/factors/users/alice", map[string]any{"password": password})
	mounts, err := root.Sys().ListAuthWithContext(ctx)
	require.NoError(t, err)
	accessor := mounts["team/factors/"].Accessor
	entity := write(root, "identity/entity", map[string]any{"name": "alice"}).Data["id"]
	write(root, "identity/entity-alias", map[string]any{"name": "alice", "canonical_id": entity, "mount_accessor": accessor})
	method := write(root, "identity/mfa/method/totp", map[string]any{"issuer": "test"}).Data["method_id"].(string)
	seed := write(root, "identity/mfa/method/totp/admin-generate", map[string]any{"method_id": method, "entity_id": entity}).Data["url"].(string)
	write(root, "identity/mfa/login-enforcement/factors", map[string]any{"mfa_method_ids": []any{method}, "auth_method_accessors": []string{accessor}})

	user := vaultFrom(t, v, "127.0.0.3", "")
	_, err = user.Logical().WriteWithContext(ctx, "auth/team/factors/login/alice", map[string]any{"password": "wrong"})
	require.Error(t, err)
	first := write(user, "auth/team/factors/login/alice", map[string]any{"password": password})
	require.NotNil(t, first.Auth.MFARequirement)
	validate := func(code string) (*vaultapi.Secret, error) {
		return user.Sys().MFAValidateWithContext(ctx, first.Auth.MFARequirement.MFARequestID, map[string]any{method: []string{code}})
	}
	_, err = validate("000000x")
	require.Error(t, err)
	in, err := validate(totp(t, seed, time.Now()))
	require.NoError(t, err)
	require.NotEmpty(t, in.Auth.ClientToken)
	_, err = vaultFrom(t, v, "127.0.0.3", in.Auth.ClientToken).Auth().Token().LookupSelfWithContext(ctx)
	require.NoError(t, err)

	for name, file := range map[string]string{"hashed": v.AuditFile(), "raw": raw} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		events, notes, unreadable := readText(t, "vault-audit", string(text))
		require.Empty(t, unreadable)
		var got []string
		for _, e := range events {
			if e.Address.String() == "127.0.0.3" {
				got = append(got, fmt.Sprintf("%s login=%v %s %s", e.Account, e.Login, e.Outcome, e.Code+e.Method))
			}
		}
		require.Equal(t, []string{
			"team/factors/alice login=true refused userpass",
			"team/factors/alice login=true value-right mfauserpass",
			" login=true refused mfa", "team/factors/alice login=true accepted mfa",
			"team/factors/alice login=false accepted token",
		}, got, name)
		all := fmt.Sprintf("%+v", events)
		for _, secret := range []string{password, in.Auth.ClientToken, root.Token()} {
			require.NotContains(t, all, secret, name)
			require.Equal(t, name == "raw", strings.Contains(string(text), secret))
		}
		require.Equal(t, name == "raw", notes[event.ValuesClear] > 0, "%s %v", name, notes)
		require.Equal(t, 1, notes[event.NamesNobody], "whose second factor was wrong is not in the log")
	}
}

// What Vault shows of a token has dashes for the slashes of its mount. Which
// mount that is the logins before it tell, and where they do not it is in
// doubt.
func TestATokenOfANestedMountIsNamedByTheLoginsThatWereMet(t *testing.T) {
	line := func(n int, request, auth, response string) string {
		return fmt.Sprintf(`{"time":"2026-11-29T22:10:%02dZ","type":"response","request":{"id":"%d","remote_address":"203.0.113.9",%s}%s%s}`+"\n", n, n, request, auth, response)
	}
	login := func(n int, mount string) string {
		return line(n, `"path":"auth/`+mount+`/login/bob","mount_point":"auth/`+mount+`/"`, `,"auth":{"client_token":"hmac-sha256:t","display_name":"x"}`, "")
	}
	second := func(n int, token string) string {
		return line(n, `"path":"sys/mfa/validate"`, "", `,"response":{"auth":{"client_token":"hmac-sha256:`+token+`","display_name":"team-ldap-alice","metadata":{"username":"alice"}}}`)
	}
	for name, c := range map[string]struct{ text, want string }{
		"none was met":                         {second(1, "a"), "team-ldap/alice [named-by-token]"},
		"the nested one":                       {login(1, "team/ldap") + second(2, "a"), "team/ldap/alice []"},
		"the flat one":                         {login(1, "team-ldap") + second(2, "a"), "team-ldap/alice []"},
		"both":                                 {login(1, "team/ldap") + login(2, "team-ldap") + second(3, "a"), " []"},
		"a stranger asked at one that is none": {login(1, "team/ldap") + line(2, `"path":"auth/team-ldap/login/x"`, "", `,"error":"permission denied"`) + second(3, "a"), "team/ldap/alice []"},
		"one of its kind":                      {login(1, "other/ldap") + login(2, "team/ldap") + second(3, "a"), "team/ldap/alice []"},
	} {
		events, notes, unreadable := readText(t, "vault-audit", c.text)
		require.Empty(t, unreadable, name)
		last := events[len(events)-1]
		require.Equal(t, c.want, fmt.Sprint(last.Account, " ", last.Doubts), name)
		require.Equal(t, event.Accepted, last.Outcome, name)
		require.Equal(t, strings.HasPrefix(c.want, " "), notes[event.InUnnamed] > 0, name)
	}
}
