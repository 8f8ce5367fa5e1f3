package logs

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// In the form that the server's sources and its design page give; no server of
// version 3 is at hand.
func TestTheJSONAccessLogOf389IsJoinedByItsKey(t *testing.T) {
	events, notes, unreadable := readText(t, "389ds-json", `{"header":"389-Directory/3.1.2 B2025","version":"1"}
{"local_time":"2025-02-10T13:49:28.202404005 -0500","operation":"CONNECTION","key":"1739213368-1","conn_id":1,"fd":64,"slot":64,"tls":true,"client_ip":"192.0.2.10","server_ip":"192.0.2.2"}
{"local_time":"2025-02-10T13:49:28.302404005 -0500","operation":"BIND","key":"1739213368-1","conn_id":1,"op_id":0,"bind_dn":"uid=svc,dc=example,dc=org","version":3,"method":"128"}
{"local_time":"2025-02-10T13:49:28.503395725 -0500","operation":"RESULT","key":"1739213368-1","conn_id":1,"op_id":0,"msg":"Invalid credentials","tag":97,"err":49,"nentries":0,"wtime":"0.1","optime":"0.1","etime":"0.1","client_ip":"192.0.2.10"}
{"local_time":"2025-02-10T14:49:28.202404005 -0500","operation":"CONNECTION","key":"1739216968-1","conn_id":1,"fd":64,"slot":64,"tls":false,"client_ip":"192.0.2.77","server_ip":"192.0.2.2"}
{"local_time":"2025-02-10T14:49:28.302404005 -0500","operation":"BIND","key":"1739216968-1","conn_id":1,"op_id":0,"bind_dn":"","version":3,"method":"sasl","mech":"PLAIN"}
{"local_time":"2025-02-10T14:49:28.503395725 -0500","operation":"RESULT","key":"1739216968-1","conn_id":1,"op_id":0,"tag":97,"err":0,"nentries":0,"bind_dn":"uid=svc,dc=example,dc=org"}
`)
	require.Empty(t, unreadable)
	require.Empty(t, notes)
	require.Len(t, events, 2)
	require.Equal(t, event.Event{Place: event.Place{File: "log", Line: 3}, At: events[0].At, Account: "uid=svc,dc=example,dc=org", Form: event.DN,
		Address: netip.MustParseAddr("192.0.2.10"), Outcome: event.Refused, Method: "simple", Code: "err=49", Login: true}, events[0])
	require.Equal(t, time.Date(2025, 2, 10, 18, 49, 28, 302404005, time.UTC), events[0].At.UTC())
	require.Equal(t, "192.0.2.77", events[1].Address.String())
	require.Equal(t, event.Accepted, events[1].Outcome)
}

// As its sources write them (ldap/servers/slapd/accesslog.c of 389-ds-base). A
// plugin's own operations are inside of the one that was asked.
func TestChangesInTheJSONAccessLogOf389AreRead(t *testing.T) {
	line := func(op int, rest string) string {
		return fmt.Sprintf(`{"local_time":"2025-02-10T13:49:28.302404005 -0500","operation":%s,"key":"1739213368-1","conn_id":1,"op_id":%d}`+"\n", rest, op)
	}
	text := `{"local_time":"2025-02-10T13:49:28.202404005 -0500","operation":"CONNECTION","key":"1739213368-1","conn_id":1,"fd":64,"slot":64,"tls":true,"client_ip":"192.0.2.10","server_ip":"192.0.2.2"}` + "\n" +
		line(0, `"BIND","bind_dn":"uid=svc,dc=x","version":3,"method":"128"`) + line(0, `"RESULT","tag":97,"err":0,"bind_dn":"uid=svc,dc=x"`)
	for i, ask := range []string{`"ADD"`, `"MODIFY"`, `"MODRDN","newrdn":"cn=b"`, `"DELETE"`} {
		tag := []int{105, 103, 109, 107}[i]
		text += line(i+1, ask+`,"target_dn":"cn=a,dc=x"`) + line(i+1, `"MODIFY","internal_op":true,"op_internal_id":1,"target_dn":"cn=group,dc=x"`) +
			line(i+1, `"RESULT","internal_op":true,"op_internal_id":1,"tag":103,"err":0`) + line(i+1, fmt.Sprintf(`"RESULT","tag":%d,"err":%d`, tag, i/3*50))
	}
	events, notes, unreadable := readText(t, "389ds-json", text)
	require.Empty(t, unreadable)
	require.Empty(t, notes)
	by := func(what event.Change) done { return done{"uid=svc,dc=x", "192.0.2.10", what, "cn=a,dc=x", ""} }
	require.Equal(t, []done{by(event.Made), by(event.Modified), by(event.Renamed), by(event.Removed)}, donesOf(events, "192.0.2.10"))
	require.Equal(t, event.Accepted, events[3].Outcome)
	require.Equal(t, event.Failed, events[4].Outcome, "it may not")
}

