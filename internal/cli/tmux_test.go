package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// pane is what a terminal shows of a command when it has ended.
type pane struct {
	lines []string // as the command wrote them: what the terminal broke is one line
	raw   string   // with what sets colours
}

// terminals shows commands in terminals of a tmux server of its own.
type terminals struct {
	t      *testing.T
	socket string
	n      int
}

func newTerminals(t *testing.T) *terminals {
	// The path of a socket has room for a hundred bytes.
	dir, err := os.MkdirTemp("", "tmux")
	require.NoError(t, err)
	m := &terminals{t: t, socket: filepath.Join(dir, "s")}
	t.Cleanup(func() {
		_ = exec.Command("tmux", "-S", m.socket, "kill-server").Run()
		_ = os.RemoveAll(dir)
	})
	m.tmux("new-session", "-d", "-s", "keeps-the-server", "exec cat")
	return m
}

func (m *terminals) tmux(args ...string) string {
	m.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", m.socket, "-f", "/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	require.NoError(m.t, err, "tmux %v: %s", args, out)
	return string(out)
}

// show runs a command in a terminal of a width.
func (m *terminals) show(width int, env []string, command ...string) pane {
	m.t.Helper()
	m.n++
	name, ended := fmt.Sprintf("t%d", m.n), "shown-to-its-end"
	line := "env " + strings.Join(append(env, command...), " ") + "; echo " + ended + "; exec cat"
	m.tmux("new-session", "-d", "-s", name, "-x", fmt.Sprint(width), "-y", "300", line)
	var text string
	require.Eventually(m.t, func() bool {
		text = m.tmux("capture-pane", "-p", "-J", "-t", name)
		return strings.Contains(text, ended)
	}, time.Minute, 50*time.Millisecond, "%v at %d columns", command, width)
	raw := m.tmux("capture-pane", "-p", "-e", "-t", name)
	m.tmux("kill-session", "-t", name)
	text, _, _ = strings.Cut(text, ended)
	return pane{strings.Split(strings.TrimRight(text, "\n"), "\n"), raw}
}

// moment is when a ledger was verified: a moment ago.
var moment = regexp.MustCompile(`\d\d:\d\d:\d\dZ`)

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
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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
