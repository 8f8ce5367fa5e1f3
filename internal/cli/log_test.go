package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporallog "go.temporal.io/sdk/log"
	"golang.org/x/sys/unix"

	"rollcall/config"
	"rollcall/internal/ledger"
)

func TestWhatIsSaidIsALineOfJSONEachWhereACollectorReads(t *testing.T) {
	code, out, said := command(t, "--log-format", "json", "list", "-f", "nowhere.yaml")
	require.Equal(t, 1, code)
	require.Empty(t, out)
	var line struct{ Level, Msg string }
	require.NoError(t, json.Unmarshal([]byte(said), &line), said)
	require.Equal(t, "ERROR", line.Level)
	require.Contains(t, line.Msg, "nowhere.yaml: no such file or directory")
}

func TestWhatALibraryLogsByItselfDoesNotTearTheScreen(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(log.LstdFlags)
	})
	command(t, "version")
	require.False(t, slog.Default().Enabled(t.Context(), slog.LevelError))
	_, _, said := command(t, "version", "--log-level", "warn")
	require.Empty(t, said)
	require.True(t, slog.Default().Enabled(t.Context(), slog.LevelWarn), "who asks for a log has it")
	var logged bytes.Buffer
	slog.SetDefault((&app{Streams: Streams{Err: &logged}, warns: true}).logger())
	log.Print("http: panic serving a page")
	require.Contains(t, logged.String(), "level=WARN")
}

func TestTheLevelOfALogIsAskedForOrThatOfTheCommand(t *testing.T) {
	for _, row := range []struct {
		name string
		app  app
		info bool
		warn bool
	}{
		{"a command is silent", app{}, false, false},
		{"a worker warns", app{warns: true}, false, true},
		{"-v tells all", app{verbose: true}, true, true},
		{"a level goes before -v", app{verbose: true, log: logging{level: "error"}}, false, false},
		{"and before a worker's", app{warns: true, log: logging{level: "info"}}, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.app.Err = &bytes.Buffer{}
			l := row.app.logger()
			require.Equal(t, row.info, l.Enabled(t.Context(), slog.LevelInfo))
			require.Equal(t, row.warn, l.Enabled(t.Context(), slog.LevelWarn))
		})
	}
	for _, args := range [][]string{{"--log-format", "xml"}, {"--log-level", "loud"}} {
		code, _, said := command(t, append(args, "version")...)
		require.Equal(t, 1, code)
		require.Contains(t, said, args[0]+" takes")
	}
}

// openTerminal is both ends of a pseudo-terminal of 60 columns.
func openTerminal(t *testing.T) (screen, program *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = screen.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, screen.Fd(), unix.TIOCGPTPEER, uintptr(os.O_RDWR|unix.O_NOCTTY))
	require.Zero(t, errno)
	program = os.NewFile(fd, "terminal")
	t.Cleanup(func() { _ = program.Close() })
	require.NoError(t, unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}))
	return screen, program
}

func TestNothingIsDrawnWhereSomebodyAskedForNoColour(t *testing.T) {
	shown := func(set map[string]string, log logging) string {
		for _, name := range []string{"NO_COLOR", "TERM"} {
			t.Setenv(name, set[name])
		}
		screen, program := openTerminal(t)
		s := &session{app: &app{Streams: Streams{Err: program}, log: log}, cfg: &config.Campaign{}}
		v := s.newView("esg-01")
		v.state.Add(0, ledger.Entry{ID: "1", At: time.Now(), Campaign: "esg-01", Event: ledger.CampaignStarted, Device: "esg-01"})
		v.state.Add(1, ledger.Entry{ID: "2", At: time.Now(), Campaign: "esg-01", Event: ledger.Listed, Credential: "a", Name: "uid=a,ou=services,ou=a-long-name-of-a-department,dc=example,dc=org"})
		v.showNow()
		require.NoError(t, program.Close())
		text, _ := io.ReadAll(screen) // it ends by an error, as all of these do
		return string(text)
	}
	require.Contains(t, shown(map[string]string{"TERM": "xterm"}, logging{}), "\x1b[")
	for name, set := range map[string]map[string]string{
		"NO_COLOR":             {"TERM": "xterm", "NO_COLOR": "1"},
		"a dumb terminal":      {"TERM": "dumb"},
		"what can draw is not": {"TERM": "dumb", "NO_COLOR": "1"},
	} {
		text := shown(set, logging{})
		require.NotContains(t, text, "\x1b", name)
		require.NotEmpty(t, strings.TrimSpace(text), name)
	}
	require.NotContains(t, shown(map[string]string{"TERM": "xterm"}, logging{level: "info"}), "\x1b", "lines of a log would tear what is drawn")
}

// Temporal's client warns of a heartbeat that was on its way when its activity
// ended, which nothing is wrong with.
func TestAnActivityThatEndedWhileItSaidThatItLivesIsNoWarning(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var said strings.Builder
		a := &app{Streams: Streams{Err: &said}, verbose: true}
		a.log.format = format
		log := temporallog.With(temporallog.NewStructuredLogger(a.logger()), "ActivityType", "Prepare")
		log.Warn(heartbeatFailed, "Error", context.Canceled)
		require.Empty(t, said.String(), format)
		log.Warn(heartbeatFailed, "Error", errors.New("no such activity"))
		log.Warn("another", "Error", context.Canceled)
		require.Equal(t, 2, strings.Count(said.String(), "Prepare"), said.String())
	}
}