func TestTimesWithoutAYearAreTheOperatorsToPlace(t *testing.T) {
	line := []byte("Dec 31 23:59:59 h slapd[7]: conn=1 fd=1 ACCEPT from IP=192.0.2.1:5 (IP=192.0.2.2:389)")
	for need, o := range map[string]Options{"year and no zone": {}, "year": {Zone: time.UTC}, "zone": {Year: 2022}} {
		o.Event, o.Note = func(event.Event) {}, func(event.Note, event.Place, string) {}
		_, _, err := newOpenLDAP(o).Line(line, event.Place{File: "syslog", Line: 7})
		require.ErrorContains(t, err, "syslog line 7: its time has no "+need+":")
	}
	o := Options{Year: 2022, Zone: time.FixedZone("", 3600), Event: func(event.Event) {}, Note: func(event.Note, event.Place, string) {}}
	p := newOpenLDAP(o)
	for _, want := range []string{
		"2022-12-31T22:59:59Z Dec 31 23:59:59", "2022-12-31T23:00:01Z Jan  1 00:00:01", "2022-12-31T22:59:59Z Dec 31 23:59:59", "2023-06-01T10:00:00Z Jun  1 11:00:00",
	} {
		at, _ := time.Parse(time.RFC3339, want[:20])
		_, got, err := p.Line([]byte(want[21:]+" h slapd[7]: conn=1 op=1 UNBIND"), event.Place{File: "syslog", Line: 1})
		require.NoError(t, err)
		require.Equal(t, at, got.UTC(), want)
	}
}

func TestAnAddressOfBeforeASilenceIsInDoubt(t *testing.T) {
	events, _, _ := readText(t, "openldap", `2026-01-01T10:00:00Z h slapd[7]: conn=1000 fd=1 ACCEPT from IP=192.0.2.1:5 (IP=192.0.2.2:389)
2026-01-01T10:00:01Z h slapd[7]: conn=1000 op=0 BIND dn="uid=a,dc=b" method=128
2026-01-01T10:00:01Z h slapd[7]: conn=1000 op=0 RESULT tag=97 err=49 text=
2026-01-02T10:00:01Z h slapd[7]: conn=1000 op=1 BIND dn="uid=a,dc=b" method=128
2026-01-02T10:00:01Z h slapd[7]: conn=1000 op=1 RESULT tag=97 err=49 text=
`)
	require.Empty(t, events[0].Doubts)
	require.Equal(t, []event.Doubt{event.OverGap}, events[1].Doubts)
}

// A name without a password is let in as nobody, where a server allows that.
func TestANameThatIsLetInAsNobodyIsNoUse(t *testing.T) {
	for format, text := range map[string]string{
		"openldap": `2026-01-01T10:00:00Z h slapd[7]: conn=1000 fd=1 ACCEPT from IP=192.0.2.1:5 (IP=192.0.2.2:389)
2026-01-01T10:00:01Z h slapd[7]: conn=1000 op=0 BIND dn="uid=a,dc=b" method=128
2026-01-01T10:00:01Z h slapd[7]: conn=1000 op=0 RESULT tag=97 err=0 text=
`,
		"389ds": `[01/Jan/2026:10:00:00.1 +0000] conn=6 fd=65 slot=65 connection from 192.0.2.1 to 192.0.2.2
[01/Jan/2026:10:00:00.1 +0000] conn=6 op=0 BIND dn="uid=a,dc=b" method=128 version=3
[01/Jan/2026:10:00:00.1 +0000] conn=6 op=0 RESULT err=0 tag=97 nentries=0 wtime=0.1 optime=0.1 etime=0.1 dn=""
`,
	} {
		events, notes, _ := readText(t, format, text)
		require.Len(t, events, 1, format)
		require.Equal(t, event.Unknown, events[0].Outcome, format)
		require.Equal(t, map[event.Note]int{event.NotAsWhom: 1}, notes, format)
	}
}
