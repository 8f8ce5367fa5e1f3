package cli

import (
	"context"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/vault/setup"
)

// stopping are the lines of doctor, of those that are wrong, without which no
// campaign begins and which no roll shows: what Vault has to have, and what the
// servers of a roll are. run refuses them, so list and plan say them before.
func (s *session) stopping(ctx context.Context, roll *credential.Roll) []doctorRow {
	rows := s.stoppingAtVault(ctx, roll)
	spec := listing.Servers{Servers: roll.Servers, Addresses: roll.Addresses}.Of(s.cfg)
	if err := listing.Fit(ctx, s.kinds, spec); err != nil {
		rows = append(rows, doctorRow{Where: "servers", What: "fit", Detail: strings.ReplaceAll(err.Error(), "\n", "; "), Do: "no campaign begins with it: `rollcall doctor` says more"})
	}
	return onlyWrong(rows)
}

func (s *session) stoppingAtVault(ctx context.Context, roll *credential.Roll) []doctorRow {
	rows := []doctorRow{s.ownMount(ctx), ofVault(setup.Audit(ctx, s.store, s.cfg, roll.Credentials))}
	for _, c := range setup.PasswordPolicies(ctx, s.store, s.cfg) {
		rows = append(rows, ofVault(c))
	}
	return rows
}

// tellStopping says what is wrong beside a roll, and that it ends list with an
// error.
func (s *session) tellStopping(rows []doctorRow) error {
	for _, r := range rows {
		s.say("WRONG: %s: %s: %s; %s", r.Where, r.What, r.Detail, r.Do)
	}
	if len(rows) > 0 {
		return errNotBegun
	}
	return nil
}
