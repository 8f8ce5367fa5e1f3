package credential

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATextThatGivesASecretAwayByItsForm(t *testing.T) {
	t.Parallel()
	for text, what := range map[string]string{
		"copied from ldaps://svc:Pw-1@ldap1.example.org": "an address with a login in it",
		"the token hvs." + strings.Repeat("CAES", 8):     "a token of Vault",
		"-----BEGIN RSA PRIVATE KEY-----":                "a private key",
		"its disk burnt; see https://wiki.example.org/x": "",
		"alice@example.org says so":                      "",
		"tokens of the form hvs. are meant":              "",
		"":                                               "",
	} {
		require.Equal(t, what, Discloses(text), text)
	}
}
