package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// TestAPathThatSaysNothingIsNoAccountsBecauseItHoldsWhatThatAccepts: help desks
// give several accounts one first password, so that a value which one of them
// accepts may be the only copy of another's. It stays as it is, is a question
// before anything is set, and is open at the end.
func TestAPathThatSaysNothingIsNoAccountsBecauseItHoldsWhatThatAccepts(t *testing.T) {
	const first = "Initial-Welcome-1"
	e := startEstate(t, estate.Options{Accounts: 1, Tagged: 4, Bystanders: 1})
	e.Directory = waitsLong
	var own []intruder.Stolen
	var notListed intruder.Stolen
	for _, s := range e.Stolen {
		if strings.Contains(s.DN, "uid=svc-mass-") {
			own = append(own, s)
		}
	}
	for _, s := range e.Known {
		if strings.Contains(s.DN, "uid=app-") && s.Kind == intruder.LDAP {
			notListed = s
		}
	}
	require.Len(t, own, 4)
	require.NotEmpty(t, notListed.DN)
	admin, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	set := func(s intruder.Stolen, password string) {
		t.Helper()
		_, err := admin.PasswordModify(ldap.NewPasswordModifyRequest(s.DN, "", password))
		require.NoError(t, err)
	}
	// listed and other have one first password, and are both on the roll;
	// beside has that of an account which is not; alone has no other path.
	listed, other, beside, alone := own[0], own[1], own[2], own[3]
	passwords := map[string]string{"of-two-that-are-listed": first, "of-one-that-is-not": first + "2", "a-copy": first + "3"}
	set(listed, first)
	set(other, first)
	set(beside, first+"2")
	set(notListed, first+"2")
	set(alone, first+"3")
	secrets, rows := map[string]map[string]any{}, "account,path\n"
	for name, password := range passwords {
		secrets["apps/"+estate.Device+"/"+name] = map[string]any{"password": password}
	}
	for _, s := range []intruder.Stolen{listed, beside} {
		uid := stolenAccount{s}.uid()
		secrets["apps/own/"+uid] = map[string]any{"password": first}
		if s.DN == beside.DN {
			secrets["apps/own/"+uid]["password"] = first + "2"
		}
		rows += fmt.Sprintf("%s,kv/apps/own/%s#password\n", uid, uid)
	}
	require.NoError(t, e.Vault.SeedKV(t.Context(), secrets))
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "sources:\n", "sources:\n  - {name: rows, type: manifest, file: rows.csv}\n", 1)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "rows.csv"), []byte(rows), 0o600))
	u := newUser(t, e, file)
	u.env = append(u.env, vaultWaitsLong)
	u.must("init")
	said := decode[struct {
		Findings map[string][]credential.Finding `json:"findings"`
	}](t, u.run("list", "-o", "json").out)
	ran := u.run("run", "--yes")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	state, api := u.ledger(), e.Vault.Client()
	for name, password := range passwords {
		at := credential.Path{Mount: "kv", Path: "apps/" + estate.Device + "/" + name, Field: "password"}
		l := state.Credential("unmatched/" + at.String())
		require.Equal(t, ledger.IsException, l.Outcome, name)
		require.Equal(t, protocol.ReasonNoOwner, l.Reason, name)
		require.Contains(t, fmt.Sprint(said.Findings[l.ID]), "nothing says whose secret this is", "it is asked before the run")
		require.Equal(t, 1, versions(t, api, credential.Path{Mount: at.Mount, Path: at.Path}), "nothing was written there")
		got, err := api.Logical().Read("kv/data/" + at.Path)
		require.NoError(t, err)
		require.Equal(t, password, got.Data["data"].(map[string]any)["password"], "and the only copy is there")
	}
	for _, s := range []intruder.Stolen{listed, beside} {
		require.Equal(t, ledger.Dead, state.Credential(s.ID).Outcome, "%s", state.Credential(s.ID).Detail)
		got, err := api.Logical().Read("kv/data/apps/own/" + stolenAccount{s}.uid())
		require.NoError(t, err)
		require.True(t, binds(t, e, s.Servers[0], s.DN, credential.NewSecret(got.Data["data"].(map[string]any)["password"].(string))))
	}
	require.True(t, binds(t, e, notListed.Servers[0], notListed.DN, credential.NewSecret(first+"2")), "who is on no roll keeps its password, and its copy")
	for _, s := range []intruder.Stolen{listed, other, alone} {
		for _, password := range passwords {
			require.False(t, binds(t, e, s.Servers[0], s.DN, credential.NewSecret(password)), "what lies there opens no account of the roll")
		}
	}
}

