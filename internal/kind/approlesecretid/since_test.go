package approlesecretid

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/rotation/recheck"
	"rollcall/internal/vault"
)

// A role is no dead login for as long as somebody may write it: what was done
// to it since its proof is seen by one list and told in words.
func TestTheLookAtTheEndSeesWhatWasDoneToARoleSinceItsProof(t *testing.T) {
	store := openStore(t)
	ours := func(t *testing.T, c credential.Credential) string {
		list, err := server.Client().Logical().ListWithContext(t.Context(), "auth/approle/role/"+c.Name+"/secret-id")
		require.NoError(t, err)
		return keys(list)[0]
	}
	destroy := func(t *testing.T, c credential.Credential) {
		admin(t, "auth/approle/role/"+c.Name+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": ours(t, c)})
	}
	for name, row := range map[string]struct {
		do      func(t *testing.T, c credential.Credential, now credential.Secret)
		words   []string // none: as it was
		finding credential.FindingCode
	}{
		"nothing":  {do: func(*testing.T, credential.Credential, credential.Secret) {}},
		"consumer": {do: func(t *testing.T, c credential.Credential, now credential.Secret) { login(t, c, now) }},
		"one secret-id more": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) { newSecretID(t, c) },
			words: []string{"not Rollcall's (1)"}},
		"ours destroyed": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) { destroy(t, c) },
			words: []string{"no login"}},
		"another instead of ours": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) {
			destroy(t, c)
			newSecretID(t, c)
		}, words: []string{"is not there any more", "not Rollcall's (1)"}},
		"many more": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) {
			for range 12 {
				newSecretID(t, c)
			}
		}, words: []string{"not Rollcall's (12)"}},
		"role gone": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) {
			_, err := server.Client().Logical().DeleteWithContext(t.Context(), "auth/approle/role/"+c.Name)
			require.NoError(t, err)
		}, words: []string{"deleted"}},
		"role made anew": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) {
			_, err := server.Client().Logical().DeleteWithContext(t.Context(), "auth/approle/role/"+c.Name)
			require.NoError(t, err)
			admin(t, "auth/approle/role/"+c.Name, map[string]any{})
			newSecretID(t, c)
		}, words: []string{"another role-id", "not Rollcall's (1)"}},
		"another role-id": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) {
			admin(t, "auth/approle/role/"+c.Name+"/role-id", map[string]any{"role_id": "the-thief-chose-" + c.Name})
		}, words: []string{"another role-id"}},
		"no secret-id asked for": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) {
			admin(t, "auth/approle/role/"+c.Name, map[string]any{"bind_secret_id": false, "secret_id_bound_cidrs": "", "token_bound_cidrs": "127.0.0.1/8"})
		}, words: []string{"bind_secret_id was switched off"}},
		"locked": {do: func(t *testing.T, c credential.Credential, _ credential.Secret) {
			for range 6 {
				_, err := tryLogin(t, c, credential.NewSecret("a stale one"))
				require.Error(t, err)
			}
		}, finding: credential.FindingLockedSince},
	} {
		t.Run(name, func(t *testing.T) {
			c, old := newRole(t, nil)
			c.Name = c.Subject[len("approle/"):]
			c.Paths = []credential.Path{{Mount: "rollcall", Path: "since/" + c.Name, Field: "secret_id"}}
			_, err := store.Activate(t.Context(), c.Paths[0], vault.Live{}, old, "")
			require.NoError(t, err)
			rotator := &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault"), Campaign: c.Name, Pass: 1, Now: time.Now}
			p := rotator.Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			got := rotator.Apply(t.Context(), c, p.Attempt, p.Fresh)
			require.True(t, got.Dead(), "%+v", got.Stop)
			require.NotEmpty(t, got.Evidence[0].Changed, "what the look at the end goes by")
			live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
			require.NoError(t, err)

			row.do(t, c, live.Value)
			looked := rotator.Recheck(t.Context(), []recheck.Proved{{Credential: c, Mark: got.Evidence[0].Changed, To: got.To, Written: got.Written}})[0]
			require.Equal(t, row.finding, looked.Finding)
			if len(row.words) == 0 {
				require.Nil(t, looked.Stop, "%+v", looked.Stop)
				return
			}
			require.NotNil(t, looked.Stop, "%+v", looked)
			require.Equal(t, protocol.ReasonLoginSince, looked.Stop.Reason)
			require.NotContains(t, looked.Stop.Detail, c.Name)
			for _, w := range row.words {
				require.Contains(t, looked.Stop.Detail, w)
			}
		})
	}
}

// Marks of campaigns that an earlier version began say nothing of the role-id.
func TestAMarkWithoutARoleIDTellsOfSecretIDsAlone(t *testing.T) {
	au := New(server.Client(), "vault")
	c, _ := newRole(t, nil)
	now := account(t, au, c)
	old := now.Changed[:len("1:01234567")]
	require.Equal(t, "", au.Tell(old, now).Detail)
	newSecretID(t, c)
	require.Contains(t, au.Tell(old, account(t, au, c)).Detail, "not Rollcall's (1)")
}
