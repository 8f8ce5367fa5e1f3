package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// What a campaign left open, or in staging alone, is on the next roll of the
// device or said with an exit code of its own, whatever a thief or a person
// took away in between.
func TestWhatAnEarlierCampaignLeftIsNotForgotten(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 4, Tagged: 5, Bystanders: 1})
	esg, mass := accountsNamed(e, "svc-esg-"), accountsNamed(e, "svc-mass-")
	inSecret, untagged, narrowed, dead, staged := esg[0], mass[0], mass[1], mass[2], mass[3]
	bystander := bystanderOf(e)
	for _, a := range []stolenAccount{inSecret, untagged, narrowed} {
		lock(t, e, a, true)
	}
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	plain := readFile(t, file)
	u := newUser(t, e, file)
	u.must("init")
	first := u.run("run")
	require.Equal(t, 2, first.code, first.out+first.err)
	campaign := u.ledger().Campaign
	stolen := func(a stolenAccount) credential.Secret { return credential.NewSecret(a.Password) }

	// The thief takes his own secret's metadata and two tags away, and a worker
	// died between set and activate of one more.
	for _, a := range []stolenAccount{inSecret, untagged} {
		lock(t, e, a, false)
	}
	_, err = e.Vault.Client().Logical().Delete("kv/metadata/" + e.Live[inSecret.ID].Path)
	require.NoError(t, err)
	value := leaveStaged(t, e, staged, campaign, credential.Path{Mount: "kv", Path: "rollcall/corp/" + staged.uid(), Field: "password"})
	for _, a := range []stolenAccount{untagged, dead, staged} {
		describe(t, e, a, "nothing")
	}

	t.Run("an exclude of what lies in staging alone is refused", func(t *testing.T) {
		require.NoError(t, os.WriteFile(file, []byte(plain+"exclude:\n  - {account: "+staged.uid()+", reason: it made trouble}\n"), 0o600))
		for _, command := range []string{"doctor", "plan", "run"} {
			got := u.run(command)
			require.Equal(t, 1, got.code, got.out+got.err)
			require.Contains(t, strings.Join(strings.Fields(got.out+got.err), " "), "left a new value staged that may be in force and lies nowhere else")
			require.Contains(t, strings.Join(strings.Fields(got.out+got.err), " "), "let a campaign finish it, then exclude it")
		}
		require.NoError(t, os.WriteFile(file, []byte(plain), 0o600))
	})
	t.Run("what is staged for an account that no roll has is said", func(t *testing.T) {
		leaveStaged(t, e, bystander, "other-01-20200101T000000Z", credential.Path{Mount: "kv", Path: "apps/other/" + bystander.uid(), Field: "password"})
		for _, command := range []string{"list", "plan"} {
			got := u.run(command)
			require.Equal(t, 1, got.code, "and two of the roll cannot be rotated: %s", got.out+got.err)
			require.Contains(t, got.err, "warning: left-staged: "+bystander.ID)
		}
		doctor := u.run("doctor")
		require.Equal(t, 1, doctor.code)
		require.Contains(t, doctor.out, "left staged")
	})

	second := u.run("run")
	require.Equal(t, 2, second.code, second.out+second.err)
	state := u.ledger()
	require.NotEqual(t, campaign, state.Campaign)
	t.Run("what is staged and in force is brought to its end", func(t *testing.T) {
		requireKept(t, state, staged, campaign, ledger.Dead, "")
		require.False(t, binds(t, e, staged.Servers[0], staged.DN, value))
		at := credential.Path{Mount: "kv", Path: "rollcall/corp/" + staged.uid(), Field: "password"}
		require.True(t, binds(t, e, staged.Servers[0], staged.DN, readNow(t, e, at)))
	})
	t.Run("what a thief took off an unchanged source is rotated", func(t *testing.T) {
		requireKept(t, state, untagged, campaign, ledger.Dead, "")
		require.False(t, binds(t, e, untagged.Servers[0], untagged.DN, stolen(untagged)))
	})
	t.Run("what only a secret named that is gone stays open", func(t *testing.T) {
		requireKept(t, state, inSecret, campaign, ledger.IsException, protocol.ReasonUnproved)
	})
	t.Run("what was dead and is named no more is said once, with exit code 2", func(t *testing.T) {
		require.Contains(t, second.out, string(credential.FindingMissing))
		require.Contains(t, warningsOf(state), credential.FindingMissing)
		require.Contains(t, warningsOf(state), credential.FindingLeftStaged)
	})

	// A person narrows the file. What he took off is not reset behind his back,
	// and stays open.
	_, err = e.Vault.Client().Logical().Delete("rollcall/metadata/" + ownmount.StagingPath(bystander.ID))
	require.NoError(t, err)
	lock(t, e, narrowed, false)
	smaller := strings.Replace(plain, "(description=*esg-01*)", "(&(uid=svc-esg-*)(description=*esg-01*))", 1)
	require.NoError(t, os.WriteFile(file, []byte(smaller), 0o600))
	third := u.run("run")
	require.Equal(t, 2, third.code, third.out+third.err)
	requireKept(t, u.ledger(), narrowed, state.Campaign, ledger.IsException, protocol.ReasonNotNamed)
	require.True(t, binds(t, e, narrowed.Servers[0], narrowed.DN, stolen(narrowed)), "nothing was set")
	require.Contains(t, warningsOf(u.ledger()), credential.FindingSmallerRoll)
	require.NotContains(t, warningsOf(u.ledger()), credential.FindingMissing, "it is said once")

	// He answers for all of them, by the campaign, and for the one that stays
	// by its name.
	answered := strings.Replace(smaller, quick, unhurried, 1) + "exclude:\n  - {campaign: " + state.Campaign + ", reason: the filter was too wide}\n  - {account: '" + inSecret.DN + "', reason: deleted by its owner}\n"
	require.NoError(t, os.WriteFile(file, []byte(answered), 0o600))
	for range 2 {
		last := u.run("run")
		require.Zero(t, last.code, last.out+last.err)
		require.Len(t, u.ledger().Excluded, 2)
	}
	require.NoError(t, os.WriteFile(file, []byte(smaller), 0o600))
	again := u.run("plan", "-o", "json")
	require.Contains(t, again.out, narrowed.DN, "an exclude that is taken out again")
	require.Contains(t, again.out, string(credential.NotNamed))
}

