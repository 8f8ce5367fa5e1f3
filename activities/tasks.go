package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

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
	spec, err := r.spec(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	roll, err := loginsOfRoll(ctx, r.Store, in.Campaign)
	if err != nil {
		return nil, err
	}
	out := make([]wire.OpenedTask, len(cs))
	seats := make([][]string, len(cs))
	var hand []credential.Credential // with a value, and the places where it would lie
	for i, c := range cs {
		out[i] = wire.OpenedTask{Ref: in.Refs[i], Due: c.Task.Due}
		if out[i].Stop = problemOf(c); out[i].Stop != nil {
			continue
		}
		if seats[i], out[i].Stop, err = r.seatsOf(ctx, in, i, c, roll); err != nil {
			return nil, classify(errVault, err)
		}
		if out[i].Stop == nil && c.Task.Make {
			c.Paths = r.cardPlaces(in.Campaign, c, seats[i])
			hand = append(hand, c)
		}
	}
	reach, err := r.reachOf(ctx, wire.Batch{Campaign: in.Campaign, Snapshot: in.Snapshot, Logins: in.Logins}, hand, false)
	if err != nil {
		return nil, err
	}
	living := r.livingReaders(ctx, hand)
	var back *protocol.Stop // the device, on the network again
	if len(hand) > 0 {
		back = r.deviceAnswers(ctx, in.Campaign)
	}
	for i, c := range cs {
		if out[i].Stop != nil {
			continue
		}
		var value credential.Secret
		if c.Task.Make {
			if out[i].Stop = back; back != nil {
				continue
			}
			if out[i].Stop = readByToken(c, living); out[i].Stop != nil {
				continue
			}
			c.Paths = r.cardPlaces(in.Campaign, c, seats[i])
			if reach != nil {
				if out[i].Stop = reach.Within(ctx, c); out[i].Stop != nil {
					continue
				}
			}
			if value, out[i].Stop, err = r.made(ctx, in.Campaign, c); err != nil {
				return nil, classify(errVault, err)
			}
			if out[i].Stop != nil {
				continue
			}
		}
		if moved(in, in.Refs[i]) == 0 {
			if _, seats[i], err = r.Store.OpenTask(ctx, in.Campaign, c.ID, seats[i]); err != nil {
				return nil, classify(errVault, err)
			}
		}
		if err := r.handOver(ctx, spec.Device, in.Campaign, c, seats[i], value); err != nil {
			return nil, classify(errVault, err)
		}
	}
	return out, nil
}

// moved is how often a task was given to somebody else; 0 for one that is to be
// opened.
func moved(in wire.Tasks, ref credential.Ref) int {
	for _, m := range in.Moved {
		if m.Ref == ref {
			return m.Times
		}
	}
	return 0
}

// seatsOf are the entities that see to the ends of the ith task, by now.
func (r *Rotation) seatsOf(ctx context.Context, in wire.Tasks, i int, c credential.Credential, roll map[string]bool) ([]string, *protocol.Stop, error) {
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

// loginsOfRoll are the logins to Vault of all credentials of a campaign, and of
// those that it leaves out.
func loginsOfRoll(ctx context.Context, store *ownmount.Store, campaign string) (map[string]bool, error) {
	index, err := store.ReadIndex(ctx, campaign)
	if err != nil {
		return nil, classify(errVault, err)
	}
	out := map[string]bool{}
	for n := range index.Pages {
		page, err := store.ReadPage(ctx, campaign, index.Snapshot, n)
		if err != nil {
			return nil, classify(errVault, err)
		}
		maps.Copy(out, people.LoginsOf(page, nil))
	}
	excluded, err := store.ReadExcluded(ctx, campaign)
	if err != nil {
		return nil, classify(errVault, err)
	}
	maps.Copy(out, people.LoginsOf(nil, excluded))
	return out, nil
}

// owners are the entities that see to the ends of a task.
func (r *Rotation) owners(ctx context.Context, c credential.Credential, roll map[string]bool) ([]string, *protocol.Stop, error) {
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

// cardPlaces are where the new value of a task would lie.
func (r *Rotation) cardPlaces(campaign string, c credential.Credential, entities []string) (out []credential.Path) {
	for _, e := range entities {
		if p := r.Store.CardPlace(e, campaign, c.ID); e != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// made is the new value of a task, which is staged. One that an ended campaign
// has handed over stays: somebody may have put it to one end already.
func (r *Rotation) made(ctx context.Context, campaign string, c credential.Credential) (credential.Secret, *protocol.Stop, error) {
	staged, found, err := r.Store.ReadStaged(ctx, c.ID)
	if err != nil {
		return credential.Secret{}, nil, err
	}
	if !found {
		spec, err := r.spec(ctx, campaign)
		if err != nil {
			return credential.Secret{}, nil, err
		}
		authority, err := r.Kinds.Authority(spec, c.Authority, c.Kind)
		if err != nil {
			return credential.Secret{}, nil, err
		}
		value, err := authority.Generate(ctx, c)
		if err != nil {
			return credential.Secret{}, &protocol.Stop{Reason: protocol.ReasonNoGenerator, Detail: "no new value can be made (vault.password of the campaign file): " + err.Error()}, nil
		}
		// Sent: whoever it is handed to may use it at once.
		if staged, _, err = r.Store.Stage(ctx, c.ID, ownmount.Staged{Secret: value, Campaign: campaign, Attempt: 1, CreatedAt: time.Now().UTC()}); err != nil {
			return credential.Secret{}, nil, err
		}
	}
	if staged.Campaign == campaign {
		return staged.Secret, nil, nil
	}
	released, _, err := r.Store.CampaignReleased(ctx, staged.Campaign)
	if err != nil {
		return credential.Secret{}, nil, err
	}
	if !released {
		return credential.Secret{}, &protocol.Stop{Reason: protocol.ReasonOtherOwner, Detail: fmt.Sprintf("campaign %s has handed it over; let it finish or abort it", staged.Campaign)}, nil
	}
	staged.Campaign, staged.Attempt = campaign, staged.Attempt+1
	if staged, err = r.Store.Restage(ctx, c.ID, staged); vault.IsCASMismatch(err) {
		return r.made(ctx, campaign, c) // a twin, or our own answer was lost
	}
	return staged.Secret, nil, err
}

// handOver gives each owner a card with his ends, and takes it from everybody
// else.
func (r *Rotation) handOver(ctx context.Context, device, campaign string, c credential.Credential, entities []string, value credential.Secret) error {
	var has []string
	for i, entity := range entities {
		if entity == "" || slices.Contains(has, entity) {
			continue
		}
		has = append(has, entity)
		card := ownmount.Card{Campaign: campaign, Device: device, Credential: c.ID, Name: c.Name, Kind: c.Kind, Do: c.Task.Do, Due: c.Task.Due, Value: value}
		for j := i; j < len(entities) && j < len(c.Task.Ends); j++ {
			if entities[j] == entity {
				card.Ends = append(card.Ends, c.Task.Ends[j].Name)
			}
		}
		if err := r.Store.WriteCard(ctx, entity, card); err != nil {
			return err
		}
	}
	return r.Store.KeepCards(ctx, campaign, c.ID, has...)
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
		if err := r.Store.KeepCards(ctx, in.Campaign, c.ID); err != nil {
			return classify(errVault, err)
		}
		if err := r.Store.Unstage(ctx, c.ID, in.Campaign, 0); err != nil && !vault.IsCASMismatch(err) {
			return classify(errVault, err)
		}
	}
	return nil
}
