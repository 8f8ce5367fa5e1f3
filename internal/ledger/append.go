package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/transparency-dev/tessera"
)

// request is one call of Append on its way through the committer.
type request struct {
	keys    []idKey
	lines   [][]byte
	indexes []uint64
	done    chan error // buffered: the caller may have left
}

// Append writes entries in their order and returns the index of each. When
// it returns without an error, the entries are on disk (synced), a published
// checkpoint signs them and that checkpoint is anchored. Calls that come
// while another is being committed share the next checkpoint.
//
// An empty At becomes now, an empty Campaign the log's. An entry whose ID is
// already in the log is not written again: the index of the first is returned.
// So any failed call may be repeated with the same entries.
//
// Errors: ErrInvalid (nothing written), ErrFull, ErrNotPublished,
// ErrNotAnchored, ErrDamaged, ErrClosed, and ctx's own; after all but
// ErrInvalid some or all of the entries may be in the log.
//
// A process killed before the entries are integrated leaves the log as it was.
// Killed later, the entries stay, and the next Open signs and anchors them.
func (l *Log) Append(ctx context.Context, entries []Entry) ([]uint64, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	r, err := l.prepare(entries)
	if err != nil {
		return nil, err
	}
	select {
	case l.requests <- r:
	case <-l.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("appending to %s: %w", l.dir, ctx.Err())
	}
	select {
	case err := <-r.done:
		if err != nil {
			return nil, err
		}
		return r.indexes, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("appending to %s: %w; the entries may be in the log, append them again", l.dir, ctx.Err())
	}
}

func (l *Log) prepare(entries []Entry) (*request, error) {
	r := &request{
		keys:    make([]idKey, len(entries)),
		lines:   make([][]byte, len(entries)),
		indexes: make([]uint64, len(entries)),
		done:    make(chan error, 1),
	}
	now := time.Now().UTC()
	for i, e := range entries {
		if e.At.IsZero() {
			e.At = now
		}
		e.At = e.At.UTC()
		if e.Campaign == "" {
			e.Campaign = l.campaign
		}
		switch {
		case e.ID == "":
			return nil, fmt.Errorf("%w: number %d (%s) has no id", ErrInvalid, i, e.Event)
		case e.Event == "":
			return nil, fmt.Errorf("%w: %q has no event", ErrInvalid, e.ID)
		case e.Campaign != l.campaign:
			return nil, fmt.Errorf("%w: %q is of campaign %q, this is the ledger of %q", ErrInvalid, e.ID, e.Campaign, l.campaign)
		}
		line, err := encode(e)
		if err != nil {
			return nil, err
		}
		r.keys[i], r.lines[i] = keyOf(e.ID), line
	}
	return r, nil
}

// commitLoop takes whatever requests wait, commits them as one, and only then
// looks again: the slower the disk or the anchor, the more requests one
// checkpoint has.
func (l *Log) commitLoop() {
	defer close(l.committed)
	for {
		var batch []*request
		select {
		case <-l.closing:
			return
		case r := <-l.requests:
			batch = append(batch, r)
		}
		for more := true; more; {
			select {
			case r := <-l.requests:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		err := l.commit(batch)
		for _, r := range batch {
			r.done <- err
		}
	}
}

func (l *Log) commit(batch []*request) error {
	ctx := context.Background() // the callers' contexts end their wait, not the others' commit
	var keys []idKey
	var lines [][]byte
	fresh := map[idKey]bool{}
	for _, r := range batch {
		for i, k := range r.keys {
			if _, ok := l.ids[k]; !ok && !fresh[k] {
				fresh[k] = true
				keys, lines = append(keys, k), append(lines, r.lines[i])
			}
		}
	}
	if err := l.integrate(ctx, keys, lines); err != nil {
		sweep(l.dir)
		// An error may come after the tree has grown, so look.
		if again := l.catchUp(ctx); again != nil {
			return again
		}
		return diskError(l.dir, "writing entries", err)
	}
	if err := l.publish(ctx); err != nil {
		return err
	}
	for _, r := range batch {
		for i, k := range r.keys {
			r.indexes[i] = l.ids[k]
		}
	}
	return nil
}

// integrate brings lines into the tree, in their order.
func (l *Log) integrate(ctx context.Context, keys []idKey, lines [][]byte) error {
	for len(lines) > 0 {
		// The first chunk fills up the last bundle, so that the others do not
		// leave partial files behind.
		n := min(len(lines), chunkSize-int(l.size%tileWidth))
		if err := l.integrateChunk(ctx, keys[:n], lines[:n]); err != nil {
			return err
		}
		keys, lines = keys[n:], lines[n:]
	}
	return nil
}

// integrateChunk gives a chunk an appender of its own, whose batch is exactly
// the chunk. An appender for all would have to wait for a timer to know that
// nothing more comes, and chunks that its timer cut could overtake each other.
func (l *Log) integrateChunk(ctx context.Context, keys []idKey, lines [][]byte) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	app, _, _, err := tessera.NewAppender(ctx, l.driver, l.options(len(lines)))
	if err != nil {
		return err
	}
	futures := make([]tessera.IndexFuture, len(lines))
	for i, line := range lines {
		futures[i] = app.Add(ctx, tessera.NewEntry(line))
	}
	for i, f := range futures {
		at, err := f()
		if err != nil {
			return err
		}
		l.ids[keys[i]] = at.Index
		l.size = max(l.size, at.Index+1)
	}
	return nil
}

// catchUp reads the ids of entries that are in the tree and not yet known.
func (l *Log) catchUp(ctx context.Context) error {
	size, err := l.reader.IntegratedSize(ctx)
	if err != nil {
		return diskError(l.dir, "reading the ledger's size", err)
	}
	// From the start of a bundle, for the one that failed may have been split.
	from := uint64(0)
	if l.size > 0 {
		from = (l.size - 1) / tileWidth * tileWidth
	}
	err = scan(ctx, l.dir, from, size, func(index uint64, line []byte) error {
		var e struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(line, &e); err != nil || e.ID == "" {
			return fmt.Errorf("%w: entry %d in %s is no ledger entry", ErrDamaged, index, l.dir)
		}
		if _, ok := l.ids[keyOf(e.ID)]; !ok {
			l.ids[keyOf(e.ID)] = index
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.size = size
	return nil
}
