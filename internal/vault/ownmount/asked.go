package ownmount

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"rollcall/internal/vault"
)

// A user of Vault that is on the roll for its name alone has perhaps nothing to
// do with the device, so that wrong logins are not to be wasted on it. Batches
// run side by side, and workers do: each would offer it the same value before
// another has noted that it was refused. So one asks at a time, by a note that
// is written before.

// askedFor is how long a note counts: longer than a question may take, by
// clocks that differ.
const askedFor = time.Minute + maxSkew

// askAgain is how often whoever waits looks whether the other one is done.
const askAgain = 250 * time.Millisecond

// asked is who asks.
type asked struct {
	By string    `json:"by"`
	At time.Time `json:"at"` // by the clock of who asks
}

const opAsked = "note that a user is asked"

// askedPath is no path of an entry that is staged, as stolenPath is none.
func (s *Store) askedPath(id string) string { return s.stagingPath(id) + "~asked" }

// Ask waits until nobody else asks the user of a credential whether a value
// logs in, and notes that the caller does. done says that he is through. A
// process that is killed meanwhile keeps others waiting for six minutes at
// most. The error is that of ctx where the wait takes longer, or Vault's.
func (s *Store) Ask(ctx context.Context, id string) (done func(), err error) {
	by := rand.Text()
	for {
		was, version, err := s.asked(ctx, id)
		if err != nil {
			return nil, err
		}
		if ago := time.Since(was.At); was.By == "" || ago > askedFor || ago < -maxSkew { // by a clock that is no good
			err = s.writeAsked(ctx, id, asked{by, time.Now().UTC()}, version)
			if err == nil {
				return func() { s.askedNoMore(context.WithoutCancel(ctx), id, by) }, nil
			}
			if !vault.IsCASMismatch(err) {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(askAgain):
		}
	}
}

// askedNoMore takes a note back that is still the caller's. One that stays
// counts no more after a while.
func (s *Store) askedNoMore(ctx context.Context, id, by string) {
	if now, version, err := s.asked(ctx, id); err == nil && now.By == by {
		_ = s.writeAsked(ctx, id, asked{}, version)
	}
}

func (s *Store) asked(ctx context.Context, id string) (a asked, version int, err error) {
	e, err := s.Get(ctx, opAsked, s.mount, s.askedPath(id), 0)
	if err != nil || e.Data == nil {
		return a, e.Version, err
	}
	text, _ := e.Data[pageField].(string)
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return a, e.Version, s.Odd(opAsked, s.mount+"/data/"+s.askedPath(id), err)
	}
	return a, e.Version, nil
}

func (s *Store) writeAsked(ctx context.Context, id string, a asked, version int) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, opAsked, s.mount, s.askedPath(id), version, map[string]any{pageField: string(body)})
	return err
}
