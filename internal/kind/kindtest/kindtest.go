// Package kindtest is the contract that every kind of credential keeps, as
// tests against the real authority. A kind passes a Fixture to Run and adds
// only the tests that are its own.
package kindtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// Fixture is a kind in front of a real authority.
type Fixture struct {
	// Authority is the kind under test, with rights to do all it needs. Run
	// does not close it.
	Authority kind.Authority

	// New makes another credential that is in order, known to every server,
	// and returns the value in force.
	New func(t *testing.T) (credential.Credential, credential.Secret)

	// Delete removes the credential's account from the authority.
	Delete func(t *testing.T, c credential.Credential)

	// States put an account into a state in which every login fails, keyed by
	// what Account and Try must then say. A kind without such states leaves it
	// empty.
	States map[protocol.Reply]func(t *testing.T, c credential.Credential)

	// Interrupt makes the write server unreachable until the returned function
	// has run. It runs last.
	Interrupt func(t *testing.T) (restore func(t *testing.T))
}

// patience is how long a replica may lag and a broken server may take to come
// back; all polling ends as soon as the condition holds.
const patience = 5 * time.Minute

// Run runs the whole contract.
func Run(t *testing.T, f Fixture) {
	t.Run("the account in order is shown on every server", f.accountInOrder)
	t.Run("many accounts are shown as each one is", f.many)
	t.Run("the value in force is accepted and no other", f.onlyTheValueInForce)
	t.Run("an empty value is never accepted", f.emptyValue)
	t.Run("generated values differ", f.generatedValuesDiffer)
	t.Run("a rotation kills the old value", f.rotation)
	t.Run("an unknown old value is proved by the change mark", f.unknownOld)
	t.Run("a second Set leaves the value in force", f.setTwice)
	t.Run("two changes in a row have different marks", f.marksDiffer)
	t.Run("a deleted account is gone, not refused", f.gone)
	for state, apply := range f.States {
		t.Run("a "+string(state)+" account is called so and never refused or accepted", func(t *testing.T) { f.state(t, state, apply) })
	}
	t.Run("many at once do not mix", f.concurrent)
	t.Run("an ended context ends the call", f.endedContext)
	t.Run("an unreachable server is said to be so and comes back", f.unreachable)
}

func (f Fixture) write() string { return f.Authority.Servers()[0] }

// account reads the account on the write server.
func (f Fixture) account(t *testing.T, c credential.Credential) kind.Account {
	t.Helper()
	a, err := f.Authority.Account(t.Context(), f.write(), c)
	require.NoError(t, err)
	return a
}

func (f Fixture) generate(t *testing.T, c credential.Credential) credential.Secret {
	t.Helper()
	v, err := f.Authority.Generate(t.Context(), c)
	require.NoError(t, err)
	require.False(t, v.IsZero())
	return v
}

// answers requires every server to say want, replicas within patience.
func (f Fixture) replies(t *testing.T, want protocol.Reply, a kind.Account, v credential.Secret) {
	t.Helper()
	for i, s := range f.Authority.Servers() {
		if i == 0 {
			got, err := f.Authority.Try(t.Context(), s, a, v)
			require.NoError(t, err)
			require.Equal(t, want, got, "the write server %s", s)
			continue
		}
		require.Eventually(t, func() bool {
			if !f.caughtUp(t, s, a) {
				return false
			}
			got, err := f.Authority.Try(t.Context(), s, a, v)
			return err == nil && got == want
		}, patience, 50*time.Millisecond, "server %s never said %s", s, want)
	}
}

// caughtUp reports whether a replica shows the write server's change mark. One
// that lags is not probed, here as in a proof: a value that it does not know
// yet would be a wrong password, and it might count those until it locks the
// account.
func (f Fixture) caughtUp(t *testing.T, server string, a kind.Account) bool {
	t.Helper()
	c := credential.Credential{Subject: a.Subject, Name: a.Name}
	there, err := f.Authority.Account(t.Context(), server, c)
	return err == nil && there.Changed >= f.account(t, c).Changed
}

