// Package watch holds logs that grow against the roll of a campaign, for weeks.
// It cannot see values, so it says what it saw: a login of a dead credential's
// account that was refused, one from the device, one from an indicator's
// address.
//
// # What survives
//
// How far each log was read, what was told and what is about to be told are one
// file, written whole or not at all, as of one moment. So after a crash lines
// are read again from there, and come to the same findings under the same ids:
// no line is missed, and a finding is told at least once. What was being told
// when the process died (between two writes of that file, some milliseconds) is
// told again under its id; what was told before that is not. What could not be
// shown is kept there too, until it is. Where the file
// cannot be written (a full disk) findings are told all the same, that is said,
// and after a crash they may be told again. Lines that were rotated away and
// packed while nobody read are not read, and that is said. Of standard input
// nothing is kept: what was read of it and not told is lost with the process.
// Lines that are posted are kept in files of this folder before who posted them
// is answered, and followed there.
package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/follow"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
	"rollcall/internal/evidence/posted"
	"rollcall/internal/plural"
)

// Options of a watch.
type Options struct {
	// Evidence says how logs are read and what is known beside them. The roll
	// comes from Roll.
	Evidence evidence.Options
	Files    []evidence.File // one may be "-", which is In
	In       io.Reader
	// Posts are lines that others post; nil where nobody may.
	Posts *Posts
	// FromStart reads files that no watch read before from their beginning, and
	// not from their end.
	FromStart bool
	Folder    string        // of the state
	Quiet     time.Duration // without a line that is understood, before that is told
	Again     time.Duration // before a finding that goes on is told again; then twice that, up to a day

	// Roll is the roll as it is by now, with times of death; changed is false
	// where it is what it was. It may take its time. The first error ends the
	// watch, later ones are told; a NotVerified comes beside the roll, and is
	// told.
	Roll func(ctx context.Context) (all []judge.Credential, changed bool, err error)
	// Record writes what is new of a reading into a ledger, with the signs of
	// some credentials; nil where nothing is recorded. It is given again what
	// it failed to write, and after a crash perhaps what it wrote. Campaign is
	// the one whose roll Roll is.
	Record   func(ctx context.Context, r credential.LogsRead, of []credential.Credential) error
	Campaign string
	// Tell and Show are given what was found. Tell keeps it and returns; nil
	// where nobody is told. Show may take as long as it likes, and is given a
	// batch again until it has shown it. Say is for notes to the operator.
	Show func(Batch) error
	Tell func(Batch)
	Say  func(format string, args ...any)

	Every time.Duration // between two looks; 0 is half a second
	Now   func() time.Time
}

// Batch is what is told at once. ID is the same whenever that is done.
type Batch struct {
	ID       string        `json:"id"`
	At       time.Time     `json:"at"`
	Alerts   []judge.Alert `json:"alerts,omitempty"`
	Troubles []Trouble     `json:"troubles,omitempty"`
	// More findings wait for their turn: they come too fast.
	More int `json:"more,omitempty"`
}

// Times that nobody sets.
const (
	every     = 500 * time.Millisecond
	beat      = time.Second
	saveEvery = 5 * time.Second
	// slowSave: the state is written so seldom that it takes no more than one
	// part in so many of the time.
	slowSave = 20
	mostLine = 10_000 // of standard input in one turn
)

// DefaultAgain is the time after which a finding that goes on is told again.
const DefaultAgain = 10 * time.Minute

// watcher is one watch.
type watcher struct {
	o        Options
	state    *state
	live     *judge.Live
	logs     []*log
	in       *input
	inLog    *log
	inbox    *posted.Inbox
	server   *posted.Server
	refused  posted.Refused  // as it was told
	notTaken posted.NotTaken // the same
	troubles []Trouble
	found    int
	lost     int // findings that were dropped, and nobody was told yet
	forgot   int // the same, of tries that might have become some

	changed            bool // what would be kept
	nextBeat, nextSave time.Time
	nextSweep          time.Time
	unsaved            string
	inEnded            bool
	inErr              error // of standard input
	unnamed            int   // credentials of the roll
	rolls              chan rolled
	screen             *screen
	recorder           recorder
}

