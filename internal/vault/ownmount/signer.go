package ownmount

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/vault"
)

const (
	// LedgerKey is the name of the transit key.
	LedgerKey = "ledger"
	// Verifiers know a ledger by one public key for ever, so signing stays with
	// the first version of the transit key even if somebody rotates it.
	ledgerKeyVersion = "1"
)

// Signer signs checkpoints under the name origin with the transit key
// "ledger", which never leaves Vault. Standard note verifiers accept the
// signatures (algorithm 1, Ed25519; golang.org/x/mod/sumdb/note). ctx is for
// reading the public key; each signature has its own time limit.
func (s *Store) Signer(ctx context.Context, origin string) (note.Signer, error) {
	pub, err := s.ledgerPublicKey(ctx)
	if err != nil {
		return nil, err
	}
	vkey, err := note.NewEd25519VerifierKey(origin, pub)
	if err != nil {
		return nil, fmt.Errorf("vault: ledger origin %q: %w", origin, err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("vault: ledger origin %q: %w", origin, err)
	}
	return &signer{store: s, verifier: v}, nil
}

// VerifierKey is the public key in the form that note verifiers read:
// origin+hash+base64. It is no secret; a ledger keeps it beside its files.
func (s *Store) VerifierKey(ctx context.Context, origin string) (string, error) {
	pub, err := s.ledgerPublicKey(ctx)
	if err != nil {
		return "", err
	}
	vkey, err := note.NewEd25519VerifierKey(origin, pub)
	if err != nil {
		return "", fmt.Errorf("vault: ledger origin %q: %w", origin, err)
	}
	return vkey, nil
}

type signer struct {
	store    *Store
	verifier note.Verifier
}

func (g *signer) Name() string    { return g.verifier.Name() }
func (g *signer) KeyHash() uint32 { return g.verifier.KeyHash() }

func (g *signer) Sign(msg []byte) ([]byte, error) {
	const op = "sign a checkpoint"
	at := g.store.transit + "/sign/" + LedgerKey
	ctx, cancel := context.WithTimeout(context.Background(), vault.RequestTimeout)
	defer cancel()
	got, err := g.store.API().Logical().WriteWithContext(ctx, at, map[string]any{
		"input":       base64.StdEncoding.EncodeToString(msg),
		"key_version": json.Number(ledgerKeyVersion),
	})
	if err != nil {
		return nil, g.store.Fail(op, at, vault.Update, err)
	}
	if got == nil {
		return nil, g.store.Odd(op, at, fmt.Errorf("empty"))
	}
	text, _ := got.Data["signature"].(string)
	b64, ok := strings.CutPrefix(text, "vault:v"+ledgerKeyVersion+":")
	if !ok {
		return nil, g.store.Odd(op, at, fmt.Errorf("no signature by version %s of the key", ledgerKeyVersion))
	}
	sig, err := base64.StdEncoding.DecodeString(b64)
	if err != nil || !g.verifier.Verify(msg, sig) {
		return nil, g.store.Odd(op, at, fmt.Errorf("the signature does not verify with the key's own public part"))
	}
	return sig, nil
}

func (s *Store) ledgerPublicKey(ctx context.Context) (ed25519.PublicKey, error) {
	const op = "read the ledger's public key"
	at := s.transit + "/keys/" + LedgerKey
	got, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		return nil, s.Fail(op, at, vault.Read, err)
	}
	if got == nil {
		return nil, &vault.Error{Op: op, Path: at, Server: s.Address(), Kind: vault.NotFound, Detail: "`rollcall init` makes the key"}
	}
	if t, _ := got.Data["type"].(string); t != "ed25519" {
		return nil, s.Odd(op, at, fmt.Errorf("the key is of type %q; the ledger needs ed25519", t))
	}
	keys, _ := got.Data["keys"].(map[string]any)
	version, _ := keys[ledgerKeyVersion].(map[string]any)
	text, _ := version["public_key"].(string)
	pub, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(pub) != ed25519.PublicKeySize {
		return nil, s.Odd(op, at, fmt.Errorf("no public key at version %s", ledgerKeyVersion))
	}
	return pub, nil
}
