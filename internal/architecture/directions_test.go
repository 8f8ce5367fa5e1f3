package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layers are the rooms of the program from the ground up. A package imports
// only from layers below its own: so the ground can be read and tested alone,
// and no change above can break it. A * stands for one segment of the path, and
// a room of which the name is written out stands there alone.
var layers = [][]string{
	// Words for numbers, and words from outside, in any message; files that are
	// there whole or not at all.
	{"internal/plural", "internal/paste", "internal/wholefile"},
	// The nouns: everything speaks of them, they of nothing.
	// When things were, as a drawing, which takes no noun at all.
	{"internal/credential", "internal/version", "internal/evidence/event", "internal/awaited", "internal/timeline"},
	// Pure decisions: testable row by row because they know no server. What a
	// campaign takes from a result of logs.
	{"internal/protocol", "internal/evidence/taken"},
	// What any authority is, as settings and opened; what the text of policies
	// gives; what a device can hold.
	// Logs as lines, lines as events, and what these say: each knows the noun
	// alone.
	{"internal/evidence/logfile", "internal/evidence/logs", "internal/evidence/judge",
		"internal/authority", "internal/vault/powers", "internal/directory/adacl", "internal/directory/adlogin", "internal/directory/ldapacl", "internal/profile", "internal/people", "internal/door"},
	// A section of the campaign file, which config reads; the connection over
	// which a door is asked; what an operator wants done besides.
	// Logs that grow, which are read as those that lie around.
	{"internal/*/settings", "internal/door/conn", "internal/hook", "internal/evidence/follow"},
	// Lines that others post, which are followed where they are kept.
	{"internal/evidence/posted"},
	// The campaign file: types that every room above may take.
	{"config"},
	// Names of servers to where they are dialled; the one client of Vault.
	{"internal/address", "internal/vault"},
	// One outside system each, none knows another; what Rollcall keeps in
	// Vault.
	{"internal/kind", "internal/vault/ownmount", "internal/vault/minted", "internal/directory", "internal/postgres", "internal/device", "internal/ledger", "internal/password", "internal/fairqueue", "internal/door/*"},
	// What the kinds of account in a directory do alike; a door of a database
	// is asked with what its authority is asked with; ledgers for operators who
	// are elsewhere.
	{"internal/kind/diraccount", "internal/door/database", "internal/ledger/served"},
	// A kind knows its authority and no other kind; set-up knows the own mount;
	// what crosses Temporal is nouns, steps and events of the ledger.
	{"internal/kind/*", "internal/vault/setup", "internal/wire", "internal/door/opened"},
	// But for this one: ad-password, and then must-change.
	{"internal/kind/userpassword"},
	{"internal/kind/registry", "internal/inventory"},
	// What is asked about a rotation and knows no step of it.
	{"internal/rotation/*"},
	{"internal/rotation", "internal/report", "internal/engine", "internal/metrics", "internal/listing", "internal/record", "internal/evidence"},
	{"internal/reach", "internal/evidence/watch"}, // what rotation asks of the rest of the roll; logs that grow against a roll
	{"internal/tasks", "internal/notify"},         // what people are given to do, and what they say of it; whom a ledger's entries are told
	{"activities", "internal/rehearsal"},          // thin: what Temporal calls; the same rotation on a bogus account
	{"workflows"},                                 // decides and waits; touches the world through activities, which it knows by what crosses
	{"internal/cli"},
	{"cmd/rollcall"},
}

// workshop are packages for tests, demo and benchmark. The program below the
// command line must not need them.
var workshop = []string{
	"internal/architecture", "internal/bench", "internal/bench/logs", "internal/bench/process", "internal/bench/scale", "internal/demo", "internal/door/doortest", "internal/e2e", "internal/estate",
	"internal/faultproxy", "internal/intruder", "internal/kind/kindtest", "internal/lab", "internal/release", "internal/vault/vaulttest",
	"internal/vault/setup/setuptest",
}

