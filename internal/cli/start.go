package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) startCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "start",
		Short: "Start the campaign and return; workers do the work",
		Long: `start begins a campaign on the configured Temporal cluster and prints its id. A
device has one campaign at a time: a second one is an error, wherever the first one
runs. --take-over, --yes, and what is tried first: see run; start with --only once more tries more
of a campaign that is held, and rollcall resume goes on with the others.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withTemporal(ctx, false, nil, func(s *session) error {
				if err := s.requireOwnState(ctx); err != nil {
					return err
				}
				if more, err := s.startMore(ctx); more || err != nil {
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
	a.overrideFlags(c)
	return c
}

// startMore has more tried before the others where a campaign is held behind
// what was tried first; false where none runs, or nothing was picked.
func (s *session) startMore(ctx context.Context) (bool, error) {
	if !s.first.Given() {
		return false, nil
	}
	running, err := s.running(ctx)
	if err != nil || running == nil {
		return false, err
	}
	if err := s.requireAsStarted(ctx); err != nil {
		return false, err
	}
	if err := s.tryMore(ctx, running); err != nil {
		return false, err
	}
	fmt.Fprintln(s.Out, running.Campaign)
	return true, nil
}
