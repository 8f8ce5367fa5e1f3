package report

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"rollcall/internal/ledger"
)

type kept struct{ *bytes.Buffer }

func (kept) Close() error { return nil }

func filesOf(t *testing.T, s *ledger.State) []string {
	t.Helper()
	var all []*bytes.Buffer
	n, err := HTMLFiles(s, verified, at(noonLater), FilesOf{"a b?c:d.html", "a b?c:d.html-pages", "5f3a"}, func(n int) (io.WriteCloser, error) {
		require.Equal(t, len(all)+1, n)
		all = append(all, &bytes.Buffer{})
		return kept{all[n-1]}, nil
	})
	require.NoError(t, err)
	require.Len(t, all, n)
	var out []string
	for _, b := range all {
		out = append(out, b.String())
	}
	return out
}

const noonLater = 30e9

func TestAReportOfUpToAThousandIsOneFileAsBefore(t *testing.T) {
	for _, s := range []*ledger.State{sample(true).fold(), crowd(perFile), ledger.NewState()} {
		var b bytes.Buffer
		require.NoError(t, HTML(&b, s, verified, at(noonLater)))
		require.Equal(t, []string{b.String()}, filesOf(t, s))
		require.NotContains(t, b.String(), "<nav")
	}
}

// Each credential is shown once, each file is small, and each link leads to a
// file that is there.
func TestAReportOfMoreIsSeveralFilesThatLeadToEachOther(t *testing.T) {
	const n = 2*perFile + 300
	all := filesOf(t, crowd(n))
	require.Len(t, all, 3)
	names := map[string]bool{}
	files := FilesOf{"a b?c:d.html", "a b?c:d.html-pages", "5f3a"}
	for i := range all {
		names[files.Name(i+1)] = true
	}
	seen := 0
	for i, source := range all {
		require.Less(t, len(source), 5_000_000)
		doc, err := html.Parse(strings.NewReader(source))
		require.NoError(t, err)
		require.Len(t, elements(doc, "script"), 1)
		require.Contains(t, attr(elements(doc, "meta")[1], "content"), "script-src '"+sourceHash(elements(doc, "script")[0].FirstChild.Data)+"'")
		for _, d := range elements(doc, "details") {
			if attr(d, "data-s") == "" {
				continue
			}
			require.Contains(t, text(d), fmt.Sprintf("corp/%06d", seen), "in the order of the roll")
			seen++
		}
		links := 0
		for _, a := range elements(doc, "a") {
			ref := attr(a, "href")
			if strings.HasPrefix(ref, "#") {
				continue
			}
			to, err := url.Parse(ref)
			require.NoError(t, err)
			require.Empty(t, to.Scheme)
			require.True(t, names[path.Join(path.Dir(files.Name(i+1)), to.Path)], ref)
			links++
		}
		require.Positive(t, links)
	}
	require.Equal(t, n, seen)
	require.Contains(t, all[0], "Not proved dead, and what to do")
	require.NotContains(t, all[1], "Not proved dead, and what to do")
	require.Contains(t, all[2], "Credentials 2001 to 2300 of 2300")
	require.Contains(t, all[0], "10 not dead", "the index says where the open ones are")
}

func TestListsOfALargeReportAreCutAndSaySo(t *testing.T) {
	s := crowd(perFile + 1)
	for _, c := range s.Credentials {
		c.Outcome, c.Detail = ledger.IsException, ""
	}
	for i := range 2 * mostListed {
		s.Excluded = append(s.Excluded, ledger.ExcludedCredential{ID: fmt.Sprint(i), Name: fmt.Sprint("excluded-", i), Reason: "kept"})
	}
	first := filesOf(t, s)[0]
	require.Contains(t, first, "more, each where all credentials are (the pages below).")
	require.Contains(t, first, fmt.Sprintf("excluded-%d<", mostListed-1))
	require.NotContains(t, first, fmt.Sprintf("excluded-%d<", mostListed))
	require.Contains(t, first, fmt.Sprintf(`<span class="count">%d</span>`, 2*mostListed))
	require.Contains(t, first, "The rest: <code>rollcall report -o json</code> has all.")
}
