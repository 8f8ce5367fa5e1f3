package registry

import (
	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
)

// AddForTest has registries open an authority for a kind that no build has.
func AddForTest(k credential.Kind, a kind.Authority) (remove func()) {
	kinds[k] = func(*Registry, *config.Campaign, string) (kind.Authority, error) { return a, nil }
	return func() { delete(kinds, k) }
}
