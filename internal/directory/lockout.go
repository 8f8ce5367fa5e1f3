package directory

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// policyTTL is how long a policy is taken to be unchanged.
const policyTTL = time.Minute

// lockouts remembers what policies say of lock-outs, by server and policy.
type lockouts struct {
	mu   sync.Mutex
	seen map[string]lockout
}

type lockout struct {
	duration time.Duration
	most     int  // failures that lock; 0 is never, or not shown
	history  int  // of Active Directory
	forces   bool // each reset password is to be changed: see Forced
	known    bool
	at       time.Time
}

// Locks says how many refused logins in a row lock the account of an entry that
// ByID has read on server, and how many are counted now. most is 0 where none
// do, or where the policy is not shown.
func (c *Client) Locks(ctx context.Context, server string, e Entry) (most, failed int) {
	return c.driver.locks(ctx, c, server, e)
}

// LockedUntil is when the lock of an entry that ByID has read on server ends by
// itself, with room for clocks that differ. Zero: never, or it is not shown. It
// is asked of locked accounts alone.
func (c *Client) LockedUntil(ctx context.Context, server string, e Entry) time.Time {
	end := c.driver.lockEnds(ctx, c, server, e)
	if end.IsZero() {
		return end
	}
	return end.Add(clockMargin)
}

func (openLDAP) lockEnds(ctx context.Context, c *Client, server string, e Entry) time.Time {
	since, ok := generalizedTime(e.First("pwdAccountLockedTime"))
	if !ok || e.First("pwdAccountLockedTime") == lockedForever {
		return time.Time{}
	}
	l, err := c.lockoutOf(ctx, server, e.First("pwdPolicySubentry"))
	if err != nil || !l.known || l.duration == 0 {
		return time.Time{}
	}
	return since.Add(l.duration)
}

func (ds389) lockEnds(_ context.Context, _ *Client, _ string, e Entry) time.Time {
	end, ok := generalizedTime(e.First("accountUnlockTime"))
	if !ok || e.First("accountUnlockTime") == unlockedByHand {
		return time.Time{}
	}
	return end
}

// lockEnds: the duration counts from lockoutTime ([MS-ADTS] 3.1.1.4.5.17).
func (activeDirectory) lockEnds(ctx context.Context, c *Client, server string, e Entry) time.Time {
	since, err := strconv.ParseInt(e.First("lockoutTime"), 10, 64)
	if err != nil || since <= 0 {
		return time.Time{}
	}
	l, err := c.domainPolicy(ctx, server, e.First("msDS-ResultantPSO"))
	if err != nil || l.duration == 0 {
		return time.Time{}
	}
	return fileTime(since).Add(l.duration)
}

// fileTime is a time of Active Directory: 100 ns since 1601 ([MS-DTYP] 2.3.3).
func fileTime(t int64) time.Time {
	const to1970 = 116444736000000000
	return time.Unix((t-to1970)/1e7, (t-to1970)%1e7*100).UTC()
}

// policy reads a policy by read, unless that was done a moment ago.
func (c *Client) policy(server, policyDN string, read func() (lockout, error)) (lockout, error) {
	key := server + "\x00" + policyDN
	c.policies.mu.Lock()
	l, ok := c.policies.seen[key]
	c.policies.mu.Unlock()
	if ok && time.Since(l.at) < policyTTL {
		return l, nil
	}
	l, err := read()
	if err != nil {
		return lockout{}, err
	}
	l.at = time.Now()
	c.policies.mu.Lock()
	defer c.policies.mu.Unlock()
	if c.policies.seen == nil {
		c.policies.seen = map[string]lockout{}
	}
	c.policies.seen[key] = l
	return l, nil
}

// lockoutOf is what the policy of an entry says. policyDN is the entry's
// pwdPolicySubentry. OpenLDAP does not show which policy is its default, so
// without one the strictest of all policies below the directory's base counts,
// and the longest lock. known is false if none is found.
func (c *Client) lockoutOf(ctx context.Context, server, policyDN string) (lockout, error) {
	return c.policy(server, policyDN, func() (lockout, error) { return c.readLockout(ctx, server, policyDN) })
}

