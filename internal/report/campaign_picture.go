package report

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/timeline"
)

// campaignPicture is a campaign as a drawing: the exposure, what logs show,
// the rotation, the deaths, and tries after them; of all, and of each
// credential that has something to show.
type campaignPicture struct {
	All     picture
	Close   *picture // nil where the rotation is seen well enough
	Each    picture
	Rest    string // those without a line of their own
	Beyond  string // those that had one, were there room
	Unread  string // where no logs were read
	NoTimes string // of the exposure, which is not drawn then
	Legend  legend
}

// A roll of so many is drawn whole; of a longer one those that were used or
// tried, or are not dead, and of these so many.
const (
	drawnWhole = 40
	drawnEach  = 150
)

// campaignBuild is that picture in the making.
type campaignBuild struct {
	drawing
	state *ledger.State
	all   int // credentials, with those that are still to be written
	// When rotations began and values were set and proved dead, in order, and
	// when people said so of what no server showed.
	begun, set, died, attested []time.Time
	onSome                     int // of those proved dead, not everywhere
	signs, tries               []timeline.Event
	rows                       []*campaignRow // the first of those that are drawn
	interesting                int
	restDied                   []time.Time // of those without a line of their own
	restWaiting                int
	covered                    coverage
}

// campaignRow is a credential that is drawn.
type campaignRow struct {
	signRow
	at    standing
	index int // in the roll
	words string
	class string
	took  time.Duration
}

func newCampaignPicture(s *ledger.State, f figures) *campaignPicture {
	if f.All.Listed == 0 || s.Len() == 0 {
		return nil
	}
	b := &campaignBuild{drawing: drawing{zone: zoneOf(s)}, state: s, all: f.All.Listed, covered: coverageOf(s)}
	p := &campaignPicture{}
	b.ground(p)
	b.collect()
	b.measure()
	p.All = picture{Head: b.axis.Head(b.bands), Lanes: b.lanes()}
	p.Close = b.closeUp(b.fallFromClose(), append(b.steps(), turnLane{"Signs of use", slices.Values(b.signs)}, turnLane{triedLane, slices.Values(b.tries)})...)
	p.Each, p.Rest, p.Beyond = b.single()
	read := len(s.Readings) > 0
	if !read {
		p.Unread = "No logs were read: whether anybody used these values, or tries them now, is not known."
	}
	p.Legend = legend{Turns: true, Fall: true, Exposed: len(b.bands) > 0, Contained: len(b.moments) > 0, Signs: read, Logs: read}
	return p
}

// ground is what lies behind: the time in foreign hands, as the campaign file
// and the readings of logs had it, and when the device was contained.
func (b *campaignBuild) ground(p *campaignPicture) {
	s := b.state
	until := s.StartedAt
	if until.IsZero() {
		until = s.LatestAt
	}
	exposed := slices.Clone(b.covered.exposed)
	said := config.ReadExposed(s.Exposure)
	for _, i := range said {
		to := i.To
		if to.IsZero() {
			if to = until; s.Containment != nil && !s.Containment.At.IsZero() {
				to = s.Containment.At
			}
		}
		exposed = append(exposed, credential.Interval{From: i.From, To: to})
	}
	for _, x := range spansOf(exposed) {
		b.bands = append(b.bands, timeline.Span{From: x.From, To: x.To})
	}
	switch {
	case len(b.bands) > 0:
	case s.Exposure == "":
		p.NoTimes = "The campaign file did not say since when the device was in foreign hands, so no exposure is drawn."
	default:
		p.NoTimes = "The exposure is not drawn, for its times are not understood here: " + s.Exposure
	}
	if s.Containment != nil && s.Containment.How != "" && !s.Containment.At.IsZero() {
		b.moments = []time.Time{s.Containment.At}
	}
}

