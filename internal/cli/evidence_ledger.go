package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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

// partNamed is a part as former names it.
var partNamed = regexp.MustCompile(`([A-Za-z0-9][A-Za-z0-9._-]*) \((\d+) entr(?:y|ies), root ([A-Za-z0-9+/=]{44}), the key ([^\s()]+)\)`)

// fetchParts brings the parts that were moved aside before a ledger of evidence
// was begun. Their keys are not Vault's any more, so they are held to what the
// first entry of that ledger says of them, which Vault's key signs.
func (s *session) fetchParts(ctx context.Context, offers []ownmount.LedgerOffer, folder string) {
	first, err := firstEntry(ctx, folder)
	if err != nil {
		return // whoever reads the ledger says what is wrong with it
	}
	for _, m := range partNamed.FindAllStringSubmatch(first.Detail, -1) {
		if !strings.HasPrefix(m[1], filepath.Base(folder)+aside) {
			continue
		}
		found, why := false, error(nil)
		size, err := strconv.ParseUint(m[2], 10, 63)
		is, unfit := ledger.PinAt(m[4], size, m[3])
		if why = cmp.Or(err, unfit); why == nil {
			_, found, why = s.fetchPinned(ctx, offers, m[1], is)
		}
		if !found {
			s.say("WARNING: %s is a part of that evidence which was moved aside, and could not be fetched, so what it shows is not shown: %v", m[1], why)
		}
	}
}

func firstEntry(ctx context.Context, folder string) (first ledger.Entry, err error) {
	r, err := ledger.OpenReader(folder)
	if err != nil {
		return first, err
	}
	got := errors.New("that is all")
	err = r.Entries(ctx, 0, func(_ uint64, e ledger.Entry) error {
		first = e
		return got
	})
	if errors.Is(err, got) {
		err = nil
	}
	return first, err
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
