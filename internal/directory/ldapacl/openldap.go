// Package ldapacl reads the access rules of OpenLDAP (olcAccess,
// slapd.access(5)) and of 389 Directory Server (aci) as far as they say who may
// set whose password: by name, by a group, or whoever logs in. It does no I/O.
// Other conditions (sets, roles, attributes that name somebody) are not worked
// out: Undecided names them. One beside a name is taken to be met, for an
// account that goes first without need costs nothing.
package ldapacl

import (
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Who may do something: a DN, the members of a group, or everybody who has
// logged in.
type Who struct {
	DN    func(dn string) bool // of an account; nil: none by its name
	Group string               // the DN of a group whose members may
	All   bool
	// Other is a condition by which somebody may who is not worked out here: a
	// set, an attribute of the target that names him, its parent entry.
	Other string
}

// Rule is one olcAccess, as far as it is about passwords.
type Rule struct {
	applies func(dn string) bool
	Perhaps bool // a filter or the like narrows it down, so that later ones may apply too
	bys     []by
}

// by is one "by WHO ACCESS CONTROL".
type by struct {
	who     Who
	certain bool // it matches whoever who says, and nobody else
	rights  rights
	then    control
}

// control says what is looked at behind a by that matched: nothing, the next by
// of its rule, or the next rule.
type control int

const (
	stop control = iota
	goOn
	toNextRule
)

// rights are those on a password that set one: adding a value, deleting one,
// managing it. to is how a by changes those that were given before.
type rights struct {
	what byte
	to   func(had, what byte) byte
}

const (
	adds byte = 1 << iota
	deletes
	manages
	reads

	sets = adds | deletes | manages
)

func instead(_, what byte) byte   { return what }
func besides(had, what byte) byte { return had | what }

// without: adding and deleting have one bit in common, so that who loses one
// has neither (OpenLDAP 2.5.13, findings/openldap-minus-a-takes-z-as-well.sh).
func without(had, what byte) byte {
	if what&(adds|deletes) != 0 {
		what |= adds | deletes
	}
	return had &^ what
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
			var sure bool
			r.applies, sure = dnStyle(style, value)
			r.Perhaps = r.Perhaps || !sure
		case has && (kind == "attrs" || kind == "attr"):
			named, class := false, false
			for _, a := range strings.Split(value, ",") {
				a = strings.TrimSpace(a)
				named = named || a == "*" || strings.EqualFold(a, "userPassword") || a == "2.5.4.35"
				// A class stands for the attributes that it allows.
				class = class || strings.HasPrefix(a, "@") || strings.HasPrefix(a, "!")
			}
			if !named && !class {
				return r, false
			}
			r.Perhaps = r.Perhaps || !named
		default:
			r.Perhaps = true // filter, val
		}
	}
	return r, true
}

// byOf reads "WHO… [ACCESS [CONTROL]]".
func byOf(words []string) by {
	out := by{certain: true, rights: rights{to: besides}} // without ACCESS: +0
	whos, conditions := 0, 0
	for i, w := range words {
		lower := strings.ToLower(w)
		key, value, has := strings.Cut(w, "=")
		value = strings.Trim(value, `"`)
		kind, style, _ := strings.Cut(strings.ToLower(key), ".")
		kind = strings.TrimPrefix(kind, "real")
		switch {
		case lower == "*" || lower == "users" || lower == "realusers":
			out.who.All = true
			whos++
		case kind == "self" && !has && strings.HasPrefix(style, "level"), has && notWorkedOut(kind), !has && lower == "aci":
			out.who.Other, out.certain = kind, false
			whos++
		case strings.HasSuffix(lower, "anonymous"), kind == "self" && !has:
			// Nobody else's password.
			out.who.DN = func(string) bool { return false }
			whos++
		case has && kind == "dn":
			whos++
			if strings.Contains(style, "expand") || submatch.MatchString(value) {
				out.who.All, out.certain = true, false
				continue
			}
			var sure bool
			out.who.DN, sure = dnStyle(style, value)
			out.certain = out.certain && sure
		case has && (kind == "group" || strings.HasPrefix(kind, "group/")):
			whos++
			if strings.Contains(style, "expand") {
				out.who.All, out.certain = true, false
				continue
			}
			if _, attr, named := cutLast(kind); named && !slices.Contains(memberAttributes, attr) {
				out.who.Other, out.certain = "group/…/"+attr, false
				continue
			}
			out.who.Group = value
		case lower == "stop":
			out.then = stop
		case lower == "continue":
			out.then = goOn
		case lower == "break":
			out.then = toNextRule
		case i > 0 && !has || strings.HasPrefix(w, "=") || strings.HasPrefix(w, "+") || strings.HasPrefix(w, "-"):
			out.rights = rightsOf(lower)
		default: // peername, ssf: a condition more
			out.certain = false
			conditions++
		}
	}
	if whos == 0 && conditions > 0 {
		out.who.All = true // whoever comes from there
	}
	out.certain = out.certain && whos <= 1
	return out
}

// memberAttributes are those by which somebody is in a group as the caller
// reads it.
var memberAttributes = []string{"", "member", "uniquemember", "roleoccupant"}

