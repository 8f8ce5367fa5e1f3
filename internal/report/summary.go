package report

import (
	"bufio"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// The summary is one page for whoever answers for the incident: what is dead,
// what is not and who sees to it, what makes the result weaker, who decided
// what. Everything in it is in the report too, with the evidence.

// most of each list that the page has room for.
const (
	mostOpen  = 6
	mostWeak  = 6
	mostDeeds = 7
)

type summary struct {
	CSP, Campaign, Device, Zone string
	CSS                         template.CSS
	Made                        time.Time
	All                         tally
	Bar                         []barPart
	Legend                      []legendPart
	Verdict                     verdict
	Facts                       []fact
	Open                        []summaryOpen
	Weaker                      []string
	Did                         []did
	Beyond                      string
	Ledger                      string
	Broken, Unverified          bool
}

type fact struct{ What, Value string }

// summaryOpen is one reason, and who sees to it where the ledger says so.
type summaryOpen struct {
	Count        int
	What, Do, By string
}

// beyond is what no campaign shows, in the length that a page has room for.
const beyond = "Not shown here: what was read or changed with the stolen values before they died, sessions that were open meanwhile, what an intruder gave to himself by other means, and credentials that no source named."

func summaryOf(s *ledger.State, v Verification, made time.Time) summary {
	f := figuresOf(s)
	d := summary{
		CSP: contentSecurityPolicy(pageCSS), CSS: template.CSS(pageCSS), //nolint:gosec // embedded at build time
		Campaign: s.Campaign, Device: s.Device, Zone: zoneOf(s).String(), Made: made.In(zoneOf(s)),
		All: f.All, Bar: barOf(f.All), Legend: legendOf(f.All), Verdict: verdictOf(s, f.All), Facts: factsOf(s, f),
		Weaker: weakerOf(s, f), Beyond: beyond, Ledger: LedgerLine(v), Broken: len(v.Problems) > 0, Unverified: v.At.IsZero(),
	}
	for i, g := range f.ByReason {
		if i == mostOpen {
			n := 0
			for _, rest := range f.ByReason[i:] {
				n += len(rest.Lines)
			}
			d.Open = append(d.Open, summaryOpen{Count: n, What: "For other reasons", Do: "See the report."})
			break
		}
		a := adviceFor(g.Reason)
		d.Open = append(d.Open, summaryOpen{len(g.Lines), a.Title, firstSentence(a.Next), cmp.Or(ownersOf(s, g.Lines), "not named")})
	}
	if n := f.All.Waiting + f.All.InWork; n > 0 {
		d.Open = append(d.Open, summaryOpen{Count: n, What: notEnded, Do: whatOfTheRest(s)})
	}
	d.Did = notable(actionsOf(s))
	return d
}

// notable leaves out pauses where there is no room for all.
func notable(all []did) (out []did) {
	for _, a := range all {
		if len(all) > mostDeeds && (a.Event == ledger.CampaignPaused || a.Event == ledger.CampaignResumed) {
			continue
		}
		out = append(out, a)
	}
	if n := len(out) - mostDeeds; n > 0 {
		// The start and the end say most.
		out = append(out[:mostDeeds-1:mostDeeds-1], out[len(out)-1])
	}
	return out
}

func factsOf(s *ledger.State, f figures) (out []fact) {
	add := func(what, value string) {
		if value != "" {
			out = append(out, fact{what, value})
		}
	}
	add("Incident", s.Incident.Words())
	add("In foreign hands", s.Exposure)
	if s.Containment != nil {
		add("Contained", s.Containment.WordsIn(zoneOf(s))[0])
	}
	add("Campaign", startedLine(s))
	if f.All.Dead > 0 {
		dead := fmt.Sprintf("first after %s, last after %s", span(f.FirstDead), span(f.LastDead))
		if c := s.Containment; c != nil && !c.At.IsZero() && c.At.Before(s.StartedAt) {
			dead += fmt.Sprintf(" (%s after the device was contained)", span(s.StartedAt.Add(f.LastDead).Sub(c.At)))
		}
		add("Values dead", dead)
	}
	n, left := 0, 0
	dirs := directoriesOf(s)
	for _, d := range dirs {
		for _, server := range d.Servers {
			if n++; server.LeftOut {
				left++
			}
		}
	}
	if n > 0 {
		text := Plural(n, "server", "servers") + " of " + Plural(len(dirs), "authority", "authorities")
		if left > 0 {
			text += fmt.Sprintf(", %d left out by a person", left)
		}
		add("Asked", text)
	}
	if logs := logsOf(s, 0); logs != nil {
		add("Signs of use", capital(logs.Headline)+". "+noRecordMeans)
	}
	if s.Spec != nil {
		add("Campaign file", "sha256 "+s.Spec.FileSHA256)
	}
	return out
}

// weakerOf is what makes the result less than "each stolen value is dead
// everywhere".
func weakerOf(s *ledger.State, f figures) (out []string) {
	for _, l := range leftOutOf(s) {
		out = append(out, fmt.Sprintf("%s was left out by %s (%s): %s dead without it.", capital(l.Name()), l.Actor, l.Reason, Plural(l.Dead, "credential is", "credentials are")))
	}
	for _, l := range s.Accepted {
		out = append(out, fmt.Sprintf("Login %s was accepted as open by %s (%s): whoever stole it may have new values.", l.Name, l.Actor, l.Reason))
	}
	if n := f.ByProof[protocol.ProofMetadata]; n > 0 {
		out = append(out, Plural(n, "value was", "values were")+" not known here, and dead by the change time alone.")
	}
	if n := f.All.Attested; n > 0 {
		out = append(out, Plural(n, "credential is", "credentials are")+" dead by the word of people: no server was asked.")
	}
	if n := len(s.Excluded); n > 0 {
		out = append(out, Plural(n, "credential was", "credentials were")+" excluded by a person, and not rotated.")
	}
	if n := len(incomplete(s)); n > 0 {
		out = append(out, "The list may be incomplete: "+Plural(n, "warning says", "warnings say")+" so.")
	}
	if c := s.Containment; c != nil && c.Override != "" {
		out = append(out, fmt.Sprintf("The device may not be contained; %s went on all the same: %s.", c.OverrideBy, strings.TrimSuffix(c.Override, ".")))
	}
	if s.Profile != nil {
		complete, clean := ends(s)
		out = append(out, "Complete: "+complete+". Clean: "+clean+".")
	}
	if againLine(f) != "" {
		out = append(out, sentence(againLine(f)))
	}
	if n := len(out) - mostWeak; n > 0 {
		out = append(out[:mostWeak], fmt.Sprintf("And %d more: see the report.", n))
	}
	return out
}

// notEnded is what is neither dead nor given up.
const notEnded = "Not brought to an end yet"

// whatOfTheRest is what becomes of what is not brought to an end.
func whatOfTheRest(s *ledger.State) string {
	switch s.Phase {
	case ledger.Paused:
		return sentence(PausedLine(s))
	case ledger.Aborting, ledger.Closing:
		return "The campaign is being ended: what is not in hand stays open."
	case ledger.Closed:
		return "The campaign has ended: run again."
	}
	return "The campaign goes on."
}

// ownersOf are those who see to credentials, each once, with the soonest time
// by which.
func ownersOf(s *ledger.State, lines []*ledger.CredentialState) string {
	var out []string
	until := map[string]time.Time{}
	for _, l := range lines {
		owner, due := seenToBy(s, l)
		if owner == "" {
			continue
		}
		was, seen := until[owner]
		if !seen {
			out = append(out, owner)
		}
		if !seen || was.IsZero() || !due.IsZero() && due.Before(was) {
			until[owner] = due
		}
	}
	for i, owner := range out {
		if due := until[owner]; !due.IsZero() {
			out[i] += ", due " + clock(due)
		}
	}
	const most = 3
	if n := len(out) - most; n > 0 {
		out = append(out[:most], fmt.Sprintf("and %d more", n))
	}
	return strings.Join(out, "; ")
}

// capital begins a sentence, unless it is a URL that does.
func capital(text string) string {
	if strings.Contains(text, "://") {
		return text
	}
	return upperFirst(text)
}

func upperFirst(text string) string {
	_, n := utf8.DecodeRuneInString(text)
	return strings.ToUpper(text[:n]) + text[n:]
}

func firstSentence(text string) string {
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}

// SummaryText writes the summary for a terminal or a mail.
func SummaryText(w io.Writer, s *ledger.State, v Verification, made time.Time, width int) error {
	if s.Campaign == "" {
		_, err := io.WriteString(w, noCampaign)
		return err
	}
	width = max(width, 40)
	v.At = v.At.In(zoneOf(s))
	d := summaryOf(s, v, made)
	var b strings.Builder
	b.WriteString(Wrap(Clean("Rollcall · summary · device "+d.Device+" · campaign "+d.Campaign), "", width))
	if d.Broken {
		b.WriteString("\n" + Wrap("Do not rely on this: the ledger failed verification", "! ", width))
	}
	b.WriteString("\n" + Wrap(Clean(d.Verdict.Title), "", width))
	b.WriteString(Wrap(Clean(d.Verdict.Text), "", width))
	b.WriteString("\n")
	for _, l := range d.Legend {
		b.WriteString("  " + l.Words + "\n")
	}
	fmt.Fprintf(&b, "  of %s\n\n", Plural(d.All.Listed, "stolen credential", "stolen credentials"))
	for _, f := range d.Facts {
		b.WriteString(Wrap(Clean(f.Value), "  "+pad(f.What, 18), width))
	}
	if len(d.Open) > 0 {
		b.WriteString("\nOpen\n")
	}
	for _, o := range d.Open {
		line := o.What + ". " + o.Do
		if o.By != "" {
			line += " Owner: " + o.By + "."
		}
		b.WriteString(Wrap(Clean(line), fmt.Sprintf("  %4d  ", o.Count), width))
	}
	if len(d.Weaker) > 0 {
		b.WriteString("\nTo know about this result\n")
	}
	for _, line := range d.Weaker {
		b.WriteString(Wrap(Clean(line), "  - ", width))
	}
	if len(d.Did) > 0 {
		b.WriteString("\nWho did what\n")
	}
	for _, a := range d.Did {
		line := clock(a.At) + "  " + a.Who + " " + a.Words
		if a.Why != "" {
			line += ": " + a.Why
		}
		b.WriteString(Wrap(Clean(line), "  ", width))
	}
	b.WriteString("\n" + Wrap(d.Beyond, "", width))
	b.WriteString(Wrap(Clean("made "+clock(d.Made)+", times in "+d.Zone), "", width))
	b.WriteString(Wrap(Clean(d.Ledger), "", width))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

//go:embed summary.html.tmpl
var summarySource string

var summaryPage = template.Must(template.New("summary").Funcs(template.FuncMap{
	"clock": clock, "stamp": rfc3339, "clean": Clean,
}).Parse(summarySource))

// SummaryHTML writes the summary as one file, which prints on one page and
// loads nothing.
func SummaryHTML(w io.Writer, s *ledger.State, v Verification, made time.Time) error {
	v.At = v.At.In(zoneOf(s))
	whole := bufio.NewWriter(w)
	err := summaryPage.Execute(whole, summaryOf(s, v, made))
	if err == nil {
		err = whole.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the HTML summary: %w", err)
	}
	return nil
}
