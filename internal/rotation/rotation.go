// Package rotation carries one credential through the steps of the protocol.
// It looks, asks internal/protocol what comes next, does that, and looks again;
// it keeps nothing between calls, so a process that dies anywhere is
// continued by any other.
//
// The ledger stands between the three calls: Prepare stages a value, then the
// intent is recorded, then Apply sets, activates and proves, then the outcome is
// recorded, then Clean destroys what is dead.
package rotation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// Store is what a rotation needs of Vault. *vault.Store is the real one.
type Store interface {
	Stage(ctx context.Context, id string, s vault.Staged) (got vault.Staged, created bool, err error)
	ReadStaged(ctx context.Context, id string) (vault.Staged, bool, error)
	Restage(ctx context.Context, id string, next vault.Staged) (vault.Staged, error)
	Unstage(ctx context.Context, id, campaign string, attempt int) error
	Release(ctx context.Context, id string) error
	ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error)
	Activate(ctx context.Context, p credential.Path, from vault.Live, value credential.Secret, owner string) (vault.Live, error)
	Destroy(ctx context.Context, p credential.Path, versions []int, activated int, written time.Time) (current bool, err error)
	WrittenAt(ctx context.Context, p credential.Path, version int) (at time.Time, known bool, err error)
	SinceActivated(ctx context.Context, id string, p credential.Path, live vault.Live) (vault.Since, error)
	// Keeping is what Vault does by itself with what is written, by the settings of a secret and its mount;
	// MountKeeping by those of the mount alone, which cost next to nothing.
	Keeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	MountKeeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	CampaignClosed(ctx context.Context, campaign string) (closed bool, until time.Time, err error)
}

// Rotator rotates credentials of one authority for one campaign. It is safe
// for concurrent use with different credentials; with the same credential, by
// a slow twin, the check-and-set of Vault decides.
type Rotator struct {
	Store     Store
	Authority kind.Authority
	Campaign  string
	// Pass of the campaign over the credential: 1, 2, … A value that is staged
	// in it is attempt number Pass, so that no attempt's number comes twice even
	// when what an earlier pass staged is gone.
	Pass int
	Now  func() time.Time
	// LeftOut are servers that a person took out of the campaign: prove does not ask
	// them. The write server is asked whatever it says.
	LeftOut []string

	// Hand carries what Prepare saw to Apply, and what Apply proved to Clean. Nil:
	// they look for themselves.
	Hand *Hand

	// Listed is when the paths of the roll were looked at with the settings of each secret; zero
	// if that is not known.
	Listed time.Time

	// Again: Clean may have been tried before, here or by another process.
	Again bool

	// Gate keeps a value from being set that Vault would not take. Slots is how many
	// credentials of the authority may be between Set and the proof at once.
	Gate  *Gate
	Slots int
	// Brake keeps a value from being set where one that was set does not work.
	Brake *Brake
	// Doubts are the servers that contradicted themselves in this campaign: prove
	// proves nothing on them. Nil: Steady forgets.
	Doubts *Doubts

	// StillOpen reports whether the campaign was seen open a few seconds ago.
	// Nil, or false, means that nobody knows.
	StillOpen func(context.Context) bool

	// Unlisted says why a value that another campaign left staged is not taken over, or is nil:
	// it was meant for a path that this roll has not. Nil: nobody looks.
	Unlisted func(ctx context.Context, c credential.Credential, left vault.Staged) *protocol.Stop

	// Reach guards what opens Vault. Nil: nobody else's login is open.
	Reach Reach

	looked lookedUp
	slow   sync.Map // replicas that lag beyond patience: not waited for again
	silent silence
}

