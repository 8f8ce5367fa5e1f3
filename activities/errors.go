// Package activities is what Temporal calls: thin adapters between workflows
// and the rooms that do the work. What crosses is in internal/wire.
package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"go.temporal.io/sdk/temporal"

	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
	"rollcall/internal/listing"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Types of the errors with which an activity fails: see wire.ReasonFor.
const (
	errVault    = wire.FailedVault
	errLedger   = wire.FailedLedger
	errSources  = wire.FailedSources
	errSpec     = wire.FailedSpec
	errInternal = wire.FailedInternal
)

// ofVault is the type of an error for which Vault is the reason.
func ofVault(r protocol.Reason) string {
	switch r {
	case protocol.ReasonThrottled, protocol.ReasonVaultLogin, protocol.ReasonVaultRefuse:
		return string(r)
	case protocol.ReasonVaultRights:
		return wire.Denied
	}
	return errVault
}

// brokenOff is a cancelled activity. Where it was not the workflow that
// cancelled it, but a worker that stops, Temporal takes it for a failure and
// keeps no more of it than this type's name (wire.BrokenOff).
type brokenOff struct{}

func (brokenOff) Error() string { return "broken off before its end: its worker stopped" }
func (brokenOff) Unwrap() error { return context.Canceled }

// classify is the one place where an activity's error gets the type that
// retry policies and people see. A cancelled activity stays cancelled.
func classify(fallback string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return brokenOff{} // without the text around it, which may name paths
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return err
	}
	kind, text := fallback, err.Error()
	var v *vault.Error
	var stop *protocol.Stop
	var named interface{ Public() string }
	var missing *ownmount.NotOnRoll
	switch {
	case errors.As(err, &named):
		text = named.Public()
	case errors.As(err, &v):
		// Its own text names paths, and paths name accounts.
		text = v.Stop().Error()
		kind = ofVault(v.Stop().Reason)
	case errors.As(err, &stop) && stop.Reason.OfVault():
		kind = ofVault(stop.Reason)
	case errors.As(err, &missing):
		kind = errSpec
	case errors.Is(err, ledger.ErrFull):
		kind = wire.NoRoom
	case fallback == errLedger && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR)):
		kind, text = wire.NoRoom, text+"; let this user write there, or name another folder (ledger.dir, --ledger-dir)"
	case errors.Is(err, ledger.ErrWrongLedger), errors.Is(err, ledger.ErrDamaged), errors.Is(err, ledger.ErrInvalid):
		return temporal.NewNonRetryableApplicationError(text, errLedger, nil)
	}
	if _, lives := ownmount.AsLives(err); lives {
		return temporal.NewNonRetryableApplicationError(text+"; nothing was changed", wire.Held, nil)
	}
	if _, ended := errors.AsType[*ownmount.ClosedMeanwhile](err); ended || errors.Is(err, ownmount.ErrTaken) {
		return temporal.NewNonRetryableApplicationError(text+"; nothing was changed", wire.Held, nil)
	}
	if kind == errSpec {
		return temporal.NewNonRetryableApplicationError(text, kind, nil)
	}
	return temporal.NewApplicationError(text, kind)
}

// classifyListing is classify for a roll that could not be listed. What a
// person has to put right first is not tried again: nothing has begun, and
// whoever started the campaign waits for the answer.
func classifyListing(err error) error {
	if open, ok := errors.AsType[*listing.NotAnswered](err); ok {
		return temporal.NewNonRetryableApplicationError(open.Error()+"\nnothing was changed", wire.Unanswered, nil)
	}
	if n := listing.AsNotContained(err); n != nil {
		return temporal.NewNonRetryableApplicationError(n.Error()+"\nnothing was changed", wire.NotContained, nil)
	}
	if u := listing.AsUnfitDoors(err); u != nil {
		return temporal.NewNonRetryableApplicationError(u.Error()+"\nnothing was changed", wire.UnfitDoors, nil)
	}
	typed := classify(errSources, err)
	var app *temporal.ApplicationError
	if !errors.As(typed, &app) {
		return typed
	}
	if inventory.MayPass(err) {
		if public, ok := inventory.Public(err); ok {
			return temporal.NewApplicationError(public, app.Type())
		}
		return typed
	}
	text := app.Message()
	var v *vault.Error
	if public, ok := inventory.Public(err); ok {
		text = public + "; nothing was changed; `rollcall list` names it"
	} else if errors.As(err, &v) {
		text = fmt.Sprintf("vault %s: %s; nothing was changed; `rollcall list` and `rollcall doctor` name the path", v.Server, v.Stop().Detail)
	}
	return temporal.NewNonRetryableApplicationError(text, app.Type(), nil)
}
