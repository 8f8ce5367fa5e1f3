package rotation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/kind"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// A wrong login at a door is a wrong login at the directory behind it, and
// counts towards the same lock, whichever door it came by. The door's own good
// login does not end the count where it comes from a cache (Dovecot's
// auth_cache, mod_authnz_ldap, saslauthd -c), so a good login at the directory
// itself is made between two that may be wrong. OpenLDAP, 389 Directory Server
// and Active Directory all begin to count anew with it, each server for itself.

// wrongLogins are those that doors were offered about one account since its
// directory last had a good one.
type wrongLogins struct {
	clear func(context.Context) *protocol.Stop // nil: there is nothing to clear
	some  bool
	// most bounds those of a look where nothing clears them; 0: nothing does.
	most, had int
	// unheard are those of had that were a silence to the new value.
	unheard int
	// count counts them for every worker, before each is made; nil: nobody
	// does.
	count *tallying
}

// before is called before each login at a door, and after the last one.
func (w *wrongLogins) before(ctx context.Context) (stop *protocol.Stop) {
	if w.some && w.clear != nil {
		stop = w.clear(ctx)
	}
	w.some = stop != nil
	return stop
}

// saw: whatever is no good login may have been counted, silence as well; but
// not what was never shown to anybody.
func (w *wrongLogins) saw(reply protocol.Reply) {
	if reply != protocol.Accepted && reply != protocol.NotCarried {
		w.some = true
		w.had++
	}
}

// spent is why another login that may be wrong is not made in this look, or
// nil: the door's good logins may all come from its cache, so that the
// directory behind it has had none since the first wrong one.
func (w *wrongLogins) spent(door string) *protocol.Stop {
	if w.most == 0 || w.had < w.most {
		return nil
	}
	return nearLock(door, fmt.Sprintf("its doors answered %s this look as wrong", plural.Count(w.had, "login in", "logins in")))
}

// nearLock is why a login is not made that may be wrong: what there was before.
func nearLock(door, was string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonNearLock, Server: door, Detail: was + ", and one more could lock the account in a directory that is none of the campaign file's, " +
		"to which a door's good logins do not come where it keeps logins: what is left of its doors is asked in an hour"}
}

// goodLogins logs in with the new value at each server that gave its proof, for
// nobody knows which of them a door asks.
func (r *Rotator) goodLogins(ctx context.Context, with atDoors) *protocol.Stop {
	servers, _ := r.asked()
	for _, server := range servers {
		reply, err := r.Authority.Offer(ctx, server, with.account, with.new)
		switch {
		case err != nil:
			return protocol.AsStop(err)
		case reply == protocol.Refused:
			return &protocol.Stop{Reason: protocol.ReasonNewRefused, Server: server, Detail: "this server took the new value and refuses it while its doors are asked: somebody set another one, or the account is locked; no more doors were asked"}
		case reply != protocol.Accepted:
			return protocol.StopFor(reply, server)
		}
	}
	return nil
}

// tooFewTries are the stops of those that no door is asked about, because one
// wrong login would lock the account.
func (r *Rotator) tooFewTries(ctx context.Context, asked []Verdict) []*protocol.Stop {
	return r.eachAccount(ctx, asked, func(v Verdict, server string, a kind.Account) *protocol.Stop {
		if a.Locks != 1 {
			return nil
		}
		return &protocol.Stop{Reason: protocol.ReasonNearLock, Server: server, Detail: "the new value is in force and activated; its doors were not asked, because one wrong login locks the account here and a door passes each on: raise the threshold to 3 or more for the time of the campaign, and the next pass asks them"}
	})
}

// lockedMeanwhile looks at the accounts once their doors were asked.
func (r *Rotator) lockedMeanwhile(ctx context.Context, asked []Verdict, stops []*protocol.Stop) {
	locked := r.eachAccount(ctx, asked, func(v Verdict, server string, a kind.Account) *protocol.Stop {
		if a.State != protocol.Locked && a.State != protocol.LoginLocked && a.State != protocol.RoleLocked {
			return nil
		}
		stop := protocol.StopFor(a.State, server)
		stop.Detail = fmt.Sprintf("the account was locked while its doors were asked (%d of them), with a good login at each server after each wrong one: "+
			"somebody else offers wrong values too, or a door makes several logins of one, or asks another server; unlock it, and raise the threshold or take the doors out before the next pass", len(v.Credential.Doors))
		return stop.LockedUntil(a.LockedUntil)
	})
	for i, stop := range locked {
		if stop != nil && (stops[i] == nil || stops[i].Reason != protocol.ReasonNearLock) {
			stops[i] = stop
		}
	}
}

