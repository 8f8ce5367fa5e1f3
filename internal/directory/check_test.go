package directory

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

func byWhat(checks []Check) map[string]Check {
	m := map[string]Check{}
	for _, c := range checks {
		m[c.What] = c
	}
	return m
}

func TestCheckOfAServerInOrder(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("user", 3)})
	got := byWhat(open(t, configOf(s), s.BinderPassword).Check(t.Context()))
	for _, what := range []string{"connect", "certificate", "bind", "base", "policy", "rights", "clock"} {
		require.Contains(t, got, what)
		require.True(t, got[what].OK, "%+v", got[what])
		require.Equal(t, s.LDAPS(), got[what].Server)
		require.Empty(t, got[what].Do)
	}
}

func TestCheckSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("user", 3)})
	other, err := lab.NewCA()
	require.NoError(t, err)

	t.Run("certificate of another CA", func(t *testing.T) {
		d := configOf(s)
		d.CA = string(other.PEM)
		got := byWhat(open(t, d, s.BinderPassword).Check(t.Context()))
		require.Len(t, got, 1)
		require.False(t, got["connect"].OK)
		require.Contains(t, got["connect"].Detail, "is not trusted")
	})
	t.Run("plain port taken for LDAPS", func(t *testing.T) {
		d := configOf(s)
		d.Servers = []string{"ldaps" + s.LDAP()[len("ldap"):]}
		got := byWhat(open(t, d, s.BinderPassword).Check(t.Context()))
		require.False(t, got["connect"].OK)
	})
	t.Run("wrong password", func(t *testing.T) {
		got := byWhat(open(t, configOf(s), "wrong").Check(t.Context()))
		require.True(t, got["connect"].OK)
		require.False(t, got["bind"].OK)
		require.NotEmpty(t, got["bind"].Do)
		require.NotContains(t, got, "base")
	})
	t.Run("password that Vault does not show", func(t *testing.T) {
		c, err := Open("corp", configOf(s), func(context.Context) (credential.Secret, error) {
			return credential.Secret{}, errors.New("vault: permission denied")
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		got := byWhat(c.Check(t.Context()))
		require.False(t, got["bind"].OK)
		require.Contains(t, got["bind"].Do, "let Rollcall's login read")
		require.NotContains(t, got["bind"].Do, "right password", "nobody offered one")
	})
	t.Run("password that Vault does not hold", func(t *testing.T) {
		c := open(t, configOf(s), "")
		got := byWhat(c.Check(t.Context()))
		require.True(t, got["connect"].OK)
		require.False(t, got["bind"].OK)
		require.Contains(t, got["bind"].Detail, "Vault holds no password for bind")
		require.NotContains(t, got["bind"].Detail, "does not answer", "nobody was asked")
		require.Contains(t, got["bind"].Do, "put the password of bind.dn at "+configOf(s).Bind.Password.String())
		_, err := c.Find(t.Context(), configOf(s).Servers[0], configOf(s).Base, "(objectClass=*)", nil, nil)
		require.True(t, HoldsNoPassword(err), "%v", err)
	})
	t.Run("identity without rights", func(t *testing.T) {
		d := configOf(s)
		d.Bind.DN = s.AccountDN("user0001")
		got := byWhat(open(t, d, s.SeededPassword("user0001")).Check(t.Context()))
		require.True(t, got["base"].OK)
		require.False(t, got["rights"].OK)
		require.Contains(t, got["rights"].Do, "manage")
	})
	t.Run("base that is not there", func(t *testing.T) {
		d := configOf(s)
		d.Base = "dc=example,dc=com"
		got := byWhat(open(t, d, s.BinderPassword).Check(t.Context()))
		require.False(t, got["base"].OK)
	})
	t.Run("clear text", func(t *testing.T) {
		d := configOf(s)
		d.Servers, d.Insecure = []string{s.LDAP()}, true
		got := byWhat(open(t, d, s.BinderPassword).Check(t.Context()))
		require.False(t, got["connect"].OK)
		require.True(t, got["bind"].OK)
	})
}

func TestCertificateNearItsEndIsNoticed(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for days, want := range map[int]bool{-1: false, 3: false, 13: false, 30: true} {
		ok, detail := certificateLife([]*x509.Certificate{{NotAfter: now.AddDate(0, 0, days)}}, now)
		require.Equal(t, want, ok, detail)
	}
}

// What a campaign would meet, though none of it is wrong: an account that locks
// at once, a connection that outlives the reset, and other servers' logins that
// take it back.
func TestCheckTellsWhatAPolicyMeansForACampaign(t *testing.T) {
	strict := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 2, SafeModify: true}, LastBind: true, Accounts: lab.SeedAccounts("user", 1)})
	got := byWhat(open(t, configOf(strict), strict.BinderPassword).Check(t.Context()))
	require.True(t, got[noteLockout].OK)
	require.Contains(t, got[noteLockout].Detail, "after 2 wrong logins")
	require.True(t, IsNote(noteLockout))

	got = byWhat(open(t, configOf(strict), strict.BinderPassword).Check(t.Context()))
	require.Contains(t, got["replication"].Detail, "lastbind", "the first check has logged in, as an entry that notes it")

	loose := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}, Accounts: lab.SeedAccounts("user", 1)})
	got = byWhat(open(t, configOf(loose), loose.BinderPassword).Check(t.Context()))
	require.NotContains(t, got, noteLockout)
	require.True(t, got[noteKept].OK)
	require.Contains(t, got[noteKept].Detail, "pwdSafeModify")
	require.NotContains(t, got, "replication")
}

func TestCheckTellsOfAPolicyUnderWhichNoNewValueWorks(t *testing.T) {
	t.Parallel()
	s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}, Accounts: lab.SeedAccounts("user", 1)})
	c := open(t, configOf(s), s.BinderPassword)
	var seen []Check
	for _, k := range c.Check(t.Context()) {
		if k.What == noteReset {
			seen = append(seen, k)
		}
	}
	require.Len(t, seen, 1)
	require.True(t, seen[0].OK, "there is another policy, and which is the default does not show")
	require.True(t, IsNote(seen[0].What))
	require.Contains(t, seen[0].Detail, "(pwdMustChange: TRUE) under cn=default,ou=policies,")
	require.Contains(t, seen[0].Detail, "set pwdMustChange: FALSE there")
}
