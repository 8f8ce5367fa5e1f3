package vault

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What is looked for before a regular expression is asked must be in whatever
// the expression matches, or a form would pass for a bare secret.
func TestAQuickLookPassesOverNoForm(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"a", "Z9", "xY7kQ2mP", "=", "==", ":", ";", ",", "|", " ", "\t", "\n", "\r", "\f", "/", "//", "://", "jdbc:x:", "http", "@", "\\", "%41", "&amp;",
		"\"", "'", "`", "“", "”", "‘", "’", "«", "»", "<", ">", "(", ")", "[", "]", "{", "}", "$", "!", "&", "eyJ", "H4sI", "Bearer", "basic", "~", "..", "_", "-", ".",
		"host", "password", "Server", "uid", "=>", ":=", "é",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 9).Draw(t, "pieces"), "")
		for _, look := range looks {
			if look.form.MatchString(text) {
				require.True(t, strings.ContainsAny(text, look.has), "%q is %s", text, look.why)
			}
		}
		if keyed.MatchString(text) {
			require.True(t, strings.ContainsAny(text, "=:;,|\t"), "%q", text)
		}
		if urlForm.MatchString(text) || schemes.MatchString(text) {
			require.Contains(t, text, "://")
		}
		if len(pairsIn(text, blanks)) > 1 || len(pairsIn(text, semicolons)) > 1 {
			require.Greater(t, strings.Count(text, "="), 1)
		}
		if !strings.Contains(text, `\`) {
			require.Equal(t, text, unescaped(text))
		}
		if !strings.Contains(text, "%") {
			require.False(t, percents.MatchString(text))
		}
	})
}

// BenchmarkLiveOf is how a value of a path is looked at, in each rotation.
func BenchmarkLiveOf(b *testing.B) {
	e := Entry{Version: 1, Data: map[string]any{"username": "svc-backup-0815", "password": "kT9vQ2xLm4RzW8bN3cYp7d"}}
	for b.Loop() {
		liveOf(e, "password")
	}
}
