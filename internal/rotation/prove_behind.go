package rotation

import (
	"context"
	"slices"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// A replica has a change some milliseconds later, or seconds where it has much
// to write or is far away, and its change mark says so at no login. A
// credential that would wait for that in its slot keeps it from the others of
// its batch; one that came back with the next pass would be open for retry_min
// more. So it is left, with nothing offered to any server yet, and what was
// left is waited for together.

const (
	// inSlot is how long a credential waits for a replica before it is left, if
	// none before it was.
	inSlot = 75 * time.Millisecond
	// followsWithin is how long nothing more needs to come to a replica before
	// it counts as one that does not follow.
	followsWithin = 3 * time.Second
	// followsAtLast bounds the whole wait: what is proved is recorded with the
	// batch.
	followsAtLast = 10 * time.Second
	// From firstLook to followsLook lie between two looks.
	firstLook   = 10 * time.Millisecond
	followsLook = 200 * time.Millisecond
)

// Behind remembers, for all batches of a process, which servers were waited for
// in vain. They are not waited for as long again, until they have followed.
type Behind struct{ lost sync.Map }

func (b *Behind) follows(server string) { b.lost.Delete(server) }

func (b *Behind) inVain(servers map[string]bool) {
	for server := range servers {
		b.lost.Store(server, true)
	}
}

func (b *Behind) patience(servers map[string]bool) time.Duration {
	for server := range servers {
		if _, lost := b.lost.Load(server); !lost {
			return followsWithin
		}
	}
	return replicaPatience
}

// comesBack reports whether the credential may be left now and goes on later.
func (j *job) comesBack() bool { return j.Behind != nil && !j.followed }

// behind is the first replica that has not what the write server has, after a
// moment; empty if there is none. What keeps a replica from being asked at all,
// ask says.
func (j *job) behind(ctx context.Context, replicas []string, written string) string {
	for _, server := range replicas {
		if j.unasked(server) {
			continue
		}
		for pause, left := 5*time.Millisecond, inSlot; ; pause *= 2 {
			account, err := j.Authority.Account(ctx, server, j.c)
			if err != nil {
				if j.silent == nil {
					j.silent = map[string]error{}
				}
				j.silent[server] = j.unresponsive.heard(server, err)
				break
			}
			if arrived(account, written) {
				j.Behind.follows(server)
				break
			}
			_, slow := j.slow.Load(server)
			if left -= pause; slow || left < 0 || !pausedFor(ctx, pause) {
				j.slow.Store(server, true)
				j.awaited = written
				return server
			}
		}
	}
	j.awaited = ""
	return ""
}

// arrived reports whether waiting for a server changes nothing about it: it has
// the change, or is kept from it.
func arrived(on kind.Account, written string) bool {
	return on.State != protocol.Accepted || on.Changed >= written || protocol.Overruled(on.Changed, written)
}

// unasked reports whether a replica is not asked in this batch.
func (r *Rotator) unasked(server string) bool {
	return r.Doubts.Of(r.Campaign, server) != nil || r.unresponsive.of(server)
}

// markOn is the account's change mark on a server, once it is want's at least
// or that was waited for.
func (j *job) markOn(ctx context.Context, server, want string) (string, error) {
	if err := j.silent[server]; err != nil { // a moment ago
		delete(j.silent, server)
		return "", err
	}
	mark, err := j.changeMark(ctx, server, want)
	if err != nil {
		err = j.unresponsive.heard(server, err)
	}
	return mark, err
}

// Following are the credentials of a batch that replicas keep from their proof.
type Following struct {
	r        *Rotator
	cs       []credential.Credential
	out      []Applied
	waiting  []int
	pause    time.Duration
	some     bool // some have followed
	progress time.Time
	end      time.Time
}

// Following begins to wait for what Apply has left of a batch. cs and out
// belong together.
func (r *Rotator) Following(cs []credential.Credential, out []Applied) *Following {
	now := time.Now()
	f := &Following{r: r, cs: cs, out: out, pause: firstLook, progress: now, end: now.Add(followsAtLast)}
	for i := range out {
		if out[i].left != nil {
			f.waiting = append(f.waiting, i)
		}
	}
	return f
}

// Next gives the places in the batch of those with which to go on now: some
// that every server has followed, or when waiting is over (in vain, or stop or
// ctx ends it) all the rest. It changes nothing, and costs no login. Empty:
// there are no more.
func (f *Following) Next(ctx context.Context, stop <-chan struct{}) []int {
	for len(f.waiting) > 0 {
		there, lack := f.look(ctx)
		if len(there) > 0 {
			f.waiting = slices.DeleteFunc(f.waiting, func(i int) bool { return slices.Contains(there, i) })
			f.progress, f.some, f.pause = time.Now(), true, firstLook
			return there
		}
		wait := min(f.pause, followsLook)
		f.pause *= 2
		next := time.Now().Add(wait)
		over := next.After(f.end) || next.After(f.progress.Add(f.r.Behind.patience(lack)))
		if over && !f.some {
			f.r.Behind.inVain(lack)
		}
		if over || !waited(ctx, stop, wait) {
			break
		}
	}
	rest := f.waiting
	f.waiting = nil
	return rest
}

// look gives those that every server has followed, and the servers that the
// others lack.
func (f *Following) look(ctx context.Context) (there []int, lack map[string]bool) {
	cs := make([]credential.Credential, 0, len(f.waiting))
	for _, i := range f.waiting {
		cs = append(cs, f.cs[i])
	}
	lack = map[string]bool{}
	behind := map[int]bool{}
	servers, _ := f.r.asked()
	for _, server := range servers[1:] {
		if f.r.unasked(server) {
			continue
		}
		accounts := f.r.on(ctx, server, cs)
		for _, i := range f.waiting {
			if a, found := accounts[f.cs[i].ID]; found && arrived(a, f.out[i].left.awaited) {
				f.r.Behind.follows(server)
			} else {
				behind[i], lack[server] = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(f.waiting), func(i int) bool { return behind[i] }), lack
}

// on reads accounts on a server, in few calls where its authority can. What
// could not be read is left out.
func (r *Rotator) on(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	if accounts, ok := kind.AccountsAfterSet(ctx, r.Authority, server, cs); ok {
		return accounts
	}
	out := map[string]kind.Account{}
	for _, c := range cs {
		if a, err := r.Authority.Account(ctx, server, c); err == nil {
			out[c.ID] = a
		}
	}
	return out
}

// GoOn takes to its proof what Apply has left for a replica's sake, if that has
// followed; otherwise it says what keeps it open, as Apply does.
func (r *Rotator) GoOn(ctx context.Context, a Applied) Applied {
	j := a.left
	if j == nil {
		return a
	}
	j.followed, j.silent = true, nil // what was silent then is asked again
	return j.carry(ctx, j.prove)
}

// pausedFor waits; false if ctx ended it.
func pausedFor(ctx context.Context, d time.Duration) bool { return waited(ctx, nil, d) }

// waited waits; false if ctx or stop ended it.
func waited(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}
