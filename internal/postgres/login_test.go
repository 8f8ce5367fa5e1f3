package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// What is refused after the password was taken is accepted; what is refused
// before tells nothing, save for 28P01.
func TestWhatAServerSaysBeforeAndAfterThePassword(t *testing.T) {
	t.Parallel()
	wrong := credential.NewSecret("not the password")
	for name, row := range map[string]struct {
		more, database string
		right, wrong   Login
	}{
		"in order":             {"", "", Login{protocol.Accepted, SCRAM, ""}, Login{protocol.Refused, SCRAM, "28P01"}},
		"no such database":     {"", "none", Login{protocol.Accepted, SCRAM, "3D000"}, Login{protocol.Refused, SCRAM, "28P01"}},
		"no CONNECT":           {"", "shut", Login{protocol.Accepted, SCRAM, "42501"}, Login{protocol.Refused, SCRAM, "28P01"}},
		"a closed database":    {"", "closed", Login{protocol.Accepted, SCRAM, "55000"}, Login{protocol.Refused, SCRAM, "28P01"}},
		"no connection left":   {"CONNECTION LIMIT 0", "", Login{protocol.Accepted, SCRAM, "53300"}, Login{protocol.Refused, SCRAM, "28P01"}},
		"may not log in":       {"NOLOGIN", "", Login{protocol.Disabled, SCRAM, "28000"}, Login{protocol.Disabled, SCRAM, "28P01"}},
		"beyond VALID UNTIL":   {"VALID UNTIL '2020-01-01'", "", Login{protocol.Expired, SCRAM, "28P01"}, Login{protocol.Expired, SCRAM, "28P01"}},
		"VALID UNTIL infinity": {"VALID UNTIL 'infinity'", "", Login{protocol.Accepted, SCRAM, ""}, Login{protocol.Refused, SCRAM, "28P01"}},
		"trust":                {"IN ROLE by_trust", "", Login{protocol.NotThisWay, NoPassword, ""}, Login{protocol.NotThisWay, NoPassword, ""}},
		"trust, no database":   {"IN ROLE by_trust", "none", Login{protocol.NotThisWay, NoPassword, "3D000"}, Login{protocol.NotThisWay, NoPassword, "3D000"}},
		"clear text":           {"IN ROLE by_password", "", Login{protocol.Accepted, ClearText, ""}, Login{protocol.Refused, ClearText, "28P01"}},
		"md5, stored by SCRAM": {"IN ROLE by_md5", "", Login{protocol.Accepted, SCRAM, ""}, Login{protocol.Refused, SCRAM, "28P01"}},
		"reject":               {"IN ROLE by_reject", "", Login{protocol.NotThisWay, NoPassword, "28000"}, Login{protocol.NotThisWay, NoPassword, "28000"}},
		"cert":                 {"IN ROLE by_cert", "", Login{protocol.NotThisWay, NoPassword, "28000"}, Login{protocol.NotThisWay, NoPassword, "28000"}},
		"ldap":                 {"IN ROLE by_ldap", "", Login{protocol.NotThisWay, ClearText, "28000"}, Login{protocol.NotThisWay, ClearText, "28000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, role, value := newRole(t, row.more)
			client := asAdmin(t)
			client.conf.Database = orDefault(row.database, "postgres")
			looker := asAdmin(t) // the look at the role needs a database that is there
			for _, s := range client.Servers() {
				await(t, func() bool { _, there, err := looker.ByID(t.Context(), s, id); return err == nil && there })
				for _, offer := range []struct {
					value credential.Secret
					want  Login
				}{{value, row.right}, {wrong, row.wrong}} {
					if row.database == "" {
						got, err := client.Try(t.Context(), s, id, role, offer.value)
						require.NoError(t, err)
						require.Equal(t, offer.want, got)
						continue
					}
					got, err := client.Offer(t.Context(), s, role, offer.value)
					require.NoError(t, err)
					require.Equal(t, offer.want, got)
				}
			}
		})
	}
}

