package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/judge"
	"rollcall/internal/plural"
	"rollcall/internal/report"
)

// printEvidenceJSON keeps what pages take for markup escaped: it holds text
// that strangers wrote.
func printEvidenceJSON(w io.Writer, r *judge.Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func printEvidence(w io.Writer, r *judge.Result, width int, zone *time.Location) error {
	p := &evidencePrinter{w: w, width: width, zone: zone}
	for _, win := range r.Windows {
		p.line("window: ", "%s", p.span(win.From, win.To))
	}
	p.findings(r.Findings)
	p.uses(r)
	p.coverage(r)
	p.line("", "%s on %s of the roll", report.Plural(len(r.Findings), "finding", "findings"), report.Plural(r.Credentials, "credential", "credentials"))
	return p.err
}

type evidencePrinter struct {
	w     io.Writer
	width int
	zone  *time.Location
	err   error
}

func (p *evidencePrinter) line(first, format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprint(p.w, report.Wrap(report.Clean(fmt.Sprintf(format, args...)), first, p.width))
	}
}

func (p *evidencePrinter) at(t time.Time) string { return t.In(p.zone).Format(time.RFC3339) }

func (p *evidencePrinter) span(from, to time.Time) string {
	switch {
	case to.IsZero():
		return p.at(from) + " until now"
	case p.at(from) == p.at(to):
		return p.at(from)
	}
	return p.at(from) + " to " + p.at(to)
}

func (p *evidencePrinter) findings(all []judge.Finding) {
	if len(all) == 0 {
		p.line("", "nothing was found in what the logs cover")
	}
	shown := map[judge.Grade]int{}
	for i, f := range all { // the surest first
		if shown[f.Grade]++; shown[f.Grade] > mostFindings {
			if i+1 == len(all) || all[i+1].Grade != f.Grade {
				p.line(string(f.Grade)+": ", "and %d more; -o json has all", shown[f.Grade]-mostFindings)
			}
			continue
		}
		p.line(string(f.Grade)+": ", "%s: %s; %s (rule %s)", f.Code, f.Words(), p.span(f.First, f.Last), f.Rule)
		if f.Indicator != "" && f.IndicatorAt != "" {
			p.line("    ", "it is the indicator %s of %s", f.Indicator, f.IndicatorAt)
		}
		for _, d := range f.Doubts {
			p.line("    ", "doubt: %s", d)
		}
		for _, s := range f.Seen {
			p.line("    ", "%s line %d: %s", s.File, s.Line, p.fields(s))
		}
		if more := f.Count - len(f.Seen); more > 0 {
			p.line("    ", "and %d more", more)
		}
	}
}

func (p *evidencePrinter) fields(s judge.Sighting) string {
	out := []string{p.at(s.At)}
	if s.Server != "" {
		out = append(out, "on "+s.Server)
	}
	if s.Account != "" {
		out = append(out, s.Account)
	}
	if s.Address != "" {
		out = append(out, "from "+strings.Join(append([]string{s.Address}, s.Others...), " or "))
	}
	for _, word := range []string{s.Method, string(s.Outcome), s.Code} {
		if word != "" {
			out = append(out, word)
		}
	}
	return strings.Join(out, " ")
}

// uses say of each credential what there is, and never that it was not used.
func (p *evidencePrinter) uses(r *judge.Result) {
	p.line("", "")
	none := 0
	for _, u := range r.Uses {
		if !u.Record {
			none++
			continue
		}
		var said []string
		for _, t := range []struct {
			what string
			judge.Tally
		}{{"from the device", u.Device}, {"from usual places", u.Usual}, {"from elsewhere", u.Elsewhere}, {"without an address", u.Nowhere}, {"refused", u.Refused}, {"with no answer in the logs, or one that is not about the value", u.Unclear}} {
			if t.Count > 0 {
				said = append(said, fmt.Sprintf("%s %d (%s)", t.what, t.Count, p.span(t.First, t.Last)))
			}
		}
		p.line("uses: ", "%s: %s", u.Name, strings.Join(said, ", "))
		if n := len(u.Places); n > 0 {
			p.line("  usual: ", "%s, where it was let in before the first window: is each of them yours?", named(u.Places[:min(n, mostShown)], n))
		}
	}
	if none > 0 {
		p.line("uses: ", "no record of %s, which says nothing about its use: see what is not covered", report.Plural(none, "credential", "credentials"))
	}
}

func (p *evidencePrinter) coverage(r *judge.Result) {
	p.line("", "")
	for _, s := range r.Sources {
		p.line("coverage: ", "%s: %s in %s, %s understood as events (%s)", report.SourceName(s), report.Plural(s.Lines, "line", "lines"),
			report.Plural(len(s.Files), "file", "files"), fmt.Sprint(s.Events), report.Plural(s.Logins, "login", "logins"))
		for _, c := range s.Covered[:min(len(s.Covered), mostShown)] {
			p.line("  covered: ", "%s", p.span(c.From, c.To))
		}
		p.more("  covered: ", len(s.Covered))
		p.gaps(s.Gaps)
		for _, n := range s.Notes {
			p.line("  note: ", "%s (%d, first at %s line %d): %s", n.Note, n.Count, n.First.File, n.First.Line, evidenceNotes[string(n.Note)])
		}
		for _, l := range s.CannotShow {
			p.line("  cannot show: ", "%s: %s", l, evidenceLimits[string(l)])
		}
		if s.Foreign > 0 {
			p.line("  ", "%s of other programs", report.Plural(s.Foreign, "line is", "lines are"))
		}
		if s.Unreadable > 0 {
			var at []string
			for _, w := range s.Where {
				at = append(at, fmt.Sprintf("%s line %d", w.File, w.Line))
			}
			p.line("  not understood: ", "%s, first at %s", report.Plural(s.Unreadable, "line", "lines"), strings.Join(at, ", "))
		}
	}
	for _, m := range r.Missing {
		p.line("coverage: ", "%s: no log is known to be of it", m.Name())
		p.gaps(m.Gaps)
	}
	if r.TooMany > 0 {
		p.line("coverage: ", "%s no finding: narrow the logs down", plural.Count(r.TooMany, "event was of more accounts and addresses than are kept apart, and is in", "events were of more accounts and addresses than are kept apart, and are in"))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.LeftOut)) {
		p.line("coverage: ", "indicators that are not looked for: %d of type %s", r.LeftOut[kind], kind)
	}
}

