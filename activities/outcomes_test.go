package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/listing"
	"rollcall/internal/vault/ownmount"
)

// An abort leaves values staged that no server ever saw: who excludes such an
// account then, or narrows the filter, is not held up by them, and they bring
// no account back.
func TestAStagedValueOfAnAccountThatIsAsItWasIsNotLeftOver(t *testing.T) {
	g := newGround(t)
	kinds := registry.New(g.store.Client)
	t.Cleanup(func() { _ = kinds.Close() })
	spec := *g.spec
	spec.Directories = map[string]config.Directory{"corp": g.directory("dc=example,dc=org", g.first.LDAPS())}
	corp, err := kinds.Directory(&spec, "corp")
	require.NoError(t, err)
	subject, err := corp.IDOf(g.ctx, g.first.AccountDN("user0001"))
	require.NoError(t, err)
	id := "corp/" + subject
	authority, err := kinds.Authority(&spec, "corp", credential.LDAPPassword)
	require.NoError(t, err)
	now, err := authority.Account(g.ctx, authority.Servers()[0], credential.Credential{Subject: subject})
	require.NoError(t, err)
	_, created, err := g.store.Stage(g.ctx, id, ownmount.Staged{Secret: credential.NewSecret("staged"), Campaign: "aborted", Attempt: 1, Before: now.Changed, CreatedAt: time.Now()})
	require.NoError(t, err)
	require.True(t, created)

	v := listing.Vault{Store: g.store, Kinds: kinds, Spec: &spec}
	left, err := v.Leftovers(g.ctx, "esg-01", "dry")
	require.NoError(t, err)
	require.Empty(t, left)

	require.NoError(t, corp.ResetPassword(g.ctx, g.first.AccountDN("user0001"), credential.NewSecret("staged"), credential.Secret{}))
	left, err = v.Leftovers(g.ctx, "esg-01", "dry")
	require.NoError(t, err)
	require.Len(t, left, 1, "it may be in force now")

	other := spec
	other.Directories = nil
	left, err = listing.Vault{Store: g.store, Kinds: kinds, Spec: &other}.Leftovers(g.ctx, "esg-01", "dry")
	require.NoError(t, err)
	require.Len(t, left, 1, "whose directory cannot be asked is in doubt")
}
