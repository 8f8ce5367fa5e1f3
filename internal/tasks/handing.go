package tasks

import (
	"context"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/people"
	"rollcall/internal/protocol"
	"rollcall/internal/reach"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Handing hands the tasks of a campaign over to people.
type Handing struct {
	Store *ownmount.Store
	Kinds *registry.Registry
	Spec  *config.Campaign
	// Ask finds out what is around: hand are the tasks with the places where
	// their values will lie, places are these and where values lie already.
	Ask func(ctx context.Context, places, hand []credential.Credential) (Around, error)

	campaign string
	leftOut  []string // doors
	roll     people.Roll
	tasks    map[int]handed // by their number
	around   Around
	unasked  bool // of a login of the roll it is not known any more what it could read
}

// Around is what may keep something from being handed over.
type Around struct {
	Reach  *reach.Reach    // nil where no login is open
	Living map[string]bool // readers of the listing that live
	Device *protocol.Stop  // the device, on the network again
}

// handed is one task. Its credential has the places where its value will lie.
type handed struct {
	c     credential.Credential
	seats []string
	// lies is the credential with the places where a value lies that an ended
	// campaign handed over, and was is that value's entry; nil where there is
	// none.
	lies *credential.Credential
	was  ownmount.Staged
}

// take notes a task. seats is empty where its owners are not known.
func (h *Handing) take(ctx context.Context, i int, c credential.Credential, seats []string) error {
	t := handed{c: c, seats: seats}
	defer func() { h.tasks[i] = t }()
	if !c.Task.Make {
		return nil
	}
	t.c.Paths = h.cardPlaces(h.campaign, c, seats) // besides where he writes it (Places)
	staged, found, err := h.Store.ReadStaged(ctx, c.ID)
	switch {
	case err != nil || !found:
		return err
	case staged.Campaign == h.campaign:
		gone, err := h.Store.Discarded(ctx, h.campaign, c.ID, staged.Renewals+1)
		if err == nil && gone {
			_, err = h.Store.KeepCards(ctx, h.campaign, c.ID)
		}
		return err
	}
	released, _, err := h.Store.CampaignReleased(ctx, staged.Campaign)
	if err != nil || !released {
		return err
	}
	lies := c
	lies.Paths = h.cardPlaces(staged.Campaign, c, staged.Handed)
	t.lies, t.was = &lies, staged
	return nil
}

// look asks who could read what is to be handed over, and what lies with people
// since an ended campaign. A value that somebody else may have read there is
// marked at once: later it may not show any more.
func (h *Handing) look(ctx context.Context, in wire.Tasks) error {
	var places, hand []credential.Credential
	for _, t := range h.tasks {
		if t.c.Task.Known() {
			places, hand = append(places, t.c), append(hand, t.c)
		}
		if t.lies != nil {
			places = append(places, *t.lies)
		}
	}
	if len(hand) == 0 {
		return nil
	}
	var err error
	if h.around, err = h.Ask(ctx, places, hand); err != nil {
		return err
	}
	index, err := h.Store.ReadIndex(ctx, in.Campaign)
	if err != nil {
		return err
	}
	h.unasked = slices.ContainsFunc(index.Logins, func(l credential.Ref) bool { return !slices.Contains(in.Logins, l) })
	for i, t := range h.tasks {
		if t.lies == nil || t.was.Spoiled != "" {
			continue
		}
		why, err := h.spoiled(ctx, t)
		if err == nil && (why != "" || t.was.Looked != h.campaign) {
			t.was.Spoiled, t.was.Looked = why, h.campaign
			// A twin may have been first: what it marked, or took over, stands.
			if _, err = h.Store.Restage(ctx, t.c.ID, t.was); vault.IsCASMismatch(err) {
				err = nil
			}
			h.tasks[i] = t
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// open opens a task, if nothing is in the way, and hands it over.
func (h *Handing) open(ctx context.Context, in wire.Tasks, t handed, out *wire.OpenedTask) (err error) {
	var value ownmount.Staged
	if t.c.Task.Known() {
		if out.Stop = h.around.Device; out.Stop == nil {
			out.Stop = reach.ReadByToken(t.c, h.around.Living)
		}
		if out.Stop == nil && h.around.Reach != nil {
			out.Stop = h.around.Reach.Within(ctx, t.c)
		}
		if out.Stop != nil {
			return nil
		}
	}
	for seats := []string(nil); ; seats = t.seats {
		if t.c.Task.Make {
			if value, out.Stop, err = h.made(ctx, t.c, t.seats); err != nil || out.Stop != nil {
				return err
			}
		}
		if moved(in, out.Ref) > 0 || seats != nil {
			break
		}
		// A twin may have noted others, whose the value is then too.
		noted := t.seats
		if _, t.seats, err = h.Store.OpenTask(ctx, h.campaign, t.c.ID, noted); err != nil {
			return err
		}
		if slices.Equal(noted, t.seats) {
			break
		}
	}
	if value.Instead != "" {
		out.Findings = append(out.Findings, credential.Finding{Code: credential.FindingAnotherValue, Detail: value.Instead})
	}
	if err := h.handOver(ctx, t.c, t.seats, value); err != nil {
		return err
	}
	if out.Again = value.Renewals; out.Again == 0 {
		return nil
	}
	// After the cards: what is said before it is about the value before it.
	return h.Store.HandedAgain(ctx, h.campaign, t.c.ID, out.Again, t.seats)
}

// handOver gives each owner a card with his ends, and takes it from everybody
// else.
func (h *Handing) handOver(ctx context.Context, c credential.Credential, entities []string, value ownmount.Staged) error {
	do := c.Task.Do
	if len(value.Old) > 0 {
		do = append(slices.Clone(do), "another value was handed over before this one: where that is set already, change it once more")
	}
	var has []string
	for i, entity := range entities {
		if entity == "" || slices.Contains(has, entity) {
			continue
		}
		has = append(has, entity)
		card := ownmount.Card{Campaign: h.campaign, Device: h.Spec.Device, Credential: c.ID, Name: c.Name, Kind: c.Kind, Do: do, Due: c.Task.Due, Value: value.Secret}
		for j := i; j < len(entities) && j < len(c.Task.Ends); j++ {
			if entities[j] == entity {
				card.Ends = append(card.Ends, c.Task.Ends[j].Name)
			}
		}
		if err := h.Store.WriteCard(ctx, entity, card); err != nil {
			return err
		}
	}
	_, err := h.Store.KeepCards(ctx, h.campaign, c.ID, has...)
	return err
}

// cardPlaces are where the new value of a task would lie.
func (h *Handing) cardPlaces(campaign string, c credential.Credential, entities []string) (out []credential.Path) {
	for _, e := range entities {
		if p := h.Store.CardPlace(e, campaign, c.ID); e != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}
