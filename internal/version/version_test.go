package version

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABuildIsNamedByWhatGoPutIntoIt(t *testing.T) {
	settings := []debug.BuildSetting{
		{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "amd64"},
		{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.time", Value: "2026-11-28T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}
	for _, row := range []struct {
		name string
		in   debug.BuildInfo
		want Info
		text string
	}{
		{"a tag", debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"}, Settings: settings[:2]},
			Info{Version: "v1.2.3", Go: "go1.26.0", Platform: "linux/amd64"}, "rollcall v1.2.3"},
		{"a modified checkout", debug.BuildInfo{Main: debug.Module{Version: "v1.2.4-0.20261128120000-0123abcd+dirty"}, Settings: settings},
			Info{Version: "v1.2.4-0.20261128120000-0123abcd+dirty", Commit: "0123abcd", CommittedAt: "2026-11-28T12:00:00Z", Modified: true, Platform: "linux/amd64"},
			"rollcall v1.2.4-0.20261128120000-0123abcd+dirty"},
		{"no repository", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: settings[:2]},
			Info{Version: "unknown", Platform: "linux/amd64"}, "rollcall unknown"},
		{"modified, without a version", debug.BuildInfo{Settings: settings},
			Info{Version: "unknown", Commit: "0123abcd", CommittedAt: "2026-11-28T12:00:00Z", Modified: true, Platform: "linux/amd64"}, "rollcall unknown (modified)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.want, of(&row.in))
			require.Equal(t, row.text, row.want.String())
		})
	}
}
