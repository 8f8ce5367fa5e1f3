package activities

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/notify/settings"
	"rollcall/internal/wire"
)

// tellEvery is how long what is activated may wait until the workflow is told:
// each time costs the engine, and the ledger a checkpoint.
const tellEvery = time.Second

// tellWithin is how long an engine that is away is waited for each time.
const tellWithin = 10 * time.Second

// activations are credentials of a batch whose consumers are to read a new
// value. The workflow is told while the batch is still worked on, and has the
// ledger say so, which the hooks follow: this process writes no ledger. What it
// dies with is told by the next one, which finds it activated.
type activations struct {
	rotation *Rotation
	batch    wire.Batch
	at       map[string]int // index on the page, of those whom somebody reloads

	mu    sync.Mutex
	fresh []wire.ActivatedItem
	woken chan struct{}
	send  func(context.Context, wire.ActivatedInput) error
}

// activated is one attempt of a credential that the workflow was told of.
type activatedOnce struct {
	campaign, id string
	attempt      int
}

// activations of a batch; nil where nobody reloads what it has.
func (r *Rotation) activations(spec *config.Campaign, b wire.Batch, page []credential.Credential, items []wire.ApplyItem) *activations {
	a := &activations{rotation: r, batch: b, at: map[string]int{}, woken: make(chan struct{}, 1), send: toWorkflow}
	for _, it := range items {
		if c := page[it.Index]; reloaded(spec.UsedBy, c) {
			a.at[c.ID] = it.Index
		}
	}
	if len(a.at) == 0 {
		return nil
	}
	return a
}

// reloaded reports whether a hook has somebody read a path of c anew.
func reloaded(by []settings.UsedBy, c credential.Credential) bool {
	return slices.ContainsFunc(by, func(u settings.UsedBy) bool {
		return u.Reload != nil && slices.ContainsFunc(c.Paths, func(p credential.Path) bool {
			ok, _ := config.Matches(u.Path, p.Mount+"/"+p.Path)
			return ok
		})
	})
}

// add notes what is activated, once for each attempt.
func (a *activations) add(c credential.Credential, at wire.Applied) {
	index, reads := a.at[c.ID]
	if _, told := a.rotation.told.Load(activatedOnce{a.batch.Campaign, c.ID, at.Attempt}); told || !reads {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.ContainsFunc(a.fresh, func(it wire.ActivatedItem) bool { return it.Index == index }) {
		return
	}
	a.fresh = append(a.fresh, wire.ActivatedItem{Index: index, Attempt: at.Attempt, To: slices.Clone(at.To)})
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// follow tells the workflow until the returned function is called, which tells
// the rest.
func (a *activations) follow(ctx context.Context) (stop func()) {
	if a == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-a.woken:
			case <-done:
				return
			}
			a.tell(ctx)
			pause := time.NewTimer(tellEvery)
			select {
			case <-pause.C:
			case <-done:
				pause.Stop()
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		a.tell(ctx)
	}
}

// tell says what is new. What the engine does not take waits for the next time,
// and in the end for the results of the batch.
func (a *activations) tell(ctx context.Context) {
	a.mu.Lock()
	fresh := a.fresh
	a.fresh = nil
	a.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
	defer cancel()
	if err := a.send(steady, wire.ActivatedInput{Batch: a.batch, Items: fresh}); err != nil {
		activity.GetLogger(ctx).Warn("the workflow could not be told what is activated; hooks run later", "error", err)
		a.mu.Lock()
		a.fresh = append(fresh, a.fresh...)
		a.mu.Unlock()
		select {
		case a.woken <- struct{}{}:
		default:
		}
		return
	}
	for id, index := range a.at {
		if i := slices.IndexFunc(fresh, func(it wire.ActivatedItem) bool { return it.Index == index }); i >= 0 {
			a.rotation.told.Store(activatedOnce{a.batch.Campaign, id, fresh[i].Attempt}, struct{}{})
		}
	}
}

func toWorkflow(ctx context.Context, in wire.ActivatedInput) error {
	of := activity.GetInfo(ctx).WorkflowExecution
	return activity.GetClient(ctx).SignalWorkflow(ctx, of.ID, of.RunID, wire.SignalActivated, in)
}
