package activities

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/wire"
)

// A workflow names its activities by the constants of internal/wire, and a
// worker serves the methods of two types.
func TestEveryActivityHasTheNameByWhichWorkflowsCallIt(t *testing.T) {
	served := map[string]bool{}
	for _, of := range []any{&Rotation{}, &Ledger{}} {
		for m := range reflect.TypeOf(of).Methods() {
			require.False(t, served[m.Name], "%s is served twice", m.Name)
			served[m.Name] = true
		}
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), "../internal/wire/names.go", nil, 0)
	require.NoError(t, err)
	called := map[string]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.Equal(t, "Do"+name, spec.Names[0].Name)
			called[name] = true
		}
		return true
	})
	require.Equal(t, served, called)
}

// Temporal keeps no more of it than that name.
func TestABrokenOffActivityIsKnownByItsType(t *testing.T) {
	require.Equal(t, wire.BrokenOff, reflect.TypeFor[brokenOff]().Name())
}
