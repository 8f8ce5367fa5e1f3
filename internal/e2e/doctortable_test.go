package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/vault"
)

// says: doctor ends with code 1, and of all that it looks at one kind of thing
// is wrong, with these words and this advice.
func says(t *testing.T, u *user, what, detail, do string) {
	t.Helper()
	wrong, code := diagnose(t, u)
	require.Equal(t, 1, code)
	require.NotEmpty(t, wrong)
	for _, d := range wrong {
		require.Equal(t, what, d.What, "%+v", d)
		require.Regexp(t, detail, d.Detail)
		require.Contains(t, d.Do, do)
	}
	text := u.run("doctor").out
	require.Contains(t, text, "WRONG")
	require.NotContains(t, text, ", 0 wrong")
}

// What doctor and plan once called in order, and then stopped a campaign or
// kept it from its end.
func TestWhatWouldStopARunIsSaidByDoctorAndPlanBeforeIt(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Tagged: 1, Replica: true})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file) // an administrator, who may do everything
	api := e.Vault.Client()

	t.Run("init never ran", func(t *testing.T) {
		says(t, u, "vault own mount", "there is no KV v2 mount rollcall/: Rollcall was not set up here", "run `rollcall init`")
		for _, command := range []string{"plan", "run"} {
			r := u.run(command)
			require.Equal(t, 1, r.code, r.out+r.err)
			require.Contains(t, r.out+r.err, "Rollcall was not set up here", command)
		}
	})
	u.must("init")
	wrong, code := diagnose(t, u)
	require.Empty(t, wrong)
	require.Zero(t, code)

	t.Run("there is no mount for new values", func(t *testing.T) {
		elsewhere := u.edited("sources:\n", "vault: {adopt: \"secret/rollcall/{directory}/{account}#password\"}\nsources:\n")
		wrong, code := diagnose(t, elsewhere)
		require.Equal(t, 1, code)
		require.Equal(t, "vault new paths", wrong[0].What)
		require.Contains(t, wrong[0].Detail, "Vault has no mount for secret/rollcall/")
		require.Contains(t, wrong[0].Do, "vault: {adopt:")
		r := elsewhere.run("plan")
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.out+r.err, "secret/rollcall", "plan names the place that is not there")
	})

	t.Run("accounts that refuse every login", func(t *testing.T) {
		admin, err := e.Slapd.AdminConn(t.Context())
		require.NoError(t, err)
		defer admin.Close()
		for uid, is := range map[string][2]string{"svc-esg-0001": {"pwdAccountLockedTime", "000001010000Z"}, "svc-esg-0002": {"pwdEndTime", "20200101000000Z"}} {
			dn := e.Slapd.AccountDN(uid)
			set := func(values ...string) {
				m := ldap.NewModifyRequest(dn, nil)
				m.Replace(is[0], values)
				require.NoError(t, admin.Modify(m))
			}
			set(is[1])
			defer set()
		}
		text := u.run("doctor").out
		require.Regexp(t, `note +credentials +5 credentials.*2 would stay open as listed \(1 expired, 1 locked\): rollcall plan says which`, text)
		r := u.run("plan")
		require.Equal(t, 1, r.code, r.out)
		require.Regexp(t, `stays open: locked \(1\): The account is locked\n +uid=svc-esg-0001,`, r.out)
		require.Regexp(t, `stays open: expired \(1\): .*\n +uid=svc-esg-0002,`, r.out)
		require.Contains(t, r.err, "2 of 5 cannot be rotated as listed and would stay open: uid=svc-esg-000")
		require.Contains(t, r.err, "(locked)")
		require.Contains(t, r.err, "(expired)")
	})

	t.Run("a replica whose clock is ten minutes off", func(t *testing.T) {
		late := u.edited(e.Replica.LDAPS(), relayed(t, e, e.Replica.LDAPS(), e.Slapd.CA, "127.0.0.1", 10*time.Minute))
		says(t, late, "clock", `the server's clock differs from ours by (10m|9m5\d)`, "NTP")
	})

	t.Run("a clock that is not shown", func(t *testing.T) {
		require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"infra/partner": {"password": e.Slapd.PartnerPassword}}))
		text := u.edited(e.Slapd.BinderDN, e.Slapd.PartnerDN).edited("kv/infra/rollcall-bind#", "kv/infra/partner#").run("doctor").out
		require.Equal(t, 2, strings.Count(text, "the server's time (cn=Monitor) is not shown to bind.dn"), text)
		require.Regexp(t, `not checked +clock +the server's time \(.*cn=Monitor\) is not shown to bind.dn`, text)
	})

	t.Run("no room for the ledger", func(t *testing.T) {
		disk, mounted := noRoom(t)["a full disk"]
		if !mounted {
			disk.dir = filepath.Join(e.Dir, "no-folder")
			require.NoError(t, os.WriteFile(disk.dir, nil, 0o600))
			says(t, u.edited("sources:\n", "ledger: {dir: \""+disk.dir+"\"}\nsources:\n"), "folder", "is no folder", "ledger.dir")
			return
		}
		says(t, u.edited("sources:\n", "ledger: {dir: \""+disk.dir+"\"}\nsources:\n"), "folder", "0 MiB free; this campaign may take", "make room")
	})

	for name, most := range map[string]string{"a token that ends in five minutes": "5m", "a token that cannot last": "1h"} {
		t.Run(name, func(t *testing.T) {
			yes := true
			made, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{
				Policies: []string{vault.WorkerPolicy, vault.LedgerPolicy}, TTL: "5m", ExplicitMaxTTL: most, Renewable: &yes})
			require.NoError(t, err)
			says(t, u.edited("deadline: 2s", "deadline: 4h").with("VAULT_TOKEN="+made.Auth.ClientToken), "vault login",
				`the token (can be renewed for|ends in) .*the campaign may take 4h`, "use an AppRole")
		})
	}

	t.Run("the file has changed since init", func(t *testing.T) {
		require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"more/one": {"password": "x"}}))
		made, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{vault.WorkerPolicy, vault.LedgerPolicy}, TTL: "1h"})
		require.NoError(t, err)
		more := u.edited("sources:\n", "sources:\n  - {name: more, type: vault-kv, prefix: kv/more}\n")
		wrong, code := diagnose(t, more.with("VAULT_TOKEN="+made.Auth.ClientToken))
		require.Equal(t, 1, code)
		require.Equal(t, "vault rights", wrong[0].What)
		require.Contains(t, wrong[0].Detail, "is missing on kv/")
		require.Contains(t, wrong[0].Do, "if it has it, run `rollcall init` again with this campaign file")
		// Of the role it is said whoever asks, the administrator too.
		r := more.run("doctor", "--as", "worker")
		require.Equal(t, 1, r.code, r.out)
		require.Regexp(t, `WRONG +vault rights .*is missing on kv/`, r.out)
		require.Equal(t, 1, strings.Count(r.out, "WRONG"), "one line for all paths: %s", r.out)
	})
	requireUntouched(t, e)
}

// Temporal shows a worker for as long as it may be in the middle of asking.
func TestDoctorSaysWhatItCannotKnowOfWorkersThatWereKilledAMomentAgo(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	c := startCluster(t, e, file)
	worker, records := c.worker(), c.ledgerWorker()
	require.Eventually(t, func() bool { return c.admin.run("doctor").code == 0 }, patience, tick)
	worker.kill()
	records.kill()
	require.Regexp(t, `ok +workers +there are some to rotate, which last asked for work (\d+m)?\d+s ago, and one for the ledger, (\d+m)?\d+s ago; whether one was killed since then shows only 1m20s after it asked last`,
		c.admin.run("doctor").out)
	// Whoever runs a campaign all the same is told at once that nothing is
	// done.
	_, said := c.begin("run")
	requireSoon(t, "nobody serves it", said, func() bool {
		return strings.Contains(said.String(), "waiting: no worker takes up what lies there since ")
	})
}
