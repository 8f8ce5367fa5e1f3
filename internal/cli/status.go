package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/engine"
	"rollcall/internal/report"
	"rollcall/workflows"
)

func (a *app) statusCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "status [CAMPAIGN]",
		Short: "Show where a campaign stands",
		Long: `status folds the ledger where it is at hand, and else asks the running campaign,
which knows counts and no names.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			folder, err := a.findLedger("", args)
			if err == nil {
				if _, err = os.Stat(folder); err == nil {
					return a.statusFromLedger(ctx, folder, asJSON)
				}
			}
			var bad *config.Errors
			if errors.As(err, &bad) {
				return err
			}
			return a.statusFromTemporal(ctx, asJSON)
		},
	}
	out.flag(c)
	return c
}

func (a *app) statusFromLedger(ctx context.Context, folder string, asJSON bool) error {
	state, verified, err := readLedger(ctx, folder)
	if err != nil {
		return err
	}
	if asJSON {
		return report.StatusJSON(a.Out, state, verified)
	}
	fmt.Fprint(a.Out, report.RenderProgress(report.ProgressOf(state, time.Now(), nil), 100, false))
	fmt.Fprintln(a.Out, report.LedgerLine(verified))
	return nil
}

func (a *app) statusFromTemporal(ctx context.Context, asJSON bool) error {
	s, err := a.openVault(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.connect(ctx, false); err != nil {
		return err
	}
	st, err := s.running(ctx)
	if err != nil {
		return err
	}
	if st == nil {
		return fmt.Errorf("no campaign is running for device %s, and %s holds no ledger of one", s.cfg.Device, s.cfg.LedgerDir)
	}
	if asJSON {
		return printJSON(a.Out, st)
	}
	printCounts(a, *st)
	return nil
}

func printCounts(a *app, st workflows.Status) {
	fmt.Fprintf(a.Out, "campaign %s: %s, %d listed, %d excluded\n", st.Campaign, st.Phase, st.Listed, st.Excluded)
	for _, w := range st.Waves {
		fmt.Fprintf(a.Out, "  wave %d: %d of %d dead, %d open, pass %d\n", w.Wave+1, w.Dead, w.Listed, w.Open, w.Pass)
	}
}

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Follow the running campaign to its end; Ctrl-C stops watching, not the campaign",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.openVault(ctx)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.connect(ctx, false); err != nil {
				if errors.Is(err, engine.ErrNotRunning) {
					return fmt.Errorf("no campaign is running on this machine: %w", err)
				}
				return err
			}
			st, err := s.running(ctx)
			if err != nil {
				return err
			}
			if st == nil {
				return fmt.Errorf("no campaign is running for device %s", s.cfg.Device)
			}
			return s.follow(ctx, st.Campaign)
		},
	}
}