func (c *Client) readLockout(ctx context.Context, server, policyDN string) (lockout, error) {
	var l lockout
	attrs := []string{"pwdLockout", "pwdLockoutDuration", "pwdMaxFailure"}
	if policyDN != "" {
		e, found, err := c.one(ctx, server, "", policyDN, ldap.ScopeBaseObject, "(objectClass=pwdPolicy)", attrs)
		if err == nil && found {
			l.extend(e)
		}
		return l, err
	}
	// A policy without pwdLockout locks nobody.
	err := c.Search(ctx, server, "", "(&(objectClass=pwdPolicy)(pwdLockout=TRUE))", attrs, func(e Entry) error {
		l.extend(e)
		return nil
	})
	return l, err
}

// extend takes one more policy into account: of durations 0 is the longest.
func (l *lockout) extend(policy Entry) {
	seconds, _ := strconv.Atoi(policy.First("pwdLockoutDuration")) // absent is 0: until unlocked
	d := time.Duration(seconds) * time.Second
	if !l.known || d == 0 || (l.duration != 0 && d > l.duration) {
		l.duration = d
	}
	most, _ := strconv.Atoi(policy.First("pwdMaxFailure"))
	if policy.First("pwdLockout") == "TRUE" && most > 0 && (l.most == 0 || most < l.most) {
		l.most = most
	}
	l.known = true
}

// locks: the failures are those of the entry that are not cleared, whether or
// not pwdFailureCountInterval is over.
func (openLDAP) locks(ctx context.Context, c *Client, server string, e Entry) (most, failed int) {
	l, err := c.lockoutOf(ctx, server, e.First("pwdPolicySubentry"))
	if err != nil {
		return 0, 0
	}
	return l.most, len(e.Attrs["pwdFailureTime"])
}

func (ds389) locks(ctx context.Context, c *Client, server string, e Entry) (most, failed int) {
	dn := e.First("pwdPolicySubentry")
	l, err := c.policy(server, dn, func() (l lockout, err error) {
		l.most, err = c.maxFailure(ctx, server, dn)
		return l, err
	})
	if err != nil {
		return 0, 0
	}
	failed, _ = strconv.Atoi(e.First("passwordRetryCount"))
	return l.most, failed
}

// locks: a fine-grained policy ([MS-ADTS] 3.1.1.4.5.36, msDS-ResultantPSO) is
// commonly hidden from who is no administrator.
func (activeDirectory) locks(ctx context.Context, c *Client, server string, e Entry) (most, failed int) {
	l, err := c.domainPolicy(ctx, server, e.First("msDS-ResultantPSO"))
	if err != nil {
		return 0, 0
	}
	failed, _ = strconv.Atoi(e.First("badPwdCount"))
	return l.most, failed
}

// domainPolicy is the fine-grained policy with that name, or the domain's.
func (c *Client) domainPolicy(ctx context.Context, server, fine string) (lockout, error) {
	return c.policy(server, fine, func() (lockout, error) {
		dn, most, history, lasts := fine, "msDS-LockoutThreshold", "msDS-PasswordHistoryLength", "msDS-LockoutDuration"
		if fine == "" {
			dn, most, history, lasts = domainDN(c.conf.Base), "lockoutThreshold", "pwdHistoryLength", "lockoutDuration"
		}
		e, found, err := c.one(ctx, server, "", dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{most, history, lasts})
		var l lockout
		if err == nil && found {
			l.most, _ = strconv.Atoi(e.First(most))
			// Negative, in 100 ns; the least there is, and 0, stand for a lock
			// without end.
			if d, err := strconv.ParseInt(e.First(lasts), 10, 64); err == nil && d < 0 && d > math.MinInt64/100 {
				l.duration = time.Duration(-d) * 100
			}
			l.history, err = strconv.Atoi(e.First(history))
			l.known, err = err == nil, nil
		}
		if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
			return lockout{}, err
		}
		return l, nil
	})
}
