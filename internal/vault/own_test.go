package vault

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

// asWorker logs in with the role that init makes for workers.
func asWorker(t *testing.T) (s *Client, file string) {
	t.Helper()
	c := vaulttest.NewCampaign()
	c.Vault.RotateLogin = true
	open(t, c, server.Address(), server.RootToken())
	SetUp(t, c)
	at := "auth/approle/role/" + WorkerPolicy
	id, err := server.Client().Logical().ReadWithContext(t.Context(), at+"/role-id")
	require.NoError(t, err)
	file = vaulttest.WriteFile(t, newSecretID(t)+"\n", 0o600)
	vaulttest.AsAppRole(t, id.Data["role_id"].(string), file)
	s, err = Open(t.Context(), c.Vault.Mount)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, file
}

func newSecretID(t *testing.T) string {
	t.Helper()
	made, err := server.Client().Logical().WriteWithContext(t.Context(), "auth/approle/role/"+WorkerPolicy+"/secret-id", nil)
	require.NoError(t, err)
	return made.Data["secret_id"].(string)
}

func valid(t *testing.T, token string) bool {
	t.Helper()
	_, err := server.Client().Auth().Token().LookupWithContext(t.Context(), token)
	return err == nil
}

func fileText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

func TestAnAdoptedSecretIDIsInTheFileAndTheTokenIsOfIt(t *testing.T) {
	s, file := asWorker(t)
	require.Equal(t, WorkerRole, s.Role())
	first, next := s.api.Token(), newSecretID(t)
	require.NoError(t, s.Adopt(t.Context(), credential.NewSecret(next)))
	second := s.api.Token()
	require.NotEqual(t, first, second)
	require.True(t, valid(t, second))
	require.False(t, valid(t, first), "the old token is revoked")
	require.Equal(t, next, fileText(t, file))
	require.NoError(t, s.Adopt(t.Context(), credential.NewSecret(next)))
	require.Equal(t, second, s.api.Token(), "twice does nothing")
}

func TestARefusedSecretIDIsNotAdopted(t *testing.T) {
	s, file := asWorker(t)
	token, before := s.api.Token(), fileText(t, file)
	require.Error(t, s.Adopt(t.Context(), credential.NewSecret("made-up")))
	require.Equal(t, token, s.api.Token())
	require.Equal(t, before, fileText(t, file))
	s.login.who.secretIDFile = "/proc/self/comm"
	require.Error(t, s.Adopt(t.Context(), credential.NewSecret(newSecretID(t))))
	require.Equal(t, token, s.api.Token())
	require.True(t, valid(t, token))
}

func TestAWorkerFollowsWhatAnotherOneRotated(t *testing.T) {
	s, file := asWorker(t)
	first, next := s.api.Token(), newSecretID(t)
	_, err := s.Activate(t.Context(), OwnSecretID(s.own), Live{}, credential.NewSecret(next), "")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return fileText(t, file) == next && s.api.Token() != first }, 6*WatchEvery, 50*time.Millisecond)
	require.True(t, valid(t, s.api.Token()))
}

func TestAWorkerThatMissedTheRotationSaysWhatToDoAndGoesOnWhenItIsDone(t *testing.T) {
	s, file := asWorker(t)
	admin := server.Client()
	lost := fileText(t, file)
	_, err := admin.Logical().WriteWithContext(t.Context(), "auth/approle/role/"+WorkerPolicy+"/secret-id/destroy", map[string]any{"secret_id": lost})
	require.NoError(t, err)
	require.NoError(t, admin.Auth().Token().RevokeTreeWithContext(t.Context(), s.api.Token()))
	place := OwnSecretID(s.own)
	require.Nil(t, s.watch(t.Context()))
	_, err = s.ReadLive(t.Context(), place, 0)
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, err, "vault kv get -field=secret_id "+s.own+"/own/rollcall-worker")
	require.NotContains(t, err.Error(), lost)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Stop().Detail, file, "the credential that stays open says so")

	// A wrong secret-id that is offered again and again locks the role
	// (user_lockout).
	for range 10 {
		require.Nil(t, s.watch(t.Context()))
	}
	next, token := newSecretID(t), s.api.Token()
	require.NoError(t, os.WriteFile(file, []byte(next+"\n"), 0o600))
	s.watch(t.Context()) // the keeper's own look may have been quicker
	require.NotEqual(t, token, s.api.Token())
	_, err = s.ReadLive(t.Context(), place, 0)
	require.NoError(t, err)
}

func TestOnlyTheWorkersRoleIsItsOwnToRotate(t *testing.T) {
	roleID, file := vaulttest.NewAppRole(t, "someone-else", map[string]any{"token_ttl": "1h"})
	vaulttest.AsAppRole(t, roleID, file)
	s, err := Open(t.Context(), "m")
	require.NoError(t, err)
	require.Empty(t, s.Role())
	require.NoError(t, s.Close())
	s = open(t, vaulttest.NewCampaign(), server.Address(), server.RootToken())
	require.Empty(t, s.Role())
}
