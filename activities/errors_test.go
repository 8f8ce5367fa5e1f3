package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/wire"
)

func TestClassify(t *testing.T) {
	sealed := &vault.Error{Op: "read a live secret", Path: "kv/data/apps/svc-mail", Server: "https://vault:8200", Kind: vault.Sealed}
	for _, row := range []struct {
		name     string
		fallback string
		err      error
		kind     string
		final    bool
		reason   protocol.Reason
	}{
		{"Vault", errLedger, sealed, errVault, false, protocol.ReasonVault},
		{"Vault, wrapped", errSources, fmt.Errorf("listing: %w", sealed), errVault, false, protocol.ReasonVault},
		{"a stop because of Vault", errSources, &protocol.Stop{Reason: protocol.ReasonVault, Detail: "no bind password"}, errVault, false, protocol.ReasonVault},
		{"another stop", errSources, &protocol.Stop{Reason: protocol.ReasonUnreachable}, errSources, false, protocol.ReasonInternal},
		{"the ledger", errLedger, errors.New("short write"), errLedger, false, protocol.ReasonLedger},
		{"the ledger of another campaign", errLedger, fmt.Errorf("open: %w", ledger.ErrWrongLedger), errLedger, true, protocol.ReasonLedger},
		{"a damaged ledger", errLedger, fmt.Errorf("open: %w", ledger.ErrDamaged), errLedger, true, protocol.ReasonLedger},
		{"an invalid entry", errLedger, fmt.Errorf("append: %w", ledger.ErrInvalid), errLedger, true, protocol.ReasonLedger},
		{"a full disk under the ledger", errLedger, fmt.Errorf("append: %w", ledger.ErrFull), wire.NoRoom, false, protocol.ReasonLedger},
		{"a folder that may not be written", errLedger, fmt.Errorf("creating: %w", &fs.PathError{Op: "mkdir", Path: "/srv/ledger", Err: syscall.EACCES}), wire.NoRoom, false, protocol.ReasonLedger},
		{"an unusable specification", errSpec, errors.New("no directory of that name"), errSpec, true, protocol.ReasonInternal},
		{"anything else", errInternal, errors.New("what"), errInternal, false, protocol.ReasonInternal},
		{"classified before", errLedger, temporal.NewNonRetryableApplicationError("x", errSpec, nil), errSpec, true, protocol.ReasonInternal},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := classify(row.fallback, row.err)
			var app *temporal.ApplicationError
			require.ErrorAs(t, got, &app)
			require.Equal(t, row.kind, app.Type())
			require.Equal(t, row.final, app.NonRetryable())
			require.NotContains(t, app.Error(), "svc-mail", "what travels through Temporal names no account")
			reason, detail := wire.ReasonFor(fmt.Errorf("activity error: %w", got))
			require.Equal(t, row.reason, reason)
			require.NotEmpty(t, detail)
		})
	}
}

func TestClassifyLeavesNoErrorAndCancellationAlone(t *testing.T) {
	require.NoError(t, classify(errVault, nil))
	cut := &vault.Error{Op: "read", Path: "kv/data/apps/svc-mail", Kind: vault.Unreachable}
	for _, err := range []error{context.Canceled, fmt.Errorf("%w: %w", cut, context.Canceled)} {
		got := classify(errVault, err)
		require.ErrorIs(t, got, context.Canceled)
		require.NotContains(t, got.Error(), "svc-mail")
	}
}

func TestABatchThatNoWorkerFinishedIsLookedAtAgainAtOnce(t *testing.T) {
	for _, err := range []error{
		temporal.NewTimeoutError(2, nil),
		temporal.NewCanceledError(),
		temporal.NewHeartbeatTimeoutError(),
	} {
		reason, detail := wire.ReasonFor(err)
		require.Equal(t, protocol.ReasonInterrupted, reason)
		require.True(t, reason.Immediate())
		require.NotEmpty(t, detail)
	}
}
