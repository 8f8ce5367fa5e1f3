package e2e

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// An account that cannot be rotated ends as an exception with its reason: it is
// told, it is left as it was, and the others are rotated all the same.
func TestAccountsThatCannotBeRotatedAreLeftAsTheyAreAndToldWithTheReason(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 8, Bystanders: 1, Policy: strict})
	e.Directory = waitsLong
	c := &controlled{}
	c.directory, c.store = proxied(t, e)
	file, err := e.CampaignFile([]string{c.directory.URL()}, "limits: {retry_min: 100ms, retry_max: 200ms, deadline: 1s, batch: 50, parallel: 1, concurrency: 1}\n")
	require.NoError(t, err)
	c.cluster = startCluster(t, e, file)
	c.ledgerWorker()
	c.serve(append(c.admin.env, "VAULT_ADDR="+c.store.URL(), vaultWaitsLong), binary, "worker")

	conn, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	t.Run("an identity without the right to reset", func(t *testing.T) {
		reader := "cn=reader,ou=services,dc=example,dc=org"
		put(t, conn, reader, "a-reader")
		c.refusedBy(t, reader, "a-reader", protocol.ReasonRights, "manage on userPassword", 8)
	})
	const locked, twice = "svc-esg-0002", "svc-esg-0003"
	change := ldap.NewModifyRequest(e.Slapd.AccountDN(locked), nil)
	change.Replace("pwdAccountLockedTime", []string{"000001010000Z"}) // for ever: slapo-ppolicy(5)
	require.NoError(t, conn.Modify(change))
	put(t, conn, "uid="+twice+",ou=sealed,dc=example,dc=org", "a-namesake")
	listed := decode[credential.Roll](t, c.admin.run("list", "-o", "json").out).Credentials
	require.Len(t, listed, 9, "the campaign before knew one account by its id, of which the name means two now")
	var sound []string
	for _, cr := range listed {
		if !strings.Contains(cr.Name, locked) && !strings.Contains(cr.Name, twice) {
			sound = append(sound, cr.Name)
		}
	}
	goneDN := sound[len(sound)-1] // while the first one is held

	// What the run would leave open is said before it, with what was seen.
	plan := c.admin.run("plan").out // a certificate of the lab is about to end
	require.Regexp(t, `stays open: locked \(1\): .*\n +uid=`+locked, plan)
	require.Regexp(t, `stays open: ambiguous \(1\): .*\n +`+twice+` at `+e.Live[e.ID(twice)].String(), plan)
	require.Contains(t, plan, "ou=sealed", "the accounts that it may be")

	run, campaign, release := c.runUntil(protocol.Precheck)
	require.NoError(t, conn.Del(ldap.NewDelRequest(goneDN, nil)))
	release()
	ended := run.wait()
	require.Equal(t, 2, ended.code, ended.out+ended.err)
	state := c.state(campaign)
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, deaths(t, state), 5)
	for _, l := range state.Credentials {
		want := protocol.Reason("")
		switch {
		case strings.Contains(l.Name, locked):
			want = protocol.ReasonLocked
		case l.Name == twice:
			want = protocol.ReasonAmbiguous
		case strings.Contains(l.Name, twice):
			want = protocol.ReasonSharedPath
		case l.Name == goneDN:
			want = protocol.ReasonGone
		default:
			require.Equal(t, ledger.Dead, l.Outcome, l.Name)
			continue
		}
		require.Equal(t, ledger.IsException, l.Outcome, l.Name)
		require.Equal(t, want, l.Reason, l.Name)
	}
	text := c.must("report", "--ledger", c.ledgers+"/"+campaign)
	for _, why := range []string{"The account is locked", "More than one account matches", "The account disappeared after it was listed"} {
		require.Contains(t, text, why)
	}
	for _, uid := range []string{locked, twice} {
		require.Equal(t, 1, versions(t, e.Vault.Client(), e.Live[e.ID(uid)]), uid)
	}
	require.True(t, binds(t, e, e.Slapd.LDAPS(), e.Slapd.AccountDN(twice), live(t, e, e.Live[e.ID(twice)])))

	t.Run("a directory whose policy refuses the reset", func(t *testing.T) {
		// Five accounts were set a moment ago, and this identity is bound by
		// the minimum age.
		c.refusedBy(t, e.Slapd.WriterDN, e.Slapd.WriterPassword, protocol.ReasonPolicy, "pwdMinAge", 5)
	})
	requireBystandersUntouched(t, e)
}

// refusedBy runs a campaign as an identity whose resets the directory refuses.
// It ends with n exceptions for the reason.
func (c *controlled) refusedBy(t *testing.T, dn, password string, want protocol.Reason, detail string, n int) {
	t.Helper()
	require.NoError(t, c.e.Vault.SeedKV(t.Context(), map[string]map[string]any{"infra/lesser": {"password": password}}))
	u := c.admin.edited("dn: "+c.e.Slapd.BinderDN+"\n      password: kv/infra/rollcall-bind#", "dn: "+dn+"\n      password: kv/infra/lesser#")
	before := c.versions()
	ended := u.run("run")
	require.Equal(t, 2, ended.code, ended.out+ended.err)
	all := c.campaigns()
	state := c.state(all[len(all)-1])
	told := 0
	for _, l := range state.Credentials {
		if l.Reason == want {
			require.Equal(t, ledger.IsException, l.Outcome)
			require.Equal(t, before[l.ID], versions(t, c.e.Vault.Client(), c.e.Live[l.ID]), "consumers of %s read something else", l.Name)
			require.True(t, binds(t, c.e, c.e.Slapd.LDAPS(), l.Name, live(t, c.e, c.e.Live[l.ID])), l.Name)
			require.Contains(t, l.Detail, detail)
			require.NotEmpty(t, l.Server)
			told++
		}
	}
	require.Equal(t, n, told)
}

// put adds an entry that can log in.
func put(t *testing.T, conn *ldap.Conn, dn, password string) {
	t.Helper()
	rdn, _, _ := strings.Cut(dn, ",")
	name, value, _ := strings.Cut(rdn, "=")
	add := ldap.NewAddRequest(dn, nil)
	if name == "uid" {
		add.Attribute("objectClass", []string{"inetOrgPerson"})
		add.Attribute("sn", []string{value})
		add.Attribute("uid", []string{value})
	} else {
		add.Attribute("objectClass", []string{"organizationalRole", "simpleSecurityObject"})
	}
	add.Attribute("cn", []string{value})
	add.Attribute("userPassword", []string{password})
	require.NoError(t, conn.Add(add))
}
