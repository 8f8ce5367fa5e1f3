package directory

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func TestAccountThatMayNotReadItselfIsAcceptedByWhoAmI(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}})
	c := open(t, configOf(s), s.BinderPassword)
	dn := "cn=appliance,ou=sealed," + s.BaseDN()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	add := ldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"organizationalRole", "simpleSecurityObject"})
	add.Attribute("userPassword", []string{"first-value-of-it"})
	require.NoError(t, conn.Add(add))

	got, err := c.Bind(t.Context(), s.LDAPS(), dn, credential.NewSecret("first-value-of-it"))
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)

	require.NoError(t, c.ResetPassword(t.Context(), dn, credential.NewSecret("second-value-of-it"), credential.Secret{}))
	got, err = c.Bind(t.Context(), s.LDAPS(), dn, credential.NewSecret("second-value-of-it"))
	require.NoError(t, err)
	require.Equal(t, protocol.MustChange, got)
}

func TestManyRotationsShareTheConnections(t *testing.T) {
	const users, connections = 64, 4
	accounts := lab.SeedAccounts("user", 200)
	s := startSlapd(t, lab.SlapdOptions{Accounts: accounts})
	d := configOf(s)
	d.Connections = connections
	c := open(t, d, s.BinderPassword)
	var dials atomic.Int64
	for _, p := range []*pool{c.servers[0].identities[0].pool, c.servers[0].probe} {
		dial := p.dial
		p.dial = func(ctx context.Context) (*conn, error) {
			dials.Add(1)
			return dial(ctx)
		}
	}

	work := make(chan lab.Account)
	var wg sync.WaitGroup
	for range users {
		wg.Go(func() {
			for a := range work {
				dn, old := s.AccountDN(a.UID), credential.NewSecret(a.Password)
				next := credential.NewSecret("new-value-of-" + a.UID)
				assert.NoError(t, c.ResetPassword(t.Context(), dn, next, old))
				got, err := c.Bind(t.Context(), s.LDAPS(), dn, old)
				assert.NoError(t, err)
				assert.Equal(t, protocol.Refused, got)
				got, err = c.Bind(t.Context(), s.LDAPS(), dn, next)
				assert.NoError(t, err)
				assert.Equal(t, protocol.Accepted, got)
			}
		})
	}
	for _, a := range accounts {
		work <- a
	}
	close(work)
	wg.Wait()
	require.LessOrEqual(t, dials.Load(), int64(2*connections))
}
