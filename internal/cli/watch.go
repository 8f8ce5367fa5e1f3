package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"rollcall/internal/engine"
)

func (a *app) watchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "watch",
		Short: "Follow the running campaign to its end; Ctrl-C stops watching, not the campaign",
		Long: `watch follows the device's campaign to its end, and shows its report then. Where it runs on another
machine it follows the ledger, if somebody gives that out (run --serve, ledger serve, worker --role
ledger --serve), and otherwise shows what status shows, and each change of it. The exit code is
that of the campaign; 3 where it goes on. Of one that has ended it shows the report.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.zone(); err != nil {
				return err
			}
			a.controls = true
			ctx := cmd.Context()
			return a.withVault(ctx, func(s *session) error {
				err := s.connect(ctx, false)
				if errors.Is(err, engine.ErrNotRunning) {
					return s.watchElsewhere(ctx, errNoCampaignHere)
				}
				if err != nil {
					return err
				}
				st, err := s.running(ctx)
				if err != nil {
					return err
				}
				if st == nil {
					return s.watchElsewhere(ctx, s.noneRuns(ctx))
				}
				return s.follow(ctx, st.Campaign)
			})
		},
	}
	a.timeZoneFlag(c)
	return c
}
