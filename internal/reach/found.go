package reach

import (
	"context"
	"sync"
	"time"

	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// A listing that is made while a campaign runs may find a login to Vault. From
// the moment at which it is on the roll nothing is set that was not asked about
// it.

// lookForFound is for how long what the roll had of such logins is taken to be
// all. What is set meanwhile is open again at the end (record.ReadBefore).
const lookForFound = time.Second

// found are the logins to Vault that are on the roll of a campaign since it was
// listed again.
type found struct {
	mu     sync.Mutex
	at     time.Time // when it was asked for
	err    error
	n      int
	places map[string]bool // as a listing names them in Credential.ReadBy
}

func (l *Logins) foundIn(ctx context.Context, campaign string) (*found, error) {
	got, _ := l.found.LoadOrStore(campaign, &found{})
	f, asked := got.(*found), time.Now().Round(0)
	f.mu.Lock()
	defer f.mu.Unlock()
	// Whoever waited for a slow answer takes that of who began after him.
	if age := asked.Sub(f.at); age < lookForFound && age > -time.Minute {
		return f, f.err
	}
	began := time.Now().Round(0)
	err := l.look(ctx, campaign, f)
	switch {
	case err != nil && ctx.Err() != nil:
		return f, err // whoever was broken off speaks for himself
	case err != nil:
		f.at = time.Now().Round(0) // nor does each wait for Vault in turn
	default:
		f.at = began
	}
	f.err = err
	return f, err
}

func (l *Logins) look(ctx context.Context, campaign string, f *found) error {
	index, err := l.store.ReadIndex(ctx, campaign)
	if err != nil {
		return err
	}
	places := map[string]bool{}
	for _, a := range index.Amended {
		logins, err := l.store.ReadRefs(ctx, campaign, index.Snapshot, a.Logins)
		if err != nil {
			return err
		}
		for _, c := range logins {
			for _, at := range c.LoginPlaces() {
				places[at] = true
			}
		}
	}
	f.n, f.places = index.FoundLogins(), places
	return nil
}

// Unknown says why nothing more is set of a batch that began with n found
// logins, or nil: another one is on the roll by now, and what that could read
// nobody has asked.
func (l *Logins) Unknown(ctx context.Context, campaign string, n int) *protocol.Stop {
	f, err := l.foundIn(ctx, campaign)
	if err != nil {
		return vault.StopOf(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n <= n {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: "a login to Vault was found, and came on the roll, since this was begun; nothing was changed: the next pass asks what that login could read, and what it could not goes on"}
}
