package ownmount

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"rollcall/internal/credential"
)

// cutter fills pages and begins a new one when the next item would not fit.
type cutter struct {
	pages map[string][]byte
	runs  map[int][]credential.Run // by wave
	alone map[int]bool             // waves with what is Rollcall's own

	logins  credential.Refs
	readers credential.Refs

	page  rollPage
	items int
	size  int
	n     int // pages of the sort in hand
}

// add puts a credential with its findings on the current page. cr is nil for
// findings of something that is not listed.
func (c *cutter) add(cr *credential.Credential, id string, f []credential.Finding) error {
	size, err := cost(id, struct {
		C *credential.Credential
		I string
		F []credential.Finding
	}{cr, id, f})
	if err != nil {
		return err
	}
	if err := c.room(credentials, size); err != nil {
		return err
	}
	if len(f) > 0 {
		if c.page.Findings == nil {
			c.page.Findings = map[string][]credential.Finding{}
		}
		c.page.Findings[id] = f
	}
	if cr != nil {
		c.note(*cr)
		c.page.Credentials = append(c.page.Credentials, *cr)
	}
	return nil
}

func (c *cutter) exclude(x credential.Exclusion) error {
	size, err := cost(x.ID, x)
	if err != nil {
		return err
	}
	if err := c.room(exclusions, size); err != nil {
		return err
	}
	c.page.Exclusions = append(c.page.Exclusions, x)
	return nil
}

// reading adds a reading of logs in parts, of which several pages may be.
func (c *cutter) reading(r credential.LogsRead) error {
	parts := []credential.LogsRead{{ID: r.ID, Of: r.Of, Counts: r.Counts}}
	for i := range r.Logs {
		parts = append(parts, credential.LogsRead{ID: r.ID, Logs: r.Logs[i : i+1]})
	}
	for i := range r.Coverage {
		parts = append(parts, credential.LogsRead{ID: r.ID, Coverage: r.Coverage[i : i+1]})
	}
	for i := range r.Elsewhere {
		parts = append(parts, credential.LogsRead{ID: r.ID, Elsewhere: r.Elsewhere[i : i+1]})
	}
	for _, part := range parts {
		size, err := cost("reading "+r.ID, part)
		if err != nil {
			return err
		}
		if err := c.room(readings, size); err != nil {
			return err
		}
		c.page.Readings = withPart(c.page.Readings, part)
	}
	return nil
}

// note lengthens the last run of the credential's wave, or begins another.
func (c *cutter) note(cr credential.Credential) {
	at := len(c.page.Credentials)
	switch {
	case cr.Own:
		// One that nobody but a person can rotate is no reason to wait.
		if cr.Problem != credential.OwnIdentity {
			c.alone[cr.Wave] = true
		}
	case cr.ReachesVault(), cr.ReadsOthers:
		c.logins = append(c.logins, credential.Ref{Page: c.n, Index: at})
		if cr.ReadsOthers {
			c.readers = append(c.readers, credential.Ref{Page: c.n, Index: at})
		}
	}
	runs := c.runs[cr.Wave]
	if n := len(runs) - 1; n >= 0 {
		if r := &runs[n]; r.Page == c.n && r.To == at && r.Authority == cr.Authority && r.Kind == cr.Kind {
			r.To++
			return
		}
	}
	c.runs[cr.Wave] = append(runs, credential.Run{Authority: cr.Authority, Kind: cr.Kind, Span: credential.Span{Page: c.n, From: at, To: at + 1}})
}

func (c *cutter) waves(named []credential.Wave) []credential.WaveIndex {
	var out []credential.WaveIndex
	for _, w := range slices.Sorted(maps.Keys(c.runs)) {
		index := credential.WaveIndex{Wave: w, Alone: c.alone[w], Runs: c.runs[w]}
		if w < len(named) {
			n := named[w]
			index.Name, index.Batch, index.Tasks, index.Proof, index.Hold = n.Name, n.Batch, n.Tasks, n.Proof, n.Hold
			index.Alone = index.Alone || n.Alone
		}
		out = append(out, index)
	}
	return out
}

func (c *cutter) room(sort string, size int) error {
	if c.items == maxPage || c.items > 0 && c.size+size > pageBytes {
		if err := c.flush(sort); err != nil {
			return err
		}
	}
	c.items++
	c.size += size
	return nil
}

// flush closes the current page, if anything is on it.
func (c *cutter) flush(sort string) error {
	if c.items == 0 {
		return nil
	}
	b, err := json.Marshal(c.page)
	if err != nil {
		return fmt.Errorf("vault: roll: %w", err)
	}
	c.pages[fmt.Sprintf("%s-%d", sort, c.n)] = b
	c.n++
	c.page, c.items, c.size = rollPage{}, 0, 0
	return nil
}
