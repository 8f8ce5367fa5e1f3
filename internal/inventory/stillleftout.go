package inventory

import (
	"cmp"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// What an exclude took off an earlier roll may end by itself: a token expires,
// somebody deletes a login, an account or a secret. The exclude then takes off
// nothing that a source finds, and is no slip: it stays as it is, for as long
// as the file has it, and whoever runs a schedule has nothing to do.

// stillLeftOut puts places among those that are left out which the last roll
// had so, and at which no source finds anything by now.
func (m *merger) stillLeftOut() {
	if m.lost.past.last == nil {
		return
	}
	for _, roll := range append([]ownmount.LastRoll{*m.lost.past.last}, m.lost.past.last.Before...) {
		for _, x := range roll.Excluded {
			for _, p := range leftAt(x) {
				m.leaveOutStill(x, p)
			}
		}
	}
}

func (m *merger) leaveOutStill(x credential.Exclusion, p credential.Path) {
	if slices.ContainsFunc(m.leftOut, func(l leftPath) bool { return l.Path.String() == p.String() }) {
		return
	}
	for _, e := range m.c.Exclude {
		if !names(e, p) {
			continue
		}
		c := Candidate{Kind: x.Kind, Path: &p}
		if authority, subject, ok := strings.Cut(x.ID, "/"); ok && authority != unmatched && !strings.HasPrefix(x.ID, placeOf) {
			c.Authority, c.Account = authority, subject
		} else if x.Name != p.String() && x.Name != p.Secret() {
			c.Account = x.Name
		}
		for _, r := range x.Found {
			c.Reason = r
			m.leftOut = append(m.leftOut, leftPath{c, e.Reason})
		}
		return
	}
}

// leftAt are the paths of what a person left out. Rolls of earlier versions
// have those alone at which no account was found.
func leftAt(x credential.Exclusion) []credential.Path {
	out := slices.Clone(x.Paths)
	for _, prefix := range []string{unmatched + "/", placeOf} {
		text, is := strings.CutPrefix(x.ID, prefix)
		if p, err := credential.ParsePath(text); is && err == nil && !slices.ContainsFunc(out, func(q credential.Path) bool { return q.String() == text }) {
			out = append(out, p)
		}
	}
	return out
}

// wasHere reports whether an account that an exclude names is one that a path
// which is left out names, or that campaigns knew and its authority has no
// more: nothing of it can be on the roll by another name. gone is the id of
// that one, if it is one alone.
func (m *merger) wasHere(account string) (gone string, known bool) {
	is := func(name string) bool {
		return fold(name) == fold(account) || fold(rdnValue(name)) == fold(account) || formOf(account) == byDN && dnKey(name) == dnKey(account)
	}
	known = slices.ContainsFunc(m.leftOut, func(p leftPath) bool { return p.Account != "" && is(p.Account) })
	several := false
	for _, k := range m.lost.past.kept {
		if (is(k.Name) || is(k.Subject)) && m.isGone(k.ID) {
			known, several = true, several || gone != "" && gone != k.ID
			gone = cmp.Or(gone, k.ID)
		}
	}
	if several {
		gone = ""
	}
	return gone, known
}