// 28P01 is the answer to all of these.
func TestARefusalIsBelievedOnlyAfterALookAtTheRole(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	server := client.Servers()[0]
	id, role, value := newRole(t, "")
	exec(t, `ALTER ROLE "`+role+`" RENAME TO "`+role+`b"`)
	_, err := client.Try(t.Context(), server, id, role, value)
	require.ErrorContains(t, err, "renamed")
	require.NotContains(t, err.Error(), role)
	r, there, err := client.ByID(t.Context(), server, id)
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, role+"b", r.Name)
	got, err := client.Try(t.Context(), server, id, r.Name, value)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got.Answer, "a rename keeps a SCRAM password")

	// Another role by the old name, with the same password: what lets it in
	// proves nothing.
	exec(t, `CREATE ROLE "`+role+`" LOGIN PASSWORD '`+value.Reveal()+`'`)
	_, err = client.Try(t.Context(), server, id, role, value)
	requireStop(t, err, protocol.ReasonInterrupted)

	exec(t, `DROP ROLE "`+role+`b"`)
	got, err = client.Try(t.Context(), server, id, role+"b", value)
	require.NoError(t, err)
	require.Equal(t, protocol.Gone, got.Answer)

	upper, there, err := client.Find(t.Context(), server, "SVC-001")
	require.NoError(t, err)
	require.False(t, there, "names are case-sensitive: %v", upper)
	for _, odd := range []string{"", "0", "1 OR true", "-1", "01", "4294967296", "99999999999"} {
		_, there, err := client.ByID(t.Context(), server, odd)
		require.NoError(t, err)
		require.False(t, there)
	}
}

// The server hashes what SASLprep makes of a password, and so does libpq. The
// client library does something else by itself.
func TestValuesAreOfferedAsTheServerPreparedThem(t *testing.T) {
	t.Parallel()
	client := asSuper(t)
	server := client.Servers()[0]
	for name, text := range map[string]string{
		"ASCII":                   `p'a"s\s $w{0}rd`,
		"umlaut, composed":        "p\u00e4ssword",
		"umlaut, decomposed":      "pa\u0308ssword",
		"compatibility character": "pass\u2168word\ufb01",
		"soft hyphen":             "pass\u00adword",
		"no-break space":          "pass\u00a0word",
		"zero width space":        "pass\u200bword",
		"only soft hyphens":       "\u00ad\u00ad",
		"control character":       "pass\u0001word",
		"control and wide":        "pass\u0001w\u2168rd",
		"emoji":                   "pass\U0001F600word",
		"emoji and wide":          "pass\U0001F600w\u2168rd",
		"right to left":           "\u05d0\u05d1\u05d2",
		"mixed directions":        "\u05d0bc",
		"full width":              "\uff50\uff41\uff53\uff53",
		"trailing newline":        "password\n",
		"CJK":                     "\u5bc6\u7801\u3000\u5bc6",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, way := range []string{"", "IN ROLE by_password"} {
				id, role := newRoleWith(t, way)
				exec(t, `ALTER ROLE "`+role+`" PASSWORD '`+quoted(text)+`'`) // prepared by the server
				value := credential.NewSecret(text)
				got, err := client.Try(t.Context(), server, id, role, value)
				require.NoError(t, err)
				require.Equal(t, protocol.Accepted, got.Answer)
				r, _, err := client.ByID(t.Context(), server, id)
				require.NoError(t, err)
				require.True(t, r.Holds(value))
				require.False(t, r.Holds(credential.NewSecret(text+"x")))

				_, err = client.SetPassword(t.Context(), id, role, credential.NewSecret("x"+text)) // prepared here
				require.NoError(t, err)
				got, err = client.Try(t.Context(), server, id, role, credential.NewSecret("x"+text))
				require.NoError(t, err)
				require.Equal(t, protocol.Accepted, got.Answer)
				got, err = client.Try(t.Context(), server, id, role, value)
				if err == nil {
					require.Equal(t, protocol.Refused, got.Answer)
				} else {
					require.ErrorContains(t, err, "proves nothing")
				}
			}
		})
	}
	for _, odd := range []credential.Secret{{}, credential.NewSecret("a\x00b")} {
		_, err := client.Offer(t.Context(), server, "svc", odd)
		require.ErrorContains(t, err, "cannot be tried")
	}
}

func TestAnMD5PasswordIsTriedAndARenameClearsIt(t *testing.T) {
	t.Parallel()
	client := asSuper(t)
	server := client.Servers()[0]
	value := credential.NewSecret("p\u00a0w\u2168")
	id, role := newRoleWith(t, "IN ROLE by_md5")
	exec(t, `SET LOCAL password_encryption = 'md5'; ALTER ROLE "`+role+`" PASSWORD '`+value.Reveal()+`'`)
	got, err := client.Try(t.Context(), server, id, role, value)
	require.NoError(t, err)
	require.Equal(t, Login{protocol.Accepted, MD5, ""}, got)
	got, err = client.Try(t.Context(), server, id, role, credential.NewSecret("p w\u2168"))
	require.NoError(t, err)
	require.Equal(t, Login{protocol.Refused, MD5, "28P01"}, got)
	r, _, err := client.ByID(t.Context(), server, id)
	require.NoError(t, err)
	require.Equal(t, StoredMD5, r.Stored)
	require.True(t, r.Holds(value))
	exec(t, `ALTER ROLE "`+role+`" RENAME TO "`+role+`b"`)
	r, _, err = client.ByID(t.Context(), server, id)
	require.NoError(t, err)
	require.Equal(t, StoredNone, r.Stored)
}

