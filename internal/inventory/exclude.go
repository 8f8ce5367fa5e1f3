package inventory

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// exclude moves lines to Roll.Excluded. An exclude that matches nothing is a
// warning: the person who wrote it believes in an account that is not there.
// A uid that means several accounts is an error, because leaving out more
// than was meant would let a stolen credential live.
func (m *merger) exclude(roll *credential.Roll) ([]Warning, error) {
	var warnings []Warning
	why := map[string]string{}
	index := m.index()
	for _, e := range m.c.Exclude {
		ids := index[e.Path]
		if e.Account != "" {
			ids = index[accountKey(e.Account)]
		}
		switch {
		case len(ids) == 0:
			warnings = append(warnings, Warning(fmt.Sprintf("exclude %s matches nothing on the roll: correct it or remove it", name(e))))
		case len(ids) > 1 && e.Account != "" && formOf(e.Account) != byUUID && formOf(e.Account) != byDN:
			names := make([]string, 0, len(ids))
			for _, id := range ids {
				names = append(names, m.lines[id].Authority+": "+m.lines[id].Name)
			}
			slices.Sort(names)
			return nil, &naming{
				fmt.Errorf("exclude %s matches %d credentials (%s): nothing was listed; name the one you mean by its DN or immutable id", name(e), len(ids), strings.Join(names, "; ")),
				fmt.Sprintf("an exclude matches %d credentials; name the one you mean by its DN or immutable id", len(ids)),
			}
		}
		for _, id := range ids {
			if why[id] == "" {
				why[id] = e.Reason
			}
		}
	}
	for id, reason := range why {
		l := m.lines[id]
		l.tidy()
		roll.Excluded = append(roll.Excluded, credential.Exclusion{ID: id, Name: cmp.Or(l.Name, id), Reason: reason, Found: l.Reasons})
		delete(m.lines, id)
	}
	slices.SortFunc(roll.Excluded, func(a, b credential.Exclusion) int { return strings.Compare(a.ID, b.ID) })
	return warnings, nil
}

func name(e config.Exclude) string {
	if e.Account != "" {
		return "account " + e.Account
	}
	return "path " + e.Path
}

// index finds lines by all that an exclude may call them.
func (m *merger) index() map[string][]string {
	if len(m.c.Exclude) == 0 {
		return nil
	}
	index := map[string][]string{}
	for id, l := range m.lines {
		keys := []string{accountKey(l.Name)}
		if l.Subject != "" {
			keys = append(keys, fold(l.Subject))
		}
		for _, s := range l.logins {
			keys = append(keys, accountKey(s))
		}
		for _, p := range l.Paths {
			keys = append(keys, p.String())
		}
		slices.Sort(keys)
		for _, k := range slices.Compact(keys) {
			index[k] = append(index[k], id)
		}
	}
	return index
}

// wave is the index of the first wave that matches, or one past the last.
func (m *merger) wave(l *line) int {
	for i, w := range m.c.Waves {
		if waveMatches(w, l) {
			return i
		}
	}
	return len(m.c.Waves)
}

func waveMatches(w config.Wave, l *line) bool {
	if w.Kind != "" && w.Kind != l.Kind || w.Directory != "" && w.Directory != l.Authority {
		return false
	}
	if w.Source != "" && !slices.ContainsFunc(l.Reasons, func(r credential.Reason) bool { return r.Source == w.Source }) {
		return false
	}
	if w.Account == "" {
		return true
	}
	pattern := strings.ToLower(w.Account)
	for _, n := range append([]string{l.Name}, l.logins...) {
		if ok, err := path.Match(pattern, strings.ToLower(n)); err == nil && ok {
			return true
		}
	}
	return false
}
