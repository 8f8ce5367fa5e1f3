package ledger

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ReadKeyFile reads a ledger's public key from a file that holds it on one
// line, in the form name+hash+key of golang.org/x/mod/sumdb/note.
func ReadKeyFile(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the ledger's public key: %w", err)
	}
	key := strings.TrimSpace(string(raw))
	if _, err := note.NewVerifier(key); err != nil {
		return "", fmt.Errorf("%s holds no ledger public key (rollcall/CAMPAIGN+hash+key on one line): %w", path, err)
	}
	return key, nil
}

// SameKey reports whether the public keys of two ledgers are one, whose names
// differ.
func SameKey(a, b string) bool {
	of := func(key string) string {
		if parts := strings.SplitN(key, "+", 3); len(parts) == 3 { // name, hash, key
			return parts[2]
		}
		return key
	}
	return of(a) == of(b)
}
