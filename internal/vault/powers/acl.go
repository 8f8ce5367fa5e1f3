package powers

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	parser "github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// ACL says what a token with some policies could read, by their text. It is for
// a preview, where no token is at hand: what is set waits for Vault's own
// answer.
//
// Of all rules that match a path one holds, the most specific by Vault's order,
// with what all policies say under that very path put together
// (https://developer.hashicorp.com/vault/docs/concepts/policies#priority-matching;
// 1.21 tried: TestPoliciesAreReadAsVaultReadsThem). A path with a template in
// it ({{identity…}}) is taken for any text there, and such a rule for one that
// no other overrules.
type ACL struct {
	rules     map[string]*aclRule
	templated []*regexp.Regexp
	uses      []*regexp.Regexp // those of templates that give anything but to list
}

// aclRule is what policies say of one path.
type aclRule struct {
	path             string // as it is written
	deny, read, uses bool
}

// ParseACL reads policies.
func ParseACL(policies ...string) (*ACL, error) {
	a := &ACL{rules: map[string]*aclRule{}}
	for _, text := range policies {
		file, err := parser.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("the policy cannot be read: %w", err)
		}
		list, ok := file.Node.(*ast.ObjectList)
		if !ok {
			return nil, fmt.Errorf("the policy cannot be read: it has no paths")
		}
		for _, item := range list.Filter("path").Items {
			if err := a.add(item); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

func (a *ACL) add(item *ast.ObjectItem) error {
	if len(item.Keys) == 0 {
		return nil
	}
	path, _ := item.Keys[0].Token.Value().(string)
	path = strings.TrimPrefix(path, "/")
	var says struct {
		Policy       string
		Capabilities []string
	}
	if err := parser.DecodeObject(&says, item.Val); err != nil {
		return fmt.Errorf("the policy's path %q cannot be read: %w", path, err)
	}
	deny := says.Policy == "deny" || slices.Contains(says.Capabilities, "deny")
	read := slices.Contains([]string{"read", "write", "sudo"}, says.Policy) || slices.Contains(says.Capabilities, "read")
	uses := read || slices.ContainsFunc(says.Capabilities, func(c string) bool { return slices.Contains(used, c) })
	if strings.Contains(path, "{{") {
		if uses && !deny {
			a.uses = append(a.uses, anyText(path))
		}
		if read && !deny {
			a.templated = append(a.templated, anyText(path))
		}
		return nil
	}
	r := a.rules[path]
	if r == nil {
		r = &aclRule{path: path}
		a.rules[path] = r
	}
	r.deny, r.read, r.uses = r.deny || deny, r.read || read, r.uses || uses
	return nil
}

var template = regexp.MustCompile(`\{\{.*?\}\}`)

// anyText matches what a path could be with any text for its templates.
func anyText(path string) *regexp.Regexp {
	path, prefix := strings.CutSuffix(path, "*")
	parts := template.Split(path, -1)
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(regexp.QuoteMeta(p), `/\+`, `/[^/]*`)
	}
	text := strings.Join(parts, ".*")
	if prefix {
		text += ".*"
	}
	return regexp.MustCompile("^(?s:" + text + ")$")
}

// used are the capabilities that give more than to list.
var used = []string{"read", "create", "update", "patch", "delete", "sudo", "root"}

// MayRead reports whether a token with the policies could read an API path.
func (a *ACL) MayRead(path string) bool {
	return fits(a.templated, path) || a.holds(path).read
}

// MayUse reports whether a token with the policies could do more with an API
// path than list it.
func (a *ACL) MayUse(path string) bool {
	return fits(a.uses, path) || a.holds(path).uses
}

func fits(any []*regexp.Regexp, path string) bool {
	return slices.ContainsFunc(any, func(t *regexp.Regexp) bool { return t.MatchString(path) })
}

// holds is the rule that holds for a path; one that gives nothing where none
// does or it denies.
func (a *ACL) holds(path string) aclRule {
	best := a.rules[path]
	if best == nil || best.pattern() {
		best = nil
		for _, r := range a.rules {
			if r.pattern() && r.matches(path) && (best == nil || best.compare(r) < 0) {
				best = r
			}
		}
	}
	if best == nil || best.deny {
		return aclRule{}
	}
	return *best
}

// segments reports whether a whole segment is left open (+).
func (r *aclRule) segments() bool {
	return r.path == "+" || strings.HasPrefix(r.path, "+/") || strings.Contains(r.path, "/+")
}

func (r *aclRule) prefix() bool  { return strings.HasSuffix(r.path, "*") }
func (r *aclRule) pattern() bool { return r.prefix() || r.segments() }

func (r *aclRule) matches(path string) bool {
	want := strings.TrimSuffix(r.path, "*")
	if !r.segments() {
		return strings.HasPrefix(path, want)
	}
	have, parts := strings.Split(path, "/"), strings.Split(want, "/")
	if len(have) < len(parts) || !r.prefix() && len(have) != len(parts) {
		return false
	}
	for i, p := range parts {
		last := r.prefix() && i == len(parts)-1
		if p != "+" && p != have[i] && !(last && strings.HasPrefix(have[i], p)) {
			return false
		}
	}
	return true
}

// compare orders by Vault's priority: above 0 where r is the more specific one.
func (r *aclRule) compare(o *aclRule) int {
	return cmp.Or(
		cmp.Compare(r.open(), o.open()),
		cmp.Compare(rank(!r.prefix()), rank(!o.prefix())),
		cmp.Compare(o.wildcards(), r.wildcards()),
		cmp.Compare(len(r.path), len(o.path)),
		strings.Compare(r.path, o.path),
	)
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// open is where the first wildcard or glob is.
func (r *aclRule) open() int {
	if r.segments() {
		return strings.Index(r.path, "+")
	}
	return len(r.path) - 1
}

func (r *aclRule) wildcards() (n int) {
	if !r.segments() {
		return 0
	}
	for _, p := range strings.Split(strings.TrimSuffix(r.path, "*"), "/") {
		if p == "+" {
			n++
		}
	}
	return n
}