// cutLast gives the attribute of "group/CLASS/ATTRIBUTE"; false where none is
// named.
func cutLast(kind string) (class, attr string, named bool) {
	parts := strings.Split(kind, "/")
	if len(parts) < 3 {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// notWorkedOut are conditions that depend on what entries hold.
func notWorkedOut(kind string) bool {
	return kind == "set" || kind == "dnattr" || kind == "aci" || strings.HasPrefix(kind, "dynacl")
}

func rightsOf(access string) rights {
	access = strings.TrimPrefix(strings.TrimPrefix(access, "real"), "self")
	if access == "" || !strings.ContainsAny(access[:1], "=+-") {
		level := map[string]byte{"read": reads, "add": reads | adds, "delete": reads | deletes, "write": reads | adds | deletes, "manage": reads | sets}
		return rights{level[access], instead}
	}
	out := rights{to: map[byte]func(had, what byte) byte{'=': instead, '+': besides, '-': without}[access[0]]}
	for _, letter := range access[1:] {
		out.what |= map[rune]byte{'r': reads, 'a': adds, 'z': deletes, 'w': adds | deletes, 'm': adds | deletes | manages}[letter]
	}
	return out
}

// dnStyle reads a pattern of DNs. sure is false where it may match others too.
func dnStyle(style, value string) (matches func(string) bool, sure bool) {
	style, _, _ = strings.Cut(style, ",")
	all := func(string) bool { return true }
	if style == "regex" || style == "" && strings.ContainsAny(value, "*^$[") {
		re, err := regexp.Compile("(?i)" + value)
		if err != nil {
			return all, false
		}
		return re.MatchString, true
	}
	at, err := ldap.ParseDN(value)
	if err != nil {
		return all, false
	}
	level := -1
	if n, ok := strings.CutPrefix(style, "level{"); ok {
		if level, err = strconv.Atoi(strings.TrimSuffix(n, "}")); err != nil {
			return all, false
		}
	}
	return func(text string) bool {
		dn, err := ldap.ParseDN(text)
		if err != nil {
			return true
		}
		switch {
		case level >= 0:
			return (at.EqualFold(dn) || at.AncestorOfFold(dn)) && len(dn.RDNs) == len(at.RDNs)+level
		case style == "subtree" || style == "sub":
			return at.EqualFold(dn) || at.AncestorOfFold(dn)
		case style == "children":
			return at.AncestorOfFold(dn)
		case style == "one" || style == "onelevel":
			return at.AncestorOfFold(dn) && len(dn.RDNs) == len(at.RDNs)+1
		}
		return at.EqualFold(dn)
	}, true
}

// For are the numbers of the rules that may decide on the password of dn: up to
// the first that hands it on for nobody.
func For(rules []Rule, dn string) (out []int) {
	for n, r := range rules {
		if r.applies(dn) {
			if out = append(out, n); !r.Perhaps && !slices.ContainsFunc(r.bys, func(b by) bool { return b.then == toNextRule }) {
				break
			}
		}
	}
	return out
}

// May reports whether who has a DN and is in groups may set the password of a
// target, by the rules of its database in their order (slapd.access(5)). Where
// a rule or a by may match or not, both are followed, and one way is enough.
func May(rules []Rule, target, dn string, inGroup func(group string) bool) bool {
	return may(rules, target, dn, inGroup, sets)
}

// MayRead reports whether he may read it.
func MayRead(rules []Rule, target, dn string, inGroup func(group string) bool) bool {
	return may(rules, target, dn, inGroup, reads)
}

func may(rules []Rule, target, dn string, inGroup func(group string) bool, what byte) bool {
	had := states{0: true}
	for _, n := range For(rules, target) {
		decided, onward := rules[n].walk(had, dn, inGroup)
		if decided.any(what) {
			return true
		}
		if rules[n].Perhaps {
			onward.take(had)
		}
		if had = onward; len(had) == 0 {
			return false
		}
	}
	return had.any(what)
}

// states are the rights that somebody may have by now.
type states map[byte]bool

func (s states) take(o states) {
	for had := range o {
		s[had] = true
	}
}

func (s states) any(what byte) bool {
	for had := range s {
		if had&what != 0 {
			return true
		}
	}
	return false
}

// walk follows the bys of a rule. decided are the rights where the rule is the
// last, onward those with which the next one begins.
func (r Rule) walk(had states, dn string, inGroup func(group string) bool) (decided, onward states) {
	decided, onward = states{}, states{}
	for _, b := range r.bys {
		if !b.who.May(dn, inGroup) {
			continue
		}
		got := states{}
		for h := range had {
			got[b.rights.to(h, b.rights.what)] = true
		}
		next := states{}
		if !b.certain {
			next.take(had)
		}
		switch b.then {
		case stop:
			decided.take(got)
		case goOn:
			next.take(got)
		case toNextRule:
			onward.take(got)
		}
		if had = next; len(had) == 0 {
			return decided, onward
		}
	}
	return decided, onward // whom none matched, or all handed on: by * none stop
}

// Groups are those that the rules name, where it matters for setting passwords
// who is in them.
func Groups(rules []Rule) []string { return groups(rules, sets) }

// ReadGroups are those where it matters for reading them.
func ReadGroups(rules []Rule) []string { return groups(rules, reads) }

func groups(rules []Rule, what byte) (out []string) {
	for b := range giving(rules, what) {
		if b.who.Group != "" {
			out = append(out, b.who.Group)
		}
	}
	return out
}

// Undecided are the conditions by which others may set passwords as well, and
// that are not worked out here, each once.
func Undecided(rules []Rule) (out []string) {
	for b := range giving(rules, sets) {
		if b.who.Other != "" && b.who.DN == nil && b.who.Group == "" && !b.who.All && !slices.Contains(out, b.who.Other) {
			out = append(out, b.who.Other)
		}
	}
	return out
}

// giving are those by which somebody may have rights: they give them, hand him
// on to what may, or leave him what was given before (slapd.access(5): without
// ACCESS it is +0).
func giving(rules []Rule, what byte) iter.Seq[by] {
	return func(yield func(by) bool) {
		var given byte
		for _, r := range rules {
			for _, b := range r.bys {
				if (b.then != stop || b.rights.to(given, b.rights.what)&what != 0) && !yield(b) {
					return
				}
				if b.then != stop {
					given |= b.rights.what & what
				}
			}
		}
	}
}
