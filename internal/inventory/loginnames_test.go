package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// Logs of servers have these names, and the ledger keeps them.
func TestARollSaysWithWhatNamesAnAccountLogsIn(t *testing.T) {
	many := []string{strings.Repeat("x", 5000)}
	for i := range 1000 {
		many = append(many, fmt.Sprintf("n%04d", i))
	}
	for _, row := range []struct {
		driver string
		of     Account
		want   []string
	}{
		{config.ActiveDirectory, Account{Name: "CN=Mail Backup,OU=svc,DC=x", Short: "svc-bk", Logins: []string{"HTTP/mail.x", "backup@x", "svc-bk"}}, []string{"backup@x", "svc-bk"}},
		{config.ActiveDirectory, Account{Name: "CN=svc-bk,OU=svc,DC=x", Short: "svc-bk", Logins: []string{"svc-bk"}}, []string{"svc-bk"}},
		{config.OpenLDAP, Account{Name: "cn=Mail Backup,dc=x", Short: "svc-bk", Logins: []string{"svc-bk"}}, []string{"svc-bk"}},
		{config.OpenLDAP, Account{Name: "uid=svc-bk,dc=x", Short: "svc-bk", Logins: []string{"svc-bk"}}, nil},
		{config.OpenLDAP, Account{Name: "cn=Mail Backup,dc=x", Short: "Mail Backup"}, nil},
		{config.OpenLDAP, Account{Name: "cn=Mail Backup,dc=x", Short: "n0000", Logins: many}, many[1 : 1+mostLoginNames]},
	} {
		c := campaign()
		c.Directories["corp"] = config.Directory{Driver: row.driver, Base: base}
		row.of.Subject = "id-1"
		found := []Candidate{{Kind: credential.LDAPPassword, Authority: "corp", Account: "it", Found: &row.of}}
		roll, _, err := merge(c, found, accounts{refTo(c, "corp", "it"): {row.of}}, nil)
		require.NoError(t, err)
		require.Equal(t, row.want, roll.Credentials[0].LoginNames, row.of.Name)
	}
}
