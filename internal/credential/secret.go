package credential

import (
	"errors"
	"fmt"
	"log/slog"
	"unique"
)

// Secret is a value that must never be printed, logged, marshalled or
// compared by a hash that leaves the process. Every formatting and encoding
// route gives "[redacted]" or an error; Reveal is the one way to the value, so
// that a search for Reveal lists every place that handles it.
//
// The value lies behind a pointer: package fmt calls no method of what stands
// in an unexported field, and prints the address there. Secrets of one value
// are equal, and the zero Secret is the empty one.
type Secret struct{ value unique.Handle[string] }

const redacted = "[redacted]"

// NewSecret wraps a value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal returns the value. Callers hand it to a server and keep no copy.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.value.Value()
}

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s == Secret{} }

// Equal reports whether both hold the same, non-empty value.
func (s Secret) Equal(o Secret) bool { return !s.IsZero() && s == o }

func (s Secret) String() string                { return redacted }
func (s Secret) GoString() string              { return redacted }
func (s Secret) Format(f fmt.State, _ rune)    { _, _ = f.Write([]byte(redacted)) }
func (s Secret) LogValue() slog.Value          { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error)  { return nil, errSecret }
func (s Secret) MarshalJSON() ([]byte, error)  { return nil, errSecret }
func (s Secret) GobEncode() ([]byte, error)    { return nil, errSecret }
func (s *Secret) UnmarshalJSON(_ []byte) error { return errSecret }

var errSecret = errors.New("a secret may not be encoded: it stays inside one activity and Vault")
