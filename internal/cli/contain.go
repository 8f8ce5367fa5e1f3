package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/report"
	"rollcall/internal/wholefile"
)

// overrideFlags are two, for two dangers: who answers for the one has not
// looked at the other.
func (a *app) overrideFlags(c *cobra.Command) {
	c.Flags().Var(&a.override, "override", "go on although the device may not be contained, for this reason; the ledger has it, and the campaign ends with exit code 2")
	c.Flags().Var(&a.unfitDoors, "unfit-doors", "go on with doors that are not what the campaign file says, which are not asked, for this reason; where a door is so the ledger has who and why, and the campaign ends with exit code 2")
}

func (a *app) containCommand() *cobra.Command {
	var how, at, note string
	c := &cobra.Command{
		Use:   "contain",
		Short: "Say how and since when the device is contained",
		Long: `A campaign does not start before the device is contained: whoever is still on it reads every new
value. contain writes that beside the campaign file, in contained-DEVICE.yaml, where run, start and
schedule create read it; containment: in the campaign file says the same. The ledger of each
campaign has it.

Where the campaign file names the device's addresses (containment.addresses) they are asked at the
ports of its profile. If one answers, nothing is written. They are asked again when a campaign
starts and while it runs.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.contain(cmd.Context(), how, at, note) },
	}
	c.Flags().StringVar(&how, "how", "", "replaced, isolated or off")
	c.Flags().StringVar(&at, "at", "", "since when: a time with its zone, such as 2026-11-28T21:40:00Z")
	c.Flags().StringVar(&note, "note", "", "what was done, in a line")
	return c
}

func (a *app) contain(ctx context.Context, how, at, note string) error {
	cfg, err := config.Load(a.file)
	if err != nil {
		return err
	}
	said, err := statement(cfg, how, at, note)
	if err != nil {
		return fmt.Errorf("%w; nothing was written", err)
	}
	name := config.StatementFile(cfg.Device)
	file := filepath.Join(filepath.Dir(a.file), name)
	if cfg.Containment.Said() && cfg.Containment.File == "" {
		return fmt.Errorf("%s says how and since when the device is contained (containment), so %s would say it twice: change it there; nothing was written", a.file, name)
	}
	if cfg.Containment != nil {
		said.Addresses, said.Elsewhere, said.Ports = cfg.Containment.Addresses, cfg.Containment.Elsewhere, cfg.Containment.Ports
	}
	before := cfg.Containment
	cfg.Containment = said
	c := listing.Contained(ctx, cfg)
	if err := listing.RequireContained(cfg, c); err != nil {
		return fmt.Errorf("%w\nnothing was written; %s", err, mendContainment(c))
	}
	if err := wholefile.Write(file, []byte(statementText(cfg.Device, said)), 0o644); err != nil {
		return err
	}
	if before.Said() {
		a.say("%s said %s since %s before", name, before.How, before.At.Format(time.RFC3339))
	}
	fmt.Fprintln(a.Out, file)
	a.say("%s", containmentLine(c, a.zoneShown()))
	return nil
}

// statement is what the flags say.
func statement(cfg *config.Campaign, how, at, note string) (*config.Containment, error) {
	c := &config.Containment{How: credential.How(how), By: actor(), Note: strings.TrimSpace(note)}
	switch {
	case how == "":
		return nil, errors.New("--how is missing: one of " + strings.Join(credential.Hows(), ", "))
	case !slices.Contains(credential.Hows(), how):
		return nil, fmt.Errorf("--how takes one of %s", strings.Join(credential.Hows(), ", "))
	case at == "":
		return nil, errors.New("--at is missing: since when the device is contained, such as " + time.Now().UTC().Format(time.RFC3339))
	case strings.ContainsFunc(c.Note, unicode.IsControl) || len(c.Note) > 1000:
		return nil, errors.New("--note must be one line of at most 1000 bytes")
	}
	err := discloses("--note", c.Note)
	if err != nil {
		return nil, err
	}
	if c.At, err = config.ParseSince(at, time.Now(), cfg.Exposure); err != nil {
		return nil, fmt.Errorf("--at %w", err)
	}
	return c, nil
}

// statementText is the file that the campaign file's reader takes up.
func statementText(device string, c *config.Containment) string {
	text := fmt.Sprintf("# Written by rollcall contain; the campaign file is beside it.\ndevice: %s\nhow: %s\nat: %s\nby: %s\n", device, c.How, c.At.Format(time.RFC3339), strconv.Quote(c.By))
	if c.Note != "" {
		text += "note: " + strconv.Quote(c.Note) + "\n"
	}
	return text
}

// requireContainment refuses to begin unless the device is contained and
// nothing of the campaign is at an address of it, or a person goes on all the
// same. found are the servers; it may be empty where they are not known.
func (s *session) requireContainment(ctx context.Context, found listing.Servers) error {
	if err := cmp.Or(discloses("--override", s.override.text), discloses("--unfit-doors", s.unfitDoors.text)); err != nil {
		return err
	}
	s.cfg.Override, s.cfg.UnfitDoors = s.override.word(), s.unfitDoors.word()
	others := map[string]string{"Vault": s.store.Address()}
	if s.engine != nil && !s.engine.Local {
		others["Temporal"] = s.engine.Address
	}
	c := listing.Contained(ctx, s.cfg)
	c.Against = append(c.Against, listing.Pointing(c, found, others)...)
	if err := listing.RequireContained(s.cfg, c); err != nil {
		return fmt.Errorf("%w\nnothing was started; %s%s", err, mendContainment(c), s.mayOverride())
	}
	return nil
}

// mendContainment is what to do about a device that may not be contained.
func mendContainment(c *credential.Containment) string {
	do := "correct the campaign file"
	switch {
	case c.How == "":
		do = "contain it, then `rollcall contain --how replaced|isolated|off --at TIME`"
	case len(c.Answers) > 0:
		do = "contain it; where a firewall refuses in its place, let that drop; where another machine has the address by now, take it out of containment.addresses"
	}
	return do
}

// mayOverride words the way past, where the command has it.
func (s *session) mayOverride() string {
	if s.forEver {
		return ""
	}
	return "; or go on with --override \"reason\""
}

// containmentLine says how the device is contained, and what it answered.
func containmentLine(c *credential.Containment, zone *time.Location) string {
	return strings.Join(c.WordsIn(zone), "; ")
}

// printHead shows first what would keep a campaign from starting.
func printHead(w io.Writer, c *credential.Containment, acc *credential.Accounting, width int, zone *time.Location) {
	said := ""
	if c != nil {
		said = report.Wrap(report.Clean(containmentLine(c, zone)), "containment: ", width)
	}
	if !c.Holds() {
		fmt.Fprint(w, said)
		said = ""
	}
	printOpenLines(w, acc, width)
	fmt.Fprint(w, said)
}

// checkContainment is doctor's row.
func checkContainment(c *credential.Containment, zone *time.Location) doctorRow {
	row := doctorRow{Where: "device", What: "containment", OK: c.Holds(), Detail: containmentLine(c, zone)}
	if !row.OK {
		row.Do = mendContainment(c)
	}
	return row
}