// collect goes through the roll once. Of a long one it keeps times, and so many
// credentials as are drawn.
func (b *campaignBuild) collect() {
	whole, index := b.state.Len() <= drawnWhole, 0
	for l := range b.state.All() {
		index++
		for _, t := range []struct {
			at  time.Time
			all *[]time.Time
		}{{l.AnnouncedAt, &b.begun}, {l.SetAt, &b.set}, {deadSince(l), &b.died}, {attestedAt(l), &b.attested}} {
			if !t.at.IsZero() {
				*t.all = append(*t.all, t.at)
			}
		}
		at := standingOf(l)
		if onSome(l) {
			b.onSome++
		}
		for _, s := range l.Signs {
			into := &b.signs
			if judge.Code(s.Code) == judge.TriedAfter {
				into = &b.tries
			}
			*into = slices.AppendSeq(*into, marksOf(findingOf(s.Sign)))
		}
		switch {
		case whole || len(l.Signs) > 0 || at == open || at == exception || at == inWork || at == dead && weaker(l):
			b.interesting++
			b.rows = append(b.rows, newCampaignRow(l, at, index))
			if len(b.rows) > 4*drawnEach {
				b.cutRows()
			}
		case at == dead:
			b.restDied = append(b.restDied, deadSince(l))
		default:
			b.restWaiting++
		}
	}
	b.cutRows()
	for _, all := range [][]time.Time{b.begun, b.set, b.died, b.attested, b.restDied} {
		slices.SortFunc(all, time.Time.Compare)
	}
}

// deadSince is zero of what no server showed dead: of what is dead by people's
// word too.
func deadSince(l *ledger.CredentialState) time.Time {
	if l.Outcome != ledger.Dead || l.Proof == protocol.ProofAttested {
		return time.Time{}
	}
	return l.DeadAt
}

// attestedAt is when people had said of each end that it is changed; zero of
// all others.
func attestedAt(l *ledger.CredentialState) time.Time {
	if l.Outcome != ledger.Dead || l.Proof != protocol.ProofAttested {
		return time.Time{}
	}
	return l.DeadAt
}

// weaker is whether what is dead is not proved so everywhere.
func weaker(l *ledger.CredentialState) bool { return !attestedAt(l).IsZero() || onSome(l) }

// cutRows keeps those that are drawn: used ones first, the surest sign first,
// then what is not dead.
func (b *campaignBuild) cutRows() {
	slices.SortFunc(b.rows, func(x, y *campaignRow) int {
		return cmp.Or(cmp.Compare(weights[y.grade], weights[x.grade]), cmp.Compare(min(y.tries, 1), min(x.tries, 1)), cmp.Compare(y.tries, x.tries),
			cmp.Compare(order[x.at], order[y.at]), x.is.Rotated.Compare(y.is.Rotated), cmp.Compare(x.index, y.index))
	})
	clear(b.rows[min(drawnEach, len(b.rows)):])
	b.rows = b.rows[:min(drawnEach, len(b.rows))]
}

// order is what is looked at first.
var order = map[standing]int{open: 0, exception: 0, inWork: 1, waiting: 2, dead: 3}

func newCampaignRow(l *ledger.CredentialState, at standing, index int) *campaignRow {
	r := &campaignRow{at: at, index: index, signRow: signRow{attested: attestedAt(l), lane: lane{Name: cmp.Or(l.Name, l.ID), Authority: l.Authority}, tally: map[string]int{},
		is: judge.Credential{Begun: l.AnnouncedAt, Set: l.SetAt, Rotated: deadSince(l)}}}
	for _, s := range l.Signs {
		r.find(findingOf(s.Sign))
	}
	switch at {
	case open, exception:
		r.words, r.class = "not proved dead: "+adviceFor(l.Reason).Title, "bad"
	case inWork:
		r.words = "in work"
	case waiting:
		r.words = "waiting"
	case dead:
		r.words, r.class = "dead", "good"
		switch {
		case !r.attested.IsZero():
			r.words, r.class = "by people's word, not proved dead", "warn"
		case onSome(l):
			r.words, r.class = "dead on some only", "warn"
		}
		if r.attested.IsZero() && !l.SetAt.IsZero() && l.DeadAt.After(l.SetAt) {
			r.took = l.DeadAt.Sub(l.SetAt)
		}
	}
	return r
}

// findingOf is a sign as logs had it. A ledger keeps its first and last time.
func findingOf(s credential.Sign) judge.Finding {
	f := judge.Finding{Code: judge.Code(s.Code), Grade: judge.Grade(s.Grade), Outcome: event.Outcome(s.Outcome), Count: s.Count, First: s.First, Last: s.Last}
	if !s.First.IsZero() {
		f.Moments = []judge.Moment{{First: s.First, Last: s.Last, Count: s.Count}}
	}
	return f
}

