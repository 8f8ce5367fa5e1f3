package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/follow"
	"rollcall/internal/evidence/logs"
	"rollcall/internal/evidence/posted"
	"rollcall/internal/plural"
)

// stdin is standard input, as it stands among files.
const stdin = "-"

// ahead and behind are how far the clock of a log may differ from ours before
// that is told. What is behind has to be for lateFor: lines that were held up
// come late once.
const (
	ahead   = 2 * time.Minute
	behind  = 2 * time.Minute
	lateFor = time.Minute
)

// log is one that is followed.
type log struct {
	w      *watcher
	of     evidence.File
	key    string // its path from the root, in the state
	posted string // the source that is posted; empty of other logs
	file   *follow.File
	stream *evidence.Stream
	format logs.Format

	strange int         // lines from before its format was known
	at      event.Place // the last of them
	told    int         // lines that were not understood, when that was looked at last
	known   int         // lines that were understood, then
	last    time.Time   // when one came
	gone    int         // times that lines were lost, and nobody was told yet
	cannot  string      // why it is not read now

	atEnd, wasAtEnd bool      // all that was written is read; so it was when that was looked at last
	late            time.Time // since when each line is from behind, as it comes; zero: they are not
}

// open begins to follow a log.
func (w *watcher) open(of evidence.File) (*log, error) {
	l := &log{w: w, of: of, last: w.o.Now()}
	if format := of.Format; format != "" {
		if _, err := logs.Named(format, w.o.Evidence.Mapped...); err != nil {
			return nil, fmt.Errorf("%s: %w", of.Path, err)
		}
	}
	if of.Path == stdin {
		return l, nil
	}
	if _, err := os.Stat(filepath.Dir(of.Path)); err != nil {
		return nil, fmt.Errorf("%s cannot be waited for: %w", of.Path, err)
	}
	key, err := filepath.Abs(of.Path)
	if err != nil {
		return nil, err
	}
	l.key = key
	var format logs.Format
	found, err := false, follow.Plain(of.Path) // a pipe would wait for its writer
	if err == nil {
		format, found, err = w.o.Evidence.Sniff(of, w.o.Now)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.o.Say("note: %s is not there yet: it is read from its beginning when it is", of.Path)
	case err != nil:
		return nil, err
	case found:
		l.begin(format)
	}
	return l, l.follow(of.Path, w.o.FromStart)
}

// follow begins with its file, where reading ended.
func (l *log) follow(path string, fromStart bool) (err error) {
	w := l.w
	saved := w.state.Logs[l.key]
	o := follow.Options{FromStart: fromStart, Take: l.take, Lost: l.lost, Now: w.o.Now, Headed: func() bool { return l.format.Headed }}
	switch {
	case saved == nil && l.posted != "":
		o.Saved = w.inbox.Unread(l.posted)
	case saved != nil:
		// A file that was waited for is new whenever it came.
		o.Saved, o.FromStart = saved.Parts, true
		if !saved.Last.IsZero() && saved.Last.Before(l.last) {
			l.last = saved.Last
		}
	}
	l.file, err = follow.Open(path, o)
	return err
}

func (l *log) begin(format logs.Format) {
	l.format = format
	l.stream = evidence.NewStream(l.w.o.Evidence, l.of, format, l.w.o.Now, l.w.live.Add)
}

// take reads a line.
func (l *log) take(line follow.Line) {
	l.w.changed = true
	if l.posted != "" && posted.IsMark(line.Text) {
		return
	}
	at := event.Place{File: l.of.Path, Line: line.Number}
	if l.stream == nil {
		format, ok := l.w.o.Evidence.FormatOf(l.of, line.Text)
		if !ok {
			if !line.Before && !logs.IsSyslog(line.Text) {
				l.strange, l.at = l.strange+1, at
			}
			return
		}
		l.begin(format)
	}
	l.stream.Mute(line.Before)
	l.stream.Line(line.Text, at, line.TooLong)
}

