package taken

import (
	"cmp"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
)

// source is what a campaign takes of the coverage of one server's log.
type source struct {
	Authority  string        `json:"authority"`
	Server     string        `json:"server"`
	Format     string        `json:"format"`
	InFront    bool          `json:"in_front"`
	Lines      int           `json:"lines"`
	Logins     int           `json:"logins"`
	Foreign    int           `json:"other_programs"`
	Unreadable int           `json:"unreadable"`
	Notes      []noted       `json:"notes"`
	CannotShow []event.Limit `json:"cannot_show"`
	Gaps       []gap         `json:"gaps"`
}

type noted struct {
	Note  event.Note `json:"note"`
	Count int        `json:"count"`
}

type gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

func (t *File) addCoverage(s source) string {
	switch {
	case len(t.coverage) >= mostSources:
		return "is of one more server than a campaign takes (who may write into a syslog may call himself as he likes: name the server before each file)"
	case !formatName.MatchString(s.Format) || len(s.Authority) > LongestName || len(s.Server) > LongestName:
		return "has no format, or a name that is too long"
	case s.Lines < 0 || s.Logins < 0 || s.Foreign < 0 || s.Unreadable < 0:
		return "has less than no lines"
	case len(s.Notes) > mostNotes || len(s.CannotShow) > mostNotes:
		return "has more notes than there are"
	}
	c := credential.LogCoverage{Authority: s.Authority, Server: s.Server, Format: s.Format, InFront: s.InFront, Lines: s.Lines, Logins: s.Logins, Foreign: s.Foreign, NotRead: s.Unreadable}
	for _, n := range s.Notes {
		if !plain(string(n.Note)) || n.Count < 1 || n.Count > mostCounted {
			return "has a note that is no word"
		}
		c.Notes = append(c.Notes, credential.LogNote{Note: string(n.Note), Count: n.Count})
	}
	for _, l := range s.CannotShow {
		if !plain(string(l)) {
			return "has a limit that is no word"
		}
		c.CannotShow = append(c.CannotShow, string(l))
	}
	return t.cover(c, s.Gaps)
}

// missing is an authority of the roll, or one of its servers, without a log.
type missing struct {
	Authority string `json:"authority"`
	Server    string `json:"server"`
	Gaps      []gap  `json:"gaps"`
}

func (t *File) addMissing(m missing) string {
	if m.Authority == "" || len(m.Authority) > LongestName || len(m.Server) > LongestName || len(t.coverage) >= mostSources {
		return "names no authority"
	}
	return t.cover(credential.LogCoverage{Authority: m.Authority, Server: m.Server, NoLog: true}, m.Gaps)
}

func (t *File) cover(c credential.LogCoverage, gaps []gap) string {
	for _, g := range gaps {
		if !plain(g.Reason) || !fits(g.From, g.To) {
			return "has a gap without a reason, or one that ends before it begins"
		}
		c.Gaps = append(c.Gaps, credential.LogGap{From: g.From.UTC(), To: g.To.UTC(), Reason: g.Reason})
	}
	t.coverage = append(t.coverage, c)
	return ""
}

// merged are the windows as spans that do not overlap, in order.
func merged(windows []Span) (out []credential.Interval) {
	sorted := slices.Clone(windows)
	slices.SortFunc(sorted, func(a, b Span) int { return a.From.Compare(b.From) })
	for _, w := range sorted {
		w := credential.Interval{From: w.From.UTC(), To: w.To.UTC()}
		if n := len(out) - 1; n >= 0 && (out[n].To.IsZero() || !w.From.After(out[n].To)) {
			if !out[n].To.IsZero() && (w.To.IsZero() || w.To.After(out[n].To)) {
				out[n].To = w.To
			}
			continue
		}
		out = append(out, w)
	}
	return out
}

// mostGaps of one log are an entry of a ledger.
const mostGaps = 200

// within cuts gaps to windows until the moment of the reading, and joins what
// overlaps. Where there are more than mostGaps, the shortest stretches between
// two of one window count as gaps too: what is covered is then said to be less
// than it is, and never more.
func within(gaps []credential.LogGap, windows []credential.Interval, now time.Time) (out []credential.LogGap, joined int) {
	slices.SortStableFunc(gaps, func(a, b credential.LogGap) int { return a.From.Compare(b.From) })
	var in []int // which window
	for n, w := range windows {
		end := now
		if !w.To.IsZero() && w.To.Before(now) {
			end = w.To
		}
		for _, g := range gaps {
			g.From, g.To = later(g.From, w.From), earlier(g.To, end)
			if !g.To.After(g.From) {
				continue
			}
			if last := len(out) - 1; last >= 0 && in[last] == n && !g.From.After(out[last].To) {
				out[last].To = later(out[last].To, g.To)
				continue
			}
			out, in = append(out, g), append(in, n)
		}
	}
	return join(out, in)
}

func join(gaps []credential.LogGap, in []int) (out []credential.LogGap, joined int) {
	var between []int // i: the stretch between i-1 and i
	for i := 1; i < len(gaps); i++ {
		if in[i] == in[i-1] {
			between = append(between, i)
		}
	}
	length := func(i int) time.Duration { return gaps[i].From.Sub(gaps[i-1].To) }
	slices.SortFunc(between, func(a, b int) int { return cmp.Or(cmp.Compare(length(a), length(b)), a-b) })
	joined = min(max(0, len(gaps)-mostGaps), len(between))
	gone := map[int]bool{}
	for _, i := range between[:joined] {
		gone[i] = true
	}
	for i, g := range gaps {
		if !gone[i] {
			out = append(out, g)
			continue
		}
		last := &out[len(out)-1]
		if g.To.Sub(g.From) > last.To.Sub(last.From) {
			last.Reason = g.Reason
		}
		last.To = g.To
	}
	return out, joined
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Record is what a ledger is told of a result.
type Record struct {
	ID       string                   `json:"id"`
	Of       credential.LogReading    `json:"of"`
	Logs     []credential.ReadLog     `json:"logs,omitempty"`
	Coverage []credential.LogCoverage `json:"coverage,omitempty"`
	// Signs are of credentials of the roll that the logs were held against.
	Signs []SignsOf `json:"signs,omitempty"`
	// Elsewhere counts findings that are about no credential.
	Elsewhere []credential.Sign `json:"elsewhere,omitempty"`
	NotKept   int               `json:"not_kept_apart,omitempty"`
}

// Record is the result as a ledger has it, with an id that goes by its very
// bytes.
func (t *File) Record() *Record {
	r := &Record{ID: t.digest[:16], Logs: t.readLogs(), Signs: t.signs.sorted(), Elsewhere: t.signs.counts, NotKept: max(0, t.notKept),
		Of: credential.LogReading{SHA256: t.digest, ReadAt: t.ReadAt.UTC(), Roll: t.Campaign, Windows: merged(t.Windows)}}
	for _, c := range t.coverage {
		c.Gaps, c.Joined = within(c.Gaps, r.Of.Windows, t.ReadAt)
		r.Coverage = append(r.Coverage, c)
	}
	return r
}
