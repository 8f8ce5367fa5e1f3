package vaultlogin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// Each question offers few values, and the next one others: by the third wrong
// one in a row the directory locks the account, by the fifth Vault the login.
func (w *world) readsLockNobody(t *testing.T) {
	c, value := w.credential(t)
	name := c.Logins[0].Names[0]
	var stale []credential.Secret
	for _, v := range []string{"a", "b", "c", "d", "e", "f"} {
		stale = append(stale, credential.NewSecret("stale-"+v))
	}
	for range 4 {
		// As in a worker that was started anew.
		au := Around(w.bare, minted.New(w.worker(t), "vault"), "vault").Counting(w.store)
		for range 3 {
			_, err := au.Reads(t.Context(), c, append(slices.Clone(stale), value), []string{"rollcall/data/device/x"})
			require.Error(t, err)
		}
	}
	a, err := w.bare.Account(t.Context(), w.bare.Servers()[0], c)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, a.State)
	require.Equal(t, 2, a.Failed)
	_, err = w.login("ldap", name, value)
	require.NoError(t, err)

	// Of one that others have offered wrong values nothing more is asked.
	c, value = w.credential(t)
	for range 2 {
		_, err := w.login("ldap", c.Logins[0].Names[0], credential.NewSecret("guess"))
		require.Error(t, err)
	}
	au := Around(w.bare, minted.New(w.worker(t), "vault"), "vault").Counting(w.store)
	_, err = au.Reads(t.Context(), c, []credential.Secret{stale[0], value}, []string{"rollcall/data/device/x"})
	require.ErrorContains(t, err, "could lock")
	_, err = w.login("ldap", c.Logins[0].Names[0], value)
	require.NoError(t, err)
}

func (w *world) onceLetIn(t *testing.T) {
	for _, guesses := range []int{2, 0} {
		c, value := w.credential(t)
		au := Around(w.bare, minted.New(w.worker(t), "vault"), "vault").Counting(w.store)
		_, err := au.Reads(t.Context(), c, []credential.Secret{value}, []string{"rollcall/data/device/x"})
		require.NoError(t, err)
		a, err := w.bare.Account(t.Context(), w.bare.Servers()[0], c)
		require.NoError(t, err)
		require.NoError(t, w.bare.Set(t.Context(), a, credential.NewSecret("Somebody-sets-1-2-3"), value))
		for range guesses {
			_, err := w.login("ldap", c.Logins[0].Names[0], credential.NewSecret("guess"))
			require.Error(t, err)
		}
		_, err = au.Reads(t.Context(), c, []credential.Secret{value}, []string{"rollcall/data/device/y"})
		require.Error(t, err)
		a, err = w.bare.Account(t.Context(), w.bare.Servers()[0], c)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, a.State)
		if guesses == 0 {
			n, err := w.store.WrongLogins(t.Context(), loginID(c.Logins[0]), time.Hour)
			require.NoError(t, err)
			require.Equal(t, 1, n, "it counts as any other")
			require.False(t, au.letInLast(c, c.Logins[0], value))
		}
	}
}

func (w *world) reads(t *testing.T) {
	c, value := w.credential(t)
	wrong := []credential.Secret{credential.NewSecret("wrong-1"), credential.NewSecret("wrong-2"), credential.NewSecret("wrong-3")}
	paths := []string{"rollcall/data/device/x", "rollcall/data/staging/x"}
	before := w.tokens(t)
	got, err := w.authority.Reads(t.Context(), c, []credential.Secret{{}, wrong[0], value}, paths)
	require.NoError(t, err)
	require.Equal(t, paths[:1], got)
	// Vault takes those away that were revoked, in its own time, those of
	// before too.
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(w.tokens(t), func(accessor any) bool { return !slices.Contains(before, accessor) })
	}, 5*time.Minute, 20*time.Millisecond, "it leaves no token behind")
	for range 3 {
		_, err = w.authority.Reads(t.Context(), c, wrong[:2], paths)
		require.Error(t, err, "nobody knows what it reads")
	}
	require.Empty(t, w.attr(t, w.provider, c.Name, "pwdAccountLockedTime"), "each wrong value was offered once")
	c.Logins[0].Names = []string{"../../approle/login"}
	_, err = w.authority.Reads(t.Context(), c, []credential.Secret{value}, paths)
	require.Error(t, err)
}

// Policies may go by who logs in: an answer holds for tokens with the same
// rights alone.
func (w *world) readsOfEach(t *testing.T) {
	w.mount(t, "own", w.provider, map[string]any{"token_policies": "own"})
	about, err := w.server.Client().Sys().ListAuth()
	require.NoError(t, err)
	require.NoError(t, w.server.Client().Sys().PutPolicy("own",
		`path "kv/data/{{identity.entity.aliases.`+about["own/"].Accessor+`.name}}/*" { capabilities = ["read"] } path "kv/data/+/all" { capabilities = ["read"] }`))
	one, first := w.credential(t)
	two, second := w.credential(t)
	paths := []string{"kv/data/x/all"}
	for _, c := range []credential.Credential{one, two} {
		paths = append(paths, "kv/data/"+c.Logins[0].Names[0]+"/password")
		c.Logins[0].Mount = "own"
	}
	for range 2 {
		got, err := w.authority.Reads(t.Context(), one, []credential.Secret{first}, paths)
		require.NoError(t, err)
		require.Equal(t, []string{paths[0], paths[1]}, got)
		got, err = w.authority.Reads(t.Context(), two, []credential.Secret{second}, paths)
		require.NoError(t, err)
		require.Equal(t, []string{paths[0], paths[2]}, got)
	}
}