// Prepared is what Prepare learned. It travels through Temporal: no names, no values.
type Prepared struct {
	// Attempt of the staged value.
	Attempt int `json:"attempt"`
	// Fresh: no server can have seen the staged value yet.
	Fresh bool `json:"fresh,omitempty"`
	// From are the versions in force before, in the order of Credential.Paths, and
	// then of Credential.Spare if that takes part.
	From []int `json:"from"`
	// Stop keeps the credential open at Precheck or Stage; nothing was changed.
	Stop *protocol.Stop `json:"stop,omitempty"`
	Step protocol.Step  `json:"step,omitempty"`
	// Elsewhere are paths that are not on this roll, at which an ended campaign has activated its value. They
	// do not travel.
	Elsewhere []vault.Placed `json:"-"`
}

// Applied is what Apply reached. It travels through Temporal: no names, no values.
type Applied struct {
	Attempt  int                 `json:"attempt"`
	Proof    protocol.Proof      `json:"proof,omitempty"` // set when dead
	Evidence []protocol.Evidence `json:"evidence,omitempty"`
	SetAt    time.Time           `json:"set_at,omitzero"`
	From     []int               `json:"from,omitempty"`
	// To are the activated versions, in the order of From; 0 for a path that was left as it is.
	To []int `json:"to,omitempty"`
	// Written is when Vault wrote each of To, and Doomed the versions that may be
	// destroyed once the outcome is recorded.
	Written  []time.Time          `json:"written,omitempty"`
	Doomed   [][]int              `json:"doomed,omitempty"`
	Findings []credential.Finding `json:"findings,omitempty"`
	// LeftOut are the servers that were not asked, because a person had left them out.
	LeftOut []string `json:"left_out,omitempty"`

	// Stop and Step say why and where it stays open.
	Stop *protocol.Stop `json:"stop,omitempty"`
	Step protocol.Step  `json:"step,omitempty"`

	sight sight
}

// Dead reports whether the old value is proved dead.
func (a Applied) Dead() bool { return a.Proof != "" && a.Stop == nil }

// ToClean is what Clean needs of it.
func (a Applied) ToClean() Dead {
	return Dead{Attempt: a.Attempt, To: a.To, Written: a.Written, Doomed: a.Doomed}
}

// Prepare checks the account, and stages a new value unless one is staged
// already. It changes nothing at the authority and nothing that consumers
// read. Trouble is in Prepared.Stop, never an error: one credential must not
// stop its batch.
func (r *Rotator) Prepare(ctx context.Context, c credential.Credential) Prepared {
	if stop := ProblemStop(c); stop != nil {
		return Prepared{Step: protocol.Precheck, Stop: stop}
	}
	account, read, err := r.account(ctx, c)
	if err == nil && account.State != protocol.Accepted {
		err = stopOf(account, r.writeServer())
	}
	if err == nil {
		err = r.mayStage(ctx, c, r.hindered(c, &account))
	}
	if err != nil {
		return Prepared{Step: protocol.Precheck, Stop: asStop(err)}
	}
	base, old, from := map[string]int{}, map[string]credential.Secret{}, make([]int, 0, len(c.Paths))
	var lives []vault.Live
	for i, p := range c.Paths {
		live, err := r.Store.ReadLive(ctx, p, 0)
		if err != nil {
			return Prepared{Step: protocol.Precheck, Stop: asStop(err)}
		}
		if stop := placeStop(live.Problem, i); stop != nil && (c.Spare == nil || live.Problem != credential.DeletedVersion && !c.Adopted) {
			return Prepared{Step: protocol.Precheck, Stop: stop}
		}
		base[p.String()] = live.Version
		// What an earlier campaign left to hand over is not what the owner uses: he had to change it.
		if live.Found && !live.Value.IsZero() && !c.HandsOver() {
			old[p.String()] = live.Value
		}
		from = append(from, live.Version)
		lives = append(lives, live)
	}
	if err := r.mayStage(ctx, c, copied(c, c.Paths, lives)); err != nil {
		return Prepared{Step: protocol.Precheck, Stop: asStop(err)}
	}
	staged, fresh, err := r.stage(ctx, c, account.Changed, base, old, lives)
	if err != nil {
		r.Gate.refused(err)
		out := Prepared{Step: protocol.Stage, Stop: asStop(err)}
		if e, ok := errors.AsType[*activatedAt](err); ok {
			out.Elsewhere = e.paths
		}
		return out
	}
	if fresh {
		r.Hand.keep(r.Campaign, c.ID, inHand{staged, lives, account, read})
	} else {
		from = versions(pathsOf(c, staged), staged.Base)
	}
	return Prepared{Attempt: staged.Attempt, Fresh: fresh, From: from}
}

