package report

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/plural"
	"rollcall/internal/timeline"
)

// Evidence is what a page of evidence shows.
type Evidence struct {
	Device   string
	Campaign string // whose ledger the roll is from; empty: it was listed afresh
	Result   *judge.Result
	// Credentials are those of the roll, with when each was rotated as far as
	// the ledger says.
	Credentials []judge.Credential
	Contained   time.Time // zero where nobody says
	Now         time.Time
	Zone        *time.Location
	// Notes and Limits say what the notes of a source mean, and what it cannot
	// show.
	Notes, Limits map[string]string
}

// A page of a hundred thousand credentials has to open on a phone: what is
// beyond these is counted, and said.
const (
	maxRows     = 200
	maxRowBytes = 2 << 20
	maxFindings = 300
	maxSources  = 40
	maxGaps     = 200
	maxName     = 160 // characters of one name
)

var (
	//go:embed evidence.html.tmpl
	evidenceSource string
	//go:embed evidence.css
	evidenceCSS string
)

var evidencePage = template.Must(template.New("evidence").Funcs(template.FuncMap{"clean": Clean, "name": shortName}).Parse(evidenceSource + pictureSource))

// EvidenceHTML writes one file that loads nothing from anywhere and has no
// script: the picture, a row for each credential that has something to show,
// the findings, and what no log covers.
func EvidenceHTML(w io.Writer, e Evidence) error {
	whole := bufio.NewWriterSize(w, 1<<16)
	err := evidencePage.Execute(whole, newEvidencePage(e))
	if err == nil {
		err = whole.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the page of evidence: %w", err)
	}
	return nil
}

// evidenceData is what the template shows.
type evidenceData struct {
	CSP    string
	CSS    template.CSS
	Shapes template.HTML

	Title            string
	Class            string
	Signs, Of        int
	Headline, Beside []string
	Facts            []about
	All              picture
	MoreLanes        string
	Close            *picture // nil where the rotation is seen well enough
	Legend           legend
	Each             picture
	MoreRows         string
	Silent           string
	Findings         []foundText
	MoreFindings     string
	Gaps             []gapText
	MoreGaps         string
	Sources          []sourceText
	MoreSources      string
	Made, Zone       string
}

func newEvidencePage(e Evidence) evidenceData {
	css := pageCSS + timeline.CSS + pictureCSS + evidenceCSS
	b := newEvidenceBuild(e)
	d := evidenceData{
		CSP: fmt.Sprintf("default-src 'none'; style-src '%s'; base-uri 'none'; form-action 'none'", sourceHash(css)),
		CSS: template.CSS(css), Shapes: timeline.Shapes(), //nolint:gosec // embedded at build time
		Legend: legend{Turns: e.Campaign != "", Contained: !e.Contained.IsZero(), Exposed: true, Signs: true, Bars: true, Logs: true}, Of: e.Result.Credentials, Made: b.clock(e.Now), Zone: e.Zone.String(),
	}
	d.All = picture{Head: b.axis.Head(b.bands), Lanes: b.lanes()}
	if n := len(b.numbered) - maxSources; n > 0 {
		d.MoreLanes = Plural(n, "log more is", "logs more are") + " not drawn; -o json has each."
	}
	d.Close = b.closeUp(nil, append(b.turnLanes(), turnLane{"Signs of use", slices.Values(b.signs())}, turnLane{"Tried after death", slices.Values(b.tries())})...)
	rows, more := b.drawn()
	d.Each, d.MoreRows = b.each(rows), more
	d.Silent = b.silent()
	d.Findings, d.MoreFindings = b.findings()
	d.Gaps, d.MoreGaps = b.gaps()
	d.Sources, d.MoreSources = b.sources()
	d.Facts = b.facts()
	d.headline(b)
	return d
}

// headline says the most important thing first, and never that something was
// not used.
func (d *evidenceData) headline(b *evidenceBuild) {
	byGrade, tried, tries := map[judge.Grade]int{}, 0, 0
	offRoll := 0
	for _, r := range b.rows {
		switch {
		case r.off && r.fromDevice:
			offRoll++
		case !r.off && r.grade != "":
			byGrade[r.grade]++
		}
		if r.tries > 0 {
			tried++
			tries += r.tries
		}
	}
	var grades []string
	for _, g := range []judge.Grade{judge.Confirmed, judge.Probable} {
		if byGrade[g] > 0 {
			grades = append(grades, fmt.Sprintf("%d %s", byGrade[g], g))
		}
	}
	d.Signs = byGrade[judge.Confirmed] + byGrade[judge.Probable]
	switch {
	case d.Signs > 0:
		d.Class = "bad"
	case byGrade[judge.Possible]+offRoll+tried+b.gapCount > 0:
		d.Class = "warn"
	}
	possible := Plural(byGrade[judge.Possible], "credential", "credentials")
	switch {
	case d.Signs > 0:
		d.Title = strings.Join(grades, ", ")
	case byGrade[judge.Possible] > 0:
		d.Title = "Possible signs of use by somebody else, and none that is more, on " + possible
	default:
		d.Title = "No sign of use by somebody else in what the logs cover"
	}
	if d.Signs > 0 && byGrade[judge.Possible] > 0 {
		d.Headline = append(d.Headline, sentence(possible+" besides "+plural.Pick(byGrade[judge.Possible], "shows", "show")+" possible signs, which may be ordinary use"))
	}
	if offRoll > 0 {
		d.Headline = append(d.Headline, Plural(offRoll, "account that is not on the roll was used or tried from the device.", "accounts that are not on the roll were used or tried from the device."))
	}
	if tries > 0 {
		d.Headline = append(d.Headline, fmt.Sprintf("%s after the stolen value was dead, on %s.", Plural(tries, "login was refused", "logins were refused"), Plural(tried, "credential", "credentials")))
	}
	switch {
	case b.gapCount > 0:
		d.Beside = append(d.Beside, Plural(b.gapCount, "stretch", "stretches")+" of the exposure without a record: what happened then is not known. No record is not “not used”.")
	default:
		d.Beside = append(d.Beside, "The logs have lines throughout the exposure. No record is still not “not used”: see what each log cannot show.")
	}
}

