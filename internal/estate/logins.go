package estate

import (
	"context"
	"crypto/rand"
	"fmt"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
)

// prefix is where the device's configuration finds its secrets.
const prefix = "apps/" + Device

// What the device's logins may do in Vault, as such policies commonly are: all
// of them read what lies below the device's prefix, and the last of several
// keeps it up to date, which takes a token for each of its tasks.
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
	if e.opts.AppRoles+e.opts.Users == 0 {
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

// seedDirectoryLogin makes an auth mount that asks the directory, as companies
// have it: it admits every account, and gives policies to one. What the device
// had of that one opens Vault as well.
func (e *Estate) seedDirectoryLogin(ctx context.Context) error {
	if !e.opts.LDAPLogin {
		return nil
	}
	const mount = "corp-ldap"
	api, uid := e.Vault.Client().Logical(), e.plan[0].UID
	if _, err := api.WriteWithContext(ctx, "sys/auth/"+mount, map[string]any{"type": "ldap"}); err != nil {
		return fmt.Errorf("estate: auth mount %s: %w", mount, err)
	}
	for at, body := range map[string]map[string]any{
		"config": {
			"url": e.Slapd.LDAPS(), "certificate": e.Slapd.CA, "userdn": e.Slapd.PeopleDN(), "userattr": "uid", "groupdn": e.Slapd.BaseDN(),
			"binddn": e.Slapd.BinderDN, "bindpass": e.Slapd.BinderPassword,
		},
		"users/" + uid: {"policies": readerPolicy},
	} {
		if _, err := api.WriteWithContext(ctx, "auth/"+mount+"/"+at, body); err != nil {
			return fmt.Errorf("estate: auth/%s/%s: %w", mount, at, err)
		}
	}
	e.Stolen = append(e.Stolen, intruder.Stolen{
		ID: e.ID(uid), Kind: intruder.Userpass, Servers: []string{e.Vault.Address()}, Mount: mount, User: uid, Password: e.plan[0].Password,
		Reads: []string{"kv/" + prefix},
	})
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

// seedUsers makes logins of the device by userpass, as the scripts of an
// appliance have them. All read what lies below its prefix.
func (e *Estate) seedUsers(ctx context.Context) error {
	if e.opts.Users == 0 {
		return nil
	}
	if err := e.Vault.Client().Sys().EnableAuthWithOptionsWithContext(ctx, "userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}); err != nil {
		return fmt.Errorf("estate: auth method userpass: %w", err)
	}
	secrets, metadata := map[string]map[string]any{}, map[string]map[string]any{}
	for i := range e.opts.Users {
		name, password := fmt.Sprintf("%s-job-%d", Device, i+1), rand.Text()
		_, err := e.Vault.Client().Logical().WriteWithContext(ctx, "auth/userpass/users/"+name, map[string]any{
			"password": password, "token_ttl": "1h", "token_policies": "default," + readerPolicy,
		})
		if err != nil {
			return fmt.Errorf("estate: userpass user %s: %w", name, err)
		}
		path, id := prefix+"/"+name, "vault/userpass/"+name
		secrets[path] = map[string]any{"username": name, "password": password}
		metadata[path] = map[string]any{"account": "userpass/" + name, "directory": "vault"}
		e.Live[id] = credential.Path{Mount: "kv", Path: path, Field: "password"}
		e.Stolen = append(e.Stolen, intruder.Stolen{
			ID: id, Kind: intruder.Userpass, Servers: []string{e.Vault.Address()}, User: name, Password: password, Reads: []string{"kv/" + prefix},
		})
	}
	if err := e.Vault.SeedKV(ctx, secrets); err != nil {
		return err
	}
	return e.Vault.SeedMetadata(ctx, metadata)
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
