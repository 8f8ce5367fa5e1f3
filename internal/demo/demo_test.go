package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDemoTellsItsStoryInAPipeAndLeavesOnlyTheRecord(t *testing.T) {
	s := startShow(t)
	require.Zero(t, s.code(), s.said())
	said := s.said()
	t.Log(said)
	for _, want := range []string{
		`got in with 41 of 41, each on every server`,
		`shut out of 41 of 41`,
		`42 listed · 41 dead · 1 open\n`,
		`open +svc-esg-vanished: no-account\. The demo planted it`,
		`intruder +last got in [0-9.]+ s after the start, and with nothing later than [0-9.]+ s after`,
		`decoys +6 of 6 untouched`,
		`ledger +verified, [0-9]+ entries`,
		`report +rollcall-demo/esg-01-[0-9TZ]+\.html\n`,
		`record +rollcall-demo/esg-01-[0-9TZ]+\n`,
	} {
		require.Regexp(t, want, said)
	}
	require.NotContains(t, said, "\x1b", "no colour and no cursor movement in a pipe")
	s.requireNothingLeft()

	html, err := filepath.Glob(filepath.Join(s.dir, "rollcall-demo", "*.html"))
	require.NoError(t, err)
	require.Len(t, html, 1)
	t.Run("the command on the last screen verifies it when all servers are gone", func(t *testing.T) {
		line := regexp.MustCompile(`verify it +(.*)\n`).FindStringSubmatch(said)
		require.NotNil(t, line)
		verify := exec.Command("sh", "-c", line[1])
		verify.Dir = s.dir
		out, err := verify.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "VERIFIED")
		require.Contains(t, string(out), "anchor: consistent")
	})
}

func TestDemoThatIsStoppedMidwayLeavesNothing(t *testing.T) {
	for name, at := range map[string]string{
		"while the servers start":   "Start a small company",
		"while the campaign works":  " in work, ",
		"while the engine is ready": "campaign esg-01-",
	} {
		t.Run(name, func(t *testing.T) {
			s := startShow(t)
			s.await(at)
			s.signal(syscall.SIGINT)
			require.Equal(t, 1, s.code(), s.said())
			require.Contains(t, s.said(), "interrupted; everything that was started is stopped")
			s.requireNothingLeft()
		})
	}
}

func TestDemoThatIsKilledTakesItsProcessesAlong(t *testing.T) {
	s := startShow(t)
	s.await(" in work, ")
	s.signal(syscall.SIGKILL)
	s.code()
	require.Eventually(t, func() bool { return len(processes(t, s.temp, filepath.Dir(program))) == 0 }, 30*time.Second, 50*time.Millisecond)
}

func TestKeptServersAnswerTheCommandsOnTheScreenUntilCtrlC(t *testing.T) {
	s := startShow(t, "--keep")
	s.await("rollcall ledger cat\n    rollcall run\n")
	_, look, _ := strings.Cut(s.said(), "until Ctrl-C")
	require.Contains(t, look, "Temporal, which holds references and no secret: http://127.0.0.1:")
	var env string
	for _, line := range strings.Split(look, "\n") {
		command, indented := strings.CutPrefix(line, "    ")
		switch {
		case !indented, strings.HasPrefix(command, "vault "), strings.HasPrefix(command, "temporal "):
			// Clients that not everybody has; they speak to what curl and rollcall speak to.
		case strings.HasPrefix(command, ". "):
			env = command
		case strings.HasPrefix(command, "ldapwhoami"):
			require.Contains(t, command, " -W", "it asks for the password")
		default:
			out, err := exec.Command("bash", "-c", "set -e; "+env+"; "+command).CombinedOutput()
			var code int
			if err != nil {
				var exited *exec.ExitError
				require.ErrorAs(t, err, &exited)
				code = exited.ExitCode()
			}
			want := 0
			if command == "rollcall run" {
				want = 2 // the vanished account is an exception again
			}
			require.Equal(t, want, code, "%s\n%s", command, out)
			require.NotEmpty(t, out, command)
		}
	}
	s.signal(syscall.SIGINT)
	require.Zero(t, s.code(), s.said())
	s.requireNothingLeft()
}

func TestDemoSaysWhatIsMissingBeforeItStartsAnything(t *testing.T) {
	bare := filepath.Join(t.TempDir(), "rollcall")
	require.NoError(t, os.Link(program, bare))
	cmd := exec.Command(bare, "demo")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	var exited *exec.ExitError
	require.ErrorAs(t, err, &exited)
	require.Equal(t, 1, exited.ExitCode())
	require.Contains(t, string(out), "rollcall-engine is not beside this program: run `make build`")
	left, err := os.ReadDir(cmd.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
