package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gone are names that once stood for two things and more, or read backwards,
// and what says it now. Docs/architecture.md has the words (#words).
var gone = []struct {
	name    *regexp.Regexp
	instead string
	but     []string // rooms in which the name has its one meaning
}{
	{regexp.MustCompile(`^answers?$`), "reply, for what a server says; an answer is a person's",
		[]string{"config", "internal/profile", "internal/ledger", "internal/report", "internal/cli", "internal/estate", "internal/inventory", "internal/credential", "internal/demo",
			"internal/intruder", // which shares nothing with Rollcall, words included
			"internal/lab"}},    // where a server answers once it runs
	{regexp.MustCompile(`^\w+(Most|Holds)$`), "maxThing, thingTTL", nil},
	{regexp.MustCompile(`^(?i:famil(y|ies))$`), "driver", nil},
	{regexp.MustCompile(`^(?i:inHand|remark|stranger|decoys?)$`), "prepared, replaceStaged, somebody else, bystander", nil},
	{regexp.MustCompile(`^(?i:settle)$`), "retireAndProve, conclusive, applyDefaultFields: what is done", nil},
	{regexp.MustCompile(`^(AsCAS|ByUUID|UUID)$`), "IsCASMismatch, ByID, ID", nil},
}

// A word that stands for two things is read twice, and once wrongly.
func TestNamesThatStoodForTwoThingsAreGone(t *testing.T) {
	for _, p := range packages(t) {
		for _, file := range p.GoFiles {
			for _, is := range declared(t, filepath.Join(p.Dir, file), nil) {
				for _, g := range gone {
					if g.name.MatchString(is.Name) && !slices.Contains(g.but, p.Name) {
						t.Errorf("%s/%s: %s: write %s", p.Name, file, is.Name, g.instead)
					}
				}
			}
		}
	}
}

func TestTheRuleOfWordsSeesEachDeclaration(t *testing.T) {
	var found []string
	for _, is := range declared(t, "p.go", "package p\nconst a = 1\nvar b, c int\ntype d struct{ e int }\nfunc (f d) g(h int) (i int) { j := func(k int) {}; for l, m := range x { _, _ = l, m }; j(o) }\n") {
		found = append(found, is.Name)
	}
	require.Equal(t, "a b c d e f g h i j k l m", strings.Join(found, " "))
}

// declared are the names that a file declares.
func declared(t *testing.T, path string, source any) (out []*ast.Ident) {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
	require.NoError(t, err)
	add := func(e ast.Expr) {
		if is, ok := e.(*ast.Ident); ok && is.Name != "_" {
			out = append(out, is)
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			out = append(out, n.Names...)
		case *ast.TypeSpec:
			out = append(out, n.Name)
		case *ast.Field:
			out = append(out, n.Names...)
		case *ast.FuncDecl:
			out = append(out, n.Name)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, e := range n.Lhs {
					add(e)
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				add(n.Key)
				add(n.Value)
			}
		}
		return true
	})
	slices.SortFunc(out, func(a, b *ast.Ident) int { return int(a.Pos() - b.Pos()) })
	return out
}
