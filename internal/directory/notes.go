package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// What a server's policy means for a campaign. None of it is wrong.
const (
	noteLockout     = "lock-out"
	noteKept        = "kept connections"
	noteReplication = "replication"
	noteValues      = "new values"
	noteReset       = "after a reset"
)

// IsNote reports whether a check in order says what is worth knowing before a
// campaign.
func IsNote(what string) bool {
	return what == noteLockout || what == noteKept || what == noteReplication || what == noteValues || what == noteReset
}

const keptHow = "close the accounts' connections on every server before or right after the campaign (docs/rights.md); what was set after a proof is found at the campaign's end"

// notePolicies reads the policies of the suffix that base is in.
func (c *conn) notePolicies(ctx context.Context, add addCheck) {
	policies, safe, locking := 0, 0, map[int][]string{}
	var changed, slow []string
	err := c.server.client.Search(ctx, c.server.name, c.server.client.suffix(ctx, c.server.name), "(objectClass=pwdPolicy)", []string{"pwdLockout", "pwdMaxFailure", "pwdSafeModify", "pwdMustChange", "pwdMinDelay", "pwdMaxDelay"}, func(e Entry) error {
		policies++
		if e.First("pwdSafeModify") == "TRUE" {
			safe++
		}
		if e.First("pwdMustChange") == "TRUE" {
			changed = append(changed, e.DN)
		}
		if isSet(e.First("pwdMinDelay")) || isSet(e.First("pwdMaxDelay")) {
			slow = append(slow, e.DN)
		}
		if n, _ := strconv.Atoi(e.First("pwdMaxFailure")); e.First("pwdLockout") == "TRUE" {
			locking[n] = append(locking[n], e.DN)
		}
		return nil
	})
	if err != nil {
		return
	}
	c.noteDefault(ctx, locking, add)
	if len(changed) > 0 {
		// Where cn=config does not show which one is the default the only one
		// there is taken for it.
		spares := len(changed) < policies
		if standard, err := c.server.client.defaultPolicy(ctx, c.server.name); err == nil && standard != "" {
			spares = !slices.ContainsFunc(changed, func(dn string) bool { return SameDN(dn, standard) })
		}
		add(noteReset, spares, "a password that bind.dn has set lets its account do nothing until it is changed (pwdMustChange: TRUE) under "+strings.Join(changed, "; ")+
			": no new value of an account under it would work, and nothing more is set after the first; "+mendReset, mendReset)
	}
	if len(slow) > 0 {
		add(noteLockout, true, "answers to wrong logins are delayed (pwdMinDelay, pwdMaxDelay) under "+strings.Join(slow, "; ")+"; "+
			"take both off for the time of the campaign: slapd 2.5.13 is not stable with them", "")
	}
	if policies == 0 || safe < policies {
		add(noteKept, true, "where accounts may write their own userPassword, who is logged in as one can set a password of his own after the reset, without the new value (no pwdSafeModify: TRUE"+orHidden(policies)+"); "+keptHow, "")
	}
}

const mendReset = "set pwdMustChange: FALSE there for the time of the campaign, or give the accounts a policy of their own without it (pwdPolicySubentry)"

// isSet reports whether a number of a policy is there and not 0.
func isSet(number string) bool { return number != "" && number != "0" }

func orHidden(policies int) string {
	if policies == 0 {
		return " is shown to bind.dn"
	}
	return ""
}

// noteConfig reads the server's own policy of a 389 Directory Server, if it is
// shown.
func (c *conn) noteConfig(ctx context.Context, add addCheck) {
	e, err := c.read(ctx, "cn=config", ldap.ScopeBaseObject, "(objectClass=*)", "passwordLockout", "passwordMaxFailure", "passwordChange", "nsslapd-pwpolicy-local")
	if err == nil && len(e) == 1 && strings.EqualFold(e[0].GetEqualFoldAttributeValue("passwordLockout"), "on") {
		most, _ := strconv.Atoi(e[0].GetEqualFoldAttributeValue("passwordMaxFailure"))
		noteThreshold(most, "the server's policy", add)
	}
	if err == nil && len(e) == 1 && strings.EqualFold(e[0].GetEqualFoldAttributeValue("nsslapd-pwpolicy-local"), "on") {
		c.noteLocal(ctx, add)
	}
	if err != nil || len(e) != 1 || !strings.EqualFold(e[0].GetEqualFoldAttributeValue("passwordChange"), "off") {
		add(noteKept, true, "where an access rule lets accounts write their own userPassword, who is logged in as one can set a password of his own after the reset, without the new value (passwordChange is not off, or not shown); "+keptHow, "")
	}
}
