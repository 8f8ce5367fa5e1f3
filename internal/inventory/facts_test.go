package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// What an entry shows decides, and object classes only where it shows nothing.
func TestWhetherAnEntryIsAnAccountWithAPasswordOfItsOwn(t *testing.T) {
	hash := []directory.Stored{{Scheme: "SSHA"}}
	for name, tc := range map[string]struct {
		a    facts
		want credential.Problem
	}{
		"a person":                              {facts{classes: []string{"inetorgperson"}, stored: hash}, ""},
		"a person whose password is hidden":     {facts{classes: []string{"inetorgperson"}}, ""},
		"a person without one":                  {facts{classes: []string{"inetorgperson"}, without: true}, credential.NoPassword},
		"a container with a password":           {facts{classes: []string{"organizationalunit"}, stored: hash}, ""},
		"a container whose password is hidden":  {facts{classes: []string{"organizationalunit"}}, credential.NotAnAccount},
		"a group":                               {facts{classes: []string{"posixgroup"}, without: true}, credential.NotAnAccount},
		"a device that logs in":                 {facts{classes: []string{"device", "simplesecurityobject"}}, ""},
		"a class that nobody knows":             {facts{classes: []string{"acmething"}}, ""},
		"a class that nobody knows, without":    {facts{classes: []string{"acmething"}, without: true}, credential.NoPassword},
		"no class is shown":                     {facts{}, ""},
		"another system":                        {facts{stored: []directory.Stored{{Scheme: "SASL"}}}, credential.CheckedElsewhere},
		"another system and a hash":             {facts{stored: []directory.Stored{hash[0], {Scheme: "RADIUS"}}}, credential.CheckedElsewhere},
		"another system, barred":                {facts{stored: []directory.Stored{{Scheme: "SASL", Void: true}}}, credential.CheckedElsewhere},
		"barred":                                {facts{stored: []directory.Stored{{Scheme: "CRYPT", Void: true}}}, credential.NoPassword},
		"one value barred, another not":         {facts{stored: []directory.Stored{{Scheme: "CRYPT", Void: true}, hash[0]}}, ""},
		"a second copy":                         {facts{stored: hash, copies: []string{"sambaNTPassword"}}, credential.SecondCopy},
		"a second copy of no password":          {facts{without: true, copies: []string{"sambaNTPassword"}}, credential.NoPassword},
		"a machine of a Samba domain in LDAP":   {facts{login: []string{"esg-01$"}, stored: hash}, credential.ComputerAccount},
		"an alias":                              {facts{classes: []string{"alias", "extensibleobject"}, stored: hash}, credential.IsAlias},
		"a user of a domain":                    {facts{domains: true, classes: []string{"person", "user"}}, ""},
		"one with principals":                   {facts{domains: true, classes: []string{"user"}, spn: []string{"HTTP/x"}}, credential.HasKeytab},
		"one that logs in at some hours":        {facts{domains: true, classes: []string{"user"}, restricts: "logonHours"}, credential.Restricted},
		"a computer with principals":            {facts{domains: true, classes: []string{"computer", "user"}, spn: []string{"HOST/x"}}, credential.ComputerAccount},
		"a group managed service account":       {facts{domains: true, classes: []string{"computer", "msds-groupmanagedserviceaccount", "user"}}, credential.ManagedAccount},
		"a trust":                               {facts{domains: true, classes: []string{"user"}, login: []string{"PARTNER$"}}, credential.ComputerAccount},
		"the key of a read-only controller":     {facts{domains: true, classes: []string{"user"}, login: []string{"krbtgt_20123"}}, credential.ManagedAccount},
		"a contact":                             {facts{domains: true, classes: []string{"contact", "person"}}, credential.NotAnAccount},
		"an account whose classes are not seen": {facts{domains: true}, ""},
	} {
		got := credential.Problem("")
		if p := tc.a.problems(); len(p) > 0 {
			got = p[0].code
			require.NotEmpty(t, p[0].detail)
		}
		require.Equal(t, tc.want, got, name)
	}
}
