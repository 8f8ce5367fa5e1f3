package watch

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"rollcall/internal/evidence"
	"rollcall/internal/evidence/posted"
	"rollcall/internal/plural"
)

// postsFolder of the state has the lines that were posted, until they are read.
const postsFolder = "posted"

// Posts are lines that others post.
type Posts struct {
	posted.Options
	// Sources are what is posted, each by its name in Path.
	Sources []evidence.File
}

// postedPath is where a line of a source was, for people.
func postedPath(source string) string { return "post:" + source }

// beginPosts follows what is posted, and what was and is not read yet.
func (w *watcher) beginPosts(ctx context.Context) (err error) {
	w.sweepPosts(w.o.Now())
	if w.o.Posts == nil {
		return nil
	}
	var names []string
	for _, s := range w.o.Posts.Sources {
		names = append(names, s.Path)
	}
	if w.inbox, err = posted.Open(filepath.Join(w.o.Folder, postsFolder), names, w.o.Now); err != nil {
		return err
	}
	for _, of := range w.o.Posts.Sources {
		source := of.Path
		of.Path = postedPath(source)
		l := &log{w: w, of: of, posted: source, key: of.Path, last: w.o.Now()}
		if format, named := w.o.Evidence.FormatOf(of, nil); named {
			l.begin(format)
		}
		w.logs = append(w.logs, l)
		if err := l.follow(w.inbox.Path(source), true); err != nil {
			return err
		}
	}
	return nil
}

// sweepEvery is how often lines of sources are looked for that are no more.
const sweepEvery = time.Hour

// sweepPosts takes lines away of sources that the campaign file has no more,
// and says so. They hold what people typed, and nothing reads them.
func (w *watcher) sweepPosts(now time.Time) {
	if now.Before(w.nextSweep) {
		return
	}
	first := w.nextSweep.IsZero()
	w.nextSweep = now.Add(sweepEvery)
	var names []string
	if w.o.Posts != nil {
		for _, s := range w.o.Posts.Sources {
			names = append(names, s.Path)
		}
	}
	folder := filepath.Join(w.o.Folder, postsFolder)
	gone, kept, err := posted.Sweep(folder, names, now)
	if len(gone) > 0 {
		w.o.Say("note: the campaign file has no such source any more, so the lines that were posted of it were taken away: %s", strings.Join(gone, ", "))
		for _, name := range gone {
			delete(w.state.Logs, postedPath(name))
		}
		w.changed = true
	}
	if len(kept) > 0 && first {
		w.o.Say("note: lines in %s are of sources that the campaign file has no more, are not read, and are taken away a week after the last of them: %s", folder, strings.Join(kept, ", "))
	}
	if err != nil && first {
		w.o.Say("WARNING: lines of sources that the campaign file has no more stay: %v", err)
	}
}

// listen begins to take posts.
func (w *watcher) listen(ctx context.Context) (err error) {
	if w.o.Posts == nil {
		return nil
	}
	o := w.o.Posts.Options
	o.Now = w.o.Now
	if w.server, err = posted.Listen(ctx, w.inbox, o); err == nil {
		w.o.Say("note: lines may be posted to https://%s/lines/NAME: %s", w.server.Address(), plural.Count(len(w.o.Posts.Sources), "source", "sources"))
	}
	return err
}

// endPosts takes no more, and reads what was taken.
func (w *watcher) endPosts(ctx context.Context) {
	if w.server == nil {
		return
	}
	w.server.Close()
	for w.turn(ctx) {
	}
}

// forgetPosts takes files away of which all is read and kept.
func (w *watcher) forgetPosts() {
	for _, l := range w.logs {
		if l.posted != "" && l.file != nil {
			w.inbox.Forget(l.posted, l.file.Positions())
		}
	}
}

// lookAtPosts says what keeps lines from being posted.
func (w *watcher) lookAtPosts() {
	if w.server == nil {
		return
	}
	if why := w.server.Trouble(); why != nil {
		w.has(PostsStopped, "", "lines may not be posted: %v", why)
	} else {
		w.over(PostsStopped, "", "lines can be posted again")
	}
	if is := w.server.Refused(); is != w.refused {
		other := ""
		if is.Others > 0 {
			other = "; the last of these was told: " + is.Why
		}
		if w.has(PostsRefused, "", "posts were refused since the watch began: with no right token %d, for other reasons %d, the last from %s%s. What is refused is not read", is.Tokens, is.Others, is.From, other) {
			w.refused = is
		}
	}
	if is := w.server.NotTaken(); is != w.notTaken {
		if w.has(PostsHeld, "", "posts could not be taken, and are to be sent again: %s since the watch began, the last one since %s", plural.Count(is.Times, "time", "times"), is.Why) {
			w.notTaken = is
		}
	}
}
