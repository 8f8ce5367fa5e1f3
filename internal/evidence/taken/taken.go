// Package taken is what a campaign takes from the JSON of `rollcall evidence`:
// who logged in from the device, as nouns, and the reading of such a file. It
// does no I/O and judges nothing.
package taken

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
	"rollcall/internal/plural"
)

// Layout is the number of the form that a Head and what stands beside it have.
// A reader refuses others.
const Layout = 2

// Head says what a result is and of what it is, for whoever reads it later.
type Head struct {
	Layout    int       `json:"layout"`
	Device    string    `json:"device"`
	Campaign  string    `json:"campaign,omitempty"` // whose roll it was held against; empty: one that was listed afresh
	Addresses []string  `json:"addresses"`          // where the device was looked for
	ReadAt    time.Time `json:"read_at"`
}

// Account is an account as one log writes it, that logged in from the
// device, on the roll or not. It holds no secret and no line of a log.
type Account struct {
	Authority  string        `json:"authority,omitempty"` // of the log; empty where nobody said it
	Form       event.Form    `json:"form"`
	Account    string        `json:"account"`
	Masked     bool          `json:"masked,omitempty"` // it may be what somebody typed for a name
	Credential string        `json:"credential,omitempty"`
	Outcome    event.Outcome `json:"outcome"`
	Grade      string        `json:"grade"`
	Rule       string        `json:"rule"`
	Doubts     []event.Doubt `json:"doubts,omitempty"`
	Address    string        `json:"address"`
	Count      int           `json:"count"`
	First      time.Time     `json:"first"`
	Last       time.Time     `json:"last"`
	Client     string        `json:"client,omitempty"` // the device's name, where the log has no address
	At         event.Place   `json:"at"`               // of the first line that was kept
	// NameOnly: its address is another one than the device's, by whose name who
	// logged in called himself.
	NameOnly bool `json:"name_only,omitempty"`
	// More spellings of the account were met than are kept apart.
	More bool `json:"more_spellings,omitempty"`
}

// Span is a time in which the device was in foreign hands, as a result has it.
// To is zero while it lasts.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// File is what a campaign takes from the JSON of a result.
type File struct {
	Head
	Windows  []Span
	Accounts []Account

	digest   string // SHA-256 of the JSON
	logs     []Log
	places   map[string]int // of logs, by the name with which findings have them
	signs    signs
	coverage []credential.LogCoverage
	notKept  int
}

// Mistake is what is wrong with such a file, and the line of it; 0 where it is
// of the file as a whole. Its text holds nothing of the file but names of keys.
type Mistake struct {
	Line int
	Text string
}

func (m *Mistake) Error() string { return m.Text }

const runAgain = "run `rollcall evidence … -o json` again"

// Read reads the JSON of a result. Whoever may write the file may have
// written anything: what is not as evidence writes it is a *Mistake, and then
// nothing of it is taken.
func Read(text []byte) (*File, error) {
	r := &reader{text: text, dec: json.NewDecoder(bytes.NewReader(text)), had: map[string]bool{}}
	r.out.places, r.out.signs = map[string]int{}, signs{of: map[signKey]int{}, addresses: map[signAddress]bool{}, elsewhere: map[countKey]int{}, codes: map[string]int{}, ofOne: map[string]int{}}
	if err := r.syntax(); err != nil {
		return nil, err
	}
	var already *Mistake
	if err := r.read(); errors.As(err, &already) {
		return nil, err
	} else if err != nil {
		return nil, r.wrong("is not as evidence writes it, in a number, a time or a text; %s", runAgain)
	}
	sum := sha256.Sum256(text)
	r.out.digest = hex.EncodeToString(sum[:])
	return &r.out, nil
}

type reader struct {
	text []byte
	dec  *json.Decoder
	had  map[string]bool
	out  File
}

func (r *reader) line(offset int64) int {
	return 1 + bytes.Count(r.text[:min(max(offset, 0), int64(len(r.text)))], []byte("\n"))
}

func (r *reader) wrong(format string, args ...any) error {
	return &Mistake{r.line(r.dec.InputOffset()), fmt.Sprintf(format, args...)}
}

// syntax is what keeps the text from being one JSON value, with its very line.
func (r *reader) syntax() error {
	var whole json.RawMessage
	err := json.Unmarshal(r.text, &whole)
	var syntax *json.SyntaxError
	end := int64(len(bytes.TrimRight(r.text, " \t\r\n")))
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &syntax):
		return err
	case strings.Contains(syntax.Error(), "after top-level value"):
		return &Mistake{r.line(syntax.Offset), "has something behind its end, as two results in one file have; " + runAgain}
	case syntax.Offset >= end:
		return &Mistake{r.line(end), "ends in the middle: it was cut off, or is still being written; " + runAgain}
	}
	return &Mistake{r.line(syntax.Offset), "is not JSON from here on; " + runAgain}
}

