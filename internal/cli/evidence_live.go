package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"rollcall/config"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/watch"
	"rollcall/internal/ledger"
	"rollcall/internal/plural"
)

// Times of a roll that is read again.
const (
	fetchEvery    = time.Minute      // a ledger that is served
	fetchPatience = time.Minute      // with who serves it
	verifyEvery   = 10 * time.Minute // one that says nothing new
	slowVerify    = 20               // verifying takes no more than one part in so many of the time
	clocksDiffer  = 2 * time.Minute  // a death may be that far ahead
)

// liveRoll is the roll of a campaign that may go on, by its ledger. It is
// verified whenever it is read, with the key that it had at the start (which is
// Vault's where it was fetched) and against what it had when it verified last.
type liveRoll struct {
	app      *app
	cfg      *config.Campaign
	domains  map[string]evidence.Domain
	campaign string
	dir, key string
	reader   *ledger.Reader
	// elsewhere: it is a copy of a ledger that is served, made anew at times;
	// stale is why that failed.
	elsewhere bool
	fetch     func(context.Context) error
	fetched   time.Time
	stale     error

	next, looked time.Time
	last         ledger.Checkpoint // as it was read
	anchor       []byte            // the checkpoint that verified last
	verified     []judge.Credential
	doubt        error
	closed       bool
	ahead        map[string]time.Time // when a death was read that lay ahead
}

func (r *liveRoll) open(ctx context.Context, campaign string) error {
	var args []string
	if campaign != "latest" {
		args = []string{campaign}
	}
	dir, err := r.app.findLedger(ctx, "", args)
	if err != nil {
		return err
	}
	r.elsewhere = filepath.Clean(filepath.Dir(dir)) != filepath.Clean(r.cfg.LedgerDir)
	r.fetch = r.fetchAgain
	return r.of(dir)
}

// of begins with a ledger.
func (r *liveRoll) of(dir string) (err error) {
	if r.reader, err = ledger.OpenReader(dir); err != nil {
		return err
	}
	if r.reader.Campaign() == ledger.EvidenceOf(r.cfg.Device) {
		return noRollIn(r.reader.Campaign())
	}
	r.dir, r.key, r.campaign, r.fetched = dir, r.reader.VerifierKey(), r.reader.Campaign(), time.Now()
	r.ahead = map[string]time.Time{}
	return nil
}

func (r *liveRoll) fetchAgain(ctx context.Context) error {
	return r.app.withVault(ctx, func(s *session) error {
		_, found, why := s.fetch(ctx, r.campaign)
		if !found && why == nil {
			why = errors.New("nobody serves it now")
		}
		return why
	})
}

// read takes up what the ledger gained. A copy that could not be fetched is
// stale until one was.
func (r *liveRoll) read(ctx context.Context) (all []judge.Credential, changed bool, err error) {
	if r.elsewhere && !r.closed && time.Since(r.fetched) > fetchEvery {
		within, cancel := context.WithTimeout(ctx, fetchPatience)
		r.stale = r.fetch(within)
		cancel()
		r.fetched = time.Now()
	}
	if r.stale != nil {
		return nil, false, r.stale
	}
	cp, err := r.reader.Checkpoint()
	if err != nil {
		return nil, false, err
	}
	now := time.Now()
	same := cp.Size == r.last.Size && cp.Root == r.last.Root && now.Sub(r.looked) < verifyEvery
	if !r.looked.IsZero() && (same || now.Before(r.next)) {
		return nil, false, r.doubt
	}
	if all, err = r.verify(ctx, cp); err != nil {
		return nil, false, err
	}
	r.last, r.looked, r.next = cp, now, time.Now().Add(slowVerify*time.Since(now))
	return all, true, r.doubt
}

// verify gives the roll of a ledger, and says in r.doubt what is not to be
// believed of it. What verified before stands then.
func (r *liveRoll) verify(ctx context.Context, cp ledger.Checkpoint) (all []judge.Credential, err error) {
	found, state, err := ledger.VerifyState(ctx, r.dir, r.key, r.anchor)
	if err != nil {
		return nil, err
	}
	r.doubt = nil
	if state != nil && found.OK() {
		all, _ = ledgerForEvidence(state, r.domains)
		if cp.Size <= found.Size {
			r.anchor = cp.Raw
		}
		r.closed = state.Phase == ledger.Closed
		r.verified = r.inTime(all)
		return r.verified, nil
	}
	why := "`rollcall ledger verify` says what is wrong"
	if len(found.Problems) > 0 {
		why = problemText(found.Problems[0])
	}
	lies, readable := r.reader.State(ctx)
	switch {
	case readable == nil:
		all, _ = ledgerForEvidence(lies, r.domains)
	case r.verified == nil:
		return nil, readable
	}
	all = r.inTime(beside(r.verified, all))
	r.doubt = &watch.NotVerified{Why: fmt.Sprintf("it does not verify: %s. What verified before stands, and what it says beside that is taken as it lies: deaths and names in it may be made up; see `rollcall ledger verify %s`", why, r.campaign)}
	return all, nil
}

// beside is a roll that verified, and what another one says that it has not.
func beside(verified, lies []judge.Credential) (out []judge.Credential) {
	out = slices.Clone(verified)
	at := map[string]int{}
	for i, c := range out {
		at[c.ID] = i
	}
	for _, c := range lies {
		i, there := at[c.ID]
		switch {
		case !there:
			out = append(out, c)
		case out[i].Rotated.IsZero():
			out[i].Rotated, out[i].Begun, out[i].Set = c.Rotated, c.Begun, c.Set
		}
	}
	return out
}

// inTime takes a death that lies ahead to have been when it was first read:
// else each try until then would be from before it.
func (r *liveRoll) inTime(all []judge.Credential) []judge.Credential {
	now, n := time.Now(), 0
	for i, c := range all {
		if at, known := r.ahead[c.ID]; known && c.Rotated.After(at) {
			all[i].Rotated, n = at, n+1
		} else if c.Rotated.Sub(now) > clocksDiffer {
			all[i].Rotated, r.ahead[c.ID], n = now, now, n+1
		}
	}
	if n > 0 && r.doubt == nil {
		r.doubt = &watch.NotVerified{Why: fmt.Sprintf("it says of %s that their values will be dead at a time that is to come; they are taken to be dead since that was read. Is a clock wrong, here or at a worker?", plural.Count(n, "credential", "credentials"))}
	}
	return all
}
