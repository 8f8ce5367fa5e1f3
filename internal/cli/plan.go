package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/listing"
	"rollcall/internal/report"
	"rollcall/workflows"
)

func (a *app) planCommand() *cobra.Command {
	var out output
	var by selection
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what would be written where, and what would go wrong; change nothing",
		Long: `plan lists the roll and shows what would become of each credential: where its new value is set,
and each place in Vault that gets it (~ a place that has a value, + a new one, - what is ended, ?
what people do, ! what stays as it is, a place among them). Then it shows the order, and the servers. It looks at each
of them, and at the rights on each account where the directory shows them, as doctor does. Exit
codes: 0 all of it can be rotated · 1 an error, or something is wrong there, or cannot be rotated
as listed, which is named at the end · 2 a warning says that something may be missing from the
roll. --only, --wave, --source and --limit plan a part of the roll, and the exit code is of that
part.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			return a.withVault(cmd.Context(), func(s *session) error { return s.plan(cmd, &by, asJSON) })
		},
	}
	out.flag(c)
	by.flags(c, "plan a part")
	return c
}

func (s *session) plan(cmd *cobra.Command, by *selection, asJSON bool) error {
	roll, unlisted := s.list(cmd)
	if unlisted != nil {
		roll = &credential.Roll{}
	} else {
		cut, all, err := by.of(roll)
		if err != nil {
			return err
		}
		s.sayPicked(len(cut.Credentials), all)
		roll = cut
	}
	p := planOf(s.cfg, roll)
	checks := s.checkDirectories(cmd.Context(), roll.Credentials)
	p.Notes = slices.DeleteFunc(slices.Clone(checks), func(r doctorRow) bool { return !r.OK || !r.note })
	for _, r := range doorTries(roll, listing.AtAddresses(s.cfg, roll.Doors).Doors, s.locks) {
		if r.OK {
			p.Notes = append(p.Notes, r)
		}
		checks = append(checks, r)
	}
	p.Wrong = onlyWrong(append(s.stoppingAtVault(cmd.Context(), roll), checks...))
	var err error
	switch {
	case asJSON:
		err = printJSON(s.Out, p)
	case unlisted == nil:
		width, _ := terminal(s.Out)
		err = p.print(s.Out, width, s.zoneShown())
	}
	if err == nil && len(p.Notes) > 0 && !asJSON {
		fmt.Fprintln(s.Out)
		s.printChecks(p.Notes)
	}
	if err == nil && len(p.Wrong) > 0 && !asJSON {
		_, err = fmt.Fprintf(s.Out, "%d wrong\n", s.printChecks(p.Wrong).wrong)
	}
	switch {
	case err != nil:
		return err
	case unlisted != nil:
		return unlisted
	case len(p.Wrong) > 0:
		if left := allCanBe(roll); left != nil {
			return fmt.Errorf("the problems above would keep a campaign from finishing. Besides, %w", left)
		}
		return errNotReady
	}
	return complete(roll)
}

func onlyWrong(rows []doctorRow) []doctorRow {
	return slices.DeleteFunc(rows, func(r doctorRow) bool { return r.OK })
}

// errNotReady ends a plan that shows what is wrong.
var errNotReady = errors.New("the problems above would keep a campaign from finishing; nothing was changed")

// errNotBegun ends a list of a roll with which no campaign would begin.
var errNotBegun = errors.New("what is wrong above would keep a campaign from beginning; nothing was changed")

// plan is what a campaign would do. Its JSON keys are stable.
type plan struct {
	Device   string `json:"device"`
	Listed   int    `json:"listed"`
	Rotate   int    `json:"rotate"`
	Adopt    int    `json:"adopt"`
	Problems int    `json:"problems"`
	Excluded int    `json:"excluded"`
	// Changes are what would become of each credential, in order.
	Changes []planChange `json:"changes"`
	Waves   []planWave   `json:"waves"`
	// First are those that go first in their waves, for signs of use by others
	// in logs, and LogsRead says which logs were read.
	First    []planFirst           `json:"first,omitempty"`
	LogsRead []credential.LogsRead `json:"logs_read,omitempty"`
	// Doors at which values are proved dead besides.
	Doors []planDoor `json:"doors,omitempty"`
	// UsedBy is who reads the new values, as the campaign file says.
	UsedBy []report.Readers `json:"used_by,omitempty"`
	// Left are those that cannot be rotated as listed, by their reason.
	Left map[credential.Problem][]string `json:"left,omitempty"`
	left map[credential.Problem][]stays
	// Warnings of the listing, as in the roll.
	Warnings []credential.Finding `json:"warnings,omitempty"`
	// LookedBelow are the places in Vault that were searched: what lies
	// elsewhere for one of these accounts was not looked for.
	LookedBelow []string `json:"looked_below,omitempty"`
	// Nobody says of how many nobody is named who sees to what stays open.
	Nobody string `json:"nobody_sees_to,omitempty"`
	// Reach is what logins to Vault could read of the new values, by a reading
	// of their policies.
	Reach   []credential.Reach `json:"reach,omitempty"`
	rotated int
	looked  string      // what was looked for there
	Notes   []doctorRow `json:"notes,omitempty"` // the lines of doctor that are in order and worth knowing
	// Findings on single credentials that are not among Left, by their name.
	Findings []planFinding `json:"findings,omitempty"`
	// Profile of the device, line by line, with the answers.
	Profile *credential.Accounting `json:"profile,omitempty"`
	// Containment of the device.
	Containment *credential.Containment `json:"containment,omitempty"`
	Wrong       []doctorRow             `json:"wrong"` // the lines of doctor on directories that are not in order
}

// planFinding is what the listing found about a credential that a campaign
// would rotate.
type planFinding struct {
	Credential string                 `json:"credential"`
	Code       credential.FindingCode `json:"code"`
	Detail     string                 `json:"detail,omitempty"`
}

// planFirst is a credential that goes first in its wave, and why.
type planFirst struct {
	Credential string          `json:"credential"`
	Wave       int             `json:"wave"`
	Sign       credential.Sign `json:"sign"` // the surest
}

type planWave struct {
	Name    string      `json:"name"`
	Listed  int         `json:"listed"`
	Batch   int         `json:"batch"` // the most in one dispatch
	Lanes   []*planLane `json:"lanes"`
	indexed map[string]*planLane
}

// stays is one credential that stays open as it is listed, for people.
type stays struct{ name, detail string }

// planLane is what one authority would be asked to do in a wave.
type planLane struct {
	Authority string          `json:"authority"`
	Kind      credential.Kind `json:"kind"`
	Servers   []string        `json:"servers,omitempty"`
	Listed    int             `json:"listed"`
}

func planOf(cfg *config.Campaign, roll *credential.Roll) plan {
	p := plan{Device: cfg.Device, Listed: len(roll.Credentials), Excluded: len(roll.Excluded), Warnings: roll.Warnings, Reach: roll.Reach, rotated: inventory.Rotated(roll), Profile: roll.Profile, Containment: roll.Containment, Changes: changesOf(roll), Wrong: []doctorRow{}, LogsRead: roll.Readings}
	for _, src := range cfg.Sources {
		if src.Prefix != "" {
			p.LookedBelow = append(p.LookedBelow, src.Prefix)
		}
	}
	for _, w := range roll.Waves {
		p.Waves = append(p.Waves, planWave{Name: w.Name, Batch: pick(w.Batch, batchOf(cfg)), indexed: map[string]*planLane{}})
	}
	for _, c := range roll.Credentials {
		if c.Problem != "" {
			p.Problems++
			if p.Left == nil {
				p.Left, p.left = map[credential.Problem][]string{}, map[credential.Problem][]stays{}
			}
			p.Left[c.Problem] = append(p.Left[c.Problem], c.Name)
			p.left[c.Problem] = append(p.left[c.Problem], staysOf(c, roll.Findings[c.ID]))
		} else {
			p.Rotate++
			for _, f := range roll.Findings[c.ID] {
				p.Findings = append(p.Findings, planFinding{c.Name, f.Code, f.Detail})
			}
		}
		if c.Adopted {
			p.Adopt++
		}
		if worst := credential.WorstOf(c.Signs); worst != nil {
			p.First = append(p.First, planFirst{c.Name, c.Wave, worst.Sign})
		}
		w := &p.Waves[c.Wave]
		w.Listed++
		key := c.Authority + "/" + string(c.Kind)
		lane, ok := w.indexed[key]
		if !ok {
			lane = &planLane{Authority: c.Authority, Kind: c.Kind, Servers: roll.Servers[c.Authority]}
			w.indexed[key] = lane
			w.Lanes = append(w.Lanes, lane)
		}
		lane.Listed++
	}
	p.looked = whoseSecrets(roll)
	p.Doors = planDoors(cfg, roll)
	p.Nobody = nobodySeesTo(cfg, roll.Credentials)
	p.UsedBy = report.ReadersOnRoll(roll.Credentials)
	for i := range p.Waves {
		w := &p.Waves[i]
		set := w.Batch
		if set == 0 {
			w.Batch = workflows.DefaultBatch
		}
		for _, l := range w.Lanes {
			w.Batch = max(w.Batch, workflows.BatchSize(set, l.Kind, l.Listed))
		}
	}
	return p
}

// servers are those of each directory with something to rotate.
func (p plan) servers() map[string][]string {
	out := map[string][]string{}
	for _, w := range p.Waves {
		for _, l := range w.Lanes {
			if len(l.Servers) > 0 {
				out[l.Authority] = l.Servers
			}
		}
	}
	return out
}

func pick(v, otherwise int) int {
	if v > 0 {
		return v
	}
	return otherwise
}

func (p plan) print(w io.Writer, width int, zone *time.Location) error {
	printHead(w, p.Containment, p.Profile, width, zone)
	printChanges(w, p.Changes, width)
	fmt.Fprintln(w, report.Wrap(fmt.Sprintf("device %s: %d listed, %d to rotate, %d of which at a new path, %d that cannot be rotated as listed, %d excluded",
		p.Device, p.Listed, p.Rotate, p.Adopt, p.Problems, p.Excluded), "", width))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WAVE\tAUTHORITY\tKIND\tCREDENTIALS\tSET ON\tPROVED ON")
	for i, wave := range p.Waves {
		for _, l := range wave.Lanes {
			set, proved := "vault", "vault"
			switch {
			case l.Kind.ByHand():
				set, proved = "by people", "their word"
			case len(l.Servers) > 0:
				set, proved = l.Servers[0], report.Plural(len(l.Servers), "server", "servers")
			}
			fmt.Fprintf(t, "%d %s\t%s\t%s\t%d\t%s\t%s\n", i+1, wave.Name, l.Authority, l.Kind, l.Listed, set, proved)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	p.printFirst(w, width)
	p.printLeft(w, width)
	p.printFindings(w, width)
	p.printLookedBelow(w, width)
	if p.Nobody != "" {
		fmt.Fprint(w, report.Wrap(p.Nobody, "owners: ", width))
	}
	if err := printReach(w, p.Reach, p.rotated, width); err != nil {
		return err
	}
	if err := printServers(w, p.servers(), width); err != nil {
		return err
	}
	printDoors(w, p.Doors, width)
	for i, r := range p.UsedBy {
		if i == 0 {
			fmt.Fprintln(w, "\nwho reads the new values")
		}
		fmt.Fprint(w, report.Wrap(report.Clean(r.Words()), "  ", width))
	}
	_, err := fmt.Fprint(w, "\n", report.Wrap("precheck, stage in Vault, record the intent, set, verify, activate, retire, prove the old value dead on every server and at every door, record the outcome, clean up", "for each: ", width),
		report.Wrap("whether each account accepts what its paths hold, for a wrong login counts. Where it does not, the path stays as it is, and the new value goes below vault.adopt or nothing is set (path-refused, unproved-path)", "asked at the run alone: ", width))
	return err
}
