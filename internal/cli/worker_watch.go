package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/watch"
)

// Times of a watch beside a worker.
const (
	watchFirst   = 5 * time.Second // before one that failed begins again; each wait is twice the last
	watchLongest = 5 * time.Minute
	newerEvery   = time.Minute // looks whether the device has a newer campaign
)

// watchFolder of the ledgers' folder has the states of watches, by device.
const watchFolder = ".watch"

// besides are watches beside the queues of a ledger's worker, one for each
// campaign file. One that fails begins again, and ends nothing else.
type besides struct {
	*app
	ledgers string
	first   time.Duration
	newer   time.Duration
	running sync.WaitGroup
}

// watchBeside follows what these campaign files name until ctx ends; end waits
// for that.
func (a *app) watchBeside(ctx context.Context, ledgers string, files []string) (end func()) {
	b := &besides{app: a, ledgers: ledgers, first: watchFirst, newer: newerEvery}
	b.begin(ctx, files)
	return b.running.Wait
}

func (b *besides) begin(ctx context.Context, files []string) {
	for _, file := range files {
		b.running.Go(func() { b.keep(ctx, file) })
	}
}

// errNewerCampaign: the device has one, whose roll is to be held against the
// logs from now on.
var errNewerCampaign = errors.New("the device has a newer campaign")

// keep has one watch run, again and again.
func (b *besides) keep(ctx context.Context, file string) {
	last, wait := "", b.first
	for ctx.Err() == nil {
		began := time.Now()
		device, err := b.once(ctx, file)
		b.metrics.Watching(device, false)
		switch {
		case ctx.Err() != nil:
			if err != nil {
				b.sayAt(slog.LevelWarn, "watch of %s: %v", file, err)
			}
			return
		case errors.Is(err, errNewerCampaign):
			continue
		}
		if time.Since(began) > watchLongest {
			last, wait = "", b.first
		}
		b.metrics.WatchFailed(device)
		if err == nil {
			err = errors.New("nothing is left to follow")
		}
		if err.Error() != last {
			last = err.Error()
			b.sayAt(slog.LevelWarn, "WARNING: watch of %s: %v. The worker goes on without it, and it is tried again", file, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, watchLongest)
	}
}

// once is one watch, until it fails, ctx ends or the device has a newer
// campaign.
func (b *besides) once(ctx context.Context, file string) (device string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it broke off, which is a fault of Rollcall: %v", p)
		}
	}()
	own := *b.app
	a := &own
	a.file, a.In = file, strings.NewReader("")
	cfg, err := a.watchedFile()
	if err != nil {
		return "", err
	}
	device, cfg.LedgerDir = cfg.Device, b.ledgers
	secrets := a.lateSecrets(cfg)
	defer secrets.close()
	f := watchFlags{again: watch.DefaultAgain, state: filepath.Join(b.ledgers, watchFolder, device), evidenceFlags: evidenceFlags{quiet: evidence.DefaultQuiet}}
	o, err := a.watchOptions(cfg, f, nil, secrets)
	if err != nil {
		return device, err
	}
	roll := &liveRoll{app: a, cfg: cfg, domains: o.Evidence.Domains}
	folder, _, err := latestLedger(ctx, cfg)
	if err == nil {
		err = roll.of(folder)
	}
	if err != nil {
		return device, err
	}
	kept := a.evidenceLedger(cfg, b.ledgers)
	defer kept.close()
	o.Record, o.Campaign = kept.record, roll.campaign
	o.Roll, o.Show, o.Say = roll.read, a.logWatched(device), func(format string, args ...any) {
		a.say("watch of %s: %s", device, fmt.Sprintf(format, args...))
	}
	stop, err := a.tellWatched(cfg, roll.campaign, &o, secrets)
	if err != nil {
		return device, err
	}
	defer stop()
	a.say("watch of %s: campaign %s; the state is kept in %s", device, roll.campaign, o.Folder)
	b.metrics.Watching(device, true)
	watching, end := context.WithCancelCause(ctx)
	defer end(nil)
	go b.lookForNewer(watching, end, cfg, folder)
	if _, err = watch.Run(watching, o); err == nil && ctx.Err() == nil && watching.Err() != nil {
		err = context.Cause(watching)
	}
	return device, err
}

// lookForNewer ends a watch when its device has a newer campaign.
func (b *besides) lookForNewer(ctx context.Context, end context.CancelCauseFunc, cfg *config.Campaign, folder string) {
	tick := time.NewTicker(b.newer)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, _, err := latestLedger(ctx, cfg); err == nil && now != folder {
			b.say("watch of %s: the device has a newer campaign: %s", cfg.Device, filepath.Base(now))
			end(errNewerCampaign)
			return
		}
	}
}

// logWatched says what a watch found in the log of a worker, and counts it.
func (a *app) logWatched(device string) func(watch.Batch) error {
	return func(b watch.Batch) error {
		for _, f := range b.Alerts {
			var text bytes.Buffer
			p := &evidencePrinter{w: &text, width: math.MaxInt, zone: time.UTC}
			p.findings([]judge.Finding{f.Finding})
			for line := range strings.Lines(text.String()) {
				a.sayAt(slog.LevelWarn, "watch of %s: %s", device, strings.TrimSpace(line))
			}
			if words := againWords(f); words != "" {
				a.say("watch of %s: %s", device, words[2:])
			}
			a.metrics.WatchFound(device, string(f.Code), string(f.Grade))
		}
		for _, t := range b.Troubles {
			a.sayAt(slog.LevelWarn, "watch of %s: %s: %s", device, t.Code, troubleWords(t))
			a.metrics.WatchTrouble(device, string(t.Code), !t.Over)
		}
		if b.More > 0 {
			a.say("watch of %s: more findings wait for their turn, since so many come at once: %d", device, b.More)
		}
		return nil
	}
}
