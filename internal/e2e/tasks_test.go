package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

const taskRows = `
- kind: shared-secret
  name: radius
  owner: people/alice
  due: 8h
  ends:
    - new gateway
    - {name: NPS server, owner: people/bob}
- {kind: purge, name: old backups, owner: people/carol, due: 2d, ends: tapes}
`

// people are users of a Vault, each with a login of his own.
type people struct {
	u   *user
	api *vaultapi.Client
}

// token logs a person in, who has the policy for tasks.
func (p *people) token(name string) string {
	p.u.t.Helper()
	_, err := p.api.Logical().Write("auth/people/users/"+name, map[string]any{"password": "not-a-secret", "token_policies": vault.TasksPolicy})
	require.NoError(p.u.t, err)
	in, err := p.api.Logical().Write("auth/people/login/"+name, map[string]any{"password": "not-a-secret"})
	require.NoError(p.u.t, err)
	return in.Auth.ClientToken
}

// as runs a command with that token, as a person who has no campaign file and
// no Temporal.
func (p *people) as(token string, args ...string) ran {
	p.u.t.Helper()
	other := *p.u
	other.env = append(append([]string{}, p.u.env...), "VAULT_TOKEN="+token)
	other.file, other.state = filepath.Join(p.u.e.Dir, "none.yaml"), filepath.Join(p.u.e.Dir, "nobody")
	return other.run(args...)
}

// waiting runs the campaign until only people are left.
func (p *people) waiting() *ledger.State {
	p.u.t.Helper()
	r := p.u.run("run")
	require.Equal(p.u.t, 2, r.code, r.out+r.err)
	require.Contains(p.u.t, r.err, "waits for people, and for nothing else")
	return p.u.ledger()
}

