package ownmount

import (
	"context"
	"encoding/json"
	"slices"

	"rollcall/internal/authority"
)

// A name of the campaign file can be told from another by names and addresses
// only where those are the same. What an authority shows of itself is the same
// by whichever it is reached, in the files of all devices. It lies in one
// secret for all names, so that of two campaigns that begin at once the second
// one sees the first.

// shownPath is where that is. No name is encoded so.
const shownPath = DirectoriesFolder + "/~shown"

// Shown is what the authority of a name showed of itself.
type Shown struct {
	Self     []string `json:"self"`
	Within   []string `json:"within,omitempty"`
	Campaign string   `json:"campaign"` // the last one that had it under that name
	Device   string   `json:"device"`
	// Apart: a person says that it is another one than those that show the
	// same, such as a copy.
	Apart bool `json:"apart,omitempty"`
}

// Shows reports whether now is what was shown before, or a part of it, or what
// that is a part of.
func (s Shown) Shows(now authority.Identity) bool {
	return slices.Contains(s.Self, now.Self) || slices.Contains(s.Within, now.Self) ||
		slices.ContainsFunc(now.Within, func(id string) bool { return slices.Contains(s.Self, id) })
}

// With is s after another campaign saw now. Nothing is forgotten: the same
// ids may come back with a backup.
func (s Shown) With(now authority.Identity) Shown {
	for _, into := range []struct {
		all *[]string
		ids []string
	}{{&s.Self, []string{now.Self}}, {&s.Within, now.Within}} {
		*into.all = slices.Clone(*into.all)
		for _, id := range into.ids {
			if !slices.Contains(*into.all, id) {
				*into.all = append(*into.all, id)
			}
		}
	}
	return s
}

// Shown is what the authorities of campaigns on this Vault showed of
// themselves, by name, and the version for KeepShown.
func (s *Store) Shown(ctx context.Context) (map[string]Shown, int, error) {
	const op = "read which authorities are the same"
	e, err := s.Get(ctx, op, s.mount, shownPath, 0)
	if err != nil {
		return nil, 0, err
	}
	out := map[string]Shown{}
	if e.Data == nil {
		return out, e.Version, nil // nobody has kept any, or an administrator deleted it
	}
	text, _ := e.Data[pageField].(string)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, 0, s.Odd(op, s.mount+"/data/"+shownPath, err)
	}
	return out, e.Version, nil
}

// KeepShown writes them, if they are as they were read. IsCASMismatch if
// somebody else was first.
func (s *Store) KeepShown(ctx context.Context, version int, all map[string]Shown) error {
	body, err := json.Marshal(all)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, "keep which authorities are the same", s.mount, shownPath, version, map[string]any{pageField: string(body)})
	return err
}
