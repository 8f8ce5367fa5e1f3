package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// roles are what was stolen of the cluster.
func roles(e *estate.Estate) (out []intruder.Stolen) {
	for _, s := range e.Stolen {
		if s.Kind == intruder.Postgres {
			out = append(out, s)
		}
	}
	return out
}

func logsIn(t *testing.T, s *lab.Postgres, role string, value credential.Secret) bool {
	t.Helper()
	conn, err := s.Connect(t.Context(), role, value.Reveal(), "postgres")
	if err != nil {
		return false
	}
	require.NoError(t, conn.Close(t.Context()))
	return true
}

func TestACampaignOverAPostgreSQLClusterEndsWhatWasStolenOfItAndItsSessions(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Bystanders: 1, Postgres: 6, PostgresBystanders: 1})
	_, store := proxied(t, e)
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 4h, batch: 20}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.env = append(u.env, "VAULT_ADDR="+store.URL())
	u.must("init")
	var told strings.Builder
	tell := func(args ...string) string {
		out := u.must(args...)
		told.WriteString(out)
		return out
	}
	doctor := tell("doctor")
	require.Contains(t, doctor, "1 follow, and each is named")
	require.Contains(t, tell("list"), "svc-pg-0001")
	require.Contains(t, tell("plan"), e.PostgresReplica.URL())
	r := startRaid(t, e)
	keeps := func() (n int) {
		for _, res := range r.soFar() {
			if res.Via == intruder.Session && res.Successes > 0 && strings.HasPrefix(res.ID, estate.PostgresName+"/") {
				n++
			}
		}
		return n
	}
	requireSoon(t, "it holds a session of each role at each server", &r.out, func() bool { return keeps() == 2*len(roles(e)) })

	// A replica that does not apply what it gets. Killed between Set and
	// Activate of one role, the same command goes on, and says so.
	require.NoError(t, e.PostgresReplica.PauseReplication(t.Context()))
	first := roles(e)[0]
	path := e.Live[first.ID]
	u.killedAt("before a role is activated", store, faultproxy.Cut, 1, func(r faultproxy.Request) bool {
		return r.Kind == "PUT" && strings.HasSuffix(r.Detail, "/kv/data/"+path.Path)
	})
	require.Equal(t, 1, versions(t, e.Vault.Client(), path))
	require.False(t, logsIn(t, e.Postgres, first.User, credential.NewSecret(first.Password)), "it was set")
	staged := field(t, e, "rollcall/data/staging/"+first.ID, "secret")
	require.True(t, logsIn(t, e.Postgres, first.User, staged), "and what is in force is staged")

	cmd, said := u.begin("run")
	requireSoon(t, "the roles wait for the replica", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool {
			return l.Authority == estate.PostgresName && l.Reason == protocol.ReasonLagging && l.Server == e.PostgresReplica.URL()
		}) == len(roles(e))
	})
	for _, s := range roles(e) {
		require.False(t, logsIn(t, e.Postgres, s.User, credential.NewSecret(s.Password)), "the primary waits for nobody")
	}
	require.NoError(t, e.PostgresReplica.ResumeReplication(t.Context()))
	_ = cmd.Wait()
	told.WriteString(said.String())
	require.Zero(t, cmd.ProcessState.ExitCode(), said.String())

	results, state := r.end(), u.ledger()
	require.Len(t, state.Credentials, 8)
	requireAllDead(t, state, results)
	requireClean(t, e)
	require.NoError(t, e.CheckBystanders(t.Context()))
	sessions := 0
	for _, res := range results {
		if res.Via == intruder.Session && strings.HasPrefix(res.ID, estate.PostgresName+"/") {
			require.Equal(t, "refused", res.State, "a session of %s at %s lives on", res.ID, res.Server)
			sessions++
		}
	}
	require.Equal(t, 2*len(roles(e)), sessions, "it held one of each role at each server")
	for _, s := range roles(e) {
		l := state.Credential(s.ID)
		require.Equal(t, credential.PostgresPassword, l.Kind)
		require.Len(t, l.Evidence, 2, "primary and replica")
		p, held := e.Live[s.ID]
		if !held {
			require.Equal(t, protocol.ProofMetadata, l.Proof, "Vault never held it")
			continue
		}
		require.Equal(t, protocol.ProofBind, l.Proof)
		require.Equal(t, 2, versions(t, e.Vault.Client(), p), "consumers see one change")
		require.False(t, field(t, e, p.Mount+"/data/"+p.Path, "host").IsZero(), "another field was lost")
		for _, server := range []*lab.Postgres{e.Postgres, e.PostgresReplica} {
			require.True(t, logsIn(t, server, s.User, live(t, e, p)))
		}
	}
	for _, args := range [][]string{{"status"}, {"report"}, {"report", "-o", "json"}, {"ledger", "cat"}} {
		require.Contains(t, tell(args...), "dead")
	}
	require.Contains(t, tell("ledger", "verify"), "VERIFIED")
	requireHidden(t, e, told.String())
	requireLeftOutOfTheCluster(t, u)
}

// requireHidden: values are in Vault and, as verifiers, in the cluster. The
// servers' own logs have each statement.
func requireHidden(t *testing.T, e *estate.Estate, told string) {
	t.Helper()
	secrets := map[string]string{"the worker's": e.Postgres.AdminPassword}
	names := map[string]string{}
	for _, s := range roles(e) {
		secrets["stolen, of "+s.ID], names[s.User] = s.Password, s.User
		if p, ok := e.Live[s.ID]; ok {
			secrets["new, of "+s.ID] = live(t, e, p).Reveal()
		}
	}
	places := map[string][]byte{"the output": []byte(told)}
	for _, root := range []string{filepath.Join(e.Dir, "state"), filepath.Join(e.Dir, "ledger")} {
		collect(t, root, places)
	}
	for _, log := range []string{e.Postgres.LogFile(), e.PostgresReplica.LogFile(), e.Vault.LogFile(), e.Vault.AuditFile()} {
		data, err := os.ReadFile(log)
		require.NoError(t, err)
		places[log] = data
	}
	require.Empty(t, findSecrets(places, secrets))
	require.Empty(t, findSecrets(only(places, filepath.Join(e.Dir, "state", "engine")), names), "Temporal knows no role by its name")
}

// requireLeftOutOfTheCluster: the next campaign, with a replica that is gone.
func requireLeftOutOfTheCluster(t *testing.T, u *user) {
	t.Helper()
	e := u.e
	// What the killed process sent might still arrive for two minutes: as if
	// they were over.
	for _, s := range roles(e) {
		_, err := e.Vault.Client().Logical().Delete("rollcall/metadata/staging/" + s.ID)
		require.NoError(t, err)
	}
	gone := e.PostgresReplica.URL()
	require.NoError(t, e.PostgresReplica.Stop(context.Background()))
	cmd, said := u.begin("run")
	requireSoon(t, "the roles wait for the replica", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool {
			return l.Reason == protocol.ReasonUnreachable && l.Server == gone
		}) == len(roles(e))
	})
	require.Contains(t, u.must("leave-out", "--server", gone, "--reason", "its disk burnt"), "left out: "+gone)
	began := time.Now()
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	// A reset without an answer is waited for, which is two minutes at most;
	// the deadline is hours away.
	require.Less(t, time.Since(began), ownmount.LateFor+8*time.Minute, said.String())
	for _, s := range roles(e) {
		l := u.ledger().Credential(s.ID)
		require.Equal(t, ledger.Dead, l.Outcome)
		require.Equal(t, []string{gone}, l.LeftOut)
		require.Len(t, l.Evidence, 1)
	}
}
