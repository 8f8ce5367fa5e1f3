package directory

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// openLDAP is slapd with the ppolicy overlay.
type openLDAP struct{}

func (openLDAP) idAttribute() string { return "entryUUID" } // RFC 4530

func (openLDAP) identity(e *ldap.Entry) string { return e.GetEqualFoldAttributeValue("entryUUID") }

func (openLDAP) idFilter(id string) string { return "(entryUUID=" + id + ")" }

func (openLDAP) idForm() *regexp.Regexp { return uuidForm }

// stateAttributes are what ppolicy and the directory keep about an entry
// (slapo-ppolicy(5)).
func (openLDAP) stateAttributes() []string {
	return []string{"entryCSN", "modifiersName", "pwdChangedTime", "pwdAccountLockedTime", "pwdFailureTime", "pwdReset", "pwdStartTime", "pwdEndTime", "pwdPolicySubentry"}
}

// started is in back-monitor(5), which identities commonly may not read.
func (openLDAP) started() (string, string) { return "cn=Start,cn=Time,cn=Monitor", "monitorTimestamp" }

func (openLDAP) markAttributes() []string { return []string{"pwdChangedTime", "entryCSN"} }

func (openLDAP) keptAttributes() []string { return KeptAttributes }

func (openLDAP) bindControls() []ldap.Control   { return policyControls() }
func (openLDAP) searchControls() []ldap.Control { return nil }

func (openLDAP) beforeReset(context.Context, *conn, string) error { return nil }
func (openLDAP) landed(context.Context, *conn, string)            {}

func (openLDAP) refusedLogin(s *server, err error) (protocol.Reply, error) {
	if resultCode(err) != ldap.LDAPResultInvalidCredentials {
		return "", s.unknownRefusal(err)
	}
	switch policyErrorOf(err) {
	case ldap.BeheraAccountLocked:
		return protocol.Locked, nil
	case ldap.BeheraPasswordExpired:
		return protocol.Expired, nil
	}
	return protocol.Refused, nil
}

// withoutSelf tells the answer from pwdReset as the worker's identity sees it,
// and from "Who am I?" (RFC 4532): slapd answers that one even under pwdReset,
// so alone it would prove nothing.
func (openLDAP) withoutSelf(ctx context.Context, c *conn, dn, id string) (protocol.Reply, Entry, error) {
	e, found, err := c.server.client.one(ctx, c.server.name, dn, dn, ldap.ScopeBaseObject, "(objectClass=*)", c.server.client.selfAttributes())
	if err == nil {
		err = c.server.sameEntry(e, id)
	}
	if err != nil {
		return "", Entry{}, err
	}
	if found && e.First("pwdReset") == "TRUE" {
		return protocol.MustChange, Entry{}, nil
	}
	var who *ldap.WhoAmIResult
	err = c.do(ctx, "ask who am I", func(l *ldap.Conn) (err error) {
		who, err = l.WhoAmI(nil)
		return err
	})
	switch {
	case err != nil && !answered(err):
		return "", Entry{}, err
	case err != nil:
		return "", Entry{}, fmt.Errorf("after a successful bind at %s the account may neither read its entry nor ask who it is (%s), so whether the value works cannot be told; let accounts read their own entry", c.server.name, describe(err))
	case who.AuthzID == "":
		return "", Entry{}, fmt.Errorf("after a successful bind %s says that nobody is logged in", c.server.name)
	}
	return protocol.Accepted, e, nil
}

