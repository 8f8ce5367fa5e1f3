package shell

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// takes makes the value ready to be shown as the door's file says, and says why
// it cannot be. A private key is never sent as a password: the server would
// have it.
func (a *attempt) takes(as door.Auth) string {
	text := strings.TrimSpace(a.value.Reveal()) + "\n"
	private := strings.Contains(text, "PRIVATE KEY-----") || strings.HasPrefix(text, "PuTTY-User-Key-File")
	switch {
	case as != door.ByKey && private:
		return "the value is a private key: the door has no auth: key"
	case as != door.ByKey:
		return ""
	case !private:
		return "the value is no private key"
	}
	key, err := ssh.ParsePrivateKey([]byte(strings.ReplaceAll(text, "\r\n", "\n")))
	if errors.As(err, new(*ssh.PassphraseMissingError)) {
		return "the private key has a passphrase"
	}
	if err != nil {
		return "the private key cannot be read"
	}
	a.key = key
	return ""
}

// Nonsense is door.Made: a key that no server knows, or a text.
func (d *SSH) Nonsense() (credential.Secret, error) {
	if d.at.Auth != door.ByKey {
		return credential.NewSecret(rand.Text()), nil
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return credential.Secret{}, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return credential.Secret{}, err
	}
	return credential.NewSecret(string(pem.EncodeToMemory(block))), nil
}