// A mount that gives policies to a company would else log in thousands for each
// batch.
func (w *world) readsOfMany(t *testing.T) {
	policy := func(name, rules string) { require.NoError(t, w.server.Client().Sys().PutPolicy(name, rules)) }
	policy("many", `path "kv/data/a/*" { capabilities = ["read"] } path "auth/token/create" { capabilities = ["update"] } path "auth/token/revoke-orphan" { capabilities = ["update", "sudo"] }`)
	w.mount(t, "many", w.provider, map[string]any{"token_policies": "many"})
	au := Around(w.bare, minted.New(w.worker(t), "vault"), "vault")
	au.many = 4
	var cs []credential.Credential
	var values []credential.Secret
	for range 4 {
		c, v := w.credential(t)
		c.Logins[0].Mount = "many"
		cs, values = append(cs, c), append(values, v)
	}
	batch := func(n string) []string { return []string{"kv/data/a/" + n, "kv/data/b/" + n, "kv/data/c/" + n} }
	// Whoever is not logged in for it needs no value.
	asks := func(i int, n string, logsIn bool) []string {
		t.Helper()
		var with []credential.Secret
		if logsIn {
			with = values[i : i+1]
		}
		got, err := au.Reads(t.Context(), cs[i], with, batch(n))
		require.NoError(t, err)
		return got
	}
	for i := range cs {
		require.Equal(t, []string{"kv/data/a/1"}, asks(i, "1", true))
	}
	_, err := au.Reads(t.Context(), cs[0], nil, batch("2"))
	require.Error(t, err, "nobody was asked about these places")
	require.Equal(t, []string{"kv/data/a/2"}, asks(0, "2", true))
	for i := range cs[1:] {
		require.Equal(t, []string{"kv/data/a/2"}, asks(1+i, "2", false))
	}

	// What a policy says by now is asked of each batch.
	policy("many", `path "kv/data/+/3" { capabilities = ["read"] } path "auth/token/create" { capabilities = ["update"] } path "auth/token/revoke-orphan" { capabilities = ["update", "sudo"] }`)
	require.Equal(t, batch("3"), asks(0, "3", true))
	_, err = au.Reads(t.Context(), cs[1], nil, batch("3"))
	require.Error(t, err, "it had another standing, and nobody of that was asked")
	require.Equal(t, batch("3"), asks(1, "3", true))
	require.Equal(t, batch("3"), asks(2, "3", true))
	require.Equal(t, batch("3"), asks(3, "3", true))
	policy("many", `path "kv/data/a/*" { capabilities = ["read"] } path "auth/token/create" { capabilities = ["update"] } path "auth/token/revoke-orphan" { capabilities = ["update", "sudo"] }`)
	for i := range cs {
		require.Equal(t, []string{"kv/data/a/4"}, asks(i, "4", true))
	}

	// A token from before has what its login gives no more; so has one that was
	// made with it and cut off.
	policy("once", `path "kv/data/b/*" { capabilities = ["read"] }`)
	name := cs[1].Logins[0].Names[0]
	w.write(t, "auth/many/users/"+name, map[string]any{"policies": "once"})
	before := w.mustLogin(t, "many", strings.ToUpper(name), values[1])
	child, err := before.Logical().Write("auth/token/create", map[string]any{"policies": []string{"once"}})
	require.NoError(t, err)
	_, err = w.server.Client().Logical().Delete("auth/many/users/" + name)
	require.NoError(t, err)
	au = Around(w.bare, minted.New(w.worker(t), "vault"), "vault")
	au.many = 4
	for i := range cs {
		asks(i, "5", true)
	}
	both := []string{"kv/data/a/6", "kv/data/b/6"}
	require.Equal(t, []string{"kv/data/a/6"}, asks(0, "6", true))
	require.Equal(t, []string{"kv/data/a/6"}, asks(2, "6", false))
	require.Equal(t, both, asks(1, "6", false))
	_, err = before.Logical().Write("auth/token/revoke-orphan", map[string]any{"token": before.Token()})
	require.NoError(t, err)
	au.tokens = minted.New(w.worker(t), "vault")
	for i := range cs {
		asks(i, "6", true)
	}
	require.Equal(t, both, asks(1, "6", false))
	require.NoError(t, w.server.Client().Auth().Token().RevokeAccessor(child.Auth.Accessor))

	// A policy may name one of them, by which that one alone rises.
	policy("many", `path "kv/data/a/*" { capabilities = ["read"] } path "auth/many/users/`+name+`" { capabilities = ["update"] }`)
	au = Around(w.bare, minted.New(w.worker(t), "vault"), "vault")
	au.many = 4
	own := "auth/many/users/" + name
	for i := range cs {
		got := asks(i, "7", true)
		require.Equal(t, i == 1, len(got) == len(batch("7"))+1, "%v", got)
	}
	require.Equal(t, []string{"kv/data/a/8", own}, asks(0, "8", true), "the caller knows whether it is retired too")
	require.Equal(t, []string{"kv/data/a/8", own}, asks(2, "8", false))
	_, err = au.Reads(t.Context(), cs[1], nil, batch("8"))
	require.Error(t, err, "who rises is asked each time")
}