// mostFindings of a grade are written out; JSON has all.
const mostFindings = 200

// mostShown stretches and gaps of a source are written out; JSON has all.
const mostShown = 12

func (p *evidencePrinter) more(first string, of int) {
	if of > mostShown {
		p.line(first, "and %d more; -o json has all", of-mostShown)
	}
}

func (p *evidencePrinter) gaps(all []judge.Gap) {
	for _, g := range all[:min(len(all), mostShown)] {
		p.line("  GAP: ", "%s (%s): %s", p.span(g.From, g.To), g.Reason, g.Ask)
	}
	p.more("  GAP: ", len(all))
}

// named is the first few of a list, and how many more there are.
func named(some []string, of int) string {
	out := strings.Join(some, ", ")
	if more := of - len(some); more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// evidenceLimits say what no log of a format holds.
var evidenceLimits = map[string]string{
	"last-name-only":           "of several tries on one connection the log has the last name alone, and none of those before a good login",
	"clear-text-refused":       "a login in clear text that is refused for that leaves no line with its name, and its password has crossed the network",
	"no-mail-no-name":          "a login is named when a mail follows; one without a mail is counted, without a name",
	"ntlm-without-address":     "who logs in by NTLM (4776) is a machine's name, as the client says it, and no address",
	"ldap-binds-not-for-sure":  "that each LDAP login leaves an event with its client's address is not documented: 2889 has those in clear text alone, and 4624 may have the others",
	"no-login-that-was-let-in": "refused logins alone are written: what was let in is in the logs of what checked the password",
	"written-by-the-device":    "the device itself wrote it: who held the device could change it, and what is not in it may have been taken out",
	"address-said-by-asker":    "addresses are what the asking server says of who asked it, and may be none",
}

// evidenceNotes say what a note means for who reads the findings.
var evidenceNotes = map[string]string{
	"no-address":          "logins whose connection began before the logs do, or in a file that is missing: from where they came is not known, and they are in no finding of a place",
	"names-nobody":        "refused logins of which the server writes no name (SASL; an AppRole, of which --audit-device may tell): whose they were is not in the log",
	"none-let-in":         "all of its many logins were refused: it may be set to log failures alone (Samba: auth_json_audit at 2; an export of 4625 by itself), and then nobody's use is in it",
	"lines-lost":          "rsyslogd or journald says that it left lines out (a limit on their rate): what was in them is not known",
	"no-result":           "logins of which the answer is not in the logs: whether they were let in is not known",
	"no-question":         "answers to logins whose own line is not in the logs: whose they were may not be known",
	"not-as-whom":         "a name was let in, and the line in which the server says as whom is not there: a name without a password, which is nobody's, or a line was lost. It counts as no use",
	"numbers-went-back":   "connections began again without a line that says that the server started: a file may be missing, or somebody wrote lines of his own into the log. Addresses behind it are in doubt",
	"clock-went-back":     "times went back by more than a minute: the order of what happened is in doubt there",
	"salt-changed":        "the audit device was enabled anew: hashes of before are others, and values are not found there",
	"values-in-the-clear": "the audit device writes secrets as they are (log_raw, or keys that are left out of hashing): whoever could read this log has them, so count each as stolen, have the device hash, and take old files away. None is shown here, and --audit-device finds no value in it",
	"no-response":         "requests to Vault whose response is not in the logs: how they ended is not known",
	"connections-dropped": "more logins of one connection at once than are remembered: some are counted without an answer",
	"too-many-servers":    "lines call themselves by more servers than are kept apart: whoever may write into a syslog may call himself as he likes. Lines of further ones are judged and cover nothing: name the server before each file",
	"too-often":           "a line says that a login was repeated more often than is counted of one line (100)",
	"outcome-not-mapped":  "logins have an outcome of which the campaign file (logs) does not say what it is: whether they were let in is not known",
	"changed-by-unknown":  "changes of which the log has the number of who made them, and no login before that names him: older logs may",
	"names-not-known":     "credentials of which the campaign's ledger does not say what this log calls them, for an older version wrote it: their logins here are not found. Without --campaign the roll is listed afresh, and knows",
	"cut-off":             "the log ends in the middle of a record, which is not read: it was taken while it was written, or cut",
	"let-in-unnamed":      "logins were let in of which the log does not have the name: whose they were is in the log of what checked the password",
	"hour-came-twice":     "lines of the hour that comes twice when clocks go back, without a zone: they are held against both hours, and cover neither",
	"too-many-stretches":  "the log has lines in more stretches of time, with silence between them, than are kept apart: the shortest are not kept and count as gaps, so more may be covered than is said",
	"no-logins":           "not one login is in the log: perhaps it is not logged at that level, or the log is of something else",
}