func accountsNamed(e *estate.Estate, prefix string) (out []stolenAccount) {
	for _, s := range e.Stolen {
		if strings.Contains(s.DN, "uid="+prefix) {
			out = append(out, stolenAccount{s})
		}
	}
	return out
}

func bystanderOf(e *estate.Estate) stolenAccount {
	i := slices.IndexFunc(e.Known, func(s intruder.Stolen) bool { return strings.Contains(s.DN, "uid=app-") })
	return stolenAccount{e.Known[i]}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// lock sets or lifts an administrator's lock, which has no end.
func lock(t *testing.T, e *estate.Estate, a stolenAccount, on bool) {
	t.Helper()
	m := ldap.NewModifyRequest(a.DN, nil)
	if on {
		m.Replace("pwdAccountLockedTime", []string{"000001010000Z"})
	} else {
		m.Delete("pwdAccountLockedTime", nil)
	}
	modify(t, e, m)
}

func describe(t *testing.T, e *estate.Estate, a stolenAccount, text string) {
	t.Helper()
	m := ldap.NewModifyRequest(a.DN, nil)
	m.Replace("description", []string{text})
	modify(t, e, m)
}

func modify(t *testing.T, e *estate.Estate, m *ldap.ModifyRequest) {
	t.Helper()
	admin, err := e.Slapd.AdminConn(context.Background())
	require.NoError(t, err)
	defer admin.Close()
	require.NoError(t, admin.Modify(m))
}

func rootStore(t *testing.T, e *estate.Estate) *ownmount.Store {
	t.Helper()
	store, err := openStore(context.Background(), target{Vault: e.Vault.Address(), Token: filepath.Join(e.Dir, "vault", "root-token")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// leaveStaged leaves what a campaign leaves whose worker died between set and
// activate: the value in force is in staging and nowhere else.
func leaveStaged(t *testing.T, e *estate.Estate, a stolenAccount, campaign string, at credential.Path) credential.Secret {
	t.Helper()
	ctx := context.Background()
	set := credential.NewSecret("Set-And-Not-Activated-" + a.uid())
	old := readNow(t, e, at)
	_, created, err := rootStore(t, e).Stage(ctx, a.ID, ownmount.Staged{
		Secret: set, Campaign: campaign, Attempt: 1, Base: map[string]int{at.String(): versions(t, e.Vault.Client(), at)},
		Old: map[string]credential.Secret{at.String(): old}, CreatedAt: time.Now().UTC(),
	})
	require.NoError(t, err)
	require.True(t, created)
	admin, err := e.Slapd.AdminConn(ctx)
	require.NoError(t, err)
	defer admin.Close()
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(a.DN, "", set.Reveal()))
	require.NoError(t, err)
	return set
}

// readNow is what a path holds; a made-up value if it is not there.
func readNow(t *testing.T, e *estate.Estate, p credential.Path) credential.Secret {
	t.Helper()
	got, err := e.Vault.Client().Logical().Read(p.Mount + "/data/" + p.Path)
	require.NoError(t, err)
	if got == nil {
		return credential.NewSecret("not there")
	}
	data, _ := got.Data["data"].(map[string]any)
	text, _ := data[p.Field].(string)
	return credential.NewSecret(text)
}

func requireKept(t *testing.T, s *ledger.State, a stolenAccount, campaign string, outcome ledger.Outcome, reason protocol.Reason) {
	t.Helper()
	l := s.Credential(a.ID)
	require.NotNil(t, l, a.DN)
	require.Equal(t, outcome, l.Outcome, "%s: %s at %s, %s", a.DN, l.Reason, l.Step, l.Detail)
	require.Equal(t, reason, l.Reason, l.Detail)
	require.Contains(t, codes(l), credential.FindingNotNamed)
	require.True(t, slices.ContainsFunc(l.Reasons, func(r credential.Reason) bool { return strings.HasPrefix(r.Detail, "was open in campaign "+campaign) }), "%+v", l.Reasons)
}

func warningsOf(s *ledger.State) (out []credential.FindingCode) {
	for _, f := range s.Findings {
		out = append(out, f.Code)
	}
	return out
}

// A directory's name stands for one directory on Rollcall's mount: a restored
// copy has the same immutable ids, and what lies in Vault is kept by name and
// id.
func TestADirectorysNameMeansOneDirectoryWhoeverUsesIt(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 2, Tagged: 1, Replica: true})
	copied(t, e)
	first := []string{e.Slapd.LDAPS()}
	file, err := e.CampaignFile(first, unhurried)
	require.NoError(t, err)
	production := readFile(t, file)
	u := newUser(t, e, file)
	u.must("init")
	u.must("run")
	a := accountsNamed(e, "svc-esg-")[0]
	live := e.Live[a.ID]
	// A worker died between set and activate of production's account.
	value := leaveStaged(t, e, a, u.ledger().Campaign, live)
	before := versions(t, e.Vault.Client(), live)

	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"test/esg/a": {"password": a.Password}}))
	require.NoError(t, e.Vault.SeedMetadata(t.Context(), map[string]map[string]any{"test/esg/a": {"account": a.uid()}}))
	ofTest := strings.Replace(production, "device: esg-01", "device: test-01", 1)
	ofTest = ofTest[:strings.Index(ofTest, "sources:")] + "sources:\n  - {name: v, type: vault-kv, prefix: kv/test/esg}\n" + unhurried
	ofTest = strings.Replace(ofTest, first[0], e.Replica.LDAPS(), 1)
	requireRefused := func(t *testing.T, text string, words ...string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		for _, command := range []string{"doctor", "plan", "run"} {
			got := u.run(command)
			require.Equal(t, 1, got.code, "%s: %s%s", command, got.out, got.err)
			said := strings.Join(strings.Fields(got.out+got.err), " ")
			for _, w := range words {
				require.Contains(t, said, w, command)
			}
		}
		st, found, err := rootStore(t, e).ReadStaged(t.Context(), a.ID)
		require.NoError(t, err)
		require.True(t, found)
		require.True(t, st.Secret.Equal(value))
		require.Equal(t, before, versions(t, e.Vault.Client(), live), "production's path is as it was")
		require.True(t, binds(t, e, first[0], a.DN, value))
	}
	t.Run("a copy under a known name", func(t *testing.T) {
		requireRefused(t, ofTest, "none of its servers ("+e.Replica.LDAPS(), first[0], "give it another name", "formerly:")
	})
	t.Run("a known directory under another name", func(t *testing.T) {
		text := strings.Replace(production, "\n  corp:", "\n  ldap:", 1)
		requireRefused(t, strings.ReplaceAll(text, "directory: corp", "directory: ldap"), "its server "+first[0], "call it corp in this file")
	})
	t.Run("a directory that moved", func(t *testing.T) {
		moved := strings.Replace(production, first[0], e.Replica.LDAPS(), 1)
		require.NoError(t, os.WriteFile(file, []byte(moved), 0o600))
		require.Equal(t, 1, u.run("plan").code)
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(moved, "    base: ", "    formerly: ["+first[0]+"]\n    base: ", 1)), 0o600))
		got := u.run("list")
		require.Zero(t, got.code, "a person says so: %s%s", got.out, got.err)
	})
	t.Run("a copy under a name of its own", func(t *testing.T) {
		copy := strings.Replace(ofTest, "\n  corp:", "\n  test:", 1)
		requireRefused(t, copy, "directory test: it shows the same of itself", "call it corp in this file", "finding: same-ids")
		copy += "\naccept:\n  - {directory: test, finding: same-ids, reason: restored for tests}\n"
		require.NoError(t, os.WriteFile(file, []byte(copy), 0o600))
		u.must("init")
		got := u.run("run")
		require.NotEqual(t, 1, got.code, got.out+got.err)
		require.Equal(t, before, versions(t, e.Vault.Client(), live))
	})
	t.Run("production goes on with what was left", func(t *testing.T) {
		require.NoError(t, os.WriteFile(file, []byte(production), 0o600))
		u.must("run")
		require.True(t, binds(t, e, first[0], a.DN, readNow(t, e, live)))
	})
}

