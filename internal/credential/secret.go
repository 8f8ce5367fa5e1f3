package credential

import (
	"errors"
	"fmt"
	"log/slog"
)

// Secret is a value that must never be printed, logged, marshalled or
// compared by a hash that leaves the process. Every formatting and encoding
// route gives "[redacted]" or an error; Reveal is the one way to the value, so
// that a search for Reveal lists every place that handles it.
type Secret struct{ value string }

const redacted = "[redacted]"

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value. Callers hand it to a server and keep no copy.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.value == "" }

// Equal reports whether both hold the same, non-empty value.
func (s Secret) Equal(o Secret) bool { return s.value != "" && s.value == o.value }

func (s Secret) String() string                { return redacted }
func (s Secret) GoString() string              { return redacted }
func (s Secret) Format(f fmt.State, _ rune)    { _, _ = f.Write([]byte(redacted)) }
func (s Secret) LogValue() slog.Value          { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error)  { return nil, errSecret }
func (s Secret) MarshalJSON() ([]byte, error)  { return nil, errSecret }
func (s Secret) GobEncode() ([]byte, error)    { return nil, errSecret }
func (s *Secret) UnmarshalJSON(_ []byte) error { return errSecret }

var errSecret = errors.New("a secret may not be encoded: it stays inside one activity and Vault")
