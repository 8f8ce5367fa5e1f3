package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// NoRoom is the type of an error of a ledger that has no room to grow. The
// workflow decides whether to wait for it.
const NoRoom = "NoRoom"

// Types of the errors with which an activity fails as a whole. Trouble with a
// single credential is a value and never gets here.
const (
	errVault    = "Vault"    // Vault as a whole: sealed, down, not allowed
	errLedger   = "Ledger"   // the ledger's folder or its anchor
	errSources  = "Sources"  // the roll could not be listed
	errSpec     = "Spec"     // the campaign's specification is unusable: no retry helps
	errInternal = "Internal" //
)

// ReasonFor is why the credentials of a batch are open whose activity failed
// with err for the last time.
func ReasonFor(err error) (protocol.Reason, string) {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return protocol.ReasonInterrupted, "no worker finished the batch in time; the next pass looks at what was done"
	}
	switch app.Type() {
	case errVault:
		return protocol.ReasonVault, app.Message()
	case errLedger, NoRoom:
		return protocol.ReasonLedger, app.Message()
	}
	return protocol.ReasonInternal, app.Message()
}

// classify is the one place where an activity's error gets the type that
// retry policies and people see. A cancelled activity stays cancelled.
func classify(fallback string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return err
	}
	kind := fallback
	var v *vault.Error
	var stop *protocol.Stop
	switch {
	case errors.As(err, &v):
		kind = errVault
	case errors.As(err, &stop) && stop.Reason == protocol.ReasonVault:
		kind = errVault
	case errors.Is(err, ledger.ErrFull):
		kind = NoRoom
	case errors.Is(err, ledger.ErrWrongLedger), errors.Is(err, ledger.ErrDamaged), errors.Is(err, ledger.ErrInvalid):
		return temporal.NewNonRetryableApplicationError(err.Error(), errLedger, nil)
	}
	if kind == errSpec {
		return temporal.NewNonRetryableApplicationError(err.Error(), kind, nil)
	}
	return temporal.NewApplicationError(err.Error(), kind)
}

// classifyListing is classify for a roll that could not be listed. What a
// person has to put right first is not tried again: nothing has begun, and
// whoever started the campaign waits for the answer.
func classifyListing(err error) error {
	if inventory.MayPass(err) {
		return classify(errSources, err)
	}
	return temporal.NewNonRetryableApplicationError(err.Error(), errSources, nil)
}