// copied ends the replication: the replica is a copy with the same immutable
// ids.
func copied(t *testing.T, e *estate.Estate) {
	t.Helper()
	conf := filepath.Join(e.Dir, "slapd-replica", "slapd.conf")
	text := regexp.MustCompile(`(?m)^syncrepl .*\n(  .*\n)+`).ReplaceAllString(readFile(t, conf), "")
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	require.NoError(t, e.Replica.Restart(context.Background()))
}

// One device's campaign ended between set and activate, and another device
// knows the account by a path of its own: both have to read what is in force
// afterwards, or somebody is told.
func TestWhatOneDeviceLeftStagedIsBroughtToItsConsumersByAnother(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 2, Bystanders: 1})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	a, b := accountsNamed(e, "svc-esg-")[0], accountsNamed(e, "svc-esg-")[1]
	theirs := e.Live[a.ID]
	leaveStaged(t, e, a, "esg-01-20200101T000000Z", theirs)

	// A second device, with secrets of the same passwords at paths of its own.
	secrets := map[string]map[string]any{"test/esg/a": {"password": a.Password}, "test/esg/b": {"password": b.Password}}
	require.NoError(t, e.Vault.SeedKV(t.Context(), secrets))
	production := readFile(t, file)
	other := strings.Replace(production, "device: esg-01", "device: test-01", 1)
	other = other[:strings.Index(other, "sources:")] + "sources:\n  - {name: list, type: manifest, file: two.csv}\n" + unhurried
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "two.csv"), []byte("account,path\n"+a.uid()+",kv/test/esg/a#password\n"), 0o600))
	require.NoError(t, os.WriteFile(file, []byte(other), 0o600))
	u.must("init")
	require.Contains(t, u.run("plan").out+u.run("list").out, theirs.Path, "the path of the first device is on the roll")
	ran := u.run("run")
	require.Zero(t, ran.code, ran.out+ran.err)
	own := credential.Path{Mount: "kv", Path: "test/esg/a", Field: "password"}
	for _, p := range []credential.Path{theirs, own} {
		require.True(t, binds(t, e, a.Servers[0], a.DN, readNow(t, e, p)), "what %s holds logs in", p)
	}

	// The first device's campaign rotates the other account, and the second one
	// names its own path for it only afterwards: what Rollcall itself made
	// stale is not exit code 0, however often it is run.
	require.NoError(t, os.WriteFile(file, []byte(production), 0o600))
	first := u.run("run")
	require.Zero(t, first.code, first.out+first.err)
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "two.csv"), []byte("account,path\n"+a.uid()+",kv/test/esg/a#password\n"+b.uid()+",kv/test/esg/b#password\n"), 0o600))
	require.NoError(t, os.WriteFile(file, []byte(other), 0o600))
	u.must("init")
	for range 2 {
		again := u.run("run")
		require.Equal(t, 2, again.code, again.out+again.err)
		require.Contains(t, codes(u.ledger().Credential(b.ID)), credential.FindingLeftBehind)
		require.True(t, binds(t, e, b.Servers[0], b.DN, readNow(t, e, e.Live[b.ID])))
	}
	// A person answers whose the path is.
	require.NoError(t, os.WriteFile(file, []byte(other+"confirm:\n  - {account: "+b.uid()+", path: 'kv/test/esg/b#password', reason: asked}\n"), 0o600))
	last := u.run("run")
	require.Zero(t, last.code, last.out+last.err)
	given := credential.Path{Mount: "kv", Path: "test/esg/b", Field: "password"}
	require.True(t, binds(t, e, b.Servers[0], b.DN, readNow(t, e, given)))

	// That path is given to another account, and nobody names it for this one
	// any more: it stays as it is, campaign after campaign, and is not exit
	// code 0 until a person has said that it is not the account's.
	anothers := e.Bystanders[bystanderOf(e).DN].Reveal()
	require.NotEmpty(t, anothers)
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{given.Path: {"password": anothers}}))
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "two.csv"), []byte("account,path\n"+b.uid()+","+e.Live[b.ID].String()+"\n"), 0o600))
	require.NoError(t, os.WriteFile(file, []byte(other), 0o600))
	plan := u.run("plan")
	require.Contains(t, strings.Join(strings.Fields(plan.out+plan.err), " "), given.String()+": an earlier campaign put a value of it there, and somebody has written it since")
	for range 2 {
		again := u.run("run")
		require.Equal(t, 2, again.code, again.out+again.err)
		line := u.ledger().Credential(b.ID)
		at := slices.IndexFunc(line.Findings, func(f credential.Finding) bool { return f.Code == credential.FindingPathRefused })
		require.GreaterOrEqual(t, at, 0, "%v", line.Findings)
		require.Contains(t, line.Findings[at].Detail, given.String()+"; an earlier campaign put a value of this credential there, and somebody has written it since")
		require.Equal(t, anothers, readNow(t, e, given).Reveal(), "its consumers are not cut off")
		require.True(t, binds(t, e, b.Servers[0], b.DN, readNow(t, e, e.Live[b.ID])))
	}
	require.NoError(t, os.WriteFile(file, []byte(other+"exclude:\n  - {path: '"+given.String()+"', reason: it is the bystander's}\n"), 0o600))
	answered := u.run("run")
	require.Zero(t, answered.code, answered.out+answered.err)
	require.Equal(t, anothers, readNow(t, e, given).Reveal())
}
