package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
)

func (a *app) campaignsCommand() *cobra.Command {
	var out output
	var all bool
	var of string
	c := &cobra.Command{
		Use:   "campaigns",
		Short: "List the device's campaigns, from Vault: who started each, how far it came",
		Long: `campaigns reads what Vault has of the campaigns of the file's device, and so it works on any
machine with an operator's login, wherever the ledgers are. It lists the newest first, each with who
started it, whether somebody works on it or how it ended, and how many of its credentials are dead.

--of NAME answers since when a stolen value is dead: of each credential of that name (DN or its
first value, role, user, or place in Vault; * stands for any text) first since when that is dead
which was in force before the first campaign that killed one, and on which servers; then what became
of it in each campaign. What Vault has is for a quick look. The record that proves it is the campaign's ledger.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			if _, err := config.Matches(of, ""); err != nil {
				return fmt.Errorf("--of: not a valid pattern: * stands for any text, ? for one character, [a-z] for one of a set")
			}
			if _, err := a.zone(); err != nil {
				return err
			}
			a.reads = true
			return a.withVault(cmd.Context(), func(s *session) error { return s.campaigns(cmd.Context(), all, of, asJSON) })
		},
	}
	out.flag(c)
	a.timeZoneFlag(c)
	c.Flags().BoolVar(&all, "all", false, "of all devices that this Vault knows")
	c.Flags().StringVar(&of, "of", "", "what became of the credential of this name in each")
	return c
}

// knownCampaign is what Vault has of a campaign. Its JSON keys are stable.
type knownCampaign struct {
	Campaign string `json:"campaign"`
	Device   string `json:"device"`
	Actor    string `json:"actor"`
	OpenedAt string `json:"opened_at"`
	// State: opened (no worker took it up yet), running, silent (it has not
	// ended and gives no sign of life), ended, superseded.
	State string `json:"state"`
	// Incident as the campaign file had it; absent where it had none.
	Incident *credential.Incident `json:"incident,omitempty"`
	Seen     string               `json:"seen,omitempty"` // last sign of life of one that has not ended
	ClosedAt string               `json:"closed_at,omitempty"`
	By       string               `json:"superseded_by,omitempty"`
	Listed   *int                 `json:"listed,omitempty"` // nil before it is listed, and where this login may not see it
	Excluded *int                 `json:"excluded,omitempty"`
	Dead     *int                 `json:"dead,omitempty"` // nil where no account is kept of it
	// OnSome of dead were proved without a server or door that a person had
	// left out; nil as Dead is.
	OnSome *int `json:"dead_on_some,omitempty"`
	// How it came to its end (ended, aborted, closed, early), and who ended it;
	// absent where no record says so.
	How     ledger.Ending `json:"how,omitempty"`
	EndedBy string        `json:"ended_by,omitempty"`
	Paused  bool          `json:"paused,omitempty"`
	words   string        // the state, for people
}

// knownFate is what became of a credential in a campaign. Its JSON keys are
// stable.
type knownFate struct {
	ID         string `json:"id"`
	Credential string `json:"credential"`
	Authority  string `json:"authority"`
	Campaign   string `json:"campaign"`
	DeadAt     string `json:"dead_at,omitempty"` // empty: it was not proved dead there
	Problem    string `json:"problem,omitempty"` // why it could not be rotated as listed
	// Aside: its new value lay where no consumer reads it; OnSome: a server or
	// door that a person had left out was not asked.
	Aside  bool `json:"aside,omitempty"`
	OnSome bool `json:"on_some,omitempty"`
}

func (s *session) campaigns(ctx context.Context, all bool, of string, asJSON bool) error {
	device := s.cfg.Device
	if all {
		device = ""
	}
	records, err := s.store.Campaigns(ctx, device)
	if err != nil {
		return err
	}
	if of != "" {
		return s.fates(ctx, records, of, asJSON)
	}
	now := s.now(ctx)
	paused := ""
	if slices.ContainsFunc(records, func(r ownmount.CampaignRecord) bool { return r.ClosedAt.IsZero() }) {
		paused = s.pausedHere(ctx)
	}
	known := make([]knownCampaign, 0, len(records))
	for _, r := range records {
		k := s.knownOf(ctx, r, now)
		if k.Paused = r.Campaign == paused && k.State == "running"; k.Paused {
			k.words = "paused" + strings.TrimPrefix(k.words, "runs")
		}
		known = append(known, k)
	}
	if asJSON {
		return printJSON(s.Out, map[string]any{"campaigns": known})
	}
	if len(known) == 0 {
		s.say("Vault knows no campaign of %s", cmp.Or(device, "any device"))
	}
	width, tty := terminal(s.Out)
	if !tty {
		width = math.MaxInt // a line each, for grep
	}
	return printCampaigns(s.Out, known, all, width)
}

// recordOf words the record of a campaign, with times for people in zone.
func recordOf(r ownmount.CampaignRecord, now time.Time, zone *time.Location) knownCampaign {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	k := knownCampaign{Campaign: r.Campaign, Device: r.Device, Actor: r.Actor, OpenedAt: stamp(r.OpenedAt)}
	if r.Incident.Number != "" {
		k.Incident = &r.Incident
	}
	running := ownmount.Running{CampaignRecord: r, Ago: now.Sub(r.Seen)}
	switch {
	case !r.ClosedAt.IsZero():
		k.State, k.ClosedAt, k.By = "ended", stamp(r.ClosedAt), r.By
		k.How, k.EndedBy = ledger.Ending(r.Ending.How), r.Ending.By
		k.words = "ended " + stampIn(k.ClosedAt, zone)
		switch by := cmp.Or(k.EndedBy, "somebody"); k.How {
		case ledger.EndAborted:
			k.words = "aborted by " + by + ", " + k.words
		case ledger.EndAccepted:
			k.words = "closed by " + by + ", who accepted what was open, " + k.words
		case ledger.EndEarly:
			k.words = "ended early, by a failure, " + stampIn(k.ClosedAt, zone)
		}
		if r.Superseded {
			k.State, k.words = "superseded", "taken over "+stampIn(k.ClosedAt, zone)+" by "+cmp.Or(r.By, "a later one")
		}
		return k
	case !r.Begun:
		k.State, k.words = "opened", "no worker took it up"
	case running.Ago < fresh:
		k.State, k.words = "running", "runs"
	default:
		k.State, k.words = "silent", "has not ended, and nobody works on it"
	}
	k.Seen = stamp(r.Seen)
	k.words += fmt.Sprintf(", seen %s ago", max(running.Ago, 0).Round(time.Second))
	return k
}

// pausedHere is the campaign of the device that the Temporal of this machine
// has and that is paused, which Vault does not know; empty without one.
func (s *session) pausedHere(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, lifeTimeout)
	defer cancel()
	if s.connect(ctx, false) != nil {
		return ""
	}
	if st, err := s.running(ctx); err == nil && st != nil && st.Phase == ledger.Paused {
		return st.Campaign
	}
	return ""
}

// dead is how many are, and of how many of these not every server showed that.
func (k knownCampaign) dead() string {
	if k.OnSome == nil || *k.OnSome == 0 {
		return count(k.Dead)
	}
	return fmt.Sprintf("%s (%d on some only)", count(k.Dead), *k.OnSome)
}

// printCampaigns prints a table, or where that is wider than the terminal a few
// lines for each.
func printCampaigns(w io.Writer, known []knownCampaign, all bool, width int) error {
	if len(known) == 0 {
		return nil
	}
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	head := "CAMPAIGN\t"
	if all {
		head += "DEVICE\t"
	}
	incidents := slices.ContainsFunc(known, func(k knownCampaign) bool { return k.Incident != nil })
	if incidents {
		head += "INCIDENT\t"
	}
	fmt.Fprintln(t, head+"DEAD\tSTARTED BY\tSTATE")
	for _, k := range known {
		line := report.Clean(k.Campaign) + "\t"
		if all {
			line += report.Clean(k.Device) + "\t"
		}
		if incidents {
			line += incidentCell(k.Incident) + "\t"
		}
		fmt.Fprintf(t, "%s%s of %s\t%s\t%s\n", line, k.dead(), count(k.Listed), report.Clean(cmp.Or(k.Actor, "?")), report.Clean(k.words))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	out := table.String()
	for line := range strings.Lines(out) {
		if report.Columns(strings.TrimRight(line, " \n")) > width {
			out = foldedCampaigns(known, all, width)
			break
		}
	}
	_, err := io.WriteString(w, out)
	return err
}

func foldedCampaigns(known []knownCampaign, all bool, width int) (out string) {
	for _, k := range known {
		var of []string
		if all {
			of = append(of, "device "+k.Device)
		}
		if k.Incident != nil {
			of = append(of, "incident "+incidentCell(k.Incident))
		}
		of = append(of, fmt.Sprintf("%s of %s dead, started by %s", k.dead(), count(k.Listed), cmp.Or(k.Actor, "?")), k.words)
		out += report.Clean(k.Campaign) + "\n" + report.Wrap(report.Clean(strings.Join(of, ", ")), "  ", width)
	}
	return out
}

// incidentCell is an incident in a table.
func incidentCell(i *credential.Incident) string {
	switch {
	case i == nil:
		return "-"
	case i.Severity == "":
		return report.Clean(i.Number)
	}
	return report.Clean(i.Number + " (" + i.Severity + ")")
}
