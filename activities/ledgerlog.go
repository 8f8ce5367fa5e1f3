package activities

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/vault/ownmount"
)

// Shut releases every folder of l. It is no method, because every exported
// method of an activity struct is an activity.
func Shut(l *Ledger) error {
	l.mu.Lock()
	names := make([]string, 0, len(l.logs))
	for name := range l.logs {
		names = append(names, name)
	}
	l.mu.Unlock()
	var first error
	for _, name := range names {
		if err := l.release(name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (l *Ledger) append(ctx context.Context, campaign string, entries []ledger.Entry) error {
	if err := l.nameLogins(ctx, campaign, entries); err != nil {
		return err
	}
	if len(entries) == 0 {
		return nil
	}
	log, err := l.log(ctx, campaign)
	if err == nil {
		_, err = log.Append(ctx, entries)
	}
	err = classify(errLedger, err)
	l.mu.Lock()
	l.trouble = plainly(err)
	if slices.ContainsFunc(entries, func(e ledger.Entry) bool { return e.Event == ledger.EventOutcome || e.Event == ledger.Reopened }) {
		l.last, l.grown = folded{}, l.grown+1 // what is dead is another answer by now
	}
	l.mu.Unlock()
	l.say(campaign, entries, err)
	l.notifier.Grew(campaign, plainly(err))
	return err
}

// LedgerTrouble is why the last append failed; nil if it did not. It is no
// method, because every exported method of an activity struct is an activity.
func LedgerTrouble(l *Ledger) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

// say logs what was recorded, or that it could not be.
func (l *Ledger) say(campaign string, entries []ledger.Entry, err error) {
	switch {
	case l.Log == nil:
	case err != nil:
		l.Log.Warn("entries could not be recorded; it is tried again", "campaign", campaign, "entries", len(entries), "error", plainly(err))
	default:
		for _, e := range entries {
			attrs := []any{"campaign", campaign}
			for _, a := range [][2]string{{"name", e.Name}, {"step", string(e.Step)}, {"reason", string(e.Reason)}, {"server", e.Server}, {"proof", string(e.Proof)}, {"finding", string(e.Finding)}, {"actor", e.Actor}, {"detail", e.Detail}} {
				if a[1] != "" {
					attrs = append(attrs, a[0], a[1])
				}
			}
			l.Log.Info(string(e.Event), attrs...)
		}
	}
}

func (l *Ledger) log(ctx context.Context, campaign string) (*ledger.Log, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if log, ok := l.logs[campaign]; ok {
		return log, nil
	}
	log, err := OpenLedger(ctx, l.Store, l.Dir, campaign)
	if err != nil {
		return nil, err
	}
	if l.logs == nil {
		l.logs = map[string]*ledger.Log{}
	}
	l.logs[campaign] = log
	return log, nil
}

// OpenLedger becomes the one writer of a ledger below dir, signed and anchored
// through Vault. What it gives outlives ctx, and needs the store.
func OpenLedger(ctx context.Context, store *ownmount.Store, dir, campaign string) (*ledger.Log, error) {
	signer, err := store.Signer(ctx, ledger.Origin(campaign))
	if err != nil {
		return nil, err
	}
	key, err := store.VerifierKey(ctx, ledger.Origin(campaign))
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(dir, campaign)
	anchored, err := store.Anchored(ctx, campaign)
	if err != nil {
		return nil, err
	}
	if anchored != nil {
		// A folder that was rolled back must not be continued as a fork.
		if err := ledger.CheckAnchored(folder, key, anchored); err != nil {
			return nil, err
		}
	}
	at := ownmount.LedgerPlace{Folder: folder}
	at.Host, _ = os.Hostname()
	if whole, err := filepath.Abs(folder); err == nil {
		at.Folder = whole
	}
	return ledger.Open(context.WithoutCancel(ctx), folder, campaign, signer, key,
		func(ctx context.Context, checkpoint []byte) error { return store.Anchor(ctx, campaign, checkpoint, at) })
}

func (l *Ledger) release(campaign string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	log, ok := l.logs[campaign]
	if !ok {
		return nil
	}
	delete(l.logs, campaign)
	return log.Close(context.Background())
}

// stateNow is the fold of a campaign's ledger, of the caller's own.
func (l *Ledger) stateNow(ctx context.Context, campaign string) (*ledger.State, error) {
	reader, err := ledger.OpenReader(filepath.Join(l.Dir, campaign))
	if err != nil {
		return nil, classify(errLedger, err)
	}
	state, err := reader.Packed(ctx)
	return state, classify(errLedger, err)
}

// stateTTL is how long the state of a ledger is taken to be so, for one batch
// after another.
const stateTTL = 30 * time.Second

// folded is the state of a campaign's ledger, and when it was read.
type folded struct {
	campaign string
	state    *ledger.State
	at       time.Time
}

// state is stateNow, or what that was a while ago, but for what is dead, which
// it tells as it is. Others have it too: hold folding while you ask it.
func (l *Ledger) state(ctx context.Context, campaign string) (*ledger.State, error) {
	l.mu.Lock()
	have, grown := l.last, l.grown
	l.mu.Unlock()
	if have.campaign == campaign && time.Since(have.at) < stateTTL {
		return have.state, nil
	}
	state, err := l.stateNow(ctx, campaign)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if grown == l.grown {
		now := folded{campaign, state, time.Now()}
		l.last = now
		time.AfterFunc(stateTTL, func() { // it takes no memory once nobody asks any more
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.last == now {
				l.last = folded{}
			}
		})
	}
	return state, nil
}
