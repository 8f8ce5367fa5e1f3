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
			const ends = "It ends: what lies between set and proof is finished, and all else stays open, with its stolen value in force"
			return a.askToEnd(cmd, &out, workflows.UpdateAbort, "", ends, asIs(actor()), aborting)
		},
	}
	out.flag(c)
	a.yesFlag(c)
	return c
}

func aborting(st workflows.Status) string { return "aborting: campaign " + st.Campaign }

// askToEnd sends an update that ends the campaign, once somebody who can be
// asked has said yes to ends. One of which no process runs on this machine is
// told all the same, and what is left of it is done. arg is made where the
// campaign can be asked; its error means that nothing was sent.
func (a *app) askToEnd(cmd *cobra.Command, out *output, update, reason, ends string, arg argument, done func(workflows.Status) string) error {
	err := a.askWith(cmd, out, update, reason, a.confirmed(update, ends, arg, nil), done)
	if !errors.Is(err, errNoCampaignHere) || !engine.Left(a.stateDir) {
		return err
	}
	if err := a.confirmLeft(cmd.Context(), ends, err); err != nil {
		return err
	}
	return a.withTemporal(cmd.Context(), true, nil, func(s *session) error { return s.endLeft(cmd.Context(), out, update, reason, arg, done) })
}

func (s *session) endLeft(ctx context.Context, out *output, update, reason string, arg argument, done func(workflows.Status) string) error {
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
	if err := s.holdsValue(ctx, "--reason", reason); err != nil {
		return cannot(update, err)
	}
	with, err := arg(ctx, s)
	if err != nil {
		return err
	}
	st, err := s.update(ctx, update, with)
	if err != nil {
		return s.refused(ctx, update, err)
	}
	if asJSON {
		if err := printJSON(s.Out, saysNow(st)); err != nil {
			return err
		}
		quiet := *s.app // what else is shown is for people
		quiet.Out, s.app = io.Discard, &quiet
	} else {
		fmt.Fprintln(s.Out, done(st))
	}
	return s.follow(ctx, st.Campaign)
}
