package directory

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory/adacl"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func startSamba(t *testing.T) *lab.Samba {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSamba(ctx, lab.SambaOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 5), Pair: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

func domainOf(s *lab.Samba) config.Directory {
	return config.Directory{
		Driver: config.ActiveDirectory, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA, Timeout: patience,
		Bind: config.Bind{DN: s.BinderDN, Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
	}
}

// One domain for all: making it takes longer than the tests.
func TestActiveDirectory(t *testing.T) {
	s := startSamba(t)
	t.Run("more entries than fit on a page are all found", func(t *testing.T) { foundInPages(t, s) })
	t.Run("an entry is found by its objectGUID", func(t *testing.T) { foundByGUID(t, s) })
	t.Run("values that come in parts are put together", func(t *testing.T) { ranges(t, s) })
	t.Run("references to other partitions are not followed", func(t *testing.T) { noReferences(t, s) })
	t.Run("a base that is elsewhere is said to be", func(t *testing.T) { baseElsewhere(t, s) })
	t.Run("check finds a domain controller in order", func(t *testing.T) { checkInOrder(t, s) })
	t.Run("each of a pair is reset by the other alone", func(t *testing.T) { pairResets(t, s) })
	t.Run("check looks at what each of a pair may do to the other", func(t *testing.T) { checkPairOf(t, s) })
	t.Run("check says what is wrong and what to do", func(t *testing.T) { checkWrong(t, s) })
	t.Run("the rights on each account are looked at", func(t *testing.T) { accountsAreLookedAt(t, s) })
	t.Run("new values that the domain would refuse are told", func(t *testing.T) { newValuesThatTheDomainRefuses(t, s) })
	t.Run("fine-grained policies count, and are hidden from most", func(t *testing.T) { fineGrained(t, s) })
	t.Run("domain controllers are found", func(t *testing.T) { controllersAreFound(t, s) })
}

func foundInPages(t *testing.T, s *lab.Samba) {
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	const n = pageSize + 20
	for i := range n {
		req := ldap.NewAddRequest(fmt.Sprintf("CN=contact%04d,%s", i, s.ServicesDN()), nil)
		req.Attribute("objectClass", []string{"contact"})
		require.NoError(t, admin.Add(req))
	}
	found := map[string]bool{}
	c := open(t, domainOf(s), s.BinderPassword)
	require.NoError(t, c.Search(t.Context(), s.LDAPS(), "", "(objectClass=contact)", []string{"cn"}, func(e Entry) error {
		require.Regexp(t, uuidForm, e.ID)
		found[e.ID+e.First("cn")] = true
		return nil
	}))
	require.Len(t, found, n)
}

func foundByGUID(t *testing.T, s *lab.Samba) {
	c := open(t, domainOf(s), s.BinderPassword)
	seen := 0
	require.NoError(t, c.Search(t.Context(), s.LDAPS(), s.ServicesDN(), "(objectClass=user)", nil, func(want Entry) error {
		seen++
		// Another client, because the connection of a search is held.
		got, found, err := open(t, domainOf(s), s.BinderPassword).ByID(t.Context(), s.LDAPS(), strings.ToUpper(want.ID), "")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, want.DN, got.DN)
		require.Equal(t, want.ID, got.ID)
		require.NotEmpty(t, got.First("pwdLastSet"))
		return nil
	}))
	require.Equal(t, 5, seen)
	_, found, err := c.ByID(t.Context(), s.LDAPS(), "00000000-0000-0000-0000-000000000000", "")
	require.NoError(t, err)
	require.False(t, found)
	_, _, err = c.ByID(t.Context(), s.LDAPS(), "svc0001)(objectClass=*", "")
	require.ErrorContains(t, err, "objectGUID")
}

func TestGUIDsHaveTheFormThatPeopleKnow(t *testing.T) {
	// The rootDSE's GUID for CN=Users ([MS-ADTS] 6.1.1.4), as Microsoft prints
	// it, and as it is stored.
	const text = "a9d1ca15-7688-11d1-aded-00c04fd8d5cd"
	raw := []byte("\x15\xca\xd1\xa9\x88\x76\xd1\x11\xad\xed\x00\xc0\x4f\xd8\xd5\xcd")
	require.Equal(t, text, guidText(raw))
	back, err := adacl.GUID(text)
	require.NoError(t, err)
	require.Equal(t, raw, back)
	require.Equal(t, `(objectGUID=\15\ca\d1\a9\88\76\d1\11\ad\ed\00\c0\4f\d8\d5\cd)`, FilterByID(config.ActiveDirectory, text))
	require.Empty(t, guidText(raw[:15]))
}

