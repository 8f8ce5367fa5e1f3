package ownmount

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// RollIndex is the table of contents of a stored roll, small enough for
// anything: a run for each page, wave, authority and kind.
type RollIndex struct {
	Campaign string `json:"campaign"`
	Device   string `json:"device"`
	Snapshot string `json:"snapshot"` // which listing this is; the pages lie below it
	Pages    int    `json:"pages"`
	Listed   int    `json:"listed"`   // credentials
	Excluded int    `json:"excluded"` // exclusions
	Problems int    `json:"problems"` // credentials with a Problem; they are listed too
	// Warnings of the listing, and how many of them say that something may be
	// missing.
	Warnings   []credential.Finding   `json:"warnings,omitempty"`
	Incomplete int                    `json:"incomplete,omitempty"`
	Waves      []credential.WaveIndex `json:"waves"` // lowest first

	// Logins of the device to Vault, besides Rollcall's own.
	Logins credential.Refs `json:"logins,omitempty"`

	// Readers are accounts that may read what others of their authority are set
	// to. They are among Logins too.
	Readers credential.Refs `json:"readers,omitempty"`

	// Servers of each directory, the write server first: found once, so that
	// every worker, retry and pass asks the same ones.
	Servers map[string][]string `json:"servers,omitempty"`

	// Addresses of those whose name had one, so that all ask the same machine.
	Addresses map[string]string `json:"addresses,omitempty"`

	// Doors are the addresses of those whose name was looked up.
	Doors map[string][]string `json:"doors,omitempty"`

	// Incident: see credential.Roll.
	Incident credential.Incident `json:"incident,omitzero"`

	// Unfit are doors that are not asked: see credential.Roll.
	Unfit []credential.UnfitDoor `json:"unfit_doors,omitempty"`

	// Containment of the device, as it was when the roll was listed.
	Containment *credential.Containment `json:"containment,omitempty"`

	// NewestToken that the listing saw: see credential.Roll.
	NewestToken int64 `json:"newest_token,omitempty"`

	// Profile of the device, line by line, with the answers.
	Profile *credential.Accounting `json:"profile,omitempty"`

	// PeoplesOwn are logins to Vault that a person accepted as somebody's own.
	PeoplesOwn []string `json:"peoples_own,omitempty"`

	// Unlike: see credential.Roll. As many as an index has room for.
	Unlike []string `json:"unlike,omitempty"`

	// TokensEnded: see credential.Roll.
	TokensEnded []credential.TokensEnded `json:"tokens_ended,omitempty"`

	// Told: see credential.Roll.
	Told json.RawMessage `json:"told,omitempty"`

	ExclusionPages int `json:"exclusion_pages"`
	ReadingPages   int `json:"reading_pages,omitempty"` // of logs

	// Outcomes: what becomes of the credentials is noted beside the roll
	// (LastRoll).
	Outcomes bool `json:"outcomes,omitempty"`

	// Amended is what became part of the roll since it was written, in order,
	// and Moved are the places that count no more since. Pages, Waves and
	// Listed include it.
	Amended []Amended       `json:"-"`
	Moved   credential.Refs `json:"-"`
}

// rollPage is what one KV entry of a roll holds, as JSON in one field.
type rollPage struct {
	Credentials []credential.Credential         `json:"credentials,omitempty"`
	Findings    map[string][]credential.Finding `json:"findings,omitempty"`
	Exclusions  []credential.Exclusion          `json:"exclusions,omitempty"`
	Readings    []credential.LogsRead           `json:"readings,omitempty"`

	written time.Time // by Vault's clock
}

const (
	rollFolder   = "rolls"
	indexName    = "index"
	credentials  = "credentials"
	exclusions   = "exclusions"
	readings     = "readings"
	pageField    = "page"
	maxPage      = 500     // credentials on a page
	pageBytes    = 640_000 // Vault refuses strings above 1 MB, and raft entries above 1 MiB
	opReadRoll   = "read the roll"
	writesAtOnce = 8
	maxUnlike    = 2000 // ids of accounts in the index of a roll
)

