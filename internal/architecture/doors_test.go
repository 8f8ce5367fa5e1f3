package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
)

// What a room must know of a type of door is a column of door.Type: a type that
// comes later has another name. The words are those of protocols too, so only a
// comparison of something's Type is one.
func TestNoRoomComparesTheTypeOfADoor(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(workshop, p.Name) {
			continue
		}
		for _, file := range p.GoFiles {
			for _, at := range doorTypesCompared(t, filepath.Join(p.Dir, file), nil) {
				t.Errorf("%s/%s: give door.Type a column instead: a type that comes later has another name", p.Name, at)
			}
		}
	}
}

func TestTheRuleOfDoorTypesSeesEachFormOfAComparison(t *testing.T) {
	source := `package p
func f(d s) bool {
	switch d.Type { case "imap", "other": return true }
	return d.Type == "smtps" || "https" != d.at.Type || d.Name == "imap" || m[d.Type]
}`
	require.Equal(t, []string{"p.go:3:23", "p.go:4:19", "p.go:4:30"}, doorTypesCompared(t, "p.go", []byte(source)))
}

func doorTypesCompared(t *testing.T, path string, source []byte) (at []string) {
	if source == nil {
		var err error
		source, err = os.ReadFile(path)
		require.NoError(t, err)
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, filepath.Base(path), source, parser.SkipObjectResolution)
	require.NoError(t, err)
	isType := func(e ast.Expr) bool {
		s, ok := e.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Type"
	}
	look := func(e ast.Expr) {
		if _, is := door.Types[text(e)]; is {
			at = append(at, files.Position(e.Pos()).String())
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && (isType(n.X) || isType(n.Y)) {
				look(n.X)
				look(n.Y)
			}
		case *ast.SwitchStmt:
			if n.Tag == nil || !isType(n.Tag) {
				break
			}
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					look(e)
				}
			}
		}
		return true
	})
	return at
}

var doorHeading = regexp.MustCompile(`(?m)^### (.*)$`)

// A reply that nobody has written down is one that nobody can question.
func TestEveryTypeOfDoorStandsInTheDocument(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "doors.md"))
	require.NoError(t, err)
	headed := map[string]bool{}
	for _, m := range doorHeading.FindAllSubmatch(page, -1) {
		for _, word := range regexp.MustCompile(`[a-z0-9-]+`).FindAllString(string(m[1]), -1) {
			headed[word] = true
		}
	}
	for _, name := range door.Names() {
		require.True(t, headed[name], "docs/doors.md has no heading that names the type %s, with what its answers mean", name)
		for _, key := range door.Types[name].Keys {
			require.Regexp(t, "(?m)^\\|[^|]*`"+key+"`[^|]*\\|", string(page), "docs/doors.md says nothing of the key %s of type %s", key, name)
		}
	}
}
