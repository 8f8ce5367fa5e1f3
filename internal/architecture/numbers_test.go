package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// counted is a number before a noun in the plural: "%d accounts", "%d more
// logins".
var counted = regexp.MustCompile(`%(?:\[\d\])?d (?:(?:more|other|living|live|dead|new|refused|domain|activated|hash|bind|stolen|user|lone) )*` +
	`(accounts|addresses|cells|characters|classes|connections|controllers|credentials|days|devices|doors|ends|entries|entities|events|files|indicators|items|lines|logins|machines|mappings|` +
	`notifications|others|parts|passwords|paths|people|places|problems|roles|rows|secret-ids|secrets|servers|sessions|settings|sources|subscriptions|tasks|times|tokens|values|versions|waves|warnings)\b`)

// neverOne are how texts begin whose number is never 1: what is more than one
// is what they are about, or the number is a limit.
var neverOne = []string{
	"%s has %d addresses", "door %s: its name has %d addresses", "an old value is offered %d times", "change it %d times",
	"%d tasks of the name", "%s has %d parts", "%d connections met one machine", "each of its %d subscriptions",
	"%q%s matches %d accounts", "%s matches %d credentials", "a name in the campaign file matches %d credentials",
	"its %d secret-ids", "it has %d secret-ids: whoever has one", "Vault holds it in %d places", "%s is named as the place of %d accounts",
	"it refused one of the %d values", "%d paths name it", "more than %d paths", "this door gave no reply about %d others",
	"%s: its first %d lines", "%s: more than %d indicators", "has fewer than %d characters", "%s/ keeps %d versions", "%s/ set to keep %d versions",
}

// saysToPeople reports whether people outside read the texts of a room.
func saysToPeople(room string) bool { return !slices.Contains(workshop, room) }

// A message with "1 accounts have" reads as if nobody had looked at it.
func TestANumberInAMessageHasItsNounFromOneHelper(t *testing.T) {
	for _, p := range packages(t) {
		if !saysToPeople(p.Name) {
			continue
		}
		for _, file := range p.GoFiles {
			for _, text := range texts(t, filepath.Join(p.Dir, file), nil) {
				if found := counted.FindString(text); found != "" && !slices.ContainsFunc(neverOne, func(never string) bool { return strings.HasPrefix(text, never) }) {
					t.Errorf("%s/%s: %q in %.80q: words.Count gives noun and verb for 1 as well", p.Name, file, found, text)
				}
			}
		}
	}
}

// agrees is a number whose verb is that of many: "%d of %d are open".
var agrees = regexp.MustCompile(`%d (open |more |others |of them |of its |of %d )?(are|have|were|wait|stay|begin|do)\b`)

// always are texts of which that number is never 1, or a limit.
var always = []string{"%d paths name it: the first %d are shown", "what Vault makes by its password policy", "look alike, and %d of them were made", "%s beyond the first %d are not taken up"}

func TestAVerbGoesWithTheNumberBeforeIt(t *testing.T) {
	require.True(t, agrees.MatchString("%d of %d are not dead"))
	for _, p := range packages(t) {
		if !saysToPeople(p.Name) {
			continue
		}
		for _, file := range p.GoFiles {
			for _, text := range texts(t, filepath.Join(p.Dir, file), nil) {
				if found := agrees.FindString(text); found != "" && !slices.ContainsFunc(always, func(a string) bool { return strings.HasPrefix(text, a) }) {
					t.Errorf("%s/%s: %q in %.80q: plural.Pick has the verb for 1 as well", p.Name, file, found, text)
				}
			}
		}
	}
}

func TestTheRuleOfNumbersSeesEachText(t *testing.T) {
	require.Equal(t, []string{"%d accounts", "b"}, texts(t, "p.go", "package p\nconst a = \"%d \" + `accounts`\nvar x = \"b\"\n"))
	for text, is := range map[string]bool{
		"%d accounts": true, "it has %d more secret-ids.": true, "%d of %d lines": true, "line %d has": false, "%d accountants": false, "%d%%": false,
	} {
		require.Equal(t, is, counted.MatchString(text), text)
	}
}

// texts are the strings of a file, those that are put together in the source as
// one.
func texts(t *testing.T, path string, source any) (out []string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
	require.NoError(t, err)
	var join func(ast.Expr) string
	join = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			if e.Kind == token.STRING {
				text, err := strconv.Unquote(e.Value)
				require.NoError(t, err)
				return text
			}
		case *ast.BinaryExpr:
			return join(e.X) + join(e.Y)
		}
		return ""
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if text := join(e); text != "" {
				out = append(out, text)
				return false
			}
		case *ast.BasicLit:
			if text := join(e); text != "" {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}

// pasted are lines of the campaign file that are put together by hand: values
// in them that YAML reads as something else come back wrong.
var pasted = regexp.MustCompile(`(accept|exclude|confirm): (\[|- )|\{(account|path|vault|directory|device|server): ("?%|%\[)`)

func TestALineOfTheCampaignFileInAMessageIsWrittenByOneHelper(t *testing.T) {
	for _, p := range packages(t) {
		if !saysToPeople(p.Name) || p.Name == "internal/paste" {
			continue
		}
		for _, file := range p.GoFiles {
			for _, text := range texts(t, filepath.Join(p.Dir, file), nil) {
				if at := pasted.FindStringIndex(text); at != nil && strings.Contains(text[at[0]:], "%") {
					t.Errorf("%s/%s: %.120q: paste.Entry and paste.Row quote what YAML would read otherwise", p.Name, file, text[at[0]:])
				}
			}
		}
	}
}
