package e2e

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// scheduled is a line of schedule list.
type scheduled struct {
	ID            string
	Runs, Skipped int
	Next          string
	Skips         string
}

func TestAScheduleListsAfreshAtEachRunAndSkipsWhileOneRuns(t *testing.T) {
	t.Parallel()
	c := startControlled(t)
	c.refuses("device esg-01 has no schedule", "schedule", "trigger")
	c.refuses("give either --every or --cron", "schedule", "create")
	c.refuses("the shortest interval is a minute", "schedule", "create", "--every", "1s")
	c.refuses("Temporal cannot read --cron or --time-zone", "schedule", "create", "--cron", "when it suits")
	require.Empty(t, decode[[]scheduled](t, c.must("schedule", "list", "-o", "json")))

	require.Equal(t, "schedule/esg-01\n", c.must("schedule", "create", "--every", "24h"))
	c.refuses("device esg-01 has a schedule already", "schedule", "create", "--every", "24h")
	require.Equal(t, "schedule/esg-01", c.schedule().ID)
	require.NotEmpty(t, c.schedule().Next)

	first := c.trigger()
	require.Len(t, c.closed(first).Credentials, accounts)
	requireConsumersServed(t, c.e)

	newcomer := addAccount(t, c.e, "svc-esg-newcomer")
	second := c.trigger()
	state := c.closed(second)
	require.Len(t, state.Credentials, accounts+1)
	require.Len(t, deaths(t, state), accounts+1)
	now := live(t, c.e, credential.Path{Mount: "kv", Path: "rollcall/corp/svc-esg-newcomer", Field: "password"})
	require.True(t, binds(t, c.e, c.e.Slapd.LDAPS(), c.e.Slapd.AccountDN("svc-esg-newcomer"), now))
	require.False(t, binds(t, c.e, c.e.Slapd.LDAPS(), c.e.Slapd.AccountDN("svc-esg-newcomer"), newcomer))
	for id, p := range c.e.Live {
		require.Equal(t, 3, versions(t, c.e.Vault.Client(), p), id)
	}

	t.Run("a run that is due while the schedule's last one runs is skipped", func(t *testing.T) {
		c := c.in(t)
		reached, release := c.holdAt(protocol.Set)
		campaign := c.trigger()
		<-reached
		before, skipped := c.campaigns(), c.schedule().Skipped
		c.must("schedule", "trigger")
		require.Eventually(t, func() bool { return c.schedule().Skipped == skipped+1 }, patience, tick)
		release()
		require.Len(t, deaths(t, c.closed(campaign)), accounts+1)
		require.Equal(t, before, c.campaigns())
	})
	t.Run("a run that is due while a person's campaign runs starts no other", func(t *testing.T) {
		c := c.in(t)
		run, campaign, release := c.runUntil(protocol.Set)
		before, runs := c.campaigns(), c.schedule().Runs
		c.must("schedule", "trigger")
		require.Eventually(t, func() bool { return c.schedule().Runs == runs+1 }, patience, tick, "the launcher starts, finds the campaign, and ends")
		require.Equal(t, "runs that are due are skipped while campaign "+campaign+" runs", c.schedule().Skips)
		release()
		require.Zero(t, run.wait().code, run.errors())
		require.Len(t, deaths(t, c.state(campaign)), accounts+1)
		require.Equal(t, before, c.campaigns(), "no other ledger was begun")
		requireConsumersServed(t, c.e)
	})
	t.Run("a campaign that waits for people blocks the schedule, which says so, and an abort frees it", func(t *testing.T) {
		c := c.in(t)
		text, err := os.ReadFile(c.file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(c.file), "tasks.yaml"), []byte("- {kind: purge, name: old backups, owner: people/nobody, due: 2d}\n"), 0o644))
		require.NoError(t, os.WriteFile(c.file, []byte(strings.Replace(string(text), "sources:\n", "sources:\n  - {name: people, type: manifest, file: tasks.yaml}\n", 1)), 0o644))
		campaign := strings.TrimSpace(c.must("start"))
		require.Eventually(t, func() bool {
			return strings.Contains(c.schedule().Skips, "campaign "+campaign+" waits for people, and for nothing else")
		}, patience, tick)
		before, runs := c.campaigns(), c.schedule().Runs
		c.must("schedule", "trigger")
		require.Eventually(t, func() bool { return c.schedule().Runs == runs+1 }, patience, tick)
		require.Equal(t, before, c.campaigns(), "no other ledger was begun")
		require.Contains(t, strings.Join(strings.Fields(c.must("schedule", "list")), " "), "schedule/esg-01: runs that are due are skipped while campaign "+campaign+" waits for people")
		c.must("abort")
		require.Eventually(t, func() bool { return c.schedule().Skips == "" }, patience, tick)
		require.NoError(t, os.WriteFile(c.file, text, 0o644))
		require.Len(t, deaths(t, c.closed(c.trigger())), accounts+1, "the schedule has the file as it was created")
	})
	t.Run("a schedule that is deleted is gone, and can be made anew", func(t *testing.T) {
		c := c.in(t)
		c.must("schedule", "delete")
		require.Empty(t, decode[[]scheduled](t, c.must("schedule", "list", "-o", "json")))
		c.refuses("device esg-01 has no schedule", "schedule", "trigger")
		c.refuses("device esg-01 has no schedule", "schedule", "delete")
		c.must("schedule", "create", "--cron", "30 2 * * 0", "--time-zone", "Europe/Vienna")
		require.Contains(t, c.must("schedule", "list"), "schedule/esg-01")
	})
	t.Run("one of a device with a profile needs answers, and a run ends before anything when later has fallen due", func(t *testing.T) {
		c := c.in(t)
		c.must("schedule", "delete")
		text, err := os.ReadFile(c.file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(c.file), "gateway.yaml"), []byte(gateway), 0o644))
		require.NoError(t, os.WriteFile(c.file, append(text, "\nprofile: gateway.yaml\n"...), 0o644))
		r := c.run("schedule", "create", "--every", "24h")
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.err, "answers.yaml: seal (tls-key): has no answer\n")
		require.Empty(t, decode[[]scheduled](t, c.must("schedule", "list", "-o", "json")))

		before, due := c.versions(), time.Now().Add(40*time.Second) // the schedule is made before
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(c.file), "answers.yaml"), []byte("device: esg-01\nprofile: gateway\nby: jo@desk\non: 2026-11-28\nanswers:\n"+
			"  seal: {later: order it, owner: jo, due: "+due.UTC().Format(time.RFC3339)+"}\n  users: {none: nobody logs in}\n"), 0o644))
		c.must("schedule", "create", "--every", "24h")
		require.Eventually(t, func() bool { return time.Now().After(due) }, patience, tick)
		state := c.closed(c.trigger())
		require.Empty(t, state.Credentials, "nothing was listed, and nothing changed")
		require.Equal(t, before, c.versions())
		require.Contains(t, c.run("ledger", "cat", "--ledger", filepath.Join(c.ledgers, state.Campaign)).out, "answers.yaml:6: seal (tls-key): was left for later and fell due on "+due.UTC().Format(time.DateOnly)+" (jo)")
	})
	requireBystandersUntouched(t, c.e)
}

