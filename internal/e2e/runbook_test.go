package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// book is the run book, whose commands are carried out one after the other.
type book struct {
	t    *testing.T
	left []string
}

func readBook(t *testing.T) *book {
	text, err := os.ReadFile("../../docs/runbook.md")
	require.NoError(t, err)
	b := &book{t: t}
	for _, line := range regexp.MustCompile("(?m)^rollcall .*$|`rollcall [a-z][^`]*`").FindAllString(string(text), -1) {
		b.left = append(b.left, strings.Trim(line, "`"))
	}
	return b
}

// next is the next command of the book: what it has besides is an example.
func (b *book) next(begins string) {
	b.t.Helper()
	require.NotEmpty(b.t, b.left, begins)
	require.True(b.t, strings.HasPrefix(b.left[0], "rollcall "+begins), "the next command is %q, and not %q", b.left[0], begins)
	b.left = b.left[1:]
}

// Each command of the run book on one estate, in its order: a night with a
// replica that does not follow, a login that nobody can end, a machine that is
// gone, and people.
func TestEachCommandOfTheRunBookRunsInItsOrder(t *testing.T) {
	t.Parallel()
	b := readBook(t)
	e := startEstate(t, estate.Options{Accounts: 3, Replica: true, AppRoles: 1, Profile: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 20}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	written := strings.Replace(string(text), "containment: "+estate.Contained, "", 1)
	written = strings.Replace(written, "sources:\n", "sources:\n  - {name: people, type: manifest, file: tasks.yaml}\n", 1)
	require.NoError(t, os.WriteFile(file, []byte(written), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "tasks.yaml"), []byte("- {kind: shared-secret, name: radius, owner: people/alice, due: 8h, ends: [new gateway, {name: NPS server, owner: people/bob}]}\n"), 0o600))
	u := newUser(t, e, file)
	api := e.Vault.Client()
	p := &people{u, api}
	require.NoError(t, api.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	alice, bob, carol := p.token("alice"), p.token("bob"), p.token("carol")
	codes := func(r ran, want ...int) string {
		t.Helper()
		require.Contains(t, want, r.code, r.out+r.err)
		return r.out + r.err
	}

	// 1 to 3
	b.next("profiles list")
	require.Contains(t, u.must("profiles", "list"), "barracuda-esg")
	b.next("profiles show barracuda-esg")
	u.must("profiles", "show", "barracuda-esg")
	b.next("init")
	u.must("init")
	b.next("contain --how isolated --at")
	u.must("contain", "--how", "isolated", "--at", "2023-06-08T08:00:00Z", "--note", "both ports of switch 7 are down")
	answers := filepath.Join(e.Dir, "answers.yaml")
	require.NoError(t, os.Rename(answers, answers+".known"))
	b.next("answers init")
	u.must("answers", "init")
	b.next("list")
	require.Contains(t, codes(u.run("list"), 2), "has no answer")
	require.NoError(t, os.Rename(answers+".known", answers)) // somebody answers
	b.next("answers check")
	u.must("answers", "check")
	b.next("doctor")
	u.must("doctor")
	b.next("plan")
	codes(u.run("plan"), 2)
	token, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{vault.WorkerPolicy, vault.LedgerPolicy}})
	require.NoError(t, err)
	u = u.with("VAULT_TOKEN=" + token.Auth.ClientToken)
	b.next("rehearse")
	require.Contains(t, codes(u.run("rehearse"), 2), "nothing of the roll was touched")

	// 4: a replica that does not follow, and a login with batch tokens.
	login := ""
	for _, s := range e.Stolen {
		if name, is := strings.CutPrefix(s.ID, "vault/"); is {
			login = name
		}
	}
	role := "auth/approle/role/" + strings.TrimPrefix(login, "approle/")
	tokens := func(kind string) {
		_, err := api.Logical().Write(role, map[string]any{"token_type": kind})
		require.NoError(t, err)
	}
	tokens("batch")
	b.next("run --only")
	tried := codes(u.run("run", "--only", "svc-esg-0001"), 3)
	require.Contains(t, tried, "tried first: 0 dead, 1 open", "the login still reads it")
	require.Contains(t, tried, "would stay open (within-reach): "+login+" could read the new value, and would go later. Name it too: --only '"+login+"'")
	e.Replica.PauseReplication()
	b.next("run")
	cmd, said := u.begin("run")
	requireSoon(t, "what cannot be proved on the replica waits", said, func() bool {
		s := u.ledgerSoFar()
		return s != nil && s.Phase == ledger.Running && u.count(func(l *ledger.CredentialState) bool {
			return l.Reason == protocol.ReasonLagging || l.Reason == protocol.ReasonWithinReach
		}) > 0
	})
	b.next("status")
	require.Contains(t, u.must("status"), "running")
	b.next("pause")
	u.must("pause")
	b.next("resume")
	u.must("resume")
	b.next("run") // the same command again joins it
	again := u.follow("run")
	require.Eventually(t, func() bool { return again.said("rejoining campaign") }, patience, tick)
	b.next("leave-out --server")
	require.Contains(t, u.must("leave-out", "--server", e.Replica.LDAPS(), "--reason", "its disk is broken"), "left out")
	b.next("leave-out --door")
	require.Contains(t, codes(u.run("leave-out", "--door", "mail", "--reason", "switched off on Friday"), 1), "no door")
	b.next("accept-open --login")
	require.Contains(t, u.must("accept-open", "--login", login, "--reason", "its batch tokens expire at 18:00"), "accepted as open")
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	require.Contains(t, said.String(), "waits for people, and for nothing else")
	again.kill() // it has lost its Temporal, and says so in a minute
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	tokens("default")

	// It is closed, or must stop, and nothing runs any more that could be told.
	b.next("close --reason")
	closed := u.ledger()
	require.Contains(t, codes(u.run("close", "--reason", "bob is away until Monday", "--owner", "alice"), 2), "closing: campaign "+closed.Campaign)
	require.Equal(t, "alice", u.ledger().OpenAccepted.Owner)
	codes(u.run("run"), 2)
	b.next("abort")
	aborted := u.ledger()
	require.Contains(t, codes(u.run("abort"), 2), "aborting: campaign "+aborted.Campaign)
	require.Equal(t, ledger.Closed, u.ledger().Phase)
	require.Equal(t, aborted.Campaign, u.ledger().Campaign)
	require.Contains(t, codes(u.run("abort"), 1), "no campaign is running")

	b.next("run --take-over") // below, when nothing is to be waited for any more
	require.Contains(t, codes(u.run("run"), 2), "waits for people, and for nothing else")

	// 5
	b.next("tasks")
	require.Contains(t, u.must("tasks"), "0 of 1 task done")
	b.next("tasks show radius")
	require.Zero(t, p.as(alice, "tasks", "show", "radius").code)
	ticket := filepath.Join(e.Dir, "ticket.pdf")
	require.NoError(t, os.WriteFile(ticket, []byte("a ticket"), 0o600))
	b.next("tasks done radius --end 1")
	codes(p.as(alice, "tasks", "done", "radius", "--end", "1", "--note", "web interface", "--evidence", ticket), 0)
	b.next(`tasks reassign radius --end "NPS server" --to`)
	codes(p.as(bob, "tasks", "reassign", "radius", "--end", "NPS server", "--to", "people/carol", "--reason", "bob is on leave"), 0)
	b.next("run") // which hands it to carol before it leaves
	require.Contains(t, codes(u.run("run"), 2), "Run it by a timer (cron, systemd) each hour")
	codes(p.as(carol, "tasks", "show", "radius"), 0)
	b.next("run --stay")
	stays, joined := u.begin("run", "--stay")
	requireSoon(t, "it waits for them", joined, func() bool { return strings.Contains(joined.String(), "rejoining campaign") })
	require.NoError(t, stays.Process.Signal(os.Interrupt))
	_ = stays.Wait()
	require.Equal(t, 3, stays.ProcessState.ExitCode(), joined.String())
	codes(p.as(carol, "tasks", "done", "radius"), 0)
	require.Contains(t, codes(u.run("run"), 2), "1 attested by people", "exit code 2: some lines are left for later")
	state := u.ledger()
	require.Equal(t, ledger.Closed, state.Phase)
	require.Empty(t, state.Open())

	// 6
	b.next("report --html")
	u.must("report", "--html", filepath.Join(e.Dir, "report.html"))
	b.next("report --summary")
	u.must("report", "--summary", "--html", filepath.Join(e.Dir, "summary.html"))
	b.next("report --csv")
	u.must("report", "--csv", filepath.Join(e.Dir, "open.csv"))
	kept := map[string]string{"key": filepath.Join(e.Dir, "ledger.key"), "anchor": filepath.Join(e.Dir, "anchor")}
	for _, what := range []string{"key", "anchor"} {
		b.next("ledger " + what)
		require.NoError(t, os.WriteFile(kept[what], []byte(u.must("ledger", what)), 0o600))
	}
	b.next("ledger verify --key ledger.key --anchor anchor")
	require.Contains(t, u.must("ledger", "verify", "--key", kept["key"], "--anchor", kept["anchor"]), "VERIFIED")

	// 7
	b.next("answers check")
	u.must("answers", "check")
	b.next("run")
	codes(u.run("run"), 2)
	b.next("schedule create --every 168h")
	u.refuses("a schedule needs a Temporal server that stays up", "schedule", "create", "--every", "168h")

	// Another machine began that one, and is gone. (What it had handed to
	// people stays with it until it has given no sign of life for four
	// minutes.)
	left := u.ledger().Campaign
	here := *u
	here.state = filepath.Join(e.Dir, "here")
	here.refuses("campaign "+left, "run")
	_, heard := here.begin("run", "--take-over")
	requireSoon(t, "it goes on with what the other one left", heard, func() bool {
		s := u.ledgerSoFar()
		return s != nil && len(s.TookOver) == 1 && s.TookOver[0].Campaign == left
	})
	// From set to activated consumers have the value of before.
	requireSoon(t, "what has no task is dead", heard, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }) == 4
	})
	require.Empty(t, b.left, "this test knows nothing of these commands of the run book")
	requireConsumersServed(t, e)
}
