package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
)

// VaultOptions say what Vault to start.
type VaultOptions struct {
	// Dir takes the keys, the logs and the data. Required; made if missing.
	Dir string
	// File keeps the data on disk, so that it outlives Stop and Kill and
	// Restart serves it again. Without it everything is in memory.
	File bool
	// CA, if set, issues a certificate and Vault serves HTTPS; otherwise HTTP.
	CA *CA
	// Audit writes a file audit device to Dir/audit.log.
	Audit bool
}

// Vault is a running rollcall-devvault, unsealed, with KV v2 at "kv/" and
// AppRole at "approle/" ready for writes.
type Vault struct {
	options VaultOptions
	port    int
	args    []string
	caFile  string
	process *Process
	token   credential.Secret
}

// StartVault starts Vault on a port of its own and returns when a write to KV
// succeeds. On an error nothing is left running. A Dir that another Vault left
// on file storage is opened again with its keys. End it with Stop or Kill.
func StartVault(ctx context.Context, o VaultOptions) (*Vault, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	o.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	v := &Vault{options: o}
	if v.port, err = FreePort(); err != nil {
		return nil, err
	}
	v.args = []string{"-dir", dir, "-storage", "inmem", "-listen", fmt.Sprintf("127.0.0.1:%d", v.port)}
	if o.File {
		v.args[3] = "file"
	}
	if o.Audit {
		v.args = append(v.args, "-audit", v.AuditFile())
	}
	if o.CA != nil {
		cert, key, ca, err := o.CA.Issue(dir, "vault", 24*time.Hour)
		if err != nil {
			return nil, err
		}
		v.caFile = ca
		v.args = append(v.args, "-tls-cert", cert, "-tls-key", key)
	}
	if err := v.Restart(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// Restart starts Vault again after Stop or Kill, at the same address. On file
// storage it serves what it held and is unsealed; in memory it is a new, empty
// one with another root token.
func (v *Vault) Restart(ctx context.Context) error {
	program, err := binary("rollcall-devvault")
	if err != nil {
		return err
	}
	// Left by a kill, it would say "ready" before the new process is.
	address := filepath.Join(v.options.Dir, "address")
	if err := os.Remove(address); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("lab: %w", err)
	}
	if !v.options.File {
		for _, f := range []string{"root-token", "unseal-key"} {
			_ = os.Remove(filepath.Join(v.options.Dir, f))
		}
	}
	ready := func(context.Context) error {
		_, err := os.Stat(address)
		return err
	}
	process, err := startProcess(ctx, v.options.Dir, v.LogFile(), ready, program, v.args...)
	if err != nil {
		return err
	}
	v.process = process
	if err := v.open(ctx); err != nil {
		v.Kill()
		return err
	}
	return nil
}

// open reads the root token and prepares the two mounts.
func (v *Vault) open(ctx context.Context) error {
	token, err := os.ReadFile(filepath.Join(v.options.Dir, "root-token"))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	v.token = credential.NewSecret(strings.TrimSpace(string(token)))
	return v.prepareMounts(ctx)
}

// waits is how long a test waits for Vault: the machine does much besides.
const waits = "5m"

// UseIn has Vault's own client, and Rollcall's, take this server and token from
// the environment, for as long as a test sets it.
func (v *Vault) UseIn(t interface{ Setenv(key, value string) }, token string) {
	for name, value := range map[string]string{
		"VAULT_ADDR": v.Address(), "VAULT_TOKEN": token, "VAULT_CACERT": "", "VAULT_NAMESPACE": "",
		"ROLLCALL_ROLE_ID": "", "ROLLCALL_SECRET_ID_FILE": "", "VAULT_CLIENT_TIMEOUT": waits,
	} {
		t.Setenv(name, value)
	}
}

// Address is Vault's URL, the same after Restart: what VAULT_ADDR takes.
func (v *Vault) Address() string {
	scheme := "http"
	if v.options.CA != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, v.port)
}

// CAFile is the PEM file that VAULT_CACERT takes; empty without TLS.
func (v *Vault) CAFile() string { return v.caFile }

// AuditFile is where the audit device writes, if it was asked for.
func (v *Vault) AuditFile() string { return filepath.Join(v.options.Dir, "audit.log") }

// LogFile holds what the process printed; Vault's own log is vault.log beside
// it.
func (v *Vault) LogFile() string { return filepath.Join(v.options.Dir, "devvault.out") }

// RootToken opens everything.
func (v *Vault) RootToken() credential.Secret { return v.token }

// Process is the server's process, to pause it or watch it.
func (v *Vault) Process() *Process { return v.process }

// Client returns a new client with the root token. It takes nothing from the
// environment, does not retry, and keeps 64 connections open.
func (v *Vault) Client() *vaultapi.Client {
	transport := &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}
	if v.options.CA != nil {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(v.options.CA.PEM)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	client, err := vaultapi.NewClient(&vaultapi.Config{
		Address:    v.Address(),
		HttpClient: &http.Client{Transport: transport},
		Timeout:    2 * patience,
	})
	if err != nil {
		// Only an unusable address or environment gets here; both are the
		// caller's machine.
		panic(fmt.Sprintf("lab: making a client for %s: %v", v.Address(), err))
	}
	client.ClearNamespace()
	client.SetMaxRetries(0)
	client.SetToken(v.token.Reveal())
	return client
}

// Seal seals Vault: every request but unsealing is then answered 503.
func (v *Vault) Seal(ctx context.Context) error {
	if err := v.Client().Sys().SealWithContext(ctx); err != nil {
		return fmt.Errorf("lab: seal Vault: %w", err)
	}
	return nil
}

// Unseal opens a sealed Vault with the key in Dir and returns when KV can be
// written again.
func (v *Vault) Unseal(ctx context.Context) error {
	key, err := os.ReadFile(filepath.Join(v.options.Dir, "unseal-key"))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	status, err := v.Client().Sys().UnsealWithContext(ctx, strings.TrimSpace(string(key)))
	if err != nil {
		return fmt.Errorf("lab: unseal Vault: %w", err)
	}
	if status.Sealed {
		return fmt.Errorf("lab: Vault is still sealed after its one key")
	}
	return v.awaitWrites(ctx, v.Client())
}

// Stop seals and ends Vault; see Process.Stop.
func (v *Vault) Stop(ctx context.Context) error { return v.process.Stop(ctx) }

// Kill ends Vault as a crash would.
func (v *Vault) Kill() { v.process.Kill() }
