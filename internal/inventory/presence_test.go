package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// Who may write userPassword need not read it (slapd.access(5): =wsx), or may
// not even search it (=w). What bars an account, and what another system
// checks, shows by the value alone.
func TestAPasswordWhoseKeepingIsNotShownMakesTheListingIncomplete(t *testing.T) {
	t.Parallel()
	for may, want := range map[string]string{
		"=wsx": "may not read userPassword of 3 of its entries (of 0 not even whether there is one)",
		"=w":   "may not read userPassword of 4 of its entries (of 4 not even whether there is one)",
	} {
		t.Run(may, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			ca, err := lab.NewCA()
			require.NoError(t, err)
			s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, BinderMay: may, Accounts: []lab.Account{{UID: "svc", Password: "x"}}})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
			admin, err := s.AdminConn(ctx)
			require.NoError(t, err)
			t.Cleanup(func() { _ = admin.Close() })
			person := func(uid, rest string) string {
				return "dn: uid=" + uid + "," + s.PeopleDN() + "\nobjectClass: inetOrgPerson\nuid: " + uid + "\ncn: x\nsn: x\n" + rest
			}
			addLDIF(t, admin, person("barred", "userPassword: {CRYPT}!$6$abc$def")+"\n\n"+person("passthru", "userPassword: {SASL}someone@realm")+"\n\n"+person("certificate", "title: x"))

			c := campaign()
			c.Sources = []config.Source{manifestSource("account,path", "svc,kv/apps/svc#password", "barred,kv/apps/b#password", "passthru,kv/apps/p#password", "certificate,kv/apps/c#password")}
			roll, _ := listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
			hidden := of(roll.Warnings, credential.FindingStorageHidden)
			require.Len(t, hidden, 1)
			require.Contains(t, hidden[0].Detail, want)
			require.Contains(t, hidden[0].Detail, "{SASL}")
			require.Contains(t, hidden[0].Detail, "accept: - {directory: corp, finding: storage-not-shown, reason: …}")
			incomplete := roll.Incomplete()
			require.Positive(t, incomplete)

			c.Accept = []config.Accept{{Directory: "corp", Finding: credential.FindingStorageHidden, Reason: "looked at as the rootdn"}}
			roll, _ = listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
			require.Equal(t, incomplete-1, roll.Incomplete())
			require.Empty(t, of(roll.Warnings, credential.FindingStorageHidden))
			require.Equal(t, []credential.Problem{credential.PasswordHidden}, byName(roll)[s.AccountDN("svc")].Accepted)
		})
	}
}

// of are the warnings of one code.
func of(all []credential.Finding, code credential.FindingCode) (out []credential.Finding) {
	for _, w := range all {
		if w.Code == code {
			out = append(out, w)
		}
	}
	return out
}
