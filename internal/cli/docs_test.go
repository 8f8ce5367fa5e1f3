package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"rollcall/internal/report"
)

var update = flag.Bool("update", false, "write docs/commands.md")

func TestTheCommandReferenceIsWhatHelpSays(t *testing.T) {
	const file = "../../docs/commands.md"
	want := commandReference()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "make docs writes it anew")
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	require.NotContains(t, want, home+"/", "nothing of this machine is in it")
}

// A paragraph is a text: where the source breaks it is nobody's business who
// reads it in 80 columns.
func TestParagraphsOfHelpAreBrokenForTheTerminalAlone(t *testing.T) {
	for _, width := range []int{60, 80, helpColumns} {
		root := documented()
		narrow(root, width)
		var each func(c *cobra.Command)
		each = func(c *cobra.Command) {
			lines := strings.Split(c.Long, "\n")
			for i := range lines[1:] {
				line, next := lines[i], lines[i+1]
				if line == "" || next == "" || indentOf(line) != "" || indentOf(next) != "" {
					continue
				}
				require.Greater(t, report.Columns(line)+1+report.Columns(strings.Fields(next)[0]), width, "%s at %d: %q has room for the first word of %q", c.CommandPath(), width, line, next)
			}
			for _, sub := range c.Commands() {
				each(sub)
			}
		}
		each(root)
	}
	c := &cobra.Command{Long: "one\ntwo:\n  - three\n    four\n\nfive"}
	narrow(c, 80)
	require.Equal(t, "one two:\n  - three\n    four\n\nfive", c.Long)
}

func TestEachCommandHasAManPageAndTheSameOneEachTime(t *testing.T) {
	read := func(home string) map[string]string {
		t.Setenv("HOME", home)
		t.Setenv("SOURCE_DATE_EPOCH", "")
		dir := t.TempDir()
		code, _, said := command(t, "docs", "--man", dir)
		require.Zero(t, code, said)
		files, err := filepath.Glob(filepath.Join(dir, "*.1"))
		require.NoError(t, err)
		out := map[string]string{}
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			out[filepath.Base(f)] = string(text)
		}
		return out
	}
	pages := read("/somewhere")
	require.Equal(t, pages, read("/elsewhere"))
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c.HasParent() || c.IsAdditionalHelpTopicCommand() {
			return
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		require.Contains(t, pages, name)
		require.NotContains(t, pages[name], "/somewhere")
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each((&app{}).root())
	require.Contains(t, pages["rollcall-run.1"], "--take-over")
	require.Contains(t, pages["rollcall-close.1"], ".EX\n  - {name: ", "what is indented stands as it is")
}

func TestIndentedLinesOfHelpStandAsTheyAreInAManPage(t *testing.T) {
	c := &cobra.Command{Long: "one\ntwo:\n  - three\n    four\nfive\n\n  six\n\nseven"}
	asMarkdown(c)
	require.Equal(t, "one\ntwo:\n\n      - three\n        four\n\nfive\n\n      six\n\nseven", c.Long)
}

func TestHelpFitsAHundredColumns(t *testing.T) {
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		for line := range strings.Lines(c.Long + "\n\n" + c.UsageString()) {
			if strings.HasPrefix(line, "  rollcall ") {
				continue // to be pasted as it is
			}
			line = strings.TrimRight(line, "\n")
			require.LessOrEqual(t, report.Columns(line), helpColumns, "%s: %q", c.CommandPath(), line)
		}
		for _, below := range c.Commands() {
			each(below)
		}
	}
	each(documented())
}