// Run watches until ctx ends or standard input does and no file is followed. It
// returns how many findings were told.
func Run(ctx context.Context, o Options) (found int, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every == 0 {
		o.Every = every
	}
	if o.Again == 0 {
		o.Again = DefaultAgain
	}
	if o.Quiet == 0 {
		o.Quiet = evidence.DefaultQuiet
	}
	lock, err := hold(o.Folder)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	w := &watcher{o: o, screen: newScreen(o.Show), recorder: recorder{ctx: recording, done: make(chan error, 1)}}
	defer close(w.screen.give)
	defer w.close()
	if err := w.begin(ctx); err != nil {
		return 0, err
	}
	looking, enough := context.WithCancel(ctx)
	defer enough()
	w.lookAtRoll(looking)
	err = w.run(ctx)
	return w.found, err
}

func (w *watcher) begin(ctx context.Context) (err error) {
	if w.o.Evidence.Format != "" {
		if _, err := logs.Named(w.o.Evidence.Format, w.o.Evidence.Mapped...); err != nil {
			return err
		}
	}
	if w.state, err = load(w.o.Folder); err != nil {
		return err
	}
	var doubt *NotVerified
	all, _, err := w.o.Roll(ctx)
	if err != nil && !errors.As(err, &doubt) {
		return err
	}
	known := w.o.Evidence.Judge
	known.Credentials = all
	if known.Fold == nil {
		known.Fold = evidence.Fold()
	}
	w.live = judge.NewLive(known, w.o.Again, w.state.Memory, w.o.Now())
	w.unnamed = unnamed(all)
	w.takeRoll(rolled{err: err})
	for i, f := range w.o.Files {
		if slices.ContainsFunc(w.o.Files[:i], func(g evidence.File) bool { return sameFile(g.Path, f.Path) }) {
			return fmt.Errorf("%s is given twice", f.Path)
		}
		l, err := w.open(f)
		if err != nil {
			return err
		}
		w.logs = append(w.logs, l)
		if f.Path == stdin {
			w.inLog, w.in = l, readInput(ctx, w.o.In)
		}
	}
	if err := w.beginPosts(ctx); err != nil {
		return err
	}
	if w.state.Telling != nil {
		w.deliver(*w.state.Telling)
	}
	if err := w.keepFirst(); err != nil {
		return err
	}
	return w.listen(ctx)
}

func (w *watcher) close() {
	if w.server != nil {
		w.server.Close()
	}
	for _, l := range w.logs {
		if l.file != nil {
			l.file.Close()
		}
	}
	if w.inbox != nil {
		_ = w.inbox.Close()
	}
}

// keepFirst keeps where reading began. What was found out on the way, such as
// lines that were lost, is told with it: the next watch would not see it. A
// disk that is full by now stops no watch that was one before.
func (w *watcher) keepFirst() error {
	before := !w.state.Saved.IsZero()
	w.flush(w.o.Now())
	if err := w.save(true); err != nil && !before {
		return err
	}
	return nil
}

// sameFile reports whether two paths are of one file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, missing := os.Stat(b)
	return filepath.Clean(a) == filepath.Clean(b) || err == nil && missing == nil && os.SameFile(x, y)
}

func (w *watcher) run(ctx context.Context) error {
	tick := time.NewTicker(w.o.Every)
	defer tick.Stop()
	for {
		more := w.turn(ctx)
		ended := ctx.Err() != nil
		over := w.inEnded && len(w.logs) == 0
		if ended || over {
			return w.end(ctx)
		}
		_ = w.save(false)
		if more {
			continue
		}
		w.wait(ctx, tick.C)
	}
}

// end keeps what is to be kept, and says what was not done.
func (w *watcher) end(ctx context.Context) error {
	w.endPosts(ctx)
	w.screen.next = time.Time{}
	w.show(lastPatience)
	w.record(lastRecord)
	err := w.save(true)
	if err != nil {
		err = fmt.Errorf("what was read could not be kept, so the next watch reads it again: %w", err)
	}
	if w.inErr != nil {
		err = errors.Join(err, fmt.Errorf("standard input cannot be read: %w", w.inErr))
	}
	return errors.Join(err, w.unshown())
}

// wait is until something may have come.
func (w *watcher) wait(ctx context.Context, tick <-chan time.Time) {
	var lines <-chan follow.Line
	if w.in != nil && !w.inEnded {
		lines = w.in.lines
	}
	select {
	case <-ctx.Done():
	case <-tick:
	case line, ok := <-lines:
		w.takeInput(line, ok)
	}
}

