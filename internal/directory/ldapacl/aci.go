package ldapacl

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// ACI is a rule of 389 Directory Server that lets somebody write passwords
// (Red Hat Directory Server, "Managing access control").
type ACI struct {
	applies func(dn string) bool
	Who     []Who
	// Other are conditions by which it lets somebody who is not worked out
	// here: a role, an attribute of the target, a filter, whoever is not named.
	Other []string
}

var (
	aciTarget = regexp.MustCompile(`(?i)\(\s*target\s*(!?=)\s*"ldap:///([^"]*)"\s*\)`)
	aciAttrs  = regexp.MustCompile(`(?i)\(\s*targetattr\s*(!?=)\s*"([^"]*)"\s*\)`)
	aciAllow  = regexp.MustCompile(`(?is)allow\s*\(([^)]*)\)\s*(.*?);`)
	aciWho    = regexp.MustCompile(`(?i)(userdn|groupdn|roledn|userattr)\s*(!?=)\s*"([^"]*)"`)
)

// ACIOf reads one aci of the entry at; false if it lets nobody write a
// password. Conditions besides who it is (an address, a time) are not looked
// at.
//
// Whoever may act for others (proxied authorization, RFC 4370) may what these
// may, and everybody commonly may write his own password. So proxy is a right
// on all accounts, whatever attributes and entries the aci names: one of those
// for whom he acts may be anybody's administrator.
func ACIOf(at, text string) (a ACI, writes bool) { return aciOf(at, text, "write", "userPassword") }

// ACIReads reads one aci as ACIOf does; false if it lets nobody read a
// password.
func ACIReads(at, text string) (a ACI, reads bool) { return aciOf(at, text, "read", "userPassword") }

// ACIReadsLog reads one aci of a log of changes; false if it lets nobody read
// what was changed.
func ACIReadsLog(at, text string) (a ACI, reads bool) { return aciOf(at, text, "read", "changes") }

func aciOf(at, text, right, attribute string) (a ACI, grants bool) {
	about := false // without targetattr it is about entries, and no attribute
	if m := aciAttrs.FindStringSubmatch(text); m != nil {
		named := false
		for _, attr := range strings.Split(m[2], "||") {
			attr = strings.TrimSpace(attr)
			named = named || attr == "*" || strings.EqualFold(attr, attribute)
		}
		about = named != (m[1] == "!=")
	}
	a.applies, _ = dnStyle("subtree", at)
	if m := aciTarget.FindStringSubmatch(text); m != nil {
		below, target := a.applies, likeDN(m[2], true)
		a.applies = func(dn string) bool { return below(dn) && target(dn) == (m[1] == "=") }
	}
	for _, allow := range aciAllow.FindAllStringSubmatch(text, -1) {
		grants, acts := false, false
		for _, given := range strings.Split(allow[1], ",") {
			given = strings.ToLower(strings.TrimSpace(given))
			grants = grants || about && (given == right || given == "all") // all is all but proxy
			acts = acts || given == "proxy"
		}
		if acts {
			a.applies = func(string) bool { return true }
		}
		if !grants && !acts {
			continue
		}
		before, other := len(a.Who), []string(nil)
		for _, m := range aciWho.FindAllStringSubmatch(allow[2], -1) {
			if m[2] == "!=" || !strings.EqualFold(m[1], "userdn") && !strings.EqualFold(m[1], "groupdn") {
				other = append(other, strings.TrimSuffix(strings.ToLower(m[1])+" "+m[2], " ="))
				continue
			}
			for _, one := range strings.Split(m[3], "||") {
				name := strings.TrimPrefix(strings.TrimSpace(one), "ldap:///")
				switch lower := strings.ToLower(name); {
				case lower == "self":
				case lower == "parent" || strings.Contains(name, "?"):
					other = append(other, strings.ToLower(m[1])+" with a filter or parent")
				case lower == "anyone" || lower == "all":
					a.Who = append(a.Who, Who{All: true})
				case strings.EqualFold(m[1], "groupdn"):
					a.Who = append(a.Who, Who{Group: unescaped(name)})
				default:
					a.Who = append(a.Who, Who{DN: likeDN(name, false)})
				}
			}
		}
		if len(a.Who) == before { // else it is a condition more
			a.Other = append(a.Other, other...)
		}
	}
	return a, len(a.Who)+len(a.Other) > 0
}

func unescaped(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// likeDN is a DN in which "*" stands for anything. below: entries under it
// count too.
func likeDN(name string, below bool) func(string) bool {
	name = unescaped(name)
	if !strings.Contains(name, "*") {
		style := "exact"
		if below {
			style = "subtree"
		}
		matches, _ := dnStyle(style, name)
		return matches
	}
	parts := strings.Split(folded(name), "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	re, err := regexp.Compile("^" + strings.Join(parts, ".*") + "$")
	return func(dn string) bool { return err != nil || re.MatchString(folded(dn)) }
}

// folded is a DN as it is compared with one that has a "*".
func folded(dn string) string {
	if parsed, err := ldap.ParseDN(dn); err == nil {
		dn = parsed.String()
	}
	return strings.ToLower(strings.ReplaceAll(dn, ", ", ","))
}

// Applies reports whether the rule is about the entry dn.
func (a ACI) Applies(dn string) bool { return a.applies(dn) }

// May reports whether who has a DN and is in groups may.
func (w Who) May(dn string, inGroup func(string) bool) bool {
	return w.All || w.DN != nil && w.DN(dn) || w.Group != "" && inGroup(w.Group)
}
