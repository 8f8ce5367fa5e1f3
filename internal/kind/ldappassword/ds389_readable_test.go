package ldappassword

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// RADIUS (CHAP), DIGEST-MD5 and the like want passwords as they are; an account
// of the roll may read them, or act for others (proxied authorization, RFC
// 4370), as webmail and mail gateways may.
func TestADirectoryThatKeepsPasswordsAsTheyAreIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld389(t, lab.DS389Policy{}, 3, false)
	a := w.open(t, w.conf())
	admin, err := w.supplier.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	c, _ := w.credential(t)
	reader, stolen := w.credential(t)
	webmail, _ := w.credential(t)
	kept := func(ok, notChecked bool, says string) {
		for _, k := range a.Dir.Check(t.Context()) {
			if k.What == "kept as" {
				require.Equal(t, [2]bool{ok, notChecked}, [2]bool{k.OK, k.NotChecked}, k.Detail)
				require.Contains(t, k.Detail, says)
				require.NotContains(t, k.Detail, stolen.Reveal())
				return
			}
		}
		require.Fail(t, "how new passwords are kept is not said")
	}
	change := func(dn string, f func(*ldap.ModifyRequest)) {
		m := ldap.NewModifyRequest(dn, nil)
		f(m)
		require.NoError(t, admin.Modify(m))
		require.NoError(t, w.supplier.AwaitIdle(t.Context()))
	}
	says := func(what, text string) {
		for _, k := range a.Dir.Check(t.Context()) {
			if k.What == what {
				require.True(t, k.NotChecked)
				require.Contains(t, k.Detail, text)
				return
			}
		}
		require.Fail(t, "it is not said: "+what)
	}
	kept(true, false, "passwords that bind.dn is shown are hashed")
	look := `(targetattr="userPassword")(version 3.0; acl "looks how it is kept"; allow (read, search) userdn="ldap:///` + w.supplier.BinderDN + `";)`
	change(w.supplier.PeopleDN(), func(m *ldap.ModifyRequest) {
		m.Delete("aci", []string{look})
		m.Add("aci", []string{strings.Replace(look, "read, search", "search", 1)})
	})
	says("kept how", `bind.dn may not read userPassword of 3 of the entries that were looked at (3)`)
	kept(true, true, "neither passwordStorageScheme (cn=config) nor a userPassword is shown to bind.dn, so how new passwords are kept is not known")
	reads := `(targetattr="userPassword || uid")(version 3.0; acl "radius"; allow (read, search, compare) userdn="ldap:///` + reader.Name + `";)`
	acts := `(target="ldap:///cn=nobody,` + w.supplier.BaseDN() + `")(version 3.0; acl "webmail acts for people"; allow (proxy) userdn="ldap:///` + webmail.Name + `";)`
	change("cn=config", func(m *ldap.ModifyRequest) { m.Replace("passwordStorageScheme", []string{"CLEAR"}) })
	change(w.supplier.BaseDN(), func(m *ldap.ModifyRequest) {
		m.Add("aci", []string{reads, acts,
			`(targetattr="aci || nsUniqueId || userPassword")(version 3.0; acl "rollcall sees rules"; allow (read, search, compare) userdn="ldap:///` + w.supplier.BinderDN + `";)`})
	})

	acc, err := a.Account(t.Context(), a.Servers()[0], c)
	require.NoError(t, err)
	fresh := credential.NewSecret("a-new-value-of-some-length-1")
	require.NoError(t, a.Set(t.Context(), acc, fresh, credential.Secret{}))
	_, findings, err := a.Retire(t.Context(), acc, fresh)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingStoredAsSent, findings[0].Code)
	conn, err := ldap.DialURL(w.supplier.LDAP())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Bind(reader.Name, stolen.Reveal()))
	got, err := conn.Search(ldap.NewSearchRequest(c.Name, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"userPassword"}, nil))
	require.NoError(t, err)
	require.Contains(t, got.Entries[0].GetAttributeValue("userPassword"), fresh.Reveal())
	kept(true, true, "some are kept as they were written, perhaps before it hashed")
	change("cn=config", func(m *ldap.ModifyRequest) {
		m.Add("aci", []string{`(targetattr="objectClass || passwordStorageScheme")(version 3.0; acl "rollcall sees the scheme"; allow (read, search, compare) userdn="ldap:///` + w.supplier.BinderDN + `";)`})
	})
	kept(false, false, "new passwords are kept as CLEAR (passwordStorageScheme in cn=config): as they are")
	change("cn=config", func(m *ldap.ModifyRequest) { m.Replace("passwordStorageScheme", []string{"PBKDF2-SHA512"}) })
	kept(true, false, "new passwords are kept as PBKDF2-SHA512")

	all := []string{c.Subject, reader.Subject, webmail.Subject}
	readers, err := a.Dir.Readers(t.Context(), all)
	require.NoError(t, err)
	require.ElementsMatch(t, all[1:], readers)
	resets, err := a.Dir.Resets(t.Context(), a.Servers()[0], all)
	require.NoError(t, err)
	require.Len(t, resets.Alike, 1)
	require.ElementsMatch(t, all, resets.Alike[0].Accounts)
	require.Equal(t, []string{webmail.Subject}, resets.Alike[0].By, "for whom it acts may set others'")

	still := func() map[string]bool {
		out, err := a.StillRead(t.Context(), []credential.Credential{reader, webmail}, []credential.Credential{c})
		require.NoError(t, err)
		return out
	}
	require.Equal(t, map[string]bool{reader.ID: true, webmail.ID: true}, still())
	change(w.supplier.BaseDN(), func(m *ldap.ModifyRequest) { m.Delete("aci", []string{reads}) })
	require.Equal(t, map[string]bool{reader.ID: false, webmail.ID: true}, still())
}
