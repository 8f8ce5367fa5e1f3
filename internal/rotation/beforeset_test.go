package rotation

import (
	"context"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// What keeps an account from being rotated at the listing may come about after
// it: what is read before Set tells, whether or not another process prepared.
func TestWhatAnEntryHasBecomeSinceTheListingKeepsItFromBeingSet(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}})
	set := func(value string) func(*ldap.ModifyRequest) {
		return func(m *ldap.ModifyRequest) { m.Replace("userPassword", []string{value}) }
	}
	samba := func(m *ldap.ModifyRequest) {
		m.Add("objectClass", []string{"sambaSamAccount"})
		m.Add("sambaSID", []string{"S-1-5-21-1-2-3-1001"})
	}
	for _, row := range []struct {
		name   string
		change func(*ldap.ModifyRequest)
		reason protocol.Reason
	}{
		{"another system checks it", set("{SASL}someone@realm"), protocol.ReasonCheckedElsewhere},
		{"somebody barred it", set("{SSHA}!0CB6948805F797BF"), protocol.ReasonNoPassword},
		{"a second copy", func(m *ldap.ModifyRequest) {
			samba(m)
			m.Add("sambaNTPassword", []string{"0CB6948805F797BF2A82807973B89537"})
		}, protocol.ReasonSecondCopy},
		{"a second copy by its class", samba, protocol.ReasonSecondCopy},
	} {
		for n, at := range []string{"before it was prepared", "before another process applies it"} {
			r.restore(n)
			c := r.credential(n)
			change := func() string {
				r.admin(r.slapd, func(conn *ldap.Conn) error {
					m := ldap.NewModifyRequest(c.Name, nil)
					row.change(m)
					return conn.Modify(m)
				})
				return r.attribute(r.slapd, c.Name, "userPassword")
			}
			var is string
			var stop *protocol.Stop
			if n == 0 {
				is = change()
				p := r.rotator().Prepare(t.Context(), c)
				require.Equal(t, protocol.Precheck, p.Step)
				stop = p.Stop
				_, staged, _ := r.store.ReadStaged(t.Context(), c.ID)
				require.False(t, staged, "%s: there is nothing to clean up", row.name)
			} else {
				p := r.rotator().Prepare(t.Context(), c)
				require.Nil(t, p.Stop)
				is = change()
				a := r.rotator().Apply(t.Context(), c, p.Attempt, false)
				require.False(t, a.Dead())
				stop = a.Stop
				require.NoError(t, r.store.Release(t.Context(), c.ID))
			}
			require.NotNil(t, stop, "%s %s", row.name, at)
			require.Equal(t, row.reason, stop.Reason, "%s %s: %s", row.name, at, stop.Detail)
			require.Contains(t, stop.Detail, "not so when it was listed")
			require.Equal(t, is, r.attribute(r.slapd, c.Name, "userPassword"), "nothing was set")
		}
	}

	// A person who accepted it at the listing has accepted it here.
	r.restore(2)
	c := r.credential(2)
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		m := ldap.NewModifyRequest(c.Name, nil)
		samba(m)
		return conn.Modify(m)
	})
	c.Accepted = []credential.Problem{credential.SecondCopy}
	got := r.run([]credential.Credential{c}, nothing)[0]
	require.True(t, got.Dead(), "%+v", got)

	// The kind itself sets nothing either.
	rot := r.rotator()
	account, err := rot.Authority.Account(t.Context(), r.slapd.LDAPS(), c)
	require.NoError(t, err)
	err = rot.Authority.Set(t.Context(), account, credential.NewSecret("another"), credential.Secret{})
	require.ErrorContains(t, err, string(protocol.ReasonSecondCopy))
}

// What is set already goes on: its consumers would be cut off.
func TestASecondCopyThatAppearsAfterSetKeepsNobodyFromTheNewValue(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	c := r.credential(0)
	p := r.rotator().Prepare(t.Context(), c)
	require.Nil(t, p.Stop)
	staged, _, _ := r.store.ReadStaged(t.Context(), c.ID)
	rot := r.rotator()
	account, err := rot.Authority.Account(t.Context(), r.slapd.LDAPS(), c)
	require.NoError(t, err)
	require.NoError(t, rot.Authority.Set(t.Context(), account, staged.Secret, credential.NewSecret(r.accounts[0].Password))) // and killed
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		m := ldap.NewModifyRequest(c.Name, nil)
		m.Add("objectClass", []string{"sambaSamAccount"})
		m.Add("sambaSID", []string{"S-1-5-21-1-2-3-1001"})
		return conn.Modify(m)
	})
	next := r.rotator()
	again := next.Prepare(t.Context(), c)
	require.Nil(t, again.Stop)
	got := next.Apply(t.Context(), c, again.Attempt, again.Fresh)
	require.Nil(t, got.Stop)
	now, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
	require.True(t, now.Value.Equal(staged.Secret))
}

// restore puts an account back as it was seeded.
func (r *real) restore(n int) {
	dn := r.slapd.AccountDN(r.accounts[n].UID)
	r.admin(r.slapd, func(conn *ldap.Conn) error { return conn.Del(ldap.NewDelRequest(dn, nil)) })
	r.add(dn, r.accounts[n].Password)
}

// The rootdn of a database has a password in slapd.conf besides that of its
// entry, and no reset reaches it: that is said at once, and consumers are not
// put through more values.
func TestTheOtherPasswordOfARootdnIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]bool{"shown": true, "bind.dn may not see userPassword": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{})
			dn, password := r.slapd.AdminDN, r.slapd.AdminPassword
			r.admin(r.slapd, func(conn *ldap.Conn) error {
				add := ldap.NewAddRequest(dn, nil)
				add.Attribute("objectClass", []string{"organizationalRole", "simpleSecurityObject"})
				add.Attribute("cn", []string{"admin"})
				add.Attribute("userPassword", []string{password})
				return conn.Add(add)
			})
			c := r.named(dn, "admin", password)
			r.hidden = !shown
			attempts := 1
			var got Applied
			for pass := range 4 {
				got = r.run([]credential.Credential{c}, nothing)[0]
				require.False(t, got.Dead())
				if !shown && pass == 0 {
					attempts = 2 // one more reset shows that none helps
					require.Equal(t, protocol.ReasonRestaged, got.Stop.Reason)
					continue
				}
				require.Equal(t, protocol.ReasonSecondPassword, got.Stop.Reason, "%+v", got.Stop)
				require.Contains(t, got.Stop.Detail, "olcRootPW")
			}
			now, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
			require.Equal(t, 1+attempts, now.Version, "consumers read the new value")
			require.Equal(t, attempts, got.Attempt)
			require.True(t, r.logsIn(r.slapd, dn, now.Value.Reveal()))
			require.True(t, r.logsIn(r.slapd, dn, password), "the stolen value is alive, and nobody says otherwise")
		})
	}
}

func (m meddled) Keeps(ctx context.Context, server string, a kind.Account) (int, error) {
	if m.r.hidden {
		return 0, nil
	}
	return m.Authority.Keeps(ctx, server, a)
}
