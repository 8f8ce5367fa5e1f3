package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

var update = flag.Bool("update", false, "write the golden files anew; read the difference before you keep it")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// A take-over leaves many accounts open for one cause, and some of them half
// done.
func TestWhatSeveralHaveInCommonIsSaidOnce(t *testing.T) {
	const ended, sent = "the campaign was ended by another one; nothing was changed", "its new value may be in force"
	l := &log{}
	l.start()
	for i, detail := range []string{ended, ended + "; " + sent, ended, ended, ended + "; " + sent} {
		id := fmt.Sprintf("corp/%d", i)
		l.list(id, "uid=svc-"+id, "corp", 0, credential.LDAPPassword, "kv/apps/x#password")
		l.add(ledger.Entry{At: at(time.Minute), Event: ledger.Exception, Credential: id, Step: protocol.Precheck, Reason: protocol.ReasonSuperseded, Detail: detail}, "")
		l.add(ledger.Entry{At: at(time.Minute), Event: ledger.EventFinding, Credential: id, Finding: credential.FindingStalePath, Detail: "kv/old"}, "")
	}
	l.rollClosed(5)
	var text, page bytes.Buffer
	require.NoError(t, Text(&text, l.fold(), Verification{}, 400))
	require.Equal(t, 1, strings.Count(text.String(), ended+"\n"), text.String())
	require.Equal(t, 1, strings.Count(text.String(), sent), text.String())
	require.Equal(t, 1, strings.Count(text.String(), "kv/old"), text.String())
	require.NoError(t, HTML(&page, l.fold(), Verification{}, noon))
	_, cards, _ := strings.Cut(page.String(), `<h2 id="open">`)
	cards, _, _ = strings.Cut(cards, "</section>")
	require.Equal(t, 1, strings.Count(cards, sent), cards)
}

func TestTextAndJSONAreAsAgreed(t *testing.T) {
	failed := verified
	failed.Problems = []string{"entry 17 was changed"}
	for name, row := range map[string]struct {
		state *ledger.State
		v     Verification
	}{
		"closed":  {sample(true).fold(), verified},
		"running": {sample(false).fold(), Verification{Size: 40, Root: verified.Root}},
		"failed":  {sample(true).fold(), failed},
		"leftout": {sampleLeftOut().fold(), verified},
		"profile": {sampleProfile(true, true).fold(), verified},
		"empty":   {ledger.NewState(), Verification{}},
	} {
		t.Run(name, func(t *testing.T) {
			var text, status, doc bytes.Buffer
			require.NoError(t, Text(&text, row.state, row.v, 80))
			golden(t, name+".txt", text.Bytes())
			require.NoError(t, writeJSON(&status, StatusOf(row.state, row.v)))
			golden(t, name+".status.json", status.Bytes())
			require.NoError(t, JSON(&doc, row.state, row.v))
			golden(t, name+".report.json", doc.Bytes())
		})
	}
}

func TestStatusHasTheContractsKeysAndItsCountsAddUp(t *testing.T) {
	for _, s := range []*ledger.State{sample(true).fold(), sample(false).fold(), crowd(300), ledger.NewState()} {
		var b bytes.Buffer
		require.NoError(t, writeJSON(&b, StatusOf(s, verified)))
		var got map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(b.Bytes(), &got))
		keys := []string{}
		for k := range got {
			keys = append(keys, k)
		}
		require.ElementsMatch(t, []string{"campaign", "device", "state", "listed", "by_state", "by_outcome", "open", "left_out", "waves", "ledger"}, keys)

		st := StatusOf(s, verified)
		sum := 0
		for _, n := range st.ByState {
			sum += n
		}
		require.Equal(t, st.Listed, sum)
		require.Len(t, st.Open, st.ByState["open"]+st.ByState["exception"])
		waves := 0
		for _, w := range st.Waves {
			waves += w.Listed
			require.Equal(t, w.Listed, w.Waiting+w.InWork+w.Open+w.Exception+w.Dead)
		}
		require.Equal(t, st.Listed, waves)
	}
}

