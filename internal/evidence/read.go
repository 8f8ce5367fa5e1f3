package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logfile"
	"rollcall/internal/evidence/logs"
	"rollcall/internal/evidence/taken"
)

// Options say what is read and what is known beside it.
type Options struct {
	Files  []File
	Format string         // of all files; "" finds it by looking
	Mapped []logs.Format  // that the campaign file maps
	Year   int            // of the first line of each file whose times have none
	Years  map[string]int // of single files, by their path
	Zone   *time.Location // of times that have none; nil refuses them
	Quiet  time.Duration  // a stretch without lines that is longer is a gap
	// Drivers are those of the directories, by name.
	Drivers map[string]string
	// Servers of directories, by their names, as URLs: each has its own log.
	Servers map[string][]string
	// Domains are what directories that are domains are called, by their names.
	Domains map[string]Domain
	Judge   judge.Options
	// Campaign is whose ledger the roll is from; empty where it was listed.
	Campaign string
	// Progress is told how much of the files on the disk is read; may be nil.
	Progress func(read, of int64)
}

// DefaultQuiet is the silence behind which a log counts as having a gap.
const DefaultQuiet = time.Hour

// backwards is how far the times of a log may go back before that is told:
// lines of several threads are not in order.
const backwards = time.Minute

// clock places times in years that have been.
func (o *Options) clock(year int) *logs.Clock {
	clock := logs.NewClock(year, o.Zone)
	clock.Now = o.Judge.Now
	return clock
}

func (o *Options) parser(e func(event.Event), n func(event.Note, event.Place, string), clock *logs.Clock) logs.Options {
	out := logs.Options{Clock: clock, Quiet: o.Quiet, Event: e, Note: n}
	if x := o.Judge.Indicators; x != nil && x.Len() > 0 {
		out.Meets = x.Meets
	}
	return out
}

// Read reads all files and says what they show. Nothing is half read: a file
// that cannot be placed, or is none of a known format, is an error.
func Read(ctx context.Context, o Options) (*judge.Result, error) {
	if o.Quiet <= 0 {
		o.Quiet = DefaultQuiet
	}
	if o.Judge.Fold == nil {
		o.Judge.Fold = newFolder().fold
	}
	files, unknown := make([]*File, len(o.Files)), make([]error, len(o.Files))
	var total int64
	var err error
	for i := range o.Files {
		files[i] = &o.Files[i]
		if unknown[i], err = o.look(ctx, files[i], o.Format); err != nil {
			return nil, err
		}
		total += files[i].info.Size()
	}
	for i, f := range files { // rotated away without one line that shows what it is
		if unknown[i] == nil {
			continue
		}
		at := slices.IndexFunc(files, func(other *File) bool {
			return other.format.New != nil && unknown[slices.Index(files, other)] == nil && (f.follows(other) || other.follows(f))
		})
		if at < 0 {
			return nil, unknown[i]
		}
		if again, err := o.look(ctx, f, files[at].format.Name); again != nil || err != nil {
			return nil, cmp.Or(err, unknown[i])
		}
	}
	if err := o.yearsFit(files); err != nil {
		return nil, err
	}
	all, err := groups(files)
	if err != nil {
		return nil, err
	}
	found := judge.New(o.Judge)
	r := &reading{Options: &o, take: found.Add, total: total}
	for _, g := range all {
		if err := r.group(ctx, g); err != nil {
			return nil, err
		}
	}
	r.notNamed()
	result := found.Finish(r.sources, r.missing())
	result.Logs = append(result.Logs, r.logs...)
	return result, nil
}

// reading is one pass over all files.
type reading struct {
	*Options
	take    func(event.Event)
	live    bool        // lines are read as they are written
	unread  event.Place // the last line that was not understood
	sources []*judge.Source
	logs    []taken.Log
	log     *taken.Log // the one that is read; nil of lines as they are written
	done    int64
	total   int64
}

// group reads the files of one server, or one syslog, through one parser.
func (r *reading) group(ctx context.Context, g *group) error {
	clock := r.clock(0)
	of := r.begin(g, g.format, clock)
	var before *File
	for _, f := range g.files {
		first := f.first
		if or, twice := clock.Twice(first); twice && or.After(first) {
			first = or
		}
		if before != nil && f.hostless && !g.format.Vault && first.Before(of.last.Add(-backwards)) {
			return errOverlap(before, f, of.last)
		}
		clock.SetYear(r.year(f))
		if err := of.file(ctx, f); err != nil {
			return err
		}
		before = f
		r.done += f.info.Size()
	}
	all := append(of.beside, of)
	if g.guessed && of.current == nil {
		if err := of.wasAnother(); err != nil {
			return err
		}
		all = of.beside
	}
	for _, each := range all {
		if each.current == nil {
			each.isOf(each.at(each.parser.Server()))
		}
		each.parser.Close()
	}
	return nil
}

