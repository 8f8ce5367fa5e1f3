package estate

import (
	"context"
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
)

// prefix is where the device's configuration finds its secrets.
const prefix = "apps/" + Device

// What the device's logins may do in Vault, as such policies commonly are: all of them read
// what lies below the device's prefix, and the last of several keeps it up to date, which
// takes a token for each of its tasks.
const (
	readerPolicy = Device + "-read"
	writerPolicy = Device + "-write"

	readerRules = `path "kv/data/` + prefix + `/*" { capabilities = ["read"] }
path "kv/metadata/` + prefix + `/*" { capabilities = ["read", "list"] }
`
	writerRules = `path "kv/data/` + prefix + `/*" { capabilities = ["create", "update", "read"] }
path "kv/metadata/` + prefix + `/*" { capabilities = ["create", "update", "read", "list"] }
path "auth/token/create" { capabilities = ["update"] }
`
)

// seedAppRoles makes the device's own logins to Vault.
func (e *Estate) seedAppRoles(ctx context.Context) error {
	if e.opts.AppRoles == 0 {
		return nil
	}
	for name, rules := range map[string]string{readerPolicy: readerRules, writerPolicy: writerRules} {
		if err := e.Vault.Client().Sys().PutPolicyWithContext(ctx, name, rules); err != nil {
			return fmt.Errorf("estate: policy %s: %w", name, err)
		}
	}
	for i := range e.opts.AppRoles {
		policy := readerPolicy
		if i > 0 && i == e.opts.AppRoles-1 {
			policy = writerPolicy
		}
		if err := e.seedAppRole(ctx, fmt.Sprintf("%s-login-%d", Device, i+1), policy); err != nil {
			return err
		}
	}
	return nil
}

func (e *Estate) seedAppRole(ctx context.Context, name, policy string) error {
	api, role := e.Vault.Client().Logical(), "auth/approle/role/"+name
	if _, err := api.WriteWithContext(ctx, role, map[string]any{"token_ttl": "1h", "token_policies": "default," + policy}); err != nil {
		return fmt.Errorf("estate: role %s: %w", name, err)
	}
	id, err := api.ReadWithContext(ctx, role+"/role-id")
	if err != nil {
		return fmt.Errorf("estate: role %s: %w", name, err)
	}
	roleID := id.Data["role_id"].(string)
	made, err := api.WriteWithContext(ctx, role+"/secret-id", map[string]any{"metadata": `{"device":"` + Device + `"}`})
	if err != nil {
		return fmt.Errorf("estate: role %s: %w", name, err)
	}
	secretID := made.Data["secret_id"].(string)
	path := prefix + "/" + name
	if err := e.Vault.SeedKV(ctx, map[string]map[string]any{path: {"role_id": roleID, "secret_id": secretID}}); err != nil {
		return err
	}
	if err := e.Vault.SeedMetadata(ctx, map[string]map[string]any{path: {"account": "approle/" + name, "directory": "vault", "field": "secret_id"}}); err != nil {
		return err
	}
	ledgerID := "vault/approle/" + name
	e.Live[ledgerID] = credential.Path{Mount: "kv", Path: path, Field: "secret_id"}
	e.Stolen = append(e.Stolen, intruder.Stolen{
		ID: ledgerID, Kind: intruder.AppRole, Servers: []string{e.Vault.Address()}, Mount: "approle", RoleID: roleID, Password: secretID,
		Reads: []string{"kv/" + prefix},
	})
	return nil
}

// know makes an account known to the intruder, which holds no value of it.
func (e *Estate) know(id string, servers []string, ca, dn string) {
	e.Known = append(e.Known, intruder.Stolen{ID: id, Kind: intruder.LDAP, Servers: servers, CAPEM: ca, DN: dn, Known: true})
}

// knowBinders makes Rollcall's own identities known, unless they are stolen.
func (e *Estate) knowBinders() {
	if e.opts.Pair {
		return
	}
	e.know("corp/"+e.Slapd.BinderDN, e.Servers(), e.Slapd.CA, e.Slapd.BinderDN)
	if e.Domain != nil {
		e.know(DomainName+"/"+e.Domain.BinderDN, e.DomainServers(), e.Domain.CA, e.Domain.BinderDN)
	}
}
