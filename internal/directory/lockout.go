package directory

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// policyHolds is how long a policy's lock-out duration is taken to be unchanged.
const policyHolds = time.Minute

// lockouts remembers lock-out durations by server and policy.
type lockouts struct {
	mu   sync.Mutex
	seen map[string]lockout
}

type lockout struct {
	duration time.Duration
	known    bool
	at       time.Time
}

// lockoutDuration is how long the policy of an entry locks it after too many
// failures (pwdLockoutDuration); 0 is until an administrator unlocks it. policyDN
// is the entry's pwdPolicySubentry. OpenLDAP does not show which policy is its
// default, so without one the longest of all policies below the directory's base
// counts. known is false if none is found.
func (c *Client) lockoutDuration(ctx context.Context, server, policyDN string) (d time.Duration, known bool, err error) {
	key := server + "\x00" + policyDN
	c.policies.mu.Lock()
	l, ok := c.policies.seen[key]
	c.policies.mu.Unlock()
	if ok && time.Since(l.at) < policyHolds {
		return l.duration, l.known, nil
	}
	if l, err = c.readLockout(ctx, server, policyDN); err != nil {
		return 0, false, err
	}
	c.policies.mu.Lock()
	defer c.policies.mu.Unlock()
	if c.policies.seen == nil {
		c.policies.seen = map[string]lockout{}
	}
	c.policies.seen[key] = l
	return l.duration, l.known, nil
}

func (c *Client) readLockout(ctx context.Context, server, policyDN string) (lockout, error) {
	l := lockout{at: time.Now()}
	attrs := []string{"pwdLockoutDuration"}
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

// extend takes one more policy into account: 0 is the longest.
func (l *lockout) extend(policy Entry) {
	seconds, _ := strconv.Atoi(policy.First("pwdLockoutDuration")) // absent is 0: until unlocked
	d := time.Duration(seconds) * time.Second
	if !l.known || d == 0 || (l.duration != 0 && d > l.duration) {
		l.duration = d
	}
	l.known = true
}
