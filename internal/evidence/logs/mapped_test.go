package logs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

func mapping(m Mapping) Format {
	m.Name, m.Account, m.Address, m.Outcome, m.Accepted, m.Refused, m.Locked = "own", "who", "from", "how", []string{"ok"}, []string{"no"}, []string{"locked"}
	if m.Form == "" {
		m.Form = event.Login
	}
	return m.Format()
}

func readMapped(t *testing.T, f Format, o Options, lines ...string) (out []event.Event, notes map[event.Note]int, unreadable int) {
	notes = map[event.Note]int{}
	o.Event, o.Note = func(e event.Event) { out = append(out, e) }, func(n event.Note, _ event.Place, _ string) { notes[n]++ }
	p := f.New(o)
	for i, line := range lines {
		v, _, err := p.Line([]byte(line), event.Place{File: "f", Line: i + 1})
		require.NoError(t, err)
		if v == Unreadable {
			unreadable++
		}
	}
	p.Close()
	return out, notes, unreadable
}

func TestALogOfOnesOwnIsReadByItsMapping(t *testing.T) {
	f := mapping(Mapping{Type: JSONL, Time: "at.t", Layout: UnixMS, Only: map[string][]string{"kind": {"login"}}})
	_, ok := Recognise([]byte(`{"who":"svc","at":{"t":1767265200123},"how":"ok"}`), f)
	require.True(t, ok)
	events, notes, unreadable := readMapped(t, f, Options{},
		`{"who":"svc","from":"192.0.2.1","at":{"t":1767265200123},"how":"ok","kind":"login"}`,
		`{"who":"svc","from":"192.0.2.1","at":{"t":1767265200123},"how":"ok","kind":"logout"}`,
		`{"who":"svc","from":"here","at":{"t":1767265200123},"how":"locked","kind":"login"}`,
		`{"who":"svc","from":"192.0.2.1","at":{"t":1767265200123},"how":"perhaps","kind":"login"}`,
		`{"who":{"x":1},"at":{"t":1767265200123},"how":"no","kind":"login"}`, `{"who":"svc","at":"never"}`, `nonsense`)
	require.Equal(t, []try{{"svc", "192.0.2.1", event.Accepted}, {"svc", "invalid IP", event.Locked}, {"svc", "192.0.2.1", event.Unknown}, {"", "invalid IP", event.Refused}}, triesOf(events))
	require.Equal(t, "2026-01-01T11:00:00.123Z", events[0].At.Format(time.RFC3339Nano))
	require.Equal(t, map[event.Note]int{event.NoAddress: 2, event.NotMapped: 1, event.NamesNobody: 1}, notes)
	require.Equal(t, 2, unreadable)
}

func TestACSVOfOnesOwnIsReadByItsHead(t *testing.T) {
	f := mapping(Mapping{Type: CSV, Separator: ';', Time: "when", Layout: "02.01.2006 15:04:05", Server: "host", Form: event.DN})
	_, ok := Recognise([]byte(`how;who;when;from;host;more`), f)
	require.True(t, ok)
	_, ok = Recognise([]byte(`how;who;when;from;more`), f)
	require.False(t, ok, "a column that is mapped is missing")
	events, notes, unreadable := readMapped(t, f, Options{Zone: time.FixedZone("", 3600)}, `how;who;when;from;host;more`,
		`no;"uid=svc,dc=x";01.02.2026 12:00:00;192.0.2.1;h1;"one;column"`, `no;x;01.02.2026 12:00:00;192.0.2.1;h1;"two`, `lines"`, `ok;x;31.02.2026 12:00:00;192.0.2.1;h1;`, `ok;"x`)
	require.Equal(t, []try{{"uid=svc,dc=x", "192.0.2.1", event.Refused}}, triesOf(events))
	require.Equal(t, "2026-02-01T11:00:00Z h1", events[0].At.UTC().Format(time.RFC3339)+" "+events[0].Server)
	require.Equal(t, 2, events[0].Line)
	require.Equal(t, 4, unreadable, "a record ends with its line")
	require.Empty(t, notes)
}

// Who logs in types the name, and loggers of one's own quote nothing.
func TestAQuoteInANameHidesNoLogins(t *testing.T) {
	f := mapping(Mapping{Type: CSV, Separator: ',', Time: "when", Layout: RFC3339})
	const at = "2026-01-01T11:00:00Z,"
	events, notes, unreadable := readMapped(t, f, Options{}, "when,who,how,from",
		at+`"a,no,192.0.2.66`, at+"svc,ok,192.0.2.66", at+"svc,ok,192.0.2.67", at+`b",no,192.0.2.66`, at+`c"d,no,192.0.2.66`, at+"svc,ok,192.0.2.68", at+`"e"x,no,192.0.2.66`,
		at+`"sv""c",ok,192.0.2.69`, at+"x,ok,10.0.0.5,no,192.0.2.66", at+`"x,no",192.0.2.66`)
	require.Equal(t, []try{{"svc", "192.0.2.66", event.Accepted}, {"svc", "192.0.2.67", event.Accepted}, {"svc", "192.0.2.68", event.Accepted}, {`sv"c`, "192.0.2.69", event.Accepted}}, triesOf(events))
	require.Equal(t, 6, unreadable, "each line that was not understood is counted")
	require.Empty(t, notes)
}

func FuzzMapped(f *testing.F) {
	f.Add(true, []byte(`{"who":"svc","from":"192.0.2.1","at":{"t":1767265200123},"how":"ok"}`))
	f.Add(false, []byte("how;who;when;from\nno;\"a\nb\";01.02.2026 12:00:00;192.0.2.1\n"))
	f.Fuzz(func(t *testing.T, json bool, text []byte) {
		m := Mapping{Type: CSV, Separator: ';', Time: "when", Layout: "02.01.2006 15:04:05"}
		if json {
			m = Mapping{Type: JSONL, Time: "at.t", Layout: UnixMS}
		}
		through(t, mapping(m), text)
	})
}