// fewUses is why a door is not asked that would spend the last login that the
// new value is good for, or nil. Each login there may be one of those.
func (r *Rotator) fewUses(ctx context.Context, v Verdict, ask DoorAsker, at string) *protocol.Stop {
	counted, is := kind.As[kind.Counted](r.Authority)
	if !is {
		return nil
	}
	left, err := counted.UsesLeft(ctx, v.at.account, v.at.new)
	if err != nil {
		return protocol.AsStop(err)
	}
	var settings door.Settings
	if ask.Settings != nil {
		settings = ask.Settings(at)
	}
	spends := door.NewLogins(r.Refusals.looks(r.Campaign, v.Credential.ID, at, FirstLooks(settings, v.Credential)), len(v.at.olds))
	if settings.Flush != nil && settings.Flush.Works() == 0 { // it is asked again at once
		spends += door.NewLogins(door.MaxLooks, len(v.at.olds))
	}
	if left == 0 || left > int64(spends) {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonFewUses, Server: at, Detail: fmt.Sprintf("the new value is in force and activated, and good for %s (num_uses); this door was not asked, which would leave its consumers none: give it more uses, or take the door out", plural.Count(left, "more login", "more logins"))}
}

// eachAccount reads the accounts at every server that gave its proof, many in
// one call, and says what the first of them shows. What is not shown says
// nothing.
func (r *Rotator) eachAccount(ctx context.Context, asked []Verdict, says func(Verdict, string, kind.Account) *protocol.Stop) []*protocol.Stop {
	out := make([]*protocol.Stop, len(asked))
	cs := make([]credential.Credential, 0, len(asked))
	for _, v := range asked {
		cs = append(cs, v.Credential)
	}
	servers, _ := r.asked()
	for _, server := range servers {
		accounts, many := kind.AccountsAfterSet(ctx, r.Authority, server, cs)
		for i, v := range asked {
			a, found := accounts[v.Credential.ID]
			if !many {
				one, err := r.Authority.Account(ctx, server, v.Credential)
				a, found = one, err == nil
			}
			if found && out[i] == nil {
				out[i] = says(v, server, a)
			}
		}
	}
	return out
}

// Refusals are new values that doors have refused, by campaign and credential,
// and old ones that they took.
// Where a door's directory is another one than the credential's, a good login
// at the latter ends no count there, so that each pass would bring an account
// nearer to its lock. The zero value has none; so has nil, which forgets. It is
// safe for concurrent use.
type Refusals struct {
	// Notes keep them beyond this process, which may be killed, and tell it of
	// those that other workers met; nil: nothing does.
	Notes interface {
		NoteOnce(ctx context.Context, campaign, what, where, id string) (first bool, err error)
		NotedOnce(ctx context.Context, campaign string) ([]ownmount.Once, error)
		NotedAt(ctx context.Context, campaign, what, where, id string) (at time.Time, noted bool, err error)
		NoteOnceOf(ctx context.Context, campaign, what, where, id string, value credential.Secret) (first bool, err error)
		NotedOf(ctx context.Context, campaign, what, where, id string, value credential.Secret) (same bool, at time.Time, noted bool, err error)
	}

	mu   sync.Mutex
	seen map[[2]string]map[string]int // by door, in a row
	// since is when a door refused the new value first, by campaign, credential
	// and door.
	since map[[3]string]time.Time
	// flushed is when a door's flush did what it is for, likewise.
	flushed map[[3]string]time.Time
	// how is how it answered the new value: toldNew, toldOther, likewise.
	how    map[[3]string]map[string]bool
	took   map[[3]string]bool            // the old value, by campaign, credential and door
	came   map[[3]string]*progress       // of tasks, likewise
	behind map[[2]string]behind          // of tasks, by campaign and credential
	tried  map[[3]string][]time.Time     // when a pooler found the new value right and gave no session, likewise
	shut   map[[3]string]*shut           // doors that wait for their other processes, likewise
	by     map[[3]string]map[string]bool // what other spellings showed, likewise
	gone   map[[4]string]time.Time       // when a server refused an old value at an account beside a task
	try    map[[2]string]int             // names that may be another account's, by campaign
}

// tookOld is what is noted of a door that took the old value.
const tookOld = "took-old"

// noteOld notes that a door took the old value: whoever asks it from then on,
// also after this process was killed, asks more than once.
func (r *Refusals) noteOld(ctx context.Context, campaign, id string, ev protocol.DoorEvidence) {
	if r == nil || !ev.TookOld() || !r.tookFirst(campaign, id, ev.Door) || r.Notes == nil {
		return
	}
	// Where Vault does not take the note this process still knows of it.
	_, _ = r.Notes.NoteOnce(ctx, campaign, tookOld, ev.Door, id)
}

// tookFirst remembers that a door took the old value; true if that is news.
func (r *Refusals) tookFirst(campaign, id, door string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.took == nil {
		r.took = map[[3]string]bool{}
	}
	key := [3]string{campaign, id, door}
	news := !r.took[key]
	r.took[key] = true
	return news
}

