package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"rollcall/internal/report"
)

// pagesMark is a file in each folder of pages, which says of which reports
// they are: a line of words, and the run of each.
const pagesMark = ".rollcall-report"

const pagesWords = "Pages of a report that rollcall wrote. The next report of that name removes them."

type createFile = func(n int) (io.WriteCloser, error)

// writePages writes a report whose first file is at path, and the others in
// folder. The first is the last that takes its place: until then there is the
// report from before, whole, and after an error as well. Its pages are then
// removed. Nothing else in the folder is touched, and no folder that no report
// made.
func writePages(path, folder string, write func(report.FilesOf, createFile) error) (err error) {
	at, made, err := openPages(folder)
	if err != nil {
		return err
	}
	defer at.Close() //nolint:errcheck // nothing is written through it
	var before []string
	if !made {
		if before, err = readMark(at); err != nil {
			return fmt.Errorf("%s: %w", folder, notOurs(err.Error()))
		}
	}
	names := report.FilesOf{First: filepath.Base(path), Folder: filepath.Base(folder), Run: rand.Text()}
	if err := writeMark(at, append(slices.Clone(before), names.Run)); err != nil {
		return errors.Join(err, clearPages(at, folder, made, before, names.Run))
	}
	first := filepath.Join(filepath.Dir(path), "."+names.First+"."+names.Run)
	err = write(names, func(n int) (io.WriteCloser, error) {
		if n == 1 {
			return os.OpenFile(first, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
		}
		return at.OpenFile(filepath.Base(names.Name(n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	})
	if err == nil {
		if info, was := os.Lstat(path); was == nil {
			err = os.Chmod(first, info.Mode().Perm())
		}
	}
	if err == nil {
		err = os.Rename(first, path)
	}
	if err != nil {
		_ = os.Remove(first)
		return errors.Join(err, clearPages(at, folder, made, before, names.Run))
	}
	return clearPages(at, folder, false, []string{names.Run}, before...)
}

func notOurs(why string) error {
	return errors.New(why + ": the pages of the report would go there, so nothing was written; move it away, or give --html another name")
}

// openPages opens the folder, or makes it. One that is there must be this
// user's own, and nobody else's to write in.
func openPages(folder string) (at *os.Root, made bool, err error) {
	switch err := os.Mkdir(folder, 0o750); {
	case err == nil:
		made = true
	case !errors.Is(err, fs.ErrExist):
		return nil, false, err
	}
	named, err := os.Lstat(folder)
	if err != nil {
		return nil, false, err
	}
	if !named.IsDir() {
		return nil, false, fmt.Errorf("%s: %w", folder, notOurs("is no folder"))
	}
	if at, err = os.OpenRoot(folder); err != nil {
		return nil, false, err
	}
	is, err := at.Stat(".")
	if err == nil {
		owner, known := is.Sys().(*syscall.Stat_t)
		switch {
		case !os.SameFile(named, is):
			err = fmt.Errorf("%s: %w", folder, notOurs("was replaced meanwhile"))
		case known && int(owner.Uid) != os.Geteuid() || is.Mode().Perm()&0o022 != 0:
			err = fmt.Errorf("%s: %w", folder, notOurs("others may write there"))
		}
	}
	if err != nil {
		return nil, false, errors.Join(err, at.Close())
	}
	return at, made, nil
}

// readMark gives the runs whose pages are in a folder of pages.
func readMark(at *os.Root) ([]string, error) {
	info, err := at.Lstat(pagesMark)
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("no report made it")
	}
	text, err := at.ReadFile(pagesMark)
	if err != nil {
		return nil, err
	}
	words, runs, _ := strings.Cut(string(text), "\n")
	if words != pagesWords {
		return nil, errors.New("no report made it")
	}
	return strings.Fields(runs), nil
}

func writeMark(at *os.Root, runs []string) error {
	next := pagesMark + "." + rand.Text()
	f, err := at.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(pagesWords + "\n" + strings.Join(runs, "\n") + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = at.Rename(next, pagesMark)
	}
	if err != nil {
		_ = at.Remove(next)
	}
	return err
}

var pageName = regexp.MustCompile(`^\d{4,}-([A-Z2-7]+)\.html$`)

// clearPages removes the pages of runs, and leaves those of the runs that stay.
// A folder that was made for nothing goes as well.
func clearPages(at *os.Root, folder string, made bool, stay []string, runs ...string) error {
	all, err := fs.ReadDir(at.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range all {
		if m := pageName.FindStringSubmatch(e.Name()); m != nil && slices.Contains(runs, m[1]) {
			err = errors.Join(err, at.Remove(e.Name()))
		}
	}
	switch {
	case err != nil: // the mark still names them
		return err
	case made:
		_ = at.Remove(pagesMark)
		return os.Remove(folder)
	}
	return writeMark(at, stay)
}