func layerOf(pkg string) int {
	written := slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) })
	if written >= 0 {
		return written
	}
	return slices.IndexFunc(layers, func(l []string) bool {
		return slices.ContainsFunc(l, func(pattern string) bool {
			fits, err := path.Match(pattern, pkg)
			return fits && err == nil
		})
	})
}

func TestPackagesImportOnlyFromLayersBelow(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(workshop, p.Name) {
			continue
		}
		layer := layerOf(p.Name)
		if layer < 0 {
			t.Errorf("%s has no place in this house: give it a layer, or list it under workshop", p.Name)
			continue
		}
		for _, imported := range p.Ours {
			if slices.Contains(workshop, imported) {
				if layer < layerOf("internal/cli") {
					t.Errorf("%s imports %s, which is there for tests and the demo alone", p.Name, imported)
				}
				continue
			}
			if layerOf(imported) >= layer {
				t.Errorf("%s imports %s, which is not below it", p.Name, imported)
			}
		}
	}
}

type ban struct {
	imports []string // a package, or with a final slash everything below a path
	only    []string
	because string
}

// bans are imports that only the named packages and the workshop may have.
var bans = []ban{{
	imports: []string{"github.com/hashicorp/vault/api", "github.com/hashicorp/vault/api/"},
	only:    []string{"internal/vault", "internal/vault/minted", "internal/vault/setup", "internal/kind/approlesecretid", "internal/kind/userpasspassword", "internal/kind/vaultlogin", "internal/inventory"},
	because: "who speaks to Vault gets its errors read by internal/vault, which says what they mean and keeps values out of messages",
}, {
	imports: []string{"github.com/go-ldap/", "github.com/go-asn1-ber/"},
	only:    []string{"internal/directory", "internal/directory/ldapacl", "internal/door/ldapbind", "internal/inventory"},
	because: "one place speaks LDAP, so that limits and lock-out safety cannot be gone around; a door is a bind and no more, and inventory and ldapacl read and write DNs and filters as text",
}, {
	imports: []string{"github.com/jackc/"},
	only:    []string{"internal/postgres"},
	because: "one place speaks to PostgreSQL, so that no value gets into a statement and every refusal is read alike",
}, {
	imports: []string{"github.com/emersion/"},
	only:    []string{"internal/door/mail"},
	because: "a protocol of a door is the door's own file's alone, with the table of its answers",
}, {
	imports: []string{"golang.org/x/crypto/ssh"},
	only:    []string{"internal/door/shell"},
	because: "a protocol of a door is the door's own file's alone, with the table of its answers",
}, {
	imports: []string{"filippo.io/"},
	only:    []string{"internal/door/mysql"},
	because: "a protocol of a door is the door's own file's alone, with the table of its answers",
}, {
	imports: []string{"github.com/cloudsoda/"},
	only:    []string{"internal/door/smb"},
	because: "a protocol of a door is the door's own file's alone, with the table of its answers",
}, {
	imports: []string{"github.com/gosnmp/"},
	only:    []string{"internal/door/snmp"},
	because: "a protocol of a door is the door's own file's alone, with the table of its answers",
}, {
	imports: []string{"layeh.com/"},
	only:    []string{"internal/door/radius"},
	because: "a protocol of a door is the door's own file's alone, with the table of its answers",
}, {
	imports: []string{"github.com/transparency-dev/", "k8s.io/klog/"},
	only:    []string{"internal/ledger"},
	because: "one writer of the record, one reader that verifies it",
}, {
	imports: []string{"github.com/prometheus/", "go.opentelemetry.io/", "go.temporal.io/sdk/contrib/opentelemetry"},
	only:    []string{"internal/metrics"},
	because: "counters are a side door: one room says what goes out by it",
}, {
	imports: []string{"github.com/spf13/", "golang.org/x/term"},
	only:    []string{"internal/cli"},
	because: "what people see and type is the command line's alone",
}, {
	imports: []string{"go.temporal.io/sdk/workflow"},
	only:    []string{"workflows"},
	because: "deterministic code lives in one room, where it can be watched",
}}

