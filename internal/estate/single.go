package estate

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/lab"
)

// SingleReset is the account that is not for a campaign: ResetOnce rotates it
// as most tools do, to show beside a campaign what that leaves to the intruder.
const SingleReset = "svc-single-reset"

const singlePath = "apps/" + Device + "/" + SingleReset

func singleReset() lab.Account {
	a := lab.SeedAccounts("", 1)[0]
	a.UID = SingleReset
	a.Attrs = map[string][]string{"description": {"demonstration: reset once and not by Rollcall; login of " + Device}}
	return a
}

// singleYAML is the part of the campaign file that takes the account off the
// roll, with the reason, so that the record says why a stolen password lives
// on.
func (e *Estate) singleYAML() string {
	if !e.opts.SingleReset {
		return ""
	}
	return fmt.Sprintf("exclude:\n  - account: %s\n    reason: a demonstration, reset once and not by Rollcall, to show what a single reset leaves behind\n\n", SingleReset)
}

// ResetOnce gives the account a new random value by a single reset, writes that
// into Vault as its new version, and returns when the domain controller had it.
func (e *Estate) ResetOnce(ctx context.Context) (time.Time, error) {
	value, err := e.Domain.ResetOnce(ctx, SingleReset)
	if err != nil {
		return time.Time{}, err
	}
	at := time.Now()
	return at, e.Vault.SeedKV(ctx, map[string]map[string]any{singlePath: {"username": SingleReset, "password": value}})
}