// A shared secret has two ends, and each is one person's. The campaign is
// begun, killed, left and gone on with, while people do what only they can do.
func TestPeopleDoWhatOnlyTheyCanDo(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, AppRoles: 1, Bystanders: 1})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "sources:\n", "sources:\n  - {name: people, type: manifest, file: tasks.yaml}\n", 1)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "tasks.yaml"), []byte(taskRows), 0o600))
	u := newUser(t, e, file)
	u.must("init")
	p := &people{u, e.Vault.Client()}
	require.NoError(t, p.api.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	alice, bob := p.token("alice"), p.token("bob") // carol has never logged in

	for command, code := range map[string]int{"list": 0, "plan": 0, "doctor": 1} {
		r := u.run(command)
		require.Equal(t, code, r.code, r.out+r.err)
		require.Contains(t, strings.Join(strings.Fields(r.out), " "), "people/carol sees to tapes: Vault knows no entity and no login of that name", command)
		require.NotContains(t, r.out, "people/alice sees", command)
	}

	// Killed while it begins: the tasks are those that they were.
	for range 2 {
		cmd, _ := u.begin("run")
		require.Eventually(t, func() bool { return u.entries() > 0 }, patience, tick)
		require.True(t, u.kill(cmd, "both"))
	}
	state := p.waiting()
	for _, l := range state.Credentials {
		if !l.Kind.ByHand() {
			require.Equal(t, ledger.Dead, l.Outcome, l.Name)
		}
	}
	radius := state.Credential("person/" + estate.Device + "/radius")
	require.Equal(t, protocol.ReasonByHand, radius.Reason)
	require.Equal(t, 2, radius.Task.Left())
	backups := state.Credential("person/" + estate.Device + "/old_backups")
	require.Nil(t, backups.Task)
	require.Contains(t, backups.Detail, "have that person log in to Vault once")
	require.Contains(t, u.run("tasks").out, "0 of 2 tasks done")
	require.Contains(t, u.run("status").out, "radius: due")

	// What is handed over: the same value to both, and to nobody else.
	show := p.as(alice, "tasks", "show", "radius")
	require.Zero(t, show.code, show.err)
	require.Contains(t, show.out, "new gateway")
	require.NotContains(t, show.out, "NPS")
	value := p.handed(alice)
	require.NotEmpty(t, value)
	require.Equal(t, value, p.handed(bob))
	require.NotContains(t, show.out+show.err+u.run("tasks").out, value)

	// Whoever is nobody, or was somebody, or whose it is not.
	require.Contains(t, p.as(u.rootToken(), "tasks", "done", "radius", "--end", "1").err, "belongs to nobody")
	gone := p.token("alice")
	require.NoError(t, p.api.Auth().Token().RevokeTree(gone))
	r := p.as(gone, "tasks", "done", "radius", "--end", "1")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "the token is expired or revoked; log in again")
	require.Contains(t, p.as(bob, "tasks", "done", "radius", "--end", "new gateway").err, "which of the ends of radius that are yours: NPS server")
	require.Contains(t, p.as(bob, "tasks", "done", "cloud", "--end", "1").err, "no task cloud is handed over to you; yours are radius")
	require.Contains(t, p.as(p.token("carol"), "tasks", "list").out, "nothing is handed over to you")
	p.forge(bob, state.Campaign, radius.ID, `{"does":"done","end":"new gateway"}`)
	thief := p.machine(e)
	p.forge(thief, state.Campaign, radius.ID, `{"does":"done","end":"new gateway"}`)

	// One end. Said twice it is said once.
	evidence := filepath.Join(e.Dir, "ticket.pdf")
	require.NoError(t, os.WriteFile(evidence, []byte("abc"), 0o600))
	done := []string{"tasks", "done", "radius", "--end", "new", "--note", "in the web interface", "--evidence", evidence}
	said := p.as(alice, done...)
	require.Zero(t, said.code, said.err)
	require.Contains(t, said.err, "not taken up yet, for the campaign is not reached from here")
	mine := p.as(alice, "-f", filepath.Join(e.Dir, "none.yaml"), "tasks", "list") // whoever does a task has no campaign file
	require.Regexp(t, `new\s+gateway\s+\(you\s+said\s+done\s+at`, mine.out, mine.err)
	p.refused(alice, "you said so already", done...)
	p.refused(alice, "is yourself", "tasks", "reassign", "radius", "--to", "PEOPLE/alice", "--reason", "mine")
	p.refused(alice, "control character", "tasks", "reassign", "radius", "--to", "people/bob", "--reason", "on\x1b[2Kleave")
	p.refused(alice, "longer than 500 bytes", "tasks", "renew", "radius", "--yes", "--reason", strings.Repeat("x", 501))
	p.refused(alice, "is no file", append(done[:len(done)-1:len(done)-1], e.Dir)...)
	before := u.entries()
	cmd, _ := u.begin("run")
	require.Eventually(t, func() bool { return u.entries() > before }, patience, tick)
	require.True(t, u.kill(cmd, "worker"))
	state = p.waiting()
	require.Contains(t, u.run("status").out, "people are waited for, and nothing has to run meanwhile")
	radius = state.Credential(radius.ID)
	require.Equal(t, 1, radius.Task.Left())
	word := radius.Task.End("new gateway").Done
	require.Equal(t, []string{"people/alice"}, word.Logins)
	require.Equal(t, "in the web interface", word.Note)
	require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", word.SHA256)
	var refused []string
	for _, f := range radius.Findings {
		require.Equal(t, credential.FindingWordRefused, f.Code)
		refused = append(refused, f.Detail)
	}
	require.Len(t, refused, 2, "%v", refused)
	require.Contains(t, strings.Join(refused, "\n"), "somebody else's")
	require.Contains(t, strings.Join(refused, "\n"), "login of a machine")

	// Bob goes on leave: nobody takes his end himself, and carol is given it.
	// By now she has logged in, so that her own task is open.
	carol := p.token("carol")
	p.forge(alice, state.Campaign, radius.ID, `{"does":"reassign","end":"NPS server","to":"people/alice","note":"mine"}`)
	require.Zero(t, p.as(bob, "tasks", "reassign", "radius", "--end", "NPS", "--to", "people/carol", "--reason", "on leave").code)
	state = p.waiting()
	radius = state.Credential(radius.ID)
	require.Equal(t, "people/carol", radius.Task.End("NPS server").Owner)
	require.Len(t, radius.Task.Moved, 1)
	require.Contains(t, radius.Findings[len(radius.Findings)-1].Detail, "nobody takes a task himself")
	require.NotNil(t, state.Credential(backups.ID).Task, "its owner has logged in")
	require.Contains(t, p.as(bob, "tasks", "list").out, "nothing is handed over to you")
	require.Equal(t, value, p.handed(carol), "the same value")

	// Somebody read it over carol's shoulder: alice's end is to be done anew.
	p.refused(carol, "--reason holds the value that was handed over", "tasks", "renew", "radius", "--yes", "--reason", "all saw "+value)
	p.refused(carol, "say so with --yes", "tasks", "renew", "radius", "--reason", "it was seen")
	require.Zero(t, p.as(carol, "tasks", "renew", "radius", "--reason", "it was seen", "--yes").code)
	state = p.waiting()
	radius = state.Credential(radius.ID)
	require.False(t, radius.Task.Renewing)
	require.Equal(t, 2, radius.Task.Left())
	require.Equal(t, "it was seen", radius.Task.Renewed[0].Note)
	other := p.handed(carol)
	require.NotEqual(t, value, other)
	require.Equal(t, other, p.handed(alice))
	require.Zero(t, p.as(alice, done...).code, "it is said of another value")

	// The last words, and nothing is left in Vault of what was handed over.
	require.Zero(t, p.as(carol, "tasks", "done", "radius").code)
	require.Zero(t, p.as(carol, "tasks", "done", "old backups", "--end", "tapes").code)
	last := u.run("run")
	require.Zero(t, last.code, last.out+last.err)
	require.Contains(t, last.out, "attested: 2 (")
	state = u.ledger()
	require.Equal(t, protocol.ProofAttested, state.Credential(radius.ID).Proof)
	require.Equal(t, ledger.Closed, state.Phase)
	u.must("ledger", "verify")
	require.Contains(t, u.must("ledger", "cat"), "given to people/carol")
	require.Contains(t, p.as(carol, "tasks", "list").out, "nothing is handed over to you")
	requireClean(t, e)
	again := u.run("run")
	require.Equal(t, 2, again.code, "another campaign asks again: what people said was said of the one before")
	require.Equal(t, 2, u.ledger().Credential(radius.ID).Task.Left())
	require.NotContains(t, []string{value, other}, p.handed(alice))
	p.stays(alice, radius.ID)
}

