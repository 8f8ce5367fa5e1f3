package rotation

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Prepare checks the account, and stages a new value unless one is staged
// already. It changes nothing at the authority and nothing that consumers
// read. Trouble is in Prepared.Stop, never an error: one credential must not
// stop its batch.
func (r *Rotator) Prepare(ctx context.Context, c credential.Credential) Prepared {
	if stop := ProblemStop(c); stop != nil {
		return keptOpen(protocol.Precheck, stop)
	}
	if c.Kind.OnlyEnds() {
		return r.prepareEnd(ctx, c)
	}
	account, read, err := r.account(ctx, c)
	if err == nil && account.State != protocol.Accepted {
		err = stopOf(account, r.writeServer())
	}
	if err == nil {
		err = r.mayStage(ctx, c, r.hindered(ctx, c, &account))
	}
	if err != nil {
		return keptOpen(protocol.Precheck, asStop(err))
	}
	base, old, from := map[string]int{}, map[string]credential.Secret{}, make([]int, 0, len(c.Paths))
	var lives []vault.Live
	listed := false
	for i, p := range c.Paths {
		live, since, err := r.readPrepared(ctx, c, p)
		if err != nil {
			return keptOpen(protocol.Precheck, asStop(err))
		}
		if !since.IsZero() {
			listed = true
			if since.Before(read) {
				read = since
			}
		}
		if stop := placeStop(live.Problem, i); stop != nil && (c.Spare == nil || live.Problem != credential.DeletedVersion && !c.Adopted) {
			return keptOpen(protocol.Precheck, stop)
		}
		base[p.String()] = live.Version
		// What an earlier campaign left to hand over is not what the owner
		// uses: he had to change it.
		if live.Found && !live.Value.IsZero() && !c.HandsOver() {
			old[p.String()] = live.Value
		}
		from = append(from, live.Version)
		lives = append(lives, live)
	}
	if err := r.alike(ctx, c, old); err != nil {
		return keptOpen(protocol.Precheck, asStop(err))
	}
	if len(old) == 0 {
		if err := r.mayStage(ctx, c, secretless(c, account, r.writeServer())); err != nil {
			return keptOpen(protocol.Precheck, asStop(err))
		}
	}
	if err := r.mayStage(ctx, c, r.asSecrets(c, c.Paths, lives)); err != nil {
		return keptOpen(protocol.Precheck, asStop(err))
	}
	staged, fresh, err := r.stage(ctx, c, account.Changed, base, old, lives)
	if err != nil {
		r.Gate.refused(err)
		out := keptOpen(protocol.Stage, asStop(err))
		if e, ok := errors.AsType[*activatedAt](err); ok {
			out.Elsewhere = e.paths
		}
		return out
	}
	if fresh {
		r.Cache.keep(r.Campaign, c.ID, prepared{staged, lives, account, read, listed}, r.Now())
	} else {
		from = versions(pathsOf(c, staged), staged.Base)
	}
	return Prepared{Prepared: wire.Prepared{Attempt: staged.Attempt, Fresh: fresh, From: from}}
}

// stage makes a value durable before any server sees it (rule 1). A value that
// is already staged is used, not replaced: it may be in force. Vault's
// check-and-set tells which it is, so nothing is read before.
func (r *Rotator) stage(ctx context.Context, c credential.Credential, before string, base map[string]int, old map[string]credential.Secret, lives []vault.Live) (ownmount.Staged, bool, error) {
	value, err := r.newValue(ctx, c, c.Paths, lives)
	if err != nil {
		return ownmount.Staged{}, false, err
	}
	staged, created, err := r.Store.Stage(ctx, c.ID, ownmount.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: max(1, r.Pass), Base: base, Old: old, Before: before, CreatedAt: r.Now().UTC(),
	})
	if err != nil || created {
		return staged, created, err
	}
	staged, err = r.takeOver(ctx, c, staged, before, base, old, lives)
	return staged, false, err
}

// maxDraws bounds how many values are drawn until one fits all that surrounds
// the secret. With nine symbols of which files of settings take five, one of
// seven values fits.
const maxDraws = 256

// newValue draws a new value that each of the places can hold as it is: what
// surrounds a secret may have no way to write some symbols, or (base64 of which
// it does not show whether it is padded) some lengths. If none fits, that is
// said before Set.
func (r *Rotator) newValue(ctx context.Context, c credential.Credential, paths []credential.Path, lives []vault.Live) (value credential.Secret, err error) {
	fits := func(value credential.Secret) bool {
		for i, live := range lives {
			if live.Problem == "" && live.Takes(paths[i].Field, value) != nil {
				return false
			}
		}
		return true
	}
	shorter, _ := kind.As[kind.Shorter](r.Authority)
	for range maxDraws {
		if value, err = r.Authority.Generate(ctx, c); err != nil || fits(value) {
			return value, err
		}
		for by := 1; by <= 2 && shorter != nil; by++ {
			if less, err := shorter.GenerateShorter(ctx, c, by); err == nil && fits(less) {
				return less, nil
			}
		}
	}
	return value, nil
}

// mayStage keeps a value from being staged for such an account, unless one is
// staged already: that may be in force, and is then activated and proved.
func (r *Rotator) mayStage(ctx context.Context, c credential.Credential, stop *protocol.Stop) error {
	if stop == nil {
		return nil
	}
	_, found, err := r.Store.ReadStaged(ctx, c.ID)
	if err != nil || found {
		return err
	}
	return stop
}

// accountTTL is how long an account that LookUp read is taken to be as it was.
// The accounts of a large batch at a low rate limit are read again one by one.
const accountTTL = 10 * time.Second

// lookedUp are accounts on the write server, by credential ID, and when they
// were read.
type lookedUp struct {
	accounts map[string]kind.Account
	at       time.Time
}

// LookUp reads the accounts of credentials that Prepare is about to be called
// for, at an authority that can read many in few calls. It saves work and
// decides nothing: what it does not find, for whatever reason, Prepare reads by
// itself. It must have returned before Prepare is called.
func (r *Rotator) LookUp(ctx context.Context, cs []credential.Credential) {
	many, ok := kind.As[kind.Many](r.Authority)
	if !ok || len(cs) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, accountTTL) // what comes later is worth nothing
	defer cancel()
	at := r.Now()
	r.looked = lookedUp{accounts: many.Accounts(ctx, r.writeServer(), cs), at: at}
}

// account is the credential's on the write server, and since when it is known
// to be so.
func (r *Rotator) account(ctx context.Context, c credential.Credential) (kind.Account, time.Time, error) {
	now := r.Now()
	if a, ok := r.looked.accounts[c.ID]; ok && age(r.looked.at, now) < accountTTL {
		return a, r.looked.at, nil
	}
	a, err := r.Authority.Account(ctx, r.writeServer(), c)
	return a, now, err
}
