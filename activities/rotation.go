package activities

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door/opened"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/listing"
	"rollcall/internal/metrics"
	"rollcall/internal/protocol"
	"rollcall/internal/reach"
	"rollcall/internal/rotation"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/rotation/steady"
	"rollcall/internal/tasks"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/wire"
)

// Rotation serves the rotation queue: listing and the steps that touch
// authorities and Vault. It cannot write the ledger.
type Rotation struct {
	Store *ownmount.Store
	Kinds *registry.Registry

	prepared *rotation.PreparedCache
	gate     *gate.Gate
	doubts   *steady.Doubts
	doors    opened.Doors
	refusals rotation.Refusals // new values that doors refused
	behind   rotation.Behind   // servers that do not follow

	earlier  sync.Map // campaign -> the campaigns before it, by credential: see nameEarlier
	specs    sync.Map // campaign -> specOf, with every server
	queues   sync.Map // authority.System -> *fairqueue.Queue: see queueOf
	opened   sync.Map // campaign -> time.Time at which it was opened
	goOn     sync.Map // campaign -> time.Time at which it was seen to be open
	brakes   sync.Map // campaign, directory and kind -> *gate.Brake
	logins   *reach.Logins
	cameBack sync.Map // campaigns whose device was noted to have answered
	hosts    sync.Map // campaign -> names and addresses of its device, []string
	told     sync.Map // activatedOnce: the workflow has heard of it
	watches  sync.Map // campaign -> *device.Watch, nil where its device is not asked
	uses     *listing.Uses
	offered  listing.Offered

	Metrics *metrics.Metrics // nil: nobody listens
	Kept    *inventory.Kept  // what was read ahead of a listing; nil: nothing
	Log     *slog.Logger     // says what became of batches, by counts and no name; nil: nothing does
}

// NewRotation gives the activities of one worker process, which carries what
// Prepare saw to Apply.
func NewRotation(store *ownmount.Store, kinds *registry.Registry) *Rotation {
	return &Rotation{Store: store, Kinds: kinds, prepared: rotation.NewPreparedCache(), gate: gate.NewGate(store), doubts: steady.NewDoubts(), logins: reach.New(store, kinds), uses: listing.NewUses(store, kinds),
		doors: opened.Doors{Read: opened.Reading(store.ReadLive)}, refusals: rotation.Refusals{Notes: store}}
}

// List makes the roll of a campaign and stores it in Vault, or returns the one
// that is stored: a campaign has one roll, whatever is retried.
func (r *Rotation) List(ctx context.Context, in wire.ListInput) (wire.Roll, error) {
	ctx, still := beat(ctx)
	defer still()
	spec, named, err := r.namedSpec(ctx, in.Campaign)
	if err != nil {
		return wire.Roll{}, err
	}
	if err := r.Store.MayBegin(ctx, in.Campaign); err != nil {
		return wire.Roll{}, classify(errVault, err)
	}
	if _, err := r.Store.SignOfLife(ctx, in.Campaign); err != nil {
		return wire.Roll{}, classify(errVault, err)
	}
	index, err := r.Store.ReadIndex(ctx, in.Campaign)
	if err != nil && !vault.IsNotFound(err) {
		return wire.Roll{}, classify(errVault, err)
	}
	if err != nil {
		began := r.Kept.Since(time.Now())
		defer r.forgetListedLater()
		roll, err := listing.ForRun(ctx, r.Store, r.Kinds, spec, in.Campaign, listing.Beside{Kept: r.Kept, Saw: r.sawPath(in.Campaign), Offered: &r.offered, Doors: &r.doors})
		if err != nil {
			return wire.Roll{}, classifyListing(err)
		}
		if err := r.mayRun(ctx, spec, roll); err != nil {
			return wire.Roll{}, err
		}
		found := listing.Servers{Servers: roll.Servers, Addresses: roll.Addresses}.Of(spec)
		if err := listing.KeepShown(ctx, r.Store, r.Kinds, found, in.Campaign); err != nil {
			return wire.Roll{}, classifyListing(err)
		}
		if err := listing.KeepNames(ctx, r.Store, listing.Reached(listing.Shut(listing.AtAddresses(found, roll.Doors), roll.Unfit), roll.Containment.Hosts()), in.Campaign); err != nil {
			return wire.Roll{}, classifyListing(err)
		}
		if err := tasks.KeepStolen(ctx, r.Store, roll.Credentials); err != nil {
			return wire.Roll{}, classify(errVault, err)
		}
		if index, err = r.Store.WriteRoll(ctx, roll); err != nil {
			return wire.Roll{}, classify(errVault, err)
		}
		r.uses.Listed(spec, in.Campaign, began)
		// What has grown too long there holds up nothing.
		if err := r.Store.CompactPlaces(ctx); err != nil {
			activity.GetLogger(ctx).Warn("the notes on where values were activated were not made shorter", "error", err)
		}
	}
	return wire.Roll{
		Campaign: in.Campaign, Snapshot: index.Snapshot, Device: spec.Device, Pages: index.Pages,
		Listed: index.Listed, Excluded: index.Excluded, Incomplete: index.Incomplete, Waves: index.Waves, Exposure: spec.Exposed(), Spec: named,
		Logins: index.Logins, Readers: index.Readers, Servers: index.Servers, Addresses: index.Addresses, Watched: index.Containment.Watched(), Tokens: index.NewestToken > 0,
		Doors: doorPlaces(listing.AtAddresses(spec, index.Doors)),
	}, nil
}

