package activities

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/reach"
)

// nameLogins puts the names of logins into entries on what waits for them,
// which Temporal has by their place on the roll.
func (l *Ledger) nameLogins(ctx context.Context, campaign string, entries []ledger.Entry) error {
	var at credential.Refs
	for _, e := range entries {
		if e.Reason == protocol.ReasonWithinReach {
			at = append(at, reach.Referred(e.Detail)...)
		}
	}
	if len(at) == 0 {
		return nil
	}
	index, err := l.Store.ReadIndex(ctx, campaign)
	if err != nil {
		return classify(errVault, err)
	}
	logins, err := l.Store.ReadRefs(ctx, campaign, index.Snapshot, at)
	if err != nil {
		return classify(errVault, err)
	}
	names := map[credential.Ref]string{}
	for i, login := range logins {
		names[at[i]] = login.Name
	}
	for i, e := range entries {
		if e.Reason == protocol.ReasonWithinReach {
			entries[i].Detail = reach.Name(e.Detail, names)
		}
	}
	return nil
}
