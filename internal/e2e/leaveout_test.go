package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

func (u *user) refuses(why string, args ...string) {
	u.t.Helper()
	r := u.run(args...)
	require.Equal(u.t, 1, r.code, "%v: %s%s", args, r.out, r.err)
	require.Contains(u.t, r.err, why)
}

func TestAServerThatIsGoneIsLeftOutByNameWithAReasonAndNothingElseEndsTheWait(t *testing.T) {
	t.Parallel()
	const accounts = 12 // more than the eight after which a batch gives up a directory that is silent as a whole
	e := startEstate(t, estate.Options{Accounts: accounts, Replica: true, Bystanders: 1, Policy: locking})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 10m, deadline: 4h, batch: 100, concurrency: 2}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	gone := e.Replica.LDAPS()
	require.NoError(t, e.Replica.Stop(context.Background()))
	plan := u.run("plan")
	require.Equal(t, 1, plan.code, "%s%s", plan.out, plan.err)
	require.Contains(t, plan.out, gone)

	cmd, said := u.begin("run")
	requireSoon(t, "every credential waits for the server", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool {
			return l.Reason == protocol.ReasonUnreachable && l.Server == gone
		}) == accounts
	})
	for _, s := range e.Stolen {
		require.False(t, binds(t, e, e.Slapd.LDAPS(), s.DN, credential.NewSecret(s.Password)), "a server that is gone keeps nobody from a new value")
		require.True(t, binds(t, e, e.Slapd.LDAPS(), s.DN, live(t, e, e.Live[s.ID])))
	}
	u.refuses("a reason is missing", "leave-out", "--server", gone, "--reason", " ")
	u.refuses("reason", "leave-out", "--server", gone)
	u.refuses("must be a URL like", "leave-out", "--server", "replica", "--reason", "x")
	u.refuses("the campaign file has "+e.Slapd.LDAPS()+", "+gone, "leave-out", "--server", "replica", "--reason", "x")
	short := strings.TrimPrefix(gone, "ldaps://")
	host, _, _ := strings.Cut(short, ":")
	u.refuses("is the host of "+e.Slapd.LDAPS()+" and "+gone+": name the one that is meant", "leave-out", "--server", host, "--reason", "x")
	u.refuses("is no server of the campaign; its servers are "+e.Slapd.LDAPS()+", "+gone, "leave-out", "--server", "ldaps://other.example.org", "--reason", "x")
	u.refuses("is the write server of corp", "leave-out", "--server", e.Slapd.LDAPS(), "--reason", "x")
	u.refuses("no directory nowhere", "leave-out", "--server", gone, "--reason", "x", "--directory", "nowhere")
	for _, secret := range []string{e.Stolen[0].Password, live(t, e, e.Live[e.Stolen[1].ID]).Reveal()} {
		const why = "cannot leave-out: --reason holds, as a word of its own, the secret of a credential"
		u.refuses(why, "leave-out", "--server", gone, "--reason", "its account has "+secret+", still")
	}
	u.refuses("cannot leave-out: --reason holds an address with a login in it", "leave-out", "--server", gone, "--reason", "see ldaps://svc:pw@ldap2.example.org")
	require.Zero(t, u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }))
	require.Empty(t, u.ledger().LeftOut)

	const reason = "its disk burnt; a new one comes on Monday"
	asked := time.Now()
	older := copiedLedger(t, u)
	require.Contains(t, u.must("leave-out", "--server", short, "--reason", reason), "left out: "+gone)
	requireSoon(t, "a copy of the ledger is told from the ledger", said, func() bool {
		return strings.Contains(strings.Join(strings.Fields(u.run("status", "--ledger", older).out), " "), " is an older copy: it has ")
	})
	require.NotContains(t, u.run("status").out, "older copy")
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	require.Less(t, time.Since(asked), 8*time.Minute, "the wait of up to ten minutes is over at once")

	state := u.ledger()
	require.Equal(t, map[string][]string{"corp": {e.Slapd.LDAPS(), gone}}, state.Servers)
	require.Len(t, state.LeftOut, 1)
	require.Equal(t, reason, state.LeftOut[0].Reason)
	require.Contains(t, state.LeftOut[0].Actor, "@")
	for _, l := range state.Credentials {
		require.Equal(t, ledger.Dead, l.Outcome, l.Name)
		require.Equal(t, []string{gone}, l.LeftOut)
		require.Len(t, l.Evidence, 1)
	}
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	requireNotLocked(t, e)
	requireSaidEverywhere(t, u, gone, reason, accounts)

	// What the weaker result leaves: back on the network, it takes what was
	// stolen.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, e.Replica.Restart(ctx))
	require.True(t, binds(t, e, gone, e.Stolen[0].DN, credential.NewSecret(e.Stolen[0].Password)))
}

