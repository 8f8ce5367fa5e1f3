package ledger

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// DeviceProfile is what a device of that type can hold, as the campaign was
// started with it. Its lines are answered by entries of their own.
type DeviceProfile struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Reviewed string   `json:"reviewed"`
	Digest   string   `json:"sha256"` // of the profile's file
	Lines    []string `json:"lines"`  // ids, in the order of the profile
	// Unanswered is why a person went on with lines that nobody had answered,
	// and UnansweredBy who.
	Unanswered   string `json:"unanswered,omitempty"`
	UnansweredBy string `json:"unanswered_by,omitempty"`
}

// End is what a campaign with a profile claims when it closes. Whoever holds
// the ledger can work it out.
type End struct {
	// Complete: each line of the profile is answered, covered or none, and each
	// credential has an end, dead or an exception with its reason.
	Complete bool `json:"complete"`
	// Clean: complete, and each credential is dead by a proof of servers, on
	// every one; nobody accepted a login as open, and no warning says that
	// something may be missing. What is dead by people's word is no such proof.
	Clean bool `json:"clean"`
}

// The rules of both words, for people.
const (
	CompleteRule = "each line of the profile is answered, covered or none, and each credential has an end"
	CleanRule    = "complete, each credential is dead by a proof (bind, revoked or metadata, not a person's word) on every server, the device is contained, and nothing may be missing"
)

// EndOf works out how a campaign stands, and what speaks against it: the first
// list against complete, the second against clean alone.
func EndOf(s *State) (end End, incomplete, unclean []string) {
	incomplete, unclean = againstComplete(s), againstClean(s)
	end.Complete = len(incomplete) == 0
	end.Clean = end.Complete && len(unclean) == 0
	return end, incomplete, unclean
}

func againstComplete(s *State) (out []string) {
	if s.Profile == nil {
		return []string{"no profile of the device was named"}
	}
	var unanswered, later, empty []string
	answering := s.answering()
	for _, id := range s.Profile.Lines {
		switch a := s.AnswerTo(id); {
		case a == nil || a.Answer == credential.Unanswered:
			unanswered = append(unanswered, id)
		case a.Answer == credential.Later:
			later = append(later, id)
		case a.Answer == credential.Covered && answering[id] == 0:
			empty = append(empty, id)
		}
	}
	for _, g := range []struct {
		ids  []string
		what string
	}{{unanswered, "without an answer"}, {later, "left for later"}, {empty, "covered by no credential"}} {
		if len(g.ids) > 0 {
			out = append(out, fmt.Sprintf("%s %s: %s", plural.Count(len(g.ids), "line", "lines"), g.what, strings.Join(g.ids, ", ")))
		}
	}
	if n := len(s.Open()); n > 0 {
		out = append(out, plural.Count(n, "credential", "credentials")+" without an end")
	}
	if !s.rollClosed {
		out = append(out, "the roll was not closed")
	}
	return out
}

func againstClean(s *State) (out []string) {
	open, fewer, doors, attested, unproved := 0, 0, 0, 0, 0
	for l := range s.All() {
		switch {
		case l.Outcome != Dead:
			open++
		case l.Proof == protocol.ProofAttested:
			attested++
		case !slices.Contains([]protocol.Proof{protocol.ProofBind, protocol.ProofRevoked, protocol.ProofMetadata, protocol.ProofDoors}, l.Proof):
			unproved++
		case len(l.LeftOut) > 0:
			fewer++
		case len(l.DoorsLeftOut) > 0:
			doors++
		}
	}
	missing := 0
	for _, f := range s.Findings {
		if f.Code.Incomplete() && f.Code != credential.FindingNotContained {
			missing++
		}
	}
	for _, g := range []struct {
		n         int
		one, many string
		what      string
	}{
		{open, "credential", "credentials", "not dead"}, {attested, "credential", "credentials", "dead by people's word alone (attested)"},
		{unproved, "credential", "credentials", "called dead by no known proof"}, {fewer, "credential", "credentials", "dead on fewer servers than there are"},
		{doors, "credential", "credentials", "dead at fewer doors than there are"},
		{len(s.Accepted), "login to Vault", "logins to Vault", "accepted as open"}, {missing, "warning", "warnings", "that something may be missing"},
	} {
		if g.n > 0 {
			out = append(out, plural.Count(g.n, g.one, g.many)+" "+g.what)
		}
	}
	return append(out, againstContained(s)...)
}

// AnswerTo is the answer to a line of the profile, or nil.
func (s *State) AnswerTo(id string) *credential.LineAnswer {
	if i := slices.IndexFunc(s.Answers, func(a credential.LineAnswer) bool { return a.Line == id }); i >= 0 {
		return &s.Answers[i]
	}
	return nil
}

// Answering are the credentials of the roll that a line of the profile is
// about.
func (s *State) Answering(id string) (out []*CredentialState) {
	for l := range s.All() {
		if slices.ContainsFunc(l.Lines, func(r credential.LineRef) bool { return r.Line == id }) {
			out = append(out, l)
		}
	}
	return out
}

// answering counts, by line of the profile, the credentials that it is about.
func (s *State) answering() map[string]int {
	n := map[string]int{}
	for l := range s.All() {
		for i, r := range l.Lines {
			if !slices.ContainsFunc(l.Lines[:i], func(before credential.LineRef) bool { return before.Line == r.Line }) {
				n[r.Line]++
			}
		}
	}
	return n
}

// ProfileEntries are the entries of a profile and its answers. Wrong answers
// never get here, for nobody may start with one.
func ProfileEntries(campaign string, acc *credential.Accounting) []Entry {
	if acc == nil {
		return nil
	}
	p := &DeviceProfile{Name: acc.Profile, Title: acc.Title, Reviewed: acc.Reviewed, Digest: acc.Digest, Unanswered: acc.Unanswered, UnansweredBy: acc.UnansweredBy}
	entries := []Entry{{ID: EntryID(campaign, "", "", ProfileNamed), Campaign: campaign, Event: ProfileNamed, Profile: p}}
	for _, l := range acc.Lines {
		p.Lines = append(p.Lines, l.Line)
		l.Ask, l.May = "", "" // the profile has the one, and the other is advice
		entries = append(entries, Entry{ID: EntryID(campaign, "", "line."+l.Line, LineAnswered), Campaign: campaign, Event: LineAnswered, Line: &l})
	}
	return entries
}
