package ownmount

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// A campaign may list again while it runs (rollcall relist). What that found is
// stored beside the roll as a proposal, which a person looks at. What he takes
// up gets pages of its own behind those of the roll: none of these ever
// changes, and a credential that is listed anew is from then on where the new
// page has it.

// RelistSpec owns the campaign file of a listing that was made again.
func RelistSpec(campaign, proposal string) SpecKey {
	return SpecKey("campaign/" + campaign + "+" + proposal)
}

// LatestSpec owns the campaign file by which the roll was last listed.
func (idx RollIndex) LatestSpec() SpecKey {
	if n := len(idx.Amended); n > 0 {
		return RelistSpec(idx.Campaign, idx.Amended[n-1].Proposal)
	}
	return CampaignSpec(idx.Campaign)
}

// Proposal is what listing again found, besides what is as it was.
type Proposal struct {
	ID    string         `json:"id"`
	Items []ProposalItem `json:"-"` // on pages of their own
	// Replaced may come off the roll: they were no accounts, and what names
	// them in Vault is the path of an item by now, or they are Excluded.
	Replaced credential.Refs `json:"replaced,omitempty"`
	// Excluded are those of the roll that the campaign file excludes by now.
	// What of them is not among Replaced stays.
	Excluded []credential.Exclusion `json:"excluded,omitempty"`
	// Gone are those of the roll that nothing names any more. They stay on it.
	Gone credential.Refs `json:"gone,omitempty"`
	// Read are those of the roll whose new values a login to Vault could read
	// that is among the items and was not on the roll, or of which that is not
	// known.
	Read credential.Refs `json:"read,omitempty"`
	// Staged are those of Read of which a value is staged when it becomes part
	// of the roll.
	Staged credential.Refs `json:"-"`
	// Apart are ids of credentials that are other than they were and are not
	// taken up in a running campaign, each with why.
	Apart map[string]string `json:"apart,omitempty"`
	// Warnings are those of the listing that were not given before, what is
	// apart among them, and how many of these say that something may be
	// missing.
	Warnings   []credential.Finding `json:"warnings,omitempty"`
	Incomplete int                  `json:"incomplete,omitempty"`
	Pages      int                  `json:"pages"`
}

// ProposalItem is a credential as it is listed now.
type ProposalItem struct {
	Now      credential.Credential `json:"now"`
	Old      *credential.Ref       `json:"old,omitempty"` // where the roll has it; nil for one that is new
	Findings []credential.Finding  `json:"findings,omitempty"`
}

// Amended is what of a proposal became part of the roll.
type Amended struct {
	Proposal string                 `json:"proposal"`
	Pages    int                    `json:"pages"`
	Waves    []credential.WaveIndex `json:"waves"`
	// Moved are places of the roll that count no more: the credential is on a
	// later page, or something else took its place.
	Moved credential.Refs `json:"moved,omitempty"`
	// Changed and Added are where the new pages have which items.
	Changed  credential.Refs `json:"changed,omitempty"`
	Added    credential.Refs `json:"added,omitempty"`
	Replaced credential.Refs `json:"replaced,omitempty"` // among Moved
	// Logins are those of Added that open Vault: the campaign ends them as it
	// ends its own. Read is the proposal's, without what is Changed, and Staged
	// those of it of which a value was staged by then.
	Logins credential.Refs `json:"logins,omitempty"`
	Read   credential.Refs `json:"read,omitempty"`
	Staged credential.Refs `json:"staged,omitempty"`
	// Excluded are those of Replaced that a person excludes.
	Excluded []credential.Exclusion `json:"excluded,omitempty"`
	// Warnings and Incomplete: see Proposal.
	Warnings   []credential.Finding `json:"warnings,omitempty"`
	Incomplete int                  `json:"incomplete,omitempty"`
}

const (
	opRelist       = "store what listing again found"
	opReadProposal = "read what listing again found"
	opAmend        = "take up what listing again found"
	amendedName    = "amended"
)

func proposalPath(idx RollIndex, id string) string {
	return rollPath(idx.Campaign, idx.Snapshot, "relist-"+id)
}

// Propose stores a proposal, once, and gives the one that is stored: the first
// of its id.
func (s *Store) Propose(ctx context.Context, idx RollIndex, p Proposal) (Proposal, error) {
	if err := s.propose(ctx, idx, p); err != nil {
		// A lost reply, or another was first, which can show as a missing
		// right.
		if kept, readErr := s.ReadProposal(ctx, idx, p.ID); readErr == nil {
			return kept, nil
		}
		return Proposal{}, err
	}
	return p, nil
}

