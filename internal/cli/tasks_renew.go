package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/internal/people"
	"rollcall/internal/vault/ownmount"
)

func (a *app) tasksRenewCommand() *cobra.Command {
	var reason string
	var yes bool
	c := &cobra.Command{
		Use:   "renew NAME",
		Short: "Have another value made, because somebody may have seen this one",
		Long: `renew writes into Vault, as you, that the new value of a task is not to be used: somebody who
is no owner of it may have seen it. The campaign takes it back from whoever has it, makes another
one and hands that over. Whatever was said to be done is to be done once more, at every end, with
that one. The value before it stays staged until the task is done, for it may be in force at an end
already. The ledger holds who said so and why. It cannot be taken back.`,
		Args: oneArgument("a task; `rollcall tasks` lists yours"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			st := people.Statement{Does: people.Renew, Note: strings.TrimSpace(reason)}
			if why := st.Malformed(); why != "" {
				return fmt.Errorf("cannot say that: %s; nothing was said", why)
			}
			return a.withPerson(ctx, func(s *ownmount.Store, me string) error {
				c, err := cardOf(ctx, s, me, args[0])
				if err != nil {
					// Who does not have it may know it by the ledger.
					known, there := a.taskInLedger(ctx, args[0])
					if !there {
						return err
					}
					c = known
				}
				if c.Path != "" && c.Value.IsZero() {
					return fmt.Errorf("%s: Rollcall made no value for it, so it can make no other one; nothing was said", c.Name)
				}
				if err := withoutValue("--reason", st.Note, c); err != nil {
					return err
				}
				if !yes {
					return fmt.Errorf("%s: another value would be made, and every end (%s) has to be changed to it, those that are done too; say so with --yes. Nothing was said", c.Name, strings.Join(c.Ends, ", "))
				}
				if err := a.newWord(ctx, s, me, c, st); err != nil {
					return err
				}
				return a.state(ctx, s, me, c.Campaign, c.Credential, c.Name, st)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why; it goes into the ledger, so no secret")
	c.Flags().BoolVar(&yes, "yes", false, "do it: what is done already has to be done once more")
	_ = c.MarkFlagRequired("reason")
	return c
}
