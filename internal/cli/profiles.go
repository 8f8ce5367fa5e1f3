package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/profile"
	"rollcall/internal/report"
)

func (a *app) profilesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "profiles",
		Short: "Show what types of device can hold, line by line",
		Long: `A profile lists all that a type of device can hold. The campaign file names it (profile:
barracuda-esg), and each of its lines needs an answer before a campaign starts.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.profilesList(), a.profilesShow())
	return c
}

func (a *app) profilesList() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "list", Short: "List the profiles of this build", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			var rows []profileRow
			for _, name := range config.ProfileNames() {
				p, err := config.BuiltInProfile(name)
				if err != nil {
					return err
				}
				rows = append(rows, profileRow{p.Name, p.Title, len(p.Lines), asked(p), p.Reviewed})
			}
			if asJSON {
				return printJSON(a.Out, rows)
			}
			t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "PROFILE\tLINES\tDEVICE")
			for _, r := range rows {
				fmt.Fprintf(t, "%s\t%d\t%s\n", r.Name, r.Lines, r.Title)
			}
			return t.Flush()
		},
	}
	out.flag(c)
	return c
}

type profileRow struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Lines    int    `json:"lines"`
	Asks     int    `json:"asks"` // lines with a question
	Reviewed string `json:"reviewed"`
}

// asked counts the lines that ask a person something.
func asked(p *profile.Profile) (n int) {
	for _, l := range p.Lines {
		if l.Ask != "" {
			n++
		}
	}
	return n
}

func (a *app) profilesShow() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show each line of a profile, with where it was read and how far to trust it",
		Long: `show prints a profile of this build, or with a file's name (ending in .yaml) one of your own,
which it checks. Lines stand in the order in which they are worked on. Marks: V the vendor's or
an authority's own text, P public source code, S a copy or summary, I follows from other facts,
X not verified. What is I or X is a question to you.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one profile; `rollcall profiles list` has them: %s", strings.Join(config.ProfileNames(), ", "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			p, err := findProfile(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Out, p)
			}
			width, tty := terminal(a.Out)
			if !tty {
				width = profileWidth
			}
			return printProfile(a.Out, p, width)
		},
	}
	out.flag(c)
	return c
}

// profileWidth is that of the narrowest terminals in use.
const profileWidth = 80

func findProfile(name string) (*profile.Profile, error) {
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".yaml" || ext == ".yml" {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return profile.Parse(name, text)
	}
	p, err := config.BuiltInProfile(name)
	if err == nil && p == nil {
		err = fmt.Errorf("this build has no profile %q; it has %s, and a file of your own ends in .yaml", name, strings.Join(config.ProfileNames(), ", "))
	}
	return p, err
}

// printProfile fits a width, except where one word is longer than that.
func printProfile(w io.Writer, p *profile.Profile, width int) error {
	var b strings.Builder
	b.WriteString(report.Wrap(p.Name+" · "+report.Clean(p.Title), "", width))
	about := fmt.Sprintf("%s, %d of which ask you something · reviewed %s", report.Plural(len(p.Lines), "line", "lines"), asked(p), p.Reviewed)
	b.WriteString(report.Wrap(about, "", width))
	if p.Advice != "" {
		b.WriteString("\n" + report.Wrap(report.Clean(p.Advice), "  ", width))
	}
	group := 0
	for _, l := range p.Lines {
		if l.Group != group {
			group = l.Group
			fmt.Fprintf(&b, "\norder %d\n", group)
		}
		printLine(&b, l, width)
	}
	b.WriteString("\nsources\n")
	for _, s := range p.Sources {
		text := fmt.Sprintf("[%s] %s, read %s", s.Grade, s.ID, s.Read)
		if s.What != "" {
			text += ": " + report.Clean(s.What)
		}
		b.WriteString(report.Wrap(text, "  ", width))
		b.WriteString(inPieces(s.URL, "      ", width))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printLine(b *strings.Builder, l profile.Line, width int) {
	b.WriteString("\n" + report.Wrap(fmt.Sprintf("%s (%s) [%s]", l.ID, l.Kind, l.Grade), "  ", width))
	b.WriteString(report.Wrap(report.Clean(l.What), "    ", width))
	exposed := make([]string, 0, len(l.Exposed))
	for _, e := range l.Exposed {
		exposed = append(exposed, string(e))
	}
	rows := [][2]string{
		{"exposed", strings.Join(exposed, ", ")}, {"where", strings.Join(l.Where, "; ")}, {"decides", string(l.Authority)},
		{"together", strings.Join(l.Together, "; ")}, {"revoke", strings.Join(l.Revoke, "; ")}, {"residue", l.Residue},
	}
	if l.Resets > 1 {
		rows = append(rows, [2]string{"resets", "twice"})
	}
	rows = append(rows, [2]string{"sources", strings.Join(l.Sources, ", ")}, [2]string{"question", l.Ask})
	for _, r := range slices.DeleteFunc(rows, func(r [2]string) bool { return r[1] == "" }) {
		b.WriteString(report.Wrap(report.Clean(r[1]), fmt.Sprintf("    %-9s ", r[0]), width))
	}
}

// inPieces breaks a long address where the line ends.
func inPieces(s, indent string, width int) string {
	var b strings.Builder
	room := max(width-len(indent), 20)
	for len(s) > room {
		b.WriteString(indent + s[:room] + "\n")
		s = s[room:]
	}
	return b.String() + indent + s + "\n"
}