// stays: whoever wants to abort a campaign that waits for people alone keeps it
// at hand, and at once the campaign takes up what people say.
func (p *people) stays(alice, id string) {
	t := p.u.t
	cmd, said := p.u.begin("run", "--stay")
	here := p.u.with("VAULT_TOKEN=" + alice)
	require.Eventually(t, func() bool { return strings.Contains(p.u.run("resume").err, "not paused") }, patience, 50*time.Millisecond)
	done := here.run("tasks", "done", "radius", "--end", "new gateway")
	require.Zero(t, done.code, done.err)
	require.Contains(t, done.out, "it is in the ledger")
	require.Equal(t, 1, p.u.ledger().Credential(id).Task.Left())
	p.refusedHere(here, "is done already", "tasks", "done", "radius", "--end", "1")
	p.refusedHere(here, "people/bob sees to it already", "tasks", "reassign", "radius", "--end", "NPS", "--to", "people/bob", "--reason", "his")
	p.refusedHere(here, "is yourself", "tasks", "reassign", "radius", "--end", "NPS", "--to", "people/alice", "--reason", "mine")
	before := p.handed(alice)
	renewed := here.run("tasks", "renew", "radius", "--reason", "it was seen", "--yes")
	require.Zero(t, renewed.code, renewed.err)
	require.Contains(t, renewed.out, "discarded")
	var value string
	require.Eventually(t, func() bool { value = p.handed(alice); return value != "" && value != before }, patience, 50*time.Millisecond)
	require.Eventually(t, func() bool { l := p.u.ledger().Credential(id); return !l.Task.Renewing && l.Task.Left() == 2 }, patience, 50*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.Signal(0)), "it stays: %s", said)
	p.u.must("abort")
	var exited *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exited)
	require.Equal(t, 2, exited.ExitCode(), said)
	require.Equal(t, ledger.IsException, p.u.ledger().Credential(id).Outcome)

	// The next campaign hands over the same value, for nobody else has read it.
	require.Equal(t, 2, p.u.run("run").code)
	require.Equal(t, value, p.handed(alice))
	require.Empty(t, p.u.ledger().Credential(id).Findings)
}