// rollFormat stands beside each part of a roll. It goes up when a program of
// before would do wrong with what a roll says, and such a program refuses it.
// Rolls of before it had a number have none.
const (
	rollFormat  = 1
	formatField = "format"
)

// rollPart is the secret that holds a part of a roll.
func rollPart(body []byte) map[string]any {
	return map[string]any{pageField: string(body), formatField: strconv.Itoa(rollFormat)}
}

// partOf is the text of a part of a roll. One that a newer program wrote is
// refused: a worker that fails so leaves its task to a worker of that version.
func (s *Store) partOf(e vault.Entry, op, path string) ([]byte, error) {
	if has, _ := e.Data[formatField].(string); has != "" {
		if n, err := strconv.Atoi(has); err != nil || n > rollFormat {
			return nil, &vault.Error{Op: op, Path: s.mount + "/data/" + path, Server: s.Address(), Kind: vault.Other,
				Detail: fmt.Sprintf("a newer Rollcall wrote this roll (format %.20q, this program reads up to %d), so nothing was done with it: use the rollcall that began the campaign, for its workers too", has, rollFormat)}
		}
	}
	text, _ := e.Data[pageField].(string)
	return []byte(text), nil
}

// ReadIndex reads the index of a campaign's roll. Not listed yet: a
// *vault.Error of kind NotFound.
func (s *Store) ReadIndex(ctx context.Context, campaign string) (RollIndex, error) {
	idx, found, err := s.readIndex(ctx, campaign)
	if err == nil && !found {
		err = &vault.Error{Op: opReadRoll, Path: s.mount + "/data/" + rollPath(campaign, indexName), Server: s.Address(), Kind: vault.NotFound,
			Detail: "campaign " + campaign + " has no roll yet"}
	}
	return idx, err
}

// ReadPage reads one page of credentials, counted from 0.
func (s *Store) ReadPage(ctx context.Context, campaign, snapshot string, page int) ([]credential.Credential, error) {
	p, err := s.readRollPage(ctx, campaign, snapshot, credentials, page)
	return p.Credentials, err
}

// NotOnRoll is a reference to what a page of a roll has not.
type NotOnRoll struct {
	Campaign string
	Page     int
	What     string // "no credential 3"
}

func (e *NotOnRoll) Error() string {
	return fmt.Sprintf("campaign %s: page %d of the roll has %s", e.Campaign, e.Page, e.What)
}

// ReadRefs reads the credentials at some places of a roll, in their order.
func (s *Store) ReadRefs(ctx context.Context, campaign, snapshot string, refs credential.Refs) ([]credential.Credential, error) {
	out := make([]credential.Credential, 0, len(refs))
	for _, ref := range refs {
		page, err := s.ReadPage(ctx, campaign, snapshot, ref.Page)
		if err != nil {
			return nil, err
		}
		if ref.Index >= len(page) {
			return nil, &NotOnRoll{campaign, ref.Page, fmt.Sprintf("no credential %d", ref.Index)}
		}
		out = append(out, page[ref.Index])
	}
	return out, nil
}

// PageWritten is when a page was written, which was right after its credentials
// were looked at.
func (s *Store) PageWritten(ctx context.Context, campaign, snapshot string, page int) (time.Time, error) {
	p, err := s.readRollPage(ctx, campaign, snapshot, credentials, page)
	return p.written, err
}

// ReadFindings reads the findings of the credentials on a page, by credential
// ID. The last pages may also hold findings of credentials that are not listed.
func (s *Store) ReadFindings(ctx context.Context, campaign, snapshot string, page int) (map[string][]credential.Finding, error) {
	p, err := s.readRollPage(ctx, campaign, snapshot, credentials, page)
	return p.Findings, err
}

