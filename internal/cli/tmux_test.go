package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// pane is what a terminal shows of a command when it has ended.
type pane struct {
	lines []string // as the command wrote them: what the terminal broke is one line
	raw   string   // with what sets colours
}

// terminals shows commands in terminals of a tmux server of its own.
type terminals struct {
	*lab.Tmux
	t *testing.T
	n int
}

func newTerminals(t *testing.T) *terminals {
	m, err := lab.StartTmux()
	require.NoError(t, err)
	t.Cleanup(m.Stop)
	return &terminals{Tmux: m, t: t}
}

// show runs a command in a terminal of a width.
func (m *terminals) show(width int, env []string, command ...string) pane {
	m.t.Helper()
	m.n++
	name, ended := fmt.Sprintf("t%d", m.n), "shown-to-its-end"
	require.NoError(m.t, m.Open(name, width, 300, "env "+strings.Join(append(env, command...), " ")+"; echo "+ended+"; exec cat"))
	var lines []string
	require.Eventually(m.t, func() (is bool) {
		var err error
		lines, err = m.Shown(name)
		require.NoError(m.t, err)
		return slices.Contains(lines, ended)
	}, 2*time.Minute, 50*time.Millisecond, "%v at %d columns", command, width)
	raw, err := m.Raw(name)
	require.NoError(m.t, err)
	require.NoError(m.t, m.Close(name))
	return pane{lines[:slices.Index(lines, ended)], raw}
}

// moment is when a ledger was verified: a moment ago, or before midnight.
var moment = regexp.MustCompile(`(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\dZ`)

// letters are what is left of a text however its lines are broken.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}

// Terminals of people are narrow, wide, and without colour. Nothing may be cut
// off in any, and no line may be wider than it.
func TestWhatPeopleReadFitsTheirTerminal(t *testing.T) {
	led := filepath.Join(t.TempDir(), "led")
	require.NoError(t, smallLedger(led))
	quiet := []string{"VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=none", "VAULT_MAX_RETRIES=0"}
	m := newTerminals(t)
	for _, command := range [][]string{
		{"rollcall", "report", "--ledger", led},
		{"rollcall", "report", "--ledger", led, "--summary"},
		{"rollcall", "status", "--ledger", led},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		piped := exec.CommandContext(ctx, command[0], command[1:]...)
		piped.Env = append(os.Environ(), quiet...)
		whole, err := piped.Output()
		cancel()
		require.NoError(t, err, "%v", command)
		for _, width := range []int{60, 80, 160} {
			for _, colour := range []bool{true, false} {
				env := quiet
				if !colour {
					env = append([]string{"NO_COLOR=1"}, quiet...)
				}
				what := fmt.Sprintf("%v at %d columns, colour %t", command, width, colour)
				shown := m.show(width, env, command...)
				for _, line := range shown.lines {
					if strings.Contains(line, "rollcall ledger ") {
						continue // to be pasted as it is, so nothing breaks it
					}
					// What has no blank in it cannot be broken.
					words := strings.Fields(line)
					longest := 0
					for _, w := range words {
						longest = max(longest, utf8.RuneCountInString(w))
					}
					if longest+8 < width {
						require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, " ")), width, "%s: %q", what, line)
					}
				}
				if command[1] == "report" {
					got := letters(strings.Join(shown.lines, ""))
					for _, word := range strings.Fields(moment.ReplaceAllString(string(whole), "")) {
						require.True(t, strings.Contains(got, letters(word)), "%s: %q is cut off", what, word)
					}
				}
				if !colour {
					require.NotContains(t, shown.raw, "\x1b[3", what)
				}
			}
		}
	}
}

// Nobody is asked what to do with a campaign before it is known that there is
// one: who types a device's name at night takes it for done.
func TestNobodyIsAskedAboutACampaignThatIsNotKnown(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "esg.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`device: esg-01
containment: {how: off, at: 2026-11-01T08:00:00Z}
directories:
  corp:
    driver: openldap
    servers: [ldaps://ldap1.example.org, ldaps://ldap2.example.org]
    base: dc=example,dc=org
    bind: {dn: "cn=rollcall,dc=example,dc=org", password: kv/rollcall#password}
sources:
  - {type: vault-kv, prefix: kv/apps}
`), 0o600))
	m := newTerminals(t)
	env := []string{"VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=none", "VAULT_MAX_RETRIES=0", "TEMPORAL_ADDRESS=", "HOME=" + dir}
	for _, command := range [][]string{
		{"abort"},
		{"close", "--reason", "tonight", "--owner", "jo"},
		{"leave-out", "--server", "ldaps://ldap2.example.org", "--reason", "it-is-gone"},
	} {
		m.n++
		name := fmt.Sprintf("asked%d", m.n)
		line := append(append([]string{"env"}, env...), append([]string{"rollcall"}, append(command, "-f", file)...)...)
		require.NoError(t, m.Open(name, 80, 40, strings.Join(line, " ")+"; echo ended with $?; exec cat"))
		words := func() string {
			lines, err := m.Shown(name)
			require.NoError(t, err)
			return strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
		}
		require.Eventually(t, func() bool { return strings.Contains(words(), "ended with 1") }, 5*time.Minute, 50*time.Millisecond, command[0])
		require.Contains(t, words(), "check VAULT_ADDR", command[0])
		require.NotContains(t, words(), "type esg-01", command[0])
		require.NoError(t, m.Close(name))
	}
}
