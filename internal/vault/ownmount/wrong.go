package ownmount

import (
	"context"
	"encoding/json"
	"time"

	"rollcall/internal/vault"
)

// Vault locks a login after some wrong ones in a row, and shows nobody how many
// there were. So the wrong logins that Rollcall makes are counted here, before
// each is made: whatever process makes it, and whether or not it lives to say
// how it went.

// wrong is the count of one login.
type wrong struct {
	Count int       `json:"count"`
	At    time.Time `json:"at"` // of the last one, by the clock of who made it
	// Before is At as it was before the last one.
	Before time.Time `json:"before,omitzero"`
}

// maxSkew is how far clocks of workers may differ.
const maxSkew = 5 * time.Minute

// now is what of the count Vault may still have.
func (w wrong) now(at time.Time, counted time.Duration) int {
	if at.Sub(w.At) > counted+maxSkew {
		return 0
	}
	return w.Count
}

const opWrong = "count wrong logins"

// wrongPath is no path of an entry that is staged, as stolenPath is none.
func (s *Store) wrongPath(id string) string { return s.stagingPath(id) + "~wrong" }

func (s *Store) wrong(ctx context.Context, id string) (w wrong, version int, err error) {
	e, err := s.Get(ctx, opWrong, s.mount, s.wrongPath(id), 0)
	if err != nil || e.Data == nil {
		return w, e.Version, err
	}
	text, _ := e.Data[pageField].(string)
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return w, e.Version, s.Odd(opWrong, s.mount+"/data/"+s.wrongPath(id), err)
	}
	return w, e.Version, nil
}

// WrongLogins is how many logins of a credential may count against it at
// Vault, which forgets them after a time.
func (s *Store) WrongLogins(ctx context.Context, id string, counted time.Duration) (int, error) {
	w, _, err := s.wrong(ctx, id)
	return w.now(time.Now(), counted), err
}

// BeginLogin counts a login that may be wrong, before it is made. n is the
// count with it; where that would be more than most it is not counted, n is the
// count as it is, and until says when Vault has forgotten it.
func (s *Store) BeginLogin(ctx context.Context, id string, most int, counted time.Duration) (n int, until time.Time, err error) {
	err = s.count(ctx, id, func(w wrong) wrong {
		if n = w.now(time.Now(), counted); n >= most {
			until = w.At.Add(counted + maxSkew)
			return w
		}
		n, until = n+1, time.Time{}
		return wrong{n, time.Now().UTC(), w.At}
	})
	return n, until, err
}

// EndLogins says that a good login came after the nth, which ends the count up
// to there.
func (s *Store) EndLogins(ctx context.Context, id string, n int) error {
	return s.count(ctx, id, func(w wrong) wrong {
		w.Count = max(0, w.Count-n)
		return w
	})
}

// TakeBackLogin says that the last login that was counted was not wrong: it
// counts no more, and those before it no longer for it.
func (s *Store) TakeBackLogin(ctx context.Context, id string) error {
	return s.count(ctx, id, func(w wrong) wrong {
		if w.Count = max(0, w.Count-1); !w.Before.IsZero() {
			w.At, w.Before = w.Before, time.Time{}
		}
		return w
	})
}

// count changes a count by check-and-set.
func (s *Store) count(ctx context.Context, id string, change func(wrong) wrong) error {
	for range maxStageTries {
		was, version, err := s.wrong(ctx, id)
		if err != nil {
			return err
		}
		now := change(was)
		if now == was {
			return nil
		}
		body, err := json.Marshal(now)
		if err != nil {
			return err
		}
		if _, err = s.Put(ctx, opWrong, s.mount, s.wrongPath(id), version, map[string]any{pageField: string(body)}); !vault.IsCASMismatch(err) {
			return err
		}
	}
	return &vault.Error{Op: opWrong, Path: s.mount + "/data/" + s.wrongPath(id), Server: s.Address(), Kind: vault.CASMismatch, Detail: "others keep writing it"}
}
