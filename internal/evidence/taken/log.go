package taken

import (
	"regexp"
	"strings"
	"time"

	"rollcall/internal/credential"
)

// Log is a log that was read, as a result has it.
type Log struct {
	File string `json:"file"` // as it was given
	// SHA256 of the file on the disk, byte for byte, packed or not, and how
	// many bytes these are.
	SHA256    string    `json:"sha256"`
	Size      int64     `json:"size"`
	Format    string    `json:"format"`
	Authority string    `json:"authority,omitempty"` // whose log it is; empty where nobody said
	Server    string    `json:"server,omitempty"`    // empty where it names none, or several
	Lines     int       `json:"lines"`
	NotRead   int       `json:"not_understood"` // one line may hold several that were not
	First     time.Time `json:"first,omitzero"` // time of a line
	Last      time.Time `json:"last,omitzero"`

	named bool // Server is that of a line
}

// See takes the time of a line, and which server it is of.
func (l *Log) See(at time.Time, server string) {
	if l.First.IsZero() || at.Before(l.First) {
		l.First = at.UTC()
	}
	if at.After(l.Last) {
		l.Last = at.UTC()
	}
	switch {
	case !l.named:
		l.Server, l.named = server, true
	case l.Server != server:
		l.Server = ""
	}
}

// Bounds on what a campaign takes of a result: each is more than any honest one
// has.
const (
	mostLogs    = 10_000
	mostSources = 2_000
	mostSigns   = 200_000
	mostNotes   = 64
)

// LongestName of a server, an authority or a file, in bytes.
const LongestName = 200

// formatName is that of a format, also of one that a campaign file maps, which
// has the rule.
var formatName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// mostCounted events are one finding.
const mostCounted = 1 << 40

// fits reports whether both are times that any reader of a ledger reads, the
// second not before the first.
func fits(from, to time.Time) bool {
	year := func(t time.Time) bool { y := t.UTC().Year(); return y > 1 && y < 9999 }
	return year(from) && year(to) && !to.Before(from)
}

func (t *File) addLog(l Log) string {
	switch {
	case len(t.logs) >= mostLogs:
		return "is one more log than a campaign takes"
	case l.File == "" || t.places[l.File] > 0:
		return "is a log without a name, or a second one of its name"
	case len(l.SHA256) != 64 || strings.Trim(l.SHA256, "0123456789abcdef") != "":
		return "has no SHA-256 of the log"
	case !formatName.MatchString(l.Format) || len(l.Authority) > LongestName || len(l.Server) > LongestName:
		return "has no format, or a name that is too long"
	case l.Size < 0 || l.Lines < 0 || l.NotRead < 0 || !(l.First.IsZero() && l.Last.IsZero()) && !fits(l.First, l.Last):
		return "ends before it begins, or has less than no lines"
	}
	t.logs = append(t.logs, l)
	t.places[l.File] = len(t.logs)
	return ""
}

// BaseName is a file without its folder, which is the operator's own.
func BaseName(file string) string {
	name := file[strings.LastIndexAny(file, `/\`)+1:]
	if name == "" {
		return "log"
	}
	if len(name) > LongestName {
		return strings.ToValidUTF8(name[:LongestName], "") + "…"
	}
	return name
}

// readLogs are the logs as a ledger has them.
func (t *File) readLogs() (out []credential.ReadLog) {
	for i, l := range t.logs {
		out = append(out, credential.ReadLog{Number: i + 1, Name: BaseName(l.File), SHA256: l.SHA256, Size: l.Size, Format: l.Format, Authority: l.Authority, Server: l.Server,
			Lines: l.Lines, NotRead: l.NotRead, First: l.First.UTC(), Last: l.Last.UTC()})
	}
	return out
}
