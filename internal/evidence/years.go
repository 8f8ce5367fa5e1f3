package evidence

import (
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// year is that of a file's first line, as the operator says.
func (o *Options) year(f *File) int {
	for path, y := range o.Years {
		if filepath.Clean(path) == filepath.Clean(f.Path) {
			return y
		}
	}
	return o.Year
}

// yearsFit refuses years that cannot be what the operator means: one of a file
// that is not read, and those by which a file is older than one that it follows
// by its name. Placed in a wrong year, an intruder's login is one from before
// the window, and his address a usual one.
func (o *Options) yearsFit(files []*File) error {
	named := map[string]bool{}
	for _, f := range files {
		named[filepath.Clean(f.Path)] = true
	}
	for path, year := range o.Years {
		if !named[filepath.Clean(path)] {
			return fmt.Errorf("--year %s=%d: no file that is read is called so", path, year)
		}
	}
	for _, newer := range files {
		for _, older := range files {
			if !newer.follows(older) || !newer.yearless && !older.yearless || !newer.first.Before(older.first) {
				continue
			}
			return fmt.Errorf("%s follows %s by its name, and begins before it by its times (%s, %s): say the year of its first line, as in --year %s=%d, or part them by servers",
				newer.Path, older.Path, newer.first.Format(time.DateOnly), older.first.Format(time.DateOnly), newer.Path, newer.first.Year()+1)
		}
	}
	return nil
}

// rotated is a name as logrotate(8) gives it: NAME is the newest, NAME.2.gz is
// older than NAME.1, and with dateext NAME-20230101 older than NAME-20230108.
var rotated = regexp.MustCompile(`^(.*?)(?:[.-](\d{1,3}|\d{8}(?:-\d+)?))?(?:\.(?:gz|xz|zst|bz2))?$`)

// follows reports whether a file is newer than another by their names.
func (f *File) follows(other *File) bool {
	a, b := rotated.FindStringSubmatch(filepath.Clean(f.Path)), rotated.FindStringSubmatch(filepath.Clean(other.Path))
	if a[1] != b[1] || f.Authority != other.Authority || f.Server != other.Server {
		return false
	}
	const digits = 3 // of a number, and a date has more
	switch mine, its := a[2], b[2]; {
	case mine == "" || its == "":
		return mine == "" && its != ""
	case len(mine) > digits && len(its) > digits:
		return mine > its
	case len(mine) <= digits && len(its) <= digits:
		return len(mine) < len(its) || len(mine) == len(its) && mine < its
	}
	return false
}