// requireSaidEverywhere: whoever reads any of it learns which server was not
// asked, by whose word and why, an outsider with nothing but files among them.
func requireSaidEverywhere(t *testing.T, u *user, server, reason string, n int) {
	t.Helper()
	text := u.must("report")
	for _, want := range []string{"Left out by a person: a weaker result", server, "because: " + reason, "dead on 1 of 2 servers", "credentials are dead on the other"} {
		require.Contains(t, regexp.MustCompile(`\s+`).ReplaceAllString(text, " "), want)
	}
	doc := decode[report.Document](t, u.must("report", "-o", "json"))
	require.Len(t, doc.LeftOut, 1)
	require.Equal(t, report.StatusLeftOut{
		Directory: "corp", Server: server, Actor: doc.LeftOut[0].Actor, Reason: reason, At: doc.LeftOut[0].At, Dead: n,
	}, doc.LeftOut[0])
	for _, l := range doc.Roll {
		require.Equal(t, []string{server}, l.LeftOut)
	}
	require.Contains(t, u.must("status"), "left out  "+server)
	page := filepath.Join(t.TempDir(), "report.html")
	u.must("report", "--html", page)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "Dead, but not on every server")
	require.Contains(t, string(html), reason)

	outsider := filepath.Join(t.TempDir(), "copy")
	folders, err := filepath.Glob(filepath.Join(u.e.Dir, "ledger", "*", "ledger.json"))
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(outsider, os.DirFS(filepath.Dir(folders[len(folders)-1]))))
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte(u.must("ledger", "key")), 0o600))
	away := *u
	away.env = []string{"VAULT_ADDR=http://127.0.0.1:1"}
	require.Contains(t, away.must("ledger", "verify", "--ledger", outsider, "--key", key), "VERIFIED")
	story := away.must("ledger", "cat", "--ledger", outsider)
	require.Regexp(t, `campaign-started .*corp is ldaps://\S+, `+regexp.QuoteMeta(server), story)
	require.Regexp(t, `server-left-out +corp +by \S+@\S+ +`+regexp.QuoteMeta(server+"  "+reason), story)
	require.Regexp(t, `outcome .*`+regexp.QuoteMeta(server)+`: left out by a person, not asked`, story)
}

func TestNoServerIsLeftOutWhereNoCampaignRuns(t *testing.T) {
	t.Parallel()
	c := startControlled(t)
	c.refuses("cannot leave-out: no campaign is running for device esg-01", "leave-out", "--server", "ldaps://127.0.0.1:636", "--reason", "x")
}

// A door whose machine was switched off for good answers nobody. It keeps what
// it takes open until a person takes it out; what a person has done is dead by
// his word then, as where there is no door.
func TestADoorThatIsGoneIsLeftOutByNameWithAReason(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	m := startDovecot(t, e, 0)
	off := freeAddress(t)
	file, err := e.CampaignFile(nil, fmt.Sprintf(`limits: {retry_min: 200ms, retry_max: 10m, deadline: 4h, batch: 20}
doors:
  mail: {type: imaps, address: %q, ca_file: ca.pem, for: [{directory: corp}]}
  old: {type: imaps, address: %q, ca_file: ca.pem, for: [{directory: corp}]}
`, m.Address("imaps"), off))
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	cmd, said := u.begin("run")
	requireSoon(t, "every credential waits for the door", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool {
			return l.Reason == protocol.ReasonDoorSilent && l.Server == "old"
		}) == 2
	})
	u.refuses("is no door of the campaign; its doors are mail, old", "leave-out", "--door", "vpn", "--reason", "x")
	u.refuses("a reason is missing", "leave-out", "--door", "old", "--reason", " ")
	u.refuses("door", "leave-out", "--door", "old", "--server", "ldaps://a.example.org", "--reason", "x")
	require.Contains(t, u.must("leave-out", "--door", "old", "--reason", "switched off on Friday"), "left out: door old")
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	state := u.ledger()
	require.Len(t, state.LeftOut, 1)
	require.Equal(t, "door old", state.LeftOut[0].Place())
	for _, l := range state.Credentials {
		require.Equal(t, ledger.Dead, l.Outcome)
		require.Equal(t, []string{"old"}, l.DoorsLeftOut)
		require.Len(t, l.AtDoors, 1)
		require.Equal(t, protocol.Refused, l.AtDoors[0].Old, "the other door has shown it")
	}
	require.Contains(t, u.must("ledger", "verify"), "VERIFIED")
	require.Contains(t, strings.Join(strings.Fields(u.must("report")), " "), "old, imaps://"+off+": 0 of 2 values refused as stolen, the new one accepted before and after; 2 dead without it")
	require.Contains(t, u.must("status"), "left out  door old")
}

// copiedLedger is a copy of the running campaign's ledger, as it is now.
func copiedLedger(t *testing.T, u *user) string {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(u.e.Dir, "ledger", "*", "ledger.json"))
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for {
		copied := filepath.Join(t.TempDir(), "copy")
		err := os.CopyFS(copied, os.DirFS(filepath.Dir(folders[len(folders)-1])))
		if errors.Is(err, fs.ErrNotExist) && t.Context().Err() == nil {
			continue // a file got its name between the list and the copy
		}
		require.NoError(t, err)
		return copied
	}
}
