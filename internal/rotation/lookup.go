package rotation

import (
	"context"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
)

// lookHolds is how long an account that LookUp read is taken to be as it was. The
// accounts of a large batch at a low rate limit are read again one by one.
const lookHolds = 10 * time.Second

// lookedUp are accounts on the write server, by credential ID, and when they were read.
type lookedUp struct {
	accounts map[string]kind.Account
	at       time.Time
}

// LookUp reads the accounts of credentials that Prepare is about to be called for, at
// an authority that can read many in few calls. It saves work and decides nothing: what
// it does not find, for whatever reason, Prepare reads by itself. It must have returned
// before Prepare is called.
func (r *Rotator) LookUp(ctx context.Context, cs []credential.Credential) {
	many, ok := kind.As[kind.Many](r.Authority)
	if !ok || len(cs) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookHolds) // what comes later is worth nothing
	defer cancel()
	at := r.Now()
	r.looked = lookedUp{accounts: many.Accounts(ctx, r.writeServer(), cs), at: at}
}

// account is the credential's on the write server, and since when it is known to be so.
func (r *Rotator) account(ctx context.Context, c credential.Credential) (kind.Account, time.Time, error) {
	now := r.Now()
	if a, ok := r.looked.accounts[c.ID]; ok && age(r.looked.at, now) < lookHolds {
		return a, r.looked.at, nil
	}
	a, err := r.Authority.Account(ctx, r.writeServer(), c)
	return a, now, err
}
