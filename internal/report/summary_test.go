package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"rollcall/internal/ledger"
)

func TestTheSummaryFitsOnAPageAndNamesEachKindOfWhatIsOpen(t *testing.T) {
	for name, s := range map[string]*ledger.State{
		"closed": sample(true).fold(), "running": sample(false).fold(), "leftout": sampleLeftOut().fold(), "profile": sampleProfile(true, true).fold(), "crowd": crowd(5000), "empty": ledger.NewState(),
	} {
		var b bytes.Buffer
		require.NoError(t, SummaryText(&b, s, verified, at(time.Hour), 80))
		require.LessOrEqual(t, strings.Count(b.String(), "\n"), 66, "%s: a page of a printer has so many lines\n%s", name, b.String())
		for line := range strings.SplitSeq(b.String(), "\n") {
			if !strings.Contains(line, "ldaps:") {
				require.LessOrEqual(t, utf8.RuneCountInString(line), 80, line)
			}
		}
		if name != "crowd" {
			golden(t, name+".summary.txt", b.Bytes())
		}
	}
}

func TestTheSummaryTellsDeadOnAllServersFromDeadOnSome(t *testing.T) {
	s := sampleLeftOut().fold()
	var b bytes.Buffer
	require.NoError(t, SummaryText(&b, s, verified, noon, 200))
	require.Contains(t, b.String(), "  1 dead on all servers\n  1 dead on some only\n  of 2 stolen credentials\n")
	require.Contains(t, b.String(), far+" was left out by operator@bastion (its disk burnt, a new one comes on Monday): 1 credential is dead without it.")
	b.Reset()
	require.NoError(t, SummaryHTML(&b, s, verified, noon))
	doc, err := html.Parse(&b)
	require.NoError(t, err)
	require.Contains(t, text(doc), "1 of 2 stolen credentials proved dead on all servers, 1 on some only")
}

func TestTheSummaryLoadsNothingAndWarnsOfALedgerThatFailed(t *testing.T) {
	bad := verified
	bad.Problems = []string{"entry 17 was changed"}
	var b bytes.Buffer
	require.NoError(t, SummaryHTML(&b, sample(true).fold(), bad, noon))
	source := b.String()
	doc, err := html.Parse(strings.NewReader(source))
	require.NoError(t, err)
	require.Empty(t, elements(doc, "script"))
	for _, n := range elements(doc, "*") {
		for _, a := range n.Attr {
			require.NotContains(t, []string{"src", "srcset", "action", "style", "href"}, a.Key, n.Data)
		}
	}
	require.Contains(t, attr(elements(doc, "meta")[1], "content"), "style-src '"+sourceHash(elements(doc, "style")[0].FirstChild.Data)+"'")
	require.Contains(t, text(doc), "Do not rely on this")
	require.NotContains(t, source, "\x1b")
	b.Reset()
	require.NoError(t, SummaryText(&b, sample(true).fold(), bad, noon, 80))
	require.Contains(t, b.String(), "! Do not rely on this: the ledger failed verification")
}
