package cli

import (
	"fmt"

	"rollcall/config"
)

// How the profile that a ledger names compares with this build's of that name.
const (
	buildSame    = "same"
	buildDiffers = "differs"
	buildNone    = "none"
)

// thisBuild compares the SHA-256 of a profile in a ledger with this build's of
// that name, and words what came of it: a profile of another build may have had
// other lines, and a file of one's own may bear the name of one of ours.
func thisBuild(name, reviewed, sha256 string) (word, text string) {
	p, err := config.BuiltInProfile(name)
	switch {
	case err != nil || p == nil:
		return buildNone, fmt.Sprintf("profile: %s, reviewed %s; this build has none of that name to compare it with", name, reviewed)
	case p.Digest == sha256:
		return buildSame, fmt.Sprintf("profile: %s, reviewed %s, is that of this build", name, reviewed)
	}
	return buildDiffers, fmt.Sprintf("profile: %s of the ledger (reviewed %s, SHA-256 %s) is not that of this build (reviewed %s, SHA-256 %s): another build or a file of one's own had other lines or words; `rollcall profiles show %s` has this build's",
		name, reviewed, short(sha256), p.Reviewed, short(p.Digest), name)
}

func short(digest string) string { return digest[:min(12, len(digest))] }
