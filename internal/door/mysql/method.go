package mysql

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"slices"

	"filippo.io/edwards25519"

	"rollcall/internal/credential"
)

const (
	methodNative  = "mysql_native_password"
	methodCaching = "caching_sha2_password"
	methodDialog  = "dialog"
	methodClear   = "mysql_clear_password"
	methodNobodys = "rollcall_none" // no account has it
	methodEd25519 = "ed25519"       // as the table of accounts calls it
)

// elsewhere: the method asks another system about the value (PAM), which may be
// down, and then refuses the right one too.
func elsewhere(method string) bool { return method == methodDialog || method == methodClear }

// unsure: the account was asked by several methods, one of which asks
// elsewhere. Each takes a value of its own, and that the new one is accepted by
// another of them does not show that this one is up.
func (s *session) unsure() bool {
	return len(s.methods) > 1 && slices.ContainsFunc(s.methods, elsewhere)
}

// byElsewhere: the last method that was asked for, which took the value, is
// such a one.
func (s *session) byElsewhere() bool {
	return len(s.methods) > 0 && elsewhere(s.methods[len(s.methods)-1])
}

// respond is what a method sends to a challenge. The value itself goes over TLS
// alone, and to nobody by the method of before 4.1, whose hash is as good as
// the value.
func (s *session) respond(method string, challenge []byte, value credential.Secret) ([]byte, error) {
	salt := challenge
	if n := len(salt); n > 0 && salt[n-1] == 0 {
		salt = salt[:n-1]
	}
	switch method {
	case methodNative:
		if len(salt) != 20 {
			return nil, errForeign
		}
		return native(salt, value), nil
	case methodCaching:
		if len(salt) != 20 {
			return nil, errForeign
		}
		return caching(salt, value), nil
	case "client_ed25519": // of the server's plugin ed25519
		if len(challenge) < 32 {
			return nil, errForeign
		}
		return ed25519(challenge[:32], value)
	case methodClear, "sha256_password":
		if s.secured {
			return itself(value), nil
		}
	case methodDialog:
		// MariaDB's PAM: the value first, or a byte that says what is asked, 4
		// or 5 for a password.
		if s.secured && (len(challenge) == 0 || challenge[0]&^1 == 4) {
			return itself(value), nil
		}
	}
	return nil, errMethod
}

// more is what follows within a method; nil is to wait for the verdict. A
// server that has the hash of caching_sha2_password at hand says yes (3), and
// another asks for the value itself (4).
func (s *session) more(method string, said []byte, value credential.Secret) ([]byte, error) {
	switch {
	case method != methodCaching || len(said) != 1:
		return nil, errMethod
	case said[0] == 3:
		return nil, nil
	case said[0] == 4 && s.secured:
		return itself(value), nil
	}
	return nil, errMethod
}

func itself(value credential.Secret) []byte { return append([]byte(value.Reveal()), 0) }

// native: SHA1(value) XOR SHA1(salt, SHA1(SHA1(value))).
func native(salt []byte, value credential.Secret) []byte {
	once := sha1.Sum([]byte(value.Reveal()))
	twice := sha1.Sum(once[:])
	mask := sha1.Sum(append(append([]byte(nil), salt...), twice[:]...))
	subtle.XORBytes(once[:], once[:], mask[:])
	return once[:]
}

// caching: SHA256(value) XOR SHA256(SHA256(SHA256(value)), salt).
func caching(salt []byte, value credential.Secret) []byte {
	once := sha256.Sum256([]byte(value.Reveal()))
	twice := sha256.Sum256(once[:])
	mask := sha256.Sum256(append(twice[:], salt...))
	subtle.XORBytes(once[:], once[:], mask[:])
	return once[:]
}

// ed25519 signs the challenge with a key that is the hash of the value, which
// crypto/ed25519 does not take (MariaDB, plugin/auth_ed25519/ref10/sign.c; RFC
// 8032, 5.1.6).
func ed25519(challenge []byte, value credential.Secret) ([]byte, error) {
	h := sha512.Sum512([]byte(value.Reveal()))
	public, key, err := signer(value)
	if err != nil {
		return nil, err
	}
	hashed := func(parts ...[]byte) (*edwards25519.Scalar, error) {
		d := sha512.New()
		for _, p := range parts {
			d.Write(p)
		}
		return edwards25519.NewScalar().SetUniformBytes(d.Sum(nil))
	}
	r, err := hashed(h[32:], challenge)
	if err != nil {
		return nil, errForeign
	}
	point := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	k, err := hashed(point, public, challenge)
	if err != nil {
		return nil, errForeign
	}
	return append(point, k.MultiplyAdd(k, key, r).Bytes()...), nil
}

// signer is the key that is the hash of a value, and its public half, which the
// server keeps.
func signer(value credential.Secret) (public []byte, key *edwards25519.Scalar, err error) {
	h := sha512.Sum512([]byte(value.Reveal()))
	if key, err = edwards25519.NewScalar().SetBytesWithClamping(h[:32]); err != nil {
		return nil, nil, errForeign
	}
	return new(edwards25519.Point).ScalarBaseMult(key).Bytes(), key, nil
}
