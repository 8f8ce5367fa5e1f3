package rotation

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/protocol"
)

// A pooler may find the new value right itself, and get no session with it from
// the server behind. That is no refusal of the door's, after two of which it is
// asked no more: a limit or a restart there ends by itself. But it may be a
// wrong login at that server, which is perhaps none that the campaign file
// names, so that nothing ends its count. So there are two such tries in an hour
// at most, whichever workers make them.

// pooledFor is how long such a try counts, and pooledTops how many are made in
// a campaign.
const (
	pooledFor  = time.Hour
	pooledTops = 64
)

// pooledTimes is what is noted of such a try.
func pooledTimes(n int) string { return fmt.Sprintf("pooled-%d", n) }

// pooled notes that a door found the new value right and gave no session.
func (r *Refusals) pooled(ctx context.Context, campaign, id string, ev answered, now time.Time) {
	if r == nil || ev.First == protocol.Accepted || !ev.last.Verified {
		return
	}
	key := [3]string{campaign, id, ev.Door}
	r.mu.Lock()
	if r.tried == nil {
		r.tried = map[[3]string][]time.Time{}
	}
	r.tried[key] = append(r.tried[key], now)
	r.mu.Unlock()
	for n := 1; r.Notes != nil && n <= pooledTops; n++ {
		// Where Vault does not take the note this process still knows of it.
		if first, err := r.Notes.NoteOnce(ctx, campaign, pooledTimes(n), ev.Door, id); first || err != nil {
			return
		}
	}
}

// pooledOut is why such a door is not asked now, or nil.
func (r *Refusals) pooledOut(ctx context.Context, campaign, id, at string, now time.Time) *protocol.Stop {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	tried := r.tried[[3]string{campaign, id, at}]
	r.mu.Unlock()
	for n := len(tried) + 1; r.Notes != nil && n <= pooledTops; n++ { // others made more
		when, noted, err := r.Notes.NotedAt(ctx, campaign, pooledTimes(n), at, id)
		if err != nil {
			return protocol.AsStop(err)
		}
		if !noted {
			break
		}
		tried = append(tried[:len(tried):len(tried)], when)
	}
	if len(tried) < maxWrongLogins {
		return nil
	}
	until := tried[len(tried)-maxWrongLogins].Add(pooledFor)
	if r.Notes != nil && len(tried) >= pooledTops {
		until = now.Add(pooledFor)
	}
	if !now.Before(until) {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonDoorSilent, Server: at, Until: until.UTC().Truncate(time.Second),
		Detail: "this door finds the new value right, and what stands behind it gave it no session twice within the hour: that may be a wrong login there each time, and more could lock the account, so it is asked again then. See that the server behind has the new value too, and lets the account in"}
}
