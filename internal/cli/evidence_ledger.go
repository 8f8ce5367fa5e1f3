package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rollcall/activities"
	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/plural"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/version"
)

// evidenceLedger is the writer of the ledger of what logs show of a device. It
// is opened when there is something to write, and anew after an error: so it
// waits for Vault, for room on the disk and for another writer's end.
type evidenceLedger struct {
	dir, device string
	secrets     *lateSecrets  // of its own: what signs lives as long as its login
	held        time.Duration // at a stretch: others write into it too

	mu  sync.Mutex
	log *ledger.Log
}

func (a *app) evidenceLedger(cfg *config.Campaign, dir string) *evidenceLedger {
	return &evidenceLedger{dir: dir, device: cfg.Device, secrets: a.lateSecrets(cfg), held: heldFor}
}

// record writes a reading of logs, or what is new of it. Once it returns
// without an error it is signed, on the disk, and anchored in Vault. What was
// written before is not written again.
func (l *evidenceLedger) record(ctx context.Context, r credential.LogsRead, of []credential.Credential) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := ledger.EvidenceEntries(l.device, version.Current().String(), r, of, time.Now().UTC())
	err := l.secrets.with(ctx, func(store *ownmount.Store) (err error) {
		if l.log == nil {
			dir, err := filepath.Abs(l.dir)
			if err != nil {
				return err
			}
			folder := filepath.Join(dir, ledger.EvidenceOf(l.device))
			// Entries go by their id, so the first stays: a try before this one
			// may have made the folder and written nothing.
			entries[0].Detail = former(folder)
			if l.log, err = activities.OpenLedger(ctx, store, dir, ledger.EvidenceOf(l.device)); err != nil {
				return otherKey(ctx, store, folder, err)
			}
			opened := l.log
			time.AfterFunc(l.held, func() { l.release(opened) })
		}
		_, err = l.log.Append(ctx, entries)
		return err
	})
	if err != nil {
		l.letGo(ctx)
		return fmt.Errorf("ledger %s: %w", ledger.EvidenceOf(l.device), err)
	}
	return nil
}

// aside is how a part of a device's evidence is called that was moved away.
const aside = "-until-"

// partsAside are the folders of those parts, in order of their names. A path is
// no pattern, whatever is in it.
func partsAside(folder string) (out []string) {
	beside, err := os.ReadDir(filepath.Dir(folder))
	if err != nil {
		return nil
	}
	for _, e := range beside {
		if strings.HasPrefix(e.Name(), filepath.Base(folder)+aside) {
			out = append(out, filepath.Join(filepath.Dir(folder), e.Name()))
		}
	}
	return out
}

// former says what lies beside a ledger that is begun: the parts before it. Its
// first entry has that, so nobody takes it for all that there is.
func former(folder string) string {
	var out []string
	for _, part := range partsAside(folder) {
		words := "another one"
		if r, err := ledger.OpenReader(part); err == nil {
			words = "the key " + r.VerifierKey()
			if cp, err := r.Checkpoint(); err == nil {
				words = fmt.Sprintf("%s, root %s, %s", plural.Count(cp.Size, "entry", "entries"), cp.Root, words)
			}
		}
		out = append(out, filepath.Base(part)+" ("+words+")")
	}
	if len(out) == 0 {
		return ""
	}
	return "goes on from " + strings.Join(out, ", ")
}

// otherKey says what to do about a ledger whose key Vault has not got.
func otherKey(ctx context.Context, store *ownmount.Store, folder string, err error) error {
	if !errors.Is(err, ledger.ErrWrongLedger) {
		return err
	}
	r, unread := ledger.OpenReader(folder)
	key, unknown := store.VerifierKey(ctx, ledger.Origin(filepath.Base(folder)))
	if unread != nil || unknown != nil || r.VerifierKey() == key {
		return err
	}
	return fmt.Errorf("%w. Vault was built anew, or this is another Vault. Nothing was written, and what is there is verified with its own key as before. Restore the transit key and the checkpoints of Vault from its backup; if there is none, move %s to %s%s%s, note why, and begin a watch with a new --state: the next record begins a new ledger, and its first entry names the one before",
		err, folder, filepath.Base(folder), aside, time.Now().UTC().Format("20060102"))
}

func (l *evidenceLedger) letGo(ctx context.Context) {
	if l.log != nil {
		_ = l.log.Close(ctx)
		l.log = nil
	}
}

// release lets go of a ledger that was held for long, between two writings.
func (l *evidenceLedger) release(held *ledger.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.log == held {
		ctx, cancel := context.WithTimeout(context.Background(), ledgerPatience)
		defer cancel()
		l.letGo(ctx)
	}
}

// close lets go of the ledger.
func (l *evidenceLedger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), ledgerPatience)
	defer cancel()
	l.letGo(ctx)
	l.secrets.close()
}

// A watch holds the ledger so long, and who writes into it once waits longer.
const (
	heldFor        = time.Minute
	recordPatience = 3 * time.Minute
	looksForEnd    = 3 * time.Second
)

// recordOnce is record, which waits until a watch lets go of the ledger.
func (l *evidenceLedger) recordOnce(ctx context.Context, r credential.LogsRead, of []credential.Credential, waits func(error)) error {
	for until, said := time.Now().Add(recordPatience), false; ; said = true {
		err := l.record(ctx, r, of)
		if !errors.Is(err, ledger.ErrLocked) || time.Now().After(until) {
			return err
		}
		if !said {
			waits(err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(looksForEnd):
		}
	}
}

// ledgerPatience is for a commit that is in hand when a ledger is let go.
const ledgerPatience = 10 * time.Second
