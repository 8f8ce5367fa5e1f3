package rotation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// stage makes a value durable before any server sees it (rule 1). A value that
// is already staged is used, not replaced: it may be in force. Vault's
// check-and-set tells which it is, so nothing is read before.
func (r *Rotator) stage(ctx context.Context, c credential.Credential, was found) (ownmount.Staged, bool, error) {
	value, err := r.newValue(ctx, c, c.Paths, was.lives)
	if err != nil {
		return ownmount.Staged{}, false, err
	}
	staged, created, err := r.Store.Stage(ctx, c.ID, ownmount.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: max(1, r.Pass), Base: was.base, Old: was.old, Before: was.account.Changed, CreatedAt: r.Now().UTC(),
		Unsent: !r.fits(c, c.Paths, was.lives, value), // so a later pass may draw another
	})
	if err != nil || created {
		return staged, created, err
	}
	staged, err = r.takeOver(ctx, c, staged, was)
	return staged, false, err
}

// maxDraws bounds how many values are drawn until one fits all that surrounds
// the secret. With nine symbols of which files of settings take five, one of
// seven values fits.
const maxDraws = 256

// maxRedraws is the same for a pass that finds none staged that fits: Vault may
// have to draw each, and more passes come.
const maxRedraws = 32

// newValue draws a new value that each of the places can hold as it is, and
// each of its doors can carry: what surrounds a secret may have no way to write
// some symbols, or (base64 of which it does not show whether it is padded) some
// lengths. If none fits, that is said before Set.
func (r *Rotator) newValue(ctx context.Context, c credential.Credential, paths []credential.Path, lives []vault.Live) (value credential.Secret, err error) {
	value, _, err = r.draw(ctx, maxDraws, c, paths, lives)
	return value, err
}

func (r *Rotator) draw(ctx context.Context, most int, c credential.Credential, paths []credential.Path, lives []vault.Live) (value credential.Secret, fits bool, err error) {
	shorter, _ := kind.As[kind.Shorter](r.Authority)
	for range most {
		if value, err = r.Authority.Generate(ctx, c); err != nil || r.fits(c, paths, lives, value) {
			return value, err == nil, err
		}
		for by := 1; by <= 2 && shorter != nil; by++ {
			if less, err := shorter.GenerateShorter(ctx, c, by); err == nil && r.fits(c, paths, lives, less) {
				return less, true, nil
			}
		}
	}
	return value, false, nil
}

// fits reports whether each place can hold a value, and each door carry it.
func (r *Rotator) fits(c credential.Credential, paths []credential.Path, lives []vault.Live, value credential.Secret) bool {
	for i, live := range lives {
		if live.Problem == "" && live.Takes(paths[i].Field, value) != nil {
			return false
		}
	}
	return r.notCarried(c, value) == nil
}

// fitting puts another value in the place of one that cannot be set, because a
// place cannot hold it or a door not carry it, if there is one by now: a policy
// or what surrounds the secret was put in order. One that a server may have is
// left: it may be in force.
func (r *Rotator) fitting(ctx context.Context, c credential.Credential, staged ownmount.Staged, was found) (ownmount.Staged, error) {
	if !staged.Unsent || r.fits(c, c.Paths, was.lives, staged.Secret) {
		return staged, nil
	}
	value, fits, err := r.draw(ctx, maxRedraws, c, c.Paths, was.lives)
	if err != nil || !fits {
		return staged, err
	}
	staged.Secret, staged.Attempt, staged.PolicyRefused, staged.CreatedAt = value, staged.Attempt+1, false, r.Now().UTC()
	return r.Store.Restage(ctx, c.ID, staged)
}