func (l *log) lost(what string) {
	if !l.w.has(LinesLost, l.of.Path, "%s: %s", l.name(), what) {
		l.gone++
	}
}

// name is that of the log for people.
func (l *log) name() string {
	switch {
	case l.of.Path == stdin:
		return "standard input"
	case l.posted != "":
		return "what is posted to /lines/" + l.posted
	}
	return l.of.Path
}

// read reads what was written since, some of it.
func (l *log) read() (more bool) {
	if l.file == nil {
		return false
	}
	var written int64
	if l.posted != "" {
		written = l.w.inbox.Written(l.posted)
	}
	more, err := l.file.Read()
	l.cannot, l.atEnd = "", !more && err == nil
	if l.posted != "" && l.atEnd {
		l.w.inbox.Taken(l.posted, written)
	}
	if err != nil {
		l.cannot = err.Error()
		return false
	}
	return more
}

// look says what is wrong with a log, and what is so no more.
func (l *log) look(now time.Time) {
	path, name := l.of.Path, l.name()
	if l.cannot != "" {
		l.w.has(Unreadable, path, "%s cannot be read: %s. It is tried again each second", name, l.cannot)
	} else {
		l.w.over(Unreadable, path, "%s is read again", name)
	}
	known, bad, at, why := 0, l.strange, l.at, ""
	if l.stream != nil {
		seen := l.stream.Seen()
		known = seen.Lines - seen.Foreign - seen.Unreadable
		if bad += seen.Unreadable; seen.Unreadable > 0 {
			at, why = seen.At, seen.Why
		}
		l.clock(now, seen.Last)
	}
	if bad > l.told {
		if why == "" {
			why = "what they say is in no finding"
		}
		if l.w.has(NotUnderstood, path, "%s: lines that were not understood: %d since the watch began, the last one line %d; %s", name, bad, at.Line, why) {
			l.told = bad
		}
	}
	if l.gone > 0 && l.w.has(LinesLost, path, "%s was rotated, and lines that were not read may be lost, as was told before: %s more", name, plural.Count(l.gone, "time", "times")) {
		l.gone = 0
	}
	if known > l.known {
		l.known, l.last = known, now
		l.w.over(Silent, path, "%s has lines again", name)
	}
	if now.Sub(l.last) >= l.w.o.Quiet {
		l.w.has(Silent, path, "%s has had no line that is understood since %s%s. That does not say that nothing happened: was the server off, does it log elsewhere, or at another level?",
			name, l.last.UTC().Format(time.RFC3339), l.missing())
	}
}

// clock says whether the clock of who writes a log is ahead, or behind: then
// its tries of after a death look as those of before it do.
func (l *log) clock(now, last time.Time) {
	path, name := l.of.Path, l.name()
	if last.Sub(now) > ahead {
		l.w.has(ClockAhead, path, "%s has lines of a time that is to come (%s): what is said of before and after a death may be wrong; mend the clock of who writes it, or --zone", name, last.UTC().Format(time.RFC3339))
	} else {
		l.w.over(ClockAhead, path, "%s has lines of this time again", name)
	}
	newest, all := l.stream.Newest(), l.atEnd && l.wasAtEnd
	l.wasAtEnd = l.atEnd
	switch {
	case newest.IsZero() || !all:
	case now.Sub(newest) <= behind:
		l.late = time.Time{}
		l.w.over(ClockBehind, path, "%s has lines of this time again", name)
	case l.late.IsZero():
		l.late = now
	case now.Sub(l.late) >= lateFor:
		l.w.has(ClockBehind, path, "%s has lines of a time that is over as they come (%s, %s ago): a try after a death looks like one before it, and is not told. Mend the clock of who writes it, or --zone; or is it written so late?",
			name, newest.UTC().Format(time.RFC3339), now.Sub(newest).Round(time.Second))
	}
}

func (l *log) missing() string {
	if l.posted == "" && l.file != nil && !l.file.There() {
		return ": it is not there"
	}
	return ""
}
