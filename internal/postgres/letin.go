package postgres

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A role may be let in by something else than its password, for a database, an
// address or a way of connecting that the proof does not try: then the stolen
// value (or any) goes on logging in there, or what was set is not what is asked
// for. pg_hba.conf says so (PostgreSQL 15 documentation, 21.1).

// Who is a role as pg_hba.conf knows it.
type Who struct {
	Name string
	// Groups are the roles of which it is a member, directly or not.
	Groups []string
	// Replicates: lines about the pseudo database "replication" let it in too.
	Replicates bool
}

// asking are the methods that ask for the password of the role itself.
var asking = []string{"scram-sha-256", "md5", "password"}

// Otherwise are the lines that let a role in by something else than its own
// password, each with what it says. Of a line whose every login an earlier one
// takes nothing is said, for the first that matches decides.
func Otherwise(rules []Rule, who Who) []string {
	var out []string
	for i, r := range rules {
		if !decides(rules, i, who) {
			continue
		}
		said := r.said()
		if r.Quoted && !decides(unquoted(rules[:i+1]), i, who) {
			said += ", if what it or an earlier line names in quotes is a mere name (the file has a word such as \"all\" in quotes, and pg_hba_file_rules shows none: write it without)"
		}
		out = append(out, said)
	}
	return out
}

// decides reports whether a line may let the role in by something else than its
// own password.
func decides(rules []Rule, i int, who Who) bool {
	r := rules[i]
	if r.Error != "" || r.Method == "reject" || slices.Contains(asking, r.Method) || !r.lets(who) {
		return false
	}
	return !slices.ContainsFunc(rules[:i], func(first Rule) bool { return first.covers(r, who) })
}

// unquoted are the lines read as if no word of theirs were in quotes.
func unquoted(rules []Rule) []Rule {
	out := slices.Clone(rules)
	for i := range out {
		out[i].Quoted = false
	}
	return out
}

// words are what has a meaning in pg_hba.conf, besides a group's +, unless it
// is in quotes: then it is the name of a database, a role or a machine
// (PostgreSQL 15 documentation, 21.1).
var words = []string{"all", "replication", "sameuser", "samerole", "samegroup", "samehost", "samenet"}

// perhapsName reports whether a word of the line may be a mere name.
func (r Rule) perhapsName(word string) bool {
	return r.Quoted && (slices.Contains(words, word) || strings.HasPrefix(word, "+"))
}

// lets reports whether a login of the role may be decided by the line.
func (r Rule) lets(who Who) bool {
	may, _ := r.means(who)
	if !may || r.Type == "local" && r.fromSystem() && !r.meansByName(who) {
		return false
	}
	return r.ofDatabases() || r.ofReplication() && who.Replicates
}

// fromSystem: the operating system of the server's own machine vouches for who
// connects there. Debian has such a line for all roles, which lets in who has
// an account of the role's name on that machine and no password.
func (r Rule) fromSystem() bool { return r.Method == "peer" || r.Method == "ident" }

// means says whether the line is about the role: surely, or only perhaps.
func (r Rule) means(who Who) (may, surely bool) {
	for _, name := range r.Roles {
		switch {
		case name == "all":
			may, surely = true, surely || !r.perhapsName(name)
		case strings.HasPrefix(name, "/"): // a regular expression (16)
			may = true
		case r.meansBy(name, who):
			may, surely = true, surely || name == who.Name || !r.perhapsName(name)
		}
	}
	return may, surely
}

// meansByName: by its own name, or by a group's.
func (r Rule) meansByName(who Who) bool {
	return slices.ContainsFunc(r.Roles, func(name string) bool { return r.meansBy(name, who) })
}

func (r Rule) meansBy(name string, who Who) bool {
	group, ok := strings.CutPrefix(name, "+")
	return name == who.Name || ok && (group == who.Name || slices.Contains(who.Groups, group))
}

func (r Rule) ofDatabases() bool {
	return slices.ContainsFunc(r.Databases, func(name string) bool { return name != "replication" || r.perhapsName(name) })
}

func (r Rule) ofReplication() bool { return slices.Contains(r.Databases, "replication") }

// covers reports whether every login of the role that a later line would decide
// is decided by this one for certain.
func (r Rule) covers(later Rule, who Who) bool {
	_, surely := r.means(who)
	if r.Error != "" || !surely || !r.coversType(later.Type) || !r.coversAddress(later) {
		return false
	}
	for _, name := range later.Databases {
		switch {
		case name == "replication" && !who.Replicates && !later.perhapsName(name):
		case slices.Contains(r.Databases, name) && !r.perhapsName(name):
		case name == "replication" || !slices.Contains(r.Databases, "all") || r.perhapsName("all"):
			return false
		}
	}
	return true
}

func (r Rule) coversType(later string) bool {
	return r.Type == later || r.Type == "host" && later != "local"
}

func (r Rule) coversAddress(later Rule) bool {
	if r.Type == "local" || (r.Address == "all" || r.Address == later.Address) && !r.perhapsName(r.Address) {
		return true
	}
	mine, ok := r.network()
	theirs, also := later.network()
	return ok && also && mine.Bits() <= theirs.Bits() && mine.Contains(theirs.Addr())
}

// network is the address of a line with its mask; false for names and words.
func (r Rule) network() (netip.Prefix, bool) {
	if address, err := netip.ParseAddr(r.Address); err == nil {
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	n, err := netip.ParsePrefix(r.Address)
	return n, err == nil
}

// machine reports whether the line is only about logins from the server's own
// machine.
func (r Rule) machine() bool {
	n, ok := r.network()
	return r.Type == "local" || ok && n.Addr().IsLoopback()
}

// said is the line with what it means, for people.
func (r Rule) said() string {
	at := fmt.Sprintf("line %d of pg_hba.conf (%s, database %s, from %s)", r.Line, r.Type, strings.Join(r.Databases, ","), r.from())
	switch {
	case r.Method == "trust":
		return at + " lets it in without a password (trust)"
	case r.Elsewhere():
		return at + " has its password checked elsewhere (" + r.Method + ")"
	}
	return at + " lets it in by something else than its password (" + r.Method + ")"
}
