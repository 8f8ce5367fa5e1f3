package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"rollcall/internal/engine"
	"rollcall/workflows"
)

func (a *app) abortCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: workflows.UpdateAbort, Short: "End the campaign: finish what lies between set and proof, never go back", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.ask(cmd, &out, workflows.UpdateAbort, actor(), aborting)
			if !errors.Is(err, errNoCampaignHere) || !engine.Left(a.stateDir) {
				return err
			}
			return a.withTemporal(cmd.Context(), true, nil, func(s *session) error { return s.abortLeft(cmd.Context(), &out) })
		},
	}
	out.flag(c)
	return c
}

func aborting(st workflows.Status) string { return "aborting: campaign " + st.Campaign }

// abortLeft aborts a campaign of which no process runs, and does what is left
// of it.
func (s *session) abortLeft(ctx context.Context, out *output) error {
	asJSON, err := out.json()
	if err != nil {
		return err
	}
	if err := s.requireOwnState(ctx); err != nil {
		return err
	}
	stop, err := s.workHere(ctx)
	if err != nil {
		return err
	}
	defer stop()
	st, err := s.update(ctx, workflows.UpdateAbort, actor())
	if err != nil {
		return s.refused(workflows.UpdateAbort, err)
	}
	if asJSON {
		if err := printJSON(s.Out, st); err != nil {
			return err
		}
		quiet := *s.app // what else is shown is for people
		quiet.Out, s.app = io.Discard, &quiet
	} else {
		fmt.Fprintln(s.Out, aborting(st))
	}
	return s.follow(ctx, st.Campaign)
}
