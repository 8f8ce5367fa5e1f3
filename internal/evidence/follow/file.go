package follow

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"
)

// Times and sizes that nobody sets.
const (
	linger  = time.Minute // an old file is read on behind its last line
	mostOld = 8           // old files that are read at a time
	warmUp  = 16 << 20    // read again before where reading begins
	ownTurn = 1 << 20     // read of one file before another has its turn
	allOf   = math.MaxInt64
)

// Options of a File.
type Options struct {
	// Saved is how far it was read, the newest last: old ones that were not
	// read to their end, and the file itself. Nil where nobody read it.
	Saved []Position
	// FromStart reads a file that nobody read from its beginning, and not from
	// its end.
	FromStart bool
	// Headed: its first line is needed to read others.
	Headed func() bool
	// Take gets each line, and Lost is told what was not read, for people.
	Take func(Line)
	Lost func(what string)
	Now  func() time.Time
}

// File is a log that is followed. It is for one goroutine. Close it.
type File struct {
	Path string
	o    Options
	live *part   // nil while there is none
	old  []*aged // the oldest first
}

// aged is a part that was rotated away.
type aged struct {
	*part
	grew time.Time
}

// Open begins to follow a file. One that is not there yet is waited for; one
// that cannot be read, or is none that can be followed, is an error.
func Open(path string, o Options) (*File, error) {
	f := &File{Path: path, o: o}
	if o.Headed == nil {
		f.o.Headed = func() bool { return false }
	}
	err := f.begin()
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil // what comes is new
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Plain refuses a file that cannot be followed: what is packed, and what is no
// file.
func Plain(path string) error {
	p, _, err := openPart(path, nil)
	if err != nil {
		return err
	}
	defer p.file.Close()
	if err := p.plain(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// begin finds where reading goes on.
func (f *File) begin() error {
	if n := len(f.o.Saved); n > 0 {
		return f.resume(f.o.Saved[n-1], f.o.Saved[:n-1])
	}
	p, info, err := openPart(f.Path, nil)
	if err != nil {
		return err
	}
	f.live = p
	if err := p.plain(); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	if !f.o.FromStart {
		if err := p.atEnd(info.Size()); err != nil {
			return err
		}
		if err := p.warm(warmUp, f.o.Headed(), f.o.Take); err != nil {
			return err
		}
	}
	p.know()
	return nil
}

// resume goes on where a process before this one was.
func (f *File) resume(at Position, older []Position) error {
	for _, o := range older {
		if p := f.find(o, false); p != nil {
			_ = f.warm(p)
			f.keep(p)
		} else if o.Size > o.Offset {
			f.o.Lost(fmt.Sprintf("an older file of it was packed or taken away while nobody read it: what came behind its line %d was not read; give that file to `rollcall evidence`", o.Line))
		}
	}
	p, info, err := openPart(f.Path, nil)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && at.same(p.file, info) {
		p.at = at
		f.live = p
		return f.warm(p)
	}
	f.live = p // nil where there is none
	f.missed(at)
	if p == nil {
		return fs.ErrNotExist
	}
	if err := p.plain(); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}

func (f *File) warm(p *part) error { return p.warm(warmUp, f.o.Headed(), f.o.Take) }

// missed takes up what was rotated away while nobody looked: the file of a
// position, and those that came behind it and were rotated away too.
func (f *File) missed(at Position) {
	old := f.find(at, true)
	if old == nil {
		f.o.Lost(fmt.Sprintf("it was rotated away or written anew while nobody read it, and no file with its first bytes lies beside it: what came behind its line %d was not read; give that file to `rollcall evidence`", at.Line))
		return
	}
	_ = f.warm(old)
	f.keepWith(old)
}

// keepWith keeps a part, and the files that came behind it and were rotated
// away too before anybody looked.
func (f *File) keepWith(old *part) {
	f.keep(old)
	info, err := old.file.Stat()
	if err != nil {
		return
	}
	all := beside(f.Path)
	own := slices.IndexFunc(all, func(b besides) bool { return os.SameFile(b.info, info) })
	for _, b := range all {
		if own < 0 || b.shape != all[own].shape || !b.info.ModTime().After(info.ModTime()) {
			continue
		}
		p, _, err := openPart(b.path, nil)
		if err != nil {
			continue
		}
		if f.live != nil && f.live.is(p) {
			_ = p.file.Close()
			return // what comes behind it is kept with it
		}
		if f.reads(p) || p.plain() != nil {
			_ = p.file.Close()
			continue
		}
		f.keep(p)
	}
}

// reads reports whether a file is one that is read already.
func (f *File) reads(p *part) bool {
	return f.live != nil && f.live.is(p) || slices.ContainsFunc(f.old, func(q *aged) bool { return q.is(p) })
}

// find is the file of a position among those that lie beside this one, renamed
// or copied.
func (f *File) find(at Position, copied bool) *part {
	all := beside(f.Path)
	slices.Reverse(all)
	find := func(is func(*part, os.FileInfo) bool) *part {
		for _, b := range all {
			p, info, err := openPart(b.path, nil)
			if err != nil {
				continue
			}
			if is(p, info) {
				device, inode := p.at.Device, p.at.Inode
				p.at = at
				p.at.Device, p.at.Inode = device, inode
				return p
			}
			_ = p.file.Close()
		}
		return nil
	}
	p := find(func(p *part, info os.FileInfo) bool { return at.same(p.file, info) })
	if p == nil && copied && at.HeadLen > 0 {
		// The newest: some logs begin with the same lines each time.
		p = find(func(p *part, info os.FileInfo) bool { return at.copied(p.file, info) })
	}
	return p
}

// keep reads a part that was rotated away to its end.
func (f *File) keep(p *part) {
	f.old = append(f.old, &aged{p, f.o.Now()})
	if len(f.old) > mostOld {
		f.drop(f.old[0], true)
		f.old = f.old[1:]
	}
}

// drop ends with an old part.
func (f *File) drop(p *aged, early bool) {
	if early {
		if info, err := p.file.Stat(); err == nil && info.Size() > p.end() {
			f.o.Lost(fmt.Sprintf("it was rotated faster than it could be read: what came behind line %d of an older file was not read", p.at.Line))
		}
	}
	p.last(f.o.Take)
	_ = p.file.Close()
}

// Read hands over what was written since, some of it: more says that there is
// more. An error is for people, and passes when the cause does.
func (f *File) Read() (more bool, err error) {
	more, err = f.readOld()
	if more || err != nil {
		return more, err
	}
	if f.live == nil {
		if err := f.reopen(); err != nil {
			return false, err
		}
		if f.live == nil {
			return false, nil
		}
	}
	if copied, err := f.truncated(); copied || err != nil {
		return copied, err // the rest of the copy comes first
	}
	n, err := f.live.read(ownTurn, allOf, f.o.Take)
	f.live.know()
	if err != nil || n >= ownTurn {
		return n >= ownTurn, err
	}
	return f.renamed()
}

// readOld reads what was rotated away, which comes first.
func (f *File) readOld() (more bool, err error) {
	for i := 0; i < len(f.old); {
		p := f.old[i]
		n, err := p.read(ownTurn, allOf, f.o.Take)
		p.know()
		switch {
		case err != nil || n >= ownTurn:
			return true, err
		case n > 0:
			p.grew = f.o.Now()
		case f.o.Now().Sub(p.grew) > linger:
			f.drop(p, false)
			f.old = slices.Delete(f.old, i, i+1)
			continue
		}
		i++
	}
	return false, nil
}

// reopen looks whether the file is there.
func (f *File) reopen() error {
	p, _, err := openPart(f.Path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.plain(); err != nil {
		_ = p.file.Close()
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	f.live = p
	return nil
}

// truncated looks whether the file is still the one that was read. copied: it
// is not, and a copy of that is to be read first.
func (f *File) truncated() (copied bool, err error) {
	p := f.live
	info, err := p.file.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() >= p.end() && digest(p.file, p.at.HeadLen) == p.at.Head {
		return false, nil
	}
	at := p.at
	p.begun, p.text, p.tooLong = 0, p.text[:0], false
	p.at = Position{Device: at.Device, Inode: at.Inode}
	p.know()
	if at.HeadLen == 0 {
		return false, nil
	}
	rest := f.find(at, true)
	if rest == nil {
		f.o.Lost(fmt.Sprintf("it was truncated or written anew, and no copy lies beside it: what may have come behind its line %d by then was not read", at.Line))
		return false, nil
	}
	f.keepWith(rest)
	return true, nil
}

// renamed looks whether another file has its name by now.
func (f *File) renamed() (more bool, err error) {
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // its writer may go on in the old one until a new one is there
	}
	if err != nil {
		return false, err
	}
	device, inode := identity(info)
	if device == f.live.at.Device && inode == f.live.at.Inode {
		return false, nil
	}
	f.keepWith(f.live)
	f.live = nil
	return true, nil
}

// Positions are how far it was read, to be kept.
func (f *File) Positions() (out []Position) {
	for _, p := range f.old {
		out = append(out, p.now())
	}
	if f.live != nil {
		out = append(out, f.live.now())
	}
	return out
}

// There reports whether the file is.
func (f *File) There() bool { return f.live != nil }

// Close ends it. A line without its end stays unread.
func (f *File) Close() {
	for _, p := range f.old {
		_ = p.file.Close()
	}
	if f.live != nil {
		_ = f.live.file.Close()
	}
}