// Two ALTER ROLE of one role: the one that waits fails when the other one is
// over, and may be sent again.
func TestAChangeThatLostARaceIsTriedAgain(t *testing.T) {
	t.Parallel()
	client := asSuper(t)
	id, role := newRoleWith(t, "")
	other, err := primary.AdminConn(t.Context())
	require.NoError(t, err)
	defer other.Close(context.WithoutCancel(t.Context()))
	tx, err := other.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `ALTER ROLE "`+role+`" CONNECTION LIMIT 5`)
	require.NoError(t, err)
	lost := make(chan error, 1)
	go func() {
		_, err := client.SetPassword(t.Context(), id, role, credential.NewSecret("the other one's"))
		lost <- err
	}()
	await(t, func() bool {
		return scan(t, `SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ALTER ROLE%"`+role+`"%'`) == "1"
	})
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-lost)
}

func TestAServerThatDoesNotAnswerIsUnreachableAndNamesNobody(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// passwordcheck takes a verifier, which it cannot look into.
	s, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca, Conf: []string{"shared_preload_libraries = 'passwordcheck'"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	c := conf(s)
	client := open(t, c, s.AdminPassword)
	c.Timeout = 2 * time.Second // long enough for what a busy server answers
	impatient := open(t, c, s.AdminPassword)
	value := credential.NewSecret("in force 1")
	require.NoError(t, s.Exec(ctx, `CREATE ROLE "Svc" LOGIN PASSWORD 'in force 1'`))
	r, there, err := client.Find(ctx, s.URL(), "Svc")
	require.NoError(t, err)
	require.True(t, there)

	t.Run("its sessions are cut", func(t *testing.T) {
		require.NoError(t, s.Restart(ctx))
		_, there, err = client.ByID(ctx, s.URL(), r.ID)
		require.NoError(t, err, "a read on a broken session is done once more")
		require.True(t, there)
		require.NoError(t, s.Restart(ctx))
		_, err = client.SetPassword(ctx, r.ID, "Svc", value)
		require.NoError(t, err, "a change is not sent into a session that is known to be broken")
	})
	t.Run("it waits for a synchronous standby", func(t *testing.T) {
		require.NoError(t, s.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = 'away'", "SELECT pg_reload_conf()"))
		next := credential.NewSecret("next")
		await(t, func() bool { // a server has read its settings a while after it was told to
			_, err = impatient.SetPassword(ctx, r.ID, "Svc", next)
			return err != nil
		})
		require.True(t, IsUnreachable(err), "%v", err)
		_, err = impatient.SetPassword(ctx, r.ID, "Svc", next)
		require.True(t, IsUnreachable(err), "%v", err)
		checks := find(client.Check(ctx), "", "settings")
		require.Contains(t, strings.Join(wrongOf(checks), "\n"), "synchronous standbys")
		await(t, func() bool { // it is in force here, which the lost answer did not say
			got, err := client.Try(ctx, s.URL(), r.ID, "Svc", next)
			return err == nil && got.Answer == protocol.Accepted
		})
		value = next
		require.NoError(t, s.Exec(ctx, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"))
	})
	t.Run("it hangs", func(t *testing.T) {
		s.Process().Pause()
		defer s.Process().Resume()
		require.NoError(t, impatient.Close())
		got, err := impatient.Try(ctx, s.URL(), r.ID, "Svc", value)
		require.NoError(t, err)
		require.Equal(t, protocol.Unreachable, got.Answer)
		_, _, err = impatient.ByID(ctx, s.URL(), r.ID)
		require.True(t, IsUnreachable(err), "%v", err)
		require.NotContains(t, err.Error(), s.Admin)
	})
	t.Run("it is gone", func(t *testing.T) {
		require.NoError(t, s.Stop(ctx))
		got, err := client.Try(ctx, s.URL(), r.ID, "Svc", value)
		require.NoError(t, err)
		require.Equal(t, protocol.Unreachable, got.Answer)
		_, err = client.SetPassword(ctx, r.ID, "Svc", value)
		require.True(t, IsUnreachable(err), "%v", err)
		require.NotContains(t, err.Error(), "Svc")
		_, _, err = client.ByID(ctx, s.URL(), r.ID)
		require.True(t, IsUnreachable(err), "%v", err)
		require.NotContains(t, err.Error(), s.Admin)
	})
	t.Run("the caller has gone", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client.Try(ctx, s.URL(), r.ID, "Svc", value)
		require.ErrorIs(t, err, context.Canceled)
		_, _, err = client.ByID(ctx, s.URL(), r.ID)
		require.ErrorIs(t, err, context.Canceled)
		_, err = client.SetPassword(ctx, r.ID, "Svc", value)
		require.ErrorIs(t, err, context.Canceled)
	})
}