// mayRun refuses a roll with which no campaign may go on: as long as nothing of
// it was set, it shows.
func (r *Rotation) mayRun(ctx context.Context, spec *config.Campaign, roll *credential.Roll) error {
	found := listing.Servers{Servers: roll.Servers, Addresses: roll.Addresses}.Of(spec)
	for _, check := range []func() error{
		func() error { return listing.RequireContained(spec, roll.Containment) },
		func() error { return listing.RequireDoors(spec, roll) },
		func() error { return listing.RequireAnswers(spec, roll) },
		func() error { return listing.Fit(ctx, r.Kinds, found) },
		// A right that is missing must show before anything is set: found
		// midway, it would leave consumers with a value that no longer works.
		func() error { return setup.RequireRights(ctx, r.Store, vault.WorkerPolicy, spec, roll.Credentials) },
		func() error { return setup.RequireAudit(ctx, r.Store, spec, roll.Credentials) },
		func() error { return setup.RequirePasswordPolicies(ctx, r.Store, spec) },
	} {
		if err := check(); err != nil {
			return classifyListing(err)
		}
	}
	return nil
}

// Prepare checks and stages the credentials of a batch.
func (r *Rotation) Prepare(ctx context.Context, in wire.PrepareInput) ([]wire.PreparedItem, error) {
	page, err := r.page(ctx, in.Batch)
	if err != nil {
		return nil, err
	}
	out := make([]wire.PreparedItem, len(in.Items))
	if hopeless(page, in.Items, out) {
		return out, nil
	}
	rot, width, err := r.rotator(ctx, in.Batch)
	if err != nil {
		return nil, err
	}
	spec, err := r.listedSpec(ctx, in.Batch.Campaign)
	if err != nil {
		return nil, err
	}
	rot.Pass = in.Pass
	ctx, still := beat(ctx)
	rot.LookUp(ctx, rotatable(page, in.Items))
	within, err := r.reachOf(ctx, in.Batch, rotatable(page, in.Items), false)
	own, failed := r.forGoingOn(ctx, in, page)
	err = cmp.Or(err, failed)
	readers := r.logins.Living(ctx, in.Batch.Campaign, rotatable(page, in.Items))
	r.lookOnce(ctx, in.Batch.Campaign)
	since, notAsked := r.logins.MadeSince(ctx, spec, in.Batch.Campaign, in.Batch.Authority, in.Batch.Logins, rotatable(page, in.Items))
	still()
	if err != nil {
		return nil, err
	}
	elsewhere := make([][]ownmount.Placed, len(in.Items))
	each(ctx, len(in.Items), width, func(ctx context.Context, i int) *protocol.Stop {
		out[i] = wire.PreparedItem{Index: in.Items[i], Prepared: wire.Prepared{Step: protocol.Precheck, Stop: r.superseded(ctx, in.Batch.Campaign)}}
		if out[i].Stop == nil && !slices.Contains(in.Sent, in.Items[i]) {
			out[i].Stop = r.deviceAnswers(ctx, in.Batch.Campaign)
		}
		if out[i].Stop == nil {
			out[i].Stop = reach.ReadByToken(page[in.Items[i]], readers)
		}
		if c := page[in.Items[i]]; out[i].Stop == nil && !c.Kind.OnlyEnds() && !slices.Contains(in.Sent, in.Items[i]) {
			if out[i].Stop = notAsked; since[c.ID] {
				out[i].Stop = reach.ReadSince()
			}
		}
		if out[i].Stop == nil && !slices.Contains(in.Sent, in.Items[i]) {
			out[i].Stop = r.logins.Unknown(ctx, in.Batch.Campaign, in.Batch.Found)
		}
		c, asked, stands := page[in.Items[i]], within, false
		if goesOn(in, in.Items[i], c) {
			asked = own
		}
		if out[i].Stop == nil && asked != nil {
			out[i].Stop, stands = beforeStaging(ctx, rot, asked, c)
		}
		if out[i].Stop == nil {
			prepared := rot.Prepare(ctx, page[in.Items[i]])
			out[i].Prepared, elsewhere[i] = prepared.Prepared, prepared.Elsewhere
		}
		if out[i].Stop != nil && c.ReachesVault() && !stands {
			r.logins.Aside(ctx, in.Batch.Campaign, c.ID)
		}
		return out[i].Stop
	}, func(i int, why *protocol.Stop) {
		out[i] = wire.PreparedItem{Index: in.Items[i], Prepared: wire.Prepared{Step: protocol.Precheck, Stop: why}}
		r.notLookedAt(ctx, in.Batch.Campaign, page[in.Items[i]])
	})
	ctx, beating := beat(ctx)
	defer beating()
	if err := r.noteElsewhere(ctx, page, out, elsewhere); err != nil {
		return nil, err
	}
	r.stopElsewhere(ctx, in.Batch.Campaign, page, out)
	for _, p := range out {
		r.count(in.Batch.Kind, p.Step, p.Stop, nil)
	}
	return out, nil
}

