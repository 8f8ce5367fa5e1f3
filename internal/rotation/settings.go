package rotation

import "time"

// A secret may get a delete_version_after after it was listed and before Set,
// which no answer shows until a version is written. The staged copy outlives
// that one (lasting, and Clean, which frees nothing then), and from there on
// each secret is asked before Set: who changed one has perhaps changed more.

// noteSettings notes that Vault will delete what was just activated.
func (g *Gate) noteSettings(at time.Time) {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.settings = at
	}
}

// settingsMoved reports whether that was seen lately, so that what the listing
// said of secrets is not believed.
func (g *Gate) settingsMoved(now time.Time) bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.settings.IsZero() && age(g.settings, now) < listedTTL
}