func (f Fixture) accountInOrder(t *testing.T) {
	require.NotEmpty(t, f.Authority.Servers())
	c, _ := f.New(t)
	for _, s := range f.Authority.Servers() {
		a, err := f.Authority.Account(t.Context(), s, c)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, a.State)
		require.Equal(t, c.Subject, a.Subject)
		require.NotEmpty(t, a.Name)
	}
}

// many: what cannot be told at once is left out.
func (f Fixture) many(t *testing.T) {
	authority, ok := kind.As[kind.Many](f.Authority)
	if !ok {
		return // each account is a call of its own, whoever asks
	}
	var all []credential.Credential
	want := map[string]kind.Account{}
	add := func() credential.Credential {
		c, _ := f.New(t)
		c.ID = "test/" + c.Subject
		all = append(all, c)
		return c
	}
	add()
	for _, apply := range f.States {
		apply(t, add())
	}
	for _, c := range all {
		want[c.ID] = f.account(t, c)
	}
	f.Delete(t, add())
	all = append(all, credential.Credential{ID: "test/none"}, credential.Credential{ID: "test/odd", Subject: "*)(uid=*"})
	require.Equal(t, want, authority.Accounts(t.Context(), f.write(), all))
	require.Empty(t, authority.Accounts(t.Context(), f.write(), nil))
	require.Empty(t, authority.Accounts(t.Context(), "ldaps://nobody.test", all))
}

func (f Fixture) onlyTheValueInForce(t *testing.T) {
	c, inForce := f.New(t)
	a := f.account(t, c)
	other := f.generate(t, c)
	for _, s := range f.Authority.Servers() {
		got, err := f.Authority.Try(t.Context(), s, a, inForce)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, got)
		got, err = f.Authority.Try(t.Context(), s, a, other)
		require.NoError(t, err)
		require.Equal(t, protocol.Refused, got)
		got, err = f.Authority.Try(t.Context(), s, a, inForce)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, got, "a refused value must cost nothing")
	}
}

// emptyValue: many servers treat an empty password as an anonymous login that
// succeeds (RFC 4513, 5.1.2).
func (f Fixture) emptyValue(t *testing.T) {
	c, _ := f.New(t)
	got, err := f.Authority.Try(t.Context(), f.write(), f.account(t, c), credential.Secret{})
	if err == nil {
		require.Equal(t, protocol.Refused, got)
	}
	require.Error(t, f.Authority.Set(t.Context(), f.account(t, c), credential.Secret{}, credential.Secret{}))
}

func (f Fixture) generatedValuesDiffer(t *testing.T) {
	c, inForce := f.New(t)
	one, two := f.generate(t, c), f.generate(t, c)
	require.False(t, one.Equal(two))
	require.False(t, one.Equal(inForce))
}

func (f Fixture) gone(t *testing.T) {
	c, inForce := f.New(t)
	a := f.account(t, c)
	f.Delete(t, c)
	require.Equal(t, protocol.Gone, f.account(t, c).State)
	f.replies(t, protocol.Gone, a, inForce)
	var stop *protocol.Stop
	require.ErrorAs(t, f.Authority.Set(t.Context(), a, f.generate(t, c), inForce), &stop)
	require.Equal(t, protocol.ReasonGone, stop.Reason)
}

func (f Fixture) state(t *testing.T, want protocol.Reply, apply func(*testing.T, credential.Credential)) {
	c, inForce := f.New(t)
	a := f.account(t, c)
	apply(t, c)
	require.Equal(t, want, f.account(t, c).State)
	f.replies(t, want, a, inForce)
	f.replies(t, want, a, f.generate(t, c))
}

func (f Fixture) endedContext(t *testing.T) {
	c, inForce := f.New(t)
	a := f.account(t, c)
	next := f.generate(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Authority.Account(ctx, f.write(), c)
	// Cancelled, and not silent: nobody is to look for trouble at the server.
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Authority.Try(ctx, f.write(), a, inForce)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, f.Authority.Set(ctx, a, next, inForce), context.Canceled)
	f.replies(t, protocol.Accepted, a, inForce)
}
