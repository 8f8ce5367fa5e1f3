package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// A pattern of what is known to be no login is of the whole line, also where
// its end is not looked at.
func TestAPatternThatEndsWithWhateverMayComeIsStillOfTheWholeLine(t *testing.T) {
	patterns := []string{`.*`, `a.*`, `a|b.*`, `(?:a|b).*`, `(a.*)`, `a(?s).*`, `a.+`, `a.*?`, `\[[^]]*\] (PAGE|CHANGE) .*`, `a$.*`, `a\b.*`, `a.*b.*`, `(?i)A.*`, `a\.*`, `a[.]*`, `a`, ``, `a.*|b.*`, `^a.*`, `a{2}.*`, `.*.*`}
	rapid.Check(t, func(t *rapid.T) {
		line := []byte(rapid.StringOfN(rapid.SampledFrom([]rune("abA. []PAGE\r\xff\u00e9")), 0, 12, -1).Draw(t, "line"))
		for _, p := range patterns {
			require.Equal(t, wholeLines([]string{p})[0].Match(line), startsOf([]string{p})[0].Match(line), "%q and %q", p, line)
		}
	})
	require.NotContains(t, startsOf([]string{`\[[^]]*\] PAGE .*`})[0].String(), `.*`)
	require.True(t, startsOf([]string{`a.*`})[0].Match([]byte("a\xff\xfe")), "what is no text may come too")
}

// A line says the same whether it was taken apart before its turn or in it.
func TestATextIsReadAheadAsInItsTurn(t *testing.T) {
	line := rapid.SampledFrom([]string{
		"2026-11-01T00:00:00Z h web: [192.0.2.1] LOGIN (a)", "2026-11-01T00:00:01Z h web: [192.0.2.1] FAILED_LOGIN (b)", "2026-11-01T00:00:01Z h web: [192.0.2.1] PAGE /x", "2026-11-01T00:00:02Z other web: wrong",
		"2026-11-01T00:00:02Z h sshd[7]: x", "2026-11-01T00:00:03Z h x: [192.0.2.2] LOGIN (c)", "no syslog", "", "Nov  1 00:00:00 h web: [192.0.2.1] LOGIN (a)", "2026-11-01 00:00:00 192.0.2.3 LOGIN d", "2026-11-01 00:00:00 192.0.2.3 PAGE",
	})
	timed := webLog(Mapping{Ignore: []string{`.* PAGE`}})
	timed.Patterns, timed.Layout = []string{`(?P<time>\S+ \S+) (?P<address>\S+) (?P<outcome>LOGIN|FAILED_LOGIN) (?P<account>.*)`}, time.DateTime
	for name, m := range map[string]Mapping{"of a program": webLog(Mapping{Program: "web", Ignore: []string{`.* PAGE .*`}}), "of any": webLog(Mapping{}), "with a time": timed} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				var inTurn, ahead []event.Event
				options := func(to *[]event.Event) Options {
					return Options{Zone: time.UTC, Event: func(e event.Event) { *to = append(*to, e) }, Note: func(event.Note, event.Place, string) {}}
				}
				f := MappedFormats(m)[0]
				one, other := f.New(options(&inTurn)), f.New(options(&ahead)).(Ahead)
				cuts := other.Cuts()
				all := rapid.SliceOfN(line, 1, 8).Draw(t, "lines")
				for _, l := range all {
					cuts.Add([]byte(l))
				}
				for i, l := range all {
					place := event.Place{File: "f", Line: i + 1}
					v, at, err := one.Line([]byte(l), place)
					v2, at2, err2 := other.Cut(cuts, i, []byte(l), place)
					require.Equal(t, fmt.Sprint(v, at, err, one.Server()), fmt.Sprint(v2, at2, err2, other.Server()), l)
				}
				require.Equal(t, inTurn, ahead)
			})
		})
	}
}
