package profile

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// Answers are what people say of the lines of a profile, for one device.
type Answers struct {
	File    string    `json:"file"`
	Device  string    `json:"device"`
	Profile string    `json:"profile"`
	By      string    `json:"by,omitempty"` // who answers where an answer does not say
	On      time.Time `json:"on,omitzero"`  // when
	List    []Given   `json:"answers"`      // in the order of the file
}

// Given is the answer to one line. One without an Answer is a question that is
// still open.
type Given struct {
	Line   string            `json:"line"`
	At     int               `json:"at"` // line in the file
	Answer credential.Answer `json:"answer,omitempty"`
	Reason string            `json:"reason,omitempty"` // why none, what later, or a note
	Owner  string            `json:"owner,omitempty"`
	Due    time.Time         `json:"due,omitzero"`
	By     string            `json:"by,omitempty"`
	On     time.Time         `json:"on,omitzero"`
}

// Of is the answer to a line; nil if the file does not have it.
func (a *Answers) Of(line string) *Given {
	if a == nil {
		return nil
	}
	if i := slices.IndexFunc(a.List, func(g Given) bool { return g.Line == line }); i >= 0 {
		return &a.List[i]
	}
	return nil
}

// ParseAnswers reads the answers of a device to the lines of p. A file that is
// wrong gives *Mistakes.
func ParseAnswers(file string, text []byte, device string, p *Profile) (*Answers, error) {
	r := &reader{bad: Mistakes{File: file}}
	root := r.parse(text)
	if root == nil {
		return nil, r.bad.asError()
	}
	o := r.object(root, "", "device", "profile", "by", "on", "answers")
	a := &Answers{File: file, Device: o.required("device", maxShort, "whose answers these are"), Profile: o.required("profile", maxShort, "what they answer"),
		By: o.text("by", maxShort), On: o.day("on")}
	if a.Device != "" && !strings.EqualFold(a.Device, device) {
		o.problem("device", "these are answers for %s, and the campaign is of %s", shown(a.Device), shown(device))
	}
	if a.Profile != "" && a.Profile != p.Name {
		o.problem("profile", "these answer profile %s, and the campaign file names %s", shown(a.Profile), p.Name)
	}
	all := o.vals["answers"]
	if all == nil || all.Kind != yaml.MappingNode {
		o.problem("answers", "missing: a mapping with the lines of the profile")
		return nil, r.bad.asError()
	}
	r.given(all, a, p)
	if err := r.bad.asError(); err != nil {
		return nil, err
	}
	return a, nil
}

// given reads each line's answer.
func (r *reader) given(all *yaml.Node, a *Answers, p *Profile) {
	first := map[string]int{}
	for i := 0; i+1 < len(all.Content); i += 2 {
		k, v := all.Content[i], all.Content[i+1]
		if why := p.Unknown(k.Value); why != "" {
			r.problem(k.Line, "%s", why)
			continue
		}
		if was := first[k.Value]; was > 0 {
			r.problem(k.Line, "%s: is answered twice, first on line %d", k.Value, was)
			continue
		}
		first[k.Value] = k.Line
		g := Given{Line: k.Value, At: k.Line}
		switch {
		case v.Kind == yaml.ScalarNode && v.Tag == "!!null":
		case v.Kind == yaml.ScalarNode && v.Value == string(credential.Covered):
			g.Answer = credential.Covered
		case v.Kind == yaml.MappingNode:
			r.one(v, &g)
		default:
			r.problem(v.Line, "%s: must be covered, or a mapping with none (why) or later (owner, due). What stands there is not repeated, for it may be a secret: if it is one, treat it as disclosed and change it", k.Value)
		}
		if g.By == "" {
			g.By = a.By
		}
		if g.On.IsZero() {
			g.On = a.On
		}
		if g.Answer != credential.Unanswered && (g.By == "" || g.On.IsZero()) {
			r.problem(k.Line, "%s: does not say who answered and when: write by and on at the top of the file, or here", k.Value)
		}
		a.List = append(a.List, g)
	}
}

// kinds of answer, as keys.
var answerKeys = []credential.Answer{credential.Covered, credential.None, credential.Later}

// one reads an answer that is a mapping.
func (r *reader) one(v *yaml.Node, g *Given) {
	before := len(r.bad.List)
	o := r.object(v, g.Line, "covered", "none", "later", "owner", "due", "by", "on")
	for _, answer := range answerKeys {
		key := string(answer)
		n := o.vals[key]
		switch {
		case n == nil:
			continue
		case g.Answer != credential.Unanswered:
			o.problem(key, "the line is answered twice here, as %s too", g.Answer)
			return
		}
		g.Answer = answer
		if answer == credential.None || n.Tag != "!!null" {
			g.Reason = o.text(key, maxText)
		}
		if answer == credential.None && g.Reason == "" && len(r.bad.List) == before {
			o.problem(key, "say why the device holds nothing of it")
		}
	}
	g.Owner, g.Due = o.text("owner", maxShort), endOfDay(o, "due")
	g.By, g.On = o.text("by", maxShort), o.day("on")
	for _, s := range []string{g.Reason, g.Owner, g.By} {
		if what := credential.Discloses(s); what != "" {
			r.problem(v.Line, "%s: %s: this file may not hold secrets; take it out, and change that secret", g.Line, what)
			g.Reason = ""
		}
	}
	switch {
	case len(r.bad.List) > before:
	case g.Reason == blankNone || g.Reason == blankLater || g.Owner == blankOwner:
		r.problem(v.Line, "%s: still has the words of the question (%s, %s, %s): write your own in their place", g.Line, blankNone, blankLater, blankOwner)
	case g.Answer == credential.Unanswered && len(o.keys) > 0:
		r.problem(v.Line, "%s: needs one of covered, none (why) and later (with owner and due)", g.Line)
	case g.Answer == credential.Later && g.Owner == "":
		r.problem(v.Line, "%s: later needs an owner: who sees to it", g.Line)
	case g.Answer == credential.Later && g.Due.IsZero():
		r.problem(v.Line, "%s: later needs a due date, such as due: 2026-12-05", g.Line)
	case g.Answer != credential.Later && (o.has("owner") || o.has("due")):
		r.problem(v.Line, "%s: owner and due go with later", g.Line)
	}
}

// endOfDay is a time; a date is its last second.
func endOfDay(o object, key string) time.Time {
	t := o.day(key)
	if !t.IsZero() && len(o.text(key, maxShort)) == len(time.DateOnly) {
		t = t.Add(24*time.Hour - time.Second)
	}
	return t
}
