package main

import (
	"slices"

	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	openldap "github.com/hashicorp/vault-plugin-secrets-openldap"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/ldap"
	"github.com/hashicorp/vault/builtin/credential/userpass"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

var secretsEngines = map[string]logical.Factory{
	"kv":      kv.Factory,
	"transit": transit.Factory,
	"pki":     pki.Factory,
	"ldap":    openldap.Factory,
}

var authMethods = map[string]logical.Factory{
	"approle":  approle.Factory,
	"ldap":     ldap.Factory,
	"userpass": userpass.Factory,
	"jwt":      jwt.Factory,
	"oidc":     jwt.Factory,
}

var auditDevices = map[string]audit.Factory{
	"file": audit.NewFileBackend,
}

// catalog answers Vault's questions about built-in plugins from the two maps
// above, in place of Vault's own registry, which links every engine there is.
type catalog struct{}

func factories(t consts.PluginType) map[string]logical.Factory {
	switch t {
	case consts.PluginTypeSecrets:
		return secretsEngines
	case consts.PluginTypeCredential:
		return authMethods
	}
	return nil
}

func (catalog) Contains(name string, t consts.PluginType) bool {
	_, ok := factories(t)[name]
	return ok
}

func (catalog) Get(name string, t consts.PluginType) (func() (any, error), bool) {
	f, ok := factories(t)[name]
	return func() (any, error) { return f, nil }, ok
}

func (catalog) Keys(t consts.PluginType) []string {
	var keys []string
	for name := range factories(t) {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}

func (catalog) DeprecationStatus(name string, t consts.PluginType) (consts.DeprecationStatus, bool) {
	_, ok := factories(t)[name]
	return consts.Supported, ok
}

func (catalog) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
