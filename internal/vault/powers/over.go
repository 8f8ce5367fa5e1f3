package powers

import (
	"iter"
	"slices"
	"strings"
)

// Over finds among many API paths those that a rule of a policy may be about,
// by its text: so that Vault is asked about these, and not about ten thousand
// for each policy that it has.
type Over struct {
	sorted []string
	parts  []string
	mounts []string // what stands before /data/ in them, sorted
}

// NewOver takes the paths in. A rule is about mount/data/secret too where it is
// about mount/PART/secret of one of parts; a mount's own name may have the
// segment that tells them. That is worked out for each rule, for a roll has a
// hundred thousand paths.
func NewOver(paths []string, parts ...string) Over {
	o := Over{sorted: slices.Compact(slices.Sorted(slices.Values(paths))), parts: parts}
	if len(parts) == 0 {
		return o
	}
	for _, path := range o.sorted {
		if !LiesInSecrets(path) {
			continue
		}
		for i := 0; ; {
			n := strings.Index(path[i:], dataPart)
			if n < 0 {
				break
			}
			mount := path[:i+n]
			// Paths of one mount come one after the other, mostly.
			if k := len(o.mounts); k == 0 || o.mounts[k-1] != mount {
				o.mounts = append(o.mounts, mount)
			}
			i += n + 1
		}
	}
	slices.Sort(o.mounts)
	o.mounts = slices.Clip(slices.Compact(o.mounts))
	return o
}

const dataPart = "/data/"

// LiesInSecrets tells an API path of a secrets engine from those at which
// logins and settings of Vault are.
func LiesInSecrets(path string) bool {
	return !strings.HasPrefix(path, "auth/") && !strings.HasPrefix(path, "sys/")
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
	hit := make([]bool, len(o.sorted))
	for path, caps := range rules {
		if caps["deny"] || !slices.ContainsFunc(used, func(c string) bool { return caps[c] }) {
			continue
		}
		about, templated := matcher(path)
		begin := literal(path)
		for n := range o.from(begin) {
			if about(o.sorted[n]) {
				hit[n], open = true, open || templated
			}
		}
		o.beside(begin, func(n int, at string) {
			if about(at) {
				hit[n], open = true, open || templated
			}
		})
	}
	for n, path := range o.sorted {
		if hit[n] {
			out = append(out, path)
		}
	}
	return out, open, nil
}

// matcher tells the paths that a rule may be about.
func matcher(path string) (about func(string) bool, templated bool) {
	if strings.Contains(path, "{{") {
		return anyText(path).MatchString, true
	}
	r := &aclRule{path: path}
	return func(at string) bool { return at == path || r.pattern() && r.matches(at) }, false
}

// from are the indexes of paths that begin so.
func (o Over) from(begin string) iter.Seq[int] {
	return func(yield func(int) bool) {
		first, _ := slices.BinarySearch(o.sorted, begin)
		for n := first; n < len(o.sorted) && strings.HasPrefix(o.sorted[n], begin); n++ {
			if !yield(n) {
				return
			}
		}
	}
}

// beside calls each for the paths beside which one lies that begins so, and
// with that one.
func (o Over) beside(begin string, each func(n int, at string)) {
	in := func(mount string) {
		for _, part := range o.parts {
			folder, rest := mount+"/"+part+"/", ""
			switch {
			case strings.HasPrefix(folder, begin):
			case strings.HasPrefix(begin, folder):
				rest = begin[len(folder):]
			default:
				continue
			}
			data := mount + dataPart
			for n := range o.from(data + rest) {
				each(n, folder+o.sorted[n][len(data):])
			}
		}
	}
	for i := range begin {
		if begin[i] != '/' {
			continue
		}
		if _, known := slices.BinarySearch(o.mounts, begin[:i]); known {
			in(begin[:i])
		}
	}
	first, _ := slices.BinarySearch(o.mounts, begin)
	for _, mount := range o.mounts[first:] {
		if !strings.HasPrefix(mount, begin) {
			break
		}
		in(mount)
	}
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
