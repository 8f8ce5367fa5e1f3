package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// draft is a credential in the making.
type draft struct {
	credential.Credential
	logins   []string          // what else people call the account
	mails    []string          // its addresses, as the directory has them
	guesses  []credential.Path // paths whose field nobody named
	short    string            // for an adopted path
	findings []credential.Finding
	problems []credential.Problem // of its account
	like     []string             // ids of the drafts whose name it has (sameNames)
	resets   bool                 // it can reset other accounts of its authority

	protected bool // it is of a protected group

	doors   []config.DoorOf        // that a source names for it
	unasked []credential.DoorLogin // doors of a person who gets a temporary value

	current []credential.Path // those of Ours that hold what an earlier campaign put there
	taken   []credential.Path // those of current that a person named for another account

	only    bool              // a person named all paths that it has
	told    bool              // something but a secret's own metadata ties it to the device
	named   []credential.Path // paths that somebody but the secret there named
	ownPath *credential.Path  // where the campaign file says that Rollcall's own login lies
	maybe   []maybePath       // paths that may be the account's, and that nobody could give to it

	logged bool // logs have it as let in from the device
	hinted bool // a secret's own word names it

	kept string // the earlier campaign that left it open, where no source names it

	personal         []string // what its entry has as people's have
	people, services []string // the sources that list it as a person's account, and as a service's
}

// merger holds the drafts by credential id. Everything in it is a set or is
// sorted at the end, so the order of sources and entries does not matter.
type merger struct {
	c      *config.Campaign
	known  accounts
	lost   unfound // where accounts may be that were not found
	drafts map[string]*draft

	uses usesIndex

	leftOut []leftPath

	shared  []*Candidate // of secrets that somebody owns, which may hold more
	assumed []*Candidate // that name an account at the authority that is meant where none is named

	byRDN map[[2]string]string // names of accounts by authority and the value that their DN begins with

	open map[string]then // what the last rolls had open, for whoever asks first
}

func (d *draft) found(c Candidate) {
	d.reason(c)
	if c.Path != nil {
		d.Paths = append(d.Paths, *c.Path)
	}
}

func (d *draft) find(code credential.FindingCode, format string, args ...any) {
	d.findings = append(d.findings, credential.Finding{Code: code, Detail: fmt.Sprintf(format, args...)})
}

func (m *merger) hasAuthority(name string) bool { return m.c.Authority(name) != nil }

// secretPath is a secret without its field.
type secretPath struct{ mount, path string }

// String is how people write it.
func (s secretPath) String() string { return credential.Path{Mount: s.mount, Path: s.path}.Secret() }

func secretPathOf(p credential.Path) secretPath { return secretPath{p.Mount, p.Path} }

// firstText is the smaller of two texts that is not empty.
func firstText(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

func sortedText(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func sortedPaths(p []credential.Path) []credential.Path {
	slices.SortFunc(p, func(a, b credential.Path) int {
		return cmp.Or(strings.Compare(a.Mount, b.Mount), strings.Compare(a.Path, b.Path), strings.Compare(a.Field, b.Field))
	})
	return slices.Compact(p)
}

// newValues are those of so many credentials.
func newValues(n int) string {
	return plural.Pick(n, "value", "values") + " of " + plural.Count(n, "credential", "credentials")
}
