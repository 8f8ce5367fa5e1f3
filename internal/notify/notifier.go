package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"rollcall/internal/notify/settings"
)

// Times of a Notifier that nobody sets.
const (
	look    = 2 * time.Second // at a ledger that nobody said has grown
	first   = time.Second     // before a receiver that failed is tried again; each wait is twice the last
	longest = 5 * time.Minute
	keep    = 24 * time.Hour // then a notice that nobody took is given up
	adopt   = time.Minute    // looks for what another process left

	abandoned = 30 * 24 * time.Hour // a ledger that does not grow for so long is not followed any more
)

// tellAfter is how often a receiver fails before it is said.
const tellAfter = 3

// Notifier tells what the ledgers of a folder say. It is part of their one
// writer.
type Notifier struct {
	Dir     string // of the ledgers
	Secrets Secrets
	Log     *slog.Logger

	// Failed is told once of each receiver of a campaign that fails again and
	// again, for the record.
	Failed func(ctx context.Context, campaign, target, said string)
	// Count counts what was told, and what failed; nil: nobody counts.
	Count func(event string, ok bool)

	First time.Duration // 0 is one second
	Now   func() time.Time

	mu       sync.Mutex
	watchers map[string]*watcher
	ctx      context.Context
	cancel   context.CancelFunc
	stopping bool
	running  sync.WaitGroup
	watching sync.WaitGroup
}

// Start takes up what was left to be told in the folder, and goes on until
// Stop.
func (n *Notifier) Start() {
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.watchers = map[string]*watcher{}
	if n.Now == nil {
		n.Now = time.Now
	}
	if n.First == 0 {
		n.First = first
	}
	n.adopt()
	n.running.Go(func() {
		tick := time.NewTicker(adopt)
		defer tick.Stop()
		for {
			select {
			case <-n.ctx.Done():
				return
			case <-tick.C:
				n.adopt()
			}
		}
	})
}

// adopt takes up what no other process tells.
func (n *Notifier) adopt() {
	for _, campaign := range left(n.Dir) {
		n.watch(campaign, nil)
	}
}

// Begin says that a campaign has begun, before its ledger does: told is from
// its roll, and device are names and addresses to which nothing is sent. Said
// again it does nothing. What goes wrong is no reason to stop: it is logged,
// and what can be told is.
func (n *Notifier) Begin(campaign string, told json.RawMessage, device []string) {
	if n == nil || len(told) == 0 {
		return
	}
	box := &outbox{Campaign: campaign, Never: device, Began: n.Now()}
	if err := json.Unmarshal(told, &box.Told); err != nil {
		n.Log.Warn("whom the campaign tells cannot be read; nobody is told", "campaign", campaign, "error", err)
		return
	}
	box.Never = append(box.Never, box.Told.Never...)
	n.watch(campaign, box)
}

// Grew says that the ledger of a campaign has new entries, or could not be
// written, and why.
func (n *Notifier) Grew(campaign string, err error) {
	if n == nil {
		return
	}
	n.mu.Lock()
	w := n.watchers[campaign]
	n.mu.Unlock()
	if w != nil {
		w.grewNow(err)
	}
}

// watch begins to tell a campaign, from where its outbox stands, or from fresh
// where it has none. Nil: then there is nothing to be told.
func (n *Notifier) watch(campaign string, fresh *outbox) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping || n.watchers[campaign] != nil {
		return
	}
	lock := hold(n.Dir, campaign)
	if lock == nil {
		return // another process tells it
	}
	box, err := load(n.Dir, campaign)
	if err != nil {
		n.Log.Warn("what is still to be told cannot be read", "error", err)
	}
	if box == nil {
		if box = fresh; box == nil {
			_ = lock.Close()
			return
		}
		if err := box.save(n.Dir); err != nil {
			n.Log.Warn("what is to be told cannot be kept; after a crash it would be forgotten", "campaign", campaign, "error", err)
		}
	}
	w := newWatcher(n, box, lock)
	n.watchers[campaign] = w
	n.watching.Go(func() {
		w.run(n.ctx)
		n.mu.Lock()
		delete(n.watchers, campaign)
		n.mu.Unlock()
	})
}

// Stop reads what the ledgers have by now and tries once more to tell it, for
// as long as ctx lasts. It returns how many notices are left: who opens the
// folder next tells them.
func (n *Notifier) Stop(ctx context.Context) (untold int) {
	n.mu.Lock()
	n.stopping = true
	for _, w := range n.watchers {
		w.hurryUp()
	}
	n.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.watching.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	n.cancel()
	n.watching.Wait()
	n.running.Wait()
	for _, campaign := range left(n.Dir) {
		if box, err := load(n.Dir, campaign); err == nil && box != nil {
			untold += len(box.Queue)
		}
	}
	return untold
}

// post is one target of a campaign.
func (n *Notifier) post(box *outbox, t settings.Target) post {
	return post{Target: t, secrets: n.Secrets, never: box.Never, now: n.Now}
}
