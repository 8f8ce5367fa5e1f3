package wire

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"rollcall/internal/protocol"
)

// Types of errors that waiting rarely cures. The workflow decides whether to
// wait all the same.
const (
	NoRoom = "NoRoom" // the ledger cannot grow: no room, or no right to write
	Denied = "Denied" // the token lacks a right
	// Unanswered: lines of the device's profile have no answer, and nobody said
	// to go on without. Its text names lines, and no account.
	Unanswered = "Unanswered"
	// NotContained: the device may not be contained, and nobody said to go on
	// all the same. Its text names places on the network, and no account.
	NotContained = "NotContained"
	// UnfitDoors: doors are not what the campaign file says, and nobody said to
	// go on all the same. Its text names doors, and no account.
	UnfitDoors = "UnfitDoors"
	Held       = "Held" // another campaign of the device lives, and this one may not end it
)

// Types of the errors with which an activity fails as a whole. Trouble with a
// single credential is a value and never gets here.
const (
	FailedVault    = "Vault"    // Vault as a whole: sealed, down
	FailedLedger   = "Ledger"   // the ledger's folder or its anchor
	FailedSources  = "Sources"  // the roll could not be listed
	FailedSpec     = "Spec"     // the campaign's specification is unusable: no retry helps
	FailedInternal = "Internal" // ours: a worker that stops, a mistake
)

// BrokenOff is the type of an activity that its worker broke off when it
// stopped.
const BrokenOff = "brokenOff"

// ReasonFor is why the credentials of a batch are open whose activity failed
// with err for the last time.
func ReasonFor(err error) (protocol.Reason, string) {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return protocol.ReasonInterrupted, "no worker finished the batch in time; the next pass looks at what was done"
	}
	switch app.Type() {
	case BrokenOff:
		return protocol.ReasonInterrupted, app.Message()
	case FailedVault:
		return protocol.ReasonVault, app.Message()
	case Denied:
		return protocol.ReasonVaultRights, app.Message()
	case string(protocol.ReasonThrottled), string(protocol.ReasonVaultLogin), string(protocol.ReasonVaultRefuse):
		return protocol.Reason(app.Type()), app.Message()
	case FailedLedger, NoRoom:
		return protocol.ReasonLedger, app.Message()
	}
	return protocol.ReasonInternal, app.Message()
}
