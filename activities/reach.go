package activities

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/reach"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// reachOf is what the open logins of the roll could read of the places of cs;
// nil where there is nothing to ask.
func (r *Rotation) reachOf(ctx context.Context, b wire.Batch, cs []credential.Credential, begun bool) (*reach.Reach, error) {
	if len(b.Logins) == 0 && len(b.Readers) == 0 {
		return nil, nil
	}
	spec, err := r.listedSpec(ctx, b.Campaign)
	if err != nil {
		return nil, err
	}
	of := reach.Batch{Spec: spec, Campaign: b.Campaign, Authority: b.Authority, Kind: b.Kind, At: b.Logins}
	if of.Logins, err = r.Store.ReadRefs(ctx, b.Campaign, b.Snapshot, b.Logins); err != nil {
		return nil, classify(errVault, err)
	}
	if of.Readers, err = r.Store.ReadRefs(ctx, b.Campaign, b.Snapshot, b.Readers); err != nil {
		return nil, classify(errVault, err)
	}
	within, err := r.logins.Of(ctx, of, cs, begun)
	return within, classify(errSpec, err)
}

// beforeStaging is why nothing may be staged for c, or nil. stands: others that
// read each other's places with it may go by it that it would be set if they
// were closed.
func beforeStaging(ctx context.Context, rot *rotation.Rotator, within *reach.Reach, c credential.Credential) (stop *protocol.Stop, stands bool) {
	stop, aside := within.BeforeStaging(ctx, c)
	if !aside {
		return stop, false
	}
	if own := rot.MayStand(ctx, c); own != nil {
		return own, false
	}
	if err := within.StandAside(ctx, c); err != nil {
		return vault.StopOf(err), false
	}
	return stop, true
}

// notLookedAt takes back what an earlier pass said of a login that this one
// does not come to: what keeps it from being set by now is not known.
func (r *Rotation) notLookedAt(ctx context.Context, campaign string, c credential.Credential) {
	if c.ReachesVault() {
		r.logins.Aside(ctx, campaign, c.ID)
	}
}

// inCircles are, again and again, those of a batch that wait for other logins,
// for as long as one of them comes further: when all were looked at, those that
// read each other's places are set one after the other, and then the new value
// of each is written. Until then their consumers are cut off, which must not
// last until another pass. Where none was retired yet there is nothing new for
// the others.
func inCircles(cs []credential.Credential, done []rotation.Applied) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		was := ""
		for range 2*len(cs) + 1 {
			var some []int
			at, retired := "", false
			for i, d := range done {
				switch {
				case !cs[i].ReachesVault():
				case d.Dead():
					retired = true
				case d.Stop != nil && d.Stop.Reason == protocol.ReasonWithinReach:
					retired = retired || d.Step == protocol.Activate
					some, at = append(some, i), fmt.Sprint(at, " ", i, " ", d.Step)
				}
			}
			if !retired || at == was || !yield(some) {
				return
			}
			was = at
		}
	}
}

// goesOn reports whether what may be in force is brought to its end although a
// login that was found since could read it: its consumers would be cut off, and
// what may have been read is open again at the end.
func goesOn(in wire.PrepareInput, index int, c credential.Credential) bool {
	return in.Batch.Found > 0 && slices.Contains(in.Sent, index) && !c.ReachesVault()
}

// forGoingOn is what the open logins could read that were on the roll from the
// beginning: nobody looks at the end whether one of them has read what goes on.
func (r *Rotation) forGoingOn(ctx context.Context, in wire.PrepareInput, page []credential.Credential) (*reach.Reach, error) {
	items := slices.DeleteFunc(slices.Clone(in.Items), func(i int) bool { return !goesOn(in, i, page[i]) })
	if len(items) == 0 {
		return nil, nil
	}
	index, err := r.Store.ReadIndex(ctx, in.Batch.Campaign)
	if err != nil {
		return nil, classify(errVault, err)
	}
	b := in.Batch
	b.Logins = slices.DeleteFunc(slices.Clone(b.Logins), func(at credential.Ref) bool {
		return slices.ContainsFunc(index.Amended, func(a ownmount.Amended) bool { return slices.Contains(a.Logins, at) })
	})
	return r.reachOf(ctx, b, rotatable(page, items), false)
}

// beforeSet says, right before each is set, why it is not: what has changed
// since its batch began.
func (r *Rotation) beforeSet(ctx context.Context, in wire.ApplyInput, page []credential.Credential) (func(context.Context, credential.Credential) *protocol.Stop, error) {
	var within *reach.Reach
	if in.Batch.Found > 0 {
		ctx, still := beat(ctx)
		defer still()
		var err error
		if within, err = r.reachOf(ctx, in.Batch, applicable(page, in.Items), true); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, c credential.Credential) *protocol.Stop {
		if stop := r.deviceAnswers(ctx, in.Batch.Campaign); stop != nil {
			return stop
		}
		if stop := r.logins.Unknown(ctx, in.Batch.Campaign, in.Batch.Found); stop != nil {
			return stop
		}
		if within == nil || c.ReachesVault() { // which rotation asks about by itself
			return nil
		}
		return within.Within(ctx, c)
	}, nil
}

// LookForTokens looks once more, when everything has been set, for tokens that
// were made since the listing and may read it.
func (r *Rotation) LookForTokens(ctx context.Context, campaign string) (wire.NewReaders, error) {
	ctx, still := beat(ctx)
	defer still()
	index, err := r.Store.ReadIndex(ctx, campaign)
	if err != nil || index.NewestToken == 0 {
		return wire.NewReaders{}, classify(errVault, err)
	}
	spec, err := r.listedSpec(ctx, campaign)
	if err != nil {
		return wire.NewReaders{}, err
	}
	detail, err := r.logins.Tell(ctx, spec, campaign, index)
	return wire.NewReaders{Detail: detail}, classify(errVault, err)
}

// applicable are the credentials that Apply is asked for.
func applicable(page []credential.Credential, items []wire.ApplyItem) []credential.Credential {
	var out []credential.Credential
	for _, it := range items {
		out = append(out, page[it.Index])
	}
	return out
}
