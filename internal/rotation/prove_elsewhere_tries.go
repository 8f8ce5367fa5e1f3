package rotation

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// What is noted of a stolen value at an account beside a task: that it is
// offered, before it is, and then what the server said. Notes are numbered for
// each account and server, for no path in Vault may name a value.
const (
	offered = "elsewhere-%d"
	refuses = "elsewhere-%d-refused"
	took    = "elsewhere-%d-took"
	said    = "elsewhere-%d-said" // something else
)

// tryAt is what is known of one value at one server of an account.
type tryAt struct {
	asker   DoorAsker
	id      string
	server  string
	value   credential.Secret
	refused bool

	number int  // under which it is, or will be, noted; 0: nothing is
	taken  bool // it was offered under that number, and the server took it
}

// tryElsewhere looks what was noted, not long ago. A value that was offered
// twice and of which nobody noted an answer is offered no more: each worker
// that was killed over it may have cost the account a wrong login.
func (a DoorAsker) tryElsewhere(ctx context.Context, id, server string, value credential.Secret) (t tryAt, stop *protocol.Stop) {
	t = tryAt{asker: a, id: id, server: server, value: value}
	r := a.Refusals
	if t.refused = r.elsewhere(a.Campaign, id, server, value, a.now(), false); t.refused || r == nil || r.Notes == nil {
		return t, nil
	}
	unanswered := 0
	for t.number = 1; ; t.number++ {
		same, at, noted, err := r.Notes.NotedOf(ctx, a.Campaign, fmt.Sprintf(offered, t.number), server, id, value)
		switch {
		case err != nil:
			return t, protocol.AsStop(err)
		case !noted && unanswered >= maxWrongLogins:
			return t, &protocol.Stop{Reason: protocol.ReasonNearLock, Server: server, Detail: fmt.Sprintf("a stolen value was offered there twice, and nobody could note what the server said (it did not answer, or a worker was stopped over it): each may have been a wrong login, so it is not offered again for %.0f hours", progressFor.Hours())}
		case !noted:
			return t, nil
		case !same || a.now().Sub(at).Abs() >= progressFor:
			continue
		}
		told := false
		for what, is := range map[string]*bool{refuses: &t.refused, took: &t.taken, said: &told} {
			if _, *is, err = r.Notes.NotedAt(ctx, a.Campaign, fmt.Sprintf(what, t.number), server, id); err != nil {
				return t, protocol.AsStop(err)
			}
		}
		switch {
		case t.refused:
			r.elsewhere(a.Campaign, id, server, value, at, true)
			return t, nil
		case t.taken:
			return t, nil // it may be refused by now
		case told:
			continue
		}
		unanswered++
	}
}

// begin notes that the value is offered; another worker may have taken the
// number meanwhile.
func (t *tryAt) begin(ctx context.Context) error {
	for t.number > 0 && !t.taken {
		first, err := t.asker.Refusals.Notes.NoteOnceOf(ctx, t.asker.Campaign, fmt.Sprintf(offered, t.number), t.server, t.id, t.value)
		if err != nil {
			return err
		}
		if first {
			return nil
		}
		t.number++
	}
	return nil
}

// note notes what the server said. Where Vault does not take the note this
// process still knows of a refusal.
func (t *tryAt) note(ctx context.Context, what string) {
	a := t.asker
	if what == refuses {
		a.Refusals.elsewhere(a.Campaign, t.id, t.server, t.value, a.now(), true)
	}
	if t.number > 0 {
		_, _ = a.Refusals.Notes.NoteOnce(ctx, a.Campaign, fmt.Sprintf(what, t.number), t.server, t.id)
	}
}

// elsewhere reports whether a server has refused a stolen value at an account,
// not long ago, and notes that it does.
func (r *Refusals) elsewhere(campaign, id, server string, old credential.Secret, now time.Time, refuses bool) bool {
	if r == nil {
		return false
	}
	h := hmac.New(sha256.New, seal[:])
	h.Write([]byte(old.Reveal()))
	key := [4]string{campaign, id, server, string(h.Sum(nil))}
	r.mu.Lock()
	defer r.mu.Unlock()
	if refuses {
		if r.gone == nil {
			r.gone = map[[4]string]time.Time{}
		}
		r.gone[key] = now
	}
	at, known := r.gone[key]
	return known && now.Sub(at) < progressFor
}
