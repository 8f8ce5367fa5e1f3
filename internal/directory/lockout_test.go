package directory

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/directory/adacl"
	"rollcall/internal/lab"
)

// entryOf is an account as a client sees it.
func entryOf(t *testing.T, c *Client, server, filter string) (e Entry) {
	t.Helper()
	found := ""
	require.NoError(t, c.Search(t.Context(), server, "", filter, nil, func(e Entry) error {
		found = e.ID
		return nil
	}))
	e, ok, err := c.ByID(t.Context(), server, found, "")
	require.NoError(t, err)
	require.True(t, ok)
	return e
}

func lockNotes(checks []Check) (out []string) {
	for _, k := range checks {
		if k.What == noteLockout {
			out = append(out, k.Detail)
		}
	}
	return out
}

// The policy that locks an account commonly lies beside the branch that the
// campaign is about.
func TestAPolicyBesideBaseCounts(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}, Accounts: lab.SeedAccounts("svc", 2)})
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	conf := configOf(s)
	conf.Base = s.PeopleDN()
	c := open(t, conf, s.BinderPassword)
	require.Equal(t, Locks{Most: 3, Guessed: true}, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0001)")))

	strict := "cn=strict,ou=sealed," + s.BaseDN()
	add := ldap.NewAddRequest(strict, nil)
	add.Attribute("objectClass", []string{"device", "pwdPolicy"})
	add.Attribute("pwdAttribute", []string{"userPassword"})
	add.Attribute("pwdLockout", []string{"TRUE"})
	add.Attribute("pwdMaxFailure", []string{"2"})
	require.NoError(t, admin.Add(add))
	own := ldap.NewModifyRequest(s.AccountDN("svc0002"), nil)
	own.Replace("pwdPolicySubentry", []string{strict})
	require.NoError(t, admin.Modify(own))

	c = open(t, conf, s.BinderPassword)
	require.Equal(t, Locks{Most: 2, Guessed: true}, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0001)")), "which one is the default is not shown: the strictest")
	require.Equal(t, Locks{Most: 2}, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0002)")))

	// Nobody but the binder is shown what is sealed.
	conf.Bind.DN = s.WriterDN
	c = open(t, conf, s.WriterPassword)
	require.Equal(t, Locks{Most: 2, Hidden: true}, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0002)")))

	// With the overlay there may be a policy, and none is shown.
	require.NoError(t, admin.Del(ldap.NewDelRequest("cn=default,ou=policies,"+s.BaseDN(), nil)))
	require.NoError(t, admin.Del(ldap.NewDelRequest("cn=services,ou=policies,"+s.BaseDN(), nil)))
	c = open(t, conf, s.WriterPassword)
	require.Equal(t, Locks{Most: 2, Hidden: true}, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid=svc0001)")))
	require.Contains(t, lockNotes(c.Check(t.Context())), "which policy locks accounts after wrong logins, or whether there is another than is shown, is not shown to bind.dn: "+
		"it is taken to lock at the 2nd, so of several stored values one is offered before a reset, and none where somebody has used up that one (near-lock); give bind.dn "+openLDAP{}.showLocks())
}

// A policy that is shown without what it says is none that locks nobody.
func TestAPolicyOfWhichOnlyTheObjectClassShowsIsHidden(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{BareSealed: true, Policy: lab.SlapdPolicy{MaxFailure: 3}, Accounts: lab.SeedAccounts("svc", 2)})
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	sealed := "cn=strict,ou=sealed," + s.BaseDN()
	add := ldap.NewAddRequest(sealed, nil)
	add.Attribute("objectClass", []string{"device", "pwdPolicy"})
	add.Attribute("pwdAttribute", []string{"userPassword"})
	add.Attribute("pwdLockout", []string{"TRUE"})
	add.Attribute("pwdMaxFailure", []string{"2"})
	require.NoError(t, admin.Add(add))
	own := ldap.NewModifyRequest(s.AccountDN("svc0002"), nil)
	own.Replace("pwdPolicySubentry", []string{sealed})
	require.NoError(t, admin.Modify(own))
	conf := configOf(s)
	conf.Bind.DN = s.WriterDN
	c := open(t, conf, s.WriterPassword)
	for _, uid := range []string{"svc0001", "svc0002"} {
		require.True(t, c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid="+uid+")")).Hidden, "which one is the default is not shown")
	}
}

