package approlesecretid

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// tagKey is the metadata key of the tag. Its value differs for each Set, so
// that the tokens of a secret-id from an earlier campaign are told apart too.
const tagKey = "rollcall"

// Set adds new to the role's secret-ids, with the addresses, the lifetime, the
// metadata and the uses that are left of the one that it replaces, or of all
// that it does (see limits): more would make it worth more to a thief, less
// would break a consumer. A value that is already set is success.
func (au *Authority) Set(ctx context.Context, a kind.Account, new, old credential.Secret) error {
	if new.IsZero() {
		return fmt.Errorf("vault %s: set a secret-id: the new value is empty", au.server)
	}
	r, err := au.usable(ctx, a)
	if err != nil {
		return err
	}
	l, err := au.inherited(ctx, r, new, append([]credential.Secret{old}, a.Old...))
	if err != nil {
		return err
	}
	given := map[string]string{}
	maps.Copy(given, l.metadata)
	given[tagKey] = rand.Text()
	metadata, err := json.Marshal(given)
	if err != nil {
		return err
	}
	body := l.parameters()
	body["secret_id"], body["metadata"] = new.Reveal(), string(metadata)
	_, err = au.api.Logical().WriteWithContext(ctx, r.path()+"/custom-secret-id", body)
	if err == nil {
		return nil
	}
	reply, _ := vault.ReplyIn(err)
	if reply.Says("already registered") {
		return nil
	}
	// Vault 1.21 answers so with status 500.
	if reply.Says("subset relationship between CIDR") {
		return au.stop(protocol.ReasonPolicy, "the old secret-id is bound to addresses that its role no longer allows (secret_id_bound_cidrs, token_bound_cidrs), so a new one cannot be bound like it; nothing was changed; bring the role and its secret-ids in line")
	}
	return au.fail("set a secret-id", err)
}

// MaySet implements kind.Settable.
func (au *Authority) MaySet(ctx context.Context, a kind.Account) error {
	_, err := au.usable(ctx, a)
	return err
}

var _ kind.Settable = (*Authority)(nil)

// usable reads the role and stops where a rotation would prove nothing or saw
// off the branch we sit on.
func (au *Authority) usable(ctx context.Context, a kind.Account) (role, error) {
	r, err := au.role(ctx, a.Subject)
	switch {
	case err != nil:
		return role{}, err
	case r == nil:
		return role{}, protocol.StopFor(protocol.Gone, au.server)
	case !r.bindSecretID:
		return role{}, au.stop(protocol.ReasonNeedsNone, "the role has bind_secret_id=false: it accepts a login without any secret-id, so no rotation can close it; set bind_secret_id=true or delete the role")
	}
	// Whoever is logged in otherwise cannot move over, and would destroy what
	// the workers log in with.
	if a.Subject == vault.WorkerRole && !au.own(*r) {
		return role{}, au.stop(protocol.ReasonSelf, "this is the workers' own role, and only a worker that logs in with it may rotate it (vault.rotate_login, ROLLCALL_SECRET_ID_FILE)")
	}
	self, err := au.api.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return role{}, au.fail("look up our own token", err)
	}
	if mintedBy(self, *r) && !au.own(*r) {
		return role{}, au.stop(protocol.ReasonSelf, "this is the role that Rollcall itself is logged in with; rotate it from another login")
	}
	return *r, nil
}

// mintedBy reports whether a token lookup shows a login by that role.
func mintedBy(token *vaultapi.Secret, r role) bool {
	if token == nil {
		return false
	}
	path, _ := token.Data["path"].(string)
	meta, _ := token.Data["meta"].(map[string]any)
	return path == "auth/"+r.mount+"/login" && meta["role_name"] == r.name
}

func keys(got *vaultapi.Secret) []string {
	if got == nil {
		return nil
	}
	list, _ := got.Data["keys"].([]any)
	var out []string
	for _, k := range list {
		if s, ok := k.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
