package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// What the lines say of a role when it is listed is what they say before its
// password is set, where memberships are asked for only if they matter.
func TestTheListingAndTheLookBeforeSetReadLinesAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		var rules []Rule
		for range rapid.IntRange(2, 4).Draw(t, "lines") {
			rules = append(rules, Rule{Line: len(rules) + 1, Type: "hostssl", Databases: []string{one("database", "all", "app")}, Address: one("address", "all", "10.0.0.0/8"),
				Roles: []string{one("role", "all", "svc", "+services", "+others")}, Method: one("method", "scram-sha-256", "ldap")})
		}
		r := Role{ID: "1", Name: "svc"}
		v := view{servers: []string{"db"}, of: []*around{{rules: rules, rulesShown: true}}}
		groups := map[string][]string{r.ID: {"services"}}
		listed := v
		listed.groups = groups
		before := v
		if before.aboutGroups() {
			before.groups = groups
		}
		require.Equal(t, listed.problems(r), before.problems(r))
	})
}

func TestWhichFileIsInForceIsToldByItsTimes(t *testing.T) {
	loaded := time.Date(2026, 11, 28, 12, 0, 10, 5e8, time.UTC)
	at := func(seconds int) *time.Time {
		t := loaded.Truncate(time.Second).Add(time.Duration(seconds) * time.Second)
		return &t
	}
	for name, row := range map[string]struct {
		state         fileState
		older, unsure string
	}{
		"loaded":                          {fileState{at(-1), at(-1), false, false, loaded}, "", ""},
		"written and loaded by one hand":  {fileState{at(0), at(0), false, false, loaded}, "", ""},
		"changed since":                   {fileState{at(1), at(1), false, false, loaded}, "changed after it was loaded", ""},
		"an old copy put in place since":  {fileState{at(-3600), at(1), false, false, loaded}, "", "may keep the time"},
		"takes names from elsewhere":      {fileState{at(-1), at(-1), true, false, loaded}, "", "names other files"},
		"on Windows, where ctime is none": {fileState{at(-1), nil, false, false, loaded}, "", ""},
		"no time is shown":                {fileState{nil, nil, false, false, loaded}, "", "does not show"},
	} {
		older, unsure := row.state.judge()
		require.Equal(t, row.older == "", older == "", name)
		require.Contains(t, older, row.older, name)
		require.Equal(t, row.unsure == "", unsure == "", name)
		require.Contains(t, unsure, row.unsure, name)
	}
}

