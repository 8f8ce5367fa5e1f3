package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/listing"
	"rollcall/internal/report"
)

func (a *app) listCommand() *cobra.Command {
	var out output
	var by selection
	var suggest bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is tied to the device, where it lives and by what evidence",
		Long: `list asks every source and merges what they find into a roll. It changes nothing anywhere.
Exit codes: 0 all of it can be rotated · 1 an error, or something cannot be rotated as listed, or a
campaign would not begin with it, which is named at the end · 2 a warning says that something may
be missing from the roll or its servers.
--only, --wave, --source and --limit show a part of it; all is listed all the same.

--suggest-manifest writes a manifest instead (CSV, to standard output), of the secrets of which
nothing says whose they are and which hold the name of one account: a user beside the password, in
an address or in a document. Each row is marked as suggested: it is the secret's own word, which a
thief may have written, and counts for no more than that until you take the mark out.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			if suggest {
				return a.suggest(cmd, by.Given() || asJSON)
			}
			whole, wrong, err := a.list(cmd)
			if err != nil {
				return err
			}
			roll, all, err := by.of(whole)
			if err != nil {
				return err
			}
			a.sayPicked(len(roll.Credentials), all)
			width, tty := terminal(a.Out)
			if !tty {
				width = math.MaxInt // a line each, for grep
			}
			if asJSON {
				err = printJSON(a.Out, roll)
			} else {
				printHead(a.Out, roll.Containment, roll.Profile, width, a.zoneShown())
				err = printRoll(a.Out, roll, width)
			}
			if err == nil {
				err = complete(roll)
			}
			// An exit with a code says less than an error.
			var warned, less *exit
			if wrong != nil && (err == nil || errors.As(err, &warned) && !errors.As(wrong, &less)) {
				err = wrong
			}
			return err
		},
	}
	out.flag(c)
	by.flags(c, "show a part")
	c.Flags().BoolVar(&suggest, "suggest-manifest", false, "write a manifest of whose secrets say that they are, where nothing else says so")
	return c
}

// list gives the roll, and in wrong what a campaign would not begin with
// although the roll is in order.
func (a *app) list(cmd *cobra.Command) (roll *credential.Roll, wrong, err error) {
	err = a.withVault(cmd.Context(), func(s *session) error {
		if roll, err = s.list(cmd); err == nil {
			wrong = s.tellStopping(s.stopping(cmd.Context(), roll))
		}
		return err
	})
	return roll, wrong, err
}

func (s *session) list(cmd *cobra.Command) (*credential.Roll, error) {
	s.leftOpen()
	roll, warnings, err := listing.ListAsking(cmd.Context(), s.store, s.kinds, s.cfg, dryName(), s.doors())
	for _, w := range warnings {
		s.say("warning: %s: %s", w.Code, w.Detail)
	}
	if err != nil {
		return roll, err
	}
	s.tellRefusing(cmd.Context(), roll)
	owners, err := listing.Owners(cmd.Context(), s.store, roll)
	if err != nil {
		return roll, err
	}
	for _, o := range owners {
		roll.Findings[o.Task.ID] = append(roll.Findings[o.Task.ID], credential.Finding{Code: credential.FindingOwner, Detail: o.Text()})
	}
	roll.Reach, err = inventory.Preview(cmd.Context(), s.store, s.cfg.Vault.Mount, roll)
	return roll, err
}

// listed is the roll without more.
func (s *session) listed(ctx context.Context) (*credential.Roll, error) {
	roll, _, err := listing.List(ctx, s.store, s.kinds, s.cfg, dryName())
	return roll, err
}

// dryName stands for a campaign where there is none.
func dryName() string { return credential.CampaignID("dry", time.Now()) }

// printReach says which logins to Vault of the roll will keep what waiting.
func printReach(w io.Writer, reach []credential.Reach, of, width int) error {
	for _, r := range reach {
		if _, err := fmt.Fprint(w, report.Wrap(report.Clean(inventory.Outlook(r, of)), "within reach: ", width)); err != nil {
			return err
		}
	}
	return nil
}

// complete ends list and plan: exit code 1 where something of what was picked
// cannot be rotated as listed, which it names, else 2 where something may be
// missing from the roll.
func complete(roll *credential.Roll) error {
	if err := allCanBe(roll); err != nil {
		return err
	}
	if n := roll.Incomplete(); n > 0 {
		var codes []string
		for _, w := range roll.Warnings {
			if w.Code.Incomplete() {
				codes = append(codes, string(w.Code))
			}
		}
		slices.Sort(codes)
		return &exit{exitExceptions, fmt.Errorf("something may be missing from the roll, or be reached by who must not (%s: %s): exit code %d until each is answered for; the warnings above say how. Nothing was changed",
			report.Plural(n, "warning", "warnings"), strings.Join(slices.Compact(codes), ", "), exitExceptions)}
	}
	return nil
}

// mostLeft of what cannot be rotated stand in one line of an error.
const mostLeft = 5

// allCanBe names what cannot be rotated as it is listed; nil where there is
// none.
func allCanBe(roll *credential.Roll) error {
	var left []string
	for _, c := range roll.Credentials {
		if c.Problem != "" {
			left = append(left, fmt.Sprintf("%s (%s)", report.Clean(c.Name), c.Problem))
		}
	}
	if len(left) == 0 {
		return nil
	}
	text := strings.Join(left[:min(mostLeft, len(left))], ", ")
	if more := len(left) - mostLeft; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("%d of %d cannot be rotated as listed and would stay open: %s; `rollcall plan` says why of each; nothing was changed", len(left), len(roll.Credentials), text)
}

// printServers names every server that a stolen value would be proved dead on,
// the write server first.
func printServers(w io.Writer, servers map[string][]string, width int) error {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if _, err := fmt.Fprint(w, report.Wrap(strings.Join(servers[name], " "), "servers of "+name+": ", width)); err != nil {
			return err
		}
	}
	return nil
}

// printRoll is a table if that fits the width, and else a few lines for each
// credential.
func printRoll(w io.Writer, roll *credential.Roll, width int) error {
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WAVE\tAUTHORITY\tNAME\tLIVE IN VAULT\tTIED BY")
	for _, c := range roll.Credentials {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", c.Wave+1, c.Authority, report.Clean(label(c)), report.Clean(paths(c)), reasons(c))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if widest(table.String()) <= width {
		if _, err := table.WriteTo(w); err != nil {
			return err
		}
	} else {
		for _, c := range roll.Credentials {
			head := fmt.Sprintf("%2d  ", c.Wave+1)
			fmt.Fprint(w, report.Wrap(c.Authority+" "+report.Clean(label(c)), head, width))
			fmt.Fprint(w, report.Wrap(report.Clean(paths(c))+" tied by "+reasons(c), strings.Repeat(" ", len(head)+2), width))
		}
	}
	for _, x := range roll.Excluded {
		fmt.Fprint(w, report.Wrap(report.Clean(fmt.Sprintf("%s (%s)", x.Name, x.Reason)), "excluded: ", width))
	}
	problems := 0
	for _, c := range roll.Credentials {
		for _, f := range roll.Findings[c.ID] {
			fmt.Fprint(w, report.Wrap(report.Clean(fmt.Sprintf("%s: %s %s", c.Name, f.Code, f.Detail)), "finding: ", width))
		}
		if c.Problem != "" {
			problems++
		}
	}
	if err := printReach(w, roll.Reach, inventory.Rotated(roll), width); err != nil {
		return err
	}
	if err := printServers(w, roll.Servers, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d listed, %d of which cannot be rotated as listed, %d excluded\n", len(roll.Credentials), problems, len(roll.Excluded))
	return err
}

func widest(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		n = max(n, report.Columns(strings.TrimRight(line, " \n")))
	}
	return n
}

func label(c credential.Credential) string {
	if c.Problem != "" {
		return c.Name + " [" + string(c.Problem) + "]"
	}
	return c.Name
}

func paths(c credential.Credential) string {
	if c.Task != nil {
		return fmt.Sprintf("by hand: %s by %s until %s", report.Plural(len(c.Task.Ends), "end", "ends"), strings.Join(c.Task.Owners(), ", "), c.Task.Due.UTC().Format(time.DateTime))
	}
	s := ""
	for i, p := range c.Paths {
		if i > 0 {
			s += ", "
		}
		s += p.String()
		if slices.Contains(c.Makes, p) {
			s += " (made new: nothing is there)"
		}
	}
	switch {
	case c.HandsOver():
		s += " (to hand over)"
	case c.Adopted:
		s += " (new)"
	}
	return s
}

func reasons(c credential.Credential) string {
	s := ""
	for i, r := range c.Reasons {
		if i > 0 {
			s += ", "
		}
		s += r.Source
	}
	return s
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
