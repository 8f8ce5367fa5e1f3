package vault

import (
	"context"
)

// earlierMost is how many campaigns are looked through for a credential.
const earlierMost = 10

// EarlierRolls says, by credential ID, which campaign before this one had the credential on
// its roll last, whatever its device. It reads the rolls of the newest few, and so is for when
// something is odd.
func (s *Store) EarlierRolls(ctx context.Context, campaign string) (map[string]CampaignRecord, error) {
	all, err := s.Campaigns(ctx, "")
	if err != nil {
		return nil, err
	}
	out := map[string]CampaignRecord{}
	read, behind := 0, false
	for _, rec := range all { // newest first
		if rec.Campaign == campaign {
			behind = true
			continue
		}
		if !behind || read == earlierMost {
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
			for _, c := range page {
				if _, newer := out[c.ID]; !newer && c.Problem == "" {
					out[c.ID] = rec
				}
			}
		}
	}
	return out, nil
}
