package cli

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
	"rollcall/internal/report"
)

func rollOf(n int) *ledger.State {
	s := ledger.NewState()
	for i := range n {
		s.Add(uint64(i), ledger.Entry{ID: fmt.Sprint(i), At: time.Unix(1e9, 0).UTC(), Campaign: "esg-01", Event: ledger.Listed, Credential: fmt.Sprint("c", i), Name: fmt.Sprintf("corp/%06d", i)})
	}
	return s
}

func files(t *testing.T, dir string) (out []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			out = append(out, rel)
		}
		return err
	}))
	return out
}

var pageLink = regexp.MustCompile(`href="(\./[^"]+|\d{4}-[^"]+)"`)

// everyLinkLeads reports how many pages the first leads to, each of which is
// there.
func everyLinkLeads(t *testing.T, first string) int {
	source, err := os.ReadFile(first)
	require.NoError(t, err)
	require.NotContains(t, string(source), "ZgotmplZ")
	to := map[string]bool{}
	for _, m := range pageLink.FindAllStringSubmatch(string(source), -1) {
		to[m[1]] = true
		require.FileExists(t, filepath.Join(filepath.Dir(first), m[1]))
	}
	return len(to)
}

func TestAReportOfSeveralFilesIsWrittenAnewAndLeavesNoneOfTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "esg 05:00.html")
	for _, n := range []int{3500, 1500} {
		many, folder, err := htmlFiles(path, rollOf(n), report.Verification{})
		require.NoError(t, err)
		require.Equal(t, (n+999)/1000, many)
		require.Equal(t, path+"-pages", folder)
	}
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(source), `href="./esg%2005:00.html-pages/0002-`)
	require.Len(t, files(t, dir), 4, "the first file, the folder, its mark and one page: %v", files(t, dir))
}

func TestASmallReportTouchesNothingBesideItsOwnFile(t *testing.T) {
	dir := t.TempDir()
	for _, folder := range []string{"index-pages", "index.html-pages"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, folder, "0002.html"), []byte("mine"), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "other-pages"), 0o750))
	for _, name := range []string{"index.html", "other.html"} {
		before := files(t, dir)
		n, _, err := htmlFiles(filepath.Join(dir, name), rollOf(3), report.Verification{})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.ElementsMatch(t, append(before, name), files(t, dir))
	}
}

func TestPagesAreWrittenIntoNoFolderThatNoReportMade(t *testing.T) {
	big := rollOf(1001)
	for name, plant := range map[string]func(t *testing.T, folder, away string){
		"somebody's folder": func(t *testing.T, folder, _ string) { require.NoError(t, os.Mkdir(folder, 0o750)) },
		"a link to a folder": func(t *testing.T, folder, away string) {
			require.NoError(t, os.Symlink(away, folder))
		},
		"a link to the folder of another report": func(t *testing.T, folder, away string) {
			_, made, err := htmlFiles(filepath.Join(away, "a.html"), big, report.Verification{})
			require.NoError(t, err)
			require.NoError(t, os.Symlink(made, folder))
		},
		"a file": func(t *testing.T, folder, _ string) { require.NoError(t, os.WriteFile(folder, nil, 0o600)) },
		"a folder in which others may write": func(t *testing.T, folder, _ string) {
			_, _, err := htmlFiles(strings.TrimSuffix(folder, "-pages"), big, report.Verification{})
			require.NoError(t, err)
			require.NoError(t, os.Chmod(folder, 0o777)) //nolint:gosec // that is the case
		},
		"a mark that is a link": func(t *testing.T, folder, away string) {
			_, made, err := htmlFiles(filepath.Join(away, "a.html"), big, report.Verification{})
			require.NoError(t, err)
			require.NoError(t, os.Mkdir(folder, 0o750))
			require.NoError(t, os.Symlink(filepath.Join(made, pagesMark), filepath.Join(folder, pagesMark)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, away := t.TempDir(), t.TempDir()
			path := filepath.Join(dir, "r.html")
			plant(t, path+"-pages", away)
			was, beside := files(t, dir), files(t, away)
			_, _, err := htmlFiles(path, big, report.Verification{})
			require.ErrorContains(t, err, "r.html-pages")
			require.Equal(t, was, files(t, dir), "nothing was written")
			require.Equal(t, beside, files(t, away))
		})
	}
}

func TestWhatLiesInTheFolderAndIsNoPageOfAReportStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.html")
	_, folder, err := htmlFiles(path, rollOf(1001), report.Verification{})
	require.NoError(t, err)
	notes, page := filepath.Join(folder, "notes.txt"), filepath.Join(folder, "0002.html")
	require.NoError(t, os.WriteFile(notes, []byte("mine"), 0o600))
	require.NoError(t, os.WriteFile(page, []byte("mine"), 0o600))
	_, _, err = htmlFiles(path, rollOf(2001), report.Verification{})
	require.NoError(t, err)
	require.FileExists(t, notes)
	require.FileExists(t, page)
	require.Equal(t, 2, everyLinkLeads(t, path))
}

func TestReportsOfLikeNamesHavePagesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"esg.a", "esg.b", "esg"} {
		path := filepath.Join(dir, name)
		_, _, err := htmlFiles(path, rollOf(1001+1000*i), report.Verification{})
		require.NoError(t, err)
	}
	for i, name := range []string{"esg.a", "esg.b", "esg"} {
		require.Equal(t, 1+i, everyLinkLeads(t, filepath.Join(dir, name)), name)
	}
}

// The file of that name is the last that changes.
func TestAReportThatCannotBeWrittenWholeLeavesTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.html")
	_, folder, err := htmlFiles(path, rollOf(2001), report.Verification{})
	require.NoError(t, err)
	was, before := files(t, dir), everyLinkLeads(t, path)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	err = writePages(path, folder, func(files report.FilesOf, create createFile) error {
		_, err := report.HTMLFiles(rollOf(2001), report.Verification{}, time.Now(), files, func(n int) (io.WriteCloser, error) {
			if n == 3 {
				return nil, fs.ErrPermission
			}
			return create(n)
		})
		return err
	})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.Equal(t, was, files(t, dir))
	require.Equal(t, before, everyLinkLeads(t, path))
	now, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, source, now)
}

func TestWhatIsNoPlainFileGetsTheWholeReport(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "there.html"), filepath.Join(dir, "r.html")
	require.NoError(t, os.WriteFile(target, nil, 0o600))
	require.NoError(t, os.Symlink(target, link))
	n, _, err := htmlFiles(link, rollOf(1001), report.Verification{})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"r.html", "there.html"}, files(t, dir))
	source, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Contains(t, string(source), "corp/001000")
}
