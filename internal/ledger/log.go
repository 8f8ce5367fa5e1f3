package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"rollcall/internal/plural"
)

// Anchor copies a newly published checkpoint to where whoever can write the
// ledger's folder cannot reach it. It is called again with the same or a
// later checkpoint after an error, and once whenever a log is opened. Its
// context ends after 30 seconds.
type Anchor func(ctx context.Context, checkpoint []byte) error

// Log is the one writer of a campaign's ledger. It is safe for concurrent use.
type Log struct {
	dir      string
	campaign string
	signer   note.Signer
	verifier note.Verifier
	anchor   Anchor
	lock     *os.File

	driver tessera.Driver
	reader tessera.LogReader
	stop   context.CancelFunc // of Tessera's own goroutines

	requests  chan *request
	closing   chan struct{} // no more requests
	committed chan struct{} // the committer has ended
	closed    chan struct{} // the folder was let go
	closeErr  error
	once      sync.Once

	// Of the committer alone, once it runs.
	ids       map[idKey]uint64 // id -> index, of every entry in the log
	size      uint64           // entries in the log
	published Checkpoint
	anchored  bool // published has been anchored
}

// idKey is the front half of an id's SHA-256: 100,000 entries cost a few
// megabytes, and nobody can choose two ids that collide.
type idKey [16]byte

func keyOf(id string) idKey {
	sum := sha256.Sum256([]byte(id))
	return idKey(sum[:16])
}

const (
	// chunkSize is the most entries that are integrated at once.
	chunkSize = 16 * tileWidth

	// We publish checkpoints ourselves, as soon as there is something to
	// publish, so Tessera's own publisher gets an interval that never ends. So
	// do its batches, which end by their size.
	never = 100 * 365 * 24 * time.Hour

	anchorTimeout = 30 * time.Second
)

// Open opens the ledger of a campaign in a folder of its own and becomes its
// one writer, or creates it. The signer's name must be Origin(campaign), and
// verifierKey its public key in the form of golang.org/x/mod/sumdb/note. ctx
// bounds the opening only; Close ends the log.
//
// Entries that a crash left without a checkpoint are kept, signed and
// anchored before Open returns. Errors: ErrWrongLedger, ErrLocked, ErrDamaged
// (nothing was changed); ErrFull, ErrNotPublished, ErrNotAnchored (call Open
// again when the cause is gone).
func Open(ctx context.Context, dir, campaign string, signer note.Signer, verifierKey string, anchor Anchor) (*Log, error) {
	if anchor == nil {
		return nil, errors.New("a ledger needs an anchor: without one, its end could be cut off unseen")
	}
	v, err := checkKeys(campaign, signer, verifierKey)
	if err != nil {
		return nil, err
	}
	want := about{Origin: Origin(campaign), VerifierKey: verifierKey, Version: formatVersion}
	if _, err := inspect(dir, want); err != nil {
		return nil, err
	}
	// No secret is in it, but every name of what was stolen.
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, diskError(dir, "creating the ledger folder", err)
	}
	l := &Log{
		dir: dir, campaign: campaign, signer: signer, verifier: v, anchor: anchor,
		requests: make(chan *request), closing: make(chan struct{}), committed: make(chan struct{}), closed: make(chan struct{}),
		ids: map[idKey]uint64{},
	}
	if l.lock, err = lock(dir); err != nil {
		return nil, err
	}
	if err := l.load(ctx, want); err != nil {
		if l.stop != nil {
			l.stop()
		}
		_ = l.lock.Close()
		return nil, err
	}
	go l.commitLoop()
	return l, nil
}

func checkKeys(campaign string, s note.Signer, verifierKey string) (note.Verifier, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return nil, fmt.Errorf("the ledger's public key %q: %w", verifierKey, err)
	}
	if v.Name() != Origin(campaign) || s.Name() != v.Name() {
		return nil, fmt.Errorf("the ledger of campaign %q needs a key named %q; the signer is %q, the public key %q", campaign, Origin(campaign), s.Name(), v.Name())
	}
	if s.KeyHash() != v.KeyHash() {
		return nil, fmt.Errorf("the signer of %q does not belong to the public key %s", s.Name(), verifierKey)
	}
	return v, nil
}

