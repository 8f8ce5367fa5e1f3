package paste

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"
)

// awkward are values that YAML reads as something else where nothing quotes
// them.
var awkward = []string{
	"", " ", "a: b", "a #b", "#a", "kv/apps#password", "- a", "? a", "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "[a]", "{a}", "a, b", "a}", `a"b`, "it's", `a\b`, `\`,
	"007", "0x1f", "0o17", "1_000", "1.5", "1e3", ".5", "12:30:45", "2026-11-30", "2026-11-30T01:02:03Z", "+1", "-1", "-", "--- a", "...",
	"yes", "No", "ON", "off", "y", "N", "true", "False", "null", "NULL", "~", ".inf", ".nan", "<<", "=", "a:", ":a", "a  b", " a", "a ", "a\nb", "a\tb", "é", "\u0085", "\u2028", "\ufeff", "\x1b[2J", "\u202e",
	"cn=Yard Management\\, Terminal 2,ou=services,dc=hl,dc=example", `uid=a"b,ou=people`,
}

func TestYAMLReadsBackTheValue(t *testing.T) {
	same := func(t require.TestingT, value string) {
		var got map[string]any
		row := Row("directory", value, "account", value)
		require.NoError(t, yaml.Unmarshal([]byte("accept:\n  - "+row+"\n"), &got), row)
		require.Equal(t, map[string]any{"accept": []any{map[string]any{"directory": value, "account": value, "reason": Left}}}, got, row)
		require.Equal(t, 1, strings.Count(row+"\n", "\n"), "one line")
		// A terminal breaks the line at any blank.
		broken := strings.Join(strings.Fields(row), "\n    ")
		require.NoError(t, yaml.Unmarshal([]byte("accept:\n  - "+broken+"\n"), &got), broken)
		require.Equal(t, map[string]any{"accept": []any{map[string]any{"directory": value, "account": value, "reason": Left}}}, got, broken)
		require.NoError(t, yaml.Unmarshal([]byte("a: "+YAML(value)), &got))
		require.Equal(t, value, got["a"])
	}
	for _, value := range awkward {
		if value != Left {
			same(t, value)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("ab019-:#,.[]{}'\"\\&*!|>%@`~?=+_/ \t\nyesnoTZé")), 0, 12, -1),
			rapid.String(),
		).Filter(func(s string) bool { return s != Left && utf8.ValidString(s) }).Draw(t, "value")
		same(t, value)
	})
}

func TestPlainWordsOfYAMLStayAsTheyAre(t *testing.T) {
	for _, value := range []string{"corp", "esg-01", "shared-role", "approle/esg-01", "a_b", "TIME"} {
		require.Equal(t, value, YAML(value))
	}
	require.Equal(t, `accept: - {account: "svc", problem: copy-beside, reason: …}`, Entry("accept", "account", "svc", "problem", "copy-beside"))
	require.Equal(t, `{path: …, reason: …}`, Row("path", Left))
	require.Equal(t, `{path: "kv/a#b", only: true, reason: …}`, Row("path", "kv/a#b", "only", "true"))
}
