package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"rollcall/internal/notify/settings"
	"rollcall/internal/wholefile"
)

// mostHanded notices wait at a time; what comes then is counted, and told with
// the next one that has room.
const mostHanded = 500

// handed is the name of what waits: whichever campaign's it is, who opens the
// folder next tells it.
const handed = "evidence"

// Hand tells what is handed to it, and no ledger: findings of logs that are
// followed. It is a Notifier beside, with the same promises: what it was handed
// is kept before it is sent, and told at least once, under one id.
type Hand struct {
	campaign, device string
	w                *watcher
	n                *Notifier
	serving          sync.WaitGroup
	cancel           context.CancelFunc
	dropped          int
}

// Open begins to tell from a folder of its own, which is no ledger's: first
// what is left there. told is whom, as a campaign file says it; reloads are
// none of its business.
func Open(dir, campaign, device string, told json.RawMessage, secrets Secrets, log *slog.Logger) (*Hand, error) {
	box := &outbox{Campaign: handed}
	if err := json.Unmarshal(told, &box.Told); err != nil {
		return nil, err
	}
	box.Told.UsedBy, box.Never = nil, box.Told.Never
	lock := hold(dir, handed)
	if lock == nil {
		return nil, fmt.Errorf("another process tells what is in %s, or nothing can be kept there", dir)
	}
	wholefile.Forget(boxFile(dir, handed))
	before, err := load(dir, handed)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	if before != nil {
		box.Queue = before.Queue
		box.keepFor(box.Told.Notify.Targets)
	}
	n := &Notifier{Dir: dir, Secrets: secrets, Log: log, First: first, Now: time.Now}
	h := &Hand{campaign: campaign, device: device, n: n, w: newWatcher(n, box, lock)}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	for _, t := range box.Told.All() {
		h.serving.Go(func() { h.w.serve(ctx, n.post(box, t)) })
	}
	return h, nil
}

// keepFor forgets targets that the campaign file has no more.
func (b *outbox) keepFor(targets []settings.Target) {
	for i, q := range b.Queue {
		b.Queue[i].To = slices.DeleteFunc(q.To, func(name string) bool {
			return !slices.ContainsFunc(targets, func(t settings.Target) bool { return t.Name == name })
		})
	}
	b.Queue = slices.DeleteFunc(b.Queue, func(q queued) bool { return len(q.To) == 0 })
}

// Evidence makes one notice of findings of logs, and of what keeps them from
// being seen. key is the same whenever it is told again.
func (h *Hand) Evidence(key string, at time.Time, found []Found, more int) {
	n := Notice{ID: h.campaign + "/evidence/" + key, Event: settings.Finding, At: at, Device: h.device, Campaign: h.campaign, Findings: found, More: more}
	n.Text = fmt.Sprintf("%s: logs show: %s", h.device, found[0].What)
	if len(found)+more > 1 {
		n.Text += fmt.Sprintf("; and %d more", len(found)+more-1)
	}
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	for _, q := range h.w.box.Queue {
		if q.Notice.ID == n.ID {
			return // it waits already
		}
	}
	if len(h.w.box.Queue) >= mostHanded {
		h.dropped += len(found) + more
		if h.dropped == len(found)+more {
			h.n.Log.Warn("receivers were not told for so long that notices are dropped; the findings are shown all the same", "waiting", mostHanded)
		}
		return
	}
	n.More, h.dropped = n.More+h.dropped, 0
	h.w.box.add(n)
	h.w.changed()
}

// Stop tries once more what is left, for as long as ctx lasts, and returns how
// many notices are not told: who opens the folder next tells them.
func (h *Hand) Stop(ctx context.Context) (untold int, err error) {
	h.w.hurryUp()
	close(h.w.drawn)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.serving.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	h.cancel()
	h.serving.Wait()
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	untold = len(h.w.box.Queue)
	if untold == 0 {
		err = os.Remove(boxFile(h.n.Dir, handed))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	return untold, errors.Join(err, h.w.lock.Close())
}
