package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"rollcall/internal/ledger"
)

// Campaign is what a campaign took, from the start of the process to its end.
type Campaign struct {
	Timing
	WorkerMemory int64 `json:"worker_memory_bytes"`
	EngineMemory int64 `json:"engine_memory_bytes"`

	// FirstDead is from the start of the process to the first proof of death.
	FirstDead float64 `json:"first_dead_seconds"`
	// Opening is from there to the first entry of the ledger: the engine's
	// start, and the checks before anything is listed.
	Opening float64 `json:"opening_seconds"`
	// KeptOpen is how often a pass ended with a credential open.
	KeptOpen int `json:"kept_open"`
	// Listing, Rotating and Ending add up to the whole: to the last line of the
	// roll, to the end of the last wave, to the end of the process.
	Listing  float64 `json:"listing_seconds"`
	Rotating float64 `json:"rotating_seconds"`
	Ending   float64 `json:"ending_seconds"`
	// RotatingPerSecond is the rotation phase alone.
	RotatingPerSecond float64 `json:"rotating_per_second"`

	// From Set to the proof, by credential.
	SetToProofP50 float64 `json:"set_to_proof_p50_seconds"`
	SetToProofP99 float64 `json:"set_to_proof_p99_seconds"`

	LedgerEntries uint64 `json:"ledger_entries"`
	LedgerBytes   int64  `json:"ledger_bytes"`
}

// readLedger takes from the record what the process itself does not tell. A
// credential that is not dead is an error: the figures would mean nothing.
func (c *Campaign) readLedger(ctx context.Context, folder string, began time.Time) error {
	found, err := filepath.Glob(filepath.Join(folder, "*", "ledger.json"))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("%d ledgers in %s, not one", len(found), folder)
	}
	dir := filepath.Dir(found[0])
	r, err := ledger.OpenReader(dir)
	if err != nil {
		return err
	}
	state := ledger.NewPackedState()
	var opened, listed, first time.Time
	err = r.Entries(ctx, 0, func(index uint64, e ledger.Entry) error {
		state.Add(index, e)
		switch c.LedgerEntries = index + 1; e.Event {
		case ledger.CampaignStarted:
			opened = e.At
		case ledger.RollClosed:
			listed = e.At
		case ledger.EventOpen:
			c.KeptOpen++
		case ledger.EventOutcome:
			if first.IsZero() {
				first = e.At
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var waits []float64
	for l := range state.All() {
		if l.Outcome != ledger.Dead {
			return fmt.Errorf("%s is not dead: %s %s", l.Name, l.Reason, l.Detail)
		}
		if l.DeadAt.Before(first) {
			first = l.DeadAt
		}
		waits = append(waits, l.DeadAt.Sub(l.SetAt).Seconds())
	}
	if len(waits) != c.Accounts {
		return fmt.Errorf("%d credentials were listed, not %d", len(waits), c.Accounts)
	}
	slices.Sort(waits)
	c.SetToProofP50, c.SetToProofP99 = quantile(waits, 0.50), quantile(waits, 0.99)
	c.Opening = opened.Sub(began).Seconds()
	c.FirstDead = first.Sub(began).Seconds()
	c.Listing = listed.Sub(began).Seconds()
	c.Rotating = state.ClosedAt.Sub(listed).Seconds()
	c.Ending = c.Seconds - c.Listing - c.Rotating
	c.RotatingPerSecond = float64(c.Accounts) / c.Rotating
	c.LedgerBytes, err = bytesBelow(dir)
	return err
}

func quantile(sorted []float64, q float64) float64 { return sorted[int(q*float64(len(sorted)-1))] }

func bytesBelow(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