// about is something to know before the picture.
type about struct {
	What   string
	Values []string
}

func (b *evidenceBuild) facts() (out []about) {
	add := func(what string, values ...string) { out = append(out, about{what, values}) }
	add("Device", b.Device)
	if b.Campaign != "" {
		add("Roll", "of campaign "+b.Campaign)
	} else {
		add("Roll", "listed afresh")
	}
	var windows []string
	for _, w := range b.Result.Windows[:min(len(b.Result.Windows), maxWindows)] {
		to := "now"
		if !w.To.IsZero() {
			to = b.clock(w.To)
		}
		windows = append(windows, b.clock(w.From)+" to "+to)
	}
	if more := len(b.Result.Windows) - maxWindows; more > 0 {
		windows = append(windows, Plural(more, "window more", "windows more"))
	}
	if len(windows) > 0 {
		add("Exposure: in foreign hands", windows...)
	}
	if !b.Contained.IsZero() {
		add("Contained since", b.clock(b.Contained))
	}
	files, lines := 0, 0
	for _, s := range b.Result.Sources {
		files, lines = files+len(s.Files), lines+s.Lines
	}
	add("Logs", Plural(lines, "line", "lines")+" in "+Plural(files, "file", "files"))
	add("Page made", b.clock(b.Now)+", times in "+b.Zone.String())
	return out
}

const maxWindows = 6

func (b *evidenceBuild) clock(t time.Time) string { return clock(t.In(b.Zone)) }

func (b *evidenceBuild) span(from, to time.Time) string {
	if b.clock(from) == b.clock(to) {
		return b.clock(from)
	}
	return b.clock(from) + " to " + b.clock(to)
}

// shortName is a name from outside, cut where it would fill the page.
func shortName(s string) string {
	if len(s) > 4*maxName {
		s = strings.ToValidUTF8(s[:4*maxName], "")
	}
	return cut(Clean(s), maxName)
}

// foundText is one finding in words.
type foundText struct {
	Grade  judge.Grade
	Code   judge.Code
	Words  string
	When   string
	Rule   string
	Doubts []event.Doubt
	Known  string // the indicator that was met
	Seen   []seenText
	More   string
}

type seenText struct{ Where, What string }

func (b *evidenceBuild) findings() (out []foundText, more string) {
	all := b.Result.Findings
	for _, f := range all[:min(len(all), maxFindings)] {
		f.Account, f.Target, f.Group, f.ValueOf = shortName(f.Account), shortName(f.Target), shortName(f.Group), shortName(f.ValueOf)
		t := foundText{Grade: f.Grade, Code: f.Code, Words: f.Words(), When: b.span(f.First, f.Last), Rule: f.Rule, Doubts: f.Doubts}
		if f.Indicator != "" && f.IndicatorAt != "" {
			t.Known = "it is the indicator " + shortName(f.Indicator) + " of " + shortName(f.IndicatorAt)
		}
		for _, s := range f.Seen {
			t.Seen = append(t.Seen, seenText{fmt.Sprintf("%s line %d", shortName(s.File), s.Line), b.fields(s)})
		}
		if n := f.Count - len(f.Seen); n > 0 {
			t.More = fmt.Sprintf("and %d more", n)
		}
		out = append(out, t)
	}
	if n := len(all) - len(out); n > 0 {
		more = Plural(n, "finding more is", "findings more are") + " not written out here: the picture counts all, and -o json has each"
	}
	return out, more
}

func (b *evidenceBuild) fields(s judge.Sighting) string {
	out := []string{b.clock(s.At)}
	for _, f := range []struct{ before, text string }{{"on ", s.Server}, {"", s.Account}, {"from ", strings.Join(append([]string{s.Address}, s.Others...), " or ")}, {"", s.Method}, {"", string(s.Outcome)}, {"", s.Code}} {
		if f.text != "" {
			out = append(out, f.before+shortName(f.text))
		}
	}
	return strings.Join(out, " ")
}
