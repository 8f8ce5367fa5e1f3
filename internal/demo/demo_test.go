package demo

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

func TestDemoTellsItsStoryInAPipeAndLeavesOnlyTheRecord(t *testing.T) {
	s := startShow(t)
	require.Zero(t, s.code(), s.said())
	said := s.said()
	t.Log(said)
	for _, want := range []string{
		`got in with 49 of 49, each on every server that knows it, 10\s+of\s+them\s+at\s+3\s+doors\s+too;`,
		`reads\s+[0-9]+\s+secrets\s+with\s+[0-9]+\s+tokens`,
		`shut out of 49 of 49`,
		`53 listed · 49 dead · 2 attested by people · 2 open\n`,
		`open +svc-esg-vanished: no-account\. The demo planted it`,
		`open +uid=app-0001,ou=people,dc=example,dc=org: unproved-path\. The intruder\s+planted it`,
		`3 values were used from 127\.0\.0\.66, and 6 by the device itself; each finding is one`,
		`evidence  3 stolen values used from 127\.0\.0\.66 before the campaign, as servers' logs have it:`,
		`uid=svc-esg-0010\s+\(probable,\s+[0-9:]+\s+UTC,\s+(ldap1|mail)\.log:[0-9]+\)`,
		`approle/esg-01-login-1\s+\(probable,\s+[0-9:]+\s+UTC,\s+vault-audit\.log:[0-9]+\)`,
		`uid=svc-esg-0002\s+\(probable,\s+[0-9:]+\s+UTC,\s+ldap2\.log:[0-9]+\)`,
		`no log    [0-9:]+ to [0-9:]+ UTC of corp, vault; none at all of appdb\n`,
		`every line answered: 26 lines, 6 covered, 17 none, 3 for later`,
		`profile +every line answered: barracuda-esg, 26 lines, `,
		`people +2 of 2 tasks done \(.*\), by a script that plays two people`,
		`intruder +last got in [0-9.]+ s after the start, and with nothing later than [0-9.]+ s after`,
		`eavesdrop 0 of 49 new values read with 4 stolen logins and [0-9]+ tokens in [0-9,]+ reads\n`,
		`sessions  39 of 39 LDAP connections that it bound with stolen passwords are still open: close\s+them; none could set a password of its own`,
		`mail      10 of 10 stolen values shut out of Dovecot, by IMAP, which keeps logins for 5 s: (they\s+got in for [0-9.]+ s at most after the directory refused them|none\s+got\s+in\s+once)`,
		`relay     10 of 10 stolen values shut out of Postfix, by SMTP, whose\s+saslauthd\s+keeps\s+logins\s+for\s+8\s+hours:\s+(they\s+got\s+in\s+for\s+[0-9.]+\s+s\s+at\s+most\s+after|none\s+got\s+in\s+once)`,
		`files     10 of 10 stolen values shut out of ProFTPD, by FTP, which keeps none: `,
		`database  6 of 6 dead, on a PostgreSQL primary and its replica; 12 of 12 sessions that it opened\s+there with stolen passwords are ended`,
		`Left out: the Active Directory domain: `,
		`left out +the Active Directory domain: `,
		`others +8 of 8 untouched`,
		`ledger +verified, [0-9]+ entries`,
		`report +rollcall-demo/esg-01-[0-9TZ]+\.html\n`,
		`picture +rollcall-demo/esg-01-[0-9TZ]+\.evidence\.html\n`,
		`record +rollcall-demo/esg-01-[0-9TZ]+\n`,
	} {
		require.Regexp(t, want, said)
	}
	require.NotContains(t, said, "\x1b", "no colour and no cursor movement in a pipe")
	s.requireNothingLeft()

	html, err := filepath.Glob(filepath.Join(s.dir, "rollcall-demo", "*.html"))
	require.NoError(t, err)
	require.Len(t, html, 2)
	for says, page := range map[string]string{
		"used-elsewhere, [0-9]+ times, ": html[1], `from 127\.0\.0\.66 \(ldap2\.log:`: html[1], "before-first-line": html[1],
		`× used from elsewhere \(probable\)`: html[0], `× tried after its death \(probable\)`: html[0], `ldap2\.log`: html[0],
	} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		require.Regexp(t, says, string(text), page)
	}
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

// A try that got no answer, or was hung up on, may have been let in: then the
// log has it, and nobody counted it.
func TestLogsAreHeldAgainstWhatWasDoneAndWhatMayHaveBeen(t *testing.T) {
	was := played{uses{"a": 2, "b": 1}, uses{"a": 3, "b": 1}}
	for _, row := range []struct {
		logged uses
		like   bool
	}{{uses{"a": 2, "b": 1}, true}, {uses{"a": 3, "b": 1}, true}, {uses{"a": 1, "b": 1}, false}, {uses{"a": 4, "b": 1}, false}, {uses{"a": 2}, false}, {uses{"a": 2, "b": 1, "c": 1}, false}} {
		require.Equal(t, row.like, was.like(row.logged), "%v", row.logged)
	}
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

func TestDemoThatIsStoppedWhileTheDomainIsMadeLeavesNothing(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"with Ctrl-C": syscall.SIGINT, "with kill -9": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			s := startShowWithDomain(t)
			require.Eventually(t, func() bool { return len(mounted(t, s.temp)) > 0 }, 6*time.Minute, 10*time.Millisecond)
			s.signal(sig)
			s.code()
			if sig == syscall.SIGINT {
				require.Contains(t, s.said(), "interrupted; everything that was started is stopped")
				s.requireNothingLeft()
			}
			s.requireNoProcessSoon()
		})
	}
}

