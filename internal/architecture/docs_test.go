package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// Documents are read by people who are in the middle of something. A link that
// leads nowhere, a file that was moved, a test that is called otherwise by now:
// each of them costs the trust that the next sentence needs.
func TestDocumentsPointAtWhatIsThere(t *testing.T) {
	root := filepath.Join("..", "..")
	tests := testNames(t, root)
	seen := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "findings/*.md", "deploy/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			seen++
			for _, wrong := range deadEnds(file, root, string(text), tests) {
				t.Errorf("%s: %s", file, wrong)
			}
		}
	}
	require.Greater(t, seen, 8)
}

func TestTheRuleOfDocumentsSeesEachDeadEnd(t *testing.T) {
	dir := t.TempDir()
	text := "# A b, `c`\n\n[x](#a-b-c) [x](#a) [x](b.md) [x](a.md#a-b-c) [x](https://example.org)\n" +
		"`internal/there` `internal/gone` `internal/NAME` `internal/there.Func` (`TestThisOneIsThere`, `TestThisOneIsNot`, `TestThisOne…`)\n"
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "internal", "there"), 0o700))
	file := filepath.Join(dir, "a.md")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.Equal(t, []string{"no heading #a", "no file b.md", "no file internal/gone", "no test TestThisOneIsNot"},
		deadEnds(file, dir, text, map[string]bool{"TestThisOneIsThere": true}))
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fenced   = regexp.MustCompile("(?ms)^```.*?^```")
	codePath = regexp.MustCompile("`((?:internal|workflows|activities|config|cmd|scripts|docs|findings|deploy|engine|devvault)/[A-Za-z0-9_./-]*)`")
	testName = regexp.MustCompile(`\b(Test[A-Z]\w{8,})([…]?)`)
)

// deadEnds are the links, files and tests that a document names and that are
// not there. NAME stands for a name to choose.
func deadEnds(file, root, text string, tests map[string]bool) (out []string) {
	there := func(path string) bool { _, err := os.Stat(path); return err == nil }
	for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		path, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(m[1], ":") {
			continue // an address
		}
		target := file
		if path != "" {
			target = filepath.Join(filepath.Dir(file), path)
		}
		if !there(target) {
			out = append(out, "no file "+path)
			continue
		}
		if of, err := os.ReadFile(target); anchor != "" && (err != nil || !anchors(string(of))[anchor]) {
			out = append(out, "no heading #"+anchor)
		}
	}
	for _, m := range codePath.FindAllStringSubmatch(text, -1) {
		path := filepath.Join(root, m[1])
		// internal/protocol.Next is a name in a package.
		if cut := strings.LastIndex(path, "."); cut > strings.LastIndex(path, "/") && unicode.IsUpper(rune(path[cut+1])) {
			path = path[:cut]
		}
		if !strings.Contains(path, "NAME") && !there(path) {
			out = append(out, "no file "+m[1])
		}
	}
	for _, m := range testName.FindAllStringSubmatch(text, -1) {
		if m[2] == "" && !tests[m[1]] {
			out = append(out, "no test "+m[1])
		}
	}
	return out
}

// anchors are those that a page makes of its headings.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		out[strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			}
			return -1
		}, strings.TrimSpace(m[1]))] = true
	}
	for _, m := range regexp.MustCompile(`<a id="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		out[m[1]] = true
	}
	return out
}

// testNames are those of all tests of the tree.
func testNames(t *testing.T, root string) map[string]bool {
	out := map[string]bool{}
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range name.FindAllSubmatch(text, -1) {
			out[string(m[1])] = true
		}
		return err
	}))
	return out
}
