package ledger

import (
	"bytes"
	"os"
	"time"
	"unicode/utf8"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// lineReader reads entries that stand in the very form in which encode writes
// them, without reflection: it costs a fifth of encoding/json, and what it
// takes need not be encoded again to be compared. It takes what nearly all
// entries of a large campaign are made of, and gives up everything else: a key
// that it does not know or that is out of order, a text with an escape, an
// empty value that encode would leave out. Not safe for concurrent use.
type lineReader struct {
	whole, rest []byte
	bad         bool

	// keeps: texts are parts of one copy of the line, which is quicker than a
	// copy of each, and keeps all of it for as long as one of them is kept.
	keeps bool
	copy  string

	words map[string]string // texts that come again and again, once each

	stamp []byte // the text of the latest time
	at    time.Time

	file bytes.Buffer // the one that is read
}

// mostWords bounds what a lineReader remembers.
const mostWords = 1 << 12

func newLineReader() *lineReader { return &lineReader{words: map[string]string{}} }

// open is os.ReadFile, but what it gives is there until the next is opened.
func (r *lineReader) open(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r.file.Reset()
	_, err = r.file.ReadFrom(f)
	return r.file.Bytes(), err
}

// read is ParseEntry, and says that the line is canonical; ok is false where it
// gives up, which says nothing about the line.
func (r *lineReader) read(line []byte, e *Entry) (ok bool) {
	*e = Entry{}
	r.whole, r.rest, r.bad = line, line, false
	if r.keeps {
		r.copy = string(line)
	}
	r.must(`{"id":`)
	e.ID = r.text()
	r.must(`,"at":`)
	e.At = r.moment()
	r.must(`,"campaign":`)
	e.Campaign = r.word()
	r.must(`,"event":`)
	e.Event = Event(r.word())
	if e.Event == Listed {
		r.listed(e)
	} else {
		r.told(e)
	}
	r.must(`}`)
	return !r.bad && len(r.rest) == 0 && e.ID != "" && e.Campaign != "" && e.Event != ""
}

// listed reads what is said of a credential as it is listed.
func (r *lineReader) listed(e *Entry) {
	r.subject(e)
	if r.has(`,"kind":`) {
		e.Kind = credential.Kind(r.some(r.word()))
	}
	if r.has(`,"authority":`) {
		e.Authority = r.some(r.word())
	}
	if r.has(`,"wave":`) {
		e.Wave = r.positive()
	}
	if r.has(`,"paths":`) {
		e.Paths = list(r, r.path)
	}
	if r.has(`,"reasons":`) {
		e.Reasons = list(r, r.reason)
	}
	if r.has(`,"used_by":`) {
		e.UsedBy = list(r, r.word)
	}
	if r.has(`,"logins":`) {
		e.Logins = list(r, r.text)
	}
	if r.has(`,"vault_logins":`) {
		e.VaultLogins = list(r, r.text)
	}
	if r.has(`,"dead_before":`) {
		e.DeadBefore = r.deadBefore()
	}
	if r.has(`,"lines":`) {
		e.Lines = list(r, r.line)
	}
	if r.has(`,"doors":`) {
		e.Doors = list(r, r.word)
	}
	if r.has(`,"owner":`) {
		e.Owner = r.some(r.word())
	}
	if r.has(`,"due":`) {
		e.Due = r.moment()
	}
}

// told reads what is said of a listed credential later.
func (r *lineReader) told(e *Entry) {
	r.subject(e)
	if r.has(`,"at_doors":`) {
		e.AtDoors = list(r, r.door)
	}
	if r.has(`,"attempt":`) {
		e.Attempt = r.positive()
	}
	if r.has(`,"from":`) {
		e.From = mapping(r, r.number)
	}
	if r.has(`,"to":`) {
		e.To = mapping(r, r.number)
	}
	if r.has(`,"written":`) {
		e.Written = mapping(r, r.moment)
	}
	if r.has(`,"finding":`) {
		e.Finding = credential.FindingCode(r.some(r.word()))
	}
	if r.has(`,"step":`) {
		e.Step = protocol.Step(r.some(r.word()))
	}
	if r.has(`,"reason":`) {
		e.Reason = protocol.Reason(r.some(r.word()))
	}
	if r.has(`,"server":`) {
		e.Server = r.some(r.word())
	}
	if r.has(`,"until":`) {
		e.Until = r.moment()
	}
	if r.has(`,"left_out":`) {
		e.LeftOut = list(r, r.word)
	}
	if r.has(`,"doors_left_out":`) {
		e.DoorsLeftOut = list(r, r.word)
	}
	if r.has(`,"proof":`) {
		e.Proof = protocol.Proof(r.some(r.word()))
	}
	if r.has(`,"evidence":`) {
		e.Evidence = list(r, r.evidence)
	}
	if r.has(`,"set_at":`) {
		e.SetAt = r.moment()
	}
	if r.has(`,"detail":`) {
		e.Detail = r.some(r.word())
	}
}

func (r *lineReader) subject(e *Entry) {
	if r.has(`,"credential":`) {
		e.Credential = r.some(r.text())
	}
	if r.has(`,"name":`) {
		e.Name = r.some(r.text())
	}
}

func (r *lineReader) path() (p credential.Path) {
	r.must(`{"mount":`)
	p.Mount = r.word()
	r.must(`,"path":`)
	p.Path = r.text()
	r.must(`,"field":`)
	p.Field = r.word()
	r.must(`}`)
	return p
}

func (r *lineReader) reason() (x credential.Reason) {
	r.must(`{"source":`)
	x.Source = r.word()
	r.must(`,"type":`)
	x.Type = r.word()
	r.must(`,"detail":`)
	x.Detail = r.text()
	if r.has(`,"owner":`) {
		x.Owner = r.some(r.word())
	}
	if r.has(`,"due":`) {
		x.Due = r.some(r.word())
	}
	r.must(`}`)
	return x
}

func (r *lineReader) deadBefore() *credential.DeadBefore {
	var b credential.DeadBefore
	r.must(`{"campaign":`)
	b.Campaign = r.word()
	r.must(`,"at":`)
	b.At = r.moment()
	r.must(`}`)
	return &b
}

func (r *lineReader) line() (l credential.LineRef) {
	r.must(`{"line":`)
	l.Line = r.word()
	r.must(`,"by":`)
	l.By = credential.LineBy(r.word())
	r.must(`}`)
	return l
}

func (r *lineReader) evidence() (ev protocol.Evidence) {
	r.must(`{"server":`)
	ev.Server = r.word()
	r.must(`,"at":`)
	ev.At = r.text()
	if r.has(`,"old":`) {
		ev.Old = protocol.Reply(r.some(r.word()))
	}
	r.must(`,"new":`)
	ev.New = protocol.Reply(r.word())
	if r.has(`,"changed":`) {
		ev.Changed = r.some(r.text())
	}
	ev.OnlyOne = r.has(`,"only_one":true`)
	r.must(`}`)
	return ev
}

func (r *lineReader) door() (ev protocol.DoorEvidence) {
	r.must(`{"door":`)
	ev.Door = r.word()
	r.must(`,"at":`)
	ev.At = r.text()
	r.must(`,"first":`)
	ev.First = protocol.Reply(r.word())
	if r.has(`,"old":`) {
		ev.Old = protocol.Reply(r.some(r.word()))
	}
	r.must(`,"new":`)
	ev.New = protocol.Reply(r.word())
	r.must(`}`)
	return ev
}

// has takes a text away if it is what comes next.
func (r *lineReader) has(next string) bool {
	if len(r.rest) < len(next) || string(r.rest[:len(next)]) != next {
		return false
	}
	r.rest = r.rest[len(next):]
	return true
}

func (r *lineReader) must(next string) {
	if !r.has(next) {
		r.bad = true
	}
}

// some is a value that encode leaves out where it is empty.
func (r *lineReader) some(text string) string {
	if text == "" {
		r.bad = true
	}
	return text
}

func (r *lineReader) text() string {
	start := len(r.whole) - len(r.rest) + 1 // behind the quote
	raw := r.raw()
	if r.keeps && !r.bad {
		return r.copy[start : start+len(raw)]
	}
	return string(raw)
}

func (r *lineReader) word() string {
	raw := r.raw()
	if known, ok := r.words[string(raw)]; ok {
		return known
	}
	text := string(raw)
	if len(r.words) < mostWords {
		r.words[text] = text
	}
	return text
}

// raw is a text that encode writes as it is.
func (r *lineReader) raw() []byte {
	if len(r.rest) == 0 || r.rest[0] != '"' {
		r.bad = true
		return nil
	}
	ascii := true
	for i, c := range r.rest[1:] {
		switch {
		case c == '"':
			out := r.rest[1 : i+1]
			r.rest = r.rest[i+2:]
			if !ascii && !asItIs(out) {
				r.bad = true
			}
			return out
		case c < ' ' || c == '\\':
			r.bad = true
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	r.bad = true
	return nil
}

// asItIs: encoding/json escapes two characters beyond ASCII, which JavaScript
// once took for the end of a line, and replaces what is no UTF-8.
func asItIs(text []byte) bool {
	return utf8.Valid(text) && !bytes.Contains(text, []byte("\u2028")) && !bytes.Contains(text, []byte("\u2029"))
}

// number is one without a sign.
func (r *lineReader) number() (n int) {
	i := 0
	for ; i < len(r.rest) && r.rest[i] >= '0' && r.rest[i] <= '9'; i++ {
		n = 10*n + int(r.rest[i]-'0')
		if i == 9 {
			r.bad = true
			return 0
		}
	}
	if i == 0 || i > 1 && r.rest[0] == '0' {
		r.bad = true
	}
	r.rest = r.rest[i:]
	return n
}

func (r *lineReader) positive() int {
	n := r.number()
	if n == 0 {
		r.bad = true
	}
	return n
}

// moment is a time in UTC, as time.Time writes itself: RFC 3339 with as many
// digits of a second as it has.
func (r *lineReader) moment() time.Time {
	raw := r.raw()
	if r.bad {
		return time.Time{}
	}
	if bytes.Equal(raw, r.stamp) && !r.at.IsZero() {
		return r.at
	}
	const whole, finest = len("2006-01-02T15:04:05Z"), len("2006-01-02T15:04:05.000000000Z")
	n := len(raw)
	if n < whole || n > finest || raw[n-1] != 'Z' || n > whole && (raw[whole-1] != '.' || raw[n-2] == '0' || raw[n-2] == '.') {
		r.bad = true
		return time.Time{}
	}
	var at time.Time
	if err := at.UnmarshalText(raw); err != nil || at.IsZero() {
		r.bad = true
		return time.Time{}
	}
	r.stamp, r.at = append(r.stamp[:0], raw...), at
	return at
}

// list is one that is not empty.
func list[T any](r *lineReader, item func() T) (out []T) {
	r.must(`[`)
	for !r.bad {
		out = append(out, item())
		if !r.has(`,`) {
			break
		}
	}
	r.must(`]`)
	return out
}

// mapping is one that is not empty, with its keys in order.
func mapping[T any](r *lineReader, value func() T) map[string]T {
	out := map[string]T{}
	last := ""
	r.must(`{`)
	for !r.bad {
		key := r.text()
		if len(out) > 0 && key <= last {
			r.bad = true
		}
		r.must(`:`)
		out[key], last = value(), key
		if !r.has(`,`) {
			break
		}
	}
	r.must(`}`)
	return out
}
