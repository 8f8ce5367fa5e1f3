package listing

import (
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// ExcludedStays says why a credential that the campaign file excludes by now
// does not come off the roll of a running campaign, although nothing of it was
// announced. It is empty where it may.
func ExcludedStays(c credential.Credential) string {
	return apart(c, credential.Credential{}, nil)
}

// ExcludedLate says why what a new value was announced for stays on the roll,
// whatever the campaign file excludes by now.
const ExcludedLate = "the exclude comes too late: it is dead, a new value of it was announced, it was being worked on, or an earlier campaign left one staged that may be in force. It ends as it began, and its old value does not come back by the exclude: whatever cannot do without needs the new one"

// Settled is a proposal as it becomes part of the roll, when what is at the
// places off comes off it: its exclusions are those that count, and of the
// others it warns. told are the warnings that were given before.
func Settled(p ownmount.Proposal, was []Was, off credential.Refs, told []credential.Finding) ownmount.Proposal {
	byID := map[string]Was{}
	for _, w := range was {
		byID[w.ID] = w
	}
	all := p.Excluded
	p.Excluded, p.Warnings = nil, slices.Clone(p.Warnings)
	for _, x := range all {
		w, had := byID[x.ID]
		switch {
		case !had:
		case slices.Contains(off, w.Ref):
			p.Excluded = append(p.Excluded, x)
		default:
			f := credential.Finding{Code: credential.FindingNotTakenUp, Detail: called(w.Credential) + " is excluded by now, and stays on the roll: " + ExcludedLate}
			if !slices.Contains(told, f) {
				p.Warnings, p.Incomplete = append(p.Warnings, f), p.Incomplete+1
			}
		}
	}
	return p
}

// isExcluded reports whether the campaign file excludes a credential that a
// proposal has from the roll.
func isExcluded(p ownmount.Proposal, id string) bool {
	return slices.ContainsFunc(p.Excluded, func(x credential.Exclusion) bool { return x.ID == id })
}