// On 389 Directory Server cn=config is commonly shown to nobody, and a policy
// of some accounts is an entry that a plain search does not show.
func TestPoliciesOf389DirectoryServerCountWhereverTheyLie(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartDS389(ctx, lab.DS389Options{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 2), Policy: lab.DS389Policy{MaxFailure: 3}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	local := "cn=strict,ou=services," + s.BaseDN()
	add := ldap.NewAddRequest(local, nil)
	add.Attribute("objectClass", []string{"ldapsubentry", "passwordpolicy"})
	add.Attribute("passwordLockout", []string{"on"})
	add.Attribute("passwordMaxFailure", []string{"5"})
	require.NoError(t, admin.Add(add))
	own := ldap.NewModifyRequest(s.AccountDN("svc0002"), nil)
	own.Replace("pwdPolicySubentry", []string{local})
	require.NoError(t, admin.Modify(own))
	setConfig := func(name string, values ...string) {
		req := ldap.NewModifyRequest("cn=config", nil)
		req.Replace(name, values)
		require.NoError(t, admin.Modify(req))
		require.NoError(t, s.AwaitIdle(t.Context()))
	}
	conf := config389(s)
	conf.Base = s.PeopleDN()
	look := func(uid string) Locks {
		c := open(t, conf, s.BinderPassword)
		return c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(uid="+uid+")"))
	}
	hidden := Locks{Most: 2, Hidden: true}
	require.Equal(t, hidden, look("svc0001"))
	require.Equal(t, hidden, look("svc0002"), "whether it is in force stands in cn=config")
	require.NotEmpty(t, lockNotes(open(t, conf, s.BinderPassword).Check(t.Context())))

	setConfig("aci", `(targetattr="objectClass || passwordLockout || passwordMaxFailure || nsslapd-pwpolicy-local")(version 3.0; acl "shown"; allow (read, search, compare) userdn="ldap:///`+s.BinderDN+`";)`)
	require.Equal(t, Locks{Most: 3}, look("svc0001"))
	setConfig("nsslapd-pwpolicy-local", "off")
	require.Equal(t, Locks{Most: 3}, look("svc0002"), "local ones are not in force")
	setConfig("nsslapd-pwpolicy-local", "on")
	require.Equal(t, Locks{Most: 5}, look("svc0002"))
	require.Equal(t, Locks{Most: 3}, look("svc0001"))
	setConfig("passwordLockout", "off")
	require.Equal(t, Locks{}, look("svc0001"), "none locks")
	require.Empty(t, lockNotes(open(t, conf, s.BinderPassword).Check(t.Context())))
}

// fineGrained: a fine-grained policy locks sooner than the domain's. Who may
// not see the container knows nothing of it.
func fineGrained(t *testing.T, s *lab.Samba) {
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	at := "CN=strict,CN=Password Settings Container,CN=System," + s.BaseDN()
	dn := s.AccountDN("svc0001")
	add := ldap.NewAddRequest(at, nil)
	for name, value := range map[string]string{
		"objectClass": "msDS-PasswordSettings", "msDS-PasswordSettingsPrecedence": "1", "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
		"msDS-PasswordHistoryLength": "0", "msDS-PasswordComplexityEnabled": "FALSE", "msDS-MinimumPasswordLength": "7", "msDS-MinimumPasswordAge": "0",
		"msDS-MaximumPasswordAge": "-9223372036854775808", "msDS-LockoutThreshold": "1", "msDS-LockoutObservationWindow": "-18000000000",
		"msDS-LockoutDuration": "-18000000000", "msDS-PSOAppliesTo": dn,
	} {
		add.Attribute(name, []string{value})
	}
	require.NoError(t, admin.Add(add))
	look := func(bind, password, account string) Locks {
		conf := domainOf(s)
		conf.Bind.DN = bind
		c := open(t, conf, password)
		return c.Locks(t.Context(), s.LDAPS(), entryOf(t, c, s.LDAPS(), "(sAMAccountName="+account+")"))
	}
	require.Equal(t, Locks{Most: 1}, look(s.AdminDN, s.AdminPassword, "svc0001"))
	require.Equal(t, Locks{Most: 3}, look(s.AdminDN, s.AdminPassword, "svc0002"), "no fine-grained policy holds for it, which is shown")
	require.Contains(t, strings.Join(lockNotes(adminOf(t, s).Check(t.Context())), "\n"), "the fine-grained policy "+at+", for each account that it holds for")
	require.Equal(t, Locks{Most: 2, Hidden: true}, look(s.BinderDN, s.BinderPassword, "svc0001"))
	require.NotEmpty(t, lockNotes(open(t, domainOf(s), s.BinderPassword).Check(t.Context())))
	windows(t, s)
	// One that somebody has brought nearer to its lock is asked which policy is
	// its own.
	for _, account := range []string{"svc0001", "svc0002", "svc0003"} {
		look := open(t, domainOf(s), s.BinderPassword)
		require.Equal(t, account == "svc0001", entryOf(t, look, s.LDAPS(), "(sAMAccountName="+account+")").First("msDS-ResultantPSO") != "", "it is named, whoever may read it")
	}
	require.NoError(t, s.AddACE(t.Context(), s.AccountDN("svc0003"), s.BinderDN, "(OD;;RP;"+adacl.ResultantPSO+";;%s)"))
	require.NoError(t, s.AddACE(t.Context(), s.AccountDN("svc0003"), s.AdminDN, "(OD;;RP;"+adacl.ResultantPSO+";;%s)"))
	require.Equal(t, Locks{Most: 1, Guessed: true}, look(s.AdminDN, s.AdminPassword, "svc0003"), "whether one holds is not shown: the strictest there is")
	for _, account := range []string{"svc0002", "svc0003"} {
		conn, err := s.AdminConn(t.Context())
		require.NoError(t, err)
		require.Error(t, conn.Bind(s.AccountDN(account), "somebody-elses-guess"))
		require.NoError(t, conn.Close())
	}
	require.Equal(t, Locks{Most: 3, Failed: 1}, look(s.BinderDN, s.BinderPassword, "svc0002"), "no fine-grained policy holds for it")
	require.Equal(t, Locks{Most: 2, Failed: 1, Hidden: true}, look(s.BinderDN, s.BinderPassword, "svc0003"), "that may be so, and is not shown")
	require.NoError(t, admin.Del(ldap.NewDelRequest(at, nil)))
	require.Equal(t, Locks{Most: 3}, look(s.AdminDN, s.AdminPassword, "svc0001"))
}

func adminOf(t *testing.T, s *lab.Samba) *Client {
	conf := domainOf(s)
	conf.Bind.DN = s.AdminDN
	return open(t, conf, s.AdminPassword)
}

// windows: the fine-grained policy and the domain's both have half an hour, as
// they are shown, and where one is hidden none is known.
func windows(t *testing.T, s *lab.Samba) {
	conf := domainOf(s)
	binder := open(t, conf, s.BinderPassword)
	conf.Bind.DN = s.AdminDN
	admin := open(t, conf, s.AdminPassword)
	for account, window := range map[string]time.Duration{"svc0001": 30 * time.Minute, "svc0002": 30 * time.Minute} {
		l, _, err := activeDirectory{}.locks(t.Context(), admin, s.LDAPS(), entryOf(t, admin, s.LDAPS(), "(sAMAccountName="+account+")"))
		require.NoError(t, err)
		require.Equal(t, window, l.window, account)
		e := entryOf(t, binder, s.LDAPS(), "(sAMAccountName="+account+")")
		l, _, err = activeDirectory{}.locks(t.Context(), binder, s.LDAPS(), e)
		require.NoError(t, err)
		require.Zero(t, l.window, account)
	}
}

// What somebody else got wrong long ago keeps nobody from a new value.
func TestWrongLoginsOfADomainCountNoMoreOnceTheirWindowIsOver(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) Entry {
		since := (now.Add(-ago).Unix() + 11644473600) * 1e7
		return Entry{Attrs: map[string][]string{"badPwdCount": {"2"}, "badPasswordTime": {strconv.FormatInt(since, 10)}}}
	}
	const window = 30 * time.Minute
	require.Equal(t, "2", failuresAD(at(29*time.Minute), window, now))
	require.Equal(t, "2", failuresAD(at(30*time.Minute+30*time.Second), window, now), "clocks may differ by that")
	require.Equal(t, "0", failuresAD(at(32*time.Minute), window, now))
	require.Equal(t, "2", failuresAD(at(1000*time.Hour), 0, now), "the window is not shown, or has no end")
	require.Equal(t, "2", failuresAD(Entry{Attrs: map[string][]string{"badPwdCount": {"2"}}}, window, now), "when that was is not shown")
	require.Equal(t, "2", failuresAD(Entry{Attrs: map[string][]string{"badPwdCount": {"2"}, "badPasswordTime": {"0"}}}, window, now))
	require.Zero(t, span("0"))
	require.Zero(t, span("-9223372036854775808"))
	require.Equal(t, window, span("-18000000000"))
}
