package evidence

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

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
		"one of three":              {three, []string{"dc1"}, "", []string{"corp, dc2.example.org", "corp, dc3.example.org"}, "where does dc2.example.org log, and who has that?"},
		"by its whole name":         {three, []string{"DC2.example.org", "dc1"}, "", []string{"corp, dc3.example.org"}, "where does dc3.example.org log"},
		"all":                       {three, []string{"dc1", "dc2", "dc3"}, "", nil, ""},
		"by another name":           {three[:2], []string{"ldap-a", "dc1"}, "", []string{"corp, dc2.example.org"}, "is the log of ldap-a its? Then say so before the file, as in corp/dc2.example.org=FILE"},
		"said by the operator":      {three[:2], []string{"ldap-a"}, "dc2.example.org", []string{"corp, dc1.example.org"}, "where does dc1.example.org log"},
		"of another domain":         {three[:2], []string{"dc1", "dc2.example.com"}, "", []string{"corp, dc2.example.org"}, "is the log of dc2.example.com its?"},
		"a name of two":             {[]string{"ldaps://dc1.a.example", "ldaps://dc1.b.example"}, []string{"dc1"}, "", []string{"corp, dc1.a.example", "corp, dc1.b.example"}, "is the log of dc1 its?"},
		"on one machine":            {[]string{"ldaps://127.0.0.1:1", "ldaps://127.0.0.1:2"}, []string{"ldap1"}, "", []string{"corp, one of its 2 servers (1)"}, "whose log is missing?"},
		"on one machine, both":      {[]string{"ldaps://127.0.0.1:1", "ldaps://127.0.0.1:2"}, []string{"ldap1", "ldap2"}, "", nil, ""},
		"a single one, of any name": {three[:1], []string{"ldap-a"}, "", nil, ""},
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