// notCarried is why a value is not set that a door of the credential cannot be
// shown, or nil: whoever logs in there would be cut off, and the door could
// never be asked about the stolen one.
func (r *Rotator) notCarried(c credential.Credential, value credential.Secret) *protocol.Stop {
	if r.CannotCarry == nil || len(c.Doors) == 0 {
		return nil
	}
	name, why := r.CannotCarry(c, value)
	if name == "" {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonNotCarried, Server: name, Detail: fmt.Sprintf("no login at this door can carry the new value: %s; nothing was changed: have new values made that it can carry (password:, or Vault's password policy), or leave the door out if nobody uses it (rollcall leave-out --door)", why)}
}

// takeOver makes sure that a staging entry is this campaign's. The entry of a
// campaign that has ended is taken over: its value may be the only one that
// still logs in, so it is kept, and consumers may have read it since, so it
// must die with the rest.
func (r *Rotator) takeOver(ctx context.Context, c credential.Credential, staged ownmount.Staged, was found) (ownmount.Staged, error) {
	if staged.Freed {
		return r.afterFreed(ctx, c, staged, was)
	}
	if staged.Campaign == r.Campaign {
		return r.fitting(ctx, c, staged, was)
	}
	if err := r.mayTake(ctx, c, staged); err != nil {
		return ownmount.Staged{}, err
	}
	value, err := r.newValue(ctx, c, c.Paths, was.lives)
	if err != nil {
		return ownmount.Staged{}, err
	}
	old := maps.Clone(was.old)
	asRead(c, staged, was.lives, old)
	held := takenOver + strconv.Itoa(staged.Attempt)
	var marks map[string]string // of values that are not in force; they die with the rest
	mark := func(place, as string) {
		if marks == nil {
			marks = map[string]string{}
		}
		marks[place] = as
	}
	for place, value := range staged.Old {
		if as := staged.Places[place]; outOfForce(as) {
			if !isHeld(place) {
				continue // it took no part, so whose value it held is not known
			}
			mark(place, as)
		}
		known := knew(staged, place)
		if !strings.HasPrefix(place, takenOver) {
			// Stolen before the ended campaign began, and not proved dead by
			// it.
			place = held + beforeIt + place
		}
		if known {
			mark(place, ownmount.PlaceKept)
		}
		old[place] = value
	}
	for _, p := range c.Paths {
		if at := p.String(); staged.Places[at] == ownmount.PlaceSeen && !was.old[at].IsZero() && was.old[at].Equal(staged.Old[at]) {
			mark(at, ownmount.PlaceSeen) // it holds what the account accepted before that campaign's Set
		}
	}
	if !staged.Unsent { // what no server has seen is nowhere in force
		if old[held] = staged.Secret; asBefore(staged, was.account) {
			mark(held, ownmount.PlaceUnset)
		}
	}
	return r.Store.Restage(ctx, c.ID, ownmount.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: staged.Attempt + 1, Base: was.base, Old: old, Places: marks,
		Unsent: true, Before: was.account.Changed, CreatedAt: r.Now().UTC(), Version: staged.Version,
	})
}

// mayTake says why the entry of another campaign is not taken over, or nil.
func (r *Rotator) mayTake(ctx context.Context, c credential.Credential, staged ownmount.Staged) error {
	closed, until, err := r.Store.CampaignReleased(ctx, staged.Campaign)
	if err != nil {
		return err
	}
	if !closed {
		return &protocol.Stop{Reason: protocol.ReasonOtherOwner,
			Detail: fmt.Sprintf("campaign %s is rotating it; let it finish or abort it, or where nobody works on it any more (rollcall campaigns), run with the campaign file of its device, which takes it over; a superseded one lets go when its workers have finished what they hold, and after %s at the latest; one that ended while what a killed process had sent might still arrive lets go %s later", staged.Campaign, ownmount.SupersededGrace, ownmount.LateFor),
			Until:  until}
	}
	if stop := r.mayReplace(ctx, staged); stop != nil {
		return stop
	}
	if err := r.activatedElsewhere(ctx, c, staged); err != nil {
		return err
	}
	if r.Unlisted != nil {
		if stop := r.Unlisted(ctx, c, staged); stop != nil {
			return stop
		}
	}
	return nil
}

