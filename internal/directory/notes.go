package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/plural"
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

// fewFailures is a threshold at which wrong logins have to be rationed.
const fewFailures = 2

// noteThreshold tells of a policy that locks after very few wrong logins.
func noteThreshold(most int, which string, add addCheck) {
	switch {
	case most == 1:
		add(noteLockout, true, which+" locks an account at the first wrong login, so no stolen value is offered: the proof is metadata, the weaker one; raise the threshold to 3 or more for the time of the campaign", "")
	case most > 0 && most <= fewFailures:
		add(noteLockout, true, fmt.Sprintf("%s locks an account after %d wrong logins: of several stored values one is offered before a reset, and none where somebody has used up that one; raise the threshold to 3 or more for the time of the campaign", which, most), "")
	}
}

// noteHidden tells of a policy that is not shown.
func (c *conn) noteHidden(ctx context.Context, add addCheck) {
	k := c.server.client
	if k.Locks(ctx, c.server.name, Entry{}).Hidden {
		add(noteLockout, true, fmt.Sprintf("which policy locks accounts after wrong logins, or whether there is another than is shown, is not shown to bind.dn: it is taken to lock at the %dnd, so of several stored values one is offered before a reset, and none where somebody has used up that one (near-lock); give bind.dn %s", maxHidden, k.driver.showLocks()), "")
	}
}

const keptHow = "close the accounts' connections on every server before or right after the campaign (docs/rights.md); what was set after a proof is found at the campaign's end"

// notePolicies reads the policies of the suffix that base is in.
func (c *conn) notePolicies(ctx context.Context, add addCheck) {
	most, policies, safe := 0, 0, 0
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
		if n, _ := strconv.Atoi(e.First("pwdMaxFailure")); e.First("pwdLockout") == "TRUE" && n > 0 && (most == 0 || n < most) {
			most = n
		}
		return nil
	})
	if err != nil {
		return
	}
	noteThreshold(most, "a policy below base", add)
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
	e, err := c.read(ctx, "cn=config", ldap.ScopeBaseObject, "(objectClass=*)", "passwordLockout", "passwordMaxFailure", "passwordChange")
	if err == nil && len(e) == 1 && strings.EqualFold(e[0].GetEqualFoldAttributeValue("passwordLockout"), "on") {
		most, _ := strconv.Atoi(e[0].GetEqualFoldAttributeValue("passwordMaxFailure"))
		noteThreshold(most, "the server's policy", add)
	}
	if err != nil || len(e) != 1 || !strings.EqualFold(e[0].GetEqualFoldAttributeValue("passwordChange"), "off") {
		add(noteKept, true, "where an access rule lets accounts write their own userPassword, who is logged in as one can set a password of his own after the reset, without the new value (passwordChange is not off, or not shown); "+keptHow, "")
	}
}

// noteDomain reads the domain's policy. The stolen value is the one before the
// one before after two resets, and is not counted as a wrong one where at least
// three are remembered.
func (c *conn) noteDomain(ctx context.Context, add addCheck) {
	l, err := c.server.client.domainPolicy(ctx, c.server.name, "")
	if err != nil || !l.known {
		return
	}
	noteThreshold(l.most, "the domain's policy", add)
	if l.most > 0 && l.history < 3 {
		add(noteLockout, true, fmt.Sprintf("the domain remembers %s (pwdHistoryLength): with fewer than 3 each try of a consumer that still has the stolen value counts after the resets, and %d of them lock the account for everybody, and a service's clients out of their tickets; set it to 3 or more before the campaign, or stop such consumers first", plural.Count(l.history, "password", "passwords"), l.most), "")
	}
}
