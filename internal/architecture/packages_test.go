package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// pkg is a package of the root module, without its tests: those may import
// what they like.
type pkg struct {
	Name    string // below the module: "internal/vault"
	Ours    []string
	Imports []string
	Dir     string
	GoFiles []string
}

const module = "rollcall/"

// packages asks go list once for all tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listOnce()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

var listOnce = sync.OnceValues(func() ([]pkg, error) {
	out, err := goList("-json=ImportPath,Imports,Dir,GoFiles", "./...")
	if err != nil {
		return nil, err
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var listed struct {
			ImportPath string
			pkg
		}
		if err := d.Decode(&listed); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		p := listed.pkg
		p.Name = strings.TrimPrefix(listed.ImportPath, module)
		for _, imported := range p.Imports {
			if name, ok := strings.CutPrefix(imported, module); ok {
				p.Ours = append(p.Ours, name)
			}
		}
		all = append(all, p)
	}
})

// dependencies are all packages that one links, in any depth.
func dependencies(t *testing.T, of string) []string {
	t.Helper()
	out, err := goList("-deps", "./"+of)
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func goList(args ...string) ([]byte, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, errors.New(string(failed.Stderr))
	}
	return out, err
}

// matches reports whether one of the patterns is path, or ends in a slash and
// begins it.
func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)
	})
}

// clockUses finds uses of the machine's clock: time.Now and what waits on it.
func clockUses(t *testing.T, dir string, files []string) []string {
	t.Helper()
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	var uses []string
	set := token.NewFileSet()
	for _, name := range files {
		file, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from, ok := selector.X.(*ast.Ident); ok && from.Name == "time" && slices.Contains(clock, selector.Sel.Name) {
				at := set.Position(selector.Pos())
				at.Filename = name
				uses = append(uses, at.String()+": time."+selector.Sel.Name)
			}
			return true
		})
	}
	return uses
}
