package workflows

import (
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// lookForTokens asks Vault, when everything has been set, for tokens that were
// made since the listing and may read it, and records them: whoever had a login
// that was not dead yet may have made one, and no such campaign ends with exit
// code 0. Whether it is asked goes by the roll, so a campaign that an earlier
// version began does not.
func (c *campaign) lookForTokens(ctx workflow.Context, roll wire.Roll) error {
	if !roll.Tokens || c.status.Dead == 0 {
		return nil
	}
	var found wire.NewReaders
	if err := workflow.ExecuteActivity(onRotation(ctx), wire.DoLookForTokens, c.in.Campaign).Get(ctx, &found); err != nil {
		workflow.GetLogger(ctx).Error("tokens that were made since the listing were not looked for", "error", err)
		found.Detail = "whether tokens of Vault were made since the listing that may read new values is not known: Vault could not be asked"
	}
	if found.Detail == "" {
		return nil
	}
	c.status.Incomplete++
	return workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordEvent, wire.EventInput{
		Campaign: c.in.Campaign, Device: c.in.Device, Event: ledger.EventFinding, Finding: credential.FindingNewReader, Detail: found.Detail,
	}).Get(ctx, nil)
}