// stage makes a value durable before any server sees it (rule 1). A value that
// is already staged is used, not replaced: it may be in force. Vault's
// check-and-set tells which it is, so nothing is read before.
func (r *Rotator) stage(ctx context.Context, c credential.Credential, before string, base map[string]int, old map[string]credential.Secret, lives []vault.Live) (vault.Staged, bool, error) {
	value, err := r.newValue(ctx, c, c.Paths, lives)
	if err != nil {
		return vault.Staged{}, false, err
	}
	staged, created, err := r.Store.Stage(ctx, c.ID, vault.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: max(1, r.Pass), Base: base, Old: old, Before: before, CreatedAt: r.Now().UTC(),
	})
	if err != nil || created {
		return staged, created, err
	}
	staged, err = r.own(ctx, c, staged, before, base, old, lives)
	return staged, false, err
}

// drawsMost bounds how many values are drawn until one fits all that surrounds the secret.
const drawsMost = 32

// newValue draws a new value that each of the places can hold as it is: what surrounds a secret may
// have no way to write some symbols. If none fits, that is said before Set.
func (r *Rotator) newValue(ctx context.Context, c credential.Credential, paths []credential.Path, lives []vault.Live) (value credential.Secret, err error) {
	for range drawsMost {
		if value, err = r.Authority.Generate(ctx, c); err != nil {
			return value, err
		}
		fits := true
		for i, live := range lives {
			fits = fits && (live.Problem != "" || live.Takes(paths[i].Field, value) == nil)
		}
		if fits {
			break
		}
	}
	return value, nil
}

// own makes sure that a staging entry is this campaign's. The entry of a
// campaign that has ended is taken over: its value may be the only one that
// still logs in, so it is kept, and consumers may have read it since, so it
// must die with the rest. base and old are what the live paths hold now.
func (r *Rotator) own(ctx context.Context, c credential.Credential, staged vault.Staged, before string, base map[string]int, old map[string]credential.Secret, lives []vault.Live) (vault.Staged, error) {
	if staged.Campaign == r.Campaign {
		return staged, nil
	}
	closed, until, err := r.Store.CampaignClosed(ctx, staged.Campaign)
	if err != nil {
		return vault.Staged{}, err
	}
	if !closed {
		return vault.Staged{}, &protocol.Stop{Reason: protocol.ReasonOtherOwner,
			Detail: fmt.Sprintf("campaign %s is rotating it; let it finish or abort it; a superseded one lets go when its workers have finished what they hold, and after %s at the latest", staged.Campaign, vault.Settles),
			Until:  until}
	}
	if err := r.activatedElsewhere(ctx, c, staged); err != nil {
		return vault.Staged{}, err
	}
	if r.Unlisted != nil {
		if stop := r.Unlisted(ctx, c, staged); stop != nil {
			return vault.Staged{}, stop
		}
	}
	value, err := r.newValue(ctx, c, c.Paths, lives)
	if err != nil {
		return vault.Staged{}, err
	}
	old = maps.Clone(old)
	held := takenOver + strconv.Itoa(staged.Attempt)
	for place, value := range staged.Old {
		if staged.Places[place] == vault.PlaceApart {
			continue // it took no part, so whose value it held is not known
		}
		if !strings.HasPrefix(place, takenOver) {
			// Stolen before the ended campaign began, and not proved dead by it.
			place = held + beforeIt + place
		}
		old[place] = value
	}
	if !staged.Unsent { // what no server has seen is nowhere in force
		old[held] = staged.Secret
	}
	return r.Store.Restage(ctx, c.ID, vault.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: staged.Attempt + 1, Base: base, Old: old,
		Unsent: true, Before: before, CreatedAt: r.Now().UTC(), Version: staged.Version,
	})
}