// measure sets the axes.
func (b *campaignBuild) measure() {
	core := slices.Clone(b.bands)
	var times []time.Time
	for _, all := range [][]time.Time{b.begun, b.set, b.died, b.attested} {
		if n := len(all); n > 0 {
			core = append(core, timeline.Span{From: all[0], To: all[n-1]})
			times = append(times, all...)
		}
	}
	for _, at := range []time.Time{b.state.StartedAt, b.state.ClosedAt} {
		if !at.IsZero() {
			core = append(core, timeline.Span{From: at, To: at})
		}
	}
	b.axis = timeline.NewAxis(core, func(yield func(timeline.Span) bool) {
		for _, at := range b.moments {
			if !yield(timeline.Span{From: at, To: at}) {
				return
			}
		}
		for _, all := range [][]timeline.Event{b.signs, b.tries, b.elsewhere()} {
			for _, e := range all {
				if !yield(e.Span) {
					return
				}
			}
		}
	}, b.zone, nearLeast)
	b.approach(times)
}

// elsewhere is what logs have about nobody on the roll.
func (b *campaignBuild) elsewhere() (out []timeline.Event) {
	for _, r := range b.state.Readings {
		for _, s := range r.Elsewhere {
			out = slices.AppendSeq(out, marksOf(findingOf(s)))
		}
	}
	return out
}

func (b *campaignBuild) steps() (out []turnLane) {
	for i, all := range [][]time.Time{b.begun, b.set, b.died} {
		out = append(out, turnLane{stepLabels[i], turnsAt(i+1, all)})
	}
	return append(out, turnLane{"By people's word", func(yield func(timeline.Event) bool) {
		for _, at := range b.attested {
			if !yield(attestedTurn(at)) {
				return
			}
		}
	}})
}

// attestedTurn is in no lane of deaths: no server was asked.
func attestedTurn(at time.Time) timeline.Event {
	e := turn(2, at)
	e.Words = "changed by people's word, not proved dead"
	return e
}

// turnsAt are steps of one sort, of a roll that may be long.
func turnsAt(weight int, all []time.Time) iter.Seq[timeline.Event] {
	return func(yield func(timeline.Event) bool) {
		for _, at := range all {
			if !yield(turn(weight, at)) {
				return
			}
		}
	}
}

// fall is how many stolen values were not proved dead, from a time on.
func (b *campaignBuild) fall(from time.Time) *timeline.Fall {
	f := &timeline.Fall{Words: "stolen values not proved dead", Points: []timeline.Point{{At: from, Count: b.all}}}
	for i, at := range b.died {
		f.Points = append(f.Points, timeline.Point{At: at, Count: b.all - i - 1})
	}
	return f
}

const (
	notDeadLabel = "Not proved dead"
	triedLane    = "Tried after death"
)

func (b *campaignBuild) leftNote() string {
	note := fmt.Sprintf("%s at first, %d left", Plural(b.all, "stolen value", "stolen values"), b.all-len(b.died))
	if n := len(b.attested); n > 0 {
		note += fmt.Sprintf(", of which %d by people's word", n)
	}
	return note + b.onSomeNote()
}

// onSomeNote goes behind a number that has those dead on some only in it.
func (b *campaignBuild) onSomeNote() string {
	if b.onSome == 0 {
		return ""
	}
	return fmt.Sprintf("; %d dead on some only", b.onSome)
}

func (b *campaignBuild) fallFromClose() []lane {
	if b.near == nil {
		return nil
	}
	return []lane{{Label: notDeadLabel, Note: b.leftNote(), Draw: b.near.Draw(timeline.Track{Fall: b.fall(b.near.From)})}}
}

func (b *campaignBuild) lanes() (out []lane) {
	from := b.axis.From
	if len(b.bands) > 0 {
		from = b.bands[0].From
		out = append(out, b.lane("Exposure", "in foreign hands", timeline.Track{Solid: b.bands}))
	}
	out = append(out, b.lane(notDeadLabel, b.leftNote(), timeline.Track{Fall: b.fall(from)}))
	marks := func(l turnLane, always bool) {
		died := l.label == diedLane
		if l, n := b.marks(l); n > 0 || always {
			if died {
				l.Note += b.onSomeNote()
			}
			out = append(out, l)
		}
	}
	read := len(b.state.Readings) > 0
	for _, g := range []judge.Grade{judge.Confirmed, judge.Probable, judge.Possible} {
		marks(turnLane{"Signs of use: " + string(g), func(yield func(timeline.Event) bool) {
			for _, e := range b.signs {
				if e.Weight == weights[g] && !yield(e) {
					return
				}
			}
		}}, read)
	}
	for _, l := range b.steps() {
		marks(l, l.label == diedLane)
	}
	marks(turnLane{triedLane, slices.Values(b.tries)}, read)
	marks(turnLane{"Of nobody on the roll", slices.Values(b.elsewhere())}, false)
	return append(out, b.logs()...)
}

