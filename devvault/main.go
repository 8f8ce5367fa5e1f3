// Command rollcall-devvault is a real Vault server for Rollcall's demo and
// tests, made of Vault's own packages with just the engines that Rollcall
// meets: kv, transit, pki, ldap (secrets), approle, jwt and oidc, ldap and
// userpass (auth), the file audit device, in-memory and file storage.
//
// It is not for production: it keeps its root token and its unseal key in
// files beside its data and unseals itself. Vault's server is under the
// Business Source License 1.1, so it lives in a module and a process of its own
// and is never linked into Rollcall, which speaks to it by HTTP alone.
//
// Below -dir it keeps:
//
//	root-token, unseal-key   mode 0600, written once, by the first start
//	address                  the URL, while it serves
//	vault.log                Vault's own log, warnings and worse
//	data/                    with -storage file
//
// The first start initialises Vault with one key share. A later start on file
// storage unseals from unseal-key, or stays sealed with -sealed. SIGTERM and
// SIGINT seal and stop; a kill -9 loses nothing that file storage had answered.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	var o options
	flags := flag.NewFlagSet("rollcall-devvault", flag.ExitOnError)
	flags.StringVar(&o.dir, "dir", "", "directory for keys, log and data (required)")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8200", "address to serve on; port 0 picks a free one")
	flags.StringVar(&o.storage, "storage", "inmem", "inmem or file")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "PEM certificate; with -tls-key serves HTTPS")
	flags.StringVar(&o.tlsKey, "tls-key", "", "PEM private key")
	flags.StringVar(&o.audit, "audit", "", "write a file audit device to this path")
	flags.BoolVar(&o.sealed, "sealed", false, "stay sealed at a later start on file storage")
	withStdin := flags.Bool("exit-with-stdin", false, "stop when stdin ends, and so with the parent however it dies")
	_ = flags.Parse(os.Args[1:])

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *withStdin {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "rollcall-devvault:", err)
		os.Exit(1)
	}
}

type options struct {
	dir, listen, storage string
	tlsCert, tlsKey      string
	audit                string
	sealed               bool
}

// check completes the options or says what is wrong with them.
func (o *options) check() error {
	if o.dir == "" {
		return fmt.Errorf("-dir is required: a directory for keys, log and data")
	}
	if o.storage != "inmem" && o.storage != "file" {
		return fmt.Errorf("-storage %q: want inmem or file", o.storage)
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return fmt.Errorf("-tls-cert and -tls-key go together")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	if o.audit != "" {
		if o.audit, err = filepath.Abs(o.audit); err != nil {
			return err
		}
	}
	return os.MkdirAll(dir, 0o700)
}
