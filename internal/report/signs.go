package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// logsShown is what logs show of a campaign's credentials, and which part of
// the time that the device was in foreign hands they cover.
type logsShown struct {
	Headline string
	Signed   int // credentials with signs
	Lines    []signedLine
	More     int // credentials with signs that are not in Lines
	Covered  []coverLine
	Readings []readLine
	Others   []string // counts of what is about no credential of the roll
}

// signedLine is a credential with signs of use by others.
type signedLine struct {
	*ledger.CredentialState
	Said []string // each sign
}

// coverLine is which part of the exposure the logs of one authority cover.
type coverLine struct {
	Authority string
	Words     string
	Gaps      []string
	More      int // gaps beyond these
}

// readLine is one reading of logs.
type readLine struct {
	ID, Words string
	Logs      []credential.ReadLog
	More      int // logs beyond these
}

// noRecordMeans is said wherever coverage is: what no log has is not known.
const noRecordMeans = "No record is not \"not used\": it says that the lines that are there do not have it."

// mostSigned credentials, gaps of an authority and logs of a reading are named
// in text and HTML; JSON has all.
const (
	mostSigned   = 100
	mostGapLines = 12
	mostLogLines = 50
)

// logsOf is what logs show; nil where none were read.
func logsOf(s *ledger.State, most int) *logsShown {
	if len(s.Readings) == 0 {
		return nil
	}
	out := &logsShown{}
	byGrade := map[credential.Grade]int{}
	var all []*ledger.CredentialState
	for l := range s.All() {
		if worst := l.Worst(); worst != nil {
			byGrade[worst.Grade]++
			all = append(all, l)
		}
	}
	slices.SortStableFunc(all, func(a, b *ledger.CredentialState) int {
		x, y := a.Worst(), b.Worst()
		return cmp.Or(x.Grade.Rank()-y.Grade.Rank(), x.First.Compare(y.First))
	})
	out.Signed = len(all)
	for _, l := range all[:min(most, len(all))] {
		out.Lines = append(out.Lines, signedLine{l, SignsOf(l, zoneOf(s))})
	}
	out.More = len(all) - len(out.Lines)
	c := coverageOf(s)
	out.Covered, out.Headline = c.lines(zoneOf(s)), logsHeadline(out.Signed, byGrade, c)
	for _, r := range s.Readings {
		out.Readings = append(out.Readings, readLine{r.ID, readingWords(r, zoneOf(s)), r.Logs[:min(mostLogLines, len(r.Logs))], max(0, len(r.Logs)-mostLogLines)})
		out.Others = append(out.Others, elsewhereLines(r)...)
	}
	return out
}

// elsewhereLines count what a reading has about no credential of the roll.
func elsewhereLines(r *ledger.ReadLogs) (out []string) {
	for _, e := range r.Elsewhere {
		out = append(out, fmt.Sprintf("%s %s: %s (%s)", e.Grade, e.Code, Plural(e.Findings, "finding", "findings"), Plural(e.Count, "event", "events")))
	}
	return out
}

// SignsOf are the signs of a credential, each in a line, the surest first.
func SignsOf(l *ledger.CredentialState, zone *time.Location) (out []string) {
	signs := slices.Clone(l.Signs)
	slices.SortStableFunc(signs, func(a, b credential.SignOf) int {
		return cmp.Or(a.Grade.Rank()-b.Grade.Rank(), a.First.Compare(b.First))
	})
	for _, s := range signs {
		if line := SignLine(s.Sign, zone); !slices.Contains(out, line) { // of two readings of one log
			out = append(out, line)
		}
	}
	return out
}

// SignLine says a sign of use: "confirmed, used-elsewhere, 12 times, … from
// 192.0.2.7 (mail.log:1234)".
func SignLine(s credential.Sign, zone *time.Location) string {
	times := "once"
	if s.Count > 1 {
		times = Plural(s.Count, "time", "times")
	}
	line := fmt.Sprintf("%s, %s, %s, %s", s.Grade, s.Code, times, clock(s.First.In(zone)))
	if last := clock(s.Last.In(zone)); last != clock(s.First.In(zone)) {
		line += " to " + last
	}
	if n := len(s.Addresses); n > 0 {
		const most = 3
		line += " from " + strings.Join(s.Addresses[:min(most, n)], ", ")
		if more := n + s.MoreAddresses - most; more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
	}
	if s.At != nil {
		line += fmt.Sprintf(" (%s:%d)", s.At.Name, s.At.Line)
	}
	if len(s.Doubts) > 0 {
		line += ", in doubt: " + strings.Join(s.Doubts, ", ")
	}
	return line + ", by rule " + s.Rule
}

func logsHeadline(signed int, byGrade map[credential.Grade]int, c coverage) string {
	line := "no sign of use in what the logs cover"
	if signed > 0 {
		var grades []string
		for _, g := range []credential.Grade{credential.Confirmed, credential.Probable, credential.Possible} {
			if byGrade[g] > 0 {
				grades = append(grades, fmt.Sprintf("%d %s", byGrade[g], g))
			}
		}
		line = fmt.Sprintf("%s (%s)", Plural(signed, "credential shows signs of use", "credentials show signs of use"), strings.Join(grades, ", "))
	}
	if c.neverEnded > 0 {
		line += "; " + Plural(c.neverEnded, "reading of logs never ended, so findings may be missing", "readings of logs never ended, so findings may be missing")
	}
	return line + "; " + c.words()
}

func readingWords(r *ledger.ReadLogs, zone *time.Location) string {
	words := Plural(len(r.Logs), "log", "logs")
	if r.Follows {
		words += ", read as they are written"
	} else {
		words += ", read " + clock(r.ReadAt.In(zone))
	}
	if r.Actor != "" {
		words += fmt.Sprintf(", while the campaign ran, by %s: %s", r.Actor, r.Why)
	}
	if r.NeverEnded() {
		words += ", begun at " + clock(r.At.In(zone)) + " and never ended: findings of it may be missing, and it covers nothing"
	}
	if r.SHA256 != "" {
		words += "; sha256 of the result " + r.SHA256
	}
	if r.Ledger != "" {
		words += "; in ledger " + r.Ledger
	}
	if r.Counts != nil && r.Counts.NotKept > 0 {
		words += fmt.Sprintf("; %s of more accounts and addresses than are kept apart are in no finding", Plural(r.Counts.NotKept, "event", "events"))
	}
	return words
}

// logsText is the part of the report about logs.
func logsText(b *strings.Builder, s *ledger.State, width int) {
	d := logsOf(s, named)
	if d == nil {
		return
	}
	b.WriteString("\nSigns of use by others, as logs have them\n" + Wrap(d.Headline, "  ", width))
	for _, l := range d.Lines {
		b.WriteString(Wrap(nameOf(l.CredentialState), "  ", width))
		for _, said := range l.Said {
			b.WriteString(Wrap(Clean(said), "    ", width))
		}
	}
	more(b, "  ", d.Signed)
	for _, o := range d.Others {
		b.WriteString(Wrap(Clean(o), "  not on the roll: ", width))
	}
	for _, c := range d.Covered {
		b.WriteString(Wrap(Clean(c.Words), "  ", width))
		for _, g := range c.Gaps[:min(named, len(c.Gaps))] {
			b.WriteString(Wrap(Clean(g), "    gap: ", width))
		}
		more(b, "    ", len(c.Gaps)+c.More)
	}
	b.WriteString(Wrap(noRecordMeans, "  ", width))
	for _, r := range d.Readings {
		b.WriteString(Wrap(Clean(r.Words), "  reading "+r.ID+": ", width))
	}
}