func TestTextFitsTheWidthAndMovesNoCursor(t *testing.T) {
	for _, width := range []int{0, 40, 60, 80, 200} {
		var b bytes.Buffer
		require.NoError(t, Text(&b, sample(true).fold(), Verification{}, width))
		for line := range strings.SplitSeq(b.String(), "\n") {
			if strings.Contains(line, "uid=") || strings.Contains(line, "ldaps:") || strings.Contains(line, "#password") {
				continue // names are not broken
			}
			require.LessOrEqual(t, utf8.RuneCountInString(line), max(width, 40), line)
		}
		for _, r := range b.String() {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%q", r)
		}
	}
}

func TestLongListsAreCutInTextAndCounted(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Text(&b, crowd(5000), verified, 80))
	require.Less(t, strings.Count(b.String(), "\n"), 80)
	require.Contains(t, b.String(), "5000 listed · 4948 dead · 52 open")
	require.Contains(t, b.String(), "… and 18 more")
}

func TestEveryReasonFindingAndProofHasWordsForPeople(t *testing.T) {
	for _, r := range constants(t, "../protocol", "Reason") {
		require.Contains(t, reasons, protocol.Reason(r))
	}
	for _, c := range constants(t, "../credential", "FindingCode") {
		require.Contains(t, findings, credential.FindingCode(c))
	}
	for _, p := range constants(t, "../protocol", "Proof") {
		require.Contains(t, proofs, protocol.Proof(p))
	}
}

// What somebody reads of a reason at three in the night: what to do first, and,
// of what is met while a campaign works, how things were left.
func TestTheWordsForEachReasonSayWhatToDoAndHowThingsWereLeft(t *testing.T) {
	do := regexp.MustCompile(`(?:^|[.;:] |, (?:and )?|\b[Oo]r |, then )(?:by name |else )?(?i:ask|bring|change|check|clear|close|confirm|contain|correct|destroy|disable|do|enable|end|exclude|exempt|extend|find|fit|give|grant|have|keep|leave|let|lift|log in|look|make|mend|name|narrow|nothing to rotate|put|raise|read|repair|rotate|run|say|see|set|start|take|unlock|update|upgrade|vault kv undelete|wait|write)\b`)
	left := regexp.MustCompile(`(?i)nothing (?:is|was|more is|new is|is lost)|not set|is set|as good|is good|may (?:still )?be good|works|is dead|is known|not known|staging|consumers|changes nothing|keeps all|nowhere|as it was|proved dead|in force|neither a login|accept the stolen|not asked|lets a thief|goes on with`)
	for r, a := range reasons {
		require.Regexp(t, do, a.Next, "%s: what to do", r)
		require.NotRegexp(t, `(?i)^nothing;`, a.Next, r)
		if !r.Listed() {
			require.Regexp(t, left, a.Title+". "+a.Next, "%s: how things were left", r)
		}
	}
}

// constants reads the values of a type's constants from a package's source.
func constants(t *testing.T, dir, typ string) []string {
	t.Helper()
	var out []string
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == typ {
				for _, x := range v.Values {
					lit, ok := x.(*ast.BasicLit)
					require.True(t, ok, "a %s that is no literal", typ)
					s, err := strconv.Unquote(lit.Value)
					require.NoError(t, err)
					out = append(out, s)
				}
			}
			return true
		})
	}
	require.NotEmpty(t, out, "no constants of type %s in %s", typ, dir)
	return out
}

func TestPercentilesAreNearestRank(t *testing.T) {
	ms := func(n int) []time.Duration {
		var out []time.Duration
		for i := range n {
			out = append(out, time.Duration(i+1)*time.Millisecond)
		}
		return out
	}
	for _, row := range []struct{ n, median, p99 int }{{1, 1, 1}, {2, 1, 2}, {3, 2, 3}, {100, 50, 99}, {1000, 500, 990}} {
		require.Equal(t, time.Duration(row.median)*time.Millisecond, percentile(ms(row.n), 50))
		require.Equal(t, time.Duration(row.p99)*time.Millisecond, percentile(ms(row.n), 99))
	}
	require.Zero(t, percentile(nil, 50))
}

func TestDurationsReadWell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 ms", 840 * time.Millisecond: "840 ms", 1250 * time.Millisecond: "1.2 s",
		59900 * time.Millisecond: "59 s", 61 * time.Second: "1 min 01 s", 2*time.Hour + 5*time.Minute: "2 h 05 min",
	} {
		require.Equal(t, want, span(d))
	}
}
