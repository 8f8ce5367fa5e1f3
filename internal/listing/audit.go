package listing

import (
	"context"
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
)

// auditWarnings are those of a roll about audit devices of Vault. One that
// keeps values as they are, and that nobody accepted, lets no campaign begin
// (vault.RequireAudit), and doctor and plan call it wrong.
func auditWarnings(ctx context.Context, store *ownmount.Store, spec *config.Campaign, roll *credential.Roll) (out []inventory.Warning, err error) {
	_, accepted, shown, err := setup.InClear(ctx, store, spec, roll.Credentials)
	if err != nil {
		return nil, err
	}
	for _, f := range accepted {
		i := slices.IndexFunc(spec.Accept, func(a config.Accept) bool { return a.Vault == f.Place })
		out = append(out, inventory.Warning{Code: credential.FindingAccepted, Detail: fmt.Sprintf("%s, which the campaign file accepts: %s", f.Why, spec.Accept[i].Reason)})
	}
	if !shown {
		out = append(out, inventory.Warning{Code: credential.FindingAudit, Detail: "this login may not list audit devices (read and sudo on sys/audit, which rollcall init gives the worker): whether one keeps each new value as it is (log_raw) was not checked"})
	}
	return out, nil
}