// load runs under the lock: it writes ledger.json if there is none, checks
// what is there, and brings what a crash left to a published checkpoint.
func (l *Log) load(ctx context.Context, want about) error {
	fresh, err := inspect(l.dir, want) // again: another process may have come first
	if err != nil {
		return err
	}
	if fresh {
		raw, err := json.Marshal(want)
		if err != nil {
			return err
		}
		if err := replaceFile(l.dir, aboutFile, append(raw, '\n')); err != nil {
			return diskError(l.dir, "creating the ledger", err)
		}
	}
	if err := l.loadCheckpoint(); err != nil {
		return err
	}
	sweep(l.dir)
	if err := l.startTessera(); err != nil {
		return diskError(l.dir, "opening the ledger", err)
	}
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	if err := l.checkTiles(newFileTiles(l.dir, l.size)); err != nil {
		return err
	}
	return l.publish(ctx)
}

// loadCheckpoint reads the last checkpoint and refuses a folder from which
// Tessera would start again at zero, over the entries that are there.
func (l *Log) loadCheckpoint() error {
	raw, err := os.ReadFile(filepath.Join(l.dir, checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return diskError(l.dir, "reading the checkpoint", err)
	}
	if l.published, err = openCheckpoint(raw, l.verifier); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, l.dir, err)
	}
	var state struct {
		Size uint64 `json:"size"`
	}
	raw, err = os.ReadFile(filepath.Join(l.dir, filepath.FromSlash(stateFile)))
	if err == nil {
		err = json.Unmarshal(raw, &state)
	}
	if err != nil {
		return fmt.Errorf("%w: the writer's state cannot be read (%v); the ledger can be read and verified, and appended to once %s is restored", ErrDamaged, err, stateFile)
	}
	if state.Size < l.published.Size {
		return fmt.Errorf("%w: %s knows %s and the checkpoint in %s signs %d; restore the folder as a whole", ErrDamaged, stateFile, plural.Count(state.Size, "entry", "entries"), l.dir, l.published.Size)
	}
	return nil
}

// startTessera creates the log's files if there are none, and keeps removing
// partial tiles that full ones have replaced.
func (l *Log) startTessera() error {
	quietTessera()
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	var err error
	if l.driver, err = posix.New(ctx, posix.Config{Path: l.dir}); err != nil {
		return err
	}
	_, _, l.reader, err = tessera.NewAppender(ctx, l.driver, l.options(1).
		WithGarbageCollectionInterval(tessera.DefaultGarbageCollectionInterval))
	return err
}

// options are for an appender that integrates as soon as it has batch entries.
func (l *Log) options(batch int) *tessera.AppendOptions {
	return tessera.NewAppendOptions().
		WithCheckpointSigner(l.signer).
		WithCheckpointInterval(never).
		WithCheckpointRepublishInterval(0).
		WithGarbageCollectionInterval(0).
		WithBatching(uint(batch), never)
}

// quietTessera keeps Tessera's own log lines off the terminal: every error
// that matters to a caller is returned by Open or Append.
var quietTessera = sync.OnceFunc(func() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
})

// Close refuses later appends, finishes the commit in hand and lets go of the
// folder. If ctx ends first it returns ctx's error; the folder is then
// let go as soon as that commit is done. Calling it twice does no harm.
func (l *Log) Close(ctx context.Context) error {
	l.once.Do(func() {
		close(l.closing)
		go func() {
			<-l.committed
			l.stop()
			l.closeErr = l.lock.Close()
			close(l.closed)
		}()
	})
	select {
	case <-l.closed:
		return l.closeErr
	case <-ctx.Done():
		return fmt.Errorf("closing the ledger in %s: %w", l.dir, ctx.Err())
	}
}
