package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// effectiveRights is the Get Effective Rights control, with the value "dn:<DN>". It
// answers in the attribute attributeLevelRights with letters for each attribute, w for write
// (Red Hat Directory Server, Administration Guide: Get Effective Rights Control). Everybody
// may ask for his own rights (tried).
const effectiveRights = "1.3.6.1.4.1.42.2.27.9.5.2"

func (ds389) check(ctx context.Context, c *conn, write bool, add addCheck) {
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "vendorVersion")
	version := ""
	if len(root) == 1 {
		version = root[0].GetAttributeValue("vendorVersion")
	}
	add("server", strings.HasPrefix(version, "389-Directory/"), found(root, err, fmt.Sprintf("the server calls itself %q", version)),
		"correct driver: this is no 389 Directory Server")
	if write {
		c.checkWrite(ctx, add)
	}
	if there, err := c.serverTime(ctx); err == nil {
		skew := time.Since(there).Round(time.Second)
		add("clock", skew.Abs() <= clockSkew, fmt.Sprintf("the server's clock differs from ours by %s", skew.Abs()), "set both clocks by NTP")
	}
}

// checkWrite asks for the rights on some entries below the base that could have a
// password: access rules commonly hold for a whole branch. Whether bind.dn is a
// password administrator stands in cn=config, which it cannot see.
func (c *conn) checkWrite(ctx context.Context, add addCheck) {
	conf := c.server.client.conf
	req := ldap.NewSearchRequest(conf.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, sampled, 10, false,
		"(|(objectClass=person)(objectClass=account)(objectClass=simpleSecurityObject))", []string{"userPassword"},
		[]ldap.Control{ldap.NewControlString(effectiveRights, true, "dn:"+conf.Bind.DN)})
	var res *ldap.SearchResult
	err := c.do(ctx, "ask for rights", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if err != nil && resultCode(err) != ldap.LDAPResultSizeLimitExceeded || res == nil {
		add("rights", false, found(nil, err, ""), "let bind.dn read below the base, and the server answer the Get Effective Rights control")
		return
	}
	granted := 0
	for _, e := range res.Entries {
		if mayWrite(e.GetEqualFoldAttributeValues("attributeLevelRights"), "userPassword") {
			granted++
		}
	}
	add("rights", granted > 0, fmt.Sprintf("bind.dn may write userPassword of %d of %d accounts below base (whether it is a password administrator does not show)", granted, len(res.Entries)),
		fmt.Sprintf(`grant it on the branch with the accounts: aci: (targetattr="userPassword")(version 3.0; acl "Rollcall"; allow (write) userdn="ldap:///%s";)`, conf.Bind.DN))
}

// mayWrite finds "userPassword:rscwo" among "cn:rsc, userPassword:wo".
func mayWrite(rights []string, attribute string) bool {
	for _, line := range rights {
		for _, one := range strings.Split(line, ",") {
			name, letters, _ := strings.Cut(strings.TrimSpace(one), ":")
			if strings.EqualFold(name, attribute) && letters != "none" && strings.Contains(letters, "w") {
				return true
			}
		}
	}
	return false
}
