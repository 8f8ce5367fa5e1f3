package tasks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/people"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// spoiled says why a value that an ended campaign handed over is not handed
// over again; empty if it may be. Whoever read it since would have the new
// value, and people would attest that the stolen one is dead.
func (h *Handing) spoiled(ctx context.Context, t handed) (string, error) {
	if len(t.was.Handed) == 0 {
		return "who had it is not known", nil
	}
	for _, entity := range t.was.Handed {
		p, err := h.Store.PersonByID(ctx, entity)
		if err != nil {
			return "", err
		}
		if p == nil {
			p = &people.Person{}
		}
		if why := p.Doubt(h.roll); why != "" {
			return "the word of a person who had it counts for nothing by now: " + why, nil
		}
	}
	gone, err := h.Store.Discarded(ctx, t.was.Campaign, t.c.ID, t.was.Renewals+1)
	if err != nil {
		return "", err
	}
	came, err := h.Store.CameBack(ctx, t.was.Campaign)
	if err != nil {
		return "", err
	}
	now, err := h.Store.CameBack(ctx, h.campaign)
	if err != nil {
		return "", err
	}
	switch {
	case gone:
		return "a person said that it is not to be used", nil
	case came || now:
		return "the device answered on the network since", nil
	case len(t.c.ReadBy) > 0:
		return "a token of Vault that names the device could read it where it lies", nil
	case h.around.Reach != nil && h.around.Reach.Within(ctx, *t.lies) != nil:
		return "a login to Vault of the roll that was not dead could read it where it lies", nil
	case h.unasked && t.was.Looked != h.campaign:
		return "what a login to Vault of the roll could read was not asked while that was open", nil
	}
	return "", nil
}

// made is the new value of a task, as it is staged: whoever may get it is noted
// before he does. One that an ended campaign has handed over stays, for
// somebody may have put it to one end already, unless somebody else may have
// read it.
func (h *Handing) made(ctx context.Context, c credential.Credential, seats []string) (ownmount.Staged, *protocol.Stop, error) {
	for {
		staged, found, err := h.Store.ReadStaged(ctx, c.ID)
		if err != nil {
			return staged, nil, err
		}
		next, stop, err := h.next(ctx, c, seats, staged, found)
		switch {
		case err != nil || stop != nil:
			return next, stop, err
		case !found:
			if staged, _, err = h.Store.Stage(ctx, c.ID, next); err != nil {
				return staged, nil, err
			}
			// Ours, or a twin's, who may have noted others.
			if staged.Campaign == h.campaign && covers(staged.Handed, seats) {
				return staged, nil, nil
			}
		case next.Version == 0:
			return staged, nil, nil
		default:
			// Somebody else has staged meanwhile, or our own answer was lost.
			if next, err = h.Store.Restage(ctx, c.ID, next); !vault.IsCASMismatch(err) {
				return next, nil, err
			}
		}
	}
}

