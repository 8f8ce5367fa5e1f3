package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// noSteps are the files of internal/rotation that are no step, and why they
// stand there. A file that begins with one of these names belongs to it.
var noSteps = map[string]string{
	"rotation": "what a rotation is given, and what it gives",
	"prepare":  "the call that prechecks and stages",
	"apply":    "the call from set to prove: the one place that asks the protocol what comes next",
	"observe":  "what is looked at before it is asked",
	"places":   "whose a path in Vault is",
	"findings": "what is told besides",
	"prepared": "what one call saves the next one",
	"reach":    "who else could read a new value",
	"looks":    "later looks at what was proved",
}

// Somebody who has read docs/protocol.md finds each step by its word. Code that
// is cut by how it came about is read by those who were there.
func TestEachStepOfTheProtocolIsAFileOfItsName(t *testing.T) {
	steps := stepsOfTheDocument(t)
	require.Equal(t, stepsOfTheCode(t), names(steps), "docs/protocol.md#steps and internal/protocol, in their order")
	dir := filepath.Join("..", "rotation")
	for _, s := range steps {
		if _, err := os.Stat(filepath.Join(dir, s.name+".go")); err != nil && s.where != "ledger" {
			t.Errorf("internal/rotation has no file for the step %s", s.name)
		}
	}
	for _, p := range packages(t) {
		if p.Name != "internal/rotation" {
			continue
		}
		for _, file := range p.GoFiles {
			first, _, _ := strings.Cut(strings.TrimSuffix(file, ".go"), "_")
			if noSteps[first] == "" && !slices.Contains(names(steps), first) {
				t.Errorf("internal/rotation/%s: call it after the step that it belongs to, or give what knows no step a package of its own", file)
			}
		}
	}
}

type step struct{ name, where string }

func names(steps []step) (out []string) {
	for _, s := range steps {
		out = append(out, s.name)
	}
	return out
}

var stepRow = regexp.MustCompile(`(?m)^\| ([a-z]+) \| ([^|]*) \| [^|]* \|`)

func stepsOfTheDocument(t *testing.T) (out []step) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Steps\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range stepRow.FindAllStringSubmatch(section, -1) {
		if m[1] != "step" {
			out = append(out, step{m[1], m[2]})
		}
	}
	return out
}

// stepsOfTheCode are the constants of the type Step.
func stepsOfTheCode(t *testing.T) (out []string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "protocol", "words.go"), nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if of, typed := v.Type.(*ast.Ident); typed && of.Name == "Step" {
				out = append(out, text(v.Values[0]))
			}
		}
		return true
	})
	return out
}