// ReadExcluded reads all exclusions of a roll, with what came off it while the
// campaign ran. One that was taken back meanwhile is among them.
func (s *Store) ReadExcluded(ctx context.Context, campaign string) ([]credential.Exclusion, error) {
	idx, err := s.ReadIndex(ctx, campaign)
	if err != nil {
		return nil, err
	}
	var all []credential.Exclusion
	for i := range idx.ExclusionPages {
		p, err := s.readRollPage(ctx, campaign, idx.Snapshot, exclusions, i)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Exclusions...)
	}
	for _, a := range idx.Amended {
		all = append(all, a.Excluded...)
	}
	return all, nil
}

// ReadReadings reads what logs show besides what stands with the credentials.
func (s *Store) ReadReadings(ctx context.Context, idx RollIndex) (all []credential.LogsRead, err error) {
	for i := range idx.ReadingPages {
		p, err := s.readRollPage(ctx, idx.Campaign, idx.Snapshot, readings, i)
		if err != nil {
			return nil, err
		}
		for _, part := range p.Readings {
			all = withPart(all, part)
		}
	}
	return all, nil
}

// withPart adds a part of a reading to the one that it is of.
func withPart(all []credential.LogsRead, part credential.LogsRead) []credential.LogsRead {
	n := len(all) - 1
	if n < 0 || all[n].ID != part.ID {
		part.Logs, part.Coverage, part.Elsewhere = slices.Clone(part.Logs), slices.Clone(part.Coverage), slices.Clone(part.Elsewhere)
		return append(all, part)
	}
	r := &all[n]
	r.Logs, r.Coverage, r.Elsewhere = append(r.Logs, part.Logs...), append(r.Coverage, part.Coverage...), append(r.Elsewhere, part.Elsewhere...)
	return all
}

func (s *Store) readIndex(ctx context.Context, campaign string) (RollIndex, bool, error) {
	path := rollPath(campaign, indexName)
	// Version 1, so that nothing written over it later is ever read.
	e, err := s.Get(ctx, opReadRoll, s.mount, path, 1)
	if err != nil || e.Data == nil {
		return RollIndex{}, false, err
	}
	var idx RollIndex
	text, err := s.partOf(e, opReadRoll, path)
	if err != nil {
		return RollIndex{}, false, err
	}
	if err := json.Unmarshal(text, &idx); err != nil {
		return RollIndex{}, false, s.Odd(opReadRoll, s.mount+"/data/"+path, err)
	}
	if err := s.amend(ctx, &idx); err != nil {
		return RollIndex{}, false, err
	}
	return idx, true, nil
}

// readRollPage returns a page that the caller must not change: it is shared.
func (s *Store) readRollPage(ctx context.Context, campaign, snapshot, sort string, n int) (rollPage, error) {
	path := rollPath(campaign, snapshot, fmt.Sprintf("%s-%d", sort, n))
	if p, ok := s.pages.Get(path); ok {
		return p, nil
	}
	var p rollPage
	var err error
	if p.written, err = s.withRollPage(ctx, path, func(text []byte) error { return json.Unmarshal(text, &p) }); err != nil {
		return rollPage{}, err
	}
	s.pages.Add(path, p)
	return p, nil
}

// withRollPage hands the text of a page to whoever decodes it, and says when it
// was written.
func (s *Store) withRollPage(ctx context.Context, path string, decode func(text []byte) error) (time.Time, error) {
	e, err := s.Get(ctx, opReadRoll, s.mount, path, 1)
	if err != nil {
		return time.Time{}, err
	}
	if e.Data == nil {
		return time.Time{}, &vault.Error{Op: opReadRoll, Path: s.mount + "/data/" + path, Server: s.Address(), Kind: vault.NotFound,
			Detail: "a page of the roll is missing; the ledger still lists every credential"}
	}
	text, err := s.partOf(e, opReadRoll, path)
	if err != nil {
		return time.Time{}, err
	}
	if err := decode(text); err != nil {
		return time.Time{}, s.Odd(opReadRoll, s.mount+"/data/"+path, err)
	}
	return e.Written, nil
}

func rollPath(campaign string, names ...string) string {
	p := rollFolder + "/" + encodeSegment(campaign)
	for _, n := range names {
		p += "/" + n
	}
	return p
}
