package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/workflows"
)

func (a *app) statusCommand() *cobra.Command {
	var out output
	var dir string
	c := &cobra.Command{
		Use:   "status [CAMPAIGN]",
		Short: "Show where a campaign stands",
		Long: `status reads the campaign's ledger if it is on this machine or a ledger worker gives it out.
Otherwise it says so, what Vault and the running campaign know (counts and no names), and what to
do. Of a campaign that has not ended it says when Vault last saw it, what it waits for, and what to
do if nobody works on it. Without CAMPAIGN it takes the latest of the file's device that did any work; with
--ledger it takes that folder. Exit code 1 if the ledger does not verify, whatever is printed.`,
		Args: oneCampaign,
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			a.controls = true // a door is known by its name in the file
			ctx := cmd.Context()
			if dir != "" {
				return a.statusFromLedger(ctx, dir, asJSON)
			}
			if _, err := a.campaignFile(); err != nil {
				return err
			}
			folder, err := a.findLedger(ctx, "", args)
			if err == nil {
				if _, err = os.Stat(folder); err == nil {
					return a.statusFromLedger(ctx, folder, asJSON)
				}
			}
			return a.statusWithoutLedger(ctx, args, asJSON)
		},
	}
	out.flag(c)
	c.Flags().StringVar(&dir, "ledger", "", "folder of the campaign's ledger")
	a.timeZoneFlag(c)
	return c
}

func (a *app) statusFromLedger(ctx context.Context, folder string, asJSON bool) error {
	zone, err := a.zone()
	if err != nil {
		return err
	}
	state, verified, err := readLedger(ctx, folder)
	if err != nil {
		return err
	}
	if state.OfEvidence {
		return fmt.Errorf("%s is the ledger of what logs show of device %s, and of no campaign: `rollcall report` shows it", folder, report.Clean(state.Device))
	}
	alive := a.lifeOf(ctx, folder, state, zone)
	var compared, profile string
	if p := state.Profile; p != nil {
		compared, profile = thisBuild(p.Name, p.Reviewed, p.Digest)
	}
	if asJSON {
		out := report.StatusOf(state, verified)
		if out.Profile != nil {
			out.Profile.ThisBuild = compared
		}
		if out.NobodyWorks = alive.Nobody; !alive.Seen.IsZero() {
			out.LastSeen = alive.Seen.UTC().Format(time.RFC3339)
		}
		if out.WaitsFor = cmp.Or(alive.Waits, report.PausedLine(state)); alive.Status != nil {
			addNext(&out, *alive.Status)
		}
		return cmp.Or(printJSON(a.Out, out), unproved(folder, verified))
	}
	state, verified.At = report.InZone(state, zone), verified.At.In(zone)
	width, tty := terminal(a.Out)
	line := func(text string) string {
		if !tty {
			return text + "\n" // a line each, for grep
		}
		return report.Wrap(text, "", width)
	}
	fmt.Fprint(a.Out, line(report.Clean(fmt.Sprintf("campaign %s, %s", state.Campaign, since(state)))))
	if alive.Words != "" {
		fmt.Fprint(a.Out, report.Wrap(report.Clean(alive.Words), "", width))
	}
	if state.Containment != nil {
		fmt.Fprint(a.Out, report.Wrap(report.Clean(strings.Join(state.Containment.WordsIn(zone), "; ")), "", width))
	}
	progress := report.ProgressOf(state, time.Now(), state.Waves)
	progress.Stands = alive.Stands
	fmt.Fprint(a.Out, report.RenderProgress(progress, width, tty && !a.plain()))
	if waits := cmp.Or(alive.Waits, report.PausedLine(state)); waits != "" {
		fmt.Fprint(a.Out, line(report.Clean(waits)))
	}
	fmt.Fprint(a.Out, report.SeenTo(state, width))
	if line := report.ProfileLine(state); line != "" {
		fmt.Fprint(a.Out, report.Wrap(line, "", width))
	}
	if compared == buildDiffers {
		fmt.Fprint(a.Out, report.Wrap(report.Clean(profile), "", width))
	}
	fmt.Fprint(a.Out, line(report.LedgerLine(verified)))
	return unproved(folder, verified)
}

