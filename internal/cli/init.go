package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/vault/setup"
)

func (a *app) initCommand() *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Set up Vault's side: mounts, the ledger's key, least-privilege policies, AppRoles",
		Long: `init makes what Rollcall needs in Vault: a KV v2 mount for staged values, rolls and
checkpoints, a transit mount with the key that signs the ledger and never leaves Vault,
policies for the device, and a policy and an AppRole each for worker, ledger and operator,
which have the sum of what the devices need. It needs an administrator's token, is safe
to repeat, and changes nothing that is there in the right form. The policies of the
device allow exactly what this campaign file needs; run it again when the sources change.
It takes nothing from other devices, nor from a campaign that runs.

With --print it shows the policies instead and changes nothing.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if show {
				return a.printPolicies(cmd)
			}
			return a.withVault(cmd.Context(), func(s *session) error {
				done, err := setup.Run(cmd.Context(), s.store, s.cfg, s.known(cmd))
				for _, line := range done {
					fmt.Fprintln(a.Out, line)
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&show, "print", false, "print the policies as HCL instead")
	return c
}

func (a *app) printPolicies(cmd *cobra.Command) error {
	cfg, err := config.Load(a.file)
	if err != nil {
		return err
	}
	var known []credential.Credential
	var places []string
	if s, err := a.openVault(cmd.Context()); err == nil {
		known = s.known(cmd)
		if places, err = setup.EnginePlaces(cmd.Context(), s.store); err != nil {
			a.say("note: the policies are without what the listing reads of secrets engines for directories, for it cannot be seen which there are (%v)", err)
		}
		known = setup.WithMounts(cmd.Context(), s.store, cfg, known)
		s.close()
	} else {
		a.say("note: Vault is not at hand (%v), so the policies cover the sources of the file and no single paths", err)
	}
	for _, p := range setup.Policies(cfg, known, places...) {
		fmt.Fprintf(a.Out, "# policy %s\n%s\n", setup.DevicePolicy(p.Name, cfg.Device), p.HCL)
	}
	people := setup.TasksPolicy(cfg)
	fmt.Fprintf(a.Out, "# policy %s\n%s\n", people.Name, people.HCL)
	return nil
}

// known lists what is tied to the device, so that policies can name the very
// paths. Listing may fail before the rights are there; the policies then cover
// the prefixes of the file.
func (s *session) known(cmd *cobra.Command) []credential.Credential {
	roll, err := s.dryRoll(cmd.Context())
	if err != nil {
		s.say("note: the roll cannot be listed yet (%v), so the policies cover the sources of the file and no single paths", err)
		return nil
	}
	return roll.Credentials
}

func (s *session) dryRoll(ctx context.Context) (*credential.Roll, error) {
	roll, _, err := listing.List(ctx, s.store, s.kinds, s.cfg, dryName())
	return roll, err
}
