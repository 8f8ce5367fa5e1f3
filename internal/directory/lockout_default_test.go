package directory

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/lab"
)

// addPolicy makes a policy that locks after so many wrong logins.
func addPolicy(t *testing.T, s *lab.Slapd, dn, most string) {
	t.Helper()
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	add := ldap.NewAddRequest(dn, nil)
	for name, value := range map[string]string{"pwdAttribute": "userPassword", "pwdLockout": "TRUE", "pwdMaxFailure": most} {
		add.Attribute(name, []string{value})
	}
	add.Attribute("objectClass", []string{"device", "pwdPolicy"})
	require.NoError(t, admin.Add(add))
}

// Whoever may add an entry below base adds a policy that locks at the first
// wrong login. It holds for nobody.
func TestAPolicyThatHoldsForNoAccountKeepsNoneFromBeingAsked(t *testing.T) {
	t.Parallel()
	const planted, standard = "cn=planted,ou=people,dc=example,dc=org", "cn=default,ou=policies,dc=example,dc=org"
	accounts := lab.SeedAccounts("svc", 3)
	accounts[1].Attrs = map[string][]string{"pwdPolicySubentry": {planted}}
	accounts[2].Attrs = map[string][]string{"pwdPolicySubentry": {"cn=gone,ou=policies,dc=example,dc=org"}}
	for name, row := range map[string]struct {
		shows, showsNothing bool // cn=config; which policy an account has
		word                string
		first               Locks
		note                string
		wrong               bool
	}{
		"the default is shown":                {shows: true, first: Locks{Most: 5}},
		"a person says which it is":           {word: standard, first: Locks{Most: 5}},
		"a person says that there is none":    {word: config.NoPolicy, first: Locks{}},
		"nobody says":                         {first: Locks{Most: 1, Guessed: true}, note: "which policy is the default is not shown, so " + planted + " counts for each account that names none"},
		"a person names what is not there":    {word: "cn=nobody,dc=example,dc=org", first: Locks{Most: 2, Hidden: true}, note: "is not shown to bind.dn: it is taken to lock at the 2nd", wrong: true},
		"cn=config says something else":       {shows: true, word: planted, first: Locks{Most: 5}, wrong: true},
		"whether an account names one is not": {shows: true, showsNothing: true, first: Locks{Most: 1, Guessed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}, ShowsConfig: row.shows, HidesPolicies: row.showsNothing, Accounts: accounts})
			addPolicy(t, s, planted, "1")
			conf := configOf(s)
			conf.DefaultPolicy = row.word
			c := open(t, conf, s.BinderPassword)
			require.Equal(t, row.first, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0001)")))
			checks := c.Check(t.Context())
			notes := strings.Join(lockNotes(checks), "\n")
			require.Contains(t, notes, row.note)
			require.Contains(t, notes, "the policy "+planted+", for each account that names it (pwdPolicySubentry), locks an account at the first wrong login")
			require.Equal(t, row.wrong, row.word != "" && !byWhat(checks)["default policy"].OK)
			if !row.showsNothing {
				require.Equal(t, Locks{Most: 1}, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0002)")), "its own")
				require.Equal(t, Locks{Most: 2, Hidden: true}, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0003)")), "its own, which cannot be read")
			}
		})
	}
}

// Whoever says what the default is does not say that no account has another.
func TestAPolicyThatIsNotShownIsNotForgottenWhereTheDefaultIsKnown(t *testing.T) {
	t.Parallel()
	const planted, standard = "cn=planted,ou=people,dc=example,dc=org", "cn=default,ou=policies,dc=example,dc=org"
	accounts := lab.SeedAccounts("svc", 2)
	accounts[0].Attrs = map[string][]string{"pwdPolicySubentry": {planted}}
	for name, row := range map[string]struct {
		shows, names bool // cn=config; whether bind.dn sees which policy an account names
		seals        bool // no policy is shown, and not one alone
		word         string
		want         Locks
	}{
		"the default is shown":             {shows: true, want: Locks{Most: 2, Hidden: true}},
		"a person says which it is":        {word: standard, want: Locks{Most: 2, Hidden: true}},
		"a person says that there is none": {word: config.NoPolicy, want: Locks{Most: 2, Hidden: true}},
		"he says so and none is shown":     {word: config.NoPolicy, seals: true, want: Locks{Most: 2, Hidden: true}},
		"what accounts name is shown":      {word: standard, names: true, want: Locks{Most: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}, ShowsConfig: row.shows, HidesPolicies: !row.names, HidesWhatPoliciesSay: !row.seals, SealsPolicies: row.seals, Accounts: accounts})
			addPolicy(t, s, planted, "1")
			conf := configOf(s)
			conf.DefaultPolicy = row.word
			c := open(t, conf, s.BinderPassword)
			of := "(uid=svc0001)"
			if row.names {
				of = "(uid=svc0002)"
			}
			require.Equal(t, row.want, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), of)))
		})
	}
}
