package taken

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
)

// finding is what a campaign takes of one of a result.
type finding struct {
	Code       string        `json:"code"`
	Grade      string        `json:"grade"`
	Rule       string        `json:"rule"`
	Credential string        `json:"credential"`
	ValueOf    string        `json:"value_of"`
	Address    string        `json:"address"`
	Outcome    event.Outcome `json:"outcome"`
	Count      int           `json:"count"`
	First      time.Time     `json:"first"`
	Last       time.Time     `json:"last"`
	Doubts     []event.Doubt `json:"doubts"`
	Seen       []event.Place `json:"seen"`
}

// about is the credential that a finding is about: where its value was offered
// as somebody else that one. Empty where it is about none.
func (f finding) about() string { return cmp.Or(f.ValueOf, f.Credential) }

func (f finding) wrong(t *File) string {
	at, err := netip.ParseAddr(f.Address)
	switch {
	case !plain(f.Code) || !plain(f.Rule) || !slices.Contains(grades, f.Grade):
		return "has a code, a grade or a rule that none has"
	case f.Outcome != "" && !slices.Contains(outcomes, f.Outcome) && f.Outcome != event.Failed && !f.Outcome.NoUse():
		return "has an outcome that none has"
	case len(f.Doubts) > mostNotes || slices.ContainsFunc(f.Doubts, func(d event.Doubt) bool { return !plain(string(d)) }):
		return "has a doubt that is no word"
	case f.Address != "" && (err != nil || at.Zone() != ""):
		return "has an address that is none"
	case !fits(f.First, f.Last) || f.Count < 1 || f.Count > mostCounted:
		return "has no times, or ends before it begins"
	case len(f.about()) > 4*longest:
		return "is about a credential of no roll"
	case f.about() == "":
		return ""
	case len(f.Seen) == 0 || t.places[f.Seen[0].File] == 0:
		return "is in no log that was read"
	case f.Seen[0].Line < 1 || f.Seen[0].Line > t.logs[t.places[f.Seen[0].File]-1].Lines:
		return "is in a line that its log has not got"
	}
	return ""
}

type signKey struct{ credential, code, grade, rule string }

type countKey struct{ code, grade string }

// signAddress is an address of a sign.
type signAddress struct {
	sign    int // in the list
	address string
}

// signs are findings of which those that are alike are one.
type signs struct {
	list      []credential.Sign
	of        map[signKey]int // into list
	addresses map[signAddress]bool
	counts    []credential.Sign
	elsewhere map[countKey]int // into counts
	codes     map[string]int
	ofOne     map[string]int // signs of a credential
}

// A result has some ten codes and a few rules for each: whoever writes more of
// either has made them up.
const mostCodes, mostOfOne = 64, 64

func (t *File) addFinding(f finding) string {
	if what := f.wrong(t); what != "" {
		return what
	}
	if t.signs.codes[f.Code]++; len(t.signs.codes) > mostCodes {
		return "has a code more than any result has"
	}
	if f.about() == "" {
		t.signs.count(credential.Sign{Code: f.Code, Grade: credential.Grade(f.Grade), Findings: 1, Count: f.Count, First: f.First.UTC(), Last: f.Last.UTC()})
		return ""
	}
	key := signKey{f.about(), f.Code, f.Grade, f.Rule}
	n, ok := t.signs.of[key]
	if !ok {
		if len(t.signs.list) >= mostSigns {
			return "is one more than a campaign takes"
		}
		if t.signs.ofOne[key.credential]++; t.signs.ofOne[key.credential] > mostOfOne {
			return "is one more of its credential than any result has"
		}
		n = len(t.signs.list)
		t.signs.of[key] = n
		t.signs.list = append(t.signs.list, credential.Sign{Code: f.Code, Grade: credential.Grade(f.Grade), Rule: f.Rule})
	}
	seen := signAddress{n, f.Address}
	fresh := f.Address != "" && !t.signs.addresses[seen]
	t.signs.addresses[seen] = true
	place := t.places[f.Seen[0].File]
	more := credential.Sign{Findings: 1, Count: f.Count, First: f.First.UTC(), Last: f.Last.UTC(), Outcome: string(f.Outcome), At: &credential.LogPlace{Log: place, Name: BaseName(f.Seen[0].File), Line: f.Seen[0].Line}}
	if f.Address != "" {
		more.Addresses = []string{f.Address}
	}
	for _, d := range f.Doubts {
		more.Doubts = append(more.Doubts, string(d))
	}
	t.signs.list[n] = credential.JoinSigns(t.signs.list[n], more, fresh)
	return ""
}

// count adds to what is about no credential.
func (s *signs) count(more credential.Sign) {
	key := countKey{more.Code, string(more.Grade)}
	n, ok := s.elsewhere[key]
	if !ok {
		s.elsewhere[key] = len(s.counts)
		s.counts = append(s.counts, more)
		return
	}
	s.counts[n] = credential.JoinCounts(s.counts[n], more)
}

// SignsOf are those of one credential, the surest first.
type SignsOf struct {
	Credential string            `json:"credential"`
	Signs      []credential.Sign `json:"signs"`
}

// sorted are the signs by credential, each in an order of its own.
func (s *signs) sorted() (out []SignsOf) {
	by := map[string][]credential.Sign{}
	for key, n := range s.of {
		by[key.credential] = append(by[key.credential], s.list[n])
	}
	for _, id := range slices.Sorted(maps.Keys(by)) {
		slices.SortFunc(by[id], func(a, b credential.Sign) int {
			return cmp.Or(a.Grade.Rank()-b.Grade.Rank(), a.First.Compare(b.First), strings.Compare(a.Code, b.Code), strings.Compare(a.Rule, b.Rule))
		})
		out = append(out, SignsOf{id, by[id]})
	}
	return out
}
