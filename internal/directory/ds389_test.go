package directory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func config389(s *lab.DS389) config.Directory {
	return config.Directory{
		Driver: config.DS389, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA, Set: "replace", Timeout: patience,
		Bind: config.Bind{DN: s.BinderDN, Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
	}
}

// One server for all: starting it takes longer than the tests.
func TestDS389(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartDS389(ctx, lab.DS389Options{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", pageSize+20)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	t.Run("more entries than fit on a page are all found", func(t *testing.T) { pages389(t, s) })
	t.Run("an incomplete list is an error", func(t *testing.T) { incomplete389(t, s) })
	t.Run("check finds a server in order", func(t *testing.T) { checkInOrder389(t, s) })
	t.Run("check says what is wrong and what to do", func(t *testing.T) { checkWrong389(t, s) })
	t.Run("two resets in one second have different marks", func(t *testing.T) { marks389(t, s) })
	t.Run("a locked identity is not offered again", func(t *testing.T) { lockedIdentity389(t, s) })
}

func pages389(t *testing.T, s *lab.DS389) {
	found := map[string]bool{}
	c := open(t, config389(s), s.BinderPassword)
	require.NoError(t, c.Search(t.Context(), s.LDAPS(), s.PeopleDN(), "(objectClass=inetOrgPerson)", []string{"uid"}, func(e Entry) error {
		require.Regexp(t, nsUniqueIDForm, e.ID)
		require.Equal(t, s.AccountDN(e.First("uid")), e.DN)
		found[e.ID] = true
		return nil
	}))
	require.Len(t, found, pageSize+20)
}

// The server's own limit of 2,000 entries is lowered, because adding so many
// takes long.
func incomplete389(t *testing.T, s *lab.DS389) {
	limit := func(n string) {
		admin, err := s.AdminConn(t.Context())
		require.NoError(t, err)
		defer admin.Close()
		req := ldap.NewModifyRequest("cn=config", nil)
		req.Replace("nsslapd-sizelimit", []string{n})
		require.NoError(t, admin.Modify(req))
	}
	limit("300")
	defer limit("2000")
	count := func(dn, password string) (n int, err error) {
		d := config389(s)
		d.Bind.DN = dn
		err = open(t, d, password).Search(t.Context(), s.LDAPS(), s.PeopleDN(), "(objectClass=inetOrgPerson)", nil, func(Entry) error {
			n++
			return nil
		})
		return n, err
	}
	_, err := count(s.AccountDN("svc0001"), s.SeededPassword("svc0001"))
	require.ErrorContains(t, err, "incomplete")
	require.ErrorContains(t, err, "nsSizeLimit")
	n, err := count(s.BinderDN, s.BinderPassword)
	require.NoError(t, err, "nsSizeLimit of its entry lifts it")
	require.Equal(t, pageSize+20, n)
}

func checkInOrder389(t *testing.T, s *lab.DS389) {
	got := byWhat(open(t, config389(s), s.BinderPassword).Check(t.Context()))
	for _, what := range []string{"connect", "certificate", "bind", "base", "server", "rights", "clock"} {
		require.Contains(t, got, what)
		require.True(t, got[what].OK, "%+v", got[what])
		require.Equal(t, s.LDAPS(), got[what].Server)
		require.Empty(t, got[what].Do)
	}
	require.Contains(t, got["rights"].Detail, fmt.Sprintf("of %d accounts", sampled))
}

func checkWrong389(t *testing.T, s *lab.DS389) {
	d := config389(s)
	d.Bind.DN = s.AccountDN("svc0001")
	got := byWhat(open(t, d, s.SeededPassword("svc0001")).Check(t.Context()))
	require.False(t, got["rights"].OK)
	require.Contains(t, got["rights"].Detail, "may write userPassword of 0 of ")
	require.Contains(t, got["rights"].Do, `allow (write) userdn="ldap:///`+d.Bind.DN+`"`)

	slapd := startSlapd(t, lab.SlapdOptions{})
	d = configOf(slapd)
	d.Driver = config.DS389
	got = byWhat(open(t, d, slapd.BinderPassword).Check(t.Context()))
	require.False(t, got["server"].OK)
	require.Contains(t, got["server"].Do, "no 389 Directory Server")
}

func marks389(t *testing.T, s *lab.DS389) {
	c := open(t, config389(s), s.BinderPassword)
	dn := s.AccountDN("svc0002")
	read := func() (mark string) {
		require.NoError(t, c.Search(t.Context(), s.LDAPS(), s.PeopleDN(), "(uid=svc0002)", ds389{}.stateAttributes(), func(e Entry) error {
			mark = c.Changed(e)
			return nil
		}))
		return mark
	}
	last := read()
	for i := range 3 {
		require.NoError(t, c.ResetPassword(t.Context(), dn, credential.NewSecret(fmt.Sprintf("value-%d-of-it", i)), credential.Secret{}))
		now := read()
		require.Greater(t, now, last)
		last = now
	}
}

func lockedIdentity389(t *testing.T, s *lab.DS389) {
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	dn := s.AccountDN("svc0003")
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace("nsAccountLock", []string{"true"})
	require.NoError(t, admin.Modify(req))
	d := config389(s)
	d.Bind.DN = dn
	c := open(t, d, s.SeededPassword("svc0003"))
	for range 2 {
		err = c.Ready(t.Context())
		require.ErrorContains(t, err, "the identity is disabled")
	}
}

func TestDS389TellsRefusalsApart(t *testing.T) {
	s := &server{name: "ldaps://ldap.example.org"}
	for code, want := range map[uint16]protocol.Reply{
		ldap.LDAPResultInvalidCredentials:  protocol.Refused,
		ldap.LDAPResultConstraintViolation: protocol.Locked,
		ldap.LDAPResultReferral:            protocol.Unreachable,
	} {
		got, err := ds389{}.refusedLogin(s, ldap.NewError(code, fmt.Errorf("no control")))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, code := range []uint16{ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultOperationsError} {
		_, err := ds389{}.refusedLogin(s, ldap.NewError(code, fmt.Errorf("no control")))
		require.Error(t, err, "it says nothing of the value or the account")
	}
}

func TestDS389TakesNoOtherFormOfID(t *testing.T) {
	const id = "de162704-e9a711f1-98d9bd1c-7f543daf"
	require.True(t, ds389{}.idForm().MatchString(id))
	for _, other := range []string{"00000000-0000-0000-0000-000000000000", "*)(uid=svc0001", "", id + "0"} {
		require.False(t, ds389{}.idForm().MatchString(other))
	}
	require.Equal(t, "(nsUniqueId="+id+")", FilterByID(config.DS389, id))
}

func TestDS389RightsAreReadFromLetters(t *testing.T) {
	for rights, want := range map[string]bool{
		"userPassword:wo": true, "cn:rsc, userPassword:rscwo": true, "USERPASSWORD:w": true,
		"userPassword:none": false, "userPassword:rsc": false, "cn:rscwo": false, "": false,
	} {
		require.Equal(t, want, mayWrite([]string{rights}, "userPassword"), rights)
	}
}