// anywhere are libraries that speak to no outside system.
var anywhere = []string{
	"golang.org/x/mod/", "golang.org/x/sync/", "golang.org/x/sys/", "golang.org/x/text/", "golang.org/x/time/",
	"go.yaml.in/yaml/", "github.com/hashicorp/golang-lru/", "github.com/hashicorp/hcl", "github.com/hashicorp/hcl/",
	"github.com/klauspost/compress/", "github.com/ulikunitz/xz",
	"golang.org/x/net/html", "golang.org/x/net/netutil", "golang.org/x/net/publicsuffix", "github.com/xdg-go/stringprep", "google.golang.org/protobuf/",
	// Temporal, of which one package is among the bans.
	"go.temporal.io/api/", "go.temporal.io/sdk/",
}

// The client of a new authority's servers is a library that nothing has named
// yet: without a line here every room could speak to them.
func TestEveryLibraryIsOneRoomsOrAnybodys(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(workshop, p.Name) {
			continue
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			banned := slices.ContainsFunc(bans, func(b ban) bool { return matches(imported, b.imports) })
			if strings.Contains(first, ".") && !banned && !matches(imported, anywhere) {
				t.Errorf("%s imports %s: say in bans which rooms may, or in anywhere that it speaks to no outside system", p.Name, imported)
			}
		}
	}
}

func TestOutsideSystemsAreSpokenToInOnePlaceEach(t *testing.T) {
	for _, p := range packages(t) {
		for _, ban := range bans {
			if slices.Contains(ban.only, p.Name) || slices.Contains(workshop, p.Name) {
				continue
			}
			for _, imported := range p.Imports {
				if matches(imported, ban.imports) {
					t.Errorf("%s imports %s; only %v may: %s", p.Name, imported, ban.only, ban.because)
				}
			}
		}
	}
}

// notInWorkflows: Temporal replays a workflow from its history, so it must do
// the same each time and may ask the machine for nothing.
var notInWorkflows = []string{
	"net", "net/", "os", "os/", "io/fs", "math/rand", "math/rand/", "crypto/rand", "syscall",
}

func TestWorkflowsAskTheMachineForNothing(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name != "workflows" {
			continue
		}
		for _, imported := range p.Imports {
			if matches(imported, notInWorkflows) {
				t.Errorf("workflows imports %s: a replay must do the same as the first run", imported)
			}
		}
		for _, use := range clockUses(t, p.Dir, p.GoFiles) {
			t.Errorf("%s: a replay must do the same as the first run: use workflow.Now, Sleep, NewTimer", use)
		}
	}
}

// What Vault says when it refuses may repeat a secret or name an account, and
// one status has several meanings. internal/vault reads it for everybody:
// ReplyIn, Fail, Refusal, Words.
func TestOnePlaceReadsVaultsErrors(t *testing.T) {
	uses := func(path string, source any) (at []string) {
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "ResponseError" {
				at = append(at, files.Position(s.Pos()).String())
			}
			return true
		})
		return at
	}
	require.Equal(t, []string{"p.go:2:7"}, uses("p.go", "package p\nvar _ vaultapi.ResponseError"))
	found := false
	for _, p := range packages(t) {
		if !slices.Contains(p.Imports, "github.com/hashicorp/vault/api") {
			continue // others have a type of that name too
		}
		for _, name := range p.GoFiles {
			at := uses(filepath.Join(p.Dir, name), nil)
			if p.Name == "internal/vault" {
				found = found || len(at) > 0
				continue
			}
			if !slices.Contains(workshop, p.Name) && len(at) > 0 {
				t.Errorf("%s: %v: ask vault.ReplyIn, or give it to vault.Refusal", p.Name, at)
			}
		}
	}
	require.True(t, found)
}

