package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rollcall/internal/listing"
	"rollcall/internal/rehearsal"
	"rollcall/internal/report"
	"rollcall/internal/vault"
	"rollcall/internal/vault/setup"
)

// rehearsed is what `rollcall rehearse -o json` prints. Its keys are stable.
type rehearsed struct {
	Device  string             `json:"device"`
	Results []rehearsal.Result `json:"results"`
	// Removed are what earlier rehearsals had left.
	Removed []string `json:"removed"`
}

func (a *app) rehearseCommand() *cobra.Command {
	var out output
	var clean bool
	c := &cobra.Command{
		Use:   "rehearse",
		Short: "Run the whole protocol on a bogus account of each authority, and remove it again",
		Long: `rehearse makes a bogus account at each authority where the campaign file allows it (rehearsal), or
takes one that an administrator made, and rotates it as a campaign would: with the same servers,
rights, policies and proofs. It says what would have gone wrong, and removes what it made. Nothing
of the roll is touched. It works with the rights of the login that runs it: use that of the worker.

Exit code 1 if something would have failed or could not be removed, 2 if something was not
rehearsed.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			return a.withVault(cmd.Context(), func(s *session) error {
				found, code, err := s.rehearse(cmd.Context(), clean)
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(a.Out, found)
				} else {
					a.printRehearsed(found, clean)
				}
				if err == nil && code != 0 {
					err = &exit{code: code}
				}
				return err
			})
		},
	}
	out.flag(c)
	c.Flags().BoolVar(&clean, "clean", false, "only remove what an earlier rehearsal left")
	return c
}

func (s *session) rehearse(ctx context.Context, clean bool) (found rehearsed, code int, err error) {
	found = rehearsed{Device: s.cfg.Device, Results: []rehearsal.Result{}, Removed: []string{}}
	run := &rehearsal.Rehearsal{Store: s.store, Kinds: s.kinds, Spec: s.cfg}
	removed, err := run.Leftovers(ctx)
	found.Removed = append(found.Removed, removed...)
	switch {
	case vault.IsDenied(err) && !s.cfg.Rehearses() && !clean:
		err = nil // init gives that right where the file allows a rehearsal
	case vault.IsDenied(err):
		err = fmt.Errorf("%w; nothing was rehearsed; %s", err, setup.GivePolicy(vault.WorkerPolicy))
	}
	if err != nil || clean {
		return found, 0, err
	}
	if run.Roll, err = s.listed(ctx); err != nil {
		return found, 0, fmt.Errorf("%w; nothing was rehearsed: without its roll nobody knows what must not be touched", err)
	}
	if s.cfg.Rehearses() { // a campaign asks for the same ones when it lists
		if err := setup.RequireRights(ctx, s.store, vault.WorkerPolicy, s.cfg, run.Roll.Credentials); err != nil {
			return found, 0, fmt.Errorf("nothing was rehearsed: %w", err)
		}
	}
	run.Spec = listing.Servers{Servers: run.Roll.Servers, Addresses: run.Roll.Addresses}.Of(s.cfg)
	found.Results = run.All(ctx)
	return found, rehearsal.Code(found.Results), nil
}

func (a *app) printRehearsed(found rehearsed, clean bool) {
	width, _ := terminal(a.Out)
	line := func(head, text string) { fmt.Fprint(a.Out, report.Wrap(report.Clean(text), head, width)) }
	for _, r := range found.Removed {
		line("removed   ", r+", which an earlier rehearsal had left")
	}
	if clean && len(found.Removed) == 0 {
		line("", "nothing is left of an earlier rehearsal")
	}
	n := map[rehearsal.State]int{}
	for _, r := range found.Results {
		n[r.State]++
		a.result("%s (%s)", report.Clean(r.Authority), r.Kind)
		switch r.State {
		case rehearsal.Passed:
			line("  passed    ", fmt.Sprintf("%s, dead by %s", r.Account, r.Proof))
		case rehearsal.NotRehearsed:
			line("  not rehearsed  ", r.Cure)
		default:
			line("  would have failed  ", fmt.Sprintf("at step %s: %s. %s", r.Step, r.Reason, r.Title))
			if r.Detail != "" {
				line("            ", strings.TrimSpace(r.At+" "+r.Detail))
			}
			line("         -> ", r.Next)
		}
		for _, s := range r.Servers {
			line("            ", fmt.Sprintf("%s: %s", s.Server, strings.ReplaceAll(s.State, "-", " ")))
		}
		for _, f := range r.Findings {
			line("  finding   ", strings.TrimSpace(string(f.Code)+" "+f.Detail))
		}
		if r.Left != "" {
			line("  LEFT      ", r.Left+"; `rollcall rehearse --clean` tries again")
		}
	}
	if !clean {
		a.result("%d passed, %d would have failed, %d not rehearsed; nothing of the roll was touched", n[rehearsal.Passed], n[rehearsal.WouldFail], n[rehearsal.NotRehearsed])
	}
}
