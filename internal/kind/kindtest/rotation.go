package kindtest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// marks are the change marks of every server.
func (f Fixture) marks(t *testing.T, c credential.Credential) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, s := range f.Authority.Servers() {
		a, err := f.Authority.Account(t.Context(), s, c)
		require.NoError(t, err)
		m[s] = a.Changed
	}
	return m
}

// rotate sets a new value and retires the old one.
func (f Fixture) rotate(t *testing.T, c credential.Credential, a kind.Account, old credential.Secret) credential.Secret {
	t.Helper()
	next := f.generate(t, c)
	require.NoError(t, f.Authority.Set(t.Context(), a, next, old))
	f.replies(t, protocol.Accepted, a, next)
	_, _, err := f.Authority.Retire(t.Context(), a, next)
	require.NoError(t, err)
	_, _, err = f.Authority.Retire(t.Context(), a, next)
	require.NoError(t, err, "retiring twice does no harm")
	return next
}

// evidence offers the old value (if known) and then the new one, as Prove does.
func (f Fixture) evidence(t *testing.T, c credential.Credential, a kind.Account, old, next credential.Secret) []protocol.Evidence {
	t.Helper()
	marks := f.marks(t, c)
	var out []protocol.Evidence
	for _, s := range f.Authority.Servers() {
		e := protocol.Evidence{Server: s, Changed: marks[s], OnlyOne: old.IsZero() && a.OnlyOne}
		var err error
		if !old.IsZero() {
			e.Old, err = f.Authority.Try(t.Context(), s, a, old)
			require.NoError(t, err)
		}
		e.New, err = f.Authority.Try(t.Context(), s, a, next)
		require.NoError(t, err)
		e.At = time.Now().UTC().Format(time.RFC3339)
		out = append(out, e)
	}
	return out
}

func (f Fixture) rotation(t *testing.T) {
	c, old := f.New(t)
	a := f.account(t, c)
	before := f.marks(t, c)
	next := f.rotate(t, c, a, old)
	proof, stop := protocol.Dead(f.Authority.Servers(), f.evidence(t, c, a, old, next), true, before)
	require.Nil(t, stop)
	require.Equal(t, protocol.ProofBind, proof)
	require.Equal(t, protocol.Accepted, f.account(t, c).State, "proving locks nobody out")
}

func (f Fixture) unknownOld(t *testing.T) {
	c, _ := f.New(t)
	a := f.account(t, c)
	before := f.marks(t, c)
	next := f.rotate(t, c, a, credential.Secret{})
	for s, mark := range f.marks(t, c) {
		if a.OnlyOne {
			continue // it needs none
		}
		require.NotEqual(t, before[s], mark, "server %s", s)
	}
	_, stop := protocol.Dead(f.Authority.Servers(), f.evidence(t, c, a, credential.Secret{}, next), false, before)
	require.Nil(t, stop)
	require.Contains(t, []protocol.Proof{protocol.ProofMetadata, protocol.ProofRevoked}, f.Authority.ProofWithoutOld())
}

// setTwice: a slow twin of an activity may set the same value once more. The
// server may refuse that; what is in force must not change.
func (f Fixture) setTwice(t *testing.T) {
	c, old := f.New(t)
	a := f.account(t, c)
	next := f.generate(t, c)
	require.NoError(t, f.Authority.Set(t.Context(), a, next, old))
	_ = f.Authority.Set(t.Context(), a, next, old)
	f.replies(t, protocol.Accepted, a, next)
}

func (f Fixture) marksDiffer(t *testing.T) {
	c, old := f.New(t)
	a := f.account(t, c)
	if a.OnlyOne && a.Changed == "" {
		return // the authority shows none, and it is not needed
	}
	seen := map[string]bool{f.account(t, c).Changed: true}
	for range 3 {
		old = f.rotate(t, c, a, old)
		mark := f.account(t, c).Changed
		require.NotEmpty(t, mark)
		require.False(t, seen[mark], "mark %s was there before", mark)
		seen[mark] = true
	}
}

func (f Fixture) concurrent(t *testing.T) {
	const n = 24
	type one struct {
		c   credential.Credential
		old credential.Secret
	}
	all := make([]one, n)
	for i := range all {
		all[i].c, all[i].old = f.New(t)
	}
	var wg sync.WaitGroup
	for _, o := range all {
		wg.Go(func() { assert.NoError(t, f.rotateAlone(t, o.c, o.old)) })
	}
	wg.Wait()
}

// rotateAlone works in any goroutine: it reports instead of ending the test.
func (f Fixture) rotateAlone(t *testing.T, c credential.Credential, old credential.Secret) error {
	ctx, au := t.Context(), f.Authority
	a, err := au.Account(ctx, f.write(), c)
	if err != nil {
		return err
	}
	next, err := au.Generate(ctx, c)
	if err != nil {
		return err
	}
	if err := au.Set(ctx, a, next, old); err != nil {
		return err
	}
	if _, _, err := au.Retire(ctx, a, next); err != nil {
		return err
	}
	for _, try := range []struct {
		value credential.Secret
		want  protocol.Reply
	}{{old, protocol.Refused}, {next, protocol.Accepted}} {
		got, err := au.Try(ctx, f.write(), a, try.value)
		if err != nil {
			return err
		}
		if got != try.want {
			return fmt.Errorf("%s: got %s, want %s", c.ID, got, try.want)
		}
	}
	return nil
}

func (f Fixture) unreachable(t *testing.T) {
	c, inForce := f.New(t)
	a := f.account(t, c)
	next := f.generate(t, c)
	restore := f.Interrupt(t)
	got, err := f.Authority.Try(t.Context(), f.write(), a, inForce)
	require.NoError(t, err)
	require.Equal(t, protocol.Unreachable, got)
	_, err = f.Authority.Account(t.Context(), f.write(), c)
	require.Error(t, err)
	require.Error(t, f.Authority.Set(t.Context(), a, next, inForce))
	restore(t)
	require.Eventually(t, func() bool {
		got, err := f.Authority.Try(t.Context(), f.write(), a, inForce)
		return err == nil && got == protocol.Accepted
	}, patience, 50*time.Millisecond)
}
