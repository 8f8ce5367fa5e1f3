package activities

import (
	"context"
	"fmt"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/fairqueue"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

func (r *Rotation) open(ctx context.Context, b wire.Batch) (rot *rotation.Rotator, page []credential.Credential, width int, err error) {
	if page, err = r.page(ctx, b); err != nil {
		return nil, nil, 0, err
	}
	rot, width, err = r.rotator(ctx, b)
	return rot, page, width, err
}

func (r *Rotation) page(ctx context.Context, b wire.Batch) ([]credential.Credential, error) {
	return pageOf(ctx, r.Store, b)
}

func (l *Ledger) page(ctx context.Context, b wire.Batch) ([]credential.Credential, error) {
	return pageOf(ctx, l.Store, b)
}

// pageOf is the page of the roll that a batch is on.
func pageOf(ctx context.Context, store *ownmount.Store, b wire.Batch) ([]credential.Credential, error) {
	page, err := store.ReadPage(ctx, b.Campaign, b.Snapshot, b.Span.Page)
	if err == nil && b.Span.To > len(page) {
		err = &ownmount.NotOnRoll{Campaign: b.Campaign, Page: b.Span.Page, What: fmt.Sprintf("%s, not %d", plural.Count(len(page), "credential", "credentials"), b.Span.To)}
	}
	return page, classify(errVault, err)
}

// rotator also gives how many credentials of the batch may be worked on at
// once.
func (r *Rotation) rotator(ctx context.Context, b wire.Batch) (*rotation.Rotator, int, error) {
	spec, err := r.listedSpec(ctx, b.Campaign)
	if err != nil {
		return nil, 0, err
	}
	authority, err := r.Kinds.Authority(spec, b.Authority, b.Kind)
	if err != nil {
		return nil, 0, classify(errSpec, err)
	}
	rot := &rotation.Rotator{Store: r.Store, Authority: authority, Campaign: b.Campaign, LeftOut: b.LeftOut, DoorsLeftOut: b.DoorsLeftOut, Now: time.Now, Cache: r.prepared, Gate: r.gate, Doubts: r.doubts}
	brake, _ := r.brakes.LoadOrStore([3]string{b.Campaign, b.Authority, string(b.Kind)}, gate.NewBrake())
	rot.Brake = brake.(*gate.Brake)
	rot.CannotCarry = cannotCarry(spec, b.DoorsLeftOut)
	rot.Unlisted = r.unlisted(b.Campaign, spec.Device)
	rot.Hindering = r.uses.Hindering(spec, b.Campaign, b.Authority)
	if rot.Device, err = r.deviceHosts(ctx, b.Campaign); err != nil {
		return nil, 0, err
	}
	// Without it, as where Vault does not answer, what leads somewhere waits
	// for the next pass, and nothing is held up.
	if key, err := r.Store.LeadsKey(ctx, false); err == nil {
		rot.LeadsKey = key
	}
	if at, err := r.Store.PageWritten(ctx, b.Campaign, b.Snapshot, b.Span.Page); err == nil {
		rot.Listed = at
	}
	return rot, width(spec, b), nil
}

// cannotCarry holds values against the doors of a campaign, but for those that
// a person has left out.
func cannotCarry(spec *config.Campaign, leftOut []string) func(credential.Credential, credential.Secret) (name, why string) {
	return func(c credential.Credential, value credential.Secret) (name, why string) {
		c, _ = c.WithoutDoors(leftOut)
		return spec.CannotCarry(c.Doors, value)
	}
}

// queueOf bounds how many credentials of an authority are between Set and the
// proof, in all batches together and whatever their kind: with more than it has
// connections each only waits longer for its turns, and its consumers with it.
// width of a batch, which knows the rate limit, holds for all parallel ones
// too. At Vault a batch has a queue of its own.
func (r *Rotation) queueOf(spec *config.Campaign, name string, width int) *fairqueue.Queue {
	a := spec.Authority(name)
	if a == nil {
		return fairqueue.New(width)
	}
	system, err := r.Kinds.System(spec, name)
	if err != nil {
		return fairqueue.New(width)
	}
	shared, _ := r.queues.LoadOrStore(system, fairqueue.New(min(a.Limits().Connections, width*max(1, spec.Limits.Parallel))))
	return shared.(*fairqueue.Queue)
}

// width keeps a rate limit from starving what is in hand: more credentials at
// once than the rate can serve would wait for their turns between Set and
// Activate until their time is up.
func width(spec *config.Campaign, b wire.Batch) int {
	a := spec.Authority(b.Authority)
	if a == nil || a.Limits().RatePerSecond <= 0 {
		return b.Concurrency
	}
	operations := float64(8 + 6*len(a.ServerNames())) // of one credential at the authority
	each := a.Limits().RatePerSecond * (stopGrace / 3).Seconds() / operations / float64(max(1, spec.Limits.Parallel))
	return max(1, min(b.Concurrency, int(each)))
}

// rotatable are the credentials of a page that can be rotated, of those asked
// for.
func rotatable(page []credential.Credential, items []int) []credential.Credential {
	var out []credential.Credential
	for _, i := range items {
		if rotation.ProblemStop(page[i]) == nil {
			out = append(out, page[i])
		}
	}
	return out
}

// hopeless answers a batch in which nothing can be rotated as it is listed.
// Such credentials may name an authority that does not exist.
func hopeless(page []credential.Credential, items []int, out []wire.PreparedItem) bool {
	for i, index := range items {
		stop := rotation.ProblemStop(page[index])
		if stop == nil {
			return false
		}
		out[i] = wire.PreparedItem{Index: index, Prepared: wire.Prepared{Step: protocol.Precheck, Stop: stop}}
	}
	return true
}
