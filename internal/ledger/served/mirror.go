package served

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/ledger"
)

const (
	maxList = 64 << 20 // bytes of a list of files
	maxFile = 64 << 20 // bytes of a file: 256 entries
	maxAll  = 8 << 30  // bytes of a ledger
	atOnce  = 8
)

// Mirror brings a copy of a campaign's ledger in the folder into up to date,
// and makes it if there is none. What comes is held to is, apart from the copy:
// one that is another ledger, older than what is known of it, or not whole is
// an error, and leaves the copy as it was (ledger.ErrWrongLedger, ErrDamaged).
// It takes what is not there yet, and the checkpoint last of all, as it was
// before the rest was asked for: a copy that was given up on the way is an
// older one, and whole. ErrNotThere: the server has none. ErrUnpinned: nothing
// is known of how the ledger began, so that any older one would do.
//
// A copy that is up to date is held to all that is in it, for its disk may have
// changed; once held says that this process has done so before, to how it began
// alone. anew: what lay there was not the ledger, and it was fetched anew.
func Mirror(ctx context.Context, from Access, campaign string, is ledger.Pinned, into string, held bool) (anew bool, err error) {
	r, err := newReader(from)
	if err != nil {
		return false, err
	}
	defer r.http.CloseIdleConnections()
	at := "/ledgers/" + url.PathEscape(campaign)
	checkpoint, err := r.get(ctx, at+"/file/checkpoint", maxFile)
	if err != nil {
		return false, err
	}
	if err := is.Signed(checkpoint); err != nil {
		return false, err
	}
	if is.Size() == 0 {
		return false, ErrUnpinned
	}
	have, _ := os.ReadFile(filepath.Join(into, checkpointFile))
	if bytes.Equal(have, checkpoint) {
		holds := is.Whole
		if held {
			holds = is.Began
		}
		if holds(into) == nil {
			return false, nil // nothing came since
		}
		anew = true
	}
	text, err := r.get(ctx, at+"/files", maxList)
	if err != nil {
		return false, err
	}
	var files []file
	if err := json.Unmarshal(text, &files); err != nil {
		return false, fmt.Errorf("%s: its list of files cannot be read: %w", from.URL, err)
	}
	// What lies in the copy may be of another ledger: then all comes anew.
	err = r.bring(ctx, at, files, checkpoint, is, into, true)
	if errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrWrongLedger) {
		anew, err = have != nil, r.bring(ctx, at, files, checkpoint, is, into, false)
	}
	return anew && err == nil, err
}

// bring fetches the files of a ledger into a folder beside the copy, has them
// held to what is known, and puts them into the copy. What the copy has by now
// is taken from there, if reuse says so.
func (r *reader) bring(ctx context.Context, at string, files []file, checkpoint []byte, is ledger.Pinned, into string, reuse bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(into), 0o700); err != nil {
		return err
	}
	sweep(filepath.Dir(into))
	apart, err := os.MkdirTemp(filepath.Dir(into), unfinished+"*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(apart)) }()
	total := int64(0)
	var mu sync.Mutex
	var fresh []string
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, f := range files {
		if !inLedger.MatchString(f.Path) {
			return errors.Join(fmt.Errorf("%s names a file that no ledger has", r.access.URL), g.Wait())
		}
		if total += f.Size; f.Size < 0 || total > maxAll {
			return errors.Join(fmt.Errorf("%s names more than a ledger holds", r.access.URL), g.Wait())
		}
		if f.Path == checkpointFile {
			continue
		}
		local := filepath.FromSlash(f.Path)
		if have, err := os.Lstat(filepath.Join(into, local)); reuse && err == nil && have.Mode().IsRegular() && have.Size() == f.Size && f.Path != "ledger.json" {
			if err := lend(filepath.Join(into, local), filepath.Join(apart, local)); err != nil {
				return errors.Join(err, g.Wait())
			}
			continue
		}
		g.Go(func() error {
			data, err := r.get(within, at+"/file/"+f.Path, min(f.Size, maxFile)) // else the list bounds nothing
			if errors.Is(err, ErrNotThere) {
				return nil // a part of a tile that is full by now
			}
			if err != nil {
				return err
			}
			mu.Lock()
			fresh = append(fresh, local)
			mu.Unlock()
			return put(filepath.Join(apart, local), data)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := put(filepath.Join(apart, checkpointFile), checkpoint); err != nil {
		return err
	}
	if err := is.Whole(apart); err != nil {
		return err
	}
	for _, local := range append(fresh, checkpointFile) {
		to := filepath.Join(into, local)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(apart, local), to); err != nil {
			return err
		}
	}
	return nil
}

const (
	checkpointFile = "checkpoint"
	unfinished     = ".new-"
	longGone       = time.Hour // a process that died left it
)

// sweep takes away what processes left that died while they fetched.
func sweep(folder string) {
	beside, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range beside {
		if info, err := e.Info(); err == nil && e.IsDir() && strings.HasPrefix(e.Name(), unfinished) && time.Since(info.ModTime()) > longGone {
			_ = os.RemoveAll(filepath.Join(folder, e.Name())) // the next one tries again
		}
	}
}

// lend has a file in a second place too, until that is taken away. Files of a
// copy are replaced and never written into. Some file systems have no links.
func lend(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return put(to, data)
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
