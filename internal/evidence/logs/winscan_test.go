package logs

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// xmlEvent is an event as encoding/xml reads it.
type xmlEvent struct {
	XMLName xml.Name
	System  []struct {
		Provider []struct {
			Name []attribute `xml:",any,attr"`
		}
		EventID     []leaf
		TimeCreated []struct {
			Name []attribute `xml:",any,attr"`
		}
		Computer []leaf
		Keywords []leaf
	}
	EventData []struct {
		Data []struct {
			Name  []attribute `xml:",any,attr"`
			Value string      `xml:",chardata"`
		}
	}
}

type leaf struct {
	Value string `xml:",chardata"`
}

type attribute = xml.Attr

func named(all []attribute, name string) (value string, ok bool) {
	for _, a := range all {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}

// flat is what is read of an event, as text.
func (e *xmlEvent) flat() string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, s := range e.System {
		for _, x := range s.Provider {
			if v, _ := named(x.Name, "Name"); v != "" {
				say("provider %q", v)
			}
		}
		for _, x := range s.EventID {
			say("id %q", x.Value)
		}
		for _, x := range s.TimeCreated {
			v, _ := named(x.Name, "SystemTime")
			say("created %q", v)
		}
		for _, x := range s.Computer {
			if x.Value != "" {
				say("computer %q", x.Value)
			}
		}
		for _, x := range s.Keywords {
			if x.Value != "" {
				say("keywords %q", x.Value)
			}
		}
	}
	for _, d := range e.EventData {
		for _, x := range d.Data {
			name, ok := named(x.Name, "Name")
			say("%q %v %q", name, ok, x.Value)
		}
	}
	return strings.Join(out, "\n")
}

func (ev *winEvent) flat() string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if len(ev.provider) > 0 {
		say("provider %q", ev.provider)
	}
	say("id %q", ev.id)
	say("created %q", ev.created)
	if len(ev.computer) > 0 {
		say("computer %q", ev.computer)
	}
	if len(ev.keywords) > 0 {
		say("keywords %q", ev.keywords)
	}
	for _, d := range ev.data {
		say("%q %v %q", d.name, d.name != nil, d.value)
	}
	return strings.Join(out, "\n")
}

var numbered = regexp.MustCompile(`&#(x?)([0-9a-fA-F]+);`)

// allowed reports whether XML has all the characters of a text, those that are
// written by their numbers too. Others the scanner reads as they are.
func allowed(text []byte) bool {
	has := func(r rune) bool {
		return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
	}
	for _, m := range numbered.FindAllSubmatch(text, -1) {
		base := 10
		if len(m[1]) > 0 {
			base = 16
		}
		n, err := strconv.ParseUint(string(m[2]), base, 32)
		if err == nil && !has(rune(n)) {
			return false
		}
	}
	return utf8.Valid(text) && bytes.IndexFunc(text, func(r rune) bool { return !has(r) }) < 0
}

// sameEvent fails where the scanner takes an event of which encoding/xml would
// read something else, or nothing.
func sameEvent(t require.TestingT, text []byte) (taken bool) {
	var ev winEvent
	if !scanWin(text, &ev) {
		return false
	}
	if !allowed(text) {
		return true
	}
	in := xml.NewDecoder(bytes.NewReader(text))
	var whole xmlEvent
	require.NoError(t, in.Decode(&whole), "%q", text)
	require.Equal(t, "Event", whole.XMLName.Local)
	require.Equal(t, whole.flat(), ev.flat(), "%q", text)
	for {
		behind, err := in.Token()
		if err == io.EOF {
			return true
		}
		require.NoError(t, err)
		rest, isText := behind.(xml.CharData)
		require.True(t, isText && len(bytes.TrimSpace(rest)) == 0, "behind the event stands %#v", behind)
	}
}

func FuzzWinScannerAndEncodingXML(f *testing.F) {
	for i, c := range winCases() {
		f.Add([]byte(c.asXML(i)))
		f.Add([]byte(strings.ReplaceAll(c.asXML(i), "><", ">\r\n  <")))
	}
	for _, text := range winOdd() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameEvent(t, text) })
}

// winOdd are events that are written otherwise than Windows writes them.
func winOdd() []string {
	const system = `<System><Provider Name="P"/><EventID Qualifiers='1'>4624</EventID><TimeCreated SystemTime="t"/><Computer>c</Computer><Keywords/></System>`
	event := func(inner string) string { return "<Event xmlns='x'>" + system + inner + "</Event>" }
	return []string{
		event(`<EventData><Data Name='a'>1</Data><Data>2</Data><Data Name="b"/><Data Name='c' >&lt;&#x41;&#66;&quot;</Data ></EventData>`),
		event(`<EventData><Data Name='a&amp;b'>x` + "\r\n" + `y</Data><Binary>00</Binary></EventData><RenderingInfo Culture='en-US'><Message>a: b</Message><Keywords><Keyword>k</Keyword></Keywords></RenderingInfo>`),
		event(`<UserData><Thing xmlns:a='u' a:b="c>d"><EventData><Data Name='x'>y</Data></EventData></Thing></UserData>`),
		event(`<EventData Name='n'><ComplexData Name='a'>1</ComplexData></EventData>`) + "\r\n ",
		event(`<EventData/>`), event(``),
		event("<EventData><Data Name='a'>\x01\xff&#2;</Data></EventData>"),
	}
}

