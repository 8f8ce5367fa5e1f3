package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// quietFor is how long a look that found no token of somebody else serves the
// batches of one authority, as long as the same logins are open: those that
// follow a wave with logins look anew.
const quietFor = 15 * time.Second

// namedAtMost is how many accessors a detail has.
const namedAtMost = 10

// madeSince are the ids of those of cs whose new values a token could read that
// was made since the listing, that no login of the roll made, and that names
// the device. Where that cannot be asked stop says why.
func (r *Rotation) madeSince(ctx context.Context, b wire.Batch, cs []credential.Credential) (read map[string]bool, stop *protocol.Stop) {
	if len(cs) == 0 {
		return nil, nil
	}
	key := fmt.Sprint(b.Campaign, " ", b.Authority, " ", b.Logins)
	if at, ok := r.quiet.Load(key); ok && time.Since(at.(time.Time)).Abs() < quietFor {
		return nil, nil
	}
	index, err := r.Store.ReadIndex(ctx, b.Campaign)
	if err != nil {
		return nil, vaultStop(err)
	}
	if index.NewestToken == 0 {
		return nil, nil
	}
	roll := &credential.Roll{Credentials: cs}
	for _, ref := range index.Logins {
		page, err := r.Store.ReadPage(ctx, b.Campaign, index.Snapshot, ref.Page)
		if err != nil {
			return nil, vaultStop(err)
		}
		roll.Credentials = append(roll.Credentials, page[ref.Index])
	}
	found, other, err := r.tokensSince(ctx, b.Campaign, roll, index.NewestToken)
	if err != nil {
		return nil, vaultStop(err)
	}
	if !other {
		r.quiet.Store(key, time.Now().Round(0))
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
func (r *Rotation) tokensSince(ctx context.Context, campaign string, roll *credential.Roll, newest int64) ([]inventory.NewToken, bool, error) {
	spec, err := r.spec(ctx, campaign)
	if err != nil {
		return nil, false, err
	}
	if roll.Excluded, err = r.Store.ReadExcluded(ctx, campaign); err != nil {
		return nil, false, err
	}
	found, other, err := inventory.TokensSince(ctx, spec, r.Store, r.Kinds.Tokens(), roll, newest)
	if stop, ok := errors.AsType[*protocol.Stop](err); ok && stop.Reason == protocol.ReasonRights {
		return nil, false, nil
	}
	return found, other, err
}

func readSince() *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: "a token of Vault that was made since the listing, that no login of the roll made, names the device, and could read its new value where that goes or is staged; nothing was changed. The finding reader-since-listing has its accessor at the end of the campaign (or vault list auth/token/accessors): revoke it (vault token revoke -accessor …), and this goes on by itself; if it is not the device's, accept it in the campaign file (accept: - {vault: auth/token/accessor/…, reason: …}) and run again"}
}

// LookForTokens looks once more, when everything has been set, for tokens that
// were made since the listing and may read it.
func (r *Rotation) LookForTokens(ctx context.Context, campaign string) (wire.NewReaders, error) {
	defer beat(ctx)()
	index, err := r.Store.ReadIndex(ctx, campaign)
	if err != nil || index.NewestToken == 0 {
		return wire.NewReaders{}, classify(errVault, err)
	}
	roll := &credential.Roll{}
	for n := range index.Pages {
		page, err := r.Store.ReadPage(ctx, campaign, index.Snapshot, n)
		if err != nil {
			return wire.NewReaders{}, classify(errVault, err)
		}
		roll.Credentials = append(roll.Credentials, page...)
	}
	found, _, err := r.tokensSince(ctx, campaign, roll, index.NewestToken)
	if err != nil || len(found) == 0 {
		return wire.NewReaders{}, classify(errVault, err)
	}
	var named []string
	for _, t := range found[:min(namedAtMost, len(found))] {
		if named = append(named, t.Accessor); t.Device {
			named[len(named)-1] += " (names the device)"
		}
	}
	more := ""
	if n := len(found) - namedAtMost; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return wire.NewReaders{Detail: fmt.Sprintf("%d tokens of Vault were made since the listing that no login of the roll made, and may read new values: accessors %s%s", len(found), strings.Join(named, ", "), more)}, nil
}
