package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// named is how many credentials the text names below one reason or finding;
// the JSON and HTML reports have all.
const named = 8

// noCampaign is said of a ledger before its first entry.
const noCampaign = "Rollcall · this ledger holds no campaign yet\n"

// Text writes the report for a terminal of a width in columns: the counts, the
// open ones with reasons and what to do, findings, the ledger. It has no colour
// and no cursor movement, so that it can be kept in a file.
func Text(w io.Writer, s *ledger.State, v Verification, width int) error {
	width = max(width, 40)
	f := figuresOf(s)
	var b strings.Builder
	if s.Campaign == "" {
		_, err := io.WriteString(w, noCampaign)
		return err
	}
	title := "Rollcall · campaign " + Clean(s.Campaign)
	if !strings.Contains(s.Campaign, s.Device) {
		title += " · device " + Clean(s.Device)
	}
	b.WriteString(Wrap(title+" · "+string(s.Phase), "", width) + "\n")
	if n := len(v.Problems); n > 0 {
		b.WriteString(Wrap("Do not rely on this report: the ledger failed verification ("+Plural(n, "problem", "problems")+", at the end)", "! ", width) + "\n")
	}
	b.WriteString(Wrap(headline(f.All), "  ", width))
	for _, line := range []string{endedLine(s, f.All), timesLine(f), proofLine(f), againLine(f)} {
		if line != "" {
			b.WriteString(Wrap(Clean(line), "  ", width))
		}
	}
	if s.Containment != nil {
		b.WriteString(Wrap(Clean(containment(s)), "  ", width))
	}
	for _, from := range s.TookOver {
		b.WriteString(Wrap(tookOver(from), "  ", width))
	}
	aboutText(&b, s, width)
	for _, f := range once(incomplete(s)) {
		b.WriteString(Wrap("perhaps not all: "+Clean(f.Detail)+" ("+string(f.Code)+")", "  ! ", width))
	}
	profileText(&b, s, width)
	if text := tasksText(tasksFor(s, s.LatestAt), width); text != "" {
		b.WriteString("\n" + text)
	}
	leftOutText(&b, s, width)
	acceptedText(&b, s, width)
	openText(&b, s, f, width)
	doorsText(&b, s, width)
	handOverText(&b, f, width)
	usedByText(&b, s, width)
	logsText(&b, s, width)
	findingsText(&b, s, f, width)
	if len(s.Excluded) > 0 {
		b.WriteString("\nExcluded by a person\n")
		for _, e := range s.Excluded[:min(named, len(s.Excluded))] {
			b.WriteString(Wrap(Clean(e.Name)+": "+Clean(e.Reason), "  ", width))
		}
		more(&b, "  ", len(s.Excluded))
	}
	actionsText(&b, s, width)
	v.At = v.At.In(zoneOf(s))
	ledgerText(&b, v, width)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// containment says how the device was contained when the roll was listed.
func containment(s *ledger.State) string {
	return strings.Join(s.Containment.WordsIn(zoneOf(s)), "; ")
}

// tookOver says which campaign was ended, whose, and why.
func tookOver(t ledger.TookFrom) string {
	line := "took over from campaign " + Clean(t.Campaign)
	if t.Actor != "" {
		line += ", started by " + Clean(t.Actor)
	}
	if t.Asked {
		return line + ": a person asked for it (--take-over)"
	}
	return line + ": it gave no sign of life any more"
}

// incomplete are the warnings that something may be missing from the roll.
func incomplete(s *ledger.State) []credential.Finding {
	return slices.DeleteFunc(slices.Clone(s.Findings), func(f credential.Finding) bool { return !f.Code.Incomplete() })
}

// Headline is the campaign in one line: "41 listed · 38 dead · 3 open". What is
// dead on some places only, and by people's word alone, is counted apart.
func Headline(s *ledger.State) string { return headline(figuresOf(s).All) }

func headline(t tally) string {
	line := fmt.Sprintf("%d listed · %d dead", t.Listed, t.OnAll())
	if t.OnSome > 0 {
		line += fmt.Sprintf(" on all %s · %d dead on some only", t.Places(), t.OnSome)
	}
	if t.Attested > 0 {
		line += fmt.Sprintf(" · %d attested by people", t.Attested)
	}
	line += fmt.Sprintf(" · %d open", t.notDead())
	if t.Exceptions > 0 && t.Exceptions < t.notDead() {
		line += fmt.Sprintf(" (%s)", Plural(t.Exceptions, "exception", "exceptions"))
	}
	return line
}

func timesLine(f figures) string {
	if f.All.Dead == 0 {
		return ""
	}
	line := fmt.Sprintf("first dead after %s, last after %s", span(f.FirstDead), span(f.LastDead))
	if f.Measured > 0 {
		line += fmt.Sprintf("; from Set to proof: median %s, p99 %s", span(f.Median), span(f.P99))
	}
	return line
}

func proofLine(f figures) string {
	shown := maps.Clone(f.ByProof)
	delete(shown, protocol.ProofAttested)
	var lines []string
	if parts := byProof(shown); len(parts) > 0 {
		line := "proved dead: " + strings.Join(parts, ", ")
		if f.ByProof[protocol.ProofMetadata] > 0 {
			line += " (metadata is " + proofs[protocol.ProofMetadata] + ")"
		}
		lines = append(lines, line)
	}
	if n := f.All.Attested; n > 0 {
		lines = append(lines, fmt.Sprintf("attested: %d (%s)", n, proofs[protocol.ProofAttested]))
	}
	return strings.Join(lines, "; ")
}

func byProof(n map[protocol.Proof]int) (parts []string) {
	for _, p := range []protocol.Proof{protocol.ProofBind, protocol.ProofRevoked, protocol.ProofDoors, protocol.ProofMetadata, protocol.ProofAttested} {
		if n[p] > 0 {
			parts = append(parts, fmt.Sprintf("%d by %s", n[p], p))
		}
	}
	return parts
}

func openText(b *strings.Builder, s *ledger.State, f figures, width int) {
	if f.All.notDead() == 0 {
		return
	}
	b.WriteString("\nOpen\n")
	if a := s.OpenAccepted; a != nil {
		b.WriteString(Wrap(Clean(leftOpen(a)), "  ", width))
	}
	if line := unowned(s); line != "" {
		b.WriteString(Wrap(line, "  ! ", width))
	}
	for _, g := range f.ByReason {
		a := adviceFor(g.Reason)
		reason := string(g.Reason)
		if reason == "" {
			reason = "not-reached"
		}
		b.WriteString(Wrap(fmt.Sprintf("%s (%d): %s", reason, len(g.Lines), a.Title), "  ", width))
		shared := sharedDetail(g.Lines)
		if shared != "" {
			b.WriteString(Wrap(Clean(shared), "    ", width))
		}
		before := ""
		for _, l := range byDetail(g.Lines, func(l *ledger.CredentialState) string { return l.Detail })[:min(named, len(g.Lines))] {
			b.WriteString(Wrap(nameOf(l), "    ", width))
			var facts []string
			if l.Step != "" {
				facts = append(facts, "at "+string(l.Step))
			}
			if l.Server != "" {
				facts = append(facts, "on "+l.Server)
			}
			facts = append(facts, "since "+clock(l.Since))
			if hidden := hiddenBy(l); hidden != "" {
				facts = append(facts, hidden)
			}
			if !l.Until.IsZero() {
				facts = append(facts, "until "+clock(l.Until)+" at most")
			}
			if l.Accepted != nil {
				facts = append(facts, leftOpen(l.Accepted))
			} else if s.AcceptedAs(l) == nil {
				facts = append(facts, listedOwner(l)...)
			}
			switch {
			case shared != "" || l.Detail == "":
			case l.Detail == before:
				facts = append(facts, asAbove)
			default:
				facts = append(facts, l.Detail)
			}
			before = l.Detail
			b.WriteString(Wrap(Clean(strings.Join(facts, ", ")), "      ", width))
		}
		more(b, "    ", len(g.Lines))
		b.WriteString(Wrap(a.Next, "    → ", width))
	}
	if n := f.All.Waiting + f.All.InWork; n > 0 {
		b.WriteString(fmt.Sprintf("  %d not yet brought to an end: %d waiting, %d in work\n", n, f.All.Waiting, f.All.InWork))
	}
}

// hiddenBy says what kept a credential open before outages hid that, or since
// when they hide whether it still does; nothing where none did.
func hiddenBy(l *ledger.CredentialState) string {
	switch own := l.Own; {
	case own.Reason != "":
		where := ""
		if own.Server != "" {
			where = " on " + own.Server
		}
		return fmt.Sprintf("before that %s%s, since %s (%s)", own.Reason, where, clock(own.Since), adviceFor(own.Reason).Title)
	case !l.Unseen.IsZero():
		return "not looked at since " + clock(l.Unseen)
	}
	return ""
}

// handOverText says where the temporary passwords of people are. Only those
// that are proved: the others may be set once more.
func handOverText(b *strings.Builder, f figures, width int) {
	if len(f.HandOver) == 0 {
		return
	}
	b.WriteString("\n" + Wrap("To hand over: temporary passwords, which their owners must change at the next log-on", "", width))
	for _, l := range f.HandOver[:min(named, len(f.HandOver))] {
		b.WriteString(Wrap(nameOf(l), "  ", width))
		b.WriteString(Wrap(Clean(l.Paths[0].String()), "    ", width))
	}
	more(b, "  ", len(f.HandOver))
}

// asAbove stands for a detail that the line before has.
const asAbove = "as above"

// byDetail brings lines of one detail together, so that it is said once.
// Otherwise their order stays.
func byDetail[T any](lines []T, detail func(T) string) []T {
	first := map[string]int{}
	for i, l := range lines {
		if _, seen := first[detail(l)]; !seen {
			first[detail(l)] = i
		}
	}
	out := slices.Clone(lines)
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(first[detail(a)], first[detail(b)]) })
	return out
}

