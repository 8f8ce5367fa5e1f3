package evidence

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// winLogons are logins that Windows let in, an event on each line.
func winLogons(times ...time.Time) (out []string) {
	for _, at := range times {
		out = append(out, fmt.Sprintf("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4624</EventID><TimeCreated SystemTime='%s'/><Computer>dc1.corp.example</Computer></System>"+
			"<EventData><Data Name='TargetUserName'>svc</Data><Data Name='TargetDomainName'>CORP</Data><Data Name='IpAddress'>203.0.113.9</Data></EventData></Event>\n", at.UTC().Format(time.RFC3339)))
	}
	return out
}

// What was done in a logon, and from where, is told by the lines before.
func TestAnExportWithTheNewestFirstIsRefused(t *testing.T) {
	events := winLogons(hour(11), hour(12), hour(12).Add(time.Second), hour(13), hour(14))
	jitter := winLogons(hour(11).Add(time.Second), hour(11))
	for name, row := range map[string]struct {
		lines []string
		says  string
	}{
		"the oldest first":              {lines: events},
		"one event":                     {lines: events[:1]},
		"within a moment":               {lines: jitter},
		"a clock that was set back":     {lines: append(slices.Clone(events[1:]), events[0])},
		"two exports, one behind other": {lines: append(slices.Clone(events[2:]), events[:2]...)},
		"the newest first":              {lines: reversed(events), says: "has its newest event first (2026-01-01T14:00:00Z, then back to 2026-01-01T11:00:00Z)"},
		"the newest first, two of them": {lines: reversed(events[:2]), says: "Sort-Object TimeCreated; wevtutil qe … /rd:false"},
	} {
		_, err := Read(t.Context(), byLogin(optionsFor(write(t, "dc1.xml", strings.Join(row.lines, "")))))
		if row.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, row.says, name)
	}
}

func reversed(lines []string) []string {
	out := slices.Clone(lines)
	slices.Reverse(out)
	return out
}

// A second copy would make a burst of a few refused logins.
func TestACopyOfAFileIsRefused(t *testing.T) {
	dir, text := t.TempDir(), session(hour(11), "ldap1", 1000, "203.0.113.9", "uid=svc,dc=x", 49)
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	one, other := put("slapd.log", text), put("saved.log", text)
	_, err := Read(t.Context(), optionsFor(one, other))
	require.ErrorContains(t, err, other+" is a copy of "+one)
	_, err = Read(t.Context(), optionsFor(one, put("later.log", session(hour(12), "ldap1", 1001, "203.0.113.9", "uid=svc,dc=x", 49))))
	require.NoError(t, err)
}
