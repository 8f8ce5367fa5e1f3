package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// A number that comes again is of another life of the server, though neither
// its start nor the first line of the connection is in the logs: the address of
// before is somebody else's.
func TestALoginBehindTheEndOfItsConnectionIsFromNoAddressThatIsKnown(t *testing.T) {
	type line struct {
		second int
		text   string
	}
	slapd := func(lines ...line) (out string) {
		for _, l := range lines {
			out += time.Date(2026, 1, 1, 10, 0, l.second, 0, time.UTC).Format(time.RFC3339) + " ldap1 slapd[1]: conn=1000 " + l.text + "\n"
		}
		return out
	}
	ds389 := func(lines ...line) (out string) {
		for _, l := range lines {
			out += "[" + time.Date(2026, 1, 1, 10, 0, l.second, 0, time.UTC).Format(ds389Time) + "] conn=5 " + l.text + "\n"
		}
		return out
	}
	accept := line{0, "fd=1 ACCEPT from IP=192.0.2.10:1 (IP=0.0.0.0:389)"}
	login := func(second, op int) []line {
		return []line{{second, fmt.Sprintf(`op=%d BIND dn="uid=a,dc=x" method=128`, op)}, {second, fmt.Sprintf(`op=%d BIND dn="uid=a,dc=x" mech=SIMPLE bind_ssf=0 ssf=0`, op)}, {second, fmt.Sprintf("op=%d RESULT tag=97 err=0 text=", op)}}
	}
	change := []line{{9, `op=1 MOD dn="uid=b,dc=x"`}, {9, "op=1 MOD attr=userPassword"}, {9, "op=1 RESULT tag=103 err=0 text="}}
	connection := line{0, "fd=64 slot=64 connection from 192.0.2.10 to 192.0.2.2"}
	bind := func(second, op int) []line {
		return []line{{second, fmt.Sprintf(`op=%d BIND dn="uid=a,dc=x" method=128 version=3`, op)}, {second, fmt.Sprintf(`op=%d RESULT err=0 tag=97 nentries=0 dn="uid=a,dc=x"`, op)}}
	}
	lines := func(of ...[]line) (out []line) {
		for _, l := range of {
			out = append(out, l...)
		}
		return out
	}
	for name, row := range map[string]struct {
		format, text string
		from         []string
		back         int
	}{
		"closed":                   {"openldap", slapd(lines([]line{accept, {0, "fd=1 closed"}}, login(3, 0))...), []string{"invalid IP"}, 1},
		"lost":                     {"openldap", slapd(lines([]line{accept, {0, "fd=1 closed (connection lost)"}}, login(3, 0))...), []string{"invalid IP"}, 1},
		"closed, out of order":     {"openldap", slapd(lines([]line{accept, {0, "fd=1 closed"}}, login(2, 0))...), []string{"192.0.2.10"}, 0},
		"a change":                 {"openldap", slapd(lines([]line{accept}, login(1, 0), []line{{2, "fd=1 closed"}}, change)...), []string{"192.0.2.10", "invalid IP"}, 1},
		"operations begin again":   {"openldap", slapd(lines([]line{accept}, login(0, 0), login(1, 1), login(5, 0))...), []string{"192.0.2.10", "192.0.2.10", "invalid IP"}, 1},
		"operations go on":         {"openldap", slapd(lines([]line{accept}, login(0, 0), login(5, 1))...), []string{"192.0.2.10", "192.0.2.10"}, 0},
		"an answer that took long": {"openldap", slapd(lines([]line{accept}, login(0, 0)[:2], []line{{1, "fd=1 closed"}}, login(9, 0)[2:])...), []string{"192.0.2.10"}, 0},
		"389, closed":              {"389ds", ds389(lines([]line{connection, {0, "op=1 fd=64 closed - U1"}}, bind(3, 0))...), []string{"invalid IP"}, 1},
		"389, disconnected":        {"389ds", ds389(lines([]line{connection, {0, "op=-1 fd=64 Disconnect - Cleanly Closed Connection - B1"}}, bind(3, 0))...), []string{"invalid IP"}, 1},
		"389, an answer behind":    {"389ds", ds389(lines([]line{connection}, bind(0, 0)[:1], []line{{0, "op=1 fd=64 closed - U1"}}, bind(9, 0)[1:])...), []string{"192.0.2.10"}, 0},
		"389, begin again":         {"389ds", ds389(lines([]line{connection}, bind(0, 0), bind(5, 0))...), []string{"192.0.2.10", "invalid IP"}, 1},
		"opened anew":              {"openldap", slapd(lines(login(0, 3), []line{{0, "fd=1 closed"}, {9, accept.text}}, login(9, 0))...), []string{"192.0.2.10", "invalid IP"}, 1},
		"389, opened anew":         {"389ds", ds389(lines(bind(0, 3), []line{{0, "op=4 fd=64 closed - U1"}, {9, connection.text}}, bind(9, 0))...), []string{"192.0.2.10", "invalid IP"}, 0},
		"389, killed":              {"389ds", ds389(lines(bind(0, 3), []line{{9, connection.text}}, bind(9, 0))...), []string{"192.0.2.10", "invalid IP"}, 0},
		"389, opened out of order": {"389ds", ds389(lines(bind(0, 0), []line{{0, "op=1 fd=64 closed - U1"}, {1, connection.text}})...), []string{"192.0.2.10"}, 0},
	} {
		events, notes, unreadable := readText(t, row.format, row.text)
		var from []string
		for _, e := range events {
			from = append(from, e.Address.String())
		}
		require.Equal(t, row.from, from, name)
		require.Empty(t, unreadable, name)
		require.Equal(t, row.back, notes[event.NumbersBack], name)
		require.Equal(t, strings.Count(fmt.Sprint(row.from), "invalid"), notes[event.NoAddress], name)
	}
}