// Apply carries staged credentials of a batch to the proof that the old values
// are dead. Only the first attempt may believe that a staged value is fresh.
func (r *Rotation) Apply(ctx context.Context, in wire.ApplyInput) ([]wire.AppliedItem, error) {
	rot, page, width, err := r.open(ctx, in.Batch)
	if err != nil {
		return nil, err
	}
	spec, err := r.spec(ctx, in.Batch.Campaign)
	if err != nil {
		return nil, err
	}
	for _, it := range in.Items {
		r.doubts.Recall(in.Batch.Campaign, it.Against)
	}
	if logins := applicable(page, in.Items); len(in.Batch.Logins) > 0 && slices.ContainsFunc(logins, credential.Credential.ReachesVault) {
		ctx, still := beat(ctx)
		within, err := r.reachOf(ctx, in.Batch, logins, true)
		still()
		if err != nil {
			return nil, err
		}
		if within != nil {
			rot.Reach = within
		}
	}
	first, unheard := firstAttempt(ctx), map[string]bool{}
	rot.Retried, rot.Unheard = !first, unheard
	if rot.BeforeSet, err = r.beforeSet(ctx, in, page); err != nil {
		return nil, err
	}
	cs, done := make([]credential.Credential, len(in.Items)), make([]rotation.Applied, len(in.Items))
	for i, it := range in.Items {
		cs[i] = page[it.Index]
		if it.Unheard {
			unheard[cs[i].ID] = true
		}
	}
	keptOpen := func(step protocol.Step, stop *protocol.Stop) rotation.Applied {
		return rotation.Applied{Applied: wire.Applied{Step: step, Stop: stop}}
	}
	// Not begun in this attempt, but perhaps in an earlier one or by an earlier
	// look, as of what comes back for its doors: Set says so to an abort.
	notBegun := func(it wire.ApplyItem) protocol.Step {
		if first && !it.Sent {
			return protocol.Intent
		}
		return protocol.Set
	}
	news := r.activations(spec, in.Batch, page, in.Items)
	if news != nil {
		rot.Activated = news.add
	}
	toldAll := news.follow(ctx)
	queue := r.queueOf(spec, in.Batch.Authority, width)
	rot.Slots = queue.Slots()
	rot.Behind = &r.behind
	place := queue.Join(in.Batch.Campaign)
	eachAt(ctx, len(in.Items), width, queue, place, func(ctx context.Context, i int) *protocol.Stop {
		it := in.Items[i]
		done[i] = keptOpen(notBegun(it), r.superseded(ctx, in.Batch.Campaign))
		if done[i].Stop == nil && first && !it.Sent {
			done[i].Stop = r.deviceAnswers(ctx, in.Batch.Campaign)
		}
		if done[i].Stop == nil {
			done[i] = rot.Apply(ctx, cs[i], it.Attempt, it.Fresh && first)
		}
		if done[i].Step == protocol.Prove {
			// Its write server answered. A replica that does not must not keep
			// the rest of the batch from getting new values.
			return nil
		}
		return done[i].Stop
	}, func(i int, why *protocol.Stop) {
		step := notBegun(in.Items[i])
		if why.Reason == protocol.ReasonInternal {
			step = protocol.Set // it was begun, and how far it came is not known
		}
		done[i] = keptOpen(step, why)
		r.notLookedAt(ctx, in.Batch.Campaign, cs[i])
	})
	for some := range inCircles(cs, done) {
		eachAt(ctx, len(some), width, queue, place, func(ctx context.Context, k int) *protocol.Stop {
			i := some[k]
			if r.superseded(ctx, in.Batch.Campaign) == nil {
				before := done[i]
				done[i] = rot.Apply(ctx, cs[i], in.Items[i].Attempt, false)
				done[i].Remember(before.Applied)
				done[i].Late = done[i].Late || before.Late
			}
			return nil // as in the look before
		}, func(k int, why *protocol.Stop) {
			if why.Reason == protocol.ReasonInternal {
				done[some[k]] = keptOpen(protocol.Set, why)
			}
		})
	}
	follow(ctx, rot, cs, done, func(ctx context.Context, some []int) {
		eachAt(ctx, len(some), width, queue, place, func(ctx context.Context, k int) *protocol.Stop {
			// It may set once more, and was asked for long ago perhaps.
			if r.superseded(ctx, in.Batch.Campaign) == nil {
				done[some[k]] = rot.GoOn(ctx, done[some[k]])
			}
			return nil // its write server answered
		}, func(k int, why *protocol.Stop) {
			if why.Reason == protocol.ReasonInternal {
				done[some[k]] = keptOpen(protocol.Set, why)
			}
		})
	})
	toldAll()
	if err := r.askDoors(ctx, in, rot, cs, done); err != nil {
		return nil, err
	}
	confirm(ctx, rot, cs, done)
	r.steady(ctx, rot, cs, done)
	return r.tellFlushes(ctx, in, rot, cs, r.applied(ctx, in, page, done)), nil
}

