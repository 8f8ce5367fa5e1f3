package ldappassword

import (
	"context"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// One supplier and its consumer for all: starting them takes longer than the
// tests.
func TestOn389DirectoryServerWithAConsumer(t *testing.T) {
	w := newWorld389(t, lab.DS389Policy{MaxFailure: 4, LockoutDuration: time.Hour, MaxAge: 24 * time.Hour, TrackUpdate: true}, 20, true)
	t.Run("proving leaves no failure behind", w.provingLeavesNoFailureBehind)
	t.Run("no login moves the change mark", w.noLoginMovesTheMark)
	t.Run("a consumer that lags still accepts the old value", w.laggingConsumer)
	t.Run("a reset that must be changed is not accepted", w.resetThatMustBeChanged)
	t.Run("refusals say what is missing", w.refusals)
}

func (w *world389) provingLeavesNoFailureBehind(t *testing.T) {
	a := w.open(t, w.conf())
	c, old := w.credential(t)
	acc, next := account(t, a, c), fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, old))
	w.await(t)
	// Far more often than passwordMaxFailure allows in a row. Each server
	// counts for itself.
	for range 5 {
		for _, s := range []*lab.DS389{w.supplier, w.consumer} {
			require.Equal(t, protocol.Refused, try(t, a, s.LDAPS(), acc, old))
			require.Equal(t, "1", w.attr(t, s, c.Name, "passwordRetryCount"), "the server counts it")
			require.Equal(t, protocol.Accepted, try(t, a, s.LDAPS(), acc, next))
			require.Equal(t, "0", w.attr(t, s, c.Name, "passwordRetryCount"))
		}
	}
}

// Each of these changes the entry or what is known of it, and none is a change
// of the password.
func (w *world389) noLoginMovesTheMark(t *testing.T) {
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

func (w *world389) laggingConsumer(t *testing.T) {
	for name, track := range map[string]string{"pwdUpdateTime kept": "on", "not kept": "off"} {
		t.Run(name, func(t *testing.T) {
			w.policy(t, "passwordTrackUpdateTime", track)
			defer w.policy(t, "passwordTrackUpdateTime", "on")
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

			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			require.NoError(t, w.consumer.ResumeReplication(ctx))
			require.Equal(t, protocol.Refused, try(t, a, w.consumer.LDAPS(), acc, old))
			require.Equal(t, protocol.Accepted, try(t, a, w.consumer.LDAPS(), acc, next))
			caughtUp, err := a.Account(t.Context(), w.consumer.LDAPS(), c)
			require.NoError(t, err)
			require.Equal(t, account(t, a, c).Changed, caughtUp.Changed, "marks compare between servers")
		})
	}
}

// passwordMustChange: the bind with the new value succeeds, and everything else
// is refused. That is not a value consumers can use.
func (w *world389) resetThatMustBeChanged(t *testing.T) {
	w.policy(t, "passwordMustChange", "on")
	defer w.policy(t, "passwordMustChange", "off")
	for name, row := range map[string]struct {
		change func(*config.Directory)
		want   protocol.Reply
	}{
		"administrator by replace": {func(*config.Directory) {}, protocol.MustChange},
		"writer by exop":           {func(d *config.Directory) { d.Bind.DN, d.Set = w.supplier.WriterDN, "exop" }, protocol.MustChange},
		"writer by replace":        {func(d *config.Directory) { d.Bind.DN = w.supplier.WriterDN }, protocol.Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			d := w.conf()
			row.change(&d)
			a := w.open(t, d)
			c, old := w.credential(t)
			acc, next := account(t, a, c), fresh(t, a)
			require.NoError(t, a.Set(t.Context(), acc, next, old))
			w.await(t)
			for _, s := range a.Servers() {
				require.Equal(t, row.want, try(t, a, s, acc, next))
				require.Equal(t, protocol.Refused, try(t, a, s, acc, old))
			}
		})
	}
}

func (w *world389) refusals(t *testing.T) {
	a := w.open(t, w.conf())
	set := func(a *Authority, c credential.Credential) error {
		return a.Set(t.Context(), account(t, a, c), fresh(t, a), credential.Secret{})
	}
	t.Run("rights that end at a branch", func(t *testing.T) {
		requireStop(t, set(a, w.credentialOf(t, w.supplier.WriterDN)), protocol.ReasonRights, "may not write userPassword")
	})
	t.Run("a consumer as the write server", func(t *testing.T) {
		d := w.conf()
		d.Servers = []string{w.consumer.LDAPS(), w.supplier.LDAPS()}
		c, _ := w.credential(t)
		requireStop(t, set(w.open(t, d), c), protocol.ReasonReadOnly, "replica")
	})
	t.Run("the own identity", func(t *testing.T) {
		_, err := a.Account(t.Context(), a.Servers()[0], w.credentialOf(t, w.supplier.BinderDN))
		requireStop(t, err, protocol.ReasonSelf, "bind.dn")
	})
	t.Run("an entry that can have no password", func(t *testing.T) {
		dn := "cn=printer," + w.supplier.PeopleDN()
		w.change(t, func(conn *ldap.Conn) error {
			add := ldap.NewAddRequest(dn, nil)
			add.Attribute("objectClass", []string{"device"})
			return conn.Add(add)
		})
		requireStop(t, set(a, w.credentialOf(t, dn)), protocol.ReasonRights, "cannot hold")
	})
	t.Run("another entry under the old name", func(t *testing.T) {
		c, old := w.credential(t)
		acc := account(t, a, c)
		w.change(t, func(conn *ldap.Conn) error {
			return conn.ModifyDN(ldap.NewModifyDNRequest(c.Name, "uid=renamed", true, ""))
		})
		moved := account(t, a, c)
		require.NotEqual(t, acc.Name, moved.Name)
		require.True(t, directory.SameDN(moved.Name, "uid=renamed,"+w.supplier.PeopleDN()))
		require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], moved, old))
		_, err := a.Try(t.Context(), a.Servers()[0], kind.Account{Subject: c.Subject, Name: c.Name}, old)
		require.ErrorContains(t, err, "renamed", "the refusal of a name that is gone proves nothing")
	})
}
