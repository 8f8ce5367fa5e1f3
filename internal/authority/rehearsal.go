package authority

import (
	"context"
	"strings"

	"rollcall/internal/credential"
)

// Bogus is how the names of accounts begin with which a rehearsal may work,
// whoever made them: a name in a file that is mistyped must not cost a real
// account its password.
const Bogus = "rollcall-rehearsal"

// Rehearsal is what the campaign file allows for one at an authority: a place
// to make an account in, or an account that an administrator made for it.
type Rehearsal struct {
	// Under is the DN below which an account is made and removed.
	Under string `json:"under,omitempty"`
	// Create: an account is made and removed, at an authority that has no
	// places.
	Create bool `json:"create,omitempty"`
	// Account is one that an administrator made, by its DN or name. It stays.
	Account string `json:"account,omitempty"`
}

// Makes reports whether an account is made, and removed.
func (r Rehearsal) Makes() bool { return r.Under != "" || r.Create }

// Allowed reports whether there is anything to rehearse with.
func (r Rehearsal) Allowed() bool { return r.Makes() || r.Account != "" }

// Rehearsed are Settings that may allow a rehearsal.
type Rehearsed interface {
	Settings
	Rehearsal() Rehearsal
}

// Rehearser is a System in which a bogus account can be made, found and
// removed. It refuses any name that does not begin with Bogus.
type Rehearser interface {
	System
	// MakeBogus makes one with a value. A name that is there already is an
	// error. made is false only if it was clearly not made.
	MakeBogus(ctx context.Context, in Rehearsal, name string, value credential.Secret) (made bool, err error)
	// FindBogus is one by its name (below Under) or, where an administrator
	// made it, as Account names it.
	FindBogus(ctx context.Context, in Rehearsal, name string) (Account, bool, error)
	// RemoveBogus removes one. None there is no error.
	RemoveBogus(ctx context.Context, in Rehearsal, name string) error
}

// IsBogus reports whether a name, or the first part of a DN, begins with Bogus.
func IsBogus(name string) bool {
	if first, _, isDN := strings.Cut(name, ","); isDN {
		_, name, _ = strings.Cut(first, "=")
	}
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(name)), Bogus)
}
