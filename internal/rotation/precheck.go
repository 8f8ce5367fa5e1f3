package rotation

import (
	"context"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"time"
)

// found is what precheck saw of a credential.
type found struct {
	account  kind.Account
	lives    []vault.Live // of the paths of the roll, in their order
	versions []int        // of those
	base     map[string]int
	old      map[string]credential.Secret // what has to die, by where it is held
	read     time.Time                    // the oldest of it
	listed   bool                         // some of lives are the listing's
}

// precheck looks whether the account is in order, and reads what its paths
// hold. Its error says why nothing is staged.
func (r *Rotator) precheck(ctx context.Context, c credential.Credential) (was found, err error) {
	if was.account, was.read, err = r.account(ctx, c); err != nil {
		return found{}, err
	}
	if was.account.State != protocol.Accepted {
		return found{}, stopOf(was.account, r.writeServer())
	}
	if err := r.mayStage(ctx, c, r.hindered(ctx, c, &was.account)); err != nil {
		return found{}, err
	}
	if err := r.mayStage(ctx, c, unnumbered(was.account, r.writeServer())); err != nil {
		return found{}, err
	}
	if err := r.readPaths(ctx, c, &was); err != nil {
		return found{}, err
	}
	if err := r.alike(ctx, c, was.old); err != nil {
		return found{}, err
	}
	if len(was.old) == 0 {
		if err := r.mayStage(ctx, c, secretless(c, was.account, r.writeServer())); err != nil {
			return found{}, err
		}
	}
	// A secret that but claims to be the account's is looked at once the
	// account was asked: else a line of a thief's would hold it open.
	return was, r.mayStage(ctx, c, r.asSecrets(c, c.Paths, was.lives, func(i int) bool { return c.Claim(c.Paths[i]) }))
}

// unnumbered is why nothing is staged for an account of which the change marks
// are not shown, where a proof goes by them: which servers have a change and
// which lag would not show, nor how often the secret was set, nor whether
// somebody has set another one since the proof.
func unnumbered(a kind.Account, server string) *protocol.Stop {
	if !a.Unnumbered() {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonRights, Server: server,
		Detail: "when its password was last set is not shown to bind.dn, so servers that have not seen the reset could not be told from others, nor a later change from none; nothing was set: let bind.dn read pwdLastSet and msDS-KeyVersionNumber of it (Read Account Restrictions: " + `dsacls "OU=…" /I:S /G "DOMAIN\account:RP;Account Restrictions;user"` + "; docs/rights.md)"}
}

// readPaths reads the paths of the roll.
func (r *Rotator) readPaths(ctx context.Context, c credential.Credential, was *found) error {
	was.base, was.old = map[string]int{}, map[string]credential.Secret{}
	was.versions = make([]int, 0, len(c.Paths))
	for i, p := range c.Paths {
		live, since, err := r.readPrepared(ctx, c, p)
		if err != nil {
			return err
		}
		if !since.IsZero() {
			was.listed = true
			if since.Before(was.read) {
				was.read = since
			}
		}
		if stop := placeStop(live.Problem, i); stop != nil && (c.Spare == nil || live.Problem != credential.DeletedVersion && !c.Adopted) {
			return stop
		}
		was.base[p.String()] = live.Version
		// What an earlier campaign left to hand over is not what the owner
		// uses: he had to change it.
		if live.Found && !live.Value.IsZero() && !c.HandsOver() {
			was.old[p.String()] = live.Value
		}
		was.versions = append(was.versions, live.Version)
		was.lives = append(was.lives, live)
	}
	return nil
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

// alike adds what another authority's account of that name has in Vault, and
// this one accepted when it was listed: it has to die here as well. It is no
// path of this account, so nothing is written there; and the version is read
// that was seen, for the present one may be the other's new value, which this
// authority has no business to see. Where it is destroyed already, the proof is
// that of an account whose old value Vault never held.
func (r *Rotator) alike(ctx context.Context, c credential.Credential, old map[string]credential.Secret) error {
	for _, at := range c.Alike {
		live, err := r.read(ctx, c, at.Path, at.Version)
		switch {
		case vault.IsNotFound(err) || vault.IsDenied(err):
		case err != nil:
			return err
		case live.Found && live.Problem == "" && live.Version == at.Version && !live.Value.IsZero():
			old[at.String()] = live.Value
		}
	}
	return nil
}
