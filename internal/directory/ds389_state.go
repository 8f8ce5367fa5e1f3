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
	if policyDN == "" {
		policyDN = "cn=config"
	}
	e, found, err := c.one(ctx, server, "", policyDN, ldap.ScopeBaseObject, "(objectClass=*)", []string{"passwordMaxFailure", "passwordLockout"})
	if IsUnreachable(err) || ctx.Err() != nil {
		return 0, err
	}
	if err != nil || !found || strings.EqualFold(e.First("passwordLockout"), "off") {
		return 0, nil
	}
	most, _ := strconv.Atoi(e.First("passwordMaxFailure"))
	return most, nil
}