func ranges(t *testing.T, s *lab.Samba) {
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	group := "CN=esg-01," + s.ServicesDN()
	req := ldap.NewAddRequest(group, nil)
	req.Attribute("objectClass", []string{"group"})
	var members []string
	for i := range 5 {
		members = append(members, s.AccountDN(fmt.Sprintf("svc%04d", i+1)))
	}
	req.Attribute("member", members)
	require.NoError(t, admin.Add(req))

	c := open(t, domainOf(s), s.BinderPassword)
	require.NoError(t, c.servers[0].admin(t.Context(), "", (*pool).use, func(cn *conn) error {
		// As a server answers that shows two values at most.
		first, err := cn.read(t.Context(), group, ldap.ScopeBaseObject, "(objectClass=*)", "member;range=0-1")
		require.NoError(t, err)
		require.Equal(t, "member;range=0-1", first[0].Attributes[0].Name)
		require.NoError(t, cn.complete(t.Context(), first[0]))
		require.ElementsMatch(t, members, first[0].GetAttributeValues("member"))
		return nil
	}))
	var in []string
	require.NoError(t, c.Search(t.Context(), s.LDAPS(), "", "(memberOf:1.2.840.113556.1.4.1941:="+group+")", nil, func(e Entry) error {
		in = append(in, e.DN)
		return nil
	}))
	require.ElementsMatch(t, members, in, "accounts are found by group")
}