func (r *reader) read() error {
	first, err := r.dec.Token()
	if err != nil {
		return err
	}
	if first != json.Delim('{') {
		return r.wrong("is not what evidence writes, which is one JSON object; %s", runAgain)
	}
	for r.dec.More() {
		token, err := r.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if r.had[key] {
			return r.wrong("has the key %q twice; %s", shortKey(key), runAgain)
		}
		r.had[key] = true
		if err := r.value(key); err != nil {
			return err
		}
	}
	if _, err := r.dec.Token(); err != nil { // the closing brace
		return err
	}
	if !r.had["evidence"] {
		return &Mistake{0, "is JSON of another command, or of a Rollcall that did not write what a source reads; " + runAgain}
	}
	for _, key := range []string{"windows", "logs", "findings", "from_device", "coverage", "no_log_of"} {
		if !r.had[key] {
			return &Mistake{0, fmt.Sprintf("has no %q; %s", key, runAgain)}
		}
	}
	return nil
}

func (r *reader) value(key string) error {
	switch key {
	case "evidence":
		at := r.line(r.dec.InputOffset())
		if err := r.dec.Decode(&r.out.Head); err != nil {
			return err
		}
		switch is := r.out.Layout; {
		case is > Layout:
			return &Mistake{at, fmt.Sprintf("is of a newer Rollcall (layout %d, and this one reads %d): list with that one, or %s with this one", is, Layout, runAgain)}
		case is < Layout:
			return &Mistake{at, fmt.Sprintf("is of an older Rollcall (layout %d, and this one reads %d): %s", is, Layout, runAgain)}
		}
		if h := r.out.Head; !fits(h.ReadAt, h.ReadAt) || len(h.Campaign) > LongestName {
			return &Mistake{at, "does not say when the logs were read, or against whose roll; " + runAgain}
		}
		return nil
	case "windows":
		return r.dec.Decode(&r.out.Windows)
	case "from_device":
		return list(r, key, func(f Account) string {
			r.out.Accounts = append(r.out.Accounts, f)
			return f.wrong()
		})
	case "logs":
		return list(r, key, r.out.addLog)
	case "findings":
		if !r.had["logs"] {
			return r.wrong("has findings before the logs in which they are; %s", runAgain)
		}
		return list(r, key, r.out.addFinding)
	case "coverage":
		return list(r, key, r.out.addCoverage)
	case "no_log_of":
		return list(r, key, r.out.addMissing)
	case "not_kept_apart":
		return r.dec.Decode(&r.out.notKept)
	}
	var skipped json.RawMessage
	return r.dec.Decode(&skipped)
}

// list reads one, item by item. take says what is wrong with an item, or "".
func list[T any](r *reader, key string, take func(T) string) error {
	first, err := r.dec.Token()
	if err != nil {
		return err
	}
	if first != json.Delim('[') {
		return r.wrong("%s is no list; %s", key, runAgain)
	}
	for n := 0; r.dec.More(); n++ {
		var item T
		if err := r.dec.Decode(&item); err != nil {
			return err
		}
		if what := take(item); what != "" {
			return r.wrong("%s[%d], which ends here, %s; %s", key, n, what, runAgain)
		}
	}
	_, err = r.dec.Token()
	return err
}

var (
	forms = []event.Form{event.DN, event.VaultLogin, event.Login, event.Other, event.Foreign}
	// Grades, the surest first: those of a finding.
	grades   = []string{"confirmed", "probable", "possible"}
	outcomes = []event.Outcome{event.Accepted, event.Refused, event.Locked, event.Unknown, event.Barred, event.Denied, event.ValueRight}
)

// wrong says why an entry is not as evidence writes it, or "".
func (f Account) wrong() string {
	at, err := netip.ParseAddr(f.Address)
	switch {
	case f.Account == "" || len(f.Account) > longest:
		return "has no account, or one that is too long"
	case !slices.Contains(forms, f.Form):
		return "has a form that no account has"
	case !slices.Contains(grades, f.Grade) || !slices.Contains(outcomes, f.Outcome):
		return "has a grade, or an outcome, that none has"
	case !plain(f.Rule) || slices.ContainsFunc(f.Doubts, func(d event.Doubt) bool { return !plain(string(d)) }):
		return "has a rule, or a doubt, that is no word"
	case (err != nil || at.Zone() != "") && (f.Address != "" || f.Client == "" || len(f.Client) > LongestName):
		return "has no address"
	case f.First.IsZero() || f.Last.Before(f.First) || f.Count < 1:
		return "has no times, or ends before it begins"
	case f.At.File == "" || f.At.Line < 1 || !utf8.ValidString(f.At.File):
		return "has no file and line of a log"
	}
	return ""
}

