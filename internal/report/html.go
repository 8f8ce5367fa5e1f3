package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/timeline"
)

var (
	//go:embed report.html.tmpl
	pageSource string
	//go:embed report.css
	pageCSS string
	//go:embed report.js
	pageJS string
)

// reportCSS is the style sheet of a report.
var reportCSS = pageCSS + timeline.CSS + pictureCSS

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"span":    span,
	"clock":   clock,
	"stamp":   rfc3339,
	"moment":  moment,
	"whole":   wholeSeconds,
	"clean":   Clean,
	"name":    shortName,
	"prose":   prose,
	"entries": entries,

	"leftopen": leftOpen,
	"owner":    func(l cardLine) string { return strings.Join(listedOwner(l.CredentialState), ", ") },
}).Parse(pageSource + pictureSource))

// quotedCode is a command or key that a text has between backticks.
var quotedCode = regexp.MustCompile("`([^`\n]+)`")

// prose is a text as HTML, with what stands between backticks as code. Whatever
// else the text has is escaped.
func prose(text string) template.HTML {
	safe := template.HTMLEscapeString(Clean(text))
	return template.HTML(quotedCode.ReplaceAllString(safe, "<code>$1</code>")) //nolint:gosec // escaped above
}

// HTML writes the report as one file that loads nothing from anywhere: styles
// and script are inline, and a content security policy allows exactly those two
// by their hashes, so that nothing injected through a name could run even if
// escaping failed. It reads without the script, which only filters and folds.
// made is when the report is written.
func HTML(w io.Writer, s *ledger.State, v Verification, made time.Time) error {
	// A template writes piece by piece, dozens of them for each credential.
	v.At = v.At.In(zoneOf(s))
	whole := bufio.NewWriterSize(w, 1<<16)
	err := page.Execute(whole, newPage(s, v, made.In(zoneOf(s))))
	if err == nil {
		err = whole.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the HTML report: %w", err)
	}
	return nil
}

func contentSecurityPolicy(css string) string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
		sourceHash(css), sourceHash(pageJS))
}

// sourceHash is a hash-source of W3C CSP Level 3, 2.3.1.
func sourceHash(inline string) string {
	sum := sha256.Sum256([]byte(inline))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
