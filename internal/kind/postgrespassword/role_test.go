package postgrespassword

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/postgres"
	"rollcall/internal/protocol"
)

// PostgreSQL refuses every password then, the right one too, with the words for
// a wrong one. Whoever extends VALID UNTIL brings the stolen one back.
func TestAPasswordBeyondItsTimeIsExpiredAndNotDead(t *testing.T) {
	t.Parallel()
	c, old := newRole(t)
	a := asAdmin(t)
	exec(t, `ALTER ROLE "`+c.Name+`" VALID UNTIL '2020-01-01'`)
	require.NoError(t, replica.AwaitReplication(t.Context()))
	for _, server := range a.Servers() {
		acc, err := a.Account(t.Context(), server, c)
		require.NoError(t, err)
		require.Equal(t, protocol.Expired, acc.State)
		reply, err := a.Try(t.Context(), server, acc, old)
		require.NoError(t, err)
		require.Equal(t, protocol.Expired, reply)
	}
	// A new one may be set meanwhile, and the time stays as somebody wanted it.
	acc, _ := setNew(t, a, c)
	require.Equal(t, protocol.Expired, account(t, a, c).State)
	exec(t, `ALTER ROLE "`+c.Name+`" VALID UNTIL 'infinity'`)
	reply, err := a.Try(t.Context(), primary.URL(), acc, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, reply)
}

func TestARoleThatMayNotLogInIsDisabledWhateverItsPassword(t *testing.T) {
	t.Parallel()
	c, old := newRole(t)
	a := asAdmin(t)
	exec(t, `ALTER ROLE "`+c.Name+`" NOLOGIN`)
	acc := account(t, a, c)
	require.Equal(t, protocol.Disabled, acc.State)
	for _, value := range []credential.Secret{old, credential.NewSecret("wrong")} {
		reply, err := a.Try(t.Context(), primary.URL(), acc, value)
		require.NoError(t, err)
		require.Equal(t, protocol.Disabled, reply)
	}
}

func TestASuperusersPasswordNeedsASuperuser(t *testing.T) {
	t.Parallel()
	for _, power := range []string{"SUPERUSER", "REPLICATION"} {
		c, old := newRole(t)
		exec(t, `ALTER ROLE "`+c.Name+`" `+power)
		weak := asAdmin(t)
		acc := account(t, weak, c)
		if power == "REPLICATION" { // which a person accepts, or it is not set at all
			require.Equal(t, []credential.Problem{credential.Replicates}, acc.Hindered)
			requireStop(t, weak.Set(t.Context(), acc, credential.NewSecret("one-that-is-not-set"), credential.Secret{}), protocol.ReasonReplicates)
		}
		accept(&acc)
		err := weak.Set(t.Context(), acc, credential.NewSecret("one-that-is-not-set"), credential.Secret{})
		require.Contains(t, requireStop(t, err, protocol.ReasonRights).Detail, "superuser")
		reply, err := weak.Try(t.Context(), primary.URL(), acc, old)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, reply, "nothing was set")

		strong := authorityAs(t, primary.Super, primary.SuperPassword)
		kept := session(t, primary, c.Name, old)
		_, new := setNew(t, strong, c)
		if power == "SUPERUSER" {
			_, _, err = weak.Retire(t.Context(), acc, new)
			requireStop(t, err, protocol.ReasonRights)
			require.True(t, lives(t, kept))
		}
		_, _, err = strong.Retire(t.Context(), acc, new)
		require.NoError(t, err)
		require.False(t, lives(t, kept))
	}
}

func TestARoleThatIsRenamedMeanwhileIsLeftAsItIsAndSoIsWhoTookItsName(t *testing.T) {
	t.Parallel()
	c, old := newRole(t)
	a := asAdmin(t)
	acc := account(t, a, c)
	exec(t, `ALTER ROLE "`+c.Name+`" RENAME TO "`+c.Name+`-moved"`)
	fresh := credential.NewSecret("a-value-for-nobody")
	err := a.Set(t.Context(), acc, fresh, credential.Secret{})
	require.Contains(t, requireStop(t, err, protocol.ReasonInterrupted).Detail, "renamed")

	exec(t, `CREATE ROLE "`+c.Name+`" LOGIN PASSWORD 'of-another'`)
	requireStop(t, a.Set(t.Context(), acc, fresh, credential.Secret{}), protocol.ReasonInterrupted)
	session(t, primary, c.Name, credential.NewSecret("of-another"))
	session(t, primary, c.Name+"-moved", old)

	require.True(t, a.SameName("App", "App"))
	require.False(t, a.SameName("App", "app"), "two roles")
	holder, err := a.Holder(t.Context(), primary.URL(), c.Name)
	require.NoError(t, err)
	require.NotEmpty(t, holder)
	require.NotEqual(t, c.Subject, holder)
	holder, err = a.Holder(t.Context(), primary.URL(), c.Name+"-moved")
	require.NoError(t, err)
	require.Equal(t, c.Subject, holder)
	holder, err = a.Holder(t.Context(), primary.URL(), strings.ToUpper(c.Name))
	require.NoError(t, err)
	require.Empty(t, holder)

	// The next pass reads it by its oid, and goes on under the new name.
	moved, new := setNew(t, a, c)
	require.Equal(t, c.Name+"-moved", moved.Name)
	session(t, primary, moved.Name, new)
}