// plain is a word as codes, rules and reasons are.
func plain(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Unlike says in what the logs were not read for a campaign of these windows
// and addresses; "" where they were.
func (t *File) Unlike(windows []Span, addresses []netip.Prefix) string {
	same := func(a, b Span) bool { return a.From.Equal(b.From) && a.To.Equal(b.To) }
	byTime := func(w []Span) []Span {
		w = slices.Clone(w)
		slices.SortFunc(w, func(a, b Span) int { return a.From.Compare(b.From) })
		return w
	}
	if of, now := byTime(t.Windows), byTime(windows); !slices.EqualFunc(of, now, same) {
		return fmt.Sprintf("was made for another exposure (%s) than the campaign file has (%s): %s", spans(of), spans(now), runAgain)
	}
	looked := make([]netip.Prefix, 0, len(t.Addresses))
	for _, s := range t.Addresses {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return "has an address that is none; " + runAgain
		}
		looked = append(looked, p)
	}
	within := func(p netip.Prefix, all []netip.Prefix) bool {
		return slices.ContainsFunc(all, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) })
	}
	for _, p := range looked {
		if !within(p, addresses) {
			return fmt.Sprintf("was made with the device at %s, which is none of its addresses in the campaign file: if the device is seen there (behind a balancer, or another name), say so at this source (addresses: [%s]), else %s", shown(p), shown(p), runAgain)
		}
	}
	for _, p := range addresses {
		if !within(p, looked) {
			return fmt.Sprintf("was made without the device's address %s: what logged in from there is not in it; %s", shown(p), runAgain)
		}
	}
	return ""
}

func shown(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func spans(all []Span) string {
	const form = "2006-01-02T15:04:05Z07:00"
	if len(all) == 0 {
		return "none"
	}
	out := make([]string, 0, len(all))
	for _, w := range all[:min(len(all), 3)] {
		to := "now"
		if !w.To.IsZero() {
			to = w.To.UTC().Format(form)
		}
		out = append(out, w.From.UTC().Format(form)+" to "+to)
	}
	if more := len(all) - 3; more > 0 {
		out = append(out, plural.Count(more, "more", "more"))
	}
	return strings.Join(out, ", ")
}

// longest is an account that a result has: what is longer was cut.
const longest = 512 + len("…")

func shortKey(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// Rank is how far an entry bears: by its grade, and then by how it ended.
func (f Account) Rank() int {
	n := 3 * slices.Index(grades, f.Grade)
	switch f.Outcome {
	case event.Accepted, event.ValueRight:
		return n
	case event.Unknown, event.Barred:
		return n + 1
	}
	return n + 2
}

// Parts are the accounts of a result as a campaign takes them.
type Parts struct {
	// Accounts were let in from the device, or how that ended is not in the
	// logs: those that bear furthest first.
	Accounts []Account
	Rest     Rest
}

// Rest are those that are not taken up.
type Rest struct {
	Tried  int      `json:"tried,omitempty"`  // refused each time: the device had no good value of them
	Names  []string `json:"names,omitempty"`  // the first few of these
	Masked int      `json:"masked,omitempty"` // how it ended is not known, and the name may be a value
	More   int      `json:"more,omitempty"`   // beyond Most
	// NameOnly: from another address, by who called himself as the device does.
	NameOnly int `json:"name_only,omitempty"`
	Spelt    int `json:"spelt,omitempty"` // of which more spellings were met than are kept apart
}

// Most accounts are taken up from one file: whoever can write a log can
// write any number of them.
const Most = 10_000

// mostNamed of what is not taken up are named.
const mostNamed = 5

// Parts tells what is taken up from what is not. What was refused shows that
// the device had no good value of the account; of all else a person decides.
func (t *File) Parts() (p Parts) {
	all := slices.Clone(t.Accounts)
	slices.SortStableFunc(all, func(a, b Account) int { return a.Rank() - b.Rank() })
	for _, f := range all {
		switch {
		case f.Outcome.Bad():
			if p.Rest.Tried++; len(p.Rest.Names) < mostNamed {
				p.Rest.Names = append(p.Rest.Names, f.Account)
			}
		case f.NameOnly:
			p.Rest.NameOnly++
		case f.Masked:
			p.Rest.Masked++
		case len(p.Accounts) >= Most:
			p.Rest.More++
		default:
			p.Accounts = append(p.Accounts, f)
		}
		if f.More {
			p.Rest.Spelt++
		}
	}
	return p
}
