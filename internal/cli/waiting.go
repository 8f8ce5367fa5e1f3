package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"rollcall/internal/wire"
)

// polled is how lately a worker that lives has asked for work: it asks again
// at least once a minute.
const polled = 80 * time.Second

// missingWorkers names the commands that nobody runs on this Temporal. A
// worker that was killed a moment ago still counts as there.
func (s *session) missingWorkers(ctx context.Context) (commands []string, err error) {
	seen, err := s.workersSeen(ctx)
	for _, w := range seen {
		if time.Since(w.asked) >= polled {
			commands = append(commands, w.command)
		}
	}
	return commands, err
}

// workerSeen is a sort of worker, and when one of it last asked for work; zero
// where nobody did.
type workerSeen struct {
	command string
	asked   time.Time
}

func (s *session) workersSeen(ctx context.Context) (out []workerSeen, err error) {
	for _, q := range []struct{ queue, command string }{
		{wire.RotationQueue, "rollcall worker"},
		{wire.LedgerQueue, "rollcall worker --role ledger"},
	} {
		d, err := s.engine.DescribeTaskQueue(ctx, q.queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		if err != nil {
			return nil, err
		}
		w := workerSeen{command: q.command}
		for _, p := range d.Pollers {
			if at := p.GetLastAccessTime().AsTime(); at.After(w.asked) {
				w.asked = at
			}
		}
		out = append(out, w)
	}
	return out, nil
}

// sayIfUnserved tells whoever waits what the wait is for, and returns whether
// it said anything.
func (s *session) sayIfUnserved(ctx context.Context) bool {
	text := s.unservedNote(ctx)
	if text != "" {
		s.say("%s", text)
	}
	return text != ""
}

// unservedNote is that nobody serves the campaign; empty if somebody does. An
// error is no news: the call that is waited for meets it too.
func (s *session) unservedNote(ctx context.Context) string {
	missing, err := s.missingWorkers(ctx)
	if err != nil || len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("note: nobody serves the campaign at %s: start %s", s.engine.Address, quoted(missing))
}

func quoted(commands []string) string { return "`" + strings.Join(commands, "` and `") + "`" }
