package minted

import (
	"maps"
	"slices"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// What Vault changes of tokens that live is asked for anew, by whoever has
// looked at them weeks ago.
func TestWhatVaultChangesOfTokensIsSeen(t *testing.T) {
	root := server.Client()
	require.NoError(t, root.Sys().PutPolicy("anew-rises", `path "auth/approle/role/anew" { capabilities = ["update"] }`))
	require.NoError(t, root.Sys().PutPolicy("anew-reads", `path "kv/data/anew/*" { capabilities = ["read"] }`))
	l := user(t, "userpass")
	stolen := login(t, l.Mount, l.Names[0])
	about, err := stolen.Auth().Token().LookupSelf()
	require.NoError(t, err)
	accessor, entity := about.Data["accessor"].(string), about.Data["entity_id"].(string)
	static := made(t, root, "auth/token/create")
	child := made(t, static, "auth/token/create")
	t.Cleanup(func() { _ = child.Auth().Token().RevokeSelf("") })
	self, err := child.Auth().Token().LookupSelf()
	require.NoError(t, err)
	lone := self.Data["accessor"].(string)

	tokens := New(server.Client(), "vault")
	gets := func() []string {
		all, err := tokens.All(t.Context())
		require.NoError(t, err)
		return all[accessor].IdentityPolicies
	}
	require.Empty(t, gets())
	write(t, "identity/entity/id/"+entity, map[string]any{"policies": "anew-reads"})
	group := write(t, "identity/group", map[string]any{"name": "anew", "policies": "anew-rises", "member_entity_ids": entity})
	require.Empty(t, gets(), "in one campaign it is not asked for each look")
	tokens.Anew()
	require.ElementsMatch(t, []string{"anew-reads", "anew-rises"}, gets())
	write(t, "identity/group/id/"+group.Data["id"].(string), map[string]any{"policies": "default"})
	tokens.Anew()
	require.ElementsMatch(t, []string{"anew-reads", "default"}, gets(), "and less, too")

	// Whoever asks what a token reaches does so by what it gets just now.
	write(t, "identity/group/id/"+group.Data["id"].(string), map[string]any{"policies": "anew-rises"})
	for id, g := range tokens.gives {
		g.at = g.at.Add(-goodFor)
		tokens.gives[id] = g
	}
	reached, err := tokens.Reach(t.Context(), Whose{Mine: l.Minted(""), Login: l}, []string{"kv/data/anew/a", "kv/data/other/a"})
	require.NoError(t, err)
	require.Contains(t, reached, "auth/approle/role/anew")

	// One that is cut off from its maker is an orphan from then on.
	all, err := tokens.All(t.Context())
	require.NoError(t, err)
	require.False(t, all[lone].Orphan)
	write(t, "auth/token/revoke-orphan", map[string]any{"token": static.Token()})
	tokens.Anew()
	all, err = tokens.All(t.Context())
	require.NoError(t, err)
	require.True(t, all[lone].Orphan)

	// A token that is gone does not stand for the others of its entity.
	again := login(t, l.Mount, l.Names[0])
	require.NoError(t, tokens.Warm(t.Context()))
	require.NoError(t, stolen.Auth().Token().RevokeSelf(""))
	known := maps.Clone(tokens.seen)
	gone := map[string]Token{accessor: known[accessor]} // which of an entity's is asked first is chance
	require.NoError(t, tokens.Renew(t.Context(), gone, time.Now()))
	require.Empty(t, gone)
	require.NoError(t, tokens.Renew(t.Context(), known, time.Now()))
	require.True(t, alive(again))
	require.True(t, slices.ContainsFunc(slices.Collect(maps.Values(known)), func(k Token) bool { return k.Entity == entity }))
}

// A stolen token that may cut others off has done so since the worker saw them.
func TestOrphansThatWereChildrenWhenTheyWereSeenAreCounted(t *testing.T) {
	root := server.Client()
	stolen := madeWith(t, root, "cut")
	parent := madeWith(t, stolen, "cut")
	madeWith(t, parent, "cut") // which is an orphan soon
	about, err := stolen.Auth().Token().LookupSelf()
	require.NoError(t, err)
	tokens := New(server.Client(), "vault")
	require.NoError(t, tokens.Warm(t.Context()))
	_, err = stolen.Logical().Write("auth/token/revoke-orphan", map[string]any{"token": parent.Token()})
	require.NoError(t, err)
	got, err := tokens.End(t.Context(), about.Data["accessor"].(string))
	require.NoError(t, err)
	require.Equal(t, Orphans{May: true, Seen: 1}, got)
}

func madeWith(t *testing.T, by *vaultapi.Client, policy string) *vaultapi.Client {
	t.Helper()
	got, err := by.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{policy}})
	require.NoError(t, err)
	c := server.Client()
	c.SetToken(got.Auth.ClientToken)
	t.Cleanup(func() { _ = c.Auth().Token().RevokeSelf("") })
	return c
}