// activatedAt is the error of a credential whose value an ended campaign has activated at paths that
// this roll has not: their consumers would be cut off.
type activatedAt struct {
	*protocol.Stop
	paths []vault.Placed
}

func (e *activatedAt) Unwrap() error { return e.Stop }

// activatedElsewhere looks for such paths. Where a campaign put values it notes at the end of each batch; one
// that gave up before that has left what it staged, and the paths that it knew.
func (r *Rotator) activatedElsewhere(ctx context.Context, c credential.Credential, staged vault.Staged) error {
	if c.HandsOver() {
		return nil // nobody reads it there by himself
	}
	var found []vault.Placed
	for _, place := range slices.Sorted(maps.Keys(staged.Base)) {
		p, err := credential.ParsePath(place)
		if err != nil || slices.Contains(c.Paths, p) || c.Spare != nil && p == *c.Spare || staged.Places[place] == vault.PlaceApart {
			continue
		}
		live, err := r.Store.ReadLive(ctx, p, 0)
		if err != nil {
			return err
		}
		if live.Found && live.Value.Equal(staged.Secret) {
			found = append(found, vault.Placed{Path: p, Version: live.Version, Written: live.Written})
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &activatedAt{&protocol.Stop{Reason: protocol.ReasonMorePaths, Detail: "a campaign that ended has put its value at a path that this roll has not; " +
		"nothing was changed, and the next campaign lists that path too"}, found}
}

// takenOver begins the keys in Staged.Old of values that ended campaigns had
// staged. No path looks like it.
const takenOver = vault.TakenOver

func (r *Rotator) writeServer() string { return r.Authority.Servers()[0] }

// ProblemStop is why a credential cannot be rotated as it is listed, or nil.
func ProblemStop(c credential.Credential) *protocol.Stop {
	switch c.Problem {
	case "":
		return nil
	case credential.NoAccount:
		return &protocol.Stop{Reason: protocol.ReasonNoAccount, Detail: "a source names an account that its authority does not show: deleted, renamed, outside of base, hidden from bind.dn, or mistyped; nothing was changed"}
	case credential.Ambiguous:
		return &protocol.Stop{Reason: protocol.ReasonAmbiguous, Detail: "the reference matches more than one account; name it by DN or immutable id"}
	}
	if detail, ok := listedDetails[c.Problem]; ok {
		return &protocol.Stop{Reason: protocol.Reason(c.Problem), Detail: detail}
	}
	return &protocol.Stop{Reason: protocol.Reason(c.Problem), Detail: "it cannot be rotated as it is listed"}
}

// stopOf is why an account that is not in order keeps its credential open.
func stopOf(account kind.Account, server string) *protocol.Stop {
	return protocol.StopFor(account.State, server).LockedUntil(account.LockedUntil)
}

// asStop makes a value of any trouble. What is not a Stop or Vault's own error
// is an answer that was lost.
func asStop(err error) *protocol.Stop {
	var stop *protocol.Stop
	if errors.As(err, &stop) {
		return stop
	}
	var v *vault.Error
	if errors.As(err, &v) {
		return v.Stop()
	}
	if stop := protocol.GivenUp(err); stop != nil {
		return stop
	}
	text := err.Error()
	var named interface{ Public() string } // it names what may not travel
	if errors.As(err, &named) {
		text = named.Public()
	}
	return &protocol.Stop{Reason: protocol.ReasonUnreachable, Detail: text}
}

func versions(paths []credential.Path, by map[string]int) []int {
	out := make([]int, 0, len(paths))
	for _, p := range paths {
		out = append(out, by[p.String()])
	}
	return out
}
