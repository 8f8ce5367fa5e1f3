package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// run serves until ctx ends. It returns nil after a clean stop.
func run(ctx context.Context, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(o.dir, "vault.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()

	// Listening comes first: a port that is taken must not cost an initialised
	// Vault.
	listener, url, err := listen(o)
	if err != nil {
		return err
	}
	defer listener.Close()

	core, err := newCore(o, logFile)
	if err != nil {
		return err
	}
	defer core.Shutdown()
	if err := open(ctx, core, o); err != nil {
		return err
	}

	server := &http.Server{
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core:           core,
			ListenerConfig: &configutil.Listener{},
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(logFile, "", log.LstdFlags),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	addressFile := filepath.Join(o.dir, "address")
	if err := writeFile(addressFile, url+"\n", 0o644); err != nil {
		return err
	}
	defer os.Remove(addressFile)
	state := "unsealed"
	if core.Sealed() {
		state = "sealed"
	}
	fmt.Printf("rollcall-devvault ready: %s (%s, %s storage; for demo and tests only)\n", url, state, o.storage)

	select {
	case err := <-failed:
		return fmt.Errorf("serving %s: %w", url, err)
	case <-ctx.Done():
	}
	// A request under way gets its answer; one that never ends does not keep
	// us.
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// listen opens the port and returns the URL with the port actually taken.
func listen(o options) (net.Listener, string, error) {
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, "", fmt.Errorf("listening on %s: %w", o.listen, err)
	}
	if o.tlsCert == "" {
		return l, "http://" + l.Addr().String(), nil
	}
	cert, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		l.Close()
		return nil, "", fmt.Errorf("reading -tls-cert and -tls-key: %w", err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	return tls.NewListener(l, config), "https://" + l.Addr().String(), nil
}

// newCore makes the sealed Vault on the storage that was asked for.
func newCore(o options, logs io.Writer) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Warn, Output: logs})
	var backend physical.Backend
	var err error
	if o.storage == "file" {
		backend, err = file.NewFileBackend(map[string]string{"path": filepath.Join(o.dir, "data")}, logger)
	} else {
		backend, err = inmem.NewInmem(nil, logger)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s storage: %w", o.storage, err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           backend,
		StorageType:        o.storage,
		Logger:             logger,
		ClusterName:        "rollcall-devvault",
		LogicalBackends:    secretsEngines,
		CredentialBackends: authMethods,
		AuditBackends:      auditDevices,
		BuiltinRegistry:    catalog{},
		// mlock needs a capability that neither a laptop nor a container gives.
		DisableMlock: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the Vault core: %w", err)
	}
	return core, nil
}
