package rotation

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// Whether a value bars its account shows by the value alone. Where bind.dn may
// write it and not read it, an account that accepts nothing that Vault holds
// may be such a one, and a reset would give it a login.
func TestAnAccountThatMayBeBarredByItsPasswordIsGivenNone(t *testing.T) {
	t.Parallel()
	for _, may := range []string{"=wsx", "=w"} {
		t.Run(may, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{BinderMay: may})
			const mark = "{CRYPT}!$6$abc$def"
			barred := r.credential(0)
			r.admin(r.slapd, func(conn *ldap.Conn) error {
				m := ldap.NewModifyRequest(barred.Name, nil)
				m.Replace("userPassword", []string{mark})
				return conn.Modify(m)
			})
			known, accepted := r.credential(1), r.named(r.slapd.AccountDN(r.accounts[2].UID), r.accounts[2].UID, "nobody's")
			accepted.Accepted = []credential.Problem{credential.PasswordHidden}
			got := r.run([]credential.Credential{barred, known, accepted}, nothing)
			require.NotNil(t, got[0].Stop)
			require.Equal(t, protocol.ReasonPasswordHidden, got[0].Stop.Reason, got[0].Stop.Detail)
			require.Equal(t, mark, r.attribute(r.slapd, barred.Name, "userPassword"))
			require.True(t, got[1].Dead(), "a good login shows that it has one: %+v", got[1].Stop)
			require.True(t, got[2].Dead(), "a person said that it has one: %+v", got[2].Stop)
		})
	}
}
