package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) startCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "start",
		Short: "Start the campaign and return; workers do the work",
		Long: `start begins a campaign on the configured Temporal cluster and prints its id. A
device has one campaign at a time: a second one is an error, wherever the first one
runs. --take-over, --yes, and what is tried first: see run; rollcall resume goes on with the others.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withTemporal(ctx, false, nil, func(s *session) error {
				if err := s.requireOwnState(ctx); err != nil {
					return err
				}
				campaign, err := s.start(ctx)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.Out, campaign)
				s.sayIfUnserved(ctx)
				return nil
			})
		},
	}
	a.takeOverFlag(c)
	a.yesFlag(c)
	a.first.flags(c, "try a part first")
	a.unansweredFlag(c)
	a.overrideFlag(c)
	return c
}