// sharedDetail is the detail of several lines if it is the same for all.
func sharedDetail(lines []*ledger.CredentialState) string {
	for _, l := range lines {
		if len(lines) == 1 || l.Detail != lines[0].Detail {
			return ""
		}
	}
	return lines[0].Detail
}

func findingsText(b *strings.Builder, s *ledger.State, f figures, width int) {
	// What may be missing is said at the top.
	ofAll := once(slices.DeleteFunc(slices.Clone(s.Findings), func(f credential.Finding) bool { return f.Code.Incomplete() }))
	if len(f.ByFinding)+len(ofAll) == 0 {
		return
	}
	b.WriteString("\nFindings for the investigator\n")
	for _, g := range f.ByFinding {
		b.WriteString(Wrap(fmt.Sprintf("%s (%d): %s", g.Code, len(g.Lines), findingAdvice(g.Code).Title), "  ", width))
		before := ""
		for _, l := range byDetail(g.Lines, func(l foundLine) string { return l.Detail })[:min(named, len(g.Lines))] {
			text := nameOf(l.CredentialState)
			switch {
			case l.Detail == "":
			case l.Detail == before:
				text += ": " + asAbove
			default:
				text += ": " + Clean(l.Detail)
			}
			before = l.Detail
			b.WriteString(Wrap(text, "    ", width))
		}
		more(b, "    ", len(g.Lines))
	}
	for i, c := range ofAll {
		if n := alike(ofAll, c.Code); n > 1 {
			if i == 0 || ofAll[i-1].Code != c.Code {
				b.WriteString(Wrap(fmt.Sprintf("%s (%d): %s", c.Code, n, findingAdvice(c.Code).Title), "  ", width))
			}
			b.WriteString(Wrap(Clean(c.Detail), "    ", width))
			continue
		}
		b.WriteString(Wrap(string(c.Code)+": "+findingAdvice(c.Code).Title+". "+Clean(c.Detail), "  ", width))
	}
}

