// Package version says which build of Rollcall this is. Everything it knows was
// put into the program by `go build`
// (https://pkg.go.dev/runtime/debug#BuildInfo).
package version

import (
	"runtime/debug"
	"strings"
)

// Info names one build.
type Info struct {
	// Version is the module's: a tag, a pseudo-version that ends in the commit,
	// or "unknown" for a program that was built without its repository.
	Version string `json:"version"`
	// Commit is the whole hash, and CommittedAt its time (RFC 3339). Both are
	// empty where the program was built without its repository.
	Commit      string `json:"commit,omitempty"`
	CommittedAt string `json:"committed_at,omitempty"`
	// Modified: the checkout had changes that no commit holds.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"` // operating system/architecture
}

// Current is the running program's.
func Current() Info {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return Info{Version: unknown}
	}
	return of(b)
}

const unknown = "unknown"

func of(b *debug.BuildInfo) Info {
	set := map[string]string{}
	for _, s := range b.Settings {
		set[s.Key] = s.Value
	}
	i := Info{
		Version: b.Main.Version, Commit: set["vcs.revision"], CommittedAt: set["vcs.time"],
		Modified: set["vcs.modified"] == "true", Go: b.GoVersion, Platform: set["GOOS"] + "/" + set["GOARCH"],
	}
	if i.Version == "" || i.Version == "(devel)" {
		i.Version = unknown
	}
	return i
}

// String is how records and people name the build: "rollcall v1.2.3", and where
// the version does not say it by itself, that the checkout was modified.
func (i Info) String() string {
	s := "rollcall " + i.Version
	if i.Modified && !strings.Contains(i.Version, "dirty") {
		s += " (modified)"
	}
	return s
}
