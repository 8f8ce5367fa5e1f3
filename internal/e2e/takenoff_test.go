package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

// takeOff writes the page of a roll anew without its last credential, as
// somebody who may do anything in Vault.
func (u *user) takeOff(campaign string) {
	u.t.Helper()
	api := u.e.Vault.Client().Logical()
	folder := "rolls/" + campaign
	list, err := api.List("rollcall/metadata/" + folder)
	require.NoError(u.t, err)
	for _, k := range list.Data["keys"].([]any) {
		if strings.HasSuffix(k.(string), "/") {
			folder += "/" + strings.TrimSuffix(k.(string), "/")
		}
	}
	at := folder + "/credentials-0"
	got, err := api.Read("rollcall/data/" + at)
	require.NoError(u.t, err)
	var page map[string]any
	require.NoError(u.t, json.Unmarshal([]byte(got.Data["data"].(map[string]any)["page"].(string)), &page))
	all := page["credentials"].([]any)
	page["credentials"] = all[:len(all)-1]
	text, err := json.Marshal(page)
	require.NoError(u.t, err)
	_, err = api.Delete("rollcall/metadata/" + at)
	require.NoError(u.t, err)
	_, err = api.Write("rollcall/data/"+at, map[string]any{"data": map[string]any{"page": string(text)}})
	require.NoError(u.t, err)
}

// Somebody takes a credential off the stored roll, before the ledger has it or
// after: the campaign does not end clean, and whoever has nothing but the
// ledger sees that.
func TestACredentialThatIsTakenOffTheRollBehindItsBackIsNoCleanEnd(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3})
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "gateway.yaml"), []byte(gateway), 0o644))
	file, err := e.CampaignFile(nil, quick+"profile: gateway.yaml\n")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "answers.yaml"), []byte("device: esg-01\nprofile: gateway\nby: jo@desk\non: 2026-11-28\nanswers:\n  lookup: covered\n  seal: {none: no TLS}\n  users: {none: nobody logs in}\n"), 0o644))
	u := newUser(t, e, file)
	u.must("init")
	s := newScythe(t, e.Vault.Address(), filepath.Join(e.Dir, "ledger"))
	u.env = []string{"VAULT_ADDR=" + s.front.URL, "VAULT_TOKEN=" + u.rootToken()}
	const never = "listed and never brought to an end, and the campaign is closed"
	for name, c := range map[string]struct {
		at     moment
		verify string // what an outsider is told of that ledger
	}{
		"before the ledger has it": {moment{path: "data/rolls/.*/index$", victim: "worker"}, "the roll was closed with 3 credentials, and 2 are listed"},
		"when the ledger has it":   {moment{entry: ledger.RollClosed, victim: "worker"}, never},
		"when it is in work":       {moment{path: "data/staging/", victim: "worker"}, never},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fate{people: &people{u, e.Vault.Client()}, scythe: s}
			f.dies(name, c.at, u, "run")
			campaign := ""
			list, err := e.Vault.Client().Logical().List("rollcall/metadata/rolls")
			require.NoError(t, err)
			for _, k := range list.Data["keys"].([]any) {
				campaign = max(campaign, strings.TrimSuffix(k.(string), "/"))
			}
			u.takeOff(campaign)
			r := u.run("run")
			require.Equal(t, 1, r.code, r.out+r.err)
			require.Contains(t, r.err, "page 0 of the roll has 2 credentials, not 3")
			folder := filepath.Join(s.ledger, campaign)
			reader, err := ledger.OpenReader(folder)
			require.NoError(t, err)
			state, err := reader.State(t.Context())
			require.NoError(t, err)
			require.False(t, state.End != nil && state.End.Clean)
			v := u.run("ledger", "verify", "--ledger", folder)
			require.Equal(t, 1, v.code, v.out+v.err)
			require.Contains(t, v.out, "NOT VERIFIED")
			require.Contains(t, v.out, c.verify)

			require.Zero(t, u.run("run").code, "the next campaign lists it again")
			require.Len(t, u.ledger().Credentials, 3)
			require.Equal(t, &ledger.End{Complete: true, Clean: true}, u.ledger().End)
		})
	}
	// The answers: a campaign goes on with those that it began with, which are
	// in its ledger, and the next one does not begin without them.
	f := &fate{people: &people{u, e.Vault.Client()}, scythe: s}
	f.dies("answers", moment{path: "data/staging/", victim: "worker"}, u, "run")
	answers := filepath.Join(e.Dir, "answers.yaml")
	text, err := os.ReadFile(answers)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(answers, []byte(strings.Replace(string(text), "lookup: covered", "lookup: {none: it looked nothing up}", 1)), 0o644))
	u.refuses("runs with another campaign file than", "run")
	u.must("run", "--as-started")
	require.Len(t, u.ledger().Answering("lookup"), 2)
	require.Equal(t, credential.Covered, u.ledger().AnswerTo("lookup").Answer)
	u.refuses("lookup (directory-bind): says none, and 2 credentials of the roll answer it", "run")
	requireConsumersServed(t, e)
}