// once are findings of a campaign without those that say the same again, those
// of one code together.
func once(all []credential.Finding) (out []credential.Finding) {
	for _, f := range byDetail(all, func(f credential.Finding) string { return string(f.Code) }) {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func alike(all []credential.Finding, code credential.FindingCode) (n int) {
	for _, f := range all {
		if f.Code == code {
			n++
		}
	}
	return n
}

func ledgerText(b *strings.Builder, v Verification, width int) {
	b.WriteString("\n" + Wrap(LedgerLine(v), "", width))
	for _, p := range v.Problems {
		b.WriteString(Wrap(Clean(p), "  ! ", width))
	}
	if v.Command != "" {
		b.WriteString("  verify it yourself: " + v.Command + "\n")
		if len(v.Fetch) > 0 {
			b.WriteString(Wrap("these two files come from Vault, and not from beside the ledger:", "    ", width))
		}
		for _, c := range v.Fetch {
			b.WriteString("    " + c + "\n")
		}
	}
}

// LedgerLine is the ledger in one line, first of all whether it was verified.
func LedgerLine(v Verification) string {
	line := "ledger: NOT VERIFIED"
	switch {
	case len(v.Problems) > 0:
		line = "ledger: VERIFICATION FAILED with " + Plural(len(v.Problems), "problem", "problems")
	case !v.At.IsZero():
		line = "ledger: verified " + clock(v.At)
	}
	line += ", " + entries(v.Size)
	if v.Root != "" {
		line += ", root " + v.Root
	}
	return line
}

func entries(n uint64) string { return Plural(int(n), "entry", "entries") }

func more(b *strings.Builder, indent string, n int) {
	if n > named {
		fmt.Fprintf(b, "%s… and %d more\n", indent, n-named)
	}
}

// nameOf is the credential's name and, where that does not show it, its
// authority.
func nameOf(l *ledger.CredentialState) string {
	name := l.Name
	if name == "" {
		name = l.ID
	}
	if l.Authority != "" {
		name += "  [" + l.Authority + "]"
	}
	return Clean(name)
}
