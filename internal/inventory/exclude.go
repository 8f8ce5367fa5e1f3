package inventory

import (
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// wave is the index of the first wave that matches, or one past the last.
func (m *merger) wave(l *draft) int {
	for i, w := range m.c.Waves {
		if waveMatches(w, l) {
			return i
		}
	}
	return len(m.c.Waves)
}

func waveMatches(w config.Wave, l *draft) bool {
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
		if ok, err := config.Matches(pattern, strings.ToLower(n)); err == nil && ok {
			return true
		}
	}
	return false
}
