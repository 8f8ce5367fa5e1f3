package directory

import (
	"errors"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func TestAServerThatTakesNoChangesIsToldBeforeAnythingIsSet(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	first := startSlapd(t, lab.SlapdOptions{CA: ca, Provider: true, Accounts: lab.SeedAccounts("user", 1)})
	entries := func(s *lab.Slapd) int {
		conn, err := s.AdminConn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		res, err := conn.Search(ldap.NewSearchRequest(s.BaseDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
		require.NoError(t, err)
		return len(res.Entries)
	}
	before := entries(first)
	for name, row := range map[string]struct {
		options  lab.SlapdOptions
		provider bool
		standing Standing // without its detail
		what     string
		words    string
		stops    bool
	}{
		"a provider":                   {provider: true, what: takesChanges},
		"the second of two providers":  {options: lab.SlapdOptions{Provider: true}, what: takesChanges},
		"a replica":                    {what: provider, standing: Standing{Replica: true}, words: "shadow context", stops: true},
		"a replica that feeds nobody":  {options: lab.SlapdOptions{Leaf: true}, what: provider, standing: Standing{Replica: true}, stops: true},
		"a replica that refers":        {options: lab.SlapdOptions{RefersTo: first}, what: provider, standing: Standing{Replica: true}, words: "refers whoever", stops: true},
		"a replica that hands them on": {options: lab.SlapdOptions{RefersTo: first, Chains: true}, what: noteReplication, standing: Standing{Forwards: true}, words: "hands changes on to its provider"},
		"a read-only database":         {options: lab.SlapdOptions{ReadOnly: true}, what: takesChanges, standing: Standing{ReadOnly: true}, words: "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			s := first
			if !row.provider {
				row.options.CA, row.options.ReplicaOf = ca, first
				s = startSlapd(t, row.options)
			}
			c := open(t, configOf(s), s.BinderPassword)
			at, standing, err := c.Writes(t.Context())
			require.NoError(t, err)
			require.Equal(t, s.LDAPS(), at)
			require.Contains(t, standing.Detail, row.words)
			standing.Detail = ""
			require.Equal(t, row.standing, standing)
			checks := byWhat(c.Check(t.Context()))
			seen := checks[row.what]
			if row.standing.Forwards {
				require.Contains(t, seen.Detail, "name the provider as the first of servers")
			}
			require.Equal(t, !row.standing.Refuses(), seen.OK)
			require.Equal(t, row.stops, seen.Stops)
			if row.standing.Refuses() {
				require.Contains(t, seen.Do, "as the first of servers")
			}

			d := configOf(s) // behind the provider it is in order
			d.Servers = []string{first.LDAPS(), s.LDAPS()}
			for _, k := range open(t, d, s.BinderPassword).Check(t.Context()) {
				require.False(t, k.Stops, "%+v", k)
			}
		})
	}
	require.Equal(t, before, entries(first), "asking changes nothing")
}

func TestWhatAServerSaysToAChangeIsReadByItsWords(t *testing.T) {
	refused := func(code uint16, text string) error { return ldap.NewError(code, errors.New(text)) }
	for _, row := range []struct {
		err  error
		want Standing
	}{
		{nil, Standing{}},
		{refused(ldap.LDAPResultNoSuchObject, ""), Standing{}},
		{refused(ldap.LDAPResultInsufficientAccessRights, "Operations are restricted to bind/unbind/abandon/StartTLS/modify password"), Standing{}},
		{refused(ldap.LDAPResultUnwillingToPerform, "Old Password must be supplied"), Standing{}},
		{refused(ldap.LDAPResultUnwillingToPerform, ""), Standing{}},
		{refused(ldap.LDAPResultReferral, ""), Standing{Replica: true}},
		{refused(ldap.LDAPResultUnwillingToPerform, "shadow context; no update referral"), Standing{Replica: true}},
		{refused(ldap.LDAPResultUnwillingToPerform, "operation restricted"), Standing{ReadOnly: true}},
		{refused(ldap.LDAPResultUnwillingToPerform, "database is read-only"), Standing{ReadOnly: true}},
		{refused(ldap.LDAPResultUnwillingToPerform, "Server is read-only"), Standing{ReadOnly: true}},
	} {
		got := standingOf(row.err)
		got.Detail = ""
		require.Equal(t, row.want, got, "%v", row.err)
		for driver, f := range drivers {
			c := &Client{conf: config.Directory{Driver: driver}, driver: f}
			stop := (&server{client: c, name: "ldaps://one"}).takesNone(row.err)
			require.Equal(t, row.want.Refuses(), stop != nil, driver)
		}
	}
}

// slapd keeps what a modify writes as it is, for whoever reads userPassword,
// unless it is told to hash it. Hashed afterwards the value would be in force,
// and known to whoever listened; so another one takes its place.
func TestAReplacedPasswordThatWasReadableDoesNotStayInForce(t *testing.T) {
	t.Parallel()
	s := startSlapd(t, lab.SlapdOptions{KeepsClear: true, Accounts: lab.SeedAccounts("svc", 2)})
	d := configOf(s)
	d.Set = "replace"
	c := open(t, d, s.BinderPassword)
	dn, spent, next := s.AccountDN("svc0001"), credential.NewSecret("a-new-value-of-some-length"), credential.NewSecret("another-value-of-some-length")
	require.ErrorAs(t, c.ResetPassword(t.Context(), dn, spent, credential.Secret{}), &Spent{})
	require.True(t, c.StoredAsSent(t.Context(), dn))
	require.NoError(t, c.ResetPassword(t.Context(), dn, next, credential.Secret{}))
	require.False(t, c.StoredAsSent(t.Context(), dn))
	for value, want := range map[string]protocol.Reply{spent.Reveal(): protocol.Refused, next.Reveal(): protocol.Accepted} {
		answer, err := c.Offer(t.Context(), s.LDAPS(), dn, credential.NewSecret(value))
		require.NoError(t, err)
		require.Equal(t, want, answer)
	}
	require.NoError(t, c.ResetPassword(t.Context(), s.AccountDN("svc0002"), spent, credential.Secret{}))
	require.False(t, c.StoredAsSent(t.Context(), s.AccountDN("svc0002")), "by then it is set so that the server hashes it")
}