// crosses is what workflows may know of Rollcall: nouns, steps, the campaign
// file, events, and what crosses to activities (internal/wire). So no change to
// how a credential is rotated, or to what is kept of it in Vault, can change
// what a recorded history means; a room that comes later is behind activities
// unless it is named here. Which libraries these rooms may have, bans say.
var crosses = []string{
	"internal/credential", "internal/protocol", "internal/authority", "internal/profile", "internal/door", "internal/*/settings",
	"config", "internal/ledger", "internal/wire", "workflows", "internal/plural", "internal/paste",
	"internal/evidence/event", "internal/evidence/taken", // of which a source of the campaign file is made
}

func TestWorkflowsKnowOfTheirActivitiesOnlyWhatCrosses(t *testing.T) {
	linked := dependencies(t, "workflows")
	require.Contains(t, linked, "rollcall/internal/wire")
	for _, dep := range linked {
		name, ours := strings.CutPrefix(dep, module)
		fits := func(pattern string) bool {
			ok, err := path.Match(pattern, name)
			return ok && err == nil
		}
		if ours && !slices.ContainsFunc(crosses, fits) {
			t.Errorf("workflows links %s: give what crosses a type in internal/wire", dep)
		}
	}
}

func TestIntruderKnowsNothingOfRollcall(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name == "internal/intruder" {
			require.Empty(t, p.Ours, "it is the independent judge: what Rollcall believes must not reach it")
		}
	}
}

func TestNoServerIsLinkedIn(t *testing.T) {
	for _, dep := range dependencies(t, "cmd/rollcall") {
		switch {
		case strings.HasPrefix(dep, "go.temporal.io/server"):
			t.Errorf("%s is linked in: the engine is a program of its own, so that rollcall stays small", dep)
		case strings.HasPrefix(dep, "github.com/hashicorp/vault/") && !strings.HasPrefix(dep, "github.com/hashicorp/vault/api"):
			t.Errorf("%s is linked in: Vault's server is under the BUSL and runs as a process of its own", dep)
		}
	}
}

func TestTheRulesFindWhatTheyForbid(t *testing.T) {
	require.True(t, matches("net/http", notInWorkflows))
	require.True(t, matches("os", notInWorkflows))
	require.False(t, matches("osmosis", notInWorkflows))
	require.True(t, matches("github.com/hashicorp/vault/api/auth/approle", bans[0].imports))
	require.False(t, matches("github.com/hashicorp/vault/apiary", bans[0].imports))
	require.Less(t, layerOf("internal/credential"), layerOf("workflows"))
	require.Equal(t, layerOf("internal/kind/byhand"), layerOf("internal/kind/another"))
	require.Greater(t, layerOf("internal/kind/registry"), layerOf("internal/kind/another"))
	require.Less(t, layerOf("internal/another/settings"), layerOf("config"))
	require.Negative(t, layerOf("internal/kind/another/below"))
	require.Negative(t, layerOf("internal/another"))

	dir := t.TempDir()
	source := "package p\n\nimport \"time\"\n\nvar _ = time.Hour\n\nfunc f() { time.Sleep(time.Now().Sub(time.Time{})) }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600))
	require.Equal(t, []string{"p.go:7:12: time.Sleep", "p.go:7:23: time.Now"}, clockUses(t, dir, []string{"p.go"}))
}

// Authorities stand around others (internal/kind/vaultlogin), and an assertion
// sees the outer one alone: the rest would be lost without a word.
func TestWhatAnAuthorityCanDoBesidesIsAskedByKindAs(t *testing.T) {
	asserted := regexp.MustCompile(`[aA]uthority\.\((kind\.|interface)`)
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			require.NoError(t, err)
			if found := asserted.Find(text); found != nil {
				t.Errorf("%s/%s: %s…: ask kind.As", p.Name, name, found)
			}
		}
	}
	require.True(t, asserted.MatchString(`many, ok := r.Authority.(kind.Many)`))
}
