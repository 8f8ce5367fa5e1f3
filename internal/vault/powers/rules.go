package powers

import (
	"slices"
	"strings"
)

// Rule is a path of policies by which something is read there, or drawn by a
// write: a certificate, a password that an engine makes.
type Rule struct {
	Path         string // as the policy has it
	Reads, Draws bool
}

// Rules are those of policies together, sorted by path, without what only lists
// and what they deny.
func Rules(policies ...string) (out []Rule, err error) {
	rules := map[string]map[string]bool{}
	for _, text := range policies {
		if err := read(rules, text); err != nil {
			return nil, err
		}
	}
	for path, caps := range rules {
		r := Rule{Path: path, Reads: caps["read"] || caps["sudo"] || caps["root"],
			Draws: slices.ContainsFunc(writes, func(c string) bool { return caps[c] })}
		if !caps["deny"] && (r.Reads || r.Draws) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// About reports whether the rule may be about a place: "+" in it stands for any
// segment, and "#" for one and more.
func (r Rule) About(place string) bool { return covers(r.Path, place) }

// Literal is what each path that the rule is about begins with, and whole
// whether it is about that path alone.
func (r Rule) Literal() (begin string, whole bool) {
	begin = literal(r.Path)
	return begin, begin == r.Path
}