// A server of its own, for its lines are changed: those that let in are the
// ones that it loaded, whatever the file says by now.
func TestWhatLetsARoleInIsWhatTheServerLoaded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	own, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { _ = own.Stop(context.Background()) })
	mine := "hostssl all " + own.Super + "," + own.Admin + "," + own.Partner + " 127.0.0.1/32 scram-sha-256"
	require.NoError(t, own.Exec(ctx, "CREATE DATABASE app", "CREATE ROLE services", "CREATE ROLE svc LOGIN PASSWORD 'x' IN ROLE services",
		"GRANT SELECT ON pg_catalog.pg_hba_file_rules TO "+own.Admin+", "+own.Partner, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO "+own.Admin+", "+own.Partner,
		"REVOKE EXECUTE ON FUNCTION rollcall.hba_file() FROM "+own.Partner)) // rights as before there was the function
	id, err := own.RoleID(ctx, "svc")
	require.NoError(t, err)
	systems := map[string]*System{
		"superuser":        looking(t, own.Super, own.SuperPassword, own),
		"as documented":    looking(t, own.Admin, own.AdminPassword, own),
		"without function": looking(t, own.Partner, own.PartnerPassword, own),
	}
	type told3 struct {
		listed, hidden string
		before         []credential.Problem
		check          func() authority.Check
	}
	look := func(name string) (out told3) {
		s := systems[name]
		s.last.at = time.Time{} // the minute is over
		seen := lookAt(t, s, id)
		out.listed = told(seen, id, credential.NotAsked)
		for _, h := range seen.Hidden {
			if h.Code == credential.FindingRulesHidden {
				require.True(t, h.Code.Incomplete())
				out.hidden += h.Detail
			}
		}
		r, found, err := s.ByID(ctx, own.URL(), id)
		require.NoError(t, err)
		require.True(t, found)
		require.NoError(t, s.Hinders(ctx, []Role{r}, func(_ string, p credential.Problem) { out.before = append(out.before, p) }))
		out.check = func() authority.Check {
			checks := s.Check(ctx)
			return checks[slices.IndexFunc(checks, func(k authority.Check) bool { return k.What == "pg_hba" })]
		}
		return out
	}
	clean := func(why string) {
		t.Helper()
		for name := range systems {
			got := look(name)
			require.Empty(t, got.listed, why)
			require.Empty(t, got.before, why)
			if name == "without function" {
				require.Contains(t, got.hidden, "give Rollcall's role the function rollcall.hba_file", why)
			} else {
				require.Empty(t, got.hidden, why)
			}
		}
	}
	clean("as it was started")
	for name := range systems {
		check := look(name).check()
		require.True(t, check.OK, check.Detail)
		require.Equal(t, name == "without function", check.NotChecked, check.Detail)
	}

	// Services log in by SCRAM, people by the company's directory.
	require.NoError(t, own.SetHBA(ctx, mine, "hostssl all +services 127.0.0.1/32 scram-sha-256", "hostssl all all 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport=1 ldapprefix=x"))
	clean("an earlier line for its group decides each of its logins")

	// A hole is mended, and nobody has the file loaded. The sessions of the
	// worker are from before the load.
	require.NoError(t, own.SetHBA(ctx, mine, "hostssl app svc 127.0.0.1/32 trust"))
	require.Contains(t, look("without function").listed, "line 2 of pg_hba.conf (hostssl, database app, from 127.0.0.1) lets it in without a password")
	require.NoError(t, own.SetHBANotLoaded(time.Now().Add(-time.Hour), mine)) // a copy that keeps its time
	conn, err := own.Connect(ctx, "svc", "anything", "app")
	require.NoError(t, err, "what is in force lets anything in")
	_ = conn.Close(ctx)
	copied := func(name string) bool {
		got := look(name)
		return got.listed == "" && len(got.before) == 0 && strings.Contains(got.hidden, "a copy may keep the time of its original")
	}
	require.Eventually(t, func() bool { // once the second of the load is over
		require.NoError(t, os.Chmod(filepath.Join(filepath.Dir(own.LogFile()), "data/pg_hba.conf"), 0o600))
		return copied("superuser")
	}, time.Minute, 50*time.Millisecond)
	require.True(t, copied("as documented"), "its session has been idle since before the load")

	require.NoError(t, own.SetHBANotLoaded(time.Now().Add(time.Second), mine)) // an edit
	for _, name := range []string{"superuser", "as documented"} {
		got := look(name)
		require.Contains(t, got.listed, own.URL()+": its pg_hba.conf was changed after it was loaded, so that an older one is in force")
		require.Equal(t, []credential.Problem{credential.NotAsked}, got.before)
		check := got.check()
		require.True(t, check.Stops, check.Detail)
		require.Contains(t, check.Do, "pg_reload_conf()")
	}
	require.Contains(t, look("without function").hidden, "whether its pg_hba.conf is what is in force does not show")

	// A file that is wrong is not loaded.
	require.NoError(t, own.SetHBA(ctx, mine, "hostssl app svc 127.0.0.1/32 no-such-method"))
	for name := range systems {
		got := look(name)
		require.Contains(t, got.listed, "line 2 of its pg_hba.conf is wrong", name)
		require.Equal(t, []credential.Problem{credential.NotAsked}, got.before)
	}
	names := filepath.Join(filepath.Dir(own.LogFile()), "names")
	require.NoError(t, os.WriteFile(names, []byte("svc\n"), 0o644))
	require.NoError(t, own.SetHBA(ctx, mine, "hostssl all @"+names+" 127.0.0.1/32 scram-sha-256"))
	for _, name := range []string{"superuser", "as documented"} {
		got := look(name)
		require.Empty(t, got.listed, name)
		require.Contains(t, got.hidden, "names other files", fmt.Sprint(name, got))
	}
	require.NoError(t, own.SetHBA(ctx, "# @nobody"))
	clean("a comment names nothing")
}
