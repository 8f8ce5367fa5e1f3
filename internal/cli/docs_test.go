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
