package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// profileLine is one line of the device's profile: its answer, and what became
// of the credentials that it is about.
type profileLine struct {
	credential.LineAnswer
	Credentials []*ledger.CredentialState
	Dead, Open  int
	ByProof     map[protocol.Proof]int
}

// profileOf are the lines in the order of the profile, unanswered ones first,
// then those that are left for later.
func profileOf(s *ledger.State) (out []profileLine) {
	if s.Profile == nil {
		return nil
	}
	for _, id := range s.Profile.Lines {
		l := profileLine{LineAnswer: credential.LineAnswer{Line: id}, Credentials: s.Answering(id), ByProof: map[protocol.Proof]int{}}
		if a := s.AnswerTo(id); a != nil {
			l.LineAnswer = *a
		}
		for _, c := range l.Credentials {
			if c.Outcome == ledger.Dead {
				l.Dead++
				l.ByProof[c.Proof]++
			} else {
				l.Open++
			}
		}
		out = append(out, l)
	}
	rank := map[credential.Answer]int{credential.Unanswered: 0, credential.Later: 1, credential.Covered: 2, credential.None: 3}
	slices.SortStableFunc(out, func(a, b profileLine) int { return rank[a.Answer] - rank[b.Answer] })
	return out
}

// AnswerWord is the answer in a word.
func (l profileLine) AnswerWord() string {
	if l.Answer == credential.Unanswered {
		return "unanswered"
	}
	return string(l.Answer)
}

// Said is who answered, when and why; empty where the sources did.
func (l profileLine) Said() string {
	var parts []string
	if l.Reason != "" {
		parts = append(parts, l.Reason)
	}
	if l.Answer == credential.Later {
		parts = append(parts, fmt.Sprintf("owner %s, due %s", l.Owner, day(l.Due)))
	}
	if l.By != "" {
		said := "said by %s on %s"
		if l.Answer == credential.Covered {
			said = "in the answers of %s of %s" // which answers init fills in by what the sources found
		}
		parts = append(parts, fmt.Sprintf(said, l.By, day(l.On)))
	}
	if l.Answer == credential.Unanswered && l.Why != "" {
		parts = append(parts, l.Why)
	}
	return strings.Join(parts, "; ")
}

// Became says what became of its credentials.
func (l profileLine) Became() string {
	if len(l.Credentials) == 0 {
		return ""
	}
	text := fmt.Sprintf("%s, %d dead", Plural(len(l.Credentials), "credential", "credentials"), l.Dead)
	if by := byProof(l.ByProof); len(by) > 0 {
		text += " (" + strings.Join(by, ", ") + ")"
	}
	if l.Open > 0 {
		text += fmt.Sprintf(", %d open", l.Open)
	}
	if l.Matched > 0 {
		text += fmt.Sprintf("; %d given to the line by kind alone", l.Matched)
	}
	return text
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// ends are the two words, each with its rule and what speaks against it.
func ends(s *ledger.State) (complete, clean string) {
	end, incomplete, unclean := ledger.EndOf(s)
	word := func(yes bool, against []string) string {
		switch {
		case yes:
			return "yes"
		case s.Phase != ledger.Closed:
			return "not yet: " + strings.Join(against, "; ")
		}
		return "no: " + strings.Join(against, "; ")
	}
	if !end.Complete {
		unclean = append([]string{"it is not complete"}, unclean...)
	}
	return word(end.Complete, incomplete), word(end.Clean, unclean)
}

func profileText(b *strings.Builder, s *ledger.State, width int) {
	if s.Profile == nil {
		return
	}
	p := s.Profile
	b.WriteString("\n" + Wrap(Clean(fmt.Sprintf("Profile %s: %s, reviewed %s, %s", p.Name, p.Title, p.Reviewed, Plural(len(p.Lines), "line", "lines"))), "", width))
	complete, clean := ends(s)
	b.WriteString(Wrap(Clean(complete), "  complete  ", width))
	b.WriteString(Wrap("("+ledger.CompleteRule+")", "            ", width))
	b.WriteString(Wrap(Clean(clean), "  clean     ", width))
	b.WriteString(Wrap("("+ledger.CleanRule+")", "            ", width))
	if p.Unanswered != "" {
		b.WriteString(Wrap(Clean(fmt.Sprintf("%s went on with lines that nobody had answered: %s", p.UnansweredBy, p.Unanswered)), "  ! ", width))
	}
	for _, l := range profileOf(s) {
		text := fmt.Sprintf("%s (%s)", l.Line, l.Kind)
		for _, more := range []string{l.Became(), l.Said()} {
			if more != "" {
				text += ": " + more
			}
		}
		b.WriteString(Wrap(Clean(text), fmt.Sprintf("  %-10s ", l.AnswerWord()), width))
	}
}

// ProfileLine is the profile in a line: how many lines have which answer, and
// the two words; empty where none was named.
func ProfileLine(s *ledger.State) string {
	if s.Profile == nil {
		return ""
	}
	n := map[credential.Answer]int{}
	for _, l := range profileOf(s) {
		n[l.Answer]++
	}
	complete, clean := ends(s)
	return Clean(fmt.Sprintf("profile %s: %s, %d covered, %d none, %d later, %d unanswered; complete: %s; clean: %s", s.Profile.Name,
		Plural(len(s.Profile.Lines), "line", "lines"), n[credential.Covered], n[credential.None], n[credential.Later], n[credential.Unanswered], complete, clean))
}

// DocumentProfile is the profile line by line.
type DocumentProfile struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Reviewed string `json:"reviewed"`
	SHA256   string `json:"sha256"` // of the profile's file
	// ThisBuild compares it with the profile of that name in this program:
	// same, differs or none. The ledger does not have it: who has the profiles
	// sets it.
	ThisBuild    string         `json:"this_build,omitempty"`
	Complete     bool           `json:"complete"`
	Clean        bool           `json:"clean"`
	Against      []string       `json:"against"` // what speaks against complete and clean
	Unanswered   string         `json:"unanswered,omitempty"`
	UnansweredBy string         `json:"unanswered_by,omitempty"`
	Lines        []DocumentItem `json:"lines"` // in the order of the profile
}

