package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
)

// What a secret says of itself in its custom_metadata may have been written by
// whoever had the device. It is a hint: where nothing else ties an account to
// the device, the rotation asks the account itself, and sets nothing that it
// cannot place.

// confirmed takes a person's word for paths: by account and path, each by name.
func (m *merger) confirmed() ([]Warning, error) {
	var warnings []Warning
	for _, c := range m.c.Confirm {
		one, err := m.theOne("confirm account "+c.Account, c.Account)
		if err != nil {
			return nil, err
		}
		done := false
		for _, t := range one {
			l := m.drafts[t.id]
			if l.Subject == "" {
				continue
			}
			done = true
			l.told = true
			l.Paths, l.named = append(l.Paths, c.Path), append(l.named, c.Path)
			if !c.New { // of what is there by now, if anything, nobody has said whose it is
				l.Confirmed = append(l.Confirmed, c.Path)
			}
			if c.Version > 0 {
				if l.ConfirmedAt == nil {
					l.ConfirmedAt, l.ConfirmedWritten = map[string]int{}, map[string]time.Time{}
				}
				l.ConfirmedAt[c.Path.String()], l.ConfirmedWritten[c.Path.String()] = c.Version, c.Written
			}
			l.dropGuesses(c.Path)
			l.only = l.only || c.Only
			l.Reasons = append(l.Reasons, credential.Reason{Source: "campaign file", Type: "confirm", Detail: c.Path.String() + ": " + c.Reason})
		}
		if !done {
			warnings = append(warnings, Warning{Code: credential.FindingExcludeUnused, Detail: fmt.Sprintf("confirm account %s: no account of that name is on the roll: correct it or remove it", c.Account)})
		}
	}
	for _, l := range m.drafts {
		if l.only {
			l.keepNamed()
		}
	}
	return warnings, nil
}

// ownPlaces leaves to what Rollcall itself logs in with the one path of the
// campaign file, whatever a secret says: its new value opens whole directories.
func (m *merger) ownPlaces(own ownIdentities) {
	for id, l := range m.drafts {
		if _, ours := own[id]; !ours || l.ownPath == nil {
			continue
		}
		for _, p := range l.Paths {
			if p != *l.ownPath {
				l.find(credential.FindingPlace, "%s claims to hold Rollcall's own login, which the campaign file keeps at %s alone: nothing is written there; find out who named it", p, *l.ownPath)
			}
		}
		l.Paths, l.named, l.Confirmed = []credential.Path{*l.ownPath}, []credential.Path{*l.ownPath}, nil
		l.ConfirmedAt, l.ConfirmedWritten = nil, nil
		l.Ours = nil
	}
}

// tellPlaces marks what is known by a secret's own word alone, and bounds what
// one account may gather.
func (m *merger) tellPlaces() {
	for _, l := range m.drafts {
		if l.Subject == "" {
			continue
		}
		l.Paths = sortedPaths(l.Paths)
		l.Named = keepOf(l.Paths, l.named)
		l.Confirmed, l.Ours = keepOf(l.Paths, l.Confirmed), keepOf(l.Paths, l.Ours)
		l.Hearsay = !l.told
		if n := fitting(l.Paths); n < len(l.Paths) {
			all := len(l.Paths)
			l.Paths, l.Problem = l.Paths[:n], credential.TooManyPaths
			l.Named, l.Confirmed, l.Ours = keepOf(l.Paths, l.named), keepOf(l.Paths, l.Confirmed), keepOf(l.Paths, l.Ours)
			l.find(credential.FindingPlace, "%s", manyPaths(l, all))
		}
		l.boundReasons()
	}
}

// What one credential of the roll may hold: an entry of the ledger has at most
// 64 KiB, and names in Vault may be long.
const (
	maxPathBytes   = 16 << 10
	maxReasonBytes = 300
)

// fitting is how many of paths one credential may have.
func fitting(paths []credential.Path) int {
	size := 0
	for n, p := range paths {
		if size += len(p.String()); n == credential.MaxPaths || size > maxPathBytes {
			return n
		}
	}
	return len(paths)
}

func (d *draft) boundReasons() {
	for i, r := range d.Reasons {
		if len(r.Detail) > maxReasonBytes {
			d.Reasons[i].Detail = strings.ToValidUTF8(r.Detail[:maxReasonBytes], "") + "…"
		}
	}
	if n, most := len(d.Reasons), 2*credential.MaxPaths; n > most {
		d.tidy()
		d.Reasons = append(d.Reasons[:most:most], credential.Reason{Source: "rollcall", Type: "note", Detail: fmt.Sprintf("and %d more", n-most)})
	}
}

// keepOf are those of paths that are in some, in order.
func keepOf(paths, some []credential.Path) []credential.Path {
	var out []credential.Path
	for _, p := range paths {
		if slices.Contains(some, p) {
			out = append(out, p)
		}
	}
	return out
}

// believed settles whose a path is that several accounts are said to have:
// where a person named it for one of them, a secret's own word for others
// counts for nothing.
func believed(p credential.Path, ls []*draft) []*draft {
	named := slices.DeleteFunc(slices.Clone(ls), func(l *draft) bool {
		byPerson := l.Subject == "" && slices.ContainsFunc(l.Reasons, func(r credential.Reason) bool { return !config.TraitsOfSource(r.Type).Hearsay })
		return !byPerson && !slices.Contains(l.named, p)
	})
	if len(named) != 1 {
		return ls
	}
	for _, l := range ls {
		if l == named[0] {
			continue
		}
		l.Paths = slices.DeleteFunc(slices.Clone(l.Paths), func(q credential.Path) bool { return q == p })
		if slices.Contains(l.current, p) {
			l.taken = append(l.taken, p)
		}
		says := "says of itself that it is this account's"
		if slices.Contains(l.Ours, p) {
			says = "had this account's value from an earlier campaign"
		}
		l.find(credential.FindingPlace, "%s %s, and a person named it for another one: nothing is written there for this one", p, says)
		if l.Hearsay && len(l.Paths) == 0 {
			l.Problem = credential.Unproved
		}
	}
	return named
}

// question words, for the findings of the roll, what a person may answer.
func question(account string, p credential.Path) string {
	return "if it is, say so in the campaign file: " + paste.Entry("confirm", "account", account, "path", p.String())
}

// leftWithout keeps open an account of which rows for others took every path,
// where one holds what an earlier campaign put there for it: set elsewhere, it
// would cut off who reads that.
func (d *draft) leftWithout() {
	if len(d.Paths) > 0 || len(d.taken) == 0 {
		return
	}
	d.Problem = credential.SharedPath
	for _, p := range d.taken {
		d.find(credential.FindingSharedPath, "%s holds what an earlier campaign put there for it, which has no other place, and a person named it for another account: correct that row; or, if the path was given to that one, name the place where this one's consumers read now", p)
	}
}
