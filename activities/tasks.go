package activities

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/people"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// OpenTasks prepares what people see to: it finds out who they are, makes the
// new value where one is wanted, stages it, and hands it over. Done twice it
// changes nothing. Of what is open already Moved says who has it by now.
func (r *Rotation) OpenTasks(ctx context.Context, in wire.Tasks) ([]wire.OpenedTask, error) {
	defer beat(ctx)()
	cs, err := r.tasks(ctx, in)
	if err != nil {
		return nil, err
	}
	out := make([]wire.OpenedTask, len(cs))
	for i, c := range cs {
		out[i] = wire.OpenedTask{Ref: in.Refs[i], Due: c.Task.Due}
	}
	if stop := r.superseded(ctx, in.Campaign); stop != nil {
		for i := range out {
			out[i].Stop = stop
		}
		return out, nil
	}
	h, err := r.handing(ctx, in)
	if err != nil {
		return nil, err
	}
	for i, c := range cs {
		if out[i].Stop = problemOf(c); out[i].Stop != nil {
			if out[i].Findings, err = r.takeBack(ctx, in.Campaign, c); err != nil {
				return nil, classify(errVault, err)
			}
			continue
		}
		var seats []string
		if seats, out[i].Stop, err = r.seatsOf(ctx, in, i, c, h.roll); err == nil {
			err = h.take(ctx, i, c, seats)
		}
		if err != nil {
			return nil, classify(errVault, err)
		}
	}
	if err := h.look(ctx, in); err != nil {
		return nil, err
	}
	for i := range cs {
		if out[i].Stop != nil {
			continue
		}
		if err := h.open(ctx, in, h.tasks[i], &out[i]); err != nil {
			return nil, classify(errVault, err)
		}
	}
	return out, nil
}

// moved is how often something was said about who has a task, and which value;
// 0 for one that is to be opened.
func moved(in wire.Tasks, ref credential.Ref) int {
	for _, m := range in.Moved {
		if m.Ref == ref {
			return m.Times
		}
	}
	return 0
}

// seatsOf are the entities that see to the ends of the ith task, by now.
func (r *Rotation) seatsOf(ctx context.Context, in wire.Tasks, i int, c credential.Credential, roll people.Roll) ([]string, *protocol.Stop, error) {
	if n := moved(in, in.Refs[i]); n > 0 {
		seats, err := r.Store.SeatsAfter(ctx, in.Campaign, c.ID, n)
		return seats, nil, err
	}
	if _, seats, found, err := r.Store.TaskOpened(ctx, in.Campaign, c.ID); err != nil || found {
		return seats, nil, err // an earlier try opened it
	}
	return r.owners(ctx, c, roll)
}

// problemOf is why nobody is asked to do it: it is on the roll for an earlier
// campaign's sake alone.
func problemOf(c credential.Credential) *protocol.Stop {
	if c.Problem == "" {
		return nil
	}
	return &protocol.Stop{Reason: protocol.Reason(c.Problem), Detail: "an earlier campaign of the device left it open, and no manifest names it any more; nobody is asked to do it"}
}

// tasks are the credentials of refs, in their order.
func (r *Rotation) tasks(ctx context.Context, in wire.Tasks) ([]credential.Credential, error) {
	return tasksOf(ctx, r.Store, in)
}

func tasksOf(ctx context.Context, store *ownmount.Store, in wire.Tasks) ([]credential.Credential, error) {
	out := make([]credential.Credential, 0, len(in.Refs))
	for _, ref := range in.Refs {
		page, err := store.ReadPage(ctx, in.Campaign, in.Snapshot, ref.Page)
		if err != nil {
			return nil, classify(errVault, err)
		}
		if ref.Index >= len(page) || page[ref.Index].Task == nil {
			return nil, classify(errSpec, fmt.Errorf("campaign %s: page %d of the roll has no task %d", in.Campaign, ref.Page, ref.Index))
		}
		out = append(out, page[ref.Index])
	}
	return out, nil
}

// loginsOfRoll is what makes the word of a person count for nothing in a
// campaign.
func loginsOfRoll(ctx context.Context, store *ownmount.Store, campaign string) (people.Roll, error) {
	index, err := store.ReadIndex(ctx, campaign)
	if err != nil {
		return people.Roll{}, classify(errVault, err)
	}
	out := people.NewRoll(index.PeoplesOwn)
	for n := range index.Pages {
		page, err := store.ReadPage(ctx, campaign, index.Snapshot, n)
		if err != nil {
			return people.Roll{}, classify(errVault, err)
		}
		out.Take(page, nil)
	}
	excluded, err := store.ReadExcluded(ctx, campaign)
	if err != nil {
		return people.Roll{}, classify(errVault, err)
	}
	return out.Take(nil, excluded), nil
}

// owners are the entities that see to the ends of a task.
func (r *Rotation) owners(ctx context.Context, c credential.Credential, roll people.Roll) ([]string, *protocol.Stop, error) {
	known := map[string]string{}
	for _, owner := range c.Task.Owners() {
		// By number: names do not pass through Temporal.
		n := 1 + slices.IndexFunc(c.Task.Ends, func(e credential.TaskEnd) bool { return e.Owner == owner })
		p, err := r.Store.Person(ctx, owner)
		if err != nil {
			return nil, nil, err
		}
		if p == nil {
			return nil, waits(fmt.Sprintf("Vault knows no entity and no login of the name of the owner of end %d of the row: have that person log in to Vault once; or, if the name is wrong (a login is MOUNT/NAME, such as userpass/bob), abort, correct the row and run again; nothing was handed over", n)), nil
		}
		if why := p.Doubt(roll); why != "" {
			return nil, waits("the word of an owner would count for nothing: " + why + "; name somebody else in the row; nothing was handed over"), nil
		}
		known[owner] = p.ID
	}
	out := make([]string, 0, len(c.Task.Ends))
	for _, e := range c.Task.Ends {
		out = append(out, known[e.Owner])
	}
	return out, nil, nil
}

func waits(detail string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonByHand, Detail: detail}
}

// CloseTasks takes back what was handed over, once the ledger has the outcome,
// and notes beside the roll what is done with.
func (r *Rotation) CloseTasks(ctx context.Context, in wire.Tasks) error {
	defer beat(ctx)()
	cs, err := r.tasks(ctx, in)
	if err != nil {
		return err
	}
	if err := r.Store.NoteDead(ctx, in.Campaign, in.Snapshot, in.Refs); err != nil {
		return classify(errVault, err)
	}
	for _, c := range cs {
		if _, err := r.Store.KeepCards(ctx, in.Campaign, c.ID); err != nil {
			return classify(errVault, err)
		}
		if err := r.unstageDead(ctx, in.Campaign, c); err != nil {
			return classify(errVault, err)
		}
	}
	return nil
}

// unstageDead deletes what is staged of a task that is dead, also where an
// ended campaign staged it and this one asked for no value any more.
func (r *Rotation) unstageDead(ctx context.Context, campaign string, c credential.Credential) error {
	staged, found, err := r.Store.ReadStaged(ctx, c.ID)
	if err != nil || !found {
		return err
	}
	if staged.Campaign != campaign {
		released, _, err := r.Store.CampaignReleased(ctx, staged.Campaign)
		if err != nil || !released {
			return err
		}
	}
	if err := r.Store.Unstage(ctx, c.ID, staged.Campaign, 0); !vault.IsCASMismatch(err) {
		return err
	}
	return nil // somebody has begun
}
