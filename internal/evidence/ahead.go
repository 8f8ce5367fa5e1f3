package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logfile"
	"rollcall/internal/evidence/logs"
)

// How much is read ahead of the line whose turn it is.
const (
	batchBytes = 128 << 10 // of text, and the rest of a line
	batchLines = 2_048
	// batchesPerWorker are in the making or wait for their turn.
	batchesPerWorker = 3
)

// batch is a row of lines of one file.
type batch struct {
	text  []byte
	lines []lineOf
	cuts  logs.Cuts
	taken int64 // of the file on the disk, when it was read
	err   error // behind its lines; io.EOF at the end
	cut   chan struct{}
}

// lineOf is one line of a batch.
type lineOf struct {
	from, to, number int
	tooLong          bool
}

func (b *batch) line(i int) []byte { return b.text[b.lines[i].from:b.lines[i].to] }

// fill reads the next lines.
func (b *batch) fill(lines *logfile.Lines) {
	b.text, b.lines, b.err = b.text[:0], b.lines[:0], nil
	for len(b.text) < batchBytes && len(b.lines) < batchLines {
		line, n, tooLong, err := lines.Next()
		if err != nil {
			b.err = err
			if !errors.Is(err, io.EOF) {
				b.err = fmt.Errorf("line %d: %w", n+1, err)
			}
			return
		}
		from := len(b.text)
		b.text = append(b.text, line...)
		b.lines = append(b.lines, lineOf{from, len(b.text), n, tooLong})
	}
}

// takeApart has the lines taken apart.
func (b *batch) takeApart() {
	b.cuts.Reset()
	for i := range b.lines {
		b.cuts.Add(b.line(i))
	}
	close(b.cut)
}

// ahead reads a file with a parser that can take lines apart before their turn:
// one goroutine reads, some take lines apart, and this one reads what came of
// them, in the order of the lines. What comes of the file is the same.
func (g *ofGroup) ahead(ctx context.Context, f *File, in *logfile.File, p logs.Ahead) (err error) {
	workers := max(1, runtime.GOMAXPROCS(0)-1)
	room := batchesPerWorker * (workers + 1)
	var (
		free    = make(chan *batch, room)
		waiting = make(chan *batch, room)
		inOrder = make(chan *batch, room)
		all     sync.WaitGroup
	)
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		all.Wait() // nothing of it reads the file any more
	}()
	for range room {
		free <- &batch{cuts: p.Cuts()}
	}
	all.Go(func() {
		defer close(waiting)
		defer close(inOrder)
		lines := logfile.NewLines(in)
		for {
			var b *batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return
			}
			b.fill(lines)
			b.taken, b.cut = in.Taken(), make(chan struct{})
			ended := b.err != nil
			waiting <- b // has room for all there are
			inOrder <- b
			if ended {
				return
			}
		}
	})
	for range workers {
		all.Go(func() {
			for b := range waiting {
				b.takeApart()
			}
		})
	}
	for b := range inOrder {
		select {
		case <-b.cut:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := g.batch(f, p, b); err != nil {
			return err
		}
		g.progress(b.taken)
		switch {
		case errors.Is(b.err, io.EOF):
			return nil
		case b.err != nil:
			return fmt.Errorf("%s %w", f.Path, b.err)
		}
		free <- b
	}
	return ctx.Err()
}

// batch reads the lines of one, in their turn.
func (g *ofGroup) batch(f *File, p logs.Ahead, b *batch) error {
	for i := range b.lines {
		line, place := b.line(i), event.Place{File: f.Path, Line: b.lines[i].number}
		g.log.Lines = place.Line
		if b.lines[i].tooLong {
			g.notRead(place)
			continue
		}
		verdict, at, err := p.Cut(b.cuts, i, line, place)
		if err := g.said(line, place, verdict, at, err); err != nil {
			return err
		}
	}
	return nil
}
