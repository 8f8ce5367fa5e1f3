package ownmount

import (
	"context"

	"rollcall/internal/credential"
)

// maxEarlier is how many campaigns are looked through for a credential.
const maxEarlier = 10

// Earlier is what earlier rolls say of a credential.
type Earlier struct {
	CampaignRecord                     // the newest that had it
	Paths          [][]credential.Path // of each that had it, the newest first
}

// EarlierRolls says, by credential ID, which campaign before this one had the
// credential on its roll last, whatever its device. It reads the rolls of the
// newest few, and so is for when something is odd.
func (s *Store) EarlierRolls(ctx context.Context, campaign string) (map[string]Earlier, error) {
	all, err := s.Campaigns(ctx, "")
	if err != nil {
		return nil, err
	}
	out := map[string]Earlier{}
	read, behind := 0, false
	for _, rec := range all { // newest first
		if rec.Campaign == campaign {
			behind = true
			continue
		}
		if !behind || read == maxEarlier {
			continue
		}
		idx, found, err := s.readIndex(ctx, rec.Campaign)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		read++
		for n := range idx.Pages {
			page, err := s.ReadPage(ctx, rec.Campaign, idx.Snapshot, n)
			if err != nil {
				return nil, err
			}
			for i, c := range page {
				if c.Problem != "" || !idx.Counts(n, i) {
					continue
				}
				was, newer := out[c.ID]
				if !newer {
					was.CampaignRecord = rec
				}
				was.Paths = append(was.Paths, c.Paths)
				out[c.ID] = was
			}
		}
	}
	return out, nil
}
