package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
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
				url, err := a.serverCalled(ask.Server)
				if err != nil {
					return fmt.Errorf("--server %w; nothing was done", err)
				}
				ask.Server, what = url, url
			}
			ask.Actor = actor()
			asks := "No proof of it asks " + what + " any more: that it refuses the stolen values is seen by nobody."
			with := a.confirmed(workflows.UpdateLeaveOut, asks, asIs(ask), func(ctx context.Context, s *session, campaign string) string {
				if ask.Server == "" {
					return ""
				}
				return s.whatOfServer(ctx, campaign, ask.Server)
			})
			return a.askWith(cmd, &out, workflows.UpdateLeaveOut, ask.Reason, with, func(st workflows.Status) string {
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
	c.Flags().StringVar(&ask.Server, "server", "", "URL of the server, as status and report name it, or its host where the file has one server there")
	c.Flags().StringVar(&ask.Door, "door", "", "name of the door, as plan and report have it")
	c.Flags().StringVar(&ask.Reason, "reason", "", "why; it goes into the ledger")
	c.Flags().StringVar(&ask.Directory, "directory", "", "which directory's, where several have that server")
	c.MarkFlagsOneRequired("server", "door")
	c.MarkFlagsMutuallyExclusive("server", "door")
	c.MarkFlagsMutuallyExclusive("directory", "door")
	_ = c.MarkFlagRequired("reason")
	return c
}

// serverCalled is the URL of a server, which may be given by its host, with its
// port or without, where the campaign file has one such server.
func (a *app) serverCalled(text string) (string, error) {
	asURL, err := config.ServerURL(text)
	if err == nil {
		return asURL, nil
	}
	cfg := a.fileThere()
	var found, all []string
	for _, name := range cfg.Authorities() {
		for _, s := range cfg.Authority(name).ServerNames() {
			all = append(all, s)
			if slices.ContainsFunc(shortOf(s), func(short string) bool { return strings.EqualFold(short, text) }) {
				found = append(found, s)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("is the host of %s: name the one that is meant", strings.Join(found, " and "))
	case len(all) > 0:
		return "", fmt.Errorf("%w; the campaign file has %s", err, strings.Join(all, ", "))
	}
	return "", err
}

// shortOf is what people call a server without its scheme: host and port, the
// host alone, the address at which it is dialled.
func shortOf(server string) []string {
	_, rest, _ := strings.Cut(server, "://")
	at, address, _ := strings.Cut(rest, "@")
	out := []string{at}
	if host, _, err := net.SplitHostPort(at); err == nil {
		out = append(out, host)
	}
	if address != "" {
		out = append(out, address)
	}
	return out
}
