package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// Adding a kind once cost 41 files, because they compared its name with others:
// what forgets the new one there compiles, and is wrong. What a room must know
// of a kind, a driver or an auth method is a column of their tables
// (credential.Traits, credential.Method, the drivers of config, the drivers of
// internal/directory), in which a line without it does not go unseen.
func TestNoRoomComparesTheNameOfAKindADriverOrAnAuthMethod(t *testing.T) {
	names := map[string]bool{config.OpenLDAP: true, config.DS389: true, config.ActiveDirectory: true}
	for _, k := range credential.Kinds() {
		names[string(k)] = true
	}
	// Types of auth mounts. ldap is a scheme too, so of that one the constant
	// alone.
	names[credential.AppRoleMethod], names[credential.UserpassMethod] = true, true
	constants := constantsOf(t, names)
	require.Len(t, constants, len(names), "each name is a constant: %v", constants)
	constants["LDAPMethod"] = true
	for _, p := range packages(t) {
		if slices.Contains(workshop, p.Name) {
			continue
		}
		for _, file := range p.GoFiles {
			for _, at := range comparisons(t, filepath.Join(p.Dir, file), nil, names, constants) {
				t.Errorf("%s/%s: ask its traits instead of its name: a kind that comes later has another one", p.Name, at)
			}
		}
	}
}

func TestTheRuleOfNamesSeesEachFormOfAComparison(t *testing.T) {
	source := `package p
func f(k, d string) bool {
	switch k { case x.Some, "other": return true }
	m := map[string]bool{x.Some: true}
	_ = c{Kind: x.Some}
	_ = slices.Contains([]string{"other"}, k)
	return k == x.Some || "some" != d || m[k] || m[x.Some]
}`
	at := comparisons(t, "p.go", []byte(source), map[string]bool{"some": true, "other": true}, map[string]bool{"Some": true})
	require.Equal(t, []string{"p.go:3:18", "p.go:3:26", "p.go:7:14", "p.go:7:24", "p.go:7:49"}, at)
}

// constantsOf are the identifiers of the constants that have those values.
func constantsOf(t *testing.T, values map[string]bool) map[string]bool {
	out := map[string]bool{}
	for _, p := range packages(t) {
		if p.Name != "internal/credential" && p.Name != "config" {
			continue
		}
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
			require.NoError(t, err)
			ast.Inspect(parsed, func(n ast.Node) bool {
				v, ok := n.(*ast.ValueSpec)
				if !ok || len(v.Names) != 1 || len(v.Values) != 1 {
					return true
				}
				// A kind of line has its own name, which may be that of a kind.
				if of, typed := v.Type.(*ast.Ident); values[text(v.Values[0])] && !(typed && of.Name == "LineKind") {
					out[v.Names[0].Name] = true
				}
				return true
			})
		}
	}
	return out
}

// comparisons are where a file compares something with one of the names, or
// with a constant of one: by an operator, a case, or as an index.
func comparisons(t *testing.T, path string, source []byte, names, constants map[string]bool) (at []string) {
	if source == nil {
		var err error
		source, err = os.ReadFile(path)
		require.NoError(t, err)
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, filepath.Base(path), source, 0)
	require.NoError(t, err)
	look := func(e ast.Expr) {
		id := ""
		switch e := e.(type) {
		case *ast.SelectorExpr:
			id = e.Sel.Name
		case *ast.Ident:
			id = e.Name
		}
		if names[text(e)] || constants[id] {
			at = append(at, files.Position(e.Pos()).String())
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				look(n.X)
				look(n.Y)
			}
		case *ast.CaseClause:
			for _, e := range n.List {
				look(e)
			}
		case *ast.IndexExpr:
			look(n.Index)
		}
		return true
	})
	return at
}

func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return strings.TrimSpace(s)
}
