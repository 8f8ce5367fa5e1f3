package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFieldsThatLookLikeCredentialsAreTakenByTheirNames(t *testing.T) {
	for _, f := range []string{"password", "smtp_password", "smtpPassword", "Password", "api_key", "API-Key", "token", "client_secret", "bindpw", "ldap.pass", "dbPw",
		"private_key", "credentials", "secret_id", "SNMP_AUTH", "wifi psk", "dsn", "accessKey", "passphrase",
		"ldappw", "smtppwd", "wifipsk", "smtppass", "sshkey", "kennwort", "SMTP-Kennwort", "motDePasse", "mdp", "contraseña", "ldap_contrasena", "wachtwoord", "heslo", "пароль", "密码"} {
		require.True(t, looksSecret(f, "kq8-Zt4w"), f)
	}
	for _, f := range []string{"user", "username", "host", "port", "url", "password_policy", "token_url", "auth_type", "keyboard", "compass", "public_key_id", "secret_name", "key_path", "note", "base_dn", "spine"} {
		require.False(t, looksSecret(f, "kq8-Zt4w"), f)
	}
	require.Equal(t, []string{"api_key", "smtp_password"},
		without([]string{"api_key", "ldap_password", "smtp_password"}, []string{"ldap_password"}))
}
