package evidence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/taken"
)

// Each domain controller logs for itself: with the log of one of three nothing
// is known of who logged in at the others.
func TestEachServerOfADirectoryWithoutALogIsNamedWithItsHoursAndAQuestion(t *testing.T) {
	three := []string{"ldaps://dc1.example.org:636", "ldaps://dc2.example.org:636", "ldaps://DC3.example.org"}
	for name, row := range map[string]struct {
		servers []string
		hosts   []string // that lines of the log name
		says    string   // before the file
		missing []string
		ask     string
	}{
		"one of three":                {three, []string{"dc1"}, "", []string{"corp, dc2.example.org", "corp, dc3.example.org"}, "where does dc2.example.org log, and who has that?"},
		"by its whole name":           {three, []string{"DC2.example.org", "dc1"}, "", []string{"corp, dc3.example.org"}, "where does dc3.example.org log"},
		"all":                         {three, []string{"dc1", "dc2", "dc3"}, "", nil, ""},
		"by another name":             {three[:2], []string{"ldap-a", "dc1"}, "", []string{"corp, dc2.example.org"}, "is the log of ldap-a its? Then say so before the file, as in corp/dc2.example.org=FILE"},
		"said by the operator":        {three[:2], []string{"ldap-a"}, "dc2.example.org", []string{"corp, dc1.example.org"}, "where does dc1.example.org log"},
		"of another domain":           {three[:2], []string{"dc1", "dc2.example.com"}, "", []string{"corp, dc2.example.org"}, "is the log of dc2.example.com its?"},
		"a name of two":               {[]string{"ldaps://dc1.a.example", "ldaps://dc1.b.example"}, []string{"dc1"}, "", []string{"corp, dc1.a.example", "corp, dc1.b.example"}, "is the log of dc1 its?"},
		"on one machine":              {[]string{"ldaps://127.0.0.1:1", "ldaps://127.0.0.1:2"}, []string{"ldap1"}, "", []string{"corp, one of its 2 servers (1)"}, "whose log is missing?"},
		"on one machine, both":        {[]string{"ldaps://127.0.0.1:1", "ldaps://127.0.0.1:2"}, []string{"ldap1", "ldap2"}, "", nil, ""},
		"two of three on one machine": {[]string{"ldaps://dc1.example.org:636", "ldap://dc2.example.org:1", "ldap://dc2.example.org:2"}, []string{"dc1", "dc2"}, "", []string{"corp, one of its 2 servers on dc2.example.org (1)"}, "where does dc2.example.org log"},
		"the other of three":          {[]string{"ldaps://dc1.example.org:636", "ldap://dc2.example.org:1", "ldap://dc2.example.org:2"}, []string{"dc2", "x"}, "", []string{"corp, dc1.example.org"}, "is the log of x its?"},
		"a single one, of any name":   {three[:1], []string{"ldap-a"}, "", nil, ""},
	} {
		text := ""
		for i, host := range row.hosts {
			text += session(hour(12), host, i, "192.0.2.10", "uid=svc,dc=x", 0)
		}
		o := optionsFor(write(t, "slapd.log", text))
		o.Servers = map[string][]string{"corp": row.servers}
		o.Files[0].Authority, o.Files[0].Server = "corp", row.says
		r, err := Read(t.Context(), o)
		require.NoError(t, err, name)
		var got []string
		for i, m := range r.Missing {
			got = append(got, m.Name())
			require.Equal(t, fmt.Sprint(hour(10), hour(20), judge.NoLog), fmt.Sprint(m.Gaps[0].From, m.Gaps[0].To, m.Gaps[0].Reason), name)
			if i == 0 {
				require.Contains(t, m.Gaps[0].Ask, row.ask, name)
			}
		}
		require.Equal(t, row.missing, got, name)
		encoded, err := json.Marshal(r)
		require.NoError(t, err)
		file, err := taken.Read(encoded)
		require.NoError(t, err)
		without := 0
		for _, c := range file.Record().Coverage {
			if c.NoLog && c.Server != "" {
				without++
			}
		}
		require.Equal(t, len(row.missing), without, "a campaign takes them: %s", name)
	}
}

// Who may write into a syslog may call himself as he likes, and a campaign
// takes so many servers: what comes behind the forged names is read, and covers
// nothing unless the roll names it.
func TestForgedServersCrowdOutNoServerOfTheRollAndTheResultIsTaken(t *testing.T) {
	const forged, known, further = 5_000, "ldap1", "far-off"
	var text strings.Builder
	for n := range forged {
		text.WriteString(syslog(hour(11), fmt.Sprintf("forged-%d", n), "conn=1 fd=1 ACCEPT from IP=203.0.113.1:5 (IP=192.0.2.2:389)"))
	}
	for at := 10; at <= 20; at++ {
		for _, host := range []string{known, further} {
			text.WriteString(session(hour(at), host, 7+at, "203.0.113.9", "uid=svc,dc=x", 0))
		}
	}
	o := optionsFor(write(t, "slapd.log", text.String()))
	o.Quiet = 2 * time.Hour
	o.Servers = map[string][]string{"corp": {"ldaps://ldap1.example.org", "ldaps://ldap2.example.org"}}
	o.Files[0].Authority = "corp"
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.Missing, 1)
	require.Equal(t, "corp, ldap2.example.org", r.Missing[0].Name())
	require.Len(t, r.Sources, mostSources+2)
	var lines, logins int
	for _, s := range r.Sources {
		lines, logins = lines+s.Lines, logins+s.Logins
		switch s.Server {
		case known:
			require.Empty(t, s.Gaps, "the roll has it, so it is known")
		case "":
			require.Empty(t, s.Covered)
			require.True(t, slices.ContainsFunc(s.Notes, func(n judge.Noted) bool { return n.Note == event.TooManyOf }))
			require.Equal(t, hour(10).String()+hour(20).String(), s.Gaps[0].From.String()+s.Gaps[0].To.String(), "nobody knows whose lines they are")
		}
	}
	require.Equal(t, []int{strings.Count(text.String(), "\n"), 22}, []int{lines, logins}, "each line counts")
	found := 0
	for _, f := range r.Findings {
		found += f.Count
	}
	require.Equal(t, 22, found, "and is judged")
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	_, err = taken.Read(encoded)
	require.NoError(t, err, "a campaign takes it")
}