func (s *Store) propose(ctx context.Context, idx RollIndex, p Proposal) error {
	// Pages of a name of their own: a try that was broken off is in nobody's
	// way.
	try := strings.ToLower(rand.Text()[:8])
	p.Warnings = fewWarnings(p.Warnings)
	var page []json.RawMessage
	size := 0
	flush := func() error {
		body, err := json.Marshal(page)
		if err == nil {
			_, err = s.Put(ctx, opRelist, s.mount, fmt.Sprintf("%s-%s-%d", proposalPath(idx, p.ID), try, p.Pages), 0, rollPart(body))
		}
		p.Pages, page, size = p.Pages+1, nil, 0
		return err
	}
	for _, it := range p.Items {
		text, err := json.Marshal(it)
		if err != nil {
			return err
		}
		n, err := cost(it.Now.ID, it)
		if err != nil {
			return err
		}
		if size > 0 && size+n > pageBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		page, size = append(page, text), size+n
	}
	if len(page) > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	body, err := json.Marshal(struct {
		Proposal
		Try string `json:"try"`
	}{p, try})
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, opRelist, s.mount, proposalPath(idx, p.ID), 0, rollPart(body))
	return err
}

// ReadProposal reads what Propose stored. None: a *vault.Error of kind
// NotFound.
func (s *Store) ReadProposal(ctx context.Context, idx RollIndex, id string) (Proposal, error) {
	var p struct {
		Proposal
		Try string `json:"try"`
	}
	at := proposalPath(idx, id)
	if err := s.readJSON(ctx, opReadProposal, at, &p); err != nil {
		return Proposal{}, err
	}
	for n := range p.Pages {
		var items []ProposalItem
		if err := s.readJSON(ctx, opReadProposal, fmt.Sprintf("%s-%s-%d", at, p.Try, n), &items); err != nil {
			return Proposal{}, err
		}
		p.Items = append(p.Items, items...)
	}
	return p.Proposal, nil
}

func (s *Store) readJSON(ctx context.Context, op, at string, into any) error {
	e, err := s.Get(ctx, op, s.mount, at, 1)
	if err != nil {
		return err
	}
	if e.Data == nil {
		return &vault.Error{Op: op, Path: s.mount + "/data/" + at, Server: s.Address(), Kind: vault.NotFound, Detail: "nothing is there"}
	}
	text, err := s.partOf(e, op, at)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return s.Odd(op, s.mount+"/data/"+at, err)
	}
	return nil
}

// Amend makes items of a proposal part of the roll, in a wave of their own, and
// says where they are: logins to Vault in one before the others. wave is the
// first number that no wave of the campaign has. What p excludes is among
// replaced. Repeating it gives what the first one made. One campaign amends its
// roll once at a time.
func (s *Store) Amend(ctx context.Context, campaign string, p Proposal, take []int, replaced credential.Refs, wave int) (Amended, error) {
	idx, err := s.ReadIndex(ctx, campaign)
	if err != nil {
		return Amended{}, err
	}
	for _, a := range idx.Amended {
		if a.Proposal == p.ID {
			return a, nil
		}
	}
	pages, a, err := cutAmended(idx, p, take, replaced, wave)
	if err != nil {
		return Amended{}, err
	}
	a.keepRead(p)
	for name, body := range pages {
		if err := s.putAmended(ctx, rollPath(campaign, idx.Snapshot, name), body); err != nil {
			return Amended{}, err
		}
	}
	body, err := json.Marshal(a)
	if err != nil {
		return Amended{}, err
	}
	at := rollPath(campaign, idx.Snapshot, fmt.Sprintf("%s-%d", amendedName, len(idx.Amended)+1))
	_, err = s.Put(ctx, opAmend, s.mount, at, 0, rollPart(body))
	if err != nil {
		var kept Amended // our own, of which the reply was lost
		if s.readJSON(ctx, opAmend, at, &kept) == nil && kept.Proposal == p.ID {
			return kept, nil
		}
	}
	return a, err
}

// putAmended writes a page that no index names yet. What a try that came to
// nothing has left there makes room.
func (s *Store) putAmended(ctx context.Context, at string, body []byte) error {
	_, err := s.Put(ctx, opAmend, s.mount, at, 0, rollPart(body))
	if err == nil {
		return nil
	}
	e, readErr := s.Get(ctx, opAmend, s.mount, at, 1)
	if readErr != nil || e.Data == nil {
		return err
	}
	if text, _ := e.Data[pageField].(string); text == string(body) {
		return nil
	}
	if err := s.Purge(ctx, opAmend, s.mount, at); err != nil {
		return err
	}
	_, err = s.Put(ctx, opAmend, s.mount, at, 0, rollPart(body))
	return err
}

