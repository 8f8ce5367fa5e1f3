package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/helper/namespace"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/vault"
)

// open initialises a new Vault and unseals it, or unseals an old one unless it
// is to stay sealed, and enables the audit device.
func open(ctx context.Context, core *vault.Core, o options) error {
	ctx = namespace.RootContext(ctx)
	initialised, err := core.Initialized(ctx)
	if err != nil {
		return fmt.Errorf("asking whether Vault is initialised: %w", err)
	}
	if !initialised {
		if err := initialise(ctx, core, o.dir); err != nil {
			return err
		}
	} else if o.sealed {
		return nil
	}
	if err := unseal(core, o.dir); err != nil {
		return err
	}
	if o.audit == "" {
		return nil
	}
	return enableAudit(ctx, core, o)
}

// initialise leaves the root token and the one key share in dir. A crash
// between the two leaves a Vault that nobody can open: delete the directory.
func initialise(ctx context.Context, core *vault.Core, dir string) error {
	result, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return fmt.Errorf("initialising Vault: %w", err)
	}
	if err := writeFile(filepath.Join(dir, "unseal-key"), hex.EncodeToString(result.SecretShares[0])+"\n", 0o600); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "root-token"), result.RootToken+"\n", 0o600)
}

func unseal(core *vault.Core, dir string) error {
	path := filepath.Join(dir, "unseal-key")
	text, err := readFile(path)
	if err != nil {
		return fmt.Errorf("the storage is initialised but its key cannot be read; delete %s to begin anew: %w", dir, err)
	}
	key, err := hex.DecodeString(text)
	if err != nil {
		// The decoder's message quotes the text, and the text is a key.
		return fmt.Errorf("%s does not hold a hexadecimal key", path)
	}
	if done, err := core.Unseal(key); err != nil || !done {
		return fmt.Errorf("unsealing with %s (done: %v): %w", path, done, err)
	}
	return nil
}

// enableAudit is repeatable: the device is part of what file storage keeps.
func enableAudit(ctx context.Context, core *vault.Core, o options) error {
	token, err := readFile(filepath.Join(o.dir, "root-token"))
	if err != nil {
		return err
	}
	list, err := core.HandleRequest(ctx, &logical.Request{
		Operation: logical.ReadOperation, Path: "sys/audit", ClientToken: token,
	})
	if err != nil {
		return fmt.Errorf("listing audit devices: %w", err)
	}
	if _, enabled := list.Data["file/"]; enabled {
		return nil
	}
	_, err = core.HandleRequest(ctx, &logical.Request{
		Operation: logical.UpdateOperation, Path: "sys/audit/file", ClientToken: token,
		Data: map[string]any{"type": "file", "options": map[string]any{"file_path": o.audit}},
	})
	if err != nil {
		return fmt.Errorf("enabling the audit device at %s: %w", o.audit, err)
	}
	return nil
}

func readFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

// writeFile replaces path in one step, so that whoever waits for it to appear
// never reads half of it.
func writeFile(path, text string, mode os.FileMode) error {
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), mode); err != nil {
		return err
	}
	return os.Rename(next, path)
}
