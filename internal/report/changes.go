package report

import (
	"fmt"
	"time"

	"rollcall/internal/protocol"
)

// taskChange is a task in the words of which a change is told; empty before it
// is open.
func taskChange(t StatusTask) string {
	switch {
	case t.OpenedAt == "":
		return ""
	case t.State == string(dead):
		return t.Name + ": done at every end"
	}
	return TaskLine(t)
}

// ProgressLines tells in plain lines, for a pipe or a log file, what changed
// between two moments: the phase, the counts, a wave that ended, a reason that
// keeps more or fewer credentials open than before. before is the zero Progress
// the first time. No change gives no line.
func ProgressLines(before, after Progress) []string {
	var out []string
	at := after.Now.UTC().Format("15:04:05Z ")
	say := func(format string, a ...any) { out = append(out, at+fmt.Sprintf(format, a...)) }

	if before.Phase != after.Phase {
		say("campaign %s: %s", Clean(after.Campaign), after.Phase)
	}
	was, is := before.total(), after.total()
	if was != is {
		some := ""
		if is.OnSome > 0 {
			some = fmt.Sprintf(" (%d on some only)", is.OnSome)
		}
		say("%d of %d dead%s, %d in work, %d open%s", is.Dead, is.Listed, some, is.InWork, is.Open+is.Exceptions, rateAndETA(after, ", "))
	}
	ended := map[int]bool{}
	for _, w := range before.Waves {
		ended[w.Wave] = w.done()
	}
	for _, w := range after.Waves {
		if w.done() && !ended[w.Wave] {
			say("%s ended: %d dead, %s", w.Name, w.Dead, Plural(w.Exceptions, "exception", "exceptions"))
		}
	}
	knew := map[string]string{}
	for _, t := range before.Tasks {
		knew[t.Credential] = taskChange(t)
	}
	for _, t := range after.Tasks {
		if now := taskChange(t); now != "" && knew[t.Credential] != now {
			say("person: %s", Clean(now))
		}
	}
	counts := map[protocol.Reason]int{}
	for _, r := range before.Reasons {
		counts[r.Reason] = r.Count
	}
	for _, r := range after.Reasons {
		if counts[r.Reason] != r.Count {
			where := ""
			if r.Server != "" {
				where = " at " + Clean(r.Server)
			}
			if !r.Until.IsZero() {
				where += " until " + r.Until.Format(time.RFC3339)
			}
			say("open: %d %s%s: %s", r.Count, r.Reason, where, adviceFor(r.Reason).Title)
		}
		delete(counts, r.Reason)
	}
	for _, r := range before.Reasons {
		if _, gone := counts[r.Reason]; gone {
			say("open no longer: %s", r.Reason)
		}
	}
	for _, w := range after.Warnings[min(len(before.Warnings), len(after.Warnings)):] {
		say("warning: %s: %s", w.Code, Clean(w.Detail))
	}
	for _, l := range after.LeftOut[min(len(before.LeftOut), len(after.LeftOut)):] {
		say("left out: %s, by %s: %s", Clean(l.Place()), Clean(l.Actor), Clean(l.Reason))
	}
	return out
}
