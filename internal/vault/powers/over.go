package powers

import (
	"regexp"
	"slices"
	"strings"
)

// Over finds among many API paths those that a rule of a policy may be about,
// by its text: so that Vault is asked about these, and not about ten thousand
// for each policy that it has.
type Over struct{ sorted []string }

// NewOver takes the paths in.
func NewOver(paths []string) Over {
	sorted := slices.Sorted(slices.Values(paths))
	return Over{slices.Compact(sorted)}
}

// Of gives the paths that a rule of the policy may be about which gives more
// than to list, whatever another rule denies. open reports whether one of these
// rules has a template in it, for which any text stands: what it gives depends
// on who has the policy.
func (o Over) Of(policy string) (out []string, open bool, err error) {
	rules := map[string]map[string]bool{}
	if err := read(rules, policy); err != nil {
		return nil, false, err
	}
	for path, caps := range rules {
		if caps["deny"] || !slices.ContainsFunc(used, func(c string) bool { return caps[c] }) {
			continue
		}
		r, templated := &aclRule{path: path}, strings.Contains(path, "{{")
		var any *regexp.Regexp
		if templated {
			any = anyText(path)
		}
		begin := literal(path)
		first, _ := slices.BinarySearch(o.sorted, begin)
		for _, at := range o.sorted[first:] {
			if !strings.HasPrefix(at, begin) {
				break
			}
			if templated && any.MatchString(at) || !templated && (at == path || r.pattern() && r.matches(at)) {
				out, open = append(out, at), open || templated
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), open, nil
}

// literal is what each path that fits a rule begins with.
func literal(path string) string {
	end := len(path)
	for _, stop := range []string{"*", "+", "{{"} {
		if i := strings.Index(path, stop); i >= 0 {
			end = min(end, i)
		}
	}
	return path[:end]
}
