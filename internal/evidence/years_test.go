package evidence

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/taken"
)

// A forged time that JSON or a ledger cannot hold takes no result with it.
func TestALineOfAYearThatCannotBeIsNotUnderstood(t *testing.T) {
	text := session(hour(12), "dc1", 1, "192.0.2.10", "uid=svc,dc=x", 0)
	for i, at := range []string{"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z"} {
		text += strings.ReplaceAll(session(hour(13), "dc1", 2+i, "192.0.2.66", "uid=svc,dc=x", 0), hour(13).Format(time.RFC3339), at)
	}
	result, err := Read(t.Context(), optionsFor(write(t, "a.log", text)))
	require.NoError(t, err)
	_, err = json.Marshal(result)
	require.NoError(t, err)
	require.Equal(t, 16, result.Logs[0].NotRead)
	require.Equal(t, 1, result.Sources[0].Logins)
	require.Equal(t, hour(12), result.Logs[0].First)
	require.Equal(t, hour(12), result.Logs[0].Last)
}

// What a line calls its server fits what a campaign takes.
func TestALongNameOfAServerIsCut(t *testing.T) {
	for _, name := range []string{strings.Repeat("h", 300), strings.Repeat("é", 101), strings.Repeat("\xff", 150)} {
		result, err := Read(t.Context(), optionsFor(write(t, "a.log", session(hour(12), name, 1, "192.0.2.10", "uid=svc,dc=x", 0))))
		require.NoError(t, err)
		text, err := json.Marshal(result)
		require.NoError(t, err)
		_, err = taken.Read(text)
		require.NoError(t, err)
	}
}

// accepts is a file of one connection at a time without a year.
func accepts(t *testing.T, name, at string) string {
	return write(t, name, at+" ldap1 slapd[7]: conn=1 fd=1 ACCEPT from IP=192.0.2.10:1 (IP=0.0.0.0:389)\n")
}

// A wrong year makes an intruder's address a usual one: where it can be seen
// that one is wrong, nothing is read.
func TestAYearThatCannotBeRightIsRefused(t *testing.T) {
	dir := t.TempDir()
	in := func(name, at string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.Rename(accepts(t, name, at), path))
		return path
	}
	older, newer := in("syslog.2", "Nov 30 10:00:00"), in("syslog.1", "Jan  2 10:00:00")
	dated, later := in("m-20221201", "Nov 30 10:00:00"), in("m-20230108", "Jan  2 10:00:00")
	now, packed := in("syslog", "Jan  1 10:00:00"), in("syslog.10", "Feb 29 10:00:00")
	for name, row := range map[string]struct {
		files []string
		year  int
		years map[string]int
		says  string
	}{
		"by its number":         {files: []string{newer, older}, year: 2022, says: newer + " follows " + older + " by its name, and begins before it by its times (2022-01-02, 2022-11-30): say the year of its first line, as in --year " + newer + "=2023"},
		"the newest":            {files: []string{older, now}, year: 2022, says: now + " follows " + older},
		"by its date":           {files: []string{dated, later}, year: 2022, says: later + " follows " + dated},
		"said of each":          {files: []string{newer, older}, year: 2022, years: map[string]int{dir + "/./syslog.1": 2023}},
		"of no file":            {files: []string{older}, year: 2022, years: map[string]int{dir + "/syslog.9": 2023}, says: "--year " + dir + "/syslog.9=2023: no file that is read is called so"},
		"to come":               {files: []string{older}, year: 2031, says: older + " line 1: its time has no year that has been: by --year it would be of 2031-11-30"},
		"no such day":           {files: []string{packed}, year: 2023, says: packed + " line 1: its time has no day in 2023 (29 February): say another year"},
		"a day that there was":  {files: []string{packed}, year: 2024},
		"two digits are a name": {files: []string{packed, older}, year: 2024},
	} {
		o := optionsFor(row.files...)
		o.Zone, o.Year, o.Years = time.UTC, row.year, row.years
		_, err := Read(t.Context(), o)
		if row.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, row.says, name)
	}
}

// Whoever can write into a syslog can write a time that is to come, and that
// stops no reading. Where line upon line is so, the year is wrong.
func TestALineOfATimeThatCannotBeStopsNoReading(t *testing.T) {
	for program, text := range map[string]string{"slapd[7]": "conn=1 fd=1 ACCEPT from IP=192.0.2.10:1 (IP=0.0.0.0:389)", "sshd[7]": "Accepted password for svc from 198.51.100.1 port 5 ssh2"} {
		of := func(at string) string { return at + " h " + program + ": " + text + "\n" }
		const early, late, toCome, never = "Jan  1 10:00:00", "Jan  1 11:00:00", "Mar  1 10:00:00", "Feb 29 10:00:00"
		o := byLogin(optionsFor(write(t, "a.log", of(early)+of(toCome)+of(late)+of(never)+of(late))))
		o.Zone, o.Year = time.UTC, 2026
		r, err := Read(t.Context(), o)
		require.NoError(t, err)
		require.Len(t, r.Sources, 1)
		require.Equal(t, []int{5, 2}, []int{r.Sources[0].Lines, r.Sources[0].Unreadable})
		require.Equal(t, hour(11), r.Logs[0].Last)
		o = byLogin(optionsFor(write(t, "a.log", of(early)+strings.Repeat(of(toCome), mostAlone+1))))
		o.Zone, o.Year = time.UTC, 2026
		_, err = Read(t.Context(), o)
		require.ErrorContains(t, err, "its time has no year that has been")
	}
}