// refused is said to a person who gets one message, and nothing is written.
func (p *people) refused(token, why string, args ...string) {
	p.u.t.Helper()
	r := p.as(token, args...)
	require.Equal(p.u.t, 1, r.code, r.out+r.err)
	require.Contains(p.u.t, r.err, why)
}

func (p *people) refusedHere(u *user, why string, args ...string) {
	p.u.t.Helper()
	before := p.u.entries()
	r := u.run(args...)
	require.Equal(p.u.t, 1, r.code, r.out+r.err)
	require.Contains(p.u.t, r.err, why)
	require.Equal(p.u.t, before, p.u.entries())
}

// handed is the value that a person finds in Vault.
func (p *people) handed(token string) string {
	p.u.t.Helper()
	c, err := p.api.Clone()
	require.NoError(p.u.t, err)
	c.SetToken(token)
	self, err := c.Auth().Token().LookupSelf()
	require.NoError(p.u.t, err)
	var walk func(folder string) string
	walk = func(folder string) string {
		list, err := c.Logical().ListWithContext(context.Background(), "rollcall/metadata/"+folder)
		require.NoError(p.u.t, err)
		if list == nil {
			return ""
		}
		for _, k := range list.Data["keys"].([]any) {
			if name := k.(string); strings.HasSuffix(name, "/") {
				if v := walk(folder + name); v != "" {
					return v
				}
			} else if strings.Contains(name, "radius") {
				got, err := c.Logical().Read("rollcall/data/" + folder + name)
				require.NoError(p.u.t, err)
				if got == nil {
					continue // it was taken back since it was listed
				}
				data, _ := got.Data["data"].(map[string]any)
				v, _ := data["value"].(string)
				return v
			}
		}
		return ""
	}
	return walk("handover/" + self.Data["entity_id"].(string) + "/")
}

// forge writes a statement past the command.
func (p *people) forge(token, campaign, id, statement string) {
	p.u.t.Helper()
	c, err := p.api.Clone()
	require.NoError(p.u.t, err)
	c.SetToken(token)
	self, err := c.Auth().Token().LookupSelf()
	require.NoError(p.u.t, err)
	encoded := strings.ReplaceAll(id, "/", "~2f")
	_, err = c.Logical().Write("rollcall/data/attest/"+self.Data["entity_id"].(string)+"/"+campaign+"/"+encoded+"/forged", map[string]any{"data": map[string]any{"statement": statement}})
	require.NoError(p.u.t, err)
}

// machine is a token of the device's own kind of login, to which somebody
// careless gave the policy for tasks.
func (p *people) machine(e *estate.Estate) string {
	p.u.t.Helper()
	api := p.api.Logical()
	_, err := api.Write("auth/approle/role/careless", map[string]any{"token_policies": vault.TasksPolicy})
	require.NoError(p.u.t, err)
	id, err := api.Read("auth/approle/role/careless/role-id")
	require.NoError(p.u.t, err)
	secret, err := api.Write("auth/approle/role/careless/secret-id", nil)
	require.NoError(p.u.t, err)
	in, err := api.Write("auth/approle/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": secret.Data["secret_id"]})
	require.NoError(p.u.t, err)
	return in.Auth.ClientToken
}

func (u *user) rootToken() string { return u.e.Vault.RootToken().Reveal() }
