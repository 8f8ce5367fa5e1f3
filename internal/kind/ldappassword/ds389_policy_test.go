package ldappassword

import (
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// A binder that is no password administrator is bound by the policy, and
// everybody is by the extended operation. Each refusal must be told apart, say
// what to do, and leave the value before it in force.
func TestOn389DirectoryServerThePolicyBindsAWriterAndEveryExtendedOperation(t *testing.T) {
	for name, row := range map[string]struct {
		policy lab.DS389Policy
		reuse  bool // offers the value in force once more instead of a new one
		words  string
	}{
		"too young":  {policy: lab.DS389Policy{MinAge: 48 * time.Hour}, words: "passwordMinAge"},
		"in history": {policy: lab.DS389Policy{History: 5}, reuse: true, words: "passwordHistory"},
		"too short":  {policy: lab.DS389Policy{MinLength: 100}, words: "passwordMinLength"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld389(t, row.policy, 4, false)
			for by, change := range map[string]func(*config.Directory){
				"writer by replace":     func(d *config.Directory) { d.Bind.DN = w.supplier.WriterDN },
				"writer by exop":        func(d *config.Directory) { d.Bind.DN, d.Set = w.supplier.WriterDN, "exop" },
				"administrator by exop": func(d *config.Directory) { d.Set = "exop" },
			} {
				d := w.conf()
				change(&d)
				a, byReplace := w.open(t, d), w.open(t, w.conf())
				c, _ := w.credential(t)
				acc, inForce := account(t, a, c), fresh(t, a)
				// A first change, by which nothing binds, gives the password
				// its age.
				require.NoError(t, byReplace.Set(t.Context(), acc, inForce, credential.Secret{}), by)
				next := fresh(t, a)
				if row.reuse {
					next = inForce
				}
				requireStop(t, a.Set(t.Context(), acc, next, inForce), protocol.ReasonPolicy, row.words)
				require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, inForce), by)
			}
			c, _ := w.credential(t)
			a := w.open(t, w.conf())
			acc := account(t, a, c)
			next := fresh(t, a)
			for range 3 {
				require.NoError(t, a.Set(t.Context(), acc, next, credential.Secret{}), "a password administrator's replace is free of all that")
			}
			require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, next))
		})
	}
}

// An account that may not read its own entry has the worker's identity look for
// pwdReset.
func TestOn389DirectoryServerAnAccountThatMayNotReadItselfIsTold(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{TrackUpdate: true}, 1, false)
	a := w.open(t, w.conf())
	dn := "cn=appliance,ou=sealed," + w.supplier.BaseDN()
	w.change(t, func(conn *ldap.Conn) error {
		add := ldap.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{"organizationalRole", "simpleSecurityObject"})
		add.Attribute("userPassword", []string{"first-value-of-it"})
		return conn.Add(add)
	})
	c := w.credentialOf(t, dn)
	acc := account(t, a, c)
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, credential.NewSecret("first-value-of-it")))
	w.policy(t, "passwordMustChange", "on")
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, credential.Secret{}))
	require.Equal(t, protocol.MustChange, try(t, a, a.Servers()[0], acc, next))
}

// Only who knows the right value is told that it has expired, and a reset lifts
// it.
func TestOn389DirectoryServerAnExpiredPasswordIsTheRightOneAndAResetLiftsIt(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{MaxAge: time.Hour, TrackUpdate: true}, 1, false)
	a := w.open(t, w.conf())
	c, old := w.credential(t)
	w.put(t, c.Name, "passwordExpirationTime", "20200101000000Z")
	acc := account(t, a, c)
	require.Equal(t, protocol.Accepted, acc.State, "it says nothing of the account")
	require.Equal(t, protocol.PasswordExpired, try(t, a, a.Servers()[0], acc, old))
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, fresh(t, a)))
	_, stop := protocol.Dead(a.Servers(), []protocol.Evidence{{Server: a.Servers()[0], Old: protocol.PasswordExpired, New: protocol.Accepted}}, true, nil)
	require.NotNil(t, stop)
	require.Equal(t, protocol.ReasonOldAccepted, stop.Reason, "who has it can still change it")

	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, credential.Secret{}))
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, next))
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, old))
}

// userPassword may have several values, each of which logs in.
func TestOn389DirectoryServerAResetEndsEveryValueOfTheEntry(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{}, 2, false)
	for _, set := range []string{"replace", "exop"} {
		d := w.conf()
		d.Set = set
		a := w.open(t, d)
		c, old := w.credential(t)
		second := fresh(t, a)
		w.change(t, func(conn *ldap.Conn) error {
			req := ldap.NewModifyRequest(c.Name, nil)
			req.Add("userPassword", []string{second.Reveal()})
			return conn.Modify(req)
		})
		acc, next := account(t, a, c), fresh(t, a)
		require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, old))
		require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, second))
		require.NoError(t, a.Set(t.Context(), acc, next, old))
		for value, want := range map[credential.Secret]protocol.Reply{old: protocol.Refused, second: protocol.Refused, next: protocol.Accepted} {
			require.Equal(t, want, try(t, a, a.Servers()[0], acc, value), set)
		}
	}
}

// Who was logged in before the reset sets a password of his own after it,
// within the same second, so that the mark is the same: it shows by whose
// change was the last.
func TestOn389DirectoryServerAPasswordThatAKeptConnectionSetShows(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{}, 2, false)
	a := w.open(t, w.conf())
	w.change(t, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest(w.supplier.BaseDN(), nil)
		req.Add("aci", []string{`(targetattr="userPassword")(version 3.0; acl "own password"; allow (write) userdn="ldap:///self";)`})
		return conn.Modify(req)
	})
	c, stolen := w.credential(t)
	kept, err := ldap.DialURL(w.supplier.LDAP())
	require.NoError(t, err)
	defer kept.Close()
	require.NoError(t, kept.Bind(c.Name, stolen.Reveal()))
	acc := account(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, next))
	require.NotEmpty(t, a.Seen(acc))
	require.False(t, account(t, a, c).ByItself)
	req := ldap.NewModifyRequest(c.Name, nil)
	req.Replace("userPassword", []string{"the thief's own"})
	require.NoError(t, kept.Modify(req), "nothing asks for the password in force")
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, next))
	require.True(t, account(t, a, c).ByItself)
}