// cutAmended lays the taken items out behind the pages of the roll.
func cutAmended(idx RollIndex, p Proposal, take []int, replaced credential.Refs, wave int) (map[string][]byte, Amended, error) {
	for _, w := range idx.Waves {
		wave = max(wave, w.Wave+1)
	}
	roll := &credential.Roll{Campaign: idx.Campaign, Findings: map[string][]credential.Finding{}}
	a := Amended{Proposal: p.ID, Moved: slices.Clone(replaced), Replaced: slices.Clone(replaced), Excluded: p.Excluded, Warnings: p.Warnings, Incomplete: p.Incomplete}
	old := map[string]bool{}
	for _, i := range loginsFirst(p, take) {
		it := p.Items[i]
		if it.Now.Wave = wave; !it.Now.ReachesVault() && len(roll.Credentials) > 0 && roll.Credentials[0].ReachesVault() {
			it.Now.Wave++
		}
		roll.Credentials = append(roll.Credentials, it.Now)
		if len(it.Findings) > 0 {
			roll.Findings[it.Now.ID] = it.Findings
		}
		if it.Old != nil {
			a.Moved, old[it.Now.ID] = append(a.Moved, *it.Old), true
		}
	}
	for n := len(roll.Waves); n <= wave+1; n++ {
		roll.Waves = append(roll.Waves, credential.Wave{Name: fmt.Sprintf("listed again %d", len(idx.Amended)+1)})
	}
	if len(roll.Credentials) > 0 && roll.Credentials[0].ReachesVault() {
		roll.Waves[wave].Name += ", logins to Vault"
	}
	cut, made, err := cutRoll(roll)
	if err != nil {
		return nil, a, err
	}
	pages := map[string][]byte{}
	for name, body := range cut {
		var n int
		if _, err := fmt.Sscanf(name, credentials+"-%d", &n); err != nil {
			return nil, a, fmt.Errorf("vault: roll: a page called %s", name)
		}
		pages[fmt.Sprintf("%s-%d", credentials, idx.Pages+n)] = body
	}
	a.Pages, a.Waves = made.Pages, made.Waves
	for _, at := range made.Logins {
		a.Logins = append(a.Logins, credential.Ref{Page: idx.Pages + at.Page, Index: at.Index})
	}
	k := 0
	for w := range a.Waves {
		for r := range a.Waves[w].Runs {
			run := &a.Waves[w].Runs[r]
			run.Page += idx.Pages
			for i := run.From; i < run.To; i++ {
				if old[roll.Credentials[k].ID] {
					a.Changed = append(a.Changed, credential.Ref{Page: run.Page, Index: i})
				} else {
					a.Added = append(a.Added, credential.Ref{Page: run.Page, Index: i})
				}
				k++
			}
		}
	}
	return pages, a, nil
}

// loginsFirst are items of a proposal in the order of their waves.
func loginsFirst(p Proposal, take []int) []int {
	out := slices.Clone(take)
	slices.SortStableFunc(out, func(a, b int) int {
		return cmp.Compare(toVaultFirst(p.Items[a].Now), toVaultFirst(p.Items[b].Now))
	})
	return out
}

func toVaultFirst(c credential.Credential) int {
	if c.ReachesVault() {
		return 0
	}
	return 1
}

// keepRead notes what the logins among a could read of what goes on where it
// was.
func (a *Amended) keepRead(p Proposal) {
	if len(a.Logins) == 0 {
		return
	}
	for _, at := range p.Read {
		if slices.Contains(a.Moved, at) {
			continue
		}
		if a.Read = append(a.Read, at); slices.Contains(p.Staged, at) {
			a.Staged = append(a.Staged, at)
		}
	}
}

// FoundLogins counts the logins to Vault that became part of the roll since it
// was written.
func (idx RollIndex) FoundLogins() (n int) {
	for _, a := range idx.Amended {
		n += len(a.Logins)
	}
	return n
}

// amend reads what became part of the roll since it was written.
func (s *Store) amend(ctx context.Context, idx *RollIndex) error {
	for n := 1; ; n++ {
		var a Amended
		err := s.readJSON(ctx, opReadRoll, rollPath(idx.Campaign, idx.Snapshot, fmt.Sprintf("%s-%d", amendedName, n)), &a)
		if vault.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		idx.Amended = append(idx.Amended, a)
		idx.Pages += a.Pages
		idx.Waves = append(slices.Clone(idx.Waves), a.Waves...)
		idx.Listed += len(a.Added) - len(a.Replaced)
		idx.Excluded += len(a.Excluded)
		idx.Moved = append(idx.Moved, a.Moved...)
		idx.Logins = append(slices.Clone(idx.Logins), a.Logins...)
		idx.Warnings = append(slices.Clone(idx.Warnings), a.Warnings...)
		idx.Incomplete += a.Incomplete
	}
}

// Counts reports whether a place of the roll is where its credential is: no
// later page has it.
func (idx RollIndex) Counts(page, index int) bool {
	return len(idx.Moved) == 0 || !slices.Contains(idx.Moved, credential.Ref{Page: page, Index: index})
}

// Current gives the credentials of a roll, each where it counts.
func (s *Store) Current(ctx context.Context, idx RollIndex, take func(credential.Ref, credential.Credential)) error {
	for n := range idx.Pages {
		page, err := s.ReadPage(ctx, idx.Campaign, idx.Snapshot, n)
		if err != nil {
			return err
		}
		for i, c := range page {
			if idx.Counts(n, i) {
				take(credential.Ref{Page: n, Index: i}, c)
			}
		}
	}
	return nil
}