func TestSeveralMachinesAtOneAddressAreSeen(t *testing.T) {
	t.Parallel()
	c, _ := newRole(t)
	a := authorityAs(t, primary.Super, primary.SuperPassword)
	first, err := a.LookAgain(t.Context(), primary.URL(), []credential.Credential{c}, 3)
	require.NoError(t, err)
	require.Empty(t, first.Contradicts)
	require.Equal(t, account(t, a, c).Changed, first.Marks[c.ID])
	again, err := a.LookAgain(t.Context(), primary.URL(), nil, 1)
	require.NoError(t, err)
	require.Equal(t, first.Machine, again.Machine)
	other, err := a.LookAgain(t.Context(), replica.URL(), nil, 1)
	require.NoError(t, err)
	require.NotEqual(t, first.Machine, other.Machine)

	b, err := lab.StartBalancer("127.0.0.1:0", strings.TrimPrefix(primary.URL(), "postgresql://"), strings.TrimPrefix(replica.URL(), "postgresql://"))
	require.NoError(t, err)
	t.Cleanup(b.Close)
	behind := cluster(primary.Admin)
	behind.Servers = []string{"postgresql://" + b.Addr()}
	db, err := postgres.OpenSystem("appdb", behind, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(primary.AdminPassword), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	look, err := New(db, authority.PasswordPolicy{}, nil).LookAgain(t.Context(), behind.Servers[0], []credential.Credential{c}, 4)
	require.NoError(t, err)
	require.NotEmpty(t, look.Contradicts)
	require.NotContains(t, look.Contradicts, c.Name)
}

func TestAServerThatIsStartedAgainIsTheSameMachine(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	own, err := lab.StartPostgres(t.Context(), lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, own.Stop(context.WithoutCancel(t.Context()))) })
	conf := cluster(own.Admin)
	conf.Servers, conf.CA = []string{own.URL()}, own.CA
	look := func() kind.Look {
		db, err := postgres.OpenSystem("appdb", conf, func(context.Context) (credential.Secret, error) {
			return credential.NewSecret(own.AdminPassword), nil
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		seen, err := New(db, authority.PasswordPolicy{}, nil).LookAgain(t.Context(), own.URL(), nil, 1)
		require.NoError(t, err)
		return seen
	}
	before := look()
	require.NoError(t, own.Restart(t.Context()))
	after := look()
	require.Equal(t, before.Machine, after.Machine)
	require.True(t, after.Started.After(before.Started))
}

// Alone it is nobody's to set; of a pair each is set by the other.
func TestOwnLoginsAreRotatedByTheOtherOfAPair(t *testing.T) {
	t.Parallel()
	var pair [2]credential.Credential
	var mu sync.Mutex
	var values [2]credential.Secret
	both := cluster("")
	both.Bind = nil
	var reads []func(context.Context) (credential.Secret, error)
	for i := range pair {
		pair[i], values[i] = newRole(t)
		exec(t, `ALTER ROLE "`+pair[i].Name+`" CREATEROLE`, `GRANT pg_signal_backend, pg_read_all_stats TO "`+pair[i].Name+`"`)
		both.Bind = append(both.Bind, authority.Login{Name: pair[i].Name, Secret: credential.Path{Mount: "kv", Path: pair[i].Name, Field: "password"}})
		reads = append(reads, func(context.Context) (credential.Secret, error) {
			mu.Lock()
			defer mu.Unlock()
			return values[i], nil
		})
	}
	require.NoError(t, replica.AwaitReplication(t.Context()))

	single := authorityAs(t, pair[0].Name, values[0].Reveal())
	_, err := single.Account(t.Context(), primary.URL(), pair[0])
	requireStop(t, err, protocol.ReasonSelf)
	err = single.Set(t.Context(), kind.Account{Subject: pair[0].Subject, Name: pair[0].Name}, credential.NewSecret("none"), credential.Secret{})
	requireStop(t, err, protocol.ReasonSelf)

	db, err := postgres.OpenSystem("appdb", both, reads...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	a := New(db, authority.PasswordPolicy{}, nil)
	a.arrives = 5 * time.Minute
	for i, c := range pair {
		old := values[i]
		kept := session(t, primary, c.Name, old)
		acc, new := setNew(t, a, c)
		_, _, err = a.Retire(t.Context(), acc, new)
		require.NoError(t, err)
		require.False(t, lives(t, kept))
		for _, server := range a.Servers() {
			reply, err := a.Try(t.Context(), server, acc, old)
			require.NoError(t, err)
			require.Equal(t, protocol.Refused, reply)
			reply, err = a.Try(t.Context(), server, acc, new)
			require.NoError(t, err)
			require.Equal(t, protocol.Accepted, reply)
		}
		mu.Lock()
		values[i] = new // activated
		mu.Unlock()
	}
}
