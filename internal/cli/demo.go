package cli

import "github.com/spf13/cobra"

func (a *app) demoCommand() *cobra.Command {
	var keep, single bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show all of it on this machine: real servers, an intruder, a campaign, the proof",
		Long: `demo starts an OpenLDAP server and its replica, Vault and Temporal on 127.0.0.1, lets an intruder
in with everything that an appliance knew, who reads Vault with it all the time, shows by the
servers' logs what he had used before, runs a campaign, and asks the intruder what is left to it.
It takes seconds, stops everything that it started and throws it away, also on Ctrl-C. The ledger,
the report and a picture of the logs stay, in ./rollcall-demo; they hold no secret.

It needs Linux, slapd and postgresql-15 (Debian: scripts/setup.sh) and, beside this
program, rollcall-engine and rollcall-devvault (make build), but no root. With
Dovecot and ProFTPD a mail server and a file server stand in front of the
directory, as doors of the campaign.

As root and with Samba (scripts/setup.sh installs it) the estate has an Active
Directory domain too, whose controller runs in a network namespace of its own.
--show-single-reset then resets one account of it once, as most tools do it, and
shows how long its stolen password goes on to log in.

Exit code 0 if all went as it should, 1 otherwise.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runDemo(cmd.Context(), keep, single)
		},
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave the servers up until Ctrl-C and say how to look at each")
	c.Flags().BoolVar(&single, "show-single-reset", false, "reset one account of the domain the usual way, once, and show what that leaves")
	return c
}