// looks is how often a door is asked about an old value: first, unless it took
// that one before.
func (r *Refusals) looks(campaign, id, at string, first int) int {
	if r == nil {
		return first
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.took[[3]string{campaign, id, at}] {
		return door.MaxLooks
	}
	return first
}

// refusedTimes is what is noted of a refusal.
func refusedTimes(n int) string { return fmt.Sprintf("refused-%d", n) }

// read reads what is noted of a campaign, before doors are asked about any of
// it.
func (r *Refusals) read(ctx context.Context, campaign string) error {
	if r == nil || r.Notes == nil {
		return nil
	}
	noted, err := r.Notes.NotedOnce(ctx, campaign)
	for _, o := range noted {
		if o.What == tookOld {
			r.tookFirst(campaign, o.ID, o.Where)
		}
		r.readSpelled(campaign, o)
		if o.What == toldNew || o.What == toldOther {
			r.mu.Lock()
			r.tells(campaign, o.ID, o.Where, o.What)
			r.mu.Unlock()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range noted {
		// How it was refused is noted first: a worker may have been killed
		// between the two notes.
		if o.What == toldNew || o.What == toldOther {
			o.What = refusedTimes(1)
		}
		for n := range maxWrongLogins {
			if o.What == refusedTimes(n+1) && (n > 0 || !slices.Contains(noted, ownmount.Once{What: tookNew, Where: o.Where, ID: o.ID})) {
				at := r.at(campaign, o.ID)
				at[o.Where] = max(at[o.Where], n+1)
			}
		}
	}
	return err
}

// anyDoor stands for one that nobody could name.
const anyDoor = ""

// mayHaveCome: a worker that was killed may have met a refusal that it had not
// noted yet, at whichever door.
func (r *Refusals) mayHaveCome(ctx context.Context, campaign, id string) {
	if r == nil || r.Notes == nil {
		return
	}
	r.mu.Lock()
	at := r.at(campaign, id)
	known := len(at) > 0
	if !known {
		at[anyDoor] = 1
	}
	r.mu.Unlock()
	if !known {
		_, _ = r.Notes.NoteOnce(ctx, campaign, refusedTimes(1), anyDoor, id)
	}
}

// at are the refusals of one credential. r.mu is held.
func (r *Refusals) at(campaign, id string) map[string]int {
	key := [2]string{campaign, id}
	if r.seen == nil {
		r.seen = map[[2]string]map[string]int{}
	}
	if r.seen[key] == nil {
		r.seen[key] = map[string]int{}
	}
	return r.seen[key]
}

// note notes one more refusal. Where Vault does not take the note this process
// still knows of it.
func (r *Refusals) note(ctx context.Context, campaign, door, id string) {
	for n := range maxWrongLogins {
		if first, err := r.Notes.NoteOnce(ctx, campaign, refusedTimes(n+1), door, id); first || err != nil {
			return
		}
	}
}

// saw takes what one door showed, as it came at a time. A value that could not
// be shown there was not refused, nor was one that the door itself found right;
// one that was taken first, and refused after the old one, was. keeps: it is a
// refusal that the door may keep.
func (r *Refusals) saw(ctx context.Context, campaign, id string, ev answered, keeps bool, now time.Time) {
	if r == nil || ev.First == protocol.NotAsked || ev.First == protocol.Unreachable || ev.First == protocol.NotCarried {
		return
	}
	took, told := ev.tookNew(), toldOther
	if keeps {
		told = toldNew
	}
	if !took && r.Notes != nil {
		_, _ = r.Notes.NoteOnce(ctx, campaign, told, ev.Door, id)
		r.note(ctx, campaign, ev.Door, id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at, key := r.at(campaign, id), [3]string{campaign, id, ev.Door}
	if took {
		if at[ev.Door] > 0 && r.Notes != nil {
			_, _ = r.Notes.NoteOnce(ctx, campaign, tookNew, ev.Door, id)
		}
		delete(at, ev.Door)
		delete(r.since, key)
		return
	}
	at[ev.Door]++
	r.tells(campaign, id, ev.Door, told)
	if keeps && at[ev.Door] == 1 {
		if r.since == nil {
			r.since = map[[3]string]time.Time{}
		}
		r.since[key] = now
	}
}

// spent is why doors are asked no more about a credential in this campaign, or
// nil.
func (r *Refusals) spent(campaign, id string) *protocol.Stop {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all, at := 0, ""
	for door, n := range r.seen[[2]string{campaign, id}] {
		all += n
		if at == anyDoor || door < at && door != anyDoor {
			at = door
		}
	}
	if all < maxWrongLogins {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonDoorRefusesNew, Server: at, Detail: fmt.Sprintf("doors have refused the new value %s, or may have where a worker was killed, and are asked no more about it in this campaign: "+
		"where they go by another directory, one more could lock an account there; find out why, end what they keep (docs/doors.md), and run the next campaign, which asks at once", plural.Count(all, "time", "times"))}
}