// knew reports whether a campaign has written down that the path of a key of
// Staged.Old takes part. That is done before Set, where what the account was
// asked does not say it: an entry that has not got so far says nothing of a
// path.
func knew(staged ownmount.Staged, key string) bool {
	switch as := staged.Places[key]; {
	case strings.HasPrefix(key, takenOver):
		return strings.Contains(key, beforeIt) && as == ownmount.PlaceKept
	case as == ownmount.PlaceKept, as == ownmount.PlaceSeen:
		return true
	default:
		return staged.Asked && as == ""
	}
}

// asBefore reports whether an account is as it was when a value was staged for
// it: then that value is not in force.
func asBefore(staged ownmount.Staged, account kind.Account) bool {
	return staged.Before != "" && (protocol.Compare(staged.Before, account.Changed) == protocol.Unchanged || account.NeverSet || setLongBefore(staged, account))
}

func setLongBefore(staged ownmount.Staged, account kind.Account) bool {
	return protocol.SetBefore(staged.Before, account.Changed, staged.CreatedAt.Add(-clocksApart))
}

// marksTell reports whether an account is as it was when a value was staged for
// it, and wrong logins leave that to be seen: then asBefore tells later whether
// the value was set.
func marksTell(staged ownmount.Staged, account kind.Account) bool {
	return asBefore(staged, account) && (!protocol.Dated(staged.Before) || account.NeverSet || setLongBefore(staged, account))
}

// afterFreed stages where the last rotation is over, and a reset of it could
// still have come for a while.
func (r *Rotator) afterFreed(ctx context.Context, c credential.Credential, freed ownmount.Staged, was found) (ownmount.Staged, error) {
	if stop := r.mayReplace(ctx, freed); stop != nil {
		return ownmount.Staged{}, stop
	}
	value, err := r.newValue(ctx, c, c.Paths, was.lives)
	if err != nil {
		return ownmount.Staged{}, err
	}
	return r.Store.Restage(ctx, c.ID, ownmount.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: freed.Attempt + 1, Base: was.base, Old: was.old,
		Unsent: true, Before: was.account.Changed, CreatedAt: r.Now().UTC(), Version: freed.Version,
	})
}

// takenOver begins the keys in Staged.Old of values that ended campaigns had
// staged. No path looks like it.
const takenOver = ownmount.TakenOver

// activatedAt is the error of a credential whose value an ended campaign has
// activated at paths that this roll has not: their consumers would be cut off.
type activatedAt struct {
	*protocol.Stop
	paths []ownmount.Placed
}

func (e *activatedAt) Unwrap() error { return e.Stop }

// activatedElsewhere looks for such paths. Where a campaign put values it notes
// at the end of each batch; one that gave up before that has left what it
// staged, and the paths that it knew.
func (r *Rotator) activatedElsewhere(ctx context.Context, c credential.Credential, staged ownmount.Staged) error {
	if c.HandsOver() {
		return nil // nobody reads it there by himself
	}
	var found []ownmount.Placed
	for _, place := range slices.Sorted(maps.Keys(staged.Base)) {
		p, err := credential.ParsePath(place)
		// By their text: a mount may have several segments, which the text does
		// not show.
		known := func(q credential.Path) bool { return q.String() == place }
		if err != nil || slices.ContainsFunc(c.Paths, known) || c.Spare != nil && known(*c.Spare) || staged.Places[place] == ownmount.PlaceApart {
			continue
		}
		live, err := r.read(ctx, c, p, 0)
		if err != nil {
			return err
		}
		if live.Found && live.Value.Equal(staged.Secret) {
			found = append(found, ownmount.Placed{Path: p, Version: live.Version, Written: live.Written})
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &activatedAt{&protocol.Stop{Reason: protocol.ReasonMorePaths, Detail: "a campaign that ended has put its value at a path that this roll has not; " +
		"nothing was changed, and the next campaign lists that path too"}, found}
}
