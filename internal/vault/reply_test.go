package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

func TestARefusalTellsWhyAndNothingThatVaultSaid(t *testing.T) {
	reply := func(status int, text string) error {
		return fmt.Errorf("wrapped: %w", &vaultapi.ResponseError{StatusCode: status, URL: "https://v/svc-backup", Errors: []string{text + ": hunter2"}})
	}
	for _, row := range []struct {
		err    error
		reason protocol.Reason // none: it is no Stop
		silent bool
	}{
		{reply(http.StatusForbidden, "permission denied"), protocol.ReasonRights, false},
		{reply(http.StatusForbidden, "permission denied, invalid token"), protocol.ReasonVaultLogin, false},
		{reply(http.StatusTooManyRequests, "rate limit quota exceeded"), protocol.ReasonThrottled, false},
		{reply(http.StatusServiceUnavailable, "Vault is sealed"), protocol.ReasonVault, true},
		{reply(http.StatusServiceUnavailable, "no active node"), protocol.ReasonVault, true},
		{reply(http.StatusInternalServerError, "internal error"), "", false},
		{fmt.Errorf("Put \"https://v/svc-backup\": hunter2"), "", true},
		{context.DeadlineExceeded, "", true},
		{context.Canceled, "", true},
	} {
		err := Refusal("https://v", "read the user", row.err)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "svc-backup")
		require.Contains(t, err.Error(), "read the user")
		require.Equal(t, row.silent, NoAnswer(t.Context(), err), "%v", err)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.False(t, NoAnswer(ended, err), "who has ended himself learns nothing of Vault")
		stop, is := err.(*protocol.Stop)
		require.Equal(t, row.reason != "", is, "%v", err)
		if is {
			require.Equal(t, row.reason, stop.Reason)
		}
	}
}

func TestWordsOfVaultAreOneLineWithoutTheURL(t *testing.T) {
	t.Setenv("VAULT_ADDR", "https://v")
	require.Equal(t, "status 500: 1 error occurred: * no handler", Words(&vaultapi.ResponseError{
		StatusCode: 500, URL: "https://v/secret", Errors: []string{"1 error occurred:\n\t* no handler\n"}}))
	require.Equal(t, "status 502", Words(&vaultapi.ResponseError{StatusCode: 502, RawError: true, Errors: []string{"<html>"}}))
	require.Equal(t, "connection refused", Words(fmt.Errorf("x: %w", &url.Error{Op: "Get", URL: "https://v/svc-backup", Err: errors.New("connection refused")})))
	require.Equal(t, "timed out", Words(fmt.Errorf("x: %w", context.DeadlineExceeded)))
}
