package posted

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"rollcall/internal/credential"
)

// Times of a token.
const (
	tokenEvery    = 30 * time.Second // it is read again
	tokenGap      = 2 * time.Second  // so often at most when another one is shown
	tokenPatience = 30 * time.Second // with who has it
)

// shortestToken is the least that a token may have.
const shortestToken = 16

// NoToken: who has the token answered, and it is none. Any other error says
// that it is not known.
type NoToken struct{ Why string }

// Error says it, for people.
func (n *NoToken) Error() string { return n.Why }

// tokens are what posters show, as of when they were last read. Where they
// cannot be read those that were read last stand: lines are taken for weeks,
// and Vault may be sealed meanwhile. Where Vault says that there is none, none
// is right.
type tokens struct {
	read func(ctx context.Context) (credential.Secret, error)
	now  func() time.Time

	reading sync.Mutex // one at a time asks
	mu      sync.Mutex
	right   [][sha256.Size]byte
	asked   time.Time
	why     error // of the last time
}

// Tokens are those that a secret holds: one, or several with blanks between
// them, so that another one can be brought in while the old one is in use.
func Tokens(s credential.Secret) (out []string, err error) {
	for _, t := range strings.Fields(s.Reveal()) {
		if len(t) < shortestToken {
			return nil, &NoToken{fmt.Sprintf("a token there is too short: its length has to be %d at least", shortestToken)}
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, &NoToken{"it is empty"}
	}
	return out, nil
}

// renew reads them, unless that was done since.
func (t *tokens) renew(ctx context.Context, since time.Time) error {
	t.reading.Lock()
	defer t.reading.Unlock()
	t.mu.Lock()
	asked, why := t.asked, t.why
	t.mu.Unlock()
	if asked.After(since) {
		return why
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	secret, err := t.read(ctx)
	var all []string
	if err == nil {
		all, err = Tokens(secret)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.why = t.now(), err
	var none *NoToken
	if err != nil && !errors.As(err, &none) {
		return err
	}
	t.right = nil
	for _, s := range all {
		t.right = append(t.right, sha256.Sum256([]byte(s)))
	}
	return err
}

// trouble is why they could not be read the last time; nil if they were.
func (t *tokens) trouble() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.why
}

// allows reports whether a token is right; known is false where that cannot be
// told. One that is not may have been made since: then they are read again, for
// all who post, so that nobody breaks that off by hanging up.
func (t *tokens) allows(ctx context.Context, shown string) (ok, known bool) {
	if ok, known = t.among(shown); ok {
		return ok, known
	}
	_ = t.renew(context.WithoutCancel(ctx), t.now().Add(-tokenGap))
	return t.among(shown)
}

// among is allows, by what was read last: of a token that is none of these
// nothing is known where they could not be read since.
func (t *tokens) among(shown string) (ok, known bool) {
	sum := sha256.Sum256([]byte(shown)) // of one length, whatever is shown
	t.mu.Lock()
	defer t.mu.Unlock()
	found := 0
	for _, r := range t.right {
		found |= subtle.ConstantTimeCompare(sum[:], r[:])
	}
	var none *NoToken
	read := t.why == nil || errors.As(t.why, &none)
	return found == 1, len(t.right) > 0 && read
}

// keep reads them again and again.
func (t *tokens) keep(ctx context.Context) {
	tick := time.NewTicker(tokenEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = t.renew(ctx, t.now())
		}
	}
}