func (r *reading) begin(g *group, format logs.Format, clock *logs.Clock) *ofGroup {
	of := &ofGroup{reading: r, group: g, format: format, clock: clock, authority: r.authorityOf(g, format), byServer: map[string]*server{}}
	of.parserOptions = r.parser(of.event, of.note, clock)
	of.parserOptions.Live = r.live
	of.parser = format.New(of.parserOptions)
	return of
}

// ofGroup is the reading of one group, by one format.
type ofGroup struct {
	*reading
	group  *group
	format logs.Format
	clock  *logs.Clock
	// beside read the lines of other programs in the same syslog.
	beside    []*ofGroup
	authority string
	parser    logs.Parser
	// parserOptions are those that it was made with.
	parserOptions logs.Options
	byServer      map[string]*server
	current       *server
	// named is what the line before called current, in the file namedIn.
	named, namedIn string
	last           time.Time
	newest         time.Time // of a line, since a stream was asked for it
	path           string
	early          early
	order          order // of the file that is read
	alone          int   // lines in a row whose time cannot be
}

// Years, in UTC, that a line can be of. Anyone may write one of another year
// into a syslog, and not every reader of a result reads its time.
const firstYear, lastYear = 1970, 2200

var placedFrom, placedUntil = time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(lastYear+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

func placed(at time.Time) bool {
	second := at.Unix()
	return second >= placedFrom && second < placedUntil
}

func (g *ofGroup) event(e event.Event) {
	if !placed(e.At) {
		return // its line counts as not understood
	}
	e.Format, e.Authority = g.format.Name, g.authority
	e.Or, _ = g.clock.Twice(e.At)
	if e.Outcome.NoUse() {
		g.take(e)
		return
	}
	if e.Form == event.Login && e.Account != "" && g.authority == "" {
		e.Doubts = append(e.Doubts, event.ByName)
	}
	if e.Server == "" {
		e.Server = g.group.server
	}
	e.Server = cutName(e.Server)
	if g.format.Domains {
		g.Domains[g.authority].ofDomain(&e)
	}
	g.at(e.Server).Event(e)
	g.take(e)
}

func (g *ofGroup) note(n event.Note, at event.Place, server string) {
	if g.current == nil {
		g.early.note(n, at)
		return
	}
	g.at(server).Note(n, at)
}

// notRead counts a line that was not understood.
func (g *ofGroup) notRead(at event.Place) {
	g.unread = at
	if g.log != nil {
		g.log.NotRead++
	}
	switch {
	case g.current != nil:
		g.current.NotRead(at)
	case len(g.early.unreadable) < mostEarly:
		g.early.unreadable = append(g.early.unreadable, at)
	default:
		g.early.more++
	}
}

// foreign counts a line of another program.
func (g *ofGroup) foreign() {
	if g.current == nil {
		g.early.foreign++
		return
	}
	g.current.Lines++
	g.current.Foreign++
}

func (g *ofGroup) file(ctx context.Context, f *File) error {
	in, err := logfile.OpenSummed(f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	g.path = f.Path
	if g.current != nil && !slices.Contains(g.current.Files, g.path) {
		g.current.Files = append(g.current.Files, g.path)
	}
	log := taken.Log{File: f.Path, Format: g.format.Name, Authority: g.authority, Server: g.group.server}
	g.log, g.order = &log, order{}
	if p, ok := g.parser.(logs.Ahead); ok {
		err = g.ahead(ctx, f, in, p)
	} else {
		err = g.inTurn(ctx, f, in)
	}
	if err != nil {
		return err
	}
	if log.SHA256, log.Size, err = in.Digest(); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	for _, other := range g.logs {
		if other.SHA256 == log.SHA256 {
			return fmt.Errorf("%s is a copy of %s: each of its lines would count twice", f.Path, other.File)
		}
	}
	if g.format.NeedsOrder && g.order.newestFirst() {
		return fmt.Errorf("%s has its newest event first (%s, then back to %s), and what was done in a logon is told by the lines behind it: export it with the oldest first (Get-WinEvent … | Sort-Object TimeCreated; wevtutil qe … /rd:false)",
			f.Path, g.order.first.UTC().Format(time.RFC3339), g.order.last.UTC().Format(time.RFC3339))
	}
	g.logs = append(g.logs, log)
	return nil
}

// inTurn reads a file line by line.
func (g *ofGroup) inTurn(ctx context.Context, f *File, in *logfile.File) error {
	lines := logfile.NewLines(in)
	for {
		line, n, tooLong, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", f.Path, n+1, err)
		}
		if n%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			g.progress(in.Taken())
		}
		g.log.Lines = n
		if err := g.line(line, event.Place{File: f.Path, Line: n}, tooLong); err != nil {
			return err
		}
	}
}

// progress tells how much of a file's own bytes was read.
func (g *ofGroup) progress(taken int64) {
	if g.Progress != nil {
		g.Progress(g.done+taken, g.total)
	}
}

func (g *ofGroup) line(line []byte, place event.Place, tooLong bool) error {
	if tooLong {
		g.notRead(place)
		return nil
	}
	verdict, at, err := g.parser.Line(line, place)
	return g.said(line, place, verdict, at, err)
}

