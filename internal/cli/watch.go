package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Follow the running campaign to its end; Ctrl-C stops watching, not the campaign",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withTemporal(ctx, false, errNoCampaignHere, func(s *session) error {
				st, err := s.running(ctx)
				if err != nil {
					return err
				}
				if st == nil {
					return fmt.Errorf("no campaign is running for device %s", s.cfg.Device)
				}
				return s.follow(ctx, st.Campaign)
			})
		},
	}
}
