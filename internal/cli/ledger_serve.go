package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"rollcall/internal/report"
)

func (a *app) ledgerServe(one *string) *cobra.Command {
	var serve serving
	var dir string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Give the ledgers of a folder to operators on other machines, over TLS",
		Long: `serve gives the ledgers to operators on other machines until it is stopped (status, watch, report,
ledger): those of campaigns that run, and those of before. It needs no Temporal and takes part in no
campaign, and so it may be started where rollcall run ran, the day after.

It serves over TLS with a certificate and a token that it makes at its start. What a reader needs
for that it leaves in Vault, where an operator's policy may read it; so it needs a login with the
policy rollcall-ledger, and who may not read Rollcall's mount as an operator gets nothing. A
ledger holds names and no secret. A copy counts for nothing unless it is signed with the key that
Vault has. Ctrl-C or SIGTERM ends it.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if *one != "" {
				return errors.New("--ledger is the folder of one campaign, and serve gives all of a folder: --ledger-dir")
			}
			a.reads = true
			ctx := cmd.Context()
			return a.withVault(ctx, func(s *session) error {
				if dir == "" {
					dir = s.cfg.LedgerDir
				}
				dir, err := filepath.Abs(dir)
				if err != nil {
					return err
				}
				if missing(dir) {
					return fmt.Errorf("%s is not there: run this where the ledgers are, or name their folder with --ledger-dir", dir)
				}
				if err := refuseLedgerItself(dir); err != nil {
					return err
				}
				all, err := filepath.Glob(filepath.Join(dir, "*", "ledger.json"))
				if err != nil {
					return err
				}
				at, server, err := a.serveLedgers(ctx, s.store, dir, serve)
				if err != nil {
					return err
				}
				a.say("giving %s in %s, and what comes there, to operators at %s; Ctrl-C ends it", report.Plural(len(all), "ledger", "ledgers"), dir, at)
				defer server.end()
				select {
				case <-ctx.Done():
					return nil
				case err := <-server.Failed():
					return err
				}
			})
		},
	}
	c.Flags().StringVar(&serve.address, "listen", "", "address to serve at, such as :8443")
	c.Flags().StringVar(&dir, "ledger-dir", "", "folder of the ledgers, one below it for each campaign (default: that of the campaign file)")
	serve.asFlag(c, "")
	_ = c.MarkFlagRequired("listen")
	return c
}
