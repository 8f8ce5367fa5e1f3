package gate

import "time"

// A secret may get a delete_version_after after it was listed and before Set,
// which no answer shows until a version is written. The staged copy outlives
// that one (internal/rotation frees nothing then), and from there on each
// secret is asked before Set: who changed one has perhaps changed more.

// NoteSettings notes that Vault will delete what was just activated.
func (g *Gate) NoteSettings(at time.Time) {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.settings = at
	}
}

// SettingsMoved is when that was last seen, so that for a while what a listing
// said of secrets is not believed; zero if it never was.
func (g *Gate) SettingsMoved() time.Time {
	if g == nil {
		return time.Time{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.settings
}
