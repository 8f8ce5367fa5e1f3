package vault

import (
	"context"
	"errors"
	"net/http"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/vaulttest"
)

func TestAnswersOfVaultBecomeKinds(t *testing.T) {
	for _, row := range []struct {
		status int
		text   string
		want   ErrorKind
	}{
		{http.StatusServiceUnavailable, "Vault is sealed", Sealed},
		{http.StatusServiceUnavailable, "no active node", Unreachable},
		{http.StatusBadGateway, "", Unreachable},
		{http.StatusTooManyRequests, "request path: rate limit quota exceeded", Throttled},
		{http.StatusForbidden, "permission denied", PermissionDenied},
		{http.StatusForbidden, "2 errors occurred: permission denied, invalid token", TokenExpired},
		{http.StatusNotFound, "", NotFound},
		{http.StatusBadRequest, "check-and-set parameter did not match the current version", CASMismatch},
		{http.StatusBadRequest, "check-and-set parameter required for this call", Other},
		{http.StatusInternalServerError, "internal error", Other},
	} {
		require.Equal(t, row.want, Reply{Status: row.status, text: row.text}.Kind(), "%d %s", row.status, row.text)
	}
}

func TestAMissingRightIsNamedWithItsPath(t *testing.T) {
	c := vaulttest.NewCampaign()
	open(t, c, server.Address(), server.RootToken())
	SetUp(t, c)
	s := open(t, c, server.Address(), vaulttest.TokenWith(t, "default"))
	_, err := s.Put(t.Context(), "stage a new value", c.Vault.Mount, "staging/corp/x", 0, map[string]any{"secret": "hunter2"})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, PermissionDenied, e.Kind)
	require.ErrorContains(t, err, c.Vault.Mount+"/data/staging/corp/x")
	require.ErrorContains(t, err, `"create, update"`)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestAStopNamesNoAccount(t *testing.T) {
	s := newClient(t)
	for _, row := range []struct {
		path   string
		status int
		reason protocol.Reason
	}{
		{"kv/data/apps/svc-backup", http.StatusForbidden, protocol.ReasonVaultRights},
		{"kv/data/apps/svc-backup", http.StatusNotFound, protocol.ReasonVaultRefuse},
		{"kv/data/apps/svc-backup", http.StatusTooManyRequests, protocol.ReasonThrottled},
		{"auth/approle/role/svc-backup", http.StatusServiceUnavailable, protocol.ReasonVault},
	} {
		err := s.Fail("do it", row.path, Read, &vaultapi.ResponseError{StatusCode: row.status, Errors: []string{"about svc-backup"}})
		var e *Error
		require.ErrorAs(t, err, &e)
		stop := e.Stop()
		require.Equal(t, row.reason, stop.Reason)
		require.NotContains(t, stop.Error(), "svc-backup")
		require.Contains(t, err.Error(), "svc-backup")
	}
	require.Equal(t, protocol.ReasonConflict, (&Error{Kind: CASMismatch}).Stop().Reason)
}

func TestTheCallersOwnEndShowsThroughTheError(t *testing.T) {
	s := newClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.ReadLive(ctx, credential.Path{Mount: "kv", Path: "a", Field: "b"}, 0)
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}
