package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rollcall/internal/bench/process"
)

// Cost is what a process took.
type Cost = process.Cost

// Measured is a command, in each round.
type Measured struct {
	What   string  `json:"what"`
	Rounds []Cost  `json:"rounds"`
	Bytes  []int64 `json:"bytes_written,omitempty"` // of the file that is opened first, and of all
}

// Size is a ledger, and what reading it cost.
type Size struct {
	Credentials int         `json:"credentials"`
	Bytes       int64       `json:"ledger_bytes"` // of all its files
	Files       int         `json:"ledger_files"`
	Commands    []*Measured `json:"commands"`
}

// What the peers are called.
const (
	peerHash, peerRead = "sha256sum", "cat"
	verifies, stands   = "ledger verify", "status"
)

// measured runs a command to its end; what it prints is thrown away. Exit code
// 1 of what is measured is an error: so the ledger verified.
func measured(ctx context.Context, name string, args ...string) (Cost, error) {
	return process.Run(ctx, nil, name, args...)
}

func measureSize(ctx context.Context, o options, dir string, n int) (*Size, error) {
	folder, err := ledgerOf(ctx, dir, n)
	if err != nil {
		return nil, err
	}
	size := &Size{Credentials: n}
	files, bytes, err := filesOf(folder)
	if err != nil {
		return nil, err
	}
	size.Bytes, size.Files = bytes, len(files)
	for round := range o.rounds {
		say("%d credentials, round %d of %d", n, round+1, o.rounds)
		if err := size.round(ctx, o, dir, folder, files); err != nil {
			return nil, err
		}
	}
	return size, nil
}

// filesOf are those of a ledger that its end names, which a reader reads: no
// part of a bundle or tile that there is as a whole (C2SP tlog-tiles).
func filesOf(folder string) (files []string, bytes int64, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			whole, part := strings.CutSuffix(path, ".p")
			_, none := os.Stat(whole)
			if d.Name() == ".state" || part && none == nil {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if last := len(files) - 1; last >= 0 && strings.HasSuffix(filepath.Dir(path), ".p") && filepath.Dir(files[last]) == filepath.Dir(path) {
			before, err := os.Stat(files[last])
			if err != nil {
				return err
			}
			if before.Size() >= info.Size() {
				return nil
			}
			files, bytes = files[:last], bytes-before.Size() // an earlier state of it
		}
		files, bytes = append(files, path), bytes+info.Size()
		return nil
	})
	return files, bytes, err
}

// round is each command once, one straight after the other.
func (s *Size) round(ctx context.Context, o options, dir, folder string, files []string) error {
	for _, peer := range []string{peerRead, peerHash} {
		if err := s.one(ctx, peer, peer, files...); err != nil {
			return err
		}
	}
	page := filepath.Join(dir, fmt.Sprintf("report-%d.html", s.Credentials))
	for _, p := range []struct{ path, mark string }{{o.program, ""}, {o.beside, ", other version"}} {
		if p.path == "" {
			continue
		}
		for _, c := range []struct {
			what string
			args []string
		}{
			{verifies, []string{"ledger", "verify"}},
			{stands, []string{"status"}},
			{"status -o json", []string{"status", "-o", "json"}},
			{"report", []string{"report"}},
			{"report -o json", []string{"report", "-o", "json"}},
			{"report -o csv", []string{"report", "-o", "csv"}},
			{"report --html", []string{"report", "--html", page}},
			{"report --summary", []string{"report", "--summary"}},
		} {
			if err := s.one(ctx, c.what+p.mark, p.path, append(c.args, "--ledger", folder)...); err != nil {
				return err
			}
		}
		first, all, err := written(page)
		if err != nil {
			return err
		}
		html := s.command("report --html" + p.mark)
		html.Bytes = []int64{first, all}
	}
	return nil
}

// written counts what a report wrote, and takes it away.
func written(page string) (first, all int64, err error) {
	for _, name := range []string{page, page + "-pages"} {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue // of up to a thousand credentials there is one file
		}
		err := filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if all += info.Size(); path == page {
				first = info.Size()
			}
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
		if err := os.RemoveAll(name); err != nil {
			return 0, 0, err
		}
	}
	return first, all, nil
}

func (s *Size) one(ctx context.Context, what, name string, args ...string) error {
	cost, err := measured(ctx, name, args...)
	if err != nil {
		return err
	}
	m := s.command(what)
	m.Rounds = append(m.Rounds, cost)
	return nil
}

func (s *Size) command(what string) *Measured {
	if i := slices.IndexFunc(s.Commands, func(m *Measured) bool { return m.What == what }); i >= 0 {
		return s.Commands[i]
	}
	m := &Measured{What: what}
	s.Commands = append(s.Commands, m)
	return m
}

// median of a figure over the rounds.
func (m *Measured) median(of func(Cost) float64) float64 {
	var all []float64
	for _, c := range m.Rounds {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func seconds(c Cost) float64   { return c.Seconds }
func processor(c Cost) float64 { return c.Processor }
func peak(c Cost) float64      { return float64(c.Peak) }
