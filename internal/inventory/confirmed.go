package inventory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// A person's word for a path is about what he looked at. Once Rollcall has put
// a value there and somebody wrote another one since, the path may have been
// given to another account, and nobody has looked at that.

// confirmedNow says of a path that a person confirmed if his word is about
// something else than it holds now. It costs nothing where it never was: the
// places that earlier campaigns put values at are known.
func (k *pathsLook) confirmedNow(ctx context.Context, p credential.Path) error {
	at := k.c.ConfirmedAt[p.String()]
	placed := slices.Contains(k.placed[k.c.ID], p)
	if k.c.Adopted || !slices.Contains(k.c.Confirmed, p) || at == 0 && !placed {
		return nil
	}
	live, err := k.vault.ReadLive(ctx, p, 0)
	if placeProblem(err) != "" || vault.IsDenied(err) {
		return nil // it was said
	}
	since := ownmount.NotActivated
	if err == nil && placed {
		since, err = k.vault.SinceActivated(ctx, k.c.ID, p, live)
	}
	if err != nil {
		return fmt.Errorf("looking at %s, which the campaign file confirms: %w; the listing was given up and nothing was changed", p, err)
	}
	if !live.Found || since == ownmount.AsActivated || k.c.ConfirmedNow(p, live.Version, live.Written, since == ownmount.NotActivated) {
		return nil
	}
	if written := k.c.ConfirmedWritten[p.String()]; at > 0 && !written.IsZero() {
		if held, err := k.vault.HeldSince(ctx, ownmount.Placed{Path: p, Version: at, Written: written}, live); err != nil || held {
			return err
		}
	}
	why := fmt.Sprintf("the campaign file confirms version %d of it", at)
	switch written := k.c.ConfirmedWritten[p.String()]; {
	case at == 0:
		why = "an earlier campaign put a value of it there, and somebody has written it since, so the campaign file confirms what is there no more"
	case written.IsZero():
		why += ", and says not when that was written, by which a secret that was made anew is known"
	default:
		why += ", of " + written.Format(time.RFC3339Nano)
	}
	k.find(credential.FindingPlace, "%s: %s, and it holds version %d, of %s: if the account does not accept that, it stays as it is; look whose it is now, and confirm that (version: %d, written: %[4]s), or exclude the path",
		p, why, live.Version, live.Written.UTC().Format(time.RFC3339), live.Version)
	return nil
}