// turn reads some of each log and tells what came of it.
func (w *watcher) turn(ctx context.Context) (more bool) {
	for _, l := range w.logs {
		more = l.read() || more
	}
	more = w.readInput() || more
	now := w.o.Now()
	if !now.Before(w.nextBeat) {
		w.nextBeat = now.Add(beat)
		for _, l := range w.logs {
			if l.stream != nil {
				l.stream.Beat()
			}
			l.look(now)
		}
		w.lookAtPosts()
		w.sweepPosts(now)
	}
	w.readRoll(ctx)
	w.flush(now)
	w.record(0)
	w.show(0)
	return more
}

// readInput takes the lines of standard input that are there.
func (w *watcher) readInput() (more bool) {
	if w.in == nil {
		return false
	}
	for range mostLine {
		select {
		case line, ok := <-w.in.lines:
			if w.takeInput(line, ok); !ok {
				return false
			}
		default:
			w.inLog.atEnd = true
			return false
		}
	}
	w.inLog.atEnd = false
	return true
}

func (w *watcher) takeInput(line follow.Line, ok bool) {
	if ok {
		w.inLog.take(line)
		return
	}
	w.endInput()
}

func (w *watcher) endInput() {
	why := "it has ended"
	if w.in.err != nil {
		w.inErr, why = w.in.err, w.in.err.Error()
	}
	w.in, w.inEnded = nil, true
	if w.inLog.stream != nil {
		w.inLog.stream.Close()
	}
	w.inLog.look(w.o.Now())
	w.logs = slices.DeleteFunc(w.logs, func(l *log) bool { return l == w.inLog })
	if len(w.logs) > 0 || why != "it has ended" {
		w.has(InputEnded, stdin, "standard input is read no more: %s", why)
	}
}

// flush tells what is due. It is kept first, so that a crash tells it again and
// under the same ids.
func (w *watcher) flush(now time.Time) {
	if w.full() {
		return
	}
	alerts, more := w.live.Due(now, w.inEnded && len(w.logs) == 0)
	w.lost += w.live.Lost()
	w.forgot += w.live.Forgotten()
	if w.lost+w.forgot > 0 && w.has(Overrun, "", "more came than can be told or kept, and was dropped: %s, the oldest of their grade; %s before it was known whether the value is dead",
		plural.Count(w.lost, "finding", "findings"), plural.Count(w.forgot, "place that tried", "places that tried")) {
		w.lost, w.forgot = 0, 0
	}
	if len(alerts)+len(w.troubles) == 0 {
		return
	}
	if len(alerts) == 0 {
		more = 0 // they wait a moment, as always
	}
	b := Batch{At: now.UTC(), Alerts: alerts, Troubles: w.troubles, More: more}
	sum := sha256.New()
	for _, a := range alerts {
		fmt.Fprintln(sum, a.ID)
	}
	for _, t := range w.troubles {
		fmt.Fprintln(sum, t.ID)
	}
	b.ID = hex.EncodeToString(sum.Sum(nil)[:16])
	w.troubles = nil
	w.note(alerts)
	w.state.Telling = &b
	_ = w.save(true)
	w.deliver(b)
	_ = w.save(true)
}

// deliver tells receivers, who are asked nothing, and then shows.
func (w *watcher) deliver(b Batch) {
	w.found += len(b.Alerts)
	if w.o.Tell != nil {
		w.o.Tell(b)
	}
	w.state.Telling = nil
	w.toShow(b)
	w.show(0)
}

// save keeps what is to be kept, at once or if it is time.
func (w *watcher) save(now bool) error {
	at := w.o.Now()
	if !now && (!w.changed || at.Before(w.nextSave)) {
		return nil
	}
	w.state.Saved, w.state.Memory = at.UTC(), w.live.Memory()
	for _, l := range w.logs {
		if l.file != nil {
			w.state.Logs[l.key] = &position{Parts: l.file.Positions(), Last: l.last.UTC()}
		}
	}
	err := w.state.save(w.o.Folder)
	took := w.o.Now().Sub(at)
	w.changed, w.nextSave = false, at.Add(max(saveEvery, slowSave*took))
	if err == nil {
		w.forgetPosts()
		w.unsaved = ""
		w.over(NotKept, "", "the state is kept again")
		return nil
	}
	if w.unsaved == "" {
		w.unsaved = err.Error()
		w.o.Say("WARNING: the state cannot be kept: %v", err)
	}
	w.has(NotKept, "", "the state of the watch cannot be written, so after a crash findings may be told again: %v", err)
	return err
}
