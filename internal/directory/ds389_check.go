package directory

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/plural"
)

// effectiveRights is the Get Effective Rights control, with the value
// "dn:<DN>". It answers in the attribute attributeLevelRights with letters for
// each attribute, w for write (Red Hat Directory Server, Administration Guide:
// Get Effective Rights Control). Everybody may ask for his own rights (tried).
const effectiveRights = "1.3.6.1.4.1.42.2.27.9.5.2"

// ds389Vendor begins the vendorVersion (RFC 3045) in the root entry.
const ds389Vendor = "389-Directory/"

func (ds389) check(ctx context.Context, c *conn, write bool, add addCheck) {
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "vendorVersion")
	version := ""
	if len(root) == 1 {
		version = root[0].GetAttributeValue("vendorVersion")
	}
	add("server", strings.HasPrefix(version, ds389Vendor), found(root, err, fmt.Sprintf("the server calls itself %q", version)),
		"correct driver: this is no 389 Directory Server")
	if write {
		c.checkWrites(ctx, add)
		c.checkWrite(ctx, add)
		c.noteConfig(ctx, add)
		c.noteHidden(ctx, add)
		c.checkStored(ctx, "cn=config", "passwordStorageScheme", "", add)
		c.checkShown(ctx, fmt.Sprintf(`grant it: aci: (targetattr="userPassword")(version 3.0; acl "Rollcall reads how it is kept"; allow (read, search) userdn="ldap:///%s";)`, c.bound), add)
		c.noteRules(ctx, c.server.client.conf.Base, ldap.ScopeWholeSubtree, "aci", add)
	}
	c.checkPolicy(ctx, write, add)
	c.checkReplicators(ctx, add)
	c.checkLogs(ctx, add)
	there, _ := c.serverTime(ctx)
	addClock(there, "cn=monitor", add)
}

func (ds389) started() (string, string) { return "cn=monitor", "starttime" }

// checkWrite asks for the rights on some entries below the base that could have
// a password: access rules commonly hold for a whole branch. Whether bind.dn is
// a password administrator stands in cn=config, which it cannot see.
func (c *conn) checkWrite(ctx context.Context, add addCheck) {
	conf := c.server.client.conf
	entries, err := c.rights(ctx, conf.Base, ldap.ScopeWholeSubtree, "(|(objectClass=person)(objectClass=account)(objectClass=simpleSecurityObject))")
	if err != nil {
		add("rights", false, found(nil, err, ""), "let bind.dn read below the base, and the server answer the Get Effective Rights control")
		return
	}
	granted := 0
	for _, e := range entries {
		if mayWrite(e.GetEqualFoldAttributeValues("attributeLevelRights"), "userPassword") {
			granted++
		}
	}
	add("rights", granted > 0, fmt.Sprintf("bind.dn may write userPassword of %d of %s below base (whether it is a password administrator does not show)", granted, plural.Count(len(entries), "account", "accounts")),
		"grant it on the branch with the accounts: "+writeRule(c.bound))
}

// checkPolicy looks for what of the server's policy would keep credentials
// open, where the identity may read it.
//
// A supplier replicates that a login failed. A server whose
// passwordIsGlobalPolicy is off answers 53 to that, and the supplier breaks off
// and sends it again, with ever longer waits (tried; ns-slapd's error log names
// the setting). An agreement that leaves these attributes out is the other way;
// no consumer shows it.
func (c *conn) checkPolicy(ctx context.Context, write bool, add addCheck) {
	e, err := c.read(ctx, "cn=config", ldap.ScopeBaseObject, "(objectClass=*)",
		"passwordMustChange", "nsslapd-pwpolicy-local", "passwordLockout", "passwordIsGlobalPolicy")
	if err != nil || len(e) != 1 || e[0].GetEqualFoldAttributeValue("passwordLockout") == "" {
		add("policy", true, "the server's password policy (cn=config) is not shown to bind.dn, so nothing of it was looked at", notChecked)
		return
	}
	on := func(name string) bool { return strings.EqualFold(e[0].GetEqualFoldAttributeValue(name), "on") }
	switch {
	case write && on("passwordMustChange") && !on("nsslapd-pwpolicy-local"):
		add("policy", false, "every reset leaves an account that may do nothing until its password is changed (passwordMustChange: on)",
			"turn passwordMustChange off, or give the accounts a policy of their own without it (nsslapd-pwpolicy-local: on)")
	case !write && on("passwordLockout") && !on("passwordIsGlobalPolicy"):
		add("policy", false, "wrong passwords at the supplier hold up replication to this server (passwordLockout: on, passwordIsGlobalPolicy: off)",
			"set passwordIsGlobalPolicy: on in cn=config of this server, or have the agreement leave out passwordRetryCount, retryCountResetTime and accountUnlockTime")
	default:
		add("policy", true, "the server's password policy stands in nobody's way", "")
	}
}

// rights reads a few entries with the rights that the identity has on
// userPassword.
func (c *conn) rights(ctx context.Context, base string, scope int, filter string) ([]*ldap.Entry, error) {
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, sampled, 10, false, filter, []string{"userPassword"},
		[]ldap.Control{ldap.NewControlString(effectiveRights, true, "dn:"+c.bound)})
	var res *ldap.SearchResult
	err := c.do(ctx, "ask for rights", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if res != nil && (err == nil || resultCode(err) == ldap.LDAPResultSizeLimitExceeded) {
		return res.Entries, nil
	}
	return nil, err
}

// writeRule is the access control instruction that lets an identity reset
// passwords.
func writeRule(dn string) string {
	return fmt.Sprintf(`aci: (targetattr="userPassword")(version 3.0; acl "Rollcall"; allow (write) userdn="ldap:///%s";)`, dn)
}

func (ds389) mayReset(ctx context.Context, c *conn, dn string, add addCheck) {
	entries, err := c.rights(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)")
	ok := err == nil && len(entries) == 1 && mayWrite(entries[0].GetEqualFoldAttributeValues("attributeLevelRights"), "userPassword")
	add("pair", ok, fmt.Sprintf("%s may write userPassword of %s: %s", c.bound, dn, yesNo(ok)), "grant it on that entry: "+writeRule(c.bound))
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
