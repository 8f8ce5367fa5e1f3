package report

import (
	"fmt"
	"slices"
	"time"

	"rollcall/internal/evidence/judge"
	"rollcall/internal/plural"
	"rollcall/internal/timeline"
)

// numberedGaps are the gaps of one source, as the list below the picture
// numbers them.
type numberedGaps struct {
	name   string
	source *judge.Source // nil: no log is known
	gaps   []judge.Gap
	first  int
}

// number gives each gap its number, those of authorities without a log first.
func (b *evidenceBuild) number() {
	add := func(name string, s *judge.Source, gaps []judge.Gap) {
		b.numbered = append(b.numbered, numberedGaps{name, s, gaps, b.gapCount + 1})
		b.gapCount += len(gaps)
	}
	for _, m := range b.Result.Missing {
		add(m.Name(), nil, m.Gaps)
	}
	for _, s := range b.Result.Sources {
		add(SourceName(s), s, s.Gaps)
	}
}

// SourceName is what a source is called for people.
func SourceName(s *judge.Source) string {
	name := s.Format
	if s.Server != "" {
		name += " of " + s.Server
	}
	if s.Authority != "" {
		return s.Authority + ", " + name
	}
	return name + ", of no authority that is known"
}

// lanes are the picture in all.
func (b *evidenceBuild) lanes() (out []lane) {
	add := func(label, note string, t timeline.Track) { out = append(out, b.lane(label, note, t)) }
	if len(b.bands) > 0 {
		add("Exposure", "in foreign hands", timeline.Track{Solid: b.bands})
	}
	marks := func(label string, events []timeline.Event, always bool) {
		if l, n := b.marks(turnLane{label, slices.Values(events)}); n > 0 || always {
			out = append(out, l)
		}
	}
	for _, g := range []judge.Grade{judge.Confirmed, judge.Probable, judge.Possible} {
		marks("Signs of use: "+string(g), b.found(func(f judge.Finding) bool {
			return f.Grade == g && f.Code != judge.TriedAfter && f.Code != judge.Burst
		}), true)
	}
	labels := map[string]string{"solid": "Used from the device", "hollow": "Used otherwise, no finding", "thin": "Refused, or no answer"}
	for class, sorts := range useBars() {
		if events := b.axis.Thin(usesOf(b.Result.Uses, sorts...)); len(events) > 0 {
			add(labels[class], counted(total(events)), timeline.Track{Bars: []timeline.Bar{{Class: class, Tall: true, Events: events}}})
		}
	}
	for _, t := range b.turnLanes() {
		l, _ := b.marks(t)
		out = append(out, l)
	}
	if b.Campaign != "" {
		marks("Tried after death", b.tries(), true)
	}
	marks("Bursts of refused logins", b.found(func(f judge.Finding) bool { return f.Code == judge.Burst }), false)
	for i, n := range b.numbered {
		if i == maxSources {
			break
		}
		t := timeline.Track{Log: true}
		for j, g := range n.gaps {
			t.Gaps = append(t.Gaps, timeline.Gap{Span: timeline.Span{From: g.From, To: g.To}, Number: n.first + j})
		}
		note := "no log is known to be of it"
		if n.source != nil {
			note = b.covers(n.gaps)
			for _, c := range n.source.Covered {
				t.Covered = append(t.Covered, timeline.Span{From: c.From, To: c.To})
			}
		}
		add("Log: "+shortName(n.name), note, t)
	}
	return out
}

func counted(n int) string { return fmt.Sprintf("%d in all", n) }

func total(events []timeline.Event) int { return totalOf(slices.Values(events)) }

func (b *evidenceBuild) found(of func(judge.Finding) bool) []timeline.Event {
	return b.axis.Thin(func(yield func(timeline.Event) bool) {
		for _, f := range b.Result.Findings {
			if !of(f) {
				continue
			}
			for e := range marksOf(f) {
				if !yield(e) {
					return
				}
			}
		}
	})
}

func (b *evidenceBuild) tries() []timeline.Event {
	return b.found(func(f judge.Finding) bool { return f.Code == judge.TriedAfter })
}

// signs are those of use by somebody else, of whatever grade.
func (b *evidenceBuild) signs() []timeline.Event {
	return b.found(func(f judge.Finding) bool { return f.Code != judge.TriedAfter && f.Code != judge.Burst })
}

// turnLanes are the rotations of all credentials, a lane for each step.
func (b *evidenceBuild) turnLanes() []turnLane {
	if b.Campaign == "" {
		return nil
	}
	return stepLanes(func(yield func(timeline.Event) bool) {
		for _, c := range b.Credentials {
			for _, e := range turns(c) {
				if !yield(e) {
					return
				}
			}
		}
	})
}

// gapText is a gap with its question.
type gapText struct {
	Number                  int
	Name, When, Reason, Ask string
}

func (b *evidenceBuild) gaps() (out []gapText, more string) {
	for _, n := range b.numbered {
		for i, g := range n.gaps {
			if len(out) == maxGaps {
				return out, Plural(b.gapCount-maxGaps, "gap more is", "gaps more are") + " not written out here; -o json has each"
			}
			out = append(out, gapText{n.first + i, shortName(n.name), b.span(g.From, g.To), string(g.Reason), sentence(g.Ask)})
		}
	}
	return out, ""
}

// covers says how much of the exposure a log covers. A gap never rounds away.
func (b *evidenceBuild) covers(gaps []judge.Gap) string {
	var exposed, missing time.Duration
	for _, w := range b.bands {
		exposed += w.To.Sub(w.From)
	}
	for _, g := range gaps {
		missing += g.To.Sub(g.From)
	}
	if exposed <= 0 {
		return ""
	}
	percent := int(100 * (float64(exposed) - float64(missing)) / float64(exposed))
	if len(gaps) > 0 && percent < 1 {
		return "covers less than 1 % of the exposure"
	}
	if len(gaps) > 0 {
		percent = min(percent, 99)
	}
	return fmt.Sprintf("covers %d %% of the exposure", max(0, percent))
}

// sourceText is what was read of a source.
type sourceText struct {
	Name, Read string
	Notes      []string
}

func (b *evidenceBuild) sources() (out []sourceText, more string) {
	for _, s := range b.Result.Sources[:min(len(b.Result.Sources), maxSources)] {
		t := sourceText{Name: shortName(SourceName(s)), Read: fmt.Sprintf("%s in %s, %s, %s", Plural(s.Lines, "line", "lines"), Plural(len(s.Files), "file", "files"),
			Plural(s.Logins, "login", "logins"), b.covers(s.Gaps))}
		if s.Unreadable > 0 {
			t.Notes = append(t.Notes, plural.Count(s.Unreadable, "line was not understood", "lines were not understood"))
		}
		for _, n := range s.Notes {
			t.Notes = append(t.Notes, fmt.Sprintf("%s (%d, first at %s line %d): %s", n.Note, n.Count, shortName(n.First.File), n.First.Line, b.Notes[string(n.Note)]))
		}
		for _, l := range s.CannotShow {
			t.Notes = append(t.Notes, "cannot show "+string(l)+": "+b.Limits[string(l)])
		}
		out = append(out, t)
	}
	if n := len(b.Result.Sources) - len(out); n > 0 {
		more = Plural(n, "source more is", "sources more are") + " not shown here; -o json has each"
	}
	return out, more
}