// logs are which part of the exposure is covered.
func (b *campaignBuild) logs() (out []lane) {
	if len(b.state.Readings) == 0 || len(b.covered.exposed) == 0 {
		t, note := timeline.Track{Log: true}, "none were read"
		for _, x := range b.bands {
			t.Gaps = append(t.Gaps, timeline.Gap{Span: x})
		}
		if len(b.state.Readings) > 0 {
			note = "none of the exposure were read"
		}
		return []lane{b.lane("Logs", note, t)}
	}
	for i, a := range b.covered.of {
		if i == maxSources {
			n := len(b.covered.of) - i
			return append(out, b.lane("Logs of others", Plural(n, "authority more is", "authorities more are")+" not drawn: the report has the coverage of each", timeline.Track{Log: true}))
		}
		t, note := timeline.Track{Log: true}, "covers "+percent(a.share(), b.covered.exposed.length())+" of the exposure"
		for _, x := range a.covered {
			t.Covered = append(t.Covered, timeline.Span{From: x.From, To: x.To})
		}
		for _, x := range b.covered.exposed.without(a.covered) {
			t.Gaps = append(t.Gaps, timeline.Gap{Span: timeline.Span{From: x.From, To: x.To}})
		}
		if a.logged < a.servers && !a.noLog { // what the others have says nothing of those
			t.Gaps = nil
			for _, x := range b.covered.exposed {
				t.Gaps = append(t.Gaps, timeline.Gap{Span: timeline.Span{From: x.From, To: x.To}})
			}
			t.Covered = nil
			note += ", " + Plural(a.servers-a.logged, "server without a log", "servers without a log")
		}
		if a.noLog {
			note = "no log is known to be of it"
			if b.covered.neverEnded > 0 {
				note = "no log is known from a reading that ended"
			}
		}
		out = append(out, b.lane("Log: "+shortName(a.name), note, t))
	}
	return out
}

// single are the credentials with a line of their own, and one line for all
// others.
func (b *campaignBuild) single() (p picture, rest, beyond string) {
	var lanes []lane
	size := 0
	for _, r := range b.rows {
		if size > maxRowBytes/2 {
			break
		}
		r.finish(&b.drawing, true)
		if r.Why == "" {
			r.Why, r.Class = r.words, r.class
		} else if r.class != "good" {
			r.Said = append(r.Said, r.words)
		}
		if r.took > 0 {
			r.Said = append(r.Said, span(r.took)+" after its new value was set")
		}
		size += len(r.Draw) + len(r.Near)
		lanes = append(lanes, r.lane)
	}
	drawn := len(lanes)
	if len(b.restDied) > 0 {
		lanes = append(lanes, b.restLane())
	}
	var words []string
	if n := len(b.restDied); n > 0 {
		words = append(words, fmt.Sprintf("%d proved dead from %s to %s", n, clock(b.restDied[0].In(b.zone)), clock(b.restDied[n-1].In(b.zone))))
	}
	if b.restWaiting > 0 {
		words = append(words, fmt.Sprintf("%d waiting", b.restWaiting))
	}
	if len(words) > 0 {
		rest = "Without a line of their own: " + strings.Join(words, ", ") + ". No log that was read has a sign of use of them, which says nothing of what no log has."
		if len(b.state.Readings) == 0 {
			rest = "Without a line of their own: " + strings.Join(words, ", ") + "."
		}
	}
	if n := b.interesting - drawn; n > 0 {
		beyond = Plural(n, "credential more that was used or tried, or is not proved dead everywhere, is", "credentials more that were used or tried, or are not proved dead everywhere, are") + " not drawn here: the picture in all counts them, and each is where all credentials are."
	}
	return b.each(lanes), rest, beyond
}

func (b *campaignBuild) restLane() lane {
	deaths := turnsAt(timeline.Full, b.restDied)
	l, n := b.marks(turnLane{"", deaths})
	if b.near != nil {
		far := drawing{axis: b.axis.Ticked(besideTicks), bands: b.bands, moments: b.moments}
		l, n = far.marks(turnLane{"", deaths})
	}
	l.Label, l.Note = "All others", Plural(n, "stolen value, proved dead", "stolen values, proved dead")
	if b.near != nil {
		near := b.near.Ticked(nearTicks)
		l.Near = near.Draw(timeline.Track{Marks: append([]timeline.Event{}, near.Thin(only(&near, deaths))...)})
	}
	return l
}
