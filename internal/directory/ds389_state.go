package directory

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/protocol"
)

// unlockedByHand is the accountUnlockTime of a lock that only an administrator
// ends (passwordUnlock: off): the beginning of Unix time.
const unlockedByHand = "19700101000000Z"

// state: an account is locked while passwordRetryCount has reached the policy's
// passwordMaxFailure and accountUnlockTime is not over (tried). A reset clears
// the count and leaves the time behind, so neither tells alone. The policy is
// commonly hidden from the worker's identity; then a single failure counts as
// enough.
//
// An expired password is no state: only its right value is told so, and a reset
// lifts it.
func (ds389) state(ctx context.Context, c *Client, server string, e Entry, now time.Time) (protocol.Reply, error) {
	if strings.EqualFold(e.First("nsAccountLock"), "true") {
		return protocol.Disabled, nil
	}
	failures, _ := strconv.Atoi(e.First("passwordRetryCount"))
	unlock := e.First("accountUnlockTime")
	if unlock == "" || failures == 0 {
		return protocol.Accepted, nil
	}
	end, ok := generalizedTime(unlock)
	if ok && unlock != unlockedByHand && now.After(end.Add(clockMargin)) {
		return protocol.Accepted, nil
	}
	most, err := c.maxFailure(ctx, server, e.First("pwdPolicySubentry"))
	if err != nil {
		return "", err
	}
	if failures < most {
		return protocol.Accepted, nil
	}
	return protocol.Locked, nil
}

// changed is "pwdUpdateTime/modifyTimestamp". The first is kept if
// passwordTrackUpdateTime is on; the second changes with each change of the
// password and with others, but neither with failed logins nor when the server
// hashes a password anew at a login (tried). Both are replicated. They have
// whole seconds: see beforeReset. The CSN that replication keeps for each value
// is shown to the Directory Manager alone, and together with the hashes
// (nscpEntryWSI).
func (ds389) changed(e Entry) string {
	return e.First("pwdUpdateTime") + "/" + e.First("modifyTimestamp")
}

// maxFailure is passwordMaxFailure of the entry's own policy, or else of the
// server's. 0 means that nobody is locked, or that it is not shown.
func (c *Client) maxFailure(ctx context.Context, server, policyDN string) (int, error) {
	l, err := c.lockout389(ctx, server, policyDN)
	return l.most, err
}

// lockout389 is what the policy of an entry says of lock-outs. policyDN is the
// entry's pwdPolicySubentry. It counts where local policies do
// (nsslapd-pwpolicy-local), else the server's does, in cn=config; where that is
// not shown, either may.
func (c *Client) lockout389(ctx context.Context, server, policyDN string) (lockout, error) {
	var l lockout
	take := func(dn string) (Entry, error) {
		// A policy of its own is an entry that a search shows to nobody who
		// does not ask for its class.
		e, found, err := c.one(ctx, server, "", dn, ldap.ScopeBaseObject, "(|(objectClass=*)(objectClass=ldapSubEntry))",
			[]string{"passwordMaxFailure", "passwordLockout", "nsslapd-pwpolicy-local"})
		if IsUnreachable(err) || ctx.Err() != nil {
			return e, err
		}
		lock, most := e.First("passwordLockout"), e.First("passwordMaxFailure")
		if err != nil || !found || lock == "" && most == "" {
			l.hidden = true
			return e, nil
		}
		if !strings.EqualFold(lock, "off") {
			n, _ := strconv.Atoi(most)
			l.stricter(n)
		}
		return e, nil
	}
	if policyDN == "" {
		_, err := take("cn=config")
		return l, err
	}
	if _, err := take(policyDN); err != nil || l.hidden {
		return l, err
	}
	own := l
	e, err := take("cn=config")
	if strings.EqualFold(e.First("nsslapd-pwpolicy-local"), "on") {
		return own, err
	}
	return l, err
}

func (ds389) showLocks() string {
	return "read on cn=config (objectClass, passwordLockout, passwordMaxFailure, nsslapd-pwpolicy-local), and on the policies that entries name (pwdPolicySubentry)"
}
