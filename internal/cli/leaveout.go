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
		Short: "Take a server or door out of the running campaign, by name and with a reason",
		Long: `leave-out ends the wait for a server or a door that will not come back in time.
What it keeps open is proved dead on the other servers and at the other doors, from
the next pass on, which begins at once. Nobody has then seen the stolen values
refused there: the ledger names it with each credential that died without it, and
says who left it out and why, and the campaign ends with exit code 2.

What comes back is not taken in again; another campaign asks it. The write server
cannot be left out. The reason passes through Temporal and stands in the ledger:
name neither a secret nor an account in it.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			what := "door " + ask.Door
			if ask.Door == "" {
				url, err := config.ServerURL(ask.Server)
				if err != nil {
					return fmt.Errorf("--server %w", err)
				}
				ask.Server, what = url, url
			}
			ask.Actor = actor()
			if err := a.confirmFor(cmd.Context(), "no proof of the campaign of %s asks "+strings.ReplaceAll(what, "%", "%%")+" any more: that it refuses the stolen values is seen by nobody"); err != nil {
				return err
			}
			return a.askFor(cmd, &out, workflows.UpdateLeaveOut, ask.Reason, ask, func(st workflows.Status) string {
				when := "at once"
				if st.Phase == ledger.Paused {
					when = "when the campaign is resumed"
				}
				return fmt.Sprintf("left out: %s, campaign %s; what it kept open comes back %s", what, st.Campaign, when)
			})
		},
	}
	out.flag(c)
	a.yesFlag(c)
	c.Flags().StringVar(&ask.Server, "server", "", "URL of the server, as status and report name it")
	c.Flags().StringVar(&ask.Door, "door", "", "name of the door, as plan and report have it")
	c.Flags().StringVar(&ask.Reason, "reason", "", "why; it goes into the ledger")
	c.Flags().StringVar(&ask.Directory, "directory", "", "which directory's, where several have that server")
	c.MarkFlagsOneRequired("server", "door")
	c.MarkFlagsMutuallyExclusive("server", "door")
	c.MarkFlagsMutuallyExclusive("directory", "door")
	_ = c.MarkFlagRequired("reason")
	return c
}
