package vault

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"sync"
	"unicode"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/protocol"
)

// GeneratePassword makes a value by a Vault password policy
// (sys/policies/password). The error says if the policy does not exist.
func (c *Client) GeneratePassword(ctx context.Context, policy string) (credential.Secret, error) {
	const op = "generate a password"
	at := "sys/policies/password/" + policy + "/generate"
	got, err := c.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		err = c.Fail(op, at, Read, err)
	}
	switch {
	case err == nil && got == nil, IsKind(err, NotFound):
		return credential.Secret{}, &protocol.Stop{Reason: protocol.ReasonNoGenerator, Server: c.api.Address(), Detail: fmt.Sprintf(
			"Vault has no password policy %q, by which new values are made; write it (`vault write %s policy=@FILE`) or correct password.vault_policy in the campaign file", policy, paste.Shell("sys/policies/password/"+policy))}
	case err != nil:
		return credential.Secret{}, err
	}
	v, _ := got.Data["password"].(string)
	why := unfit(v)
	if why == "" && c.drawn.again(v) {
		why = "makes the same value twice"
	}
	if why != "" {
		return credential.Secret{}, &protocol.Stop{Reason: protocol.ReasonNoGenerator, Server: c.api.Address(), Detail: fmt.Sprintf(
			"what Vault makes by its password policy %q is no password: it %s; see who changed the policy, and correct it", policy, why)}
	}
	return credential.NewSecret(v), nil
}

// generatedLeast is the shortest value that is taken from a policy.
const generatedLeast = 12

// unfit says why a value is not set anywhere.
func unfit(v string) string {
	switch {
	case len([]rune(v)) < generatedLeast:
		return fmt.Sprintf("has fewer than %d characters", generatedLeast)
	case strings.ContainsFunc(v, unicode.IsControl):
		return "has a control character, such as the end of a line, in it"
	case strings.TrimSpace(v) != v:
		return "has a blank at an end, which many readers take off"
	case bits(v, v) < oneLeastBits:
		return "is made of so few characters that it can be guessed"
	}
	return ""
}

// A login that may write the policy (`sys/policies/password/…`) chooses what
// new values look like, so that whoever stole it can guess them.
const (
	// leastBits is the least that an alphabet and a length must give. Vault
	// draws each character of the whole alphabet alike (Vault docs: password
	// policies).
	leastBits = 64
	// oneLeastBits is the least of what one value shows by itself: it holds a
	// part of its alphabet only. Of 12 letters and digits fewer than 8 are
	// different once in 10 million.
	oneLeastBits = 36
	// draws show an alphabet: of 16 values with 12 characters each one of 64 is
	// missed once in 20, which costs 0.1 bits.
	draws = 16
)

// bits are those of a value that is drawn from the characters that are seen.
func bits(value, seen string) float64 {
	different := map[rune]bool{}
	for _, c := range seen {
		different[c] = true
	}
	return float64(len([]rune(value))) * math.Log2(float64(max(1, len(different))))
}

// lastDrawn is a digest of the value that was made last: a policy that makes
// one value makes it for every credential.
type lastDrawn struct {
	mu     sync.Mutex
	digest [sha256.Size]byte
}

func (d *lastDrawn) again(v string) bool {
	digest := sha256.Sum256([]byte(v))
	d.mu.Lock()
	defer d.mu.Unlock()
	same := d.digest == digest
	d.digest = digest
	return same
}

// TryPasswordPolicy draws values by a policy, and looks at them together. The
// error is a *protocol.Stop if they can be guessed.
func (c *Client) TryPasswordPolicy(ctx context.Context, name string) error {
	shortest, all := "", ""
	for range draws {
		v, err := c.GeneratePassword(ctx, name)
		if err != nil {
			return err
		}
		all += v.Reveal()
		if shortest == "" || len(v.Reveal()) < len(shortest) {
			shortest = v.Reveal()
		}
	}
	if has := bits(shortest, all); has < leastBits {
		return &protocol.Stop{Reason: protocol.ReasonNoGenerator, Server: c.api.Address(), Detail: fmt.Sprintf(
			"what Vault makes by its password policy %q can be guessed: its length and its alphabet give some %.0f bits, and %d are the least; see who changed the policy, and correct it (a larger length, or more characters)", name, has, leastBits)}
	}
	return nil
}
