package logs

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// webLog is a mapping of a made-up form: no line of the web syslog of an
// appliance is public.
func webLog(m Mapping) Mapping {
	m.Name, m.Type, m.Form = "web", Text, event.Login
	m.Accepted, m.Refused = []string{"LOGIN"}, []string{"FAILED"}
	if m.Patterns == nil {
		m.Patterns = []string{`\[(?P<address>[^]]*)\] (?P<outcome>LOGIN|FAILED|OTHER) (?P<account>.*)`, `(?P<account>\S+) is locked out (?P<outcome>of) here`}
	}
	return m
}

func TestALogOfTextIsReadByItsPatterns(t *testing.T) {
	f := webLog(Mapping{Program: "web", Ignore: []string{`\[.*\] (PAGE|LOGOUT) .*`}, ByDevice: true}).Format()
	const login = "Nov 29 22:10:32 esg1 web[77]: [203.0.113.9] LOGIN anna"
	_, ok := Recognise([]byte(login), f)
	require.True(t, ok)
	for _, other := range []string{
		"Nov 29 22:10:32 esg1 sshd[77]: [203.0.113.9] LOGIN anna", "Nov 29 22:10:32 esg1 web[77]: [203.0.113.9] PAGE /", "[203.0.113.9] LOGIN anna",
		"Nov 29 22:10:32 esg1 web[77]: [203.0.113.9] OTHER anna", "Nov 29 22:10:32 esg1 web[77]: x [203.0.113.9] LOGIN anna",
	} {
		_, ok = Recognise([]byte(other), f)
		require.False(t, ok, other)
	}
	events, notes, unreadable := readMapped(t, f, Options{Year: 2026, Zone: time.FixedZone("", 3600)}, login,
		"Nov 29 22:10:33 esg1 web: [192.0.2.1] FAILED  svc backup ", "Nov 29 22:10:33 esg1 web: [192.0.2.1] PAGE /x", "Nov 29 22:10:33 esg1 sshd[1]: x",
		"Nov 29 22:10:34 esg1 web: [here] OTHER bob", "Nov 29 22:10:34 esg1 web: bob is locked out of here",
		"Nov 29 22:10:34 esg1 web: something else", "Nov 29 22:10:34 esg1 web: ["+strings.Repeat("x", longestMatched)+"] LOGIN x", "no syslog")
	require.Equal(t, []try{
		{"anna", "203.0.113.9", event.Accepted}, {"svc backup", "192.0.2.1", event.Refused}, {"bob", "invalid IP", event.Unknown}, {"bob", "invalid IP", event.Unknown},
	}, triesOf(events))
	require.Equal(t, 3, unreadable, "what no pattern has is counted: a pattern may be wrong")
	require.Equal(t, map[event.Note]int{event.NoAddress: 2, event.NotMapped: 2}, notes)
	require.Equal(t, "2026-11-29T21:10:32Z esg1", events[0].At.UTC().Format(time.RFC3339)+" "+events[0].Server)
	for _, e := range events {
		require.Equal(t, []event.Doubt{event.OfDevice}, e.Doubts)
	}
	require.Equal(t, []event.Limit{event.ByDevice}, f.CannotShow)
}

func TestATextWithATimeOfItsOwnIsAWholeLine(t *testing.T) {
	f := webLog(Mapping{Layout: "2006/01/02 15:04:05", Patterns: []string{`(?P<time>[0-9/]+ [0-9:]+) (?P<server>\w+) (?P<method>\w+) (?P<outcome>LOGIN|FAILED) (?P<account>\S+)(?: from (?P<address>\S+))?`}}).Format()
	line := "2026/11/29 22:10:32 vpn1 totp LOGIN anna from 203.0.113.9"
	_, ok := Recognise([]byte(line), f)
	require.True(t, ok)
	_, ok = Recognise([]byte("2026/13/29 22:10:32 vpn1 totp LOGIN anna from 203.0.113.9"), f)
	require.False(t, ok, "that is no time")
	events, notes, unreadable := readMapped(t, f, Options{Zone: time.UTC}, line, "2026/11/29 22:10:33 vpn1 totp FAILED bob", "", "2026/13/29 22:10:32 vpn1 totp LOGIN anna", "x")
	require.Equal(t, []try{{"anna", "203.0.113.9", event.Accepted}, {"bob", "invalid IP", event.Refused}}, triesOf(events))
	require.Equal(t, "2026-11-29T22:10:32Z vpn1 totp", events[0].At.Format(time.RFC3339)+" "+events[0].Server+" "+events[0].Method)
	require.Empty(t, events[0].Doubts)
	require.Equal(t, 1, notes[event.NoAddress])
	require.Equal(t, 2, unreadable)
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"Nov 29 22:10:32 h web[1]: [203.0.113.9] LOGIN a", "2026-11-29T22:10:32Z h web: x is locked out of here", "2026-11-29T22:10:32Z h sshd: x", "[", "\x00"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	head := webLog(Mapping{Program: "web", Ignore: []string{".*PAGE.*"}}).Format()
	whole := webLog(Mapping{Layout: RFC3339, Patterns: []string{`(?P<time>\S+) (?P<account>.*) (?P<outcome>LOGIN|FAILED)(?P<address>.*)`}}).Format()
	f.Fuzz(func(t *testing.T, text []byte, timed bool) {
		if timed {
			through(t, whole, text)
		} else {
			through(t, head, text)
		}
	})
}
