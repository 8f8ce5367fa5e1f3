package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind/ldappassword"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/gate"
)

// 389 Directory Server answers as for a locked account where its rules for
// temporary passwords keep what an administrator sets from being used yet. It
// is told as what it is, in each pass and by each process, one account is set,
// and once the rule is gone all are.
func TestARuleForTemporaryPasswordsIsNoLock(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	r := &real{T: t, ca: ca, accounts: lab.SeedAccounts("svc", 4), store: newShelf(), meddle: func(string, string) {}}
	ds, err := lab.StartDS389(ctx, lab.DS389Options{Dir: t.TempDir(), CA: ca, Accounts: r.accounts})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ds.Stop(context.Background())) })
	admin, err := ds.AdminConn(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	policy := func(mustChange, validFrom string) {
		m := ldap.NewModifyRequest("cn=config", nil)
		m.Replace("passwordMustChange", []string{mustChange})
		m.Replace("passwordTPRDelayValidFrom", []string{validFrom})
		require.NoError(t, admin.Modify(m))
	}
	policy("on", "3600")

	c, err := directory.Open("unix", config.Directory{
		Driver: config.DS389, Servers: []string{ds.LDAPS()}, Base: ds.BaseDN(), CA: ds.CA, Set: "replace", Connections: 4, Timeout: config.Duration(time.Minute),
		Bind: config.Bind{DN: ds.BinderDN, Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
	}, func(context.Context) (credential.Secret, error) { return credential.NewSecret(ds.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	var cs []credential.Credential
	for _, a := range r.accounts {
		got, err := admin.Search(ldap.NewSearchRequest(ds.AccountDN(a.UID), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"nsUniqueId"}, nil))
		require.NoError(t, err)
		id := got.Entries[0].GetEqualFoldAttributeValue("nsUniqueId")
		p := credential.Path{Mount: "kv", Path: "apps/" + a.UID, Field: "password"}
		r.store.put(p, a.Password)
		cs = append(cs, credential.Credential{ID: "unix/" + id, Kind: credential.LDAPPassword, Authority: "unix", Subject: id, Name: ds.AccountDN(a.UID), Paths: []credential.Path{p}, Named: []credential.Path{p}})
	}
	brake, n := gate.NewBrake(), 0
	pass := func() (out []Applied) {
		n++
		rot := &Rotator{Store: r.store, Authority: ldappassword.New(c, config.PasswordPolicy{}, nil), Campaign: us, Pass: n, Now: time.Now, Cache: NewPreparedCache(), Brake: brake}
		var verdicts []Verdict
		for _, c := range cs {
			p := rot.Prepare(ctx, c)
			require.Nil(t, p.Stop)
			out = append(out, rot.Apply(ctx, c, p.Attempt, p.Fresh))
		}
		for i := range out {
			verdicts = append(verdicts, Verdict{cs[i], &out[i]})
		}
		rot.Confirm(ctx, verdicts)
		return out
	}
	for range 3 {
		for i, a := range pass() {
			require.NotNil(t, a.Stop)
			if i > 0 {
				require.Equal(t, protocol.ReasonHeldBack, a.Stop.Reason, a.Stop.Detail)
				require.Contains(t, a.Stop.Detail, "passwordTPRDelayValidFrom")
				continue
			}
			require.Equal(t, protocol.ReasonRestricted, a.Stop.Reason, a.Stop.Detail)
			require.Contains(t, a.Stop.Detail, "its entry shows no lock")
		}
	}
	policy("off", "-1")
	reset := ldap.NewModifyRequest(cs[0].Name, nil) // what it was set to keeps the mark
	reset.Replace("userPassword", []string{r.store.staged[cs[0].ID].Secret.Reveal()})
	require.NoError(t, admin.Modify(reset))
	for i, a := range pass() {
		require.True(t, a.Dead(), "%d: %+v", i, a.Stop)
	}
}
