// Package workflows is the order of a campaign: campaign → wave → rotation of
// one batch, and the launcher that a schedule starts. It is deterministic: it
// decides and waits, and leaves every touch of the world to activities.
//
// All that these workflows carry is references, codes and counts. No secret
// and no account name enters Temporal.
package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
)

// The names below are the wire contract with running campaigns, other workers
// and the command line. Changing one strands what is running.
const (
	CampaignWorkflow = "Campaign"
	WaveWorkflow     = "Wave"
	LauncherWorkflow = "Launcher"
	TasksWorkflow    = "Tasks"

	// Updates of a campaign; each answers with a Status.
	UpdatePause  = "pause"
	UpdateResume = "resume"
	UpdateAbort  = "abort"

	// UpdateLeaveOut takes a LeaveOut and answers with a Status too.
	UpdateLeaveOut = "leave-out"

	// UpdateAcceptOpen takes an AcceptOpen and answers with a Status.
	UpdateAcceptOpen = "accept-open"

	// UpdateTryFirst has more tried before the others while the campaign is
	// held behind what was tried first. It takes a TryFirst and answers with a
	// Status.
	UpdateTryFirst = "try-first"

	// UpdateClose accepts what is open, and ends the campaign. It takes a
	// wire.Acceptance and answers with a Status.
	UpdateClose = "close"

	// UpdateRelist has a running campaign list again. It takes a wire.RelistAsk
	// and answers with a wire.RelistSeen; nothing takes part before a
	// UpdateTakeUp, which takes a wire.TakeUp and answers with a Status.
	UpdateRelist = "relist"
	UpdateTakeUp = "take-up"

	// UpdateLook asks the tasks of a campaign for a look at what people have
	// said. It takes a Look and answers with a TasksStatus.
	UpdateLook = "look"

	// SignalPassed tells a campaign, with a Passed, that a wave has ended a
	// pass: each one of a wave with logins to Vault, or of what is tried first,
	// else the first.
	SignalPassed = "passed"

	// SignalReleased tells a campaign, with a Released, what a wave gives up of
	// what was listed again.
	SignalReleased = "released"

	// QueryStatus of a campaign or a wave.
	QueryStatus = "status"

	// changeOwned marks campaigns that give signs of life and take over by
	// themselves.
	changeOwned = "owned"

	// changeFirstPass marks campaigns whose waves begin after the first pass of
	// the one before.
	changeFirstPass = "first-pass"

	// changeTakenOver marks campaigns that end once another one has taken over.
	changeTakenOver = "taken-over"

	// changeHears marks tasks that hear the whole of what their campaign was
	// told: also that nothing is open any more, also while what is shut is
	// tried, and that an aborted campaign begins none.
	changeHears = "hears"

	// changeWatched marks campaigns that ask the device while they wait.
	changeWatched = "watched"

	// changeStays marks campaigns that stay for a person where the campaign
	// file says so.
	changeStays = "stays"
	// changeRelistHeld marks campaigns that are listed again while they are
	// held behind what was tried first, and waves that give up something while
	// they are paused.
	changeRelistHeld = "relist-held"
	// changeMend marks campaigns that stay no longer than one of those that
	// ended open for a person is open.
	changeMend = "mend"
	// changeCircle marks waves that end no login half done for another one that
	// could go on.
	changeCircle = "circle"

	// SignalControl tells a wave what its campaign was told.
	SignalControl = "control"
)

// CampaignID is the workflow id: one campaign for one device at a time.
func CampaignID(device string) string { return "campaign/" + device }

// WaveID is the workflow id of a wave. It has the campaign's own id, so that
// what a terminated campaign left running is not in the way of the next one.
func WaveID(campaign string, wave int) string { return fmt.Sprintf("campaign/%s/w/%d", campaign, wave) }

// TasksID is the workflow id of what people see to in a campaign.
func TasksID(campaign string) string { return "campaign/" + campaign + "/tasks" }

// Search attributes, for finding campaigns in Temporal's own tools. They are
// never sealed. rollcall-engine registers them; on another cluster they are
// set where its administrator has, as keywords.
var (
	DeviceAttribute   = temporal.NewSearchAttributeKeyKeyword("RollcallDevice")
	CampaignAttribute = temporal.NewSearchAttributeKeyKeyword("RollcallCampaign")
)

// SearchAttributes of a campaign; none on a cluster that does not know them.
func SearchAttributes(known bool, device, campaign string) temporal.SearchAttributes {
	if !known {
		return temporal.NewSearchAttributes()
	}
	return temporal.NewSearchAttributes(DeviceAttribute.ValueSet(device), CampaignAttribute.ValueSet(campaign))
}