func noReferences(t *testing.T, s *lab.Samba) {
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	req := ldap.NewSearchRequest(s.BaseDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(cn=nobody)", nil, nil)
	plain, err := admin.Search(req)
	require.NoError(t, err)
	require.NotEmpty(t, plain.Referrals, "the server has some to give")
	req.Controls = activeDirectory{}.searchControls()
	ours, err := admin.Search(req)
	require.NoError(t, err)
	require.Empty(t, ours.Referrals)
}

func baseElsewhere(t *testing.T, s *lab.Samba) {
	c := open(t, domainOf(s), s.BinderPassword)
	err := c.Search(t.Context(), s.LDAPS(), "DC=other,DC=example,DC=net", "(cn=x)", nil, nil)
	require.ErrorContains(t, err, "DC=other,DC=example,DC=net")
	require.ErrorContains(t, err, s.LDAPS())
	d := domainOf(s)
	d.Base = "DC=other,DC=example,DC=net"
	require.Error(t, open(t, d, s.BinderPassword).Ready(t.Context()))
}

func checkInOrder(t *testing.T, s *lab.Samba) {
	got := byWhat(open(t, domainOf(s), s.BinderPassword).Check(t.Context()))
	for _, what := range []string{"connect", "certificate", "bind", "base", "domain", "clock", "rights", "protected", "unexpire", "servers"} {
		require.Contains(t, got, what)
		require.True(t, got[what].OK, "%+v", got[what])
		require.Empty(t, got[what].Do)
	}
	require.Contains(t, got["protected"].Detail, "may reset 0 of", "delegation does not reach the Administrator")
}

func pairResets(t *testing.T, s *lab.Samba) {
	p := openPair(t, domainOf(s), s.PartnerDN, s.BinderPassword, s.PartnerPassword)
	new := credential.NewSecret("First-of-the-new-1")
	for range 2 {
		require.NoError(t, p.ResetPassword(t.Context(), s.BinderDN, new, credential.Secret{}))
	}
	for value, want := range map[string]protocol.Reply{s.BinderPassword: protocol.Refused, new.Reveal(): protocol.Accepted} {
		answer, err := p.Bind(t.Context(), s.LDAPS(), s.BinderDN, credential.NewSecret(value))
		require.NoError(t, err)
		require.Equal(t, want, answer)
	}
	var stop *protocol.Stop
	require.ErrorAs(t, p.ResetPassword(t.Context(), s.PartnerDN, credential.NewSecret("Never-set-1"), credential.Secret{}), &stop,
		"Vault still holds the old value of the first")
	require.Equal(t, protocol.ReasonRights, stop.Reason)
	require.NoError(t, p.Ready(t.Context()), "the second does the work meanwhile")
	p.put(0, new.Reveal())
	require.NoError(t, p.ResetPassword(t.Context(), s.PartnerDN, credential.NewSecret("Second-of-the-new-1"), credential.Secret{}))
	p.put(1, "Second-of-the-new-1")
	// Back, for the tests that share this domain.
	for _, own := range []struct {
		n            int
		dn, password string
	}{{0, s.BinderDN, s.BinderPassword}, {1, s.PartnerDN, s.PartnerPassword}} {
		require.NoError(t, p.ResetPassword(t.Context(), own.dn, credential.NewSecret(own.password), credential.Secret{}))
		p.put(own.n, own.password)
	}
}

func checkPairOf(t *testing.T, s *lab.Samba) {
	look := func(d config.Directory, partner, password string) (oks []bool, words string) {
		for _, c := range openPair(t, d, partner, s.BinderPassword, password).Check(t.Context()) {
			if c.What == "pair" {
				oks, words = append(oks, c.OK), words+c.Detail+" "+c.Do+"\n"
			}
		}
		return oks, words
	}
	oks, words := look(domainOf(s), s.PartnerDN, s.PartnerPassword)
	require.Equal(t, []bool{true, true, true, true}, oks, words)
	oks, words = look(domainOf(s), s.ReaderDN, s.ReaderPassword)
	require.Equal(t, []bool{false, true, false, true}, oks, words)
	require.Contains(t, words, "the right Reset Password on "+s.ReaderDN+": no grant it: dsacls")
	d := domainOf(s)
	d.Base = s.ServicesDN()
	oks, words = look(d, s.PartnerDN, s.PartnerPassword)
	require.Len(t, oks, 6, words)
	require.Contains(t, words, "lies outside base")
}

func checkWrong(t *testing.T, s *lab.Samba) {
	const denyUnexpire = "(OD;;CR;" + adacl.UnexpirePassword + ";;%s)"
	require.NoError(t, s.AddACE(t.Context(), s.BaseDN(), s.ReaderDN, denyUnexpire))
	for name, row := range map[string]struct {
		change   func(*config.Directory)
		password string
		what     string
		words    []string
	}{
		"an identity that may not reset":     {func(d *config.Directory) { d.Bind.DN = s.ReaderDN }, s.ReaderPassword, "rights", []string{"0 of", "dsacls"}},
		"an identity whose resets expire":    {func(d *config.Directory) { d.Bind.DN = s.ReaderDN }, s.ReaderPassword, "unexpire", []string{"no", "Unexpire Password"}},
		"a base that is not there":           {func(d *config.Directory) { d.Base = "OU=Nowhere," + s.BaseDN() }, s.BinderPassword, "base", []string{"correct base"}},
		"a base of another domain":           {func(d *config.Directory) { d.Base = "DC=other,DC=example,DC=net" }, s.BinderPassword, "domain", []string{"is not in", s.BaseDN()}},
		"a wrong bind password":              {func(*config.Directory) {}, "wrong", "bind", []string{"is refused", "kv/rollcall/bind#password"}},
		"a slapd's driver on a Samba domain": {func(d *config.Directory) { d.Driver = config.OpenLDAP }, s.BinderPassword, "policy", []string{"ppolicy"}},
		"a StartTLS that the port has not":   {func(d *config.Directory) { d.Servers = []string{strings.Replace(s.LDAP(), "ldap://", "ldaps://", 1)} }, s.BinderPassword, "connect", []string{"ca_file"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := domainOf(s)
			row.change(&d)
			got := byWhat(open(t, d, row.password).Check(t.Context()))
			require.Contains(t, got, row.what)
			require.False(t, got[row.what].OK, "%+v", got)
			for _, w := range row.words {
				require.Contains(t, got[row.what].Detail+" "+got[row.what].Do, w)
			}
		})
	}
}

func TestRefusedLoginsThatProveNothingAreErrors(t *testing.T) {
	s := &server{name: "ldaps://dc1.ad.example.org"}
	for _, text := range []string{"", "Invalid Credentials", "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 568, v4563"} {
		_, err := activeDirectory{}.refusedLogin(s, ldap.NewError(ldap.LDAPResultInvalidCredentials, fmt.Errorf("%s", text)))
		require.ErrorContains(t, err, s.name)
	}
	_, err := activeDirectory{}.refusedLogin(s, ldap.NewError(ldap.LDAPResultInvalidCredentials, nil))
	require.Error(t, err)
}
