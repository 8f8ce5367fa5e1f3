package ownmount

import (
	"context"
	"encoding/json"
	"time"
)

// BeforeSet says that a login to Vault was looked at and that nothing keeps it
// from being set but other logins, which could read the place of its new value
// and are not closed yet. It is decided by in every process, so it lies in
// Vault.
type BeforeSet struct {
	Campaign string   `json:"campaign"`
	Awaits   []string `json:"awaits"` // the ids of these others, or "*": every login that is open
	// But are those that it does not wait for, where it waits for every other.
	But []string `json:"but,omitempty"`

	// Noted is when Vault wrote it, by Vault's clock.
	Noted time.Time `json:"-"`
}

// BeforeSetFor is for how long such a note is gone by: whoever wrote it may
// have been killed. A pass over thousands of logins takes its time.
const BeforeSetFor = time.Hour

// Stands reports whether the note is of a campaign and young enough. own is
// this worker's clock; Vault's counts where that is known, since two workers'
// clocks may be apart.
func (b BeforeSet) Stands(campaign string, own time.Time, vaults func() (now time.Time, said bool)) bool {
	if b.Campaign != campaign || len(b.Awaits) == 0 || b.Noted.IsZero() {
		return false
	}
	if now, said := vaults(); said {
		own = now
	}
	return own.Sub(b.Noted) < BeforeSetFor
}

const opBeforeSet = "note that a login is about to be set"

// beforeSetPath is no path of an entry that is staged, as stolenPath is none.
func (s *Store) beforeSetPath(id string) string { return s.stagingPath(id) + "~stands" }

// ReadBeforeSet is that note about a login; the zero value if there is none.
func (s *Store) ReadBeforeSet(ctx context.Context, id string) (b BeforeSet, err error) {
	b, _, err = s.readBeforeSet(ctx, id)
	return b, err
}

func (s *Store) readBeforeSet(ctx context.Context, id string) (b BeforeSet, version int, err error) {
	e, err := s.Get(ctx, opBeforeSet, s.mount, s.beforeSetPath(id), 0)
	if err != nil || e.Data == nil {
		return BeforeSet{}, e.Version, err
	}
	text, _ := e.Data[pageField].(string)
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return BeforeSet{}, e.Version, s.Odd(opBeforeSet, s.mount+"/data/"+s.beforeSetPath(id), err)
	}
	b.Noted = e.Written
	return b, e.Version, nil
}

// NoteBeforeSet writes that note. Where a twin writes one at the same time,
// the error satisfies IsCASMismatch, and the login is looked at again.
func (s *Store) NoteBeforeSet(ctx context.Context, id string, b BeforeSet) error {
	_, version, err := s.readBeforeSet(ctx, id)
	if err != nil {
		return err
	}
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, opBeforeSet, s.mount, s.beforeSetPath(id), version, map[string]any{pageField: string(body)})
	return err
}

// NotBeforeSet takes a campaign's note back. None is no error, and another
// campaign's that runs beside it is left.
func (s *Store) NotBeforeSet(ctx context.Context, campaign, id string) error {
	b, err := s.ReadBeforeSet(ctx, id)
	if err != nil || b.Campaign == "" || b.Campaign != campaign && b.Stands(b.Campaign, time.Now().Round(0), func() (time.Time, bool) { return s.ServerTime(ctx) }) {
		return err
	}
	return s.Purge(ctx, opBeforeSet, s.mount, s.beforeSetPath(id))
}
