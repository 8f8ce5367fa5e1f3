package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/credential"
)

// Schema is what the files of this build say they are written in.
const Schema = "rollcall.profile/1"

// Profile is what a type of device can hold. That the type can hold it never
// means that yours does: a person answers each line.
type Profile struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Reviewed string `json:"reviewed"` // date of the last look at the sources
	Advice   string `json:"advice,omitempty"`
	// Ports at which such a device answers by default.
	Ports   []int    `json:"ports,omitempty"`
	Sources []Source `json:"sources"`
	Lines   []Line   `json:"lines"` // in the order of their groups
	// Digest is the SHA-256 of the file, in hex.
	Digest string `json:"digest"`
	// Own: the campaign file names the file.
	Own bool `json:"own,omitempty"`
}

// Source is where something was read, by whom it is said, and when.
type Source struct {
	ID    string `json:"id"`
	URL   string `json:"url"`
	Grade Grade  `json:"grade"`
	Read  string `json:"read"` // date
	What  string `json:"what,omitempty"`
}

// Line is one thing that the device can hold.
type Line struct {
	ID   string              `json:"id"`
	Kind credential.LineKind `json:"kind"`
	What string              `json:"what"`
	// Exposed says how whoever had the device came by it.
	Exposed []Exposure `json:"exposed"`
	// Where it is configured on the device.
	Where []string `json:"where,omitempty"`
	// Authority decides whether it is valid.
	Authority Authority `json:"authority"`
	// Together are the ends that change with it.
	Together []string `json:"together,omitempty"`
	// Revoke is what lives on without the secret, and has to be ended besides.
	Revoke []string `json:"revoke,omitempty"`
	// Residue is what keeps the old secret, or honours it, after the change.
	Residue string `json:"residue,omitempty"`
	// Resets is 2 where a source says so.
	Resets int `json:"resets"`
	// Group orders the lines: what is in a lower one comes first.
	Group   int      `json:"group"`
	Grade   Grade    `json:"grade"`
	Sources []string `json:"sources"` // ids
	// Ask is what a person has to find out; never empty for what is not
	// verified.
	Ask string `json:"ask,omitempty"`
}

// Grade says how far to trust a source or a line.
type Grade string

// Grades, from the best to the least.
const (
	Vendor     Grade = "V" // the vendor's or authority's own text was read
	PublicCode Grade = "P" // read in public source code
	Secondary  Grade = "S" // a copy or a summary; the original was not read
	Inferred   Grade = "I" // follows from other facts, and no source says it
	Unverified Grade = "X" // could not be verified
)

var grades = []Grade{Vendor, PublicCode, Secondary, Inferred, Unverified}

// Verified reports whether some source says it.
func (g Grade) Verified() bool { return g == Vendor || g == PublicCode || g == Secondary }

// UnmarshalJSON reads what a build before called mark, too: a campaign that
// runs has its profile from then.
func (s *Source) UnmarshalJSON(text []byte) error {
	type plain Source
	var old struct{ Mark Grade }
	if err := json.Unmarshal(text, &old); err != nil {
		return err
	}
	s.Grade = old.Mark
	return json.Unmarshal(text, (*plain)(s))
}

// UnmarshalJSON is that of Source.
func (l *Line) UnmarshalJSON(text []byte) error {
	type plain Line
	var old struct{ Mark Grade }
	if err := json.Unmarshal(text, &old); err != nil {
		return err
	}
	l.Grade = old.Mark
	return json.Unmarshal(text, (*plain)(l))
}

// Exposure is a way in which a secret is exposed by the device.
type Exposure string

// Exposures.
const (
	Stored     Exposure = "stored"
	InBackup   Exposure = "in-backup"
	Passing    Exposure = "passing"
	AdminTyped Exposure = "admin-typed"
	InMail     Exposure = "in-mail"
)

var exposures = []Exposure{Stored, InBackup, Passing, AdminTyped, InMail}

// Authority decides whether a secret is valid.
type Authority string

var authorities = []Authority{"device", "directory", "ca", "idp", "peer", "provider", "vendor", "user", "dns", "service"}

var lineKeys = []string{"id", "kind", "what", "exposed", "where", "authority", "together", "revoke", "residue", "resets", "group", "grade", "sources", "ask"}

// Parse reads and checks a profile. A file that is wrong gives *Mistakes.
func Parse(file string, text []byte) (*Profile, error) {
	r := &reader{bad: Mistakes{File: file}}
	root := r.parse(text)
	if root == nil {
		return nil, r.bad.asError()
	}
	o := r.object(root, "", "schema", "name", "title", "reviewed", "advice", "ports", "sources", "lines")
	if s := o.required("schema", maxShort, "write "+Schema); s != "" && s != Schema {
		o.problem("schema", "must be %s, which this build reads", Schema)
	}
	p := &Profile{Name: o.id("name", "what campaign files call it"), Title: o.required("title", maxShort, "what people call the device"), Advice: o.text("advice", 4*maxText)}
	p.Reviewed = o.date("reviewed", "when its sources were last looked at")
	for _, s := range o.list("ports", maxShort) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 65535 {
			o.problem("ports", "must be numbers from 1 to 65535")
			continue
		}
		p.Ports = append(p.Ports, n)
	}
	p.Sources = r.sources(o)
	r.lines(o, p)
	sum := sha256.Sum256(text)
	p.Digest = hex.EncodeToString(sum[:])
	if err := r.bad.asError(); err != nil {
		return nil, err
	}
	return p, nil
}

func (o object) id(key, why string) string {
	s := o.required(key, maxShort, why)
	if s != "" && !idForm.MatchString(s) {
		o.problem(key, "must be small letters, digits and '-', 48 at most")
		return ""
	}
	return s
}