func (openLDAP) check(ctx context.Context, c *conn, write bool, add addCheck) {
	conf := c.server.client.conf
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "supportedControl", "vendorVersion")
	if len(root) == 1 && strings.HasPrefix(root[0].GetAttributeValue("vendorVersion"), ds389Vendor) { // slapd has none (RFC 3045)
		add("server", false, "this is a 389 Directory Server", "say driver: 389ds")
	}
	policy := len(root) == 1 && slices.Contains(root[0].GetAttributeValues("supportedControl"), ldap.ControlTypeBeheraPasswordPolicy)
	add("policy", policy, found(root, err, "password policy control: "+yesNo(policy)),
		"load the ppolicy overlay; without it the server cannot tell a locked account from a wrong password, nor when a password was changed")

	if write {
		// OpenLDAP shows nobody which rights he has. But manage and write
		// include search (slapd.access(5)), so a filter on userPassword matches
		// only if at least that much was granted. Manage cannot be told from
		// write.
		hit, err := c.read(ctx, conf.Base, ldap.ScopeWholeSubtree, "(userPassword=*)", "1.1")
		ok := len(hit) > 0 && (err == nil || resultCode(err) == ldap.LDAPResultSizeLimitExceeded)
		detail := "bind.dn reaches userPassword below the base (whether with manage or only write does not show)"
		if !ok {
			detail = "bind.dn sees no userPassword below the base"
		}
		add("rights", ok, detail, "grant bind.dn manage on userPassword below the base: to attrs=userPassword by dn.exact=\"<bind.dn>\" manage")
		c.checkStored(ctx, "olcDatabase={-1}frontend,cn=config", "olcPasswordHash", "{SSHA}", add)
		c.checkShown(ctx, "grant it manage there, which holds read", add)
	}

	c.checkReplication(ctx, write, add)
	c.checkReplicators(ctx, add)
	if write {
		c.checkWrites(ctx, add)
		c.checkDefault(ctx, add)
		c.notePolicies(ctx, add)
		c.noteHidden(ctx, add)
		c.noteRules(ctx, "cn=config", ldap.ScopeSingleLevel, "olcAccess", add)
	}

	// back-monitor(5); commonly readable by administrators only.
	there := time.Time{}
	if monitor, err := c.read(ctx, "cn=Current,cn=Time,cn=Monitor", ldap.ScopeBaseObject, "(objectClass=*)", "monitorTimestamp"); err == nil && len(monitor) == 1 {
		there, _ = time.Parse("20060102150405Z", monitor[0].GetAttributeValue("monitorTimestamp"))
	}
	addClock(there, "cn=Monitor", add)
}

func (openLDAP) mayReset(ctx context.Context, c *conn, dn string, add addCheck) {
	// As in check: manage and write include search, and do not show beyond
	// that.
	hit, err := c.read(ctx, dn, ldap.ScopeBaseObject, "(userPassword=*)", "1.1")
	ok := err == nil && len(hit) == 1
	detail := "reaches userPassword of"
	if !ok {
		detail = "sees no userPassword of"
	}
	add("pair", ok, fmt.Sprintf("%s %s %s (whether with manage or only write does not show)", c.bound, detail, dn),
		fmt.Sprintf("grant it manage: access to dn.exact=%q attrs=userPassword by dn.exact=%q manage by anonymous auth by * none", dn, c.bound))
}

// checkReplication tells of what can take a reset back between servers (2.5
// tried): whole entries are kept by their last touch, a counted login is one,
// and with lastbind every good one is. Rollcall sees that and sets again, so
// none of it is wrong.
func (c *conn) checkReplication(ctx context.Context, write bool, add addCheck) {
	if write {
		base, err := c.read(ctx, c.server.client.conf.Base, ldap.ScopeBaseObject, "(objectClass=*)", "contextCSN")
		if err == nil && len(base) == 1 && len(base[0].GetAttributeValues("contextCSN")) > 1 {
			add(noteReplication, true, fmt.Sprintf("%s made changes here (contextCSN): a login for an account at another provider, before its reset has come there, takes the reset back; Rollcall writes to this server alone, looks for that and sets again",
				plural.Count(len(base[0].GetAttributeValues("contextCSN")), "server has", "servers have")), "")
		}
	}
	noted, err := c.read(ctx, c.server.client.conf.Base, ldap.ScopeWholeSubtree, "(pwdLastSuccess=*)", "1.1")
	if len(noted) > 0 && (err == nil || resultCode(err) == ldap.LDAPResultSizeLimitExceeded) {
		add(noteReplication, true, "good logins are written into entries here (lastbind), so one with the stolen value, before the reset has come, makes this server keep it; Rollcall looks for that and sets again", "")
	}
}