// DocumentItem is one line of the profile.
type DocumentItem struct {
	Line        string                 `json:"line"`
	Kind        credential.LineKind    `json:"kind"`
	What        string                 `json:"what"`
	Answer      string                 `json:"answer"` // covered, none, later or unanswered
	Reason      string                 `json:"reason,omitempty"`
	Owner       string                 `json:"owner,omitempty"`
	Due         string                 `json:"due,omitempty"`
	By          string                 `json:"by,omitempty"`
	On          string                 `json:"on,omitempty"`
	Why         string                 `json:"why,omitempty"` // it counts as unanswered
	Credentials []string               `json:"credentials"`   // ids
	Dead        int                    `json:"dead"`
	Open        int                    `json:"open"`
	ByProof     map[protocol.Proof]int `json:"by_proof"`
}

func documentProfile(s *ledger.State) *DocumentProfile {
	if s.Profile == nil {
		return nil
	}
	end, incomplete, unclean := ledger.EndOf(s)
	p := s.Profile
	d := &DocumentProfile{Name: p.Name, Title: p.Title, Reviewed: p.Reviewed, SHA256: p.Digest, Complete: end.Complete, Clean: end.Clean,
		Against: append(append([]string{}, incomplete...), unclean...), Unanswered: p.Unanswered, UnansweredBy: p.UnansweredBy}
	lines := profileOf(s)
	slices.SortFunc(lines, func(a, b profileLine) int { return slices.Index(p.Lines, a.Line) - slices.Index(p.Lines, b.Line) })
	for _, l := range lines {
		item := DocumentItem{Line: l.Line, Kind: l.Kind, What: l.What, Answer: l.AnswerWord(), Reason: l.Reason, Owner: l.Owner, By: l.By, Why: l.Why,
			Due: rfc3339(l.Due), On: rfc3339(l.On), Credentials: []string{}, Dead: l.Dead, Open: l.Open, ByProof: l.ByProof}
		for _, c := range l.Credentials {
			item.Credentials = append(item.Credentials, c.ID)
		}
		d.Lines = append(d.Lines, item)
	}
	return d
}

// pageProfile is the profile for the page.
type pageProfile struct {
	*ledger.DeviceProfile
	Complete, Clean         string
	CompleteRule, CleanRule string
	Items                   []profileLine
}

func newPageProfile(s *ledger.State) *pageProfile {
	if s.Profile == nil {
		return nil
	}
	complete, clean := ends(s)
	return &pageProfile{s.Profile, complete, clean, ledger.CompleteRule, ledger.CleanRule, profileOf(s)}
}
