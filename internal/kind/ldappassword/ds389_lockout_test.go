package ldappassword

import (
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// The refusal that locks the account reads like that of a wrong password,
// unless passwordLegacyPolicy is off.
func TestOn389DirectoryServerTheRefusalThatLocksAnAccountIsNone(t *testing.T) {
	for _, legacy := range []string{"on", "off"} {
		for name, duration := range map[string]time.Duration{"for an hour": time.Hour, "until it is unlocked": 0} {
			t.Run("legacy "+legacy+", "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld389(t, lab.DS389Policy{MaxFailure: 2, LockoutDuration: duration}, 1, false)
				w.policy(t, "passwordLegacyPolicy", legacy)
				a := w.open(t, w.conf())
				c, inForce := w.credential(t)
				acc, wrong := account(t, a, c), fresh(t, a)
				began := time.Now()
				require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, wrong))
				require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, wrong))
				require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, wrong))
				require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, inForce))
				locked := account(t, a, c)
				require.Equal(t, protocol.Locked, locked.State)
				if duration == 0 {
					require.Zero(t, locked.LockedUntil)
				} else {
					until := duration + time.Minute
					require.WithinRange(t, locked.LockedUntil, began.Add(until-30*time.Second), time.Now().Add(until+30*time.Second))
				}
			})
		}
	}
}

// A reset clears the count and leaves the end of the lock behind.
func TestOn389DirectoryServerALockThatAResetEndedIsNone(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{MaxFailure: 3, LockoutDuration: time.Hour}, 2, false)
	a := w.open(t, w.conf())
	resetWhileLocked := func() (credential.Credential, credential.Secret) {
		c, _ := w.credential(t)
		w.lock(t, c.Name)
		require.Equal(t, protocol.Locked, account(t, a, c).State)
		inForce := fresh(t, a)
		w.put(t, c.Name, "userPassword", inForce.Reveal())
		// The server clears the count after it has answered.
		require.Eventually(t, func() bool {
			count := w.attr(t, w.supplier, c.Name, "passwordRetryCount")
			return count == "" || count == "0"
		}, time.Minute, 5*time.Millisecond)
		require.NotEmpty(t, w.attr(t, w.supplier, c.Name, "accountUnlockTime"))
		return c, inForce
	}
	c, inForce := resetWhileLocked()
	acc := account(t, a, c)
	require.Equal(t, protocol.Accepted, acc.State)
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, inForce))
	// How many failures lock it is hidden from the binder: one may have been
	// enough.
	require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, fresh(t, a)))

	w.change(t, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest("cn=config", nil)
		req.Add("aci", []string{`(targetattr="passwordMaxFailure || objectClass")(version 3.0; acl "policy"; allow (read, search) userdn="ldap:///` + w.supplier.BinderDN + `";)`})
		return conn.Modify(req)
	})
	c, inForce = resetWhileLocked()
	acc = account(t, a, c)
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, fresh(t, a)), "shown to it, one failure of three locks nobody")
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, inForce))
}

// Somebody else's wrong logins of long ago keep nobody from a new value: the
// entry itself says when they count no more, although the policy is hidden.
func TestOn389DirectoryServerWrongLoginsThatCountNoMoreAreNone(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{MaxFailure: 2, LockoutDuration: time.Hour}, 1, false)
	a := w.open(t, w.conf())
	c, inForce := w.credential(t)
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], account(t, a, c), fresh(t, a)))
	seen := account(t, a, c)
	require.True(t, seen.LocksHidden)
	require.Equal(t, []int{2, 1}, []int{seen.Locks, seen.Failed}, "one more locks it")
	reset := w.attr(t, w.supplier, c.Name, "retryCountResetTime")
	require.NotEmpty(t, reset)

	w.put(t, c.Name, "retryCountResetTime", time.Now().Add(-30*time.Second).UTC().Format("20060102150405Z"))
	require.Equal(t, 1, account(t, a, c).Failed, "clocks may differ by that")
	w.put(t, c.Name, "retryCountResetTime", time.Now().Add(-2*time.Minute).UTC().Format("20060102150405Z"))
	seen = account(t, a, c)
	require.Zero(t, seen.Failed)
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], seen, fresh(t, a)), "the server counts it as the first")
	require.Equal(t, protocol.Accepted, account(t, a, c).State)
	require.Equal(t, 1, account(t, a, c).Failed)
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], seen, inForce))
}

func TestOn389DirectoryServerALockThatHasRunOutIsNone(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{MaxFailure: 2, LockoutDuration: time.Hour}, 1, false)
	a := w.open(t, w.conf())
	c, inForce := w.credential(t)
	w.lock(t, c.Name)
	acc := account(t, a, c)
	require.Equal(t, protocol.Locked, acc.State)
	w.put(t, c.Name, "accountUnlockTime", time.Now().Add(-time.Hour).UTC().Format("20060102150405Z"))
	require.Equal(t, protocol.Accepted, account(t, a, c).State)
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, inForce))
}

// Debian's template has no inactivation roles; dsidm makes these entries.
func TestOn389DirectoryServerAnAccountThatARoleDisablesIsCalledSo(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{}, 2, false)
	a := w.open(t, w.conf())
	base := w.supplier.BaseDN()
	role := "cn=nsManagedDisabledRole," + base
	add := func(dn string, attrs map[string][]string) {
		w.change(t, func(conn *ldap.Conn) error {
			req := ldap.NewAddRequest(dn, nil)
			for name, values := range attrs {
				req.Attribute(name, values)
			}
			return conn.Add(req)
		})
	}
	add(role, map[string][]string{"objectClass": {"ldapSubEntry", "nsRoleDefinition", "nsSimpleRoleDefinition", "nsManagedRoleDefinition"}})
	add("cn=nsAccountInactivationTmp,"+base, map[string][]string{"objectClass": {"nsContainer"}})
	add(`cn="`+role+`",cn=nsAccountInactivationTmp,`+base, map[string][]string{"objectClass": {"extensibleObject", "costemplate", "ldapSubEntry"}, "nsAccountLock": {"true"}, "cosPriority": {"0"}})
	add("cn=nsAccountInactivation_cos,"+base, map[string][]string{"objectClass": {"ldapSubEntry", "cosSuperDefinition", "cosClassicDefinition"},
		"cosTemplateDn": {"cn=nsAccountInactivationTmp," + base}, "cosSpecifier": {"nsRole"}, "cosAttribute": {"nsAccountLock operational"}})
	c, inForce := w.credential(t)
	acc := account(t, a, c)
	w.put(t, c.Name, "nsRoleDN", role)
	require.Eventually(t, func() bool { return account(t, a, c).State == protocol.Disabled }, time.Minute, 20*time.Millisecond)
	require.Equal(t, protocol.Disabled, try(t, a, a.Servers()[0], acc, inForce))
	require.Equal(t, protocol.Disabled, try(t, a, a.Servers()[0], acc, fresh(t, a)))
	other, _ := w.credential(t)
	require.Equal(t, protocol.Accepted, account(t, a, other).State)
}
