package directory

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// A server other than the first may only lag behind a change of both
// identities: what it refused is offered again once failures have stopped
// counting. To the write server it is not.
func TestWhatAServerRefusedOfAPairIsOfferedAgainOnlyWhereItMayLag(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("user", 1)})
	d := configOf(s)
	d.Servers = []string{s.LDAPS(), s.LDAP()}
	d.StartTLS = true
	p := openPair(t, d, s.PartnerDN, "wrong-a", "wrong-b")
	for n, server := range p.servers {
		_, _, err := p.ByID(t.Context(), server.name, "00000000-0000-0000-0000-000000000001", s.AccountDN("user0001"))
		require.True(t, isRefused(err), "%v", err)
		for k, i := range server.identities {
			_, refused := i.judge(credential.NewSecret(fmt.Sprintf("wrong-%c", 'a'+k)))
			require.Error(t, refused, "not offered again at once")
			require.Equal(t, n == 0, i.until.IsZero())
			if n > 0 {
				require.WithinDuration(t, time.Now().Add(refusalHoldsOfAPair), i.until, time.Minute)
			}
		}
		require.NotContains(t, err.(interface{ Unwrap() []error }).Unwrap()[0].(*identityError).Public(), s.BinderDN, "it travels through Temporal")
	}
}
