package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every command of the run book, and of the README, is one, with those flags.
func TestTheRunBookIsMadeOfCommandsThatAreThere(t *testing.T) {
	for file, least := range map[string]int{"../../docs/runbook.md": 20, "../../README.md": 10} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		lines := regexp.MustCompile("(?m)^rollcall .*$|`rollcall [a-z][^`]*`").FindAllString(string(text), -1)
		require.GreaterOrEqual(t, len(lines), least, file)
		for _, line := range lines {
			line = strings.Trim(line, "`")
			for _, end := range []string{"  #", " #", " >", " |", ";"} {
				line, _, _ = strings.Cut(line, end)
			}
			c, rest, err := (&app{}).root().Find(words(line)[1:])
			require.NoError(t, err, "%s: %s", file, line)
			require.NotEqual(t, "rollcall", c.CommandPath(), "%s: %s", file, line)
			require.NoError(t, c.ParseFlags(rest), "%s: %s", file, line)
			if c.Args != nil && !c.HasSubCommands() {
				require.NoError(t, c.Args(c, c.Flags().Args()), "%s: %s", file, line)
			}
		}
	}
}

// words are those of a command line, with what is in quotes as one.
func words(line string) (out []string) {
	for _, w := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		out = append(out, strings.Trim(w, `"`))
	}
	return out
}
