package minted

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// Lockout is when Vault locks the logins of an auth mount (user lockout;
// https://developer.hashicorp.com/vault/docs/concepts/user-lockout).
type Lockout struct {
	Locks   int           // wrong logins in a row that lock one; 0: none do
	Counted time.Duration // after that time without another one they count no more
}

// What holds where nobody tuned the mount. Vault's configuration file may say
// otherwise (user_lockout), and shows that to nobody.
const (
	usualLocks   = 5
	usualCounted = 15 * time.Minute
)

// LockoutOf reads it from the configuration of a mount, as
// sys/internal/ui/mounts shows that.
func LockoutOf(config map[string]any) Lockout {
	tuned, _ := config["user_lockout_config"].(map[string]any)
	if off, _ := tuned["user_lockout_disable"].(bool); off {
		return Lockout{}
	}
	out := Lockout{usualLocks, usualCounted}
	if n := vault.Integer(tuned["user_lockout_threshold"]); n > 0 {
		out.Locks = int(n)
	}
	if s := vault.Integer(tuned["user_lockout_counter_reset_duration"]); s > 0 {
		out.Counted = time.Duration(s) * time.Second
	}
	return out
}

// Lockout is that of an auth mount.
func (t *Tokens) Lockout(ctx context.Context, mount string) (Lockout, error) {
	got, err := t.api.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/auth/"+mount)
	if err != nil {
		return Lockout{}, t.fail("read the auth mount", err)
	}
	if got == nil {
		return Lockout{}, nil
	}
	config, _ := got.Data["config"].(map[string]any)
	return LockoutOf(config), nil
}

// Ours is Locks for Rollcall: where it may, it leaves one wrong login to
// others, which Vault shows to nobody.
func (l Lockout) Ours() int {
	if l.Locks > 3 {
		return l.Locks - 1
	}
	return l.Locks
}

// Spare reports whether a login that but asks something may be wrong, n wrong
// ones being counted: where it may, it leaves one to the look before Set.
func (l Lockout) Spare(n int) bool {
	return l.Locks == 0 || n < l.Ours()-1 && (n+2 < l.Ours() || l.Locks <= 3)
}

// Tally keeps how many logins of a credential may count against it, where that
// outlives the process. ownmount.Store is one, and says what each does.
type Tally interface {
	WrongLogins(ctx context.Context, id string, counted time.Duration) (int, error)
	BeginLogin(ctx context.Context, id string, most int, counted time.Duration) (n int, until time.Time, err error)
	EndLogins(ctx context.Context, id string, n int) error
}

// Ration keeps Rollcall from locking logins to Vault, which counts wrong ones
// and does not show how many. Each login that may be wrong is counted before it
// is made. The zero value, without a Tally, keeps it from nothing. It is safe
// for concurrent use.
type Ration struct {
	Tally  Tally
	Server string // as the ledger calls Vault

	mu    sync.Mutex
	begun map[string]int // by login: the count with the last one of this process, until a good one
	turns sync.Map       // by login: chan struct{}
}

// Alone waits until no other login of the same is on its way from this process:
// what one of them shows has to be known to the next, or several offer at once
// what was right a moment ago. end has to be called, where err is nil.
func (r *Ration) Alone(ctx context.Context, id string) (end func(), err error) {
	got, _ := r.turns.LoadOrStore(id, make(chan struct{}, 1))
	turn := got.(chan struct{})
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Counted is how many wrong logins may count against a login now. Where that
// cannot be read it is 0: Begin is what keeps it from being locked.
func (r *Ration) Counted(ctx context.Context, id string, l Lockout) int {
	if r.Tally == nil || l.Locks == 0 {
		return 0
	}
	n, err := r.Tally.WrongLogins(ctx, id, l.Counted)
	if err != nil {
		return 0
	}
	return n
}

// Last reports whether the login that is left to others is spent, because a
// value was wrong that had been right a moment ago: somebody sets others. Where
// none is left to them, it is false.
func (r *Ration) Last(ctx context.Context, id string, l Lockout) bool {
	return l.Ours() < l.Locks && r.Counted(ctx, id, l) >= l.Ours()
}

// Spent reports whether the next login could be the one that locks, if it is
// wrong: where none is left to others a value that is set now could not be
// tried without that, and somebody may set others.
func (r *Ration) Spent(ctx context.Context, id string, l Lockout) bool {
	return l.Locks > 0 && r.Counted(ctx, id, l) >= max(1, l.Locks-1)
}

// Begin is called before a login that may be wrong. Where it could be the one
// that locks, the error is a *protocol.Stop, and it is not to be made.
func (r *Ration) Begin(ctx context.Context, id string, l Lockout) error {
	return r.begin(ctx, id, l, l.Ours()-1)
}

func (r *Ration) begin(ctx context.Context, id string, l Lockout, most int) error {
	if r.Tally == nil || l.Locks == 0 {
		return nil
	}
	n, until, err := r.Tally.BeginLogin(ctx, id, most, l.Counted)
	if err != nil {
		return err
	}
	if !until.IsZero() {
		return r.spent(n, l, until)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.begun == nil {
		r.begun = map[string]int{}
	}
	r.begun[id] = n
	return nil
}

// Wrong counts one that was wrong and that nobody expected to be.
func (r *Ration) Wrong(ctx context.Context, id string, l Lockout) {
	_ = r.begin(ctx, id, l, math.MaxInt)
}

// Undo takes back the last Begin, for a login that Vault did not count.
func (r *Ration) Undo(ctx context.Context, id string) {
	if n := r.take(id); n > 0 {
		_ = r.Tally.EndLogins(ctx, id, 1)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.begun[id] = n - 1
	}
}

// Good says that a login was good and ended the count.
func (r *Ration) Good(ctx context.Context, id string) {
	if n := r.take(id); n > 0 {
		_ = r.Tally.EndLogins(ctx, id, n)
	}
}

func (r *Ration) take(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.begun[id]
	delete(r.begun, id)
	return n
}

// spent is why no login is made that may be wrong.
func (r *Ration) spent(n int, l Lockout, until time.Time) error {
	until = until.UTC().Truncate(time.Second).Add(time.Second)
	return &protocol.Stop{Reason: protocol.ReasonNearLock, Server: r.Server, Until: until, Detail: fmt.Sprintf(
		"Vault was offered %s for this login with no good one behind, by this campaign or one before it, and locks it at %d in a row (user lockout), so no other one is offered that may be wrong; "+
			"Vault forgets them by %s, and it is tried again then. Find out which of its paths holds the value in force, and confirm that path by name or exclude the others; or raise the threshold (vault auth tune -user-lockout-threshold=… of its mount)",
		plural.Count(n, "value that may have been wrong", "values that may have been wrong"), l.Locks, until.Format(time.RFC3339))}
}
