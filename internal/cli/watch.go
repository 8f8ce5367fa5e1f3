package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) watchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "watch",
		Short: "Follow the running campaign to its end; Ctrl-C stops watching, not the campaign",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.zone(); err != nil {
				return err
			}
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
	a.timeZoneFlag(c)
	return c
}
