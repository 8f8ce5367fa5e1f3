package directory

import (
	"context"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// pair is a directory with two identities, whose passwords "in Vault" a test
// may change.
type pair struct {
	*Client
	mu     sync.Mutex
	values [2]string
}

func openPair(t *testing.T, d config.Directory, partner, first, second string) *pair {
	t.Helper()
	d.Partner = config.Bind{DN: partner, Password: credential.Path{Mount: "kv", Path: "rollcall/bind-b", Field: "password"}}
	p := &pair{values: [2]string{first, second}}
	read := func(n int) func(context.Context) (credential.Secret, error) {
		return func(context.Context) (credential.Secret, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return credential.NewSecret(p.values[n]), nil
		}
	}
	var err error
	p.Client, err = Open("corp", d, read(0), read(1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func (p *pair) put(n int, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values[n] = value
}

// as says which identity does an operation on dn.
func (p *pair) as(t *testing.T, dn string) string {
	t.Helper()
	var bound string
	require.NoError(t, p.servers[0].admin(t.Context(), dn, (*pool).use, func(c *conn) error {
		who, err := c.ldap.WhoAmI(nil)
		if err == nil {
			require.Equal(t, "dn:"+c.bound, who.AuthzID)
		}
		bound = c.bound
		return err
	}))
	return bound
}

// lockable lets wrong passwords of the pair count, and lock at the third.
func lockable(t *testing.T, s *lab.Slapd) {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	for _, dn := range []string{s.BinderDN, s.PartnerDN} {
		req := ldap.NewModifyRequest(dn, nil)
		req.Replace("pwdPolicySubentry", []string{"cn=default,ou=policies," + s.BaseDN()})
		require.NoError(t, conn.Modify(req))
	}
}

func failures(t *testing.T, s *lab.Slapd, dn string) int {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"pwdFailureTime"}, nil))
	require.NoError(t, err)
	require.Len(t, res.Entries, 1)
	return len(res.Entries[0].GetAttributeValues("pwdFailureTime"))
}

func TestThePartnerWorksWhileTheFirstIsRefusedAndARefusedValueIsOfferedOnce(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}, Accounts: lab.SeedAccounts("user", 1)})
	lockable(t, s)
	p := openPair(t, configOf(s), s.PartnerDN, "a-stale-value", s.PartnerPassword)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { require.Equal(t, s.PartnerDN, p.as(t, "")) })
	}
	all.Wait()
	require.NoError(t, p.Ready(t.Context()))
	require.NoError(t, p.ResetPassword(t.Context(), s.AccountDN("user0001"), credential.NewSecret("a-new-value"), credential.Secret{}))
	require.Equal(t, 1, failures(t, s, s.BinderDN), "the value is wrong and was offered once")

	for _, i := range p.servers[0].identities {
		require.True(t, i.until.IsZero(), "it is not offered again when time has passed")
	}
	p.put(0, s.BinderPassword)
	require.Equal(t, s.BinderDN, p.as(t, ""), "Vault holds another value, which works")
	require.Zero(t, failures(t, s, s.BinderDN))
	require.Zero(t, failures(t, s, s.PartnerDN))
}

func TestBothRefusedNamesBothAndOffersEachOnce(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}})
	lockable(t, s)
	p := openPair(t, configOf(s), s.PartnerDN, "wrong-one", "wrong-two")
	for range 5 {
		err := p.Ready(t.Context())
		require.ErrorContains(t, err, "kv/rollcall/bind#password")
		require.ErrorContains(t, err, "kv/rollcall/bind-b#password")
		require.NotContains(t, err.Error(), "wrong-")
	}
	require.Equal(t, 1, failures(t, s, s.BinderDN))
	require.Equal(t, 1, failures(t, s, s.PartnerDN))
}

func TestEachOfAPairIsLookedAtAndResetByTheOtherAlone(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{})
	p := openPair(t, configOf(s), s.PartnerDN, s.BinderPassword, s.PartnerPassword)
	require.False(t, p.IsBindIdentity(s.BinderDN))
	require.False(t, p.IsBindIdentity(s.PartnerDN))
	require.Equal(t, s.BinderDN, p.as(t, ""))
	require.Equal(t, s.PartnerDN, p.as(t, s.BinderDN))
	require.Equal(t, s.BinderDN, p.as(t, s.PartnerDN))
	require.Equal(t, s.BinderDN, p.as(t, "CN=Rollcall-B, ou=services, "+s.BaseDN()))

	require.NoError(t, p.ResetPassword(t.Context(), s.BinderDN, credential.NewSecret("first-of-the-new"), credential.Secret{}))
	answer, err := p.Bind(t.Context(), s.LDAPS(), s.BinderDN, credential.NewSecret("first-of-the-new"))
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, answer)

	// Vault still holds the old value of the first: connections that it opened
	// are there, and must not be what resets the second.
	err = p.ResetPassword(t.Context(), s.PartnerDN, credential.NewSecret("never-set"), credential.Secret{})
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonRights, stop.Reason)
	require.NotContains(t, stop.Detail, "cn=")
	answer, err = p.Bind(t.Context(), s.LDAPS(), s.PartnerDN, credential.NewSecret(s.PartnerPassword))
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, answer, "nothing was changed")

	p.put(0, "first-of-the-new")
	require.NoError(t, p.ResetPassword(t.Context(), s.PartnerDN, credential.NewSecret("second-of-the-new"), credential.Secret{}))
	answer, err = p.Bind(t.Context(), s.LDAPS(), s.PartnerDN, credential.NewSecret(s.PartnerPassword))
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, answer)
}

func TestDoctorLooksAtBothOfAPairAndAtWhatEachMayDoToTheOther(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{})
	what := func(p *pair) (binds, pairs []Check) {
		for _, c := range p.Check(t.Context()) {
			switch c.What {
			case "bind":
				binds = append(binds, c)
			case "pair":
				pairs = append(pairs, c)
			}
		}
		return binds, pairs
	}
	t.Run("in order", func(t *testing.T) {
		binds, pairs := what(openPair(t, configOf(s), s.PartnerDN, s.BinderPassword, s.PartnerPassword))
		require.Len(t, binds, 2)
		require.Len(t, pairs, 2)
		for _, c := range append(binds, pairs...) {
			require.True(t, c.OK, c.Detail)
			require.Empty(t, c.Do)
		}
	})
	t.Run("the second cannot log in", func(t *testing.T) {
		binds, pairs := what(openPair(t, configOf(s), s.PartnerDN, s.BinderPassword, "wrong"))
		require.True(t, binds[0].OK)
		require.False(t, binds[1].OK)
		require.Contains(t, binds[1].Detail, "kv/rollcall/bind-b#password")
		require.Len(t, pairs, 1)
	})
	t.Run("neither may reset the other", func(t *testing.T) {
		_, pairs := what(openPair(t, configOf(s), s.WriterDN, s.BinderPassword, s.WriterPassword))
		require.Len(t, pairs, 2)
		for _, c := range pairs {
			require.False(t, c.OK, c.Detail)
			require.Contains(t, c.Do, "manage")
		}
	})
	t.Run("the pair lies outside base", func(t *testing.T) {
		d := configOf(s)
		d.Base = s.PeopleDN()
		_, pairs := what(openPair(t, d, s.PartnerDN, s.BinderPassword, s.PartnerPassword))
		require.Len(t, pairs, 4)
		require.False(t, pairs[1].OK)
		require.Contains(t, pairs[1].Do, "base")
	})
}