// follow waits for the replicas that are behind, and has goOn take what was
// left for their sake to its proof. What that does not begin any more stays as
// it is.
func follow(ctx context.Context, rot *rotation.Rotator, cs []credential.Credential, done []rotation.Applied, goOn func(ctx context.Context, some []int)) {
	ctx, still := beat(ctx)
	defer still()
	f := rot.Following(cs, done)
	for {
		some := f.Next(ctx, activity.GetWorkerStopChannel(ctx))
		if len(some) == 0 {
			return
		}
		goOn(ctx, some)
	}
}

// applied notes in this process, in Vault and for the metrics what became of a
// batch, and gives it as it travels.
func (r *Rotation) applied(ctx context.Context, in wire.ApplyInput, page []credential.Credential, done []rotation.Applied) []wire.AppliedItem {
	out, late := make([]wire.AppliedItem, len(in.Items)), map[int]bool{}
	for i, it := range in.Items {
		out[i] = wire.AppliedItem{Index: it.Index, Applied: done[i].Applied}
		late[it.Index] = done[i].Late
	}
	r.noteActivated(ctx, page, out)
	now := time.Now()
	for _, a := range out {
		if a.Dead() && !late[a.Index] {
			r.prepared.Proved(in.Batch.Campaign, page[a.Index].ID, a.Attempt, now)
		}
	}
	r.nameEarlier(ctx, in.Batch.Campaign, page, out)
	dead, open := 0, map[protocol.Reason]int{}
	for _, a := range out {
		r.count(in.Batch.Kind, a.Step, a.Stop, a.Findings)
		if a.Dead() {
			r.Metrics.Dead(in.Batch.Kind)
			dead++
		} else if a.Stop != nil {
			open[a.Stop.Reason]++
		}
	}
	if r.Log != nil {
		r.Log.Info("batch applied", "campaign", in.Batch.Campaign, "authority", in.Batch.Authority, "kind", in.Batch.Kind, "page", in.Batch.Span.Page, "dead", dead, "open", open)
	}
	return out
}

