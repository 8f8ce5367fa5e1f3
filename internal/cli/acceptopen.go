package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/internal/credential"
	"rollcall/workflows"
)

func (a *app) acceptOpenCommand() *cobra.Command {
	var out output
	var login, reason string
	c := &cobra.Command{
		Use:   "accept-open",
		Short: "Let credentials go on although a login to Vault is open that could read them",
		Long: `accept-open ends the wait for a login to Vault that is on the roll and does not die: an
AppRole that is locked, say, or one that Rollcall may not rotate. Nothing is written where such
a login could read it (reason within-reach), because whoever stole the login would have the new
value too. So it is with an account that may read what the accounts of its directory are set
to (may-read-passwords): all of them, itself too, wait until it has lost that right, which is
the better way. With accept-open a person takes that upon himself: the ledger holds the
login, who accepted it and why, before it takes effect, and the campaign ends with exit
code 2. The login itself is tried on.

To take a login off the roll, because the device never had it, exclude it in the campaign
file instead.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.controls = true
			ref, err := a.findLogin(cmd.Context(), login)
			if err != nil {
				return err
			}
			ask := workflows.AcceptOpen{Login: ref, Actor: actor(), Reason: reason}
			return a.askFor(cmd, &out, workflows.UpdateAcceptOpen, reason, ask, func(st workflows.Status) string {
				return fmt.Sprintf("accepted as open: %s, campaign %s; what waited for it comes back at once", login, st.Campaign)
			})
		},
	}
	out.flag(c)
	c.Flags().StringVar(&login, "login", "", "the login, as list names it: mount/role of an AppRole, mount/name of a userpass user, DN of an account of a domain")
	c.Flags().StringVar(&reason, "reason", "", "why; it goes into the ledger")
	_ = c.MarkFlagRequired("login")
	_ = c.MarkFlagRequired("reason")
	return c
}

// findLogin finds a login by name on the roll of the running campaign. Temporal
// gets its place there, and no name.
func (a *app) findLogin(ctx context.Context, name string) (found credential.Ref, err error) {
	err = a.withTemporal(ctx, false, cannot(workflows.UpdateAcceptOpen, errNoCampaignHere), func(s *session) error {
		found, err = s.findLogin(ctx, name)
		return err
	})
	return found, err
}

func (s *session) findLogin(ctx context.Context, name string) (credential.Ref, error) {
	running, err := s.running(ctx)
	if err != nil {
		return credential.Ref{}, err
	}
	if running == nil {
		return credential.Ref{}, fmt.Errorf("cannot %s: %w", workflows.UpdateAcceptOpen, s.noneRuns(ctx))
	}
	index, err := s.store.ReadIndex(ctx, running.Campaign)
	if err != nil {
		return credential.Ref{}, err
	}
	var names []string
	for _, ref := range index.Logins {
		page, err := s.store.ReadPage(ctx, running.Campaign, index.Snapshot, ref.Page)
		if err != nil {
			return credential.Ref{}, err
		}
		if ref.Index >= len(page) {
			continue
		}
		c := page[ref.Index]
		if strings.EqualFold(c.Name, name) || strings.EqualFold(c.ID, name) {
			return ref, nil
		}
		names = append(names, c.Name)
	}
	if err := s.loginLeftOut(ctx, running.Campaign, name); err != nil {
		return credential.Ref{}, err
	}
	if len(names) == 0 {
		return credential.Ref{}, fmt.Errorf("cannot %s: no login to Vault, nor an account that may fetch a domain's passwords, is on the roll of campaign %s", workflows.UpdateAcceptOpen, running.Campaign)
	}
	return credential.Ref{}, fmt.Errorf("cannot %s: --login names no login to Vault of campaign %s, nor an account that may fetch a domain's passwords; those are %s", workflows.UpdateAcceptOpen, running.Campaign, strings.Join(names, ", "))
}

// loginLeftOut says of a login that the campaign file excludes why there is
// nothing to accept. Nobody asks what it could read, so nothing waits for it,
// and the exclude holds already who answers for it.
func (s *session) loginLeftOut(ctx context.Context, campaign, name string) error {
	left, err := s.store.ReadExcluded(ctx, campaign)
	if err != nil {
		return err
	}
	for _, x := range left {
		if strings.EqualFold(x.Name, name) || strings.EqualFold(x.ID, name) {
			return fmt.Errorf("cannot %s: %s is left out by an exclude of the campaign file (%s), so nothing waits for it and there is nothing to accept; "+
				"that new values may be read with it stays a warning (login-excluded) and exit code 2, whoever answers for it: "+
				"take the exclude out and run again once this campaign has ended, and if the login stays open then, accept it; if the device never had it, let no source list it",
				workflows.UpdateAcceptOpen, x.Name, x.Reason)
		}
	}
	return nil
}
