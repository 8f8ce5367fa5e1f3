package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"rollcall/internal/kind/registry"
	"rollcall/internal/metrics"
	"rollcall/internal/vault/ownmount"
)

func (a *app) workerCommand() *cobra.Command {
	var settings ownmount.Settings
	var role, ledgerDir, metricsAt string
	var before bool
	var serve serving
	var watched []string
	c := &cobra.Command{
		Use:   "worker",
		Short: "Serve campaigns: rotations, or with --role ledger the ledger",
		Long: `worker serves the campaigns of a Temporal cluster until it is stopped. It needs no
campaign file: campaigns bring theirs along, in Vault.

With --role rotation it lists and rotates; run as many as you like. With --role ledger it
is the one writer of the ledgers in --ledger-dir, with a login of its own, so
that whoever holds a rotation worker cannot rewrite the record.

With --watch it also follows the logs that watch of a campaign file names, for weeks, as rollcall evidence
watch does, and tells whom that file names; what it finds is in its log and at --metrics. Such a watch that
fails begins again and ends no worker. Docs: docs/evidence.md.

With --serve it also gives the ledgers to operators on other machines (status, watch, report, ledger
verify), over TLS; what they need for that it leaves in Vault, where their policy may read it.

SIGTERM or Ctrl-C lets it finish the credentials in hand.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			a.warns = true
			if before {
				return errors.New("worker --ledger is now worker --role ledger")
			}
			if serve.address != "" && role != "ledger" {
				return errors.New("--serve is for worker --role ledger, which has the ledgers")
			}
			if role != "rotation" && role != "ledger" {
				return fmt.Errorf("--role is rotation or ledger, not %q", role)
			}
			ledgerOnly := role == "ledger"
			if len(watched) > 0 && !ledgerOnly {
				return errors.New("--watch is for worker --role ledger: it has the ledgers, and listens to the network with fewer rights")
			}
			stopMetrics, err := a.serveMetrics(metricsAt)
			if err != nil {
				return err
			}
			defer stopMetrics()
			store, err := ownmount.Open(ctx, settings)
			if err != nil {
				return err
			}
			defer store.Close()
			e, err := a.connect(ctx, store, "", false)
			if err != nil {
				return err
			}
			defer e.Stop()
			kinds := registry.New(store.Client)
			defer kinds.Close()
			dir, err := filepath.Abs(ledgerDir)
			if err != nil {
				return err
			}
			stop, err := a.work(e, store, kinds, dir, !ledgerOnly, ledgerOnly)
			if err != nil {
				return err
			}
			if serve.address != "" {
				at, server, err := a.serveLedgers(ctx, store, dir, serve)
				if err != nil {
					return errors.Join(err, stop())
				}
				a.say("ledger worker: giving the ledgers to operators at %s", at)
				defer server.end()
				a.sayFailed(server)
			}
			defer a.watchBeside(ctx, dir, watched)()
			if ledgerOnly {
				a.say("ledger worker: writing to %s, serving Temporal at %s", dir, e.Address)
			} else {
				a.say("rotation worker: serving Temporal at %s", e.Address)
			}
			a.sayUntil(ctx, store)
			a.say("stopping: finishing what is in hand")
			return stop()
		},
	}
	c.Flags().StringVar(&settings.Mount, "mount", "rollcall", "Rollcall's KV v2 mount in Vault")
	c.Flags().StringVar(&settings.Transit, "transit", "rollcall-transit", "Rollcall's transit mount in Vault")
	c.Flags().StringVar(&role, "role", "rotation", "rotation or ledger")
	c.Flags().StringVar(&ledgerDir, "ledger-dir", "ledger", "with --role ledger: folder of the ledgers, one below it for each campaign")
	c.Flags().StringVar(&serve.address, "serve", "", "with --role ledger: give the ledgers to operators elsewhere at this address, such as :8443")
	serve.asFlag(c, "with --serve: ")
	c.Flags().StringArrayVar(&watched, "watch", nil, "with --role ledger: campaign file whose section watch names logs to follow beside the queues")
	c.Flags().BoolVar(&before, "ledger", false, "")
	_ = c.Flags().MarkHidden("ledger")
	metricsFlag(c, &metricsAt)
	return c
}

func metricsFlag(c *cobra.Command, address *string) {
	c.Flags().StringVar(address, "metrics", "", "serve counters to Prometheus at http://ADDRESS/metrics, and /healthz beside them, such as 127.0.0.1:9464 (off unless given; no login is asked for)")
}

// serveMetrics begins to serve counters, if an address is given, until stop is
// called.
func (a *app) serveMetrics(address string) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	if a.metrics, err = metrics.New(); err != nil {
		return nil, err
	}
	at, stop, err := a.metrics.Serve(address)
	if err == nil {
		a.say("metrics: http://%s/metrics", at)
		a.say("health: http://%s/healthz", at)
	}
	return stop, err
}
