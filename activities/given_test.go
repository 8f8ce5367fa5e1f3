package activities

import (
	"fmt"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// A path of a login to Vault that an earlier campaign activated, and that was
// given to another login since, is that one's: campaign after campaign leaves
// it as it is and says so, and keeps the path current that Rollcall wrote last.
func TestAPathOfALoginThatWasGivenToAnotherIsLeftAsItIs(t *testing.T) {
	s := newSafe(t)
	s.role("first", "stolen")
	require.NoError(t, s.api.Sys().EnableAuthWithOptions("userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	_, err := s.api.Logical().Write("auth/userpass/users/first", map[string]any{"password": "stolen"})
	require.NoError(t, err)

	user := approle("first", "apps/user")
	user.ID, user.Kind, user.Subject, user.Name = "vault/userpass/first", credential.UserpassPassword, "userpass/first", "first"
	role := approle("first", "apps/role")
	for _, c := range []credential.Credential{role, user} {
		t.Run(string(c.Kind), func(t *testing.T) {
			given := c.Paths[0]
			own := given
			own.Path += "-own"
			write := func(p credential.Path, value string) {
				data := map[string]any{p.Field: value}
				_, err := s.api.Logical().Write(p.Mount+"/data/"+p.Path, map[string]any{"data": data})
				require.NoError(t, err)
			}
			read := func(p credential.Path) vault.Live {
				live, err := s.store.ReadLive(s.ctx, p, 0)
				require.NoError(t, err)
				return live
			}
			write(given, "stolen")
			var found []credential.Finding
			campaign := func(n int, paths ...credential.Path) {
				c.Paths = paths
				b := s.batch(fmt.Sprintf("%s-%d", c.Kind, n), "esg-01", c)
				b.Kind = c.Kind
				var prepared []wire.PreparedItem
				require.NoError(t, s.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0}}, &prepared))
				require.Nil(t, prepared[0].Stop)
				var applied []wire.AppliedItem
				require.NoError(t, s.call("Apply", wire.ApplyInput{Batch: b, Items: []wire.ApplyItem{{Attempt: prepared[0].Attempt, Fresh: prepared[0].Fresh}}}, &applied))
				require.True(t, applied[0].Dead(), "%v", applied[0].Stop)
				require.NoError(t, s.call("Clean", wire.CleanInput{Batch: b, Items: []wire.CleanItem{{Dead: applied[0].ToClean()}}}, nil))
				found = nil
				for _, f := range applied[0].Findings {
					if f.Code.Undelivered() || f.Code == credential.FindingStalePath {
						found = append(found, f)
					}
				}
			}
			campaign(1, given)
			require.Empty(t, found)
			campaign(2, given)
			require.Empty(t, found, "it is Rollcall's own second write")

			write(own, read(given).Value.Reveal())
			write(given, "another's")
			c.Ours = []credential.Path{given}
			for n := range 2 {
				campaign(3+n, given, own)
				require.Len(t, found, 1, "%v", found)
				require.Equal(t, credential.FindingPathRefused, found[0].Code)
				require.Contains(t, found[0].Detail, "path 1 of 2; an earlier campaign put a value of this credential there, and somebody has written it since")
				require.Equal(t, "another's", read(given).Value.Reveal())
				require.Equal(t, 4, read(given).Version)
				since, err := s.store.SinceActivated(s.ctx, c.ID, own, read(own))
				require.NoError(t, err)
				require.Equal(t, ownmount.AsActivated, since)
			}
		})
	}
}

// The listing found that it holds what Rollcall put there. A help desk gives
// one password to both then, and the path to the other one.
func TestAPathThatIsGivenAwayAfterTheListingIsNotWrittenByItsRecordAlone(t *testing.T) {
	s := newSafe(t)
	require.NoError(t, s.api.Sys().EnableAuthWithOptions("userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	c := approle("first", "apps/user")
	c.ID, c.Kind, c.Subject, c.Name = "vault/userpass/first", credential.UserpassPassword, "userpass/first", "first"
	at := c.Paths[0]
	both := func(password string) {
		_, err := s.api.Logical().Write("auth/userpass/users/first", map[string]any{"password": password})
		require.NoError(t, err)
		_, err = s.api.Logical().Write(at.Mount+"/data/"+at.Path, map[string]any{"data": map[string]any{at.Field: password}})
		require.NoError(t, err)
	}
	both("stolen")
	for n, given := range []bool{false, false, true} {
		if c.Doubted = nil; n > 0 {
			c.Doubted = c.Paths
		}
		b := s.batch(fmt.Sprintf("given-%d", n), "esg-01", c)
		b.Kind = c.Kind
		if given {
			both("Initial-Welcome-1")
		}
		var prepared []wire.PreparedItem
		require.NoError(t, s.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0}}, &prepared))
		require.Nil(t, prepared[0].Stop)
		var applied []wire.AppliedItem
		require.NoError(t, s.call("Apply", wire.ApplyInput{Batch: b, Items: []wire.ApplyItem{{Attempt: prepared[0].Attempt, Fresh: prepared[0].Fresh}}}, &applied))
		if !given {
			require.True(t, applied[0].Dead(), "%v", applied[0].Stop)
			require.NoError(t, s.call("Clean", wire.CleanInput{Batch: b, Items: []wire.CleanItem{{Dead: applied[0].ToClean()}}}, nil))
			continue
		}
		require.Equal(t, protocol.ReasonSharedPath, applied[0].Stop.Reason, applied[0].Stop.Detail)
		live, err := s.store.ReadLive(s.ctx, at, 0)
		require.NoError(t, err)
		require.Equal(t, "Initial-Welcome-1", live.Value.Reveal(), "it may be the other one's only copy")
		_, err = s.api.Logical().Write("auth/userpass/login/first", map[string]any{"password": "Initial-Welcome-1"})
		require.NoError(t, err, "nothing was set")
	}
}
