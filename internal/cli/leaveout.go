package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/ledger"
	"rollcall/workflows"
)

func (a *app) leaveOutCommand() *cobra.Command {
	var out output
	var ask workflows.LeaveOut
	c := &cobra.Command{
		Use:   "leave-out",
		Short: "Take a server out of the running campaign, by name and with a reason",
		Long: `leave-out ends the wait for a server that will not come back in time. What it keeps
open is proved dead on the other servers, from the next pass on, which begins at
once. Nobody has then seen that server refuse the stolen values: the ledger
names it with each credential that died without it, and says who left it out and
why, and the campaign ends with exit code 2.

A server that comes back is not taken in again; another campaign asks it. The write
server cannot be left out. The reason passes through Temporal and stands in the
ledger: name neither a secret nor an account in it.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := config.ServerURL(ask.Server)
			if err != nil {
				return fmt.Errorf("--server %w", err)
			}
			ask.Server, ask.Actor = url, actor()
			if err := a.confirmFor(cmd.Context(), "no proof of the campaign of %s asks "+strings.ReplaceAll(url, "%", "%%")+" any more: that it refuses the stolen values is seen by nobody"); err != nil {
				return err
			}
			return a.askFor(cmd, &out, workflows.UpdateLeaveOut, ask.Reason, ask, func(st workflows.Status) string {
				when := "at once"
				if st.Phase == ledger.Paused {
					when = "when the campaign is resumed"
				}
				return fmt.Sprintf("left out: %s, campaign %s; what it kept open comes back %s", url, st.Campaign, when)
			})
		},
	}
	out.flag(c)
	a.yesFlag(c)
	c.Flags().StringVar(&ask.Server, "server", "", "URL of the server, as status and report name it")
	c.Flags().StringVar(&ask.Reason, "reason", "", "why; it goes into the ledger")
	c.Flags().StringVar(&ask.Directory, "directory", "", "which directory's, where several have that server")
	_ = c.MarkFlagRequired("server")
	_ = c.MarkFlagRequired("reason")
	return c
}
