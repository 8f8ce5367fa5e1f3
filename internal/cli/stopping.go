package cli

import (
	"context"
	"fmt"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/plural"
	"rollcall/internal/vault/setup"
)

// stopping are the lines of doctor, of those that are wrong, without which no
// campaign begins and which no roll shows: what Vault has to have, and what the
// servers of a roll are. run refuses them, so list and plan say them before.
// silent are servers that gave no answer, which stop no campaign.
func (s *session) stopping(ctx context.Context, roll *credential.Roll) (wrong []doctorRow, silent []string) {
	rows := s.stoppingAtVault(ctx, roll)
	spec := listing.Servers{Servers: roll.Servers, Addresses: roll.Addresses}.Of(s.cfg)
	silent, err := listing.FitBut(ctx, s.kinds, spec)
	if err != nil {
		rows = append(rows, doctorRow{Where: "servers", What: "fit", Detail: strings.ReplaceAll(err.Error(), "\n", "; "), Do: "no campaign begins with it: `rollcall doctor` says more"})
	}
	return onlyWrong(rows), silent
}

func (s *session) stoppingAtVault(ctx context.Context, roll *credential.Roll) []doctorRow {
	rows := []doctorRow{s.ownMount(ctx), ofVault(setup.Audit(ctx, s.store, s.cfg, roll.Credentials))}
	for _, c := range setup.PasswordPolicies(ctx, s.store, s.cfg) {
		rows = append(rows, ofVault(c))
	}
	return rows
}

// tellStopping says what is wrong beside a roll, and that it ends list with an
// error, or with exit code 2 where servers gave no answer alone.
func (s *session) tellStopping(rows []doctorRow, silent []string) error {
	for _, line := range silent {
		s.say("warning: no answer: %s", line)
	}
	for _, r := range rows {
		s.say("WRONG: %s: %s: %s; %s", r.Where, r.What, r.Detail, r.Do)
	}
	if len(rows) > 0 {
		return errNotBegun
	}
	if len(silent) > 0 {
		return &exit{exitExceptions, fmt.Errorf("%s gave no answer (above): what they alone show is not on the roll, and no value is dead before they refuse it; nothing was changed", plural.Count(len(silent), "server", "servers"))}
	}
	return nil
}
