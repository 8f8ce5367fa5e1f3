package activities

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// accusing are findings that say that somebody changed a credential. It may
// have been Rollcall, in an earlier campaign: of another device that has the
// same account, or with another path in Vault.
var accusing = []credential.FindingCode{credential.FindingChangedBefore, "path-refused", credential.FindingStalePath}

// nameEarlier adds to such findings which earlier campaign had the credential.
// Where Vault cannot be asked, it names none, and takes a stale path of what
// Rollcall has set before for one that it left behind.
func (r *Rotation) nameEarlier(ctx context.Context, campaign string, page []credential.Credential, out []wire.AppliedItem) {
	if !slices.ContainsFunc(out, func(it wire.AppliedItem) bool { return slices.ContainsFunc(it.Findings, accuses) }) {
		return
	}
	defer beat(ctx)()
	earlier, err := r.earlierRolls(ctx, campaign)
	for _, it := range out {
		rec, had := earlier[page[it.Index].ID]
		for i, f := range it.Findings {
			if err != nil && f.Code == credential.FindingStalePath && len(page[it.Index].Ours) > 0 {
				// Rollcall has set it before, and whether that path had a part
				// then is not known.
				it.Findings[i].Code = credential.FindingLeftBehind
				continue
			}
			if had && accuses(f) {
				if f.Code == credential.FindingChangedBefore && len(page[it.Index].Ours) > 0 {
					it.Findings[i].Detail = fmt.Sprintf("campaign %s put a value there that was in force, and it is refused now: somebody else changed it since; treat that as hostile until it is explained", rec.Campaign)
					continue
				}
				if f.Code == credential.FindingStalePath && leftBehind(page[it.Index], f.Detail, rec) {
					it.Findings[i].Code = credential.FindingLeftBehind
				}
				text := fmt.Sprintf("campaign %s of device %s, of %s, had it on its roll: Rollcall itself may have changed it then", rec.Campaign, rec.Device, rec.OpenedAt.UTC().Format(time.DateOnly))
				it.Findings[i].Detail = strings.TrimPrefix(f.Detail+"; "+text, "; ")
			}
		}
	}
}

// leftBehind reports whether a path that is not in force may have been so until
// Rollcall itself set another value: an earlier campaign had the credential,
// without that path, and activated it elsewhere. which is as rotation words it:
// "path 2, 3 of 3".
func leftBehind(c credential.Credential, which string, was ownmount.Earlier) bool {
	which, _, _ = strings.Cut(strings.TrimPrefix(which, "path "), " of ")
	for n := range strings.SplitSeq(which, ", ") {
		i, err := strconv.Atoi(n)
		if err != nil || i < 1 || i > len(c.Paths) || len(c.Ours) == 0 {
			continue
		}
		if slices.ContainsFunc(was.Paths, func(had []credential.Path) bool { return !slices.Contains(had, c.Paths[i-1]) }) {
			return true
		}
	}
	return false
}

func accuses(f credential.Finding) bool { return slices.Contains(accusing, f.Code) }

// earlierRolls reads them once for a campaign.
func (r *Rotation) earlierRolls(ctx context.Context, campaign string) (map[string]ownmount.Earlier, error) {
	if have, ok := r.earlier.Load(campaign); ok {
		return have.(map[string]ownmount.Earlier), nil
	}
	read, err := r.Store.EarlierRolls(ctx, campaign)
	if err == nil {
		r.earlier.Store(campaign, read)
	}
	return read, err
}
