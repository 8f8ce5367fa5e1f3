// Package workflows is the order of a campaign: campaign → wave → rotation of
// one batch, and the launcher that a schedule starts. It is deterministic: it
// decides and waits, and leaves every touch of the world to activities.
//
// All that these workflows carry is references, codes and counts. No secret
// and no account name enters Temporal.
package workflows

import "fmt"

// The names below are the wire contract with running campaigns, other workers
// and the command line. Changing one strands what is running.
const (
	CampaignWorkflow = "Campaign"
	WaveWorkflow     = "Wave"
	RotationWorkflow = "Rotation"
	LauncherWorkflow = "Launcher"

	// Updates of a campaign; each answers with a Status.
	UpdatePause  = "pause"
	UpdateResume = "resume"
	UpdateAbort  = "abort"

	// QueryStatus of a campaign or a wave.
	QueryStatus = "status"

	// SignalControl tells a wave what its campaign was told.
	SignalControl = "control"
)

// CampaignID is the workflow id: one campaign for one device at a time.
func CampaignID(device string) string { return "campaign/" + device }

// WaveID is the workflow id of a wave.
func WaveID(device string, wave int) string { return fmt.Sprintf("campaign/%s/w/%d", device, wave) }

// rotationID is the workflow id of one pass over one batch.
func rotationID(device string, wave, batch, pass int) string {
	return fmt.Sprintf("campaign/%s/w/%d/b/%d/p/%d", device, wave, batch, pass)
}
