package record

import (
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/vault/ownmount"
)

// ReadBefore tells of places on a roll whether a login to Vault may have read
// what the ledger says of the value there: it was found while the campaign ran,
// and that value was announced, or staged, before it was dead. The order is the
// ledger's, and no clock's. A login that a person accepted counts no more: his
// word is in the ledger. loginsOf gives those of one of index.Amended.
func ReadBefore(index ownmount.RollIndex, state *ledger.State, loginsOf func(ownmount.Amended) ([]credential.Credential, error)) (func(credential.Ref, *ledger.CredentialState) bool, error) {
	type late struct {
		ownmount.Amended
		lives bool
		until uint64 // when the last one was dead
	}
	var all []late
	for _, a := range index.Amended {
		if len(a.Logins) == 0 {
			continue
		}
		logins, err := loginsOf(a)
		if err != nil {
			return nil, err
		}
		l, counts := late{Amended: a}, false
		for _, c := range logins {
			if slices.ContainsFunc(state.Accepted, func(by ledger.AcceptedLogin) bool { return by.ID == c.ID }) {
				continue
			}
			counts = true
			if now := state.Credential(c.ID); now == nil || now.Outcome != ledger.Dead {
				l.lives = true
			} else {
				l.until = max(l.until, now.Index)
			}
		}
		if counts {
			all = append(all, l)
		}
	}
	return func(at credential.Ref, c *ledger.CredentialState) bool {
		return slices.ContainsFunc(all, func(l late) bool {
			return slices.Contains(l.Read, at) && (l.lives || c.Announced < l.until || slices.Contains(l.Staged, at))
		})
	}, nil
}
