package ldapacl

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	people = "ou=people,dc=x"
	alice  = "uid=alice," + people
	admin  = "cn=admin,ou=services,dc=x"
	group  = "cn=helpdesk,ou=groups,dc=x"
)

func TestWhoMayWriteAPasswordByOlcAccess(t *testing.T) {
	for _, row := range []struct {
		name  string
		rules []string
		may   bool
	}{
		{"by name", []string{`{0}to attrs=userPassword by dn.exact="` + admin + `" write by * none`}, true},
		{"manage, several attributes", []string{`{0}to attrs=shadowLastChange,userPassword by dn="` + admin + `" manage`}, true},
		{"of a subtree", []string{`to dn.subtree="` + people + `" attrs=userPassword by dn.subtree="ou=services,dc=x" =xw`}, true},
		{"children", []string{`to dn.children="` + people + `" by dn.children="ou=services,dc=x" write`}, true},
		{"one level", []string{`to dn.one="dc=x" by dn.base="` + admin + `" write`}, false},
		{"of everything", []string{`to * by dn.base="` + admin + `" write by users read`}, true},
		{"by group", []string{`to attrs=userPassword by group.exact="` + group + `" write by self write by anonymous auth`}, true},
		{"by group, with class and attribute", []string{`to attrs=userPassword by group/groupOfUniqueNames/uniqueMember="` + group + `" write`}, true},
		{"by regex", []string{`to attrs=userPassword by dn.regex="^cn=[^,]+,ou=services,dc=x$" write`}, true},
		{"any user", []string{`to attrs=userPassword by users write`}, true},
		{"another by before it", []string{`to attrs=userPassword by dn.exact="` + admin + `" none by users write`}, false},
		{"and goes on", []string{`to attrs=userPassword by dn.exact="` + admin + `" auth continue by users write`}, true},
		{"a condition more", []string{`to attrs=userPassword by dn.exact="` + admin + `" peername.ip="10.0.0.1" none by users write`}, true},
		{"reads alone", []string{`to attrs=userPassword by dn.exact="` + admin + `" read by self write`}, false},
		{"adds a value", []string{`to attrs=userPassword by dn.exact="` + admin + `" +a`}, true},
		{"self", []string{`to attrs=userPassword by self write by anonymous auth by * none`}, false},
		{"another attribute", []string{`to attrs=mail by dn.exact="` + admin + `" write`, `to * by * read`}, false},
		{"another branch", []string{`to dn.subtree="ou=other,dc=x" attrs=userPassword by users write`, `to * by * read`}, false},
		{"the first one that applies", []string{`to attrs=userPassword by * none`, `to * by dn.exact="` + admin + `" write`}, false},
		{"a filter may not", []string{`to filter=(objectClass=x) by * none`, `to * by dn.exact="` + admin + `" write`}, true},
		{"another DN, written otherwise", []string{`to attrs=userPassword by dn.exact="CN=Admin, OU=Services,DC=x" write`}, true},
	} {
		rules := OpenLDAP(row.rules)
		require.Equal(t, row.may, May(rules, alice, admin, func(g string) bool { return g == group }), row.name)
		if row.name != "any user" && row.name != "another by before it" && row.name != "and goes on" && row.name != "a condition more" {
			require.False(t, May(rules, alice, "uid=bob,ou=others,dc=x", func(string) bool { return false }), row.name)
		}
	}
	require.Equal(t, []string{group}, Groups(OpenLDAP([]string{`to * by group="` + group + `" write by group="cn=readers,dc=x" read`})))
}

func TestWhoMayWriteAPasswordByACI(t *testing.T) {
	aci := func(attrs, rule string) string { return attrs + `(version 3.0; acl "x"; ` + rule + `;)` }
	const password = `(targetattr="userPassword")`
	for _, row := range []struct {
		name, at, text string
		may            bool
	}{
		{"by name", people, aci(password, `allow (write) userdn="ldap:///`+admin+`"`), true},
		{"all rights, several attributes", people, aci(`(targetattr = "cn || userpassword")`, `allow(all) userdn = "ldap:///`+admin+`"`), true},
		{"every attribute", "dc=x", aci(`(targetattr="*")`, `allow (read, write) (userdn="ldap:///uid=z,dc=x" or userdn="ldap:///`+admin+`")`), true},
		{"all attributes but others", "dc=x", aci(`(targetattr!="mail")`, `allow (write) userdn="ldap:///`+admin+`"`), true},
		{"all attributes but it", "dc=x", aci(`(targetattr!="userPassword||aci")`, `allow (write) userdn="ldap:///`+admin+`"`), false},
		{"several users", people, aci(password, `allow (write) userdn="ldap:///uid=z,dc=x || ldap:///`+admin+`"`), true},
		{"by a pattern", people, aci(password, `allow (write) userdn="ldap:///cn=*,ou=services,dc=x"`), true},
		{"by group", people, aci(password, `allow (write) groupdn="ldap:///`+group+`"`), true},
		{"anybody", people, aci(password, `allow (write) userdn="ldap:///all"`), true},
		{"by a role", people, aci(password, `allow (write) roledn="ldap:///cn=r,dc=x"`), false},
		{"self", people, aci(password, `allow (write) userdn="ldap:///self"`), false},
		{"reads", people, aci(password, `allow (read, search, compare) userdn="ldap:///`+admin+`"`), false},
		{"denied", people, aci(password, `deny (write) userdn="ldap:///`+admin+`"`), false},
		{"of another branch", "ou=other,dc=x", aci(password, `allow (write) userdn="ldap:///`+admin+`"`), false},
		{"with a target", "dc=x", aci(`(target="ldap:///`+people+`")`+password, `allow (write) userdn="ldap:///`+admin+`"`), true},
		{"with another target", "dc=x", aci(`(target="ldap:///ou=other,dc=x")`+password, `allow (write) userdn="ldap:///`+admin+`"`), false},
		{"with a pattern for a target", "dc=x", aci(`(target="ldap:///uid=*,ou=people,dc=x")`+password, `allow (write) userdn="ldap:///`+admin+`"`), true},
		{"about entries", "dc=x", `(version 3.0; acl "x"; allow (add, write) userdn="ldap:///` + admin + `";)`, false},
	} {
		a, writes := ACIOf(row.at, row.text)
		may := false
		for _, w := range a.Who {
			may = may || a.Applies(alice) && w.May(admin, func(g string) bool { return g == group })
		}
		require.Equal(t, row.may, writes && may, row.name)
	}
}

// What is not worked out is told, and no name that is stands for it.
func TestByWhatElseAnACILetsSomebodyIsTold(t *testing.T) {
	for rule, want := range map[string][]string{
		`allow (write) roledn="ldap:///cn=r,dc=x"`:                                    {"roledn"},
		`allow (write) userattr="manager#USERDN"`:                                     {"userattr"},
		`allow (write) userdn="ldap:///dc=x??sub?(ou=ops)"`:                           {"userdn with a filter or parent"},
		`allow (write) userdn!="ldap:///` + alice + `"`:                               {"userdn !="},
		`allow (write) userdn="ldap:///` + admin + `" and roledn="ldap:///cn=r,dc=x"`: nil,
		`allow (write) userdn="ldap:///self"`:                                         nil,
		`allow (read) roledn="ldap:///cn=r,dc=x"`:                                     nil,
	} {
		a, writes := ACIOf(people, `(targetattr="userPassword")(version 3.0; acl "x"; `+rule+`;)`)
		require.Equal(t, want, a.Other, rule)
		require.Equal(t, len(a.Who)+len(want) > 0, writes, rule)
	}
}
