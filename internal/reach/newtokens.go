package reach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// quietFor is how long a look that found no token of somebody else serves the
// batches of one authority, as long as the same logins are open: those that
// follow a wave with logins look anew.
const quietFor = 15 * time.Second

// maxNamed is how many accessors a detail has.
const maxNamed = 10

// MadeSince are the ids of those of cs whose new values a token could read that
// was made since the listing, that no login of the roll made, and that names
// the device. Where that cannot be asked stop says why. open are the logins of
// the batch.
func (l *Logins) MadeSince(ctx context.Context, spec *config.Campaign, campaign, authority string, open credential.Refs, cs []credential.Credential) (read map[string]bool, stop *protocol.Stop) {
	if len(cs) == 0 {
		return nil, nil
	}
	key := fmt.Sprint(campaign, " ", authority, " ", open)
	if at, ok := l.quiet.Load(key); ok && time.Since(at.(time.Time)).Abs() < quietFor {
		return nil, nil
	}
	index, err := l.store.ReadIndex(ctx, campaign)
	if err != nil {
		return nil, vault.StopOf(err)
	}
	if index.NewestToken == 0 {
		return nil, nil
	}
	logins, err := l.store.ReadRefs(ctx, campaign, index.Snapshot, index.Logins)
	if err != nil {
		return nil, vault.StopOf(err)
	}
	roll := &credential.Roll{Credentials: slices.Concat(cs, logins)}
	found, other, err := l.tokensSince(ctx, spec, campaign, roll, index.NewestToken)
	if err != nil {
		return nil, vault.StopOf(err)
	}
	if !other {
		l.quiet.Store(key, time.Now().Round(0))
	}
	read = map[string]bool{}
	for _, t := range found {
		for _, id := range t.Reads {
			read[id] = true
		}
	}
	return read, nil
}

// tokensSince passes over what this login may not look at: the listing has said
// so.
func (l *Logins) tokensSince(ctx context.Context, spec *config.Campaign, campaign string, roll *credential.Roll, newest int64) (found []inventory.NewToken, other bool, err error) {
	if roll.Excluded, err = l.store.ReadExcluded(ctx, campaign); err != nil {
		return nil, false, err
	}
	found, other, err = inventory.TokensSince(ctx, spec, l.store, l.kinds.Tokens(), roll, newest)
	if stop, ok := errors.AsType[*protocol.Stop](err); ok && stop.Reason == protocol.ReasonRights {
		return nil, false, nil
	}
	return found, other, err
}

// ReadSince says why nothing may be staged for what such a token could read.
func ReadSince() *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: "a token of Vault that was made since the listing, that no login of the roll made, names the device, and could read its new value where that goes or is staged; nothing was changed. The finding reader-since-listing has its accessor at the end of the campaign (or vault list auth/token/accessors): revoke it (vault token revoke -accessor …), and this goes on by itself; if it is not the device's, accept it in the campaign file (accept: - {vault: auth/token/accessor/…, reason: …}) and run again"}
}

// Tell looks once more, when everything has been set, for tokens that were made
// since the listing and may read it. It is empty where there is none.
func (l *Logins) Tell(ctx context.Context, spec *config.Campaign, campaign string, index ownmount.RollIndex) (string, error) {
	roll := &credential.Roll{}
	for n := range index.Pages {
		page, err := l.store.ReadPage(ctx, campaign, index.Snapshot, n)
		if err != nil {
			return "", err
		}
		for i, c := range page {
			if index.Counts(n, i) {
				roll.Credentials = append(roll.Credentials, c)
			}
		}
	}
	found, _, err := l.tokensSince(ctx, spec, campaign, roll, index.NewestToken)
	if err != nil || len(found) == 0 {
		return "", err
	}
	var named []string
	for _, t := range found[:min(maxNamed, len(found))] {
		if named = append(named, t.Accessor); t.Device {
			named[len(named)-1] += " (names the device)"
		}
	}
	more := ""
	if n := len(found) - maxNamed; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s and may read new values: accessors %s%s", plural.Count(len(found), "token of Vault was made since the listing that no login of the roll made,", "tokens of Vault were made since the listing that no login of the roll made,"), strings.Join(named, ", "), more), nil
}
