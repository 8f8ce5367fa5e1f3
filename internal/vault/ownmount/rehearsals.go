package ownmount

import (
	"context"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
)

// RehearsalsFolder is where rehearsals keep all that is theirs, each in a
// folder of its own: what it is about to make (record), what it stages, and
// live values where the file names no other place.
const RehearsalsFolder = "rehearsals"

func rehearsalFolder(id string) string { return RehearsalsFolder + "/" + encodeSegment(id) }

func rehearsalRecord(id string) string { return rehearsalFolder(id) + "/record" }

// RehearsalRecord says what a rehearsal makes, and is written before any of it
// is made, so that whatever a crash leaves is found again.
type RehearsalRecord struct {
	ID        string // also the last part of the account's name
	Authority string
	Account   string // its name; empty where an administrator made it
	Under     string // where it was made, whatever the campaign file says by now
	Live      credential.Path
	At        time.Time

	// Version of the record, which its rehearsal writes again every few seconds
	// as a sign of life.
	Version int
}

// Rehearsal is the store of one rehearsal: it stages in a folder of its own.
func (s *Store) Rehearsal(id string) *Store {
	own := On(s.Client, Settings{Mount: s.mount, Transit: s.transit})
	own.rehearsal = id
	return own
}

// RehearsalLive is the live path on our own mount.
func (s *Store) RehearsalLive(id, field string) credential.Path {
	return credential.Path{Mount: s.mount, Path: rehearsalFolder(id) + "/live", Field: field}
}

const opRehearsal = "keep the record of a rehearsal"

// KeepRehearsal writes the record anew, if it is as it was read.
func (s *Store) KeepRehearsal(ctx context.Context, r RehearsalRecord) (RehearsalRecord, error) {
	v, err := s.Put(ctx, opRehearsal, s.mount, rehearsalRecord(r.ID), r.Version, map[string]any{
		"authority": r.Authority, "account": r.Account, "under": r.Under, "live": r.Live.String(), "at": r.At.UTC().Format(time.RFC3339)})
	if err == nil {
		r.Version = v
	}
	return r, err
}

// Rehearsals are the records of all rehearsals that are not over. A folder
// whose record is gone is one too, without an account: its end was cut short.
func (s *Store) Rehearsals(ctx context.Context) (out []RehearsalRecord, err error) {
	names, err := s.Names(ctx, "list rehearsals", s.mount, RehearsalsFolder+"/")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, n := range names {
		id, ok := decodeID(strings.TrimSuffix(n, "/"))
		if !ok {
			continue
		}
		r := RehearsalRecord{ID: id}
		e, err := s.Get(ctx, opRehearsal, s.mount, rehearsalRecord(id), 0)
		if err != nil {
			return nil, err
		}
		r.Version = e.Version
		r.Authority, _ = e.Data["authority"].(string)
		r.Account, _ = e.Data["account"].(string)
		r.Under, _ = e.Data["under"].(string)
		live, _ := e.Data["live"].(string)
		r.Live, _ = credential.ParsePath(live)
		at, _ := e.Data["at"].(string)
		r.At, _ = time.Parse(time.RFC3339, at)
		out = append(out, r)
	}
	return out, nil
}

// EndRehearsal deletes all that a rehearsal keeps here, the record last.
func (s *Store) EndRehearsal(ctx context.Context, id string) error {
	const op = "remove what a rehearsal kept"
	folders := []string{rehearsalFolder(id) + "/"}
	for len(folders) > 0 {
		folder := folders[0]
		folders = folders[1:]
		names, err := s.Names(ctx, op, s.mount, folder)
		if err != nil {
			return err
		}
		for _, n := range names {
			switch at := folder + n; {
			case strings.HasSuffix(n, "/"):
				folders = append(folders, at)
			case at == rehearsalRecord(id):
			default:
				if err := s.Purge(ctx, op, s.mount, at); err != nil {
					return err
				}
			}
		}
	}
	return s.Purge(ctx, op, s.mount, rehearsalRecord(id))
}

// RemoveLive deletes a live path of a rehearsal with all its versions.
func (s *Store) RemoveLive(ctx context.Context, p credential.Path) error {
	return s.Purge(ctx, "remove a rehearsal's live path", p.Mount, p.Path)
}