func (o object) date(key, why string) string {
	o.required(key, maxShort, why)
	if t := o.day(key); !t.IsZero() {
		return t.Format("2006-01-02")
	}
	return ""
}

// sources reads them, by their ids.
func (r *reader) sources(top object) (out []Source) {
	all := r.object(top.vals["sources"], "sources")
	if len(all.keys) == 0 {
		top.problem("sources", "missing: name at least one, with url, grade and read")
	}
	for _, id := range all.keys {
		where := "sources." + id
		if !idForm.MatchString(id) {
			r.problem(all.at[id], "%s: an id must be small letters, digits and '-', 48 at most", where)
		}
		o := r.object(all.vals[id], where, "url", "grade", "read", "what")
		s := Source{ID: id, URL: o.required("url", maxText, "where it was read"), What: o.text("what", maxText)}
		if u, err := url.Parse(s.URL); s.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil) {
			o.problem("url", "must be an address on the web, http or https, without a login in it")
		}
		o.required("grade", maxShort, "how far to trust it: V, P, S, I or X")
		s.Grade = oneOf(o, "grade", grades)
		s.Read = o.date("read", "when it was read")
		out = append(out, s)
	}
	return out
}

func (r *reader) lines(top object, p *Profile) {
	seq := top.vals["lines"]
	if seq == nil || len(seq.Content) == 0 || seq.Tag != "!!seq" {
		top.problem("lines", "missing: a list of what the device can hold")
		return
	}
	if len(seq.Content) > maxLines {
		top.problem("lines", "has %d, and %d at most can be answered for", len(seq.Content), maxLines)
		return
	}
	first := map[string]int{}
	for i, n := range seq.Content {
		o := r.object(n, fmt.Sprintf("lines[%d]", i), lineKeys...)
		l := Line{ID: o.id("id", "what answers call the line")}
		if l.ID != "" {
			o.where = l.ID
			if was := first[l.ID]; was > 0 {
				o.problem("id", "the line on line %d has this id already", was)
			}
			first[l.ID] = n.Line
		}
		r.line(o, &l, p)
		p.Lines = append(p.Lines, l)
	}
	slices.SortStableFunc(p.Lines, func(a, b Line) int { return a.Group - b.Group })
}

func (r *reader) line(o object, l *Line, p *Profile) {
	o.required("kind", maxShort, "what it is")
	l.Kind = oneOf(o, "kind", credential.LineKinds())
	l.What = o.required("what", maxShort, "in words, what it is")
	o.present("exposed", "how whoever had the device came by it")
	l.Exposed = someOf(o, "exposed", exposures)
	l.Where = o.list("where", maxText)
	o.required("authority", maxShort, "who decides whether it is valid")
	l.Authority = oneOf(o, "authority", authorities)
	l.Together, l.Revoke = o.list("together", maxText), o.list("revoke", maxText)
	l.Residue, l.Ask = o.text("residue", maxText), o.text("ask", maxText)
	l.Resets = o.number("resets", 1, 1, 2)
	o.present("group", "its place in the order, 1 to 999")
	l.Group = o.number("group", 1, 1, 999)
	o.required("grade", maxShort, "how far to trust the line: V, P, S, I or X")
	l.Grade = oneOf(o, "grade", grades)
	o.present("sources", "every line says where it was read")
	best := len(grades)
	for _, id := range o.list("sources", maxShort) {
		at := slices.IndexFunc(p.Sources, func(s Source) bool { return s.ID == id })
		if at < 0 {
			o.problem("sources", "no source is called %s", shown(id))
			continue
		}
		l.Sources = append(l.Sources, id)
		best = min(best, slices.Index(grades, p.Sources[at].Grade))
	}
	switch {
	case l.Grade == "" || len(l.Sources) == 0:
	case slices.Index(grades, l.Grade) < best:
		o.problem("grade", "is better than that of each of its sources")
	case !l.Grade.Verified() && l.Ask == "":
		o.problem("ask", "missing: what is not verified (%s) is a question to a person", l.Grade)
	case len(l.Where) == 0 && l.Ask == "":
		o.problem("where", "missing: where it is configured, or a question (ask)")
	case l.Resets == 2 && !l.Grade.Verified():
		o.problem("resets", "two resets need a source that says so")
	}
}

// present asks for a list that is not empty.
func (o object) present(key, why string) {
	if v := o.vals[key]; v == nil || v.Tag == "!!seq" && len(v.Content) == 0 {
		o.problem(key, "missing: %s", why)
	}
}

// Line is the line of that id; false if the profile has none.
func (p *Profile) Line(id string) (Line, bool) {
	i := slices.IndexFunc(p.Lines, func(l Line) bool { return l.ID == id })
	if i < 0 {
		return Line{}, false
	}
	return p.Lines[i], true
}

// Unknown says that the profile has no such line, and which was probably
// meant; empty if it has.
func (p *Profile) Unknown(id string) string {
	if _, ok := p.Line(id); ok {
		return ""
	}
	ids := make([]string, 0, len(p.Lines))
	for _, l := range p.Lines {
		ids = append(ids, l.ID)
	}
	hint := meant(id, ids)
	if !strings.HasPrefix(hint, "; did") {
		hint = "; `rollcall profiles show " + p.Name + "` lists its lines"
	}
	return fmt.Sprintf("profile %s has no line %s%s", p.Name, shown(id), hint)
}

// SourceOf is the source of that id.
func (p *Profile) SourceOf(id string) Source {
	for _, s := range p.Sources {
		if s.ID == id {
			return s
		}
	}
	return Source{ID: id}
}