// mostAlone lines in a row have a time that cannot be. Whoever can write into a
// syslog can write one; of a wrong year there are more.
const mostAlone = 100

// said takes what a parser says of a line.
func (g *ofGroup) said(line []byte, place event.Place, verdict logs.Verdict, at time.Time, err error) error {
	var lacks *logs.NoTime
	switch {
	case err == nil:
		g.alone = 0
		return g.judged(line, place, verdict, at)
	case g.live || g.alone >= mostAlone || !errors.As(err, &lacks) || !lacks.Alone:
		return err
	}
	g.alone++
	g.notRead(place)
	return nil
}

// judged counts a line by what its parser says of it.
func (g *ofGroup) judged(line []byte, place event.Place, verdict logs.Verdict, at time.Time) error {
	switch verdict {
	case logs.Foreign:
		if logs.SaysLost(line) {
			g.note(event.LinesLost, place, g.parser.Server())
		}
		if other := g.other(line); other != nil {
			other.path = g.path
			return other.line(line, place, false)
		}
		g.foreign()
		return nil
	case logs.Unreadable:
		if other, ok := logs.Recognise(line, g.Mapped...); ok && !g.live && other.Name != g.format.Name {
			return fmt.Errorf("%s line %d is of another format (%s) than the lines before it (%s): part the two, and give each as a file of its own", place.File, place.Line, other.Name, g.format.Name)
		}
		g.notRead(place)
		return nil
	}
	if !at.IsZero() && !placed(at) {
		g.notRead(place)
		return nil
	}
	s := g.current
	if at.IsZero() { // a head, or a part of a record: it says nothing of a server
		if s == nil {
			g.early.read++
		} else {
			s.Line(at)
		}
		return nil
	}
	if name := g.parser.Server(); s == nil || name != g.named || g.path != g.namedIn {
		g.isOf(g.at(name))
		g.named, g.namedIn, s = name, g.path, g.current
	}
	or, twice := g.clock.Twice(at)
	switch {
	case s.further:
		s.Line(time.Time{})
		s.Note(event.TooManyOf, place)
	case twice:
		s.Twice(at, or, place)
	case verdict == logs.Aside:
		s.Aside(at)
	default:
		s.Line(at)
	}
	if g.log != nil {
		g.log.See(at, s.Server)
		g.order.see(at)
	}
	if at.Before(s.last) && s.last.Sub(at) > backwards && !twice {
		s.Note(event.ClockBack, place)
		s.last = at
	}
	if at.After(s.last) {
		s.last = at
	}
	if at.After(g.last) {
		g.last = at
	}
	if at.After(g.newest) {
		g.newest = at
	}
	return nil
}

// other reads a line of another program in the same syslog, from that program's
// first login on, or first line where it is mapped; nil where none does.
func (g *ofGroup) other(line []byte) *ofGroup {
	if g.Format != "" || g.format.Program == nil {
		return nil // the operator has said what is looked for
	}
	format, ok := logs.ByProgram(line, g.Mapped...)
	if !ok || format.Name == g.format.Name {
		return nil
	}
	for _, b := range g.beside {
		if b.format.Name == format.Name {
			return b
		}
	}
	looked := false
	if g.parserOptions.Meets != nil {
		_, looked = g.parserOptions.Looked(string(line))
	}
	mapped := slices.ContainsFunc(g.Mapped, func(m logs.Format) bool { return m.Name == format.Name })
	if !looked && !mapped && !format.Recognises(line) { // of one that is mapped the pattern may be wrong
		return nil
	}
	b := g.begin(g.group, format, g.clock)
	g.beside = append(g.beside, b)
	return b
}

// authorityOf is the one that the operator named, or the only one that writes
// such a log.
func (r *reading) authorityOf(g *group, format logs.Format) string {
	if g.authority != "" {
		return g.authority
	}
	var could []string
	for name, driver := range r.Drivers {
		if slices.Contains(format.Drivers, driver) {
			could = append(could, name)
		}
	}
	if format.Vault {
		could = append(could, vaultAuthority)
	}
	if len(could) == 1 {
		return could[0]
	}
	return ""
}

// notNamed counts for each source the credentials that it may call by a name
// that the roll has not got.
func (r *reading) notNamed() {
	byAuthority := map[string]int{}
	for _, c := range r.Options.Judge.Credentials {
		if c.Unnamed {
			byAuthority[c.Authority]++
		}
	}
	for _, s := range r.sources {
		format, err := logs.Named(s.Format, r.Mapped...)
		if err != nil {
			continue
		}
		for authority, n := range byAuthority {
			_, domain := r.Domains[authority]
			its := domain && (format.Domains || format.InFront) && (s.Authority == "" || s.Authority == authority)
			for range n {
				if !its && !format.Vault {
					break
				}
				s.Note(event.NotNamed, event.Place{File: s.Files[0], Line: 1})
			}
		}
	}
}