// TestAPathThatWasGivenAwaySinceAnEarlierCampaignIsNotWrittenByItsRecordAlone:
// nobody names it for the account any more, somebody has written it since, and
// a help desk gave both accounts one password. It is a question before anything
// is set, and nothing is set until a person answers.
func TestAPathThatWasGivenAwaySinceAnEarlierCampaignIsNotWrittenByItsRecordAlone(t *testing.T) {
	const first = "Initial-Welcome-1"
	e := startEstate(t, estate.Options{Accounts: 1, Tagged: 1, Bystanders: 1})
	e.Directory = waitsLong
	var own, other intruder.Stolen
	for _, s := range e.Stolen {
		if strings.Contains(s.DN, "uid=svc-mass-") {
			own = s
		}
	}
	for _, s := range e.Known {
		if strings.Contains(s.DN, "uid=app-") && s.Kind == intruder.LDAP {
			other = s
		}
	}
	require.NotEmpty(t, own.DN)
	require.NotEmpty(t, other.DN)
	uid := stolenAccount{own}.uid()
	mine := credential.Path{Mount: "kv", Path: "apps/own/" + uid, Field: "password"}
	given := credential.Path{Mount: "kv", Path: "apps/node-1", Field: "password"}
	put := func(text string) {
		t.Helper()
		require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{mine.Path: {"password": text}, given.Path: {"password": text}}))
	}
	put(own.Password)
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	text := strings.Replace(readFile(t, file), "sources:\n", "sources:\n  - {name: rows, type: manifest, file: rows.csv}\n", 1)
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(text), 0o600))
	}
	row := "account,path\n" + uid + "," + mine.String() + "\n"
	write("campaign.yaml", text)
	write("rows.csv", row+uid+","+given.String()+"\n")
	u := newUser(t, e, file)
	u.env = append(u.env, vaultWaitsLong)
	u.must("init")
	u.must("run", "--yes")
	require.Equal(t, readNow(t, e, mine).Reveal(), readNow(t, e, given).Reveal(), "the first campaign had both paths")

	admin, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	for _, s := range []intruder.Stolen{own, other} {
		_, err := admin.PasswordModify(ldap.NewPasswordModifyRequest(s.DN, "", first))
		require.NoError(t, err)
	}
	put(first)
	write("rows.csv", row)
	before := versions(t, e.Vault.Client(), given)
	said := decode[struct {
		Findings map[string][]credential.Finding `json:"findings"`
	}](t, u.run("list", "-o", "json").out)
	open := u.run("run", "--yes")
	require.Equal(t, 2, open.code, open.out+open.err)
	l := u.ledger().Credential(own.ID)
	require.Equal(t, protocol.ReasonSharedPath, l.Reason, l.Detail)
	require.Equal(t, before, versions(t, e.Vault.Client(), given), "nothing was written there")
	require.Equal(t, first, readNow(t, e, given).Reveal(), "and the other one's only copy is there")
	require.True(t, binds(t, e, own.Servers[0], own.DN, credential.NewSecret(first)), "nothing was set")
	require.Contains(t, fmt.Sprint(said.Findings[own.ID]), given.String()+": nothing but an earlier campaign's record says that it is this account's", "it is asked before the run")

	for name, answer := range map[string]string{
		"it is another's":     "exclude:\n  - {path: '" + given.String() + "', reason: asked}\n",
		"it is the account's": "confirm:\n  - {account: " + uid + ", path: '" + given.String() + "', reason: asked}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := admin.PasswordModify(ldap.NewPasswordModifyRequest(own.DN, "", first))
			require.NoError(t, err)
			put(first)
			write("campaign.yaml", text+answer)
			ran := u.run("run", "--yes")
			l := u.ledger().Credential(own.ID)
			require.NotNil(t, l, ran.out+ran.err)
			require.Equal(t, ledger.Dead, l.Outcome, "%s: %s\n%s", l.Reason, l.Detail, ran.err)
			require.Equal(t, strings.HasPrefix(answer, "exclude"), readNow(t, e, given).Reveal() == first)
			require.True(t, binds(t, e, own.Servers[0], own.DN, readNow(t, e, mine)))
		})
	}
}