// next is what is to be staged; of Version 0 where what is there is right.
func (h *Handing) next(ctx context.Context, c credential.Credential, seats []string, staged ownmount.Staged, found bool) (ownmount.Staged, *protocol.Stop, error) {
	if !found {
		value, stop, err := h.generate(ctx, c)
		// Sent: whoever it is handed to may use it at once.
		return ownmount.Staged{Secret: value, Campaign: h.campaign, Attempt: 1, CreatedAt: time.Now().UTC(), Handed: seats}, stop, err
	}
	if staged.Campaign == h.campaign {
		gone, err := h.Store.Discarded(ctx, h.campaign, c.ID, staged.Renewals+1)
		switch {
		case err != nil:
			return staged, nil, err
		case gone:
			next, stop, err := h.another(ctx, c, seats, staged)
			next.Renewals, next.Instead = staged.Renewals+1, staged.Instead
			return next, stop, err
		case covers(staged.Handed, seats):
			return ownmount.Staged{}, nil, nil
		}
		staged.Handed = with(staged.Handed, seats)
		return staged, nil, nil
	}
	released, _, err := h.Store.CampaignReleased(ctx, staged.Campaign)
	if err != nil {
		return staged, nil, err
	}
	if !released {
		return staged, &protocol.Stop{Reason: protocol.ReasonOtherOwner, Detail: fmt.Sprintf("campaign %s has handed it over; let it finish or abort it, or where nobody works on it any more (rollcall campaigns), run with the campaign file of its device, which takes it over", staged.Campaign)}, nil
	}
	if staged.Spoiled != "" {
		next, stop, err := h.another(ctx, c, seats, staged)
		next.Instead = fmt.Sprintf("the value that campaign %s handed over is not handed over again: %s. Another was made; where the first one is set already it has to be changed once more, and it stays staged beside the new one until the task is done", staged.Campaign, staged.Spoiled)
		return next, stop, err
	}
	if staged.Looked != h.campaign {
		// It was not free when what lies with people was looked at.
		return staged, &protocol.Stop{Reason: protocol.ReasonOtherOwner, Detail: fmt.Sprintf("campaign %s has just let go of it; who could read what it handed over is looked at in the next try", staged.Campaign)}, nil
	}
	staged.Campaign, staged.Attempt, staged.Renewals, staged.Instead = h.campaign, staged.Attempt+1, 0, ""
	staged.Handed = with(staged.Handed, seats)
	return staged, nil, nil
}

// another is a value in the place of one that is handed over to nobody any
// more. That one is kept: it may be in force at one end, and nowhere else.
func (h *Handing) another(ctx context.Context, c credential.Credential, seats []string, was ownmount.Staged) (ownmount.Staged, *protocol.Stop, error) {
	value, stop, err := h.generate(ctx, c)
	old := maps.Clone(was.Old)
	old[ownmount.TakenOver+strconv.Itoa(was.Attempt)] = was.Secret
	return ownmount.Staged{Secret: value, Campaign: h.campaign, Attempt: was.Attempt + 1, CreatedAt: time.Now().UTC(), Old: old, Handed: seats, Version: was.Version}, stop, err
}

// maxDraws bounds how many values are drawn until each door of a task can carry
// one: Vault may have to draw each.
const maxDraws = 32

// generate makes a value that each door of the task can carry. If there is
// none, nothing is handed over: people would set it, and whoever logs in there
// would be cut off.
func (h *Handing) generate(ctx context.Context, c credential.Credential) (value credential.Secret, stop *protocol.Stop, err error) {
	authority, err := h.Kinds.Authority(h.Spec, c.Authority, c.Kind)
	if err != nil {
		return value, nil, err
	}
	asked, _ := c.WithoutDoors(h.leftOut)
	for range maxDraws {
		if value, err = authority.Generate(ctx, c); err != nil {
			return value, &protocol.Stop{Reason: protocol.ReasonNoGenerator, Detail: "no new value can be made (vault.password of the campaign file): " + err.Error()}, nil
		}
		at, why := h.Spec.CannotCarry(asked.Doors, value)
		if at == "" {
			return value, nil, nil
		}
		stop = &protocol.Stop{Reason: protocol.ReasonNotCarried, Server: at, Detail: fmt.Sprintf("no login at this door can carry the new value: %s; nothing was handed over: have new values made that it can carry (vault.password, or Vault's password policy), or leave the door out if nobody uses it (rollcall leave-out --door)", why)}
	}
	return value, stop, nil
}

// unknownPerson stands in Staged.Handed for people whom an earlier version did
// not note.
const unknownPerson = "unknown"

// with adds whom a value is handed over to.
func with(have, seats []string) []string {
	if have = slices.Clone(have); len(have) == 0 {
		have = append(have, unknownPerson)
	}
	for _, s := range seats {
		if s != "" && !slices.Contains(have, s) {
			have = append(have, s)
		}
	}
	return have
}

func covers(have, seats []string) bool {
	return !slices.ContainsFunc(seats, func(s string) bool { return s != "" && !slices.Contains(have, s) })
}