// since says how fresh a ledger is: a campaign that was detached looks like
// one that runs, but for this.
func since(s *ledger.State) string {
	if !s.ClosedAt.IsZero() {
		return "ended " + s.ClosedAt.Format(time.RFC3339)
	}
	return "latest entry " + s.LatestAt.Format(time.RFC3339)
}

func (a *app) statusWithoutLedger(ctx context.Context, args []string, asJSON bool) error {
	return a.withVault(ctx, func(s *session) error {
		if _, err := a.zone(); err != nil {
			return err
		}
		known, err := s.whatIsKnown(ctx, args)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(a.Out, known.status())
		}
		width, _ := terminal(a.Out)
		known.print(a.Out, width)
		return nil
	})
}

// countsOnly is the status of a campaign whose ledger is elsewhere, with the
// keys of the contract: Temporal knows counts and no names, so open is empty.
func countsOnly(st workflows.Status) report.Status {
	out := report.Status{
		Campaign: st.Campaign, Device: st.Device, State: st.Phase, Listed: st.Listed,
		ByState:   map[string]int{"waiting": 0, "in_work": 0, "open": 0, "exception": 0, "dead": 0},
		ByOutcome: map[string]int{"dead": 0, "exception": 0, "excluded": st.Excluded},
		Open:      []report.StatusOpen{}, Waves: []report.StatusWave{}, LeftOut: []report.StatusLeftOut{},
	}
	for _, l := range st.LeftOut {
		out.LeftOut = append(out.LeftOut, report.StatusLeftOut{Directory: l.Directory, Server: l.Server + l.Door, Door: l.Door != "", Actor: l.Actor, Reason: l.Reason})
	}
	for _, w := range st.Waves {
		row := report.StatusWave{Wave: w.Wave, Listed: w.Listed, Dead: w.Dead, Open: w.Open, Waiting: w.Listed - w.Dead - w.Open}
		if w.Ended {
			row.Open, row.Exception = 0, w.Open
		}
		out.Waves = append(out.Waves, row)
		out.ByState["waiting"] += row.Waiting
		out.ByState["open"] += row.Open
		out.ByState["exception"] += row.Exception
		out.ByState["dead"] += row.Dead
	}
	out.ByOutcome["dead"], out.ByOutcome["exception"] = out.ByState["dead"], out.ByState["exception"]
	addNext(&out, st)
	return out
}

// addNext says until when the campaign waits for a person, and of each wave
// when what is open is tried again, and until when, which the campaign knows
// and no ledger.
func addNext(out *report.Status, st workflows.Status) {
	out.StaysFor(st.Stays)
	for _, w := range st.Waves {
		for i := range out.Waves {
			if out.Waves[i].Wave == w.Wave && !w.Ended {
				out.Waves[i].TriedAgain(w.Next, w.Until)
			}
		}
	}
}

func printCounts(w io.Writer, st workflows.Status) {
	fmt.Fprintf(w, "campaign %s: %s, %d listed, %d excluded\n", st.Campaign, st.Phase, st.Listed, st.Excluded)
	names := map[int]string{}
	for _, w := range st.Waves {
		names[w.Wave] = w.Name
	}
	for _, of := range st.Waves {
		fmt.Fprintf(w, "  %s: %d of %d dead, %d open, pass %d\n", report.WaveName(of.Wave, names), of.Dead, of.Listed, of.Open, of.Pass)
	}
	for _, l := range st.LeftOut {
		what := l.Server + " of " + l.Directory
		if l.Door != "" {
			what = "door " + l.Door
		}
		fmt.Fprintln(w, report.Clean(fmt.Sprintf("  left out: %s, by %s: %s", what, l.Actor, l.Reason)))
	}
}
