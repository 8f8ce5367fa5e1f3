package report

import (
	"bytes"
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"rollcall/internal/ledger"
)

func render(t *testing.T, s *ledger.State, v Verification) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, s, v, at(30*time.Second)))
	doc, err := html.Parse(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	return b.String(), doc
}

func elements(doc *html.Node, name string) []*html.Node {
	var out []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (n.Data == name || name == "*") {
			out = append(out, n)
		}
	}
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestHTMLLoadsNothingAndRunsOnlyItsOwnScript(t *testing.T) {
	source, doc := render(t, sample(true).fold(), verified)
	for _, n := range elements(doc, "*") {
		for _, a := range n.Attr {
			require.NotContains(t, []string{"src", "srcset", "action", "formaction", "data", "poster", "style", "ping"}, a.Key, n.Data)
			require.False(t, strings.HasPrefix(a.Key, "on"), "an event handler on %s", n.Data)
			if a.Key == "href" {
				require.True(t, strings.HasPrefix(a.Val, "#"), a.Val)
			}
		}
		require.NotContains(t, []string{"link", "img", "iframe", "object", "embed", "base", "audio", "video"}, n.Data)
	}
	require.NotContains(t, reportCSS, "url(")
	require.NotContains(t, reportCSS, "@import")

	scripts, styles := elements(doc, "script"), elements(doc, "style")
	require.Len(t, scripts, 1, "a name that looks like a script stays text")
	require.Len(t, styles, 1)
	policy := attr(elements(doc, "meta")[1], "content")
	require.Contains(t, policy, "default-src 'none'")
	require.Contains(t, policy, "script-src '"+sourceHash(scripts[0].FirstChild.Data)+"'")
	require.Contains(t, policy, "style-src '"+sourceHash(styles[0].FirstChild.Data)+"'")
	require.NotContains(t, source, "<script>alert")
	require.NotContains(t, source, "\x1b")
	require.NotContains(t, source, "\u202e")
}

func TestHTMLSaysWhatTheLedgerSays(t *testing.T) {
	_, doc := render(t, sample(true).fold(), verified)
	body := text(elements(doc, "body")[0])
	for _, want := range []string{
		"5 of 7 stolen credentials proved dead", "Ended with exceptions", "2 credentials are not proved dead",
		"First dead 2.3 s", "Last dead 7.2 s", "2026-11-01T00:00:00Z to 2026-11-23T09:30:00Z",
		"A server still accepts the stolen value 1 old-accepted Next Urgent", far,
		"The account refused what Vault held before anything was touched", "refused on both servers before anything was set",
		"sealed envelope", "manifest (manifest): esg-01.csv:7",
		"kv/apps/esg-01/relay#password 3 4", "1 by metadata : weaker",
		"1 credential is proved dead by the change time alone",
		verified.Root, verified.VerifierKey, verified.Command, "Ledger verified", "ledger entry", "no longer listed",
	} {
		require.True(t, strings.Contains(body, want), "the page does not say %q", want)
	}
	details := elements(doc, "details")
	require.Len(t, details, 7)
	require.Len(t, elements(doc, "h1"), 1)
	require.NotEmpty(t, attr(elements(doc, "html")[0], "lang"))
	for _, l := range elements(doc, "label") {
		found := false
		for _, n := range elements(doc, "*") {
			found = found || attr(n, "id") == attr(l, "for")
		}
		require.True(t, found, "a label for nothing")
	}
	ids := map[string]bool{}
	for _, n := range elements(doc, "*") {
		if id := attr(n, "id"); id != "" {
			require.False(t, ids[id], "id %s twice", id)
			ids[id] = true
		}
	}
}

func TestHTMLHasNoFieldForASecret(t *testing.T) {
	source, doc := render(t, sample(true).fold(), verified)
	for _, n := range elements(doc, "input") {
		require.Equal(t, "search", attr(n, "type"))
	}
	for _, word := range []string{"userPassword", "client_token", "hvs.", "{SSHA}", "BEGIN PRIVATE", "BEGIN EC PRIVATE"} {
		require.NotContains(t, source, word)
	}
}

func TestHTMLWarnsWhenItCannotBeReliedOn(t *testing.T) {
	bad := verified
	bad.Problems = []string{"entry 17 was changed"}
	_, doc := render(t, sample(true).fold(), bad)
	body := text(elements(doc, "body")[0])
	require.Contains(t, body, "Do not rely on this report")
	require.Contains(t, body, "entry 17 was changed")
	require.NotContains(t, body, "Ledger verified")

	_, doc = render(t, sample(false).fold(), Verification{})
	body = text(elements(doc, "body")[0])
	require.Contains(t, body, "Not finished")
	require.Contains(t, body, "The ledger was not verified")

	_, doc = render(t, ledger.NewState(), Verification{})
	require.Contains(t, text(elements(doc, "body")[0]), "0 of 0")
}

func TestHTMLOfFiveThousandStaysSmallAndQuick(t *testing.T) {
	s := crowd(5000)
	began := time.Now()
	source, doc := render(t, s, verified)
	t.Logf("%d KB, written and parsed in %s", len(source)/1024, time.Since(began))
	require.Len(t, elements(doc, "details"), 5000+2, "a row for each, and the rest of two reasons folded")
	require.Less(t, len(source), 16<<20)
}

// What somebody has to do is what a report is read for: it stands before the
// profile and all that explains it, with commands set as such.
func TestHTMLShowsWhatIsOpenFirstAndCommandsAsCode(t *testing.T) {
	s := sampleProfile(true, true).fold()
	s.Waves = map[int]string{0: "the first few"}
	page, doc := render(t, s, verified)
	at := func(id string) int { return strings.Index(page, `<h2 id="`+id+`"`) }
	require.Positive(t, at("open"))
	require.Positive(t, at("profile"))
	require.Less(t, at("open"), at("profile"))
	require.NotContains(t, text(doc), "`")
	require.Contains(t, page, "· the first few")
	require.Equal(t, template.HTML("a <code>b &lt;i&gt;</code> &lt;b&gt; c ` d"), prose("a `b <i>` <b> c ` d"))
}