func TestDemoThatIsKilledTakesItsProcessesAlong(t *testing.T) {
	s := startShow(t)
	s.await(" in work, ")
	s.signal(syscall.SIGKILL)
	s.code()
	s.requireNoProcessSoon()
}

func TestKeptServersAnswerTheCommandsOnTheScreenUntilCtrlC(t *testing.T) {
	s := startShowWithDomain(t, "--keep", "--show-single-reset")
	s.await("rollcall ledger cat\n    rollcall run\n")
	story, look, _ := strings.Cut(s.said(), "until Ctrl-C")
	// Where lines are broken depends on the figures.
	flat := strings.Join(strings.Fields(story), " ")
	for _, want := range []string{
		`got in with 58 of 58, each on every server that knows it, 10 of them at 3 doors too;`,
		`shut out of 57 of 57, after [0-9]+ tries; still in with svc-single-reset, which was reset once`,
		`61 listed · 57 dead · 2 attested by people · 2 open`,
		`profile every line answered: barracuda-esg, 26 lines, 7 covered, 16 none, 3 for later; not complete: 3 lines left for later: `,
		`covered ldap-lookup by [0-9]+ credentials, ldap-smtp-auth by 19 credentials, cluster-secret by 1 credential, databases by 6 credentials, vault-logins by [0-9]+ credentials, backup-target by 8 credentials, old-backups by 1 credential`,
		`eavesdrop 0 of 57 new values read with 4 stolen logins and [0-9]+ tokens in [0-9,]+ reads `,
		`mail 10 of 10 stolen values shut out of Dovecot, by IMAP, `,
		`relay 10 of 10 stolen values shut out of Postfix, by SMTP, `,
		`files 10 of 10 stolen values shut out of ProFTPD, by FTP, `,
		`database 6 of 6 dead, on a PostgreSQL primary and its replica; 12 of 12 sessions `,
		`domain 8 of 8 dead, each reset twice to one new value: `,
		`one reset svc-single-reset, on purpose and not by Rollcall: the stolen password still got in [0-9.]+ s after the reset, .*; the new one was read in Vault as soon as it was there`,
		`others 10 of 10 untouched`,
	} {
		require.Regexp(t, want, flat)
	}
	require.NotContains(t, strings.ToLower(flat), "left out")
	require.Contains(t, look, "as root:")
	require.Contains(t, look, "Temporal, which holds references and no secret: http://127.0.0.1:")
	var env string
	for _, line := range strings.Split(look, "\n") {
		command, indented := strings.CutPrefix(line, "    ")
		switch {
		case !indented, strings.HasPrefix(command, "vault "), strings.HasPrefix(command, "temporal "):
			// Clients that not everybody has; they speak to what curl and
			// rollcall speak to.
		case strings.HasPrefix(command, ". "):
			env = command
		case strings.Contains(command, " -W "), strings.Contains(command, " -u "):
			// It asks for the password.
		default:
			from := ""
			if strings.HasPrefix(command, "rollcall ") {
				from = "cd /; " // it works from any folder
			}
			out, err := exec.Command("bash", "-c", "set -e; "+env+"; "+from+command).CombinedOutput()
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
	require.NoError(t, filepath.WalkDir(filepath.Join(s.dir, "rollcall-demo"), func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		require.EqualValues(t, 65534, info.Sys().(*syscall.Stat_t).Uid, "%s belongs to whoever ran sudo", path)
		return nil
	}))
}

func TestDemoSaysInOneLineWhatItLeavesOutAndHowToGetIt(t *testing.T) {
	t.Chdir(filepath.Dir(program))
	for want, d := range map[string]demo{
		"the Active Directory domain: it needs root. sudo rollcall demo":                                                         {noDomain: lab.ErrNotRoot},
		"the Active Directory domain and its single reset: it needs root. sudo rollcall demo --show-single-reset":                {noDomain: lab.ErrNotRoot, Options: Options{ShowSingleReset: true}},
		"the Active Directory domain: it needs Samba. scripts/setup.sh installs it":                                              {noDomain: fmt.Errorf("%w; run scripts/setup.sh", lab.ErrNoSamba)},
		"the Active Directory domain: root may make no network namespace here, or mount in it. Run it outside of this container": {noDomain: lab.ErrNoNamespace},
	} {
		d.Program = program
		require.Equal(t, want, d.leftOut())
	}
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
