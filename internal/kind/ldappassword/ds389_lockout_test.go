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

func TestOn389DirectoryServerProvingLeavesNoFailureBehind(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{MaxFailure: 3, LockoutDuration: time.Hour}, 1, true)
	a := w.open(t, w.conf())
	c, old := w.credential(t)
	acc, next := account(t, a, c), fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, old))
	require.NoError(t, w.consumer.AwaitReplication(t.Context()))
	// Far more often than passwordMaxFailure allows in a row. Each server counts for itself.
	for range 5 {
		for _, s := range []*lab.DS389{w.supplier, w.consumer} {
			require.Equal(t, protocol.Refused, try(t, a, s.LDAPS(), acc, old))
			require.Equal(t, "1", w.attr(t, s, c.Name, "passwordRetryCount"), "the server counts it")
			require.Equal(t, protocol.Accepted, try(t, a, s.LDAPS(), acc, next))
			require.Equal(t, "0", w.attr(t, s, c.Name, "passwordRetryCount"))
		}
	}
}

// The refusal that locks the account reads like that of a wrong password, unless
// passwordLegacyPolicy is off.
func TestOn389DirectoryServerTheRefusalThatLocksAnAccountIsNone(t *testing.T) {
	for _, legacy := range []string{"on", "off"} {
		for name, duration := range map[string]time.Duration{"for an hour": time.Hour, "until it is unlocked": 0} {
			t.Run("legacy "+legacy+", "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld389(t, lab.DS389Policy{MaxFailure: 2, LockoutDuration: duration}, 1, false)
				w.put(t, "cn=config", "passwordLegacyPolicy", legacy)
				a := w.open(t, w.conf())
				c, inForce := w.credential(t)
				acc, wrong := account(t, a, c), fresh(t, a)
				require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, wrong))
				require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, wrong))
				require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, wrong))
				require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, inForce))
				require.Equal(t, protocol.Locked, account(t, a, c).State)
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
		require.NotEmpty(t, w.attr(t, w.supplier, c.Name, "accountUnlockTime"))
		return c, inForce
	}
	c, inForce := resetWhileLocked()
	acc := account(t, a, c)
	require.Equal(t, protocol.Accepted, acc.State)
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, inForce))
	// How many failures lock it is hidden from the binder: one may have been enough.
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
	require.Eventually(t, func() bool { return account(t, a, c).State == protocol.Disabled }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, protocol.Disabled, try(t, a, a.Servers()[0], acc, inForce))
	require.Equal(t, protocol.Disabled, try(t, a, a.Servers()[0], acc, fresh(t, a)))
	other, _ := w.credential(t)
	require.Equal(t, protocol.Accepted, account(t, a, other).State)
}

// Each of these changes the entry or what is known of it, and none is a change of the password.
func TestOn389DirectoryServerNoLoginMovesTheChangeMark(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{MaxFailure: 5, LockoutDuration: time.Hour, MaxAge: 24 * time.Hour}, 1, true)
	a := w.open(t, w.conf())
	c, inForce := w.credential(t)
	acc := account(t, a, c)
	hash := w.attr(t, w.consumer, c.Name, "userPassword")
	for _, s := range a.Servers() {
		require.Equal(t, protocol.Refused, try(t, a, s, acc, fresh(t, a)))
		require.Equal(t, protocol.Accepted, try(t, a, s, acc, inForce))
		after, err := a.Account(t.Context(), s, c)
		require.NoError(t, err)
		require.Equal(t, acc.Changed, after.Changed)
	}
	require.NotEqual(t, hash, w.attr(t, w.consumer, c.Name, "userPassword"), "the server has hashed it anew")
}

func TestOn389DirectoryServerALaggingConsumerStillAcceptsTheOldValue(t *testing.T) {
	for name, track := range map[string]bool{"pwdUpdateTime kept": true, "not kept": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld389(t, lab.DS389Policy{TrackUpdate: track}, 1, true)
			a := w.open(t, w.conf())
			c, old := w.credential(t)
			acc, next := account(t, a, c), fresh(t, a)
			w.consumer.PauseReplication()
			require.NoError(t, a.Set(t.Context(), acc, next, old))
			require.Equal(t, protocol.Refused, try(t, a, w.supplier.LDAPS(), acc, old))
			require.Equal(t, protocol.Accepted, try(t, a, w.consumer.LDAPS(), acc, old))
			require.Equal(t, protocol.Refused, try(t, a, w.consumer.LDAPS(), acc, next))
			behind, err := a.Account(t.Context(), w.consumer.LDAPS(), c)
			require.NoError(t, err)
			require.Equal(t, acc.Changed, behind.Changed)
			require.Less(t, behind.Changed, account(t, a, c).Changed, "it can be told that it lags")

			require.NoError(t, w.consumer.ResumeReplication(t.Context()))
			require.Equal(t, protocol.Refused, try(t, a, w.consumer.LDAPS(), acc, old))
			require.Equal(t, protocol.Accepted, try(t, a, w.consumer.LDAPS(), acc, next))
			caughtUp, err := a.Account(t.Context(), w.consumer.LDAPS(), c)
			require.NoError(t, err)
			require.Equal(t, account(t, a, c).Changed, caughtUp.Changed, "marks compare between servers")
		})
	}
}
