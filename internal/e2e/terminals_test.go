package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/report"
)

// desk is a terminal in which somebody runs a command.
type desk struct {
	t             *testing.T
	m             *lab.Tmux
	name          string
	width, height int
	colour        bool
}

// at starts a command in a terminal.
func (u *user) at(m *lab.Tmux, width, height int, colour bool, args ...string) *desk {
	u.t.Helper()
	s := &desk{u.t, m, fmt.Sprintf("%s-%dx%d-%t", args[0], width, height, colour), width, height, colour}
	quote := func(words []string) string { return "'" + strings.Join(words, "' '") + "'" }
	env := u.env
	if !colour {
		env = append([]string{"NO_COLOR=1"}, env...)
	}
	script := filepath.Join(u.t.TempDir(), "script")
	text := fmt.Sprintf("trap : INT\ncd '%s'\nenv %s %s\necho ended with $?\nexec cat\n", u.e.Dir, quote(env), quote(u.command(args...).Args))
	require.NoError(u.t, os.WriteFile(script, []byte(text), 0o600))
	require.NoError(u.t, m.Open(s.name, width, height, "exec sh "+script))
	return s
}

func (s *desk) String() string { return strings.Join(s.lines(), "\n") }

func (s *desk) lines() []string {
	s.t.Helper()
	lines, err := s.m.Shown(s.name)
	require.NoError(s.t, err)
	return lines
}

// words is all that it shows, in one line.
func (s *desk) words() string { return strings.Join(strings.Fields(s.String()), " ") }

var drawn = regexp.MustCompile(`^Rollcall esg-01 `)

// whole: no line is longer than the terminal, and what is drawn over is not
// drawn twice.
func (s *desk) whole() {
	s.t.Helper()
	frames, said := 0, 0
	for _, line := range s.lines() {
		longest := 0
		for _, word := range strings.Fields(line) {
			longest = max(longest, report.Columns(word))
		}
		if longest+8 < s.width && !strings.HasPrefix(line, "type ") { // what is typed there is as long as it is
			require.LessOrEqual(s.t, report.Columns(strings.TrimRight(line, " ")), s.width, "%s: %q", s.name, line)
		}
		require.NotContains(s.t, line, "RoRollcall", s.name)
		require.NotContains(s.t, line, "^Cdetached", s.name)
		if drawn.MatchString(line) {
			frames++
		}
		if s.colour && frames > 0 {
			require.False(s.t, strings.HasPrefix(line, "waiting"), "%s: it stands in the frame: %s", s.name, s)
		}
		if strings.HasPrefix(line, "waiting: ") || strings.HasPrefix(line, "note: ") || strings.HasPrefix(line, "detached ") {
			said++
		}
	}
	raw, err := s.m.Raw(s.name)
	require.NoError(s.t, err)
	if s.colour {
		require.LessOrEqual(s.t, frames, 1+said, "%s: a frame below each word that was said: %s", s.name, s)
	} else {
		require.NotContains(s.t, raw, "\x1b[3", s.name)
		require.Zero(s.t, frames, s.name)
	}
}

// What somebody sees who runs a campaign, or watches it, in any terminal: each
// line whole, what is waited for, until when, and what to do.
func TestWhoRunsAndWhoWatchesSeesAWholeScreenInEachTerminal(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 12, Replica: true, Profile: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 15s, retry_max: 15s, deadline: 1h, batch: 20}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	m, err := lab.StartTmux()
	require.NoError(t, err)
	t.Cleanup(m.Stop)
	e.Replica.PauseReplication()

	first := u.at(m, 60, 24, true, "run")
	requireSoon(t, "it is asked", first, func() bool { return strings.Contains(first.words(), "anything else to leave it:") })
	require.Contains(t, first.words(), "esg-01: 12 new values, set on 1 server and written to 12 places in Vault (rollcall plan shows each)")
	require.NoError(t, m.Type(first.name, "esg-01", "Enter"))
	requireSoon(t, "it is begun", first, func() bool { return strings.Contains(first.words(), "Rollcall esg-01 running") })
	desks := []*desk{first}
	for _, width := range []int{60, 80, 160} {
		desks = append(desks, u.at(m, width, 50, true, "watch"), u.at(m, width, 24, false, "watch"))
		if width > 60 {
			desks = append(desks, u.at(m, width, 24, true, "run"))
		}
	}
	low := u.at(m, 80, 9, true, "watch")
	desks = append(desks, low)

	waits := regexp.MustCompile("waiting: 12 open are tried again at [0-9:]+Z, until [0-9:]+Z at the latest; `rollcall report` says what to do about each, and `rollcall close` leaves them open, with an owner, and ends the campaign")
	for _, s := range desks {
		requireSoon(t, "it says what it waits for", s, func() bool {
			s.whole()
			return waits.MatchString(s.words())
		})
	}
	for _, s := range desks {
		if s.colour && s != low { // between two looks it may be drawn anew
			requireSoon(t, "what is open", s, func() bool {
				return strings.Contains(s.words(), "! 12 open A replica has not seen the change "+e.Replica.LDAPS())
			})
			requireSoon(t, "how to leave", s, func() bool { return strings.Contains(s.words(), "Ctrl-C leaves, and the same command goes on") })
		}
	}
	tried := regexp.MustCompile("tried again at [0-9:]+Z")
	was := tried.FindString(first.words())
	requireSoon(t, "the next try is another one by now", first, func() bool {
		is := tried.FindString(first.words())
		return is != "" && is != was
	})
	more := regexp.MustCompile(`… \d+ more: rollcall status`)
	requireSoon(t, "what there is no room for", low, func() bool { return more.MatchString(low.words()) })
	require.NoError(t, e.Vault.Seal(t.Context()))
	requireSoon(t, "what keeps it from going on stands there", first, func() bool {
		first.whole()
		return strings.Contains(first.words(), "waiting: Vault at "+e.Vault.Address()+" is sealed: unseal it")
	})
	require.NoError(t, e.Vault.Unseal(t.Context()))
	for _, s := range desks[1:] {
		require.NoError(t, m.Type(s.name, "C-c"))
		requireSoon(t, "it leaves", s, func() bool { return strings.Contains(s.words(), "ended with 3") })
		s.whole()
		require.Contains(t, s.words(), "the same command follows it again", s.name)
	}

	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	requireSoon(t, "it ends", first, func() bool {
		first.whole()
		return strings.Contains(first.words(), "ended with ")
	})
	require.Contains(t, first.words(), "12 listed · 12 dead · 0 open")
	require.Contains(t, first.words(), "ended with 2") // lines of the profile are left for later
}
