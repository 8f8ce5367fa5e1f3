// Package password makes new passwords.
package password

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

const (
	lower          = "abcdefghijklmnopqrstuvwxyz"
	upper          = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits         = "0123456789"
	defaultSymbols = "-_."
	defaultLength  = 32
)

// New draws a value from crypto/rand by the policy of a directory in the
// campaign file: each of the alphabet's characters equally likely, at least one
// of each class, and a letter or digit at both ends. The ends matter to
// consumers: a leading '-' reads as an option, a leading '{' as a hash, and a
// symbol at the end gets lost when people copy it. The error says which setting
// of the policy is unusable.
func New(p config.PasswordPolicy) (credential.Secret, error) {
	length := p.Length
	if length == 0 {
		length = defaultLength
	}
	classes := []string{lower, upper, digits}
	if !p.NoSymbols {
		symbols := p.Symbols
		if symbols == "" {
			symbols = defaultSymbols
		}
		classes = append(classes, symbols)
	}
	if length < 16 || length > 128 {
		return credential.Secret{}, fmt.Errorf("password.length is %d; it must be 16 to 128", length)
	}
	alphabet := distinct(strings.Join(classes, ""))
	for i := range len(alphabet) {
		if alphabet[i] <= ' ' || alphabet[i] > '~' {
			return credential.Secret{}, fmt.Errorf("password.symbols holds a character outside printable ASCII; a password that depends on an encoding locks consumers out")
		}
	}
	// Throwing whole values away until one fits keeps the rest equally likely.
	for {
		v := draw(alphabet, length)
		if fits(v, classes) {
			return credential.NewSecret(v), nil
		}
	}
}

// Shorter is New with so many characters less. A policy of Vault's makes its
// own lengths.
func Shorter(p config.PasswordPolicy, by int) (credential.Secret, error) {
	if p.VaultPolicy != "" {
		return credential.Secret{}, fmt.Errorf("its length is that of Vault's password policy %q", p.VaultPolicy)
	}
	if p.Length == 0 {
		p.Length = defaultLength
	}
	p.Length -= by
	return New(p)
}

// distinct drops repeated characters, which would come up more often.
func distinct(s string) string {
	var out []byte
	for i := range len(s) {
		if !bytes.Contains(out, []byte{s[i]}) {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// draw picks n characters. A byte beyond the largest multiple of the alphabet's
// length is thrown away, because it would favour the first characters.
func draw(alphabet string, n int) string {
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	buf := make([]byte, 2*n)
	for len(out) < n {
		_, _ = rand.Read(buf) // never fails (crypto/rand)
		for _, b := range buf {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

func fits(v string, classes []string) bool {
	for _, class := range classes {
		if !strings.ContainsAny(v, class) {
			return false
		}
	}
	const alphanumeric = lower + upper + digits
	return strings.IndexByte(alphanumeric, v[0]) >= 0 && strings.IndexByte(alphanumeric, v[len(v)-1]) >= 0
}
