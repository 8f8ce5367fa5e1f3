// Package ldapacl reads the access rules of OpenLDAP (olcAccess,
// slapd.access(5)) and of 389 Directory Server (aci) as far as they say who may
// set whose password: by name, by a group, or whoever logs in. It does no I/O.
// Other conditions (sets, roles, attributes that name somebody) are not
// followed; one beside a name is taken to be met, for an account that goes
// first without need costs nothing.
package ldapacl

import (
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Who may do something: a DN, the members of a group, or everybody who has
// logged in.
type Who struct {
	DN    func(dn string) bool // of an account; nil: none by its name
	Group string               // the DN of a group whose members may
	All   bool
}

// Rule is one olcAccess, as far as it is about passwords.
type Rule struct {
	applies func(dn string) bool
	Perhaps bool // a filter or the like narrows it down, so that later ones may apply too
	bys     []by
}

type by struct {
	who  Who
	may  bool // write or manage
	stop bool // nothing behind it is looked at for whom it matches
}

var (
	submatch = regexp.MustCompile(`\$(?:\d|\{)`) // of what the rule is about
	ordered  = regexp.MustCompile(`^\{-?\d+\}`)
	word     = regexp.MustCompile(`"[^"]*"|[^\s"]+(?:"[^"]*")?[^\s"]*`)
)

// OpenLDAP reads the rules of a database in their order. Those that are not
// about userPassword are left out.
func OpenLDAP(values []string) (out []Rule) {
	for _, v := range values {
		words := word.FindAllString(ordered.ReplaceAllString(strings.TrimSpace(v), ""), -1)
		if len(words) == 0 || !strings.EqualFold(words[0], "to") {
			continue
		}
		n := 1
		for n < len(words) && !strings.EqualFold(words[n], "by") {
			n++
		}
		r, about := ruleTo(words[1:n])
		if !about {
			continue
		}
		for n < len(words) {
			from := n + 1
			for n = from; n < len(words) && !strings.EqualFold(words[n], "by"); {
				n++
			}
			if from < n {
				r.bys = append(r.bys, byOf(words[from:n]))
			}
		}
		out = append(out, r)
	}
	return out
}

func ruleTo(what []string) (r Rule, about bool) {
	r.applies = func(string) bool { return true }
	for _, w := range what {
		key, value, has := strings.Cut(w, "=")
		value = strings.Trim(value, `"`)
		kind, style, _ := strings.Cut(strings.ToLower(key), ".")
		switch {
		case w == "*":
		case has && kind == "dn":
			r.applies = dnStyle(style, value)
		case has && (kind == "attrs" || kind == "attr"):
			about := false
			for _, a := range strings.Split(value, ",") {
				a = strings.TrimSpace(a)
				// A class stands for the attributes that it allows.
				about = about || strings.EqualFold(a, "userPassword") || strings.HasPrefix(a, "@") || strings.HasPrefix(a, "!")
			}
			if !about {
				return r, false
			}
		default:
			r.Perhaps = true // filter, val
		}
	}
	return r, true
}

// byOf reads "WHO… [ACCESS [CONTROL]]".
func byOf(words []string) by {
	out := by{stop: true}
	access := "none"
	certain := true
	for i, w := range words {
		lower := strings.ToLower(w)
		key, value, has := strings.Cut(w, "=")
		value = strings.Trim(value, `"`)
		kind, style, _ := strings.Cut(strings.ToLower(key), ".")
		switch {
		case lower == "*" || lower == "users":
			out.who.All = true
		case lower == "anonymous", lower == "self" || strings.HasPrefix(lower, "self."):
			// Nobody else's password.
			out.who.DN = func(string) bool { return false }
		case has && kind == "dn":
			if strings.Contains(style, "expand") || submatch.MatchString(value) {
				out.who.All, certain = true, false
				continue
			}
			out.who.DN = dnStyle(style, value)
		case has && (kind == "group" || strings.HasPrefix(kind, "group/")):
			if strings.Contains(style, "expand") {
				out.who.All, certain = true, false
				continue
			}
			out.who.Group = value
		case lower == "stop":
		case lower == "continue" || lower == "break":
			out.stop = false
		case i > 0 && !has || strings.HasPrefix(w, "=") || strings.HasPrefix(w, "+") || strings.HasPrefix(w, "-"):
			access = lower
		default: // peername, ssf, set, dnattr: a condition more
			certain = false
		}
	}
	access = strings.TrimPrefix(strings.TrimPrefix(access, "self"), "real")
	switch {
	case strings.HasPrefix(access, "-"):
	case strings.HasPrefix(access, "=") || strings.HasPrefix(access, "+"):
		out.may = strings.ContainsAny(access, "wmaz")
	default:
		out.may = access == "write" || access == "manage" || access == "add"
	}
	out.stop = out.stop && certain
	return out
}

func dnStyle(style, value string) func(string) bool {
	style, _, _ = strings.Cut(style, ",")
	if style == "regex" || style == "" && strings.ContainsAny(value, "*^$[") {
		re, err := regexp.Compile("(?i)" + value)
		return func(dn string) bool { return err != nil || re.MatchString(dn) }
	}
	at, err := ldap.ParseDN(value)
	return func(text string) bool {
		dn, bad := ldap.ParseDN(text)
		if err != nil || bad != nil {
			return true
		}
		switch style {
		case "subtree", "sub":
			return at.EqualFold(dn) || at.AncestorOfFold(dn)
		case "children":
			return at.AncestorOfFold(dn)
		case "one", "onelevel":
			return at.AncestorOfFold(dn) && len(dn.RDNs) == len(at.RDNs)+1
		}
		return at.EqualFold(dn)
	}
}

// For are the numbers of the rules that decide on the password of dn.
func For(rules []Rule, dn string) (out []int) {
	for n, r := range rules {
		if r.applies(dn) {
			if out = append(out, n); !r.Perhaps {
				break
			}
		}
	}
	return out
}

// May reports whether who has a DN and is in groups may set a password on which
// the rule decides.
func (r Rule) May(dn string, inGroup func(group string) bool) bool {
	for _, b := range r.bys {
		if b.who.All || b.who.DN != nil && b.who.DN(dn) || b.who.Group != "" && inGroup(b.who.Group) {
			if b.may {
				return true
			}
			if b.stop {
				return false
			}
		}
	}
	return false
}

// Groups are those that the rules name.
func Groups(rules []Rule) (out []string) {
	for _, r := range rules {
		for _, b := range r.bys {
			if b.may && b.who.Group != "" {
				out = append(out, b.who.Group)
			}
		}
	}
	return out
}
