package ownmount

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

const onceNotes = "once-"

// Once is a note of NoteOnce's.
type Once struct{ What, Where, ID string }

// NotedOnce are all such notes of a campaign, in no order.
func (s *Store) NotedOnce(ctx context.Context, campaign string) (out []Once, err error) {
	index, err := s.ReadIndex(ctx, campaign)
	if err != nil {
		return nil, err
	}
	names, err := s.Names(ctx, "read what was done once", s.mount, rollPath(campaign, index.Snapshot))
	for _, name := range names {
		if name, is := strings.CutPrefix(name, onceNotes); is {
			text, _ := decodeSegment(name)
			if p := strings.SplitN(text, "/", 3); len(p) == 3 {
				out = append(out, Once{p[0], p[1], p[2]})
			}
		}
	}
	return out, err
}

// NoteOnce notes that something is done for a credential in a campaign, before
// it is. first is true for one call alone, whichever process makes it; a call
// whose answer was lost may have been that one.
func (s *Store) NoteOnce(ctx context.Context, campaign, what, where, id string) (first bool, err error) {
	at, err := s.onceAt(ctx, campaign, what, where, id)
	if err != nil {
		return false, err
	}
	return s.noteOnce(ctx, at, what)
}

func (s *Store) noteOnce(ctx context.Context, at string, note any) (first bool, err error) {
	body, err := json.Marshal(note)
	if err != nil {
		return false, err
	}
	_, err = s.Put(ctx, "note what is done once", s.mount, at, 0, map[string]any{pageField: string(body)})
	if err == nil {
		return true, nil
	}
	if e, readErr := s.Get(ctx, "note what is done once", s.mount, at, 0); vault.IsCASMismatch(err) || readErr == nil && e.Version > 0 {
		return false, nil
	}
	return false, err
}

// NoteOnceSaying is NoteOnce, and keeps in the note what is said, for
// NotedSaid.
func (s *Store) NoteOnceSaying(ctx context.Context, campaign, what, where, id string, said any) (first bool, err error) {
	at, err := s.onceAt(ctx, campaign, what, where, id)
	if err != nil {
		return false, err
	}
	return s.noteOnce(ctx, at, said)
}

// NotedSaid gives what NoteOnceSaying said; false if nobody has, or it cannot
// be read.
func (s *Store) NotedSaid(ctx context.Context, campaign, what, where, id string, into any) (noted bool, err error) {
	path, err := s.onceAt(ctx, campaign, what, where, id)
	if err != nil {
		return false, err
	}
	e, err := s.Get(ctx, "read what is done once", s.mount, path, 0)
	if vault.IsNotFound(err) {
		return false, nil
	}
	text, _ := e.Data[pageField].(string)
	return err == nil && json.Unmarshal([]byte(text), into) == nil, err
}

// ofValue tells of which value a note is, to whoever has that value. It lies in
// the body, where Vault keeps values; the path stands in Vault's logs.
type ofValue struct {
	Salt string `json:"salt"`
	Mac  []byte `json:"mac"`
}

func (o ofValue) of(value credential.Secret) []byte {
	h := hmac.New(sha256.New, []byte(o.Salt))
	h.Write([]byte(value.Reveal()))
	return h.Sum(nil)
}

// NoteOnceOf is NoteOnce about a value, which the note does not show.
func (s *Store) NoteOnceOf(ctx context.Context, campaign, what, where, id string, value credential.Secret) (first bool, err error) {
	at, err := s.onceAt(ctx, campaign, what, where, id)
	if err != nil {
		return false, err
	}
	note := ofValue{Salt: rand.Text() + rand.Text()}
	note.Mac = note.of(value)
	return s.noteOnce(ctx, at, note)
}

// NotedOf is NotedAt, and whether NoteOnceOf noted it of this value.
func (s *Store) NotedOf(ctx context.Context, campaign, what, where, id string, value credential.Secret) (same bool, at time.Time, noted bool, err error) {
	path, err := s.onceAt(ctx, campaign, what, where, id)
	if err != nil {
		return false, at, false, err
	}
	e, err := s.Get(ctx, "read what is done once", s.mount, path, 0)
	if vault.IsNotFound(err) || err == nil && e.Version == 0 {
		return false, at, false, nil
	}
	if err != nil {
		return false, at, false, err
	}
	var note ofValue
	text, _ := e.Data[pageField].(string)
	if json.Unmarshal([]byte(text), &note) != nil { // somebody else's: of no value that we know
		return false, e.Written, true, nil
	}
	return hmac.Equal(note.Mac, note.of(value)), e.Written, true, nil
}

// NotedAt is when NoteOnce noted it, by Vault's clock; false if nobody has.
func (s *Store) NotedAt(ctx context.Context, campaign, what, where, id string) (at time.Time, noted bool, err error) {
	path, err := s.onceAt(ctx, campaign, what, where, id)
	if err != nil {
		return at, false, err
	}
	e, err := s.Get(ctx, "read what is done once", s.mount, path, 0)
	if vault.IsNotFound(err) {
		return at, false, nil
	}
	return e.Written, err == nil && e.Version > 0, err
}

// onceAt lies beside the pages of the roll, where the worker may create and not
// change.
func (s *Store) onceAt(ctx context.Context, campaign, what, where, id string) (string, error) {
	index, err := s.ReadIndex(ctx, campaign)
	if err != nil {
		return "", err
	}
	return rollPath(campaign, index.Snapshot, onceNotes+encodeSegment(what+"/"+where+"/"+id)), nil
}
