package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// A naive retry fails on such accounts: no value twice, and none within an
// hour.
var strict = lab.SlapdPolicy{History: 5, MinAge: time.Hour}

func TestACampaignEndsWithEveryStolenCredentialDeadAndTheRestListed(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 20, Replica: true, Odd: true, AppRoles: 2, Users: 1, Bystanders: 3, Plant: true, Policy: strict})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	r := startRaid(t, e)
	r.listening()

	ran := u.run("run")
	require.Equal(t, 2, ran.code, "one path has no account, and one names an account that is not the device's:\n%s%s", ran.out, ran.err)
	results := r.end()

	state := u.ledger()
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, state.Credentials, 28)
	requireAllDead(t, state, results, estate.Vanished, e.Slapd.AccountDN(estate.Planted))
	r.requireNothingOverheard(state)
	requireConsumersServed(t, e)
	require.NoError(t, e.CheckBystanders(t.Context()), "the account that the thief named, and the place where he named it, among them")
	require.Equal(t, protocol.ReasonUnproved, state.Credential(e.ID(estate.Planted)).Reason)
	requireClean(t, e)
	for id, p := range e.Live {
		require.Equal(t, 2, versions(t, e.Vault.Client(), p), "consumers of %s see one change", id)
	}
	second := credential.Path{Mount: "kv", Path: "mail/" + estate.TwoPaths, Field: "password"}
	require.Equal(t, live(t, e, e.Live[e.ID(estate.TwoPaths)]).Reveal(), live(t, e, second).Reveal(), "both paths are current")

	changed := e.ID(estate.Changed)
	_, subject, _ := strings.Cut(changed, "/")
	require.Equal(t, 1, versions(t, e.Vault.Client(), credential.Path{Mount: "kv", Path: "apps/" + estate.Device + "/" + estate.Changed, Field: "password"}), "what the account refused is left as it is")
	spare := credential.Path{Mount: "kv", Path: "rollcall/corp/" + estate.Changed + "-" + subject, Field: "password"}
	require.True(t, binds(t, e, e.Slapd.LDAPS(), e.Slapd.AccountDN(estate.Changed), live(t, e, spare)), "its new value lies at Rollcall's own path")
	for uid, code := range map[string]credential.FindingCode{
		estate.Changed: credential.FindingPathRefused, estate.Adopted: credential.FindingNeverHeld, estate.TwoPaths: credential.FindingTwoPaths,
	} {
		require.Contains(t, codes(state.Credential(e.ID(uid))), code, uid)
	}
	t.Run("the ledger verifies with the key and the checkpoint that Vault has", func(t *testing.T) {
		key, anchor := filepath.Join(e.Dir, "ledger.key"), filepath.Join(e.Dir, "anchor")
		require.NoError(t, os.WriteFile(key, []byte(u.must("ledger", "key")), 0o644))
		require.NoError(t, os.WriteFile(anchor, []byte(u.must("ledger", "anchor")), 0o644))
		out := u.must("ledger", "verify", "--key", key, "--anchor", anchor)
		require.Contains(t, out, "VERIFIED")
		require.Contains(t, out, "consistent with the checkpoint")
	})
	t.Run("status and report tell the same as the ledger", func(t *testing.T) {
		st := decode[report.Status](t, u.must("status", "-o", "json"))
		require.Equal(t, 28, st.Listed)
		require.Len(t, st.Open, 2)
		require.Contains(t, u.must("report"), "28 listed · 26 dead · 2 open")
		page := filepath.Join(e.Dir, "report.html")
		u.must("report", "--html", page)
		html, err := os.ReadFile(page)
		require.NoError(t, err)
		require.Contains(t, string(html), "26")
	})
	t.Run("a second campaign rotates what the first put there", func(t *testing.T) {
		again := u.run("run")
		require.Contains(t, again.err, "so this begins another one")
		require.Equal(t, 2, again.code, again.out+again.err)
		for id, p := range e.Live {
			require.Equal(t, 3, versions(t, e.Vault.Client(), p), id+again.out+again.err)
		}
		requireConsumersServed(t, e)
		require.NoError(t, e.CheckBystanders(t.Context()))
	})
}

func codes(l *ledger.CredentialState) []credential.FindingCode {
	var out []credential.FindingCode
	for _, f := range l.Findings {
		out = append(out, f.Code)
	}
	return out
}

func TestListAndPlanChangeNothing(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 8, Odd: true, AppRoles: 1, Bystanders: 1})
	file, err := e.CampaignFile(nil, quick+`
exclude:
  - {account: svc-esg-0001, reason: sealed envelope}
waves:
  - {name: logins-first, kind: approle-secret-id, batch: 1}
`)
	require.NoError(t, err)
	u := newUser(t, e, file)
	listed := u.run("list", "-o", "json")
	require.Equal(t, 1, listed.code, "one account is not there")
	require.Contains(t, listed.err, "1 of 12 cannot be rotated as listed and would stay open: "+estate.Vanished+" (no-account)")
	require.Contains(t, listed.err, "there is no KV v2 mount rollcall/: Rollcall was not set up here")
	require.Equal(t, 1, u.run("list", "--only", "svc-esg-0002").code, "init never ran, and no campaign would begin")
	roll := decode[credential.Roll](t, listed.out)
	require.Len(t, roll.Credentials, 12)
	require.Len(t, roll.Excluded, 1)
	require.Equal(t, "sealed envelope", roll.Excluded[0].Reason)
	before := u.run("plan")
	require.Equal(t, 1, before.code, "init never ran, and no campaign could begin")
	require.Contains(t, before.out, "there is no KV v2 mount rollcall/: Rollcall was not set up here")
	refused := u.run("run")
	require.Equal(t, 1, refused.code)
	require.Contains(t, refused.err, "nothing was started; run `rollcall init`")
	u.must("init")
	require.Zero(t, u.run("list", "--only", "svc-esg-0002").code, "which is about what was picked")
	planned := u.run("plan")
	require.Equal(t, 1, planned.code, planned.err)
	require.Contains(t, planned.err, estate.Vanished+" (no-account)")
	text := planned.out
	require.Contains(t, text, "logins-first")
	require.NotContains(t, strings.ToLower(text), "uid=app-", "bystanders are not listed")
	for id, p := range e.Live {
		require.Equal(t, 1, versions(t, e.Vault.Client(), p), id)
	}
	for _, s := range e.Stolen {
		if s.DN != "" {
			require.True(t, binds(t, e, e.Slapd.LDAPS(), s.DN, credential.NewSecret(s.Password)))
		}
	}
}