// schedule is the one that there is.
func (c *cluster) schedule() scheduled {
	c.t.Helper()
	rows := decode[[]scheduled](c.t, c.must("schedule", "list", "-o", "json"))
	require.Len(c.t, rows, 1)
	return rows[0]
}

// campaigns are the ledgers that the ledger worker holds.
func (c *cluster) campaigns() []string {
	c.t.Helper()
	entries, err := os.ReadDir(c.ledgers)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(c.t, err)
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// trigger fires the schedule and returns the campaign that comes of it.
func (c *cluster) trigger() string {
	c.t.Helper()
	before, skipped := c.campaigns(), c.schedule().Skipped
	c.must("schedule", "trigger")
	var now []string
	require.Eventually(c.t, func() bool {
		// The launcher of the last campaign ends a moment after it, and until
		// then a trigger is skipped.
		if n := c.schedule().Skipped; n > skipped {
			skipped = n
			c.must("schedule", "trigger")
		}
		now = c.campaigns()
		return len(now) == len(before)+1
	}, patience, tick, "nothing came of the trigger")
	return now[len(now)-1]
}

// closed waits for the end of a campaign, and for its engine to know of it.
func (c *cluster) closed(campaign string) *ledger.State {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		r, err := ledger.OpenReader(c.ledgers + "/" + campaign)
		if err != nil {
			return false
		}
		s, err := r.State(c.t.Context())
		return err == nil && s.Phase == ledger.Closed
	}, patience, tick)
	require.Eventually(c.t, func() bool {
		return strings.Contains(c.run("resume").err, "no campaign is running")
	}, patience, tick)
	return c.state(campaign)
}

// addAccount puts an account of the device into the directory, and nowhere
// else.
func addAccount(t *testing.T, e *estate.Estate, uid string) credential.Secret {
	t.Helper()
	conn, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	value := rand.Text()
	add := ldap.NewAddRequest(e.Slapd.AccountDN(uid), nil)
	add.Attribute("objectClass", []string{"inetOrgPerson"})
	for name, text := range map[string]string{"uid": uid, "cn": uid, "sn": uid, "description": "lookup account of " + estate.Device, "userPassword": value} {
		add.Attribute(name, []string{text})
	}
	require.NoError(t, conn.Add(add))
	return credential.NewSecret(value)
}
