package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/report"
)

// view shows a campaign from its ledger while it grows: drawn over in place on
// a terminal, one line for each change in a pipe. It reads files only, so that
// looking costs the campaign nothing.
type view struct {
	*session
	campaign string
	folder   string    // of its ledger
	fetches  bool      // which is elsewhere, and a copy is brought up to date
	fetched  time.Time // when it last was
	zone     *time.Location

	counts  string    // what was shown while there is none
	counted time.Time // when they were asked for last

	reader *ledger.Reader // nil until the ledger exists here
	state  *ledger.State
	next   uint64

	terminal bool
	drawn    int    // lines of the last frame
	size     [2]int // of the terminal, when it was drawn
	last     report.Progress
	due      time.Time // when to look again
	reported bool      // a report stands below the last frame

	// What stands below a frame for as long as it is so.
	login     string // the login to Vault ends
	takenOver string // by another campaign
	waits     string // what is waited for, or what comes next, and when
}

func (s *session) newView(campaign string) *view {
	v := &view{session: s, campaign: campaign, folder: s.ledgerDir(campaign), zone: s.zoneShown(), state: ledger.NewPackedState()}
	if _, err := os.Stat(v.folder); errors.Is(err, fs.ErrNotExist) {
		v.fetches = s.engine != nil && !s.engine.Started
	}
	_, v.terminal = terminal(s.Err)
	v.terminal = v.terminal && !s.plain()
	return v
}

// read takes up what the ledger gained. Before the ledger exists there is
// nothing to show, which is not an error.
func (v *view) read(ctx context.Context) {
	v.fetch(ctx)
	if v.reader == nil {
		r, err := ledger.OpenReader(v.folder)
		if err != nil {
			return
		}
		v.reader = r
	}
	_ = v.reader.Entries(ctx, v.next, func(index uint64, e ledger.Entry) error {
		v.state.Add(index, e)
		v.next = index + 1
		return nil
	})
}

// fetch brings a copy of a ledger that is elsewhere up to date, where a ledger
// worker serves it.
func (v *view) fetch(ctx context.Context) {
	if !v.fetches || time.Since(v.fetched) < lookEvery {
		return
	}
	if folder, found, _ := v.session.fetch(ctx, v.campaign); found {
		v.folder = folder
	}
	v.fetched = time.Now()
}

// refresh looks again, unless that took so long the last time that it would
// take more than a thirtieth of a processor: the campaign runs beside it. Of
// one that runs elsewhere it looks as often as who gives its ledger out waits
// for.
func (v *view) refresh(ctx context.Context) {
	began := time.Now()
	if began.Before(v.due) {
		return
	}
	v.show(ctx)
	took := time.Since(began)
	wait := 29 * took
	if v.fetches {
		wait = min(wait, lookEvery+took)
	}
	v.due = time.Now().Add(wait)
}

func (v *view) show(ctx context.Context) {
	v.read(ctx)
	if v.next > 0 {
		v.showNow()
		return
	}
	v.showCounts(ctx)
}

// showNow shows what is known by now.
func (v *view) showNow() {
	now := report.ProgressOf(v.state, time.Now(), v.state.Waves)
	now.Stands = v.waits != ""
	for i, r := range now.Reasons {
		if !r.Until.IsZero() {
			now.Reasons[i].Until = r.Until.In(v.zone)
		}
	}
	if v.terminal {
		if v.reported && now.Phase == ledger.Closed {
			now.Warnings = nil // the report has each of them, whole
		}
		width, height := size(v.Err)
		if at := [2]int{width, height}; at != v.size {
			v.size, v.drawn = at, 0 // where the last frame stands by now nobody knows
		}
		var feet []string
		if now.Phase != ledger.Closed {
			feet = []string{"\n  Ctrl-C leaves, and the same command goes on\n"}
			if stands := v.stands(width); stands != "" {
				feet = []string{"\n" + stands + feet[0], "\n" + stands}
			}
		}
		v.draw(fits(report.RenderProgress(now, width, true), height, feet...))
		return
	}
	for _, line := range report.ProgressLines(v.last, now) {
		v.say("%s", line)
	}
	v.last = now
}

// framed reports whether frames are drawn, each over the last: whatever is
// printed in between leaves a copy of one behind.
func (v *view) framed() bool { return v != nil && v.terminal && v.next > 0 }

// stands is what stands below a frame, in lines of a width.
func (v *view) stands(width int) (out string) {
	for _, text := range []string{v.login, v.takenOver, v.waits} {
		if text != "" {
			out += report.Wrap(report.Clean(text), "  ", width)
		}
	}
	return out
}

// fits cuts a frame that is higher, with its foot, than the terminal: it could
// not be drawn over, for what has left the screen stays as it is. It gets the
// first foot that leaves room for some of it.
func fits(frame string, height int, feet ...string) string {
	for _, foot := range feet {
		if left := height - strings.Count(foot, "\n"); left >= 4 {
			return cut(frame, left) + foot
		}
	}
	return cut(frame+strings.Join(feet[:min(1, len(feet))], ""), height)
}

func cut(frame string, height int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(frame, "\n"), "\n")
	room := max(2, height-1) // the cursor is below
	if len(lines) <= room {
		return frame
	}
	return strings.Join(lines[:room-1], "") + fmt.Sprintf("  … %d more: rollcall status\n", len(lines)-room+1)
}

// draw replaces the last frame, line by line: clearing all of it first
// flickers, and tmux keeps what is cleared from the screen's top (its option
// scroll-on-clear). What somebody typed stands where the cursor is.
func (v *view) draw(frame string) {
	const toLineEnd, toScreenEnd = "\x1b[K", "\x1b[J"
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", v.drawn)
	}
	b.WriteString(strings.ReplaceAll(frame, "\n", toLineEnd+"\n") + toScreenEnd)
	fmt.Fprint(v.Err, b.String())
	v.drawn = strings.Count(frame, "\n")
}

// below leaves the last frame as it is: the next is drawn below what is said
// now.
func (v *view) below() { v.drawn = 0 }

func (v *view) finish(ctx context.Context) {
	v.fetched = time.Time{} // what came last is to be seen
	v.show(ctx)
}
