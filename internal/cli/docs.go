package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"rollcall/internal/version"
)

// docsCommand writes what --help says as man pages and as one page: there is
// one text of each command.
func (a *app) docsCommand() *cobra.Command {
	var man, reference string
	c := &cobra.Command{
		Use:   "docs",
		Short: "Write the man pages and the command reference",
		Long: `docs writes a man page for each command into the folder --man, and all of them as one page of
Markdown to the file --reference.`,
		Args:   noArguments,
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			if man == "" && reference == "" {
				return fmt.Errorf("name a folder with --man, a file with --reference, or both")
			}
			if man != "" {
				if err := writeMan(man); err != nil {
					return err
				}
			}
			if reference == "" {
				return nil
			}
			return os.WriteFile(reference, []byte(commandReference()), 0o644)
		},
	}
	c.Flags().StringVar(&man, "man", "", "folder of the man pages")
	c.Flags().StringVar(&reference, "reference", "", "file of the command reference")
	return c
}

// documented is the command line without what this machine has in it.
func documented() *cobra.Command {
	root := (&app{Streams: Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}}).root()
	root.PersistentFlags().Lookup("file").DefValue = "campaign.yaml"
	root.PersistentFlags().Lookup("state-dir").DefValue = "~/.local/state/rollcall"
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	return root
}

// writeMan writes rollcall.1, rollcall-run.1, …, the same for the same build.
func writeMan(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	head := &doc.GenManHeader{Section: "1", Source: "Rollcall " + version.Current().Version, Manual: "Rollcall", Date: new(time.Time)}
	if at, err := time.Parse(time.RFC3339, version.Current().CommittedAt); err == nil {
		head.Date = &at
	}
	root := documented()
	asMarkdown(root)
	return doc.GenManTree(root, head, dir)
}

// asMarkdown has the lines of help that are indented stand as they are in a man
// page, which is made of Markdown: there they would be a part of the paragraph,
// or a list.
func asMarkdown(c *cobra.Command) {
	var lines []string
	before := "" // of the line above
	for line := range strings.SplitSeq(c.Long, "\n") {
		if line != "" && indentOf(line) != "" {
			if before != "" && indentOf(before) == "" {
				lines = append(lines, "")
			}
			lines = append(lines, "    "+line)
		} else {
			if line != "" && indentOf(before) != "" {
				lines = append(lines, "")
			}
			lines = append(lines, line)
		}
		before = line
	}
	c.Long = strings.Join(lines, "\n")
	for _, below := range c.Commands() {
		asMarkdown(below)
	}
}

// commandReference is docs/commands.md.
func commandReference() string {
	var b strings.Builder
	b.WriteString("# Commands\n\nAs `rollcall COMMAND --help` says it; `make docs` writes this page, and `make man` the same as man pages.\n")
	root := documented()
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		writeCommand(&b, c)
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(root)
	fmt.Fprint(&b, "\n## Flags of all commands\n", flagLines(root.PersistentFlags(), nil))
	return b.String()
}

func writeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	if c.Runnable() {
		fmt.Fprintf(b, "```\n%s\n```\n\n", c.UseLine())
	}
	if c.Long != "" {
		fmt.Fprintf(b, "%s\n", strings.TrimSpace(c.Long))
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", c.Example)
	}
	b.WriteString(flagLines(c.LocalFlags(), c.Root().PersistentFlags()))
}

// flagLines are those of flags that are not among others.
func flagLines(flags, others *pflag.FlagSet) string {
	var lines []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || others != nil && others.Lookup(f.Name) != nil {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		line := fmt.Sprintf("- `%s`: %s", name, f.Usage)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0s" && f.DefValue != "0" {
			line += fmt.Sprintf(" (default `%s`)", f.DefValue)
		}
		lines = append(lines, line)
	})
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return "\n" + strings.Join(lines, "\n") + "\n"
}
