package postgres

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"rollcall/internal/credential"
)

// Stored is how a server keeps the password of a role.
type Stored string

// Ways to keep a password.
const (
	StoredUnknown Stored = ""     // our identity may not read it
	StoredNone    Stored = "none" // the role has no password
	StoredSCRAM   Stored = "scram-sha-256"
	// StoredMD5 is md5(password, name): a rename clears it, and whoever reads
	// it can log in with it where pg_hba.conf says md5.
	StoredMD5 Stored = "md5"
	// StoredOther is neither; PostgreSQL takes no login by it.
	StoredOther Stored = "other"
)

// What servers use themselves (SCRAM_DEFAULT_ITERATIONS and
// SCRAM_DEFAULT_SALT_LEN in src/include/common/scram-common.h).
const (
	scramIterations = 4096
	scramSalt       = 16
)

// verifierForm is what may stand in a statement: it needs no quoting.
var verifierForm = regexp.MustCompile(`^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$`)

// newVerifier is what a server keeps of a value (RFC 5803; PostgreSQL 15,
// 53.8). Servers take it in ALTER ROLE in place of the value, which so gets
// into no statement and no log.
func newVerifier(value credential.Secret) (credential.Secret, error) {
	if value.IsZero() || strings.ContainsRune(value.Reveal(), 0) {
		return credential.Secret{}, errors.New("a password may be neither empty nor hold a zero byte")
	}
	salt := make([]byte, scramSalt)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	return verifier(value, salt, scramIterations)
}

func verifier(value credential.Secret, salt []byte, iterations int) (credential.Secret, error) {
	salted, err := pbkdf2.Key(sha256.New, prepare(value.Reveal()), salt, iterations, sha256.Size)
	if err != nil {
		return credential.Secret{}, fmt.Errorf("make a SCRAM verifier: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	text := base64.StdEncoding.EncodeToString
	return credential.NewSecret(fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, text(salt), text(stored[:]), text(mac(salted, "Server Key")))), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// parseVerifier takes a SCRAM verifier apart.
func parseVerifier(text string) (salt []byte, iterations int, ok bool) {
	if !verifierForm.MatchString(text) {
		return nil, 0, false
	}
	count, rest, _ := strings.Cut(strings.TrimPrefix(text, "SCRAM-SHA-256$"), ":")
	salted, keys, _ := strings.Cut(rest, "$")
	storedKey, serverKey, _ := strings.Cut(keys, ":")
	iterations, err := strconv.Atoi(count)
	if err != nil || iterations < 1 || iterations > 10_000_000 {
		return nil, 0, false
	}
	salt, err = base64.StdEncoding.DecodeString(salted)
	if err != nil || len(salt) == 0 {
		return nil, 0, false
	}
	for _, key := range []string{storedKey, serverKey} {
		if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != sha256.Size {
			return nil, 0, false
		}
	}
	return salt, iterations, true
}

var md5Form = regexp.MustCompile(`^md5[0-9a-f]{32}$`)

// storedAs reads pg_authid.rolpassword.
func storedAs(text string) Stored {
	switch _, _, scram := parseVerifier(text); {
	case text == "":
		return StoredNone
	case scram:
		return StoredSCRAM
	case md5Form.MatchString(text):
		return StoredMD5
	}
	return StoredOther
}

// holds reports whether what is stored for a role was made of value.
func holds(stored, role string, value credential.Secret) bool {
	var made string
	if salt, n, ok := parseVerifier(stored); ok {
		v, err := verifier(value, salt, n)
		if err != nil {
			return false
		}
		made = v.Reveal()
	} else if md5Form.MatchString(stored) {
		sum := md5.Sum([]byte(value.Reveal() + role))
		made = "md5" + hex.EncodeToString(sum[:])
	}
	return made != "" && subtle.ConstantTimeCompare([]byte(made), []byte(stored)) == 1
}
