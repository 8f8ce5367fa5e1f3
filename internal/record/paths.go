package record

import (
	"maps"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// byPath names the paths of versions, which are in the order of c.Paths and
// then, where Rollcall's own path takes part, of c.Spare.
func byPath(c credential.Credential, versions []int) map[string]int {
	out := map[string]int{}
	for i, p := range c.Places() {
		if i < len(versions) {
			out[p.String()] = versions[i]
		}
	}
	return out
}

// written is byPath of those that were written: a path that was left as it is
// has no version after.
func written(c credential.Credential, versions []int) map[string]int {
	out := byPath(c, versions)
	maps.DeleteFunc(out, func(_ string, v int) bool { return v == 0 })
	return out
}

// writtenAt is when Vault wrote the versions of written.
func writtenAt(c credential.Credential, a wire.AppliedItem) map[string]time.Time {
	out := map[string]time.Time{}
	for i, p := range c.Places() {
		if i < min(len(a.To), len(a.Written)) && a.To[i] > 0 && !a.Written[i].IsZero() {
			out[p.String()] = a.Written[i].UTC()
		}
	}
	return out
}
