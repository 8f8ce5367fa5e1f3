package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tmux is a server of terminals of its own, in which programs run as they do
// where a person sits.
type Tmux struct{ dir string }

// StartTmux starts it without a configuration. The package tmux must be
// installed.
func StartTmux() (*Tmux, error) {
	// The path of a socket has room for a hundred bytes.
	dir, err := os.MkdirTemp("", "tmux")
	if err != nil {
		return nil, err
	}
	m := &Tmux{dir}
	if err := m.Open("keeps-the-server", 80, 24, "exec cat"); err != nil {
		m.Stop()
		return nil, err
	}
	return m, nil
}

func (m *Tmux) do(args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(m.dir, "s"), "-f", "/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("lab: tmux %s: %w: %s", args[0], err, out)
	}
	return string(out), err
}

// Open starts a shell's command line in a terminal of that size.
func (m *Tmux) Open(name string, width, height int, command string) error {
	_, err := m.do("new-session", "-d", "-s", name, "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), command)
	return err
}

// Shown are the lines that a terminal shows, and those that have left it at its
// top. What the terminal broke, because it was too long for it, is one line.
func (m *Tmux) Shown(name string) ([]string, error) {
	out, err := m.do("capture-pane", "-p", "-J", "-S", "-", "-t", name)
	return strings.Split(strings.TrimRight(out, "\n"), "\n"), err
}

// Raw is what a terminal shows, with what sets colours.
func (m *Tmux) Raw(name string) (string, error) {
	return m.do("capture-pane", "-p", "-e", "-t", name)
}

// Type types keys, as tmux calls them: "C-c", "Enter", or a text.
func (m *Tmux) Type(name string, keys ...string) error {
	_, err := m.do(append([]string{"send-keys", "-t", name}, keys...)...)
	return err
}

// Close ends one terminal.
func (m *Tmux) Close(name string) error {
	_, err := m.do("kill-session", "-t", name)
	return err
}

// Stop ends all terminals.
func (m *Tmux) Stop() {
	_, _ = m.do("kill-server")
	_ = os.RemoveAll(m.dir)
}
