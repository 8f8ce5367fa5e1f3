package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/plural"
)

// fewFailures is a threshold at which wrong logins have to be rationed.
const fewFailures = 2

// policiesTold is how many policies a note names: whoever may add an entry may
// add thousands.
const policiesTold = 5

// noteThreshold tells of a policy that locks after very few wrong logins.
func noteThreshold(most int, which string, add addCheck) {
	switch {
	case most == 1:
		add(noteLockout, true, which+" locks an account at the first wrong login, so no stolen value is offered: an account is set only where its path in Vault is empty or a person confirmed it (confirm), with metadata for a proof, the weaker one; any other stays open as near-lock, and nothing of it is changed; raise the threshold to 3 or more for the time of the campaign", "")
	case most > 0 && most <= fewFailures:
		add(noteLockout, true, fmt.Sprintf("%s locks an account after %d wrong logins: of several stored values one is offered before a reset, and none where somebody has used up that one; raise the threshold to 3 or more for the time of the campaign", which, most), "")
	}
}

// noteOwn tells of policies that hold for the accounts that they are given to,
// by the failures after which they lock.
func noteOwn(policies map[int][]string, what, whose string, add addCheck) {
	for most := 1; most <= fewFailures; most++ {
		dns := slices.Sorted(slices.Values(policies[most]))
		if len(dns) == 0 {
			continue
		}
		more := ""
		if left := len(dns) - policiesTold; left > 0 {
			dns, more = dns[:policiesTold], fmt.Sprintf(" and %d more", left)
		}
		noteThreshold(most, what+" "+strings.Join(dns, "; ")+more+", for each account "+whose+",", add)
	}
}

// noteHidden tells of a policy that is not shown.
func (c *conn) noteHidden(ctx context.Context, add addCheck) {
	k := c.server.client
	if k.Locks(ctx, c.server.name, Entry{}).Hidden {
		add(noteLockout, true, fmt.Sprintf("which policy locks accounts after wrong logins, or whether there is another than is shown, is not shown to bind.dn: it is taken to lock at the %dnd, so of several stored values one is offered before a reset, and none where somebody has used up that one (near-lock); give bind.dn %s", maxHidden, k.driver.showLocks()), "")
	}
}

// noteDefault tells which policy counts for accounts that name none. all are
// the policies that are shown, by the failures after which they lock.
func (c *conn) noteDefault(ctx context.Context, all map[int][]string, add addCheck) {
	k := c.server.client
	l, err := k.lockoutOf(ctx, c.server.name, "")
	if err != nil {
		return
	}
	if l.guessed {
		noteThreshold(l.most, fmt.Sprintf("which policy is the default is not shown, so %s counts for each account that names none (pwdPolicySubentry), the strictest of %s: "+
			"name the default in the campaign file (default_policy), or give bind.dn read on olcPPolicyDefault in cn=config; that one", l.which, plural.Count(l.seen, "policy", "policies")), add)
	} else {
		noteThreshold(l.most, "the default policy "+l.which, add)
	}
	noteOwn(all, "the policy", "that names it (pwdPolicySubentry)", add)
}

// checkDefault holds what a person says of the default policy to what the
// server shows.
func (c *conn) checkDefault(ctx context.Context, add addCheck) {
	k, word := c.server.client, c.server.client.conf.DefaultPolicy
	if word == "" {
		return
	}
	shown, err := k.defaultPolicy(ctx, c.server.name)
	switch {
	case err == nil && shown != "" && !SameDN(shown, word):
		add("default policy", false, fmt.Sprintf("default_policy of the campaign file is %s, and cn=config of this server has %s, which counts", word, shown), "correct default_policy, or take it out")
	case word == config.NoPolicy || err == nil && shown != "":
		add("default policy", true, "accounts that name no policy have "+word+", as the campaign file says", "")
	default:
		e, found, err := k.one(ctx, c.server.name, "", word, ldap.ScopeBaseObject, "(objectClass=pwdPolicy)", policyAttrs)
		add("default policy", err == nil && found && showsPolicy(e), "accounts that name no policy have "+word+", as the campaign file says"+unlessShown(err == nil && found && showsPolicy(e)),
			"correct default_policy (ppolicy_default of the server), or let bind.dn read that entry")
	}
}

func unlessShown(shown bool) string {
	if shown {
		return ""
	}
	return fmt.Sprintf(": bind.dn sees no such policy there, so they are taken to be locked by the %dnd wrong login", maxHidden)
}

// noteLocal tells of policies of 389 Directory Server that accounts name.
func (c *conn) noteLocal(ctx context.Context, add addCheck) {
	k, all := c.server.client, map[int][]string{}
	err := k.Search(ctx, c.server.name, k.suffix(ctx, c.server.name), "(&(objectClass=ldapSubEntry)(passwordMaxFailure=*))", []string{"passwordMaxFailure", "passwordLockout"}, func(e Entry) error {
		if most, _ := strconv.Atoi(e.First("passwordMaxFailure")); !strings.EqualFold(e.First("passwordLockout"), "off") {
			all[most] = append(all[most], e.DN)
		}
		return nil
	})
	if err == nil {
		noteOwn(all, "the local policy", "that names it (pwdPolicySubentry)", add)
	}
}

// noteDomain reads the domain's policy. The stolen value is the one before the
// one before after two resets, and is not counted as a wrong one where at least
// three are remembered.
func (c *conn) noteDomain(ctx context.Context, add addCheck) {
	k := c.server.client
	l, err := k.domainPolicy(ctx, c.server.name, "")
	if err != nil || !l.known {
		return
	}
	noteThreshold(l.most, "the domain's policy", add)
	fine, err := k.policy(c.server.name, "fine-grained", func() (lockout, error) { return k.fineGrained(ctx, c.server.name) })
	if err == nil && fine.which != "" {
		noteOwn(map[int][]string{fine.most: {fine.which}}, "the fine-grained policy", "that it holds for, and each that does not show which one does (msDS-ResultantPSO)", add)
	}
	if l.most > 0 && l.history < 3 {
		add(noteLockout, true, fmt.Sprintf("the domain remembers %s (pwdHistoryLength): with fewer than 3 each try of a consumer that still has the stolen value counts after the resets, and %d of them lock the account for everybody, and a service's clients out of their tickets; set it to 3 or more before the campaign, or stop such consumers first", plural.Count(l.history, "password", "passwords"), l.most), "")
	}
}
