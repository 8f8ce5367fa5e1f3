package directory

import (
	"context"
	"time"

	"rollcall/internal/protocol"
)

// lockedForever is the pwdAccountLockedTime that only an administrator ends
// (draft-behera-ldap-password-policy-10, 5.3.3).
const lockedForever = "000001010000Z"

// clockMargin is added to a lock's end: the server's clock is not ours.
const clockMargin = time.Minute

// state says what the entry's operational attributes (slapo-ppolicy(5)) do to
// logins. A lock whose end cannot be told counts as a lock: to call a locked
// account open would let a refusal pass for a proof.
func (openLDAP) state(ctx context.Context, c *Client, server string, e Entry, now time.Time) (protocol.Reply, error) {
	if t, ok := generalizedTime(e.First("pwdStartTime")); ok && now.Before(t) {
		return protocol.Disabled, nil
	}
	if t, ok := generalizedTime(e.First("pwdEndTime")); ok && !now.Before(t) {
		return protocol.Expired, nil
	}
	locked := e.First("pwdAccountLockedTime")
	if locked == "" {
		return protocol.Accepted, nil
	}
	since, ok := generalizedTime(locked)
	if locked == lockedForever || !ok {
		return protocol.Locked, nil
	}
	l, err := c.lockoutOf(ctx, server, e.First("pwdPolicySubentry"))
	if err != nil {
		return "", err
	}
	if l.known && !l.hidden && l.duration > 0 && now.After(since.Add(l.duration+clockMargin)) {
		return protocol.Accepted, nil
	}
	return protocol.Locked, nil
}

// changed is "pwdChangedTime/entryCSN": the time is kept in whole seconds, so
// only with the CSN do two changes in one second differ. Both are replicated
// and so comparable between servers.
func (openLDAP) changed(e Entry) string { return e.First("pwdChangedTime") + "/" + e.First("entryCSN") }

func (openLDAP) neverSet(e Entry) bool { return e.First("pwdChangedTime") == "" }

func (openLDAP) showLocks() string {
	return "read on the pwdPolicy entries, wherever they lie (pwdPolicySubentry of the accounts, ppolicy_default: olcPPolicyDefault in cn=config, or default_policy in the campaign file)"
}