// count tells a metrics server what became of one credential in a pass.
func (r *Rotation) count(k credential.Kind, step protocol.Step, why *protocol.Stop, found []credential.Finding) {
	r.Metrics.Found(found)
	if why != nil {
		r.Metrics.Open(k, step, why.Reason)
	}
}

// confirm looks at the batch once more, whether or not it was told to stop: its
// proofs are worth nothing without.
func confirm(ctx context.Context, rot *rotation.Rotator, cs []credential.Credential, done []rotation.Applied) {
	ctx, still := beat(ctx)
	defer still()
	steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	verdicts := make([]rotation.Verdict, 0, len(done))
	for i := range done {
		verdicts = append(verdicts, rotation.Verdict{Credential: cs[i], Applied: &done[i]})
	}
	rot.Confirm(steady, verdicts)
}

// Clean destroys the old versions of dead credentials and frees them. It gives
// those of which consumers do not get the new value any more, which are open
// again.
func (r *Rotation) Clean(ctx context.Context, in wire.CleanInput) (wire.Cleaned, error) {
	var out wire.Cleaned
	rot, page, width, err := r.open(ctx, in.Batch)
	if err != nil {
		return out, err
	}
	rot.Again = in.Again || !firstAttempt(ctx)
	rot.StillOpen = func(ctx context.Context) bool { return r.superseded(ctx, in.Batch.Campaign) == nil }
	errs, lost := make([]error, len(in.Items)), make([]*protocol.Stop, len(in.Items))
	each(ctx, len(in.Items), width, func(ctx context.Context, i int) *protocol.Stop {
		lost[i], errs[i] = rot.Clean(ctx, page[in.Items[i].Index], in.Items[i].Dead)
		return nil
	}, func(i int, why *protocol.Stop) { errs[i] = why })
	for i, err := range errs {
		if err != nil {
			return out, classify(errVault, err)
		}
		if lost[i] != nil {
			out.Detail = lost[i].Detail
			out.Reopened = append(out.Reopened, wire.OpenItem{Index: in.Items[i].Index, Step: protocol.Outcome, Reason: lost[i].Reason})
		}
	}
	return out, classify(errVault, r.noteDead(ctx, in, page, out))
}
