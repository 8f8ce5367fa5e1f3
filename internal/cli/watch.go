package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Follow the running campaign to its end; Ctrl-C stops watching, not the campaign",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.controls = true
			ctx := cmd.Context()
			return a.withTemporal(ctx, false, errNoCampaignHere, func(s *session) error {
				st, err := s.running(ctx)
				if err != nil {
					return err
				}
				if st == nil {
					return s.noneRuns(ctx)
				}
				return s.follow(ctx, st.Campaign)
			})
		},
	}
}
