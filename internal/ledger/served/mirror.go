package served

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

const (
	maxList = 64 << 20 // bytes of a list of files
	maxFile = 64 << 20 // bytes of a file: 256 entries
	maxAll  = 8 << 30  // bytes of a ledger
	atOnce  = 8
)

// Mirror brings a copy of a campaign's ledger in the folder into up to date,
// and makes it if there is none. It takes what is not there yet, and the
// checkpoint last of all, as it was before the rest was asked for: a copy that
// was given up on the way is an older one, and whole. ErrNotThere: the server
// has none. The caller verifies the copy with a key of its own.
func Mirror(ctx context.Context, from Access, campaign, into string) error {
	r, err := newReader(from)
	if err != nil {
		return err
	}
	defer r.http.CloseIdleConnections()
	at := "/ledgers/" + url.PathEscape(campaign)
	checkpoint, err := r.get(ctx, at+"/file/checkpoint", maxFile)
	if err != nil {
		return err
	}
	text, err := r.get(ctx, at+"/files", maxList)
	if err != nil {
		return err
	}
	var files []file
	if err := json.Unmarshal(text, &files); err != nil {
		return fmt.Errorf("%s: its list of files cannot be read: %w", from.URL, err)
	}
	total := int64(0)
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, f := range files {
		if !inLedger.MatchString(f.Path) {
			return fmt.Errorf("%s names a file that no ledger has", from.URL)
		}
		if total += f.Size; f.Size < 0 || total > maxAll {
			return fmt.Errorf("%s names more than a ledger holds", from.URL)
		}
		to := filepath.Join(into, filepath.FromSlash(f.Path))
		if have, err := os.Stat(to); f.Path == "checkpoint" || err == nil && have.Size() == f.Size && f.Path != "ledger.json" {
			continue
		}
		g.Go(func() error {
			data, err := r.get(within, at+"/file/"+f.Path, maxFile)
			if errors.Is(err, ErrNotThere) {
				return nil // a part of a tile that is full by now
			}
			if err != nil {
				return err
			}
			return put(to, data)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return put(filepath.Join(into, "checkpoint"), checkpoint)
}

func put(to string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
