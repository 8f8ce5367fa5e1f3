package rotation

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// alike adds what another authority's account of that name has in Vault, and
// this one accepted when it was listed: it has to die here as well. It is no
// path of this account, so nothing is written there; and the version is read
// that was seen, for the present one may be the other's new value, which this
// authority has no business to see. Where it is destroyed already, the proof is
// that of an account whose old value Vault never held.
func (r *Rotator) alike(ctx context.Context, c credential.Credential, old map[string]credential.Secret) error {
	for _, at := range c.Alike {
		live, err := r.read(ctx, c, at.Path, at.Version)
		switch {
		case vault.IsNotFound(err) || vault.IsDenied(err):
		case err != nil:
			return err
		case live.Found && live.Problem == "" && live.Version == at.Version && !live.Value.IsZero():
			old[at.String()] = live.Value
		}
	}
	return nil
}