func TestAnEventThatIsWrittenOtherwiseIsReadAsEncodingXMLReadsIt(t *testing.T) {
	for i, c := range winCases() {
		require.True(t, sameEvent(t, []byte(c.asXML(i))))
	}
	for _, text := range winOdd() {
		require.True(t, sameEvent(t, []byte(text)), text)
	}
}

func TestAnEventOfWhichSomethingIsNotKnownIsRefused(t *testing.T) {
	whole := winOdd()[0]
	for what, text := range map[string]string{
		"a comment":              strings.Replace(whole, "<EventData>", "<!-- x --><EventData>", 1),
		"a section":              strings.Replace(whole, ">1<", "><![CDATA[1]]><", 1),
		"an instruction":         strings.Replace(whole, "<EventData>", "<?x y?><EventData>", 1),
		"two numbers":            strings.Replace(whole, "</EventID>", "</EventID><EventID>4625</EventID>", 1),
		"two times":              strings.Replace(whole, "<Computer>", `<TimeCreated SystemTime="u"/><Computer>`, 1),
		"a time twice":           strings.Replace(whole, `SystemTime="t"`, `SystemTime="t" SystemTime="u"`, 1),
		"two blocks of data":     strings.Replace(whole, "</Event>", "<EventData></EventData></Event>", 1),
		"two systems":            strings.Replace(whole, "<EventData>", "<System></System><EventData>", 1),
		"no number":              strings.Replace(whole, `<EventID Qualifiers='1'>4624</EventID>`, "", 1),
		"an element in a datum":  strings.Replace(whole, ">1<", ">1<b/><", 1),
		"an end that is another": strings.Replace(whole, "</System>", "</EventData>", 1),
		"no end":                 strings.TrimSuffix(whole, "</Event>"),
		"two events":             whole + whole,
		"text behind it":         whole + "x",
		"an entity of its own":   strings.Replace(whole, ">1<", ">&x;<", 1),
		"a bare &":               strings.Replace(whole, ">1<", ">a & b<", 1),
		"no quotes":              strings.Replace(whole, "Name='a'", "Name=a", 1),
		"< in an attribute":      strings.Replace(whole, "Name='a'", "Name='<'", 1),
		"a prefix":               strings.Replace(strings.Replace(whole, "<Event ", "<a:Event ", 1), "</Event>", "</a:Event>", 1),
		"]]>":                    strings.Replace(whole, ">1<", ">]]><", 1),
		"too deep":               strings.Replace(whole, "<EventData>", strings.Repeat("<a>", 20)+strings.Repeat("</a>", 20)+"<EventData>", 1),
	} {
		require.NotEqual(t, whole, text, what)
		require.False(t, scanWin([]byte(text), &winEvent{}), what)
	}
}

// Whatever is typed as a name, and however an event is written.
func TestWhateverStandsInAnEventIsReadAsEncodingXMLReadsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blank := rapid.SampledFrom([]string{"", "", " ", "\r\n\t", "\n"})
		quote := rapid.SampledFrom([]string{"'", "'", `"`})
		text := rapid.Custom(func(t *rapid.T) string {
			var out bytes.Buffer
			_ = xml.EscapeText(&out, []byte(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "-", "</Data>", "a'b\"c", "]]>", "&lt;", "x\r\ny", "0x0"})).Draw(t, "text")))
			return out.String()
		})
		var data strings.Builder
		for range rapid.IntRange(0, 6).Draw(t, "data") {
			q := quote.Draw(t, "quote")
			fmt.Fprintf(&data, "%s<Data Name=%s%s%s%s>%s</Data%s>", blank.Draw(t, "blank"), q, text.Draw(t, "name"), q, blank.Draw(t, "blank"), text.Draw(t, "value"), blank.Draw(t, "blank"))
		}
		q := quote.Draw(t, "quote")
		event := fmt.Sprintf("<Event xmlns='x'>%s<System><Provider Name=%s%s%s/><EventID>%s</EventID><TimeCreated SystemTime='%s'/><Computer>%s</Computer>%s</System><EventData>%s%s</EventData></Event>",
			blank.Draw(t, "blank"), q, text.Draw(t, "provider"), q, text.Draw(t, "id"), text.Draw(t, "time"), text.Draw(t, "computer"), blank.Draw(t, "blank"), data.String(), blank.Draw(t, "blank"))
		require.True(t, sameEvent(t, []byte(event)), event)
		// One byte that is another, or is not there, changes nothing of that.
		at := rapid.IntRange(0, len(event)-1).Draw(t, "at")
		broken := event[:at] + rapid.SampledFrom([]string{"", "<", ">", "/", "'", "&", " ", "a"}).Draw(t, "byte") + event[at+1:]
		sameEvent(t, []byte(broken))
	})
}
