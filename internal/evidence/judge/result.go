package judge

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/taken"
)

// Use is what the logs have of one credential of the roll. Where all counts are
// zero there is no record, which does not say that it was not used: the gaps of
// the coverage say what was not looked at.
type Use struct {
	Credential string `json:"credential"`
	Name       string `json:"name"`
	Device     Tally  `json:"from_device"`
	Usual      Tally  `json:"from_usual_places"`
	Elsewhere  Tally  `json:"from_elsewhere"`
	Nowhere    Tally  `json:"without_address"`
	Refused    Tally  `json:"refused"`
	Unclear    Tally  `json:"unclear"` // failed for another reason, or without an answer
	Record     bool   `json:"record"`  // there is any
	// Places are the addresses from which it was let in before the first
	// window, which therefore count as usual: an intruder who came earlier than
	// anybody knows has made one of his own. Places that the operator named are
	// not among them.
	Places []string `json:"usual_places_by_logs,omitempty"`
	// Untold are those of them that are in no finding.
	Untold []Untold `json:"-"`
}

// Tally counts, and says from when to when.
type Tally struct {
	Count int       `json:"count"`
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

func (t *Tally) add(g *group) {
	if t.Count == 0 || g.First.Before(t.First) {
		t.First = g.First.UTC()
	}
	if g.Last.After(t.Last) {
		t.Last = g.Last.UTC()
	}
	t.Count += g.Count
}

// Missing is an authority of the roll, or one of its servers, of which no log
// is known to be.
type Missing struct {
	Authority string `json:"authority"`
	Server    string `json:"server,omitempty"` // "" where there is none of any
	Gaps      []Gap  `json:"gaps"`
}

// Name is what it is called for people.
func (m Missing) Name() string {
	if m.Server == "" {
		return m.Authority
	}
	return m.Authority + ", " + m.Server
}

// Unlogged is such a one, and what is to be asked about it; "" for the question
// that is asked of any.
type Unlogged struct{ Authority, Server, Ask string }

// Result is all that came of it. Its JSON keys are stable.
type Result struct {
	Evidence    taken.Head      `json:"evidence"`
	Windows     []Window        `json:"windows"`
	Logs        []taken.Log     `json:"logs"` // those that were read; a finding names one of them
	Credentials int             `json:"credentials"`
	Findings    []Finding       `json:"findings"`
	FromDevice  []taken.Account `json:"from_device"`
	Uses        []Use           `json:"uses"`
	Sources     []*Source       `json:"coverage"`
	Missing     []Missing       `json:"no_log_of"`
	Indicators  int             `json:"indicators"`
	LeftOut     map[string]int  `json:"indicators_left_out,omitempty"`
	// TooMany events were of more accounts and addresses than are kept apart,
	// and are in no finding.
	TooMany int `json:"not_kept_apart,omitempty"`
}

// Gaps reports whether a part of a window is not covered, or something was not
// understood.
func (r *Result) Gaps() bool {
	if len(r.Missing) > 0 || r.TooMany > 0 || len(r.Windows) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Sources, func(s *Source) bool { return len(s.Gaps) > 0 || s.Unreadable > 0 || len(s.Notes) > 0 })
}

// Finish works out what came of it. missing are authorities and servers without
// a log.
func (j *Judge) Finish(sources []*Source, missing []Unlogged) *Result {
	r := &Result{Evidence: j.head(), FromDevice: j.fromDevice(), Windows: j.o.Windows, Credentials: len(j.o.Credentials), Findings: j.findings(), Uses: j.uses(), Logs: []taken.Log{}, Sources: sources,
		Missing: []Missing{}, Indicators: j.o.Indicators.Len(), LeftOut: j.o.Indicators.LeftOut, TooMany: j.tooMany + j.bursts.more}
	if r.Windows == nil {
		r.Windows = []Window{}
	}
	if r.Sources == nil {
		r.Sources = []*Source{}
	}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	for _, s := range sources {
		s.finish(j.o.Windows, j.o.Now)
	}
	slices.SortStableFunc(sources, func(a, b *Source) int {
		return cmp.Or(strings.Compare(a.Authority, b.Authority), strings.Compare(a.Server, b.Server), strings.Compare(a.Format, b.Format))
	})
	for _, m := range missing {
		is := Missing{m.Authority, m.Server, gaps(j.o.Windows, nil, j.o.Now)}
		for i := range is.Gaps {
			is.Gaps[i].Ask = cmp.Or(m.Ask, is.Gaps[i].Ask)
		}
		r.Missing = append(r.Missing, is)
	}
	return r
}

func (j *Judge) uses() []Use {
	out := make([]Use, len(j.o.Credentials))
	for i, c := range j.o.Credentials {
		out[i] = Use{Credential: c.ID, Name: c.Name}
	}
	for i := range out {
		out[i].Places = j.learned[i].list()
	}
	for k, g := range j.seen {
		if k.credential < 0 || k.change != "" {
			continue
		}
		u := &out[k.credential]
		u.Record = true
		sort := j.sortOf(k, g)
		u.tally(sort).add(g)
		if _, told := j.finding(k, g); !told {
			u.Untold = append(u.Untold, Untold{sort, g.moments.list()})
		}
	}
	slices.SortStableFunc(out, func(a, b Use) int { return strings.Compare(a.Name, b.Name) })
	return out
}
