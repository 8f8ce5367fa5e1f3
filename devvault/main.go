package main

import (
	_ "github.com/hashicorp/go-hclog"
	_ "github.com/hashicorp/vault-plugin-secrets-kv"
	_ "github.com/hashicorp/vault-plugin-secrets-openldap"
	_ "github.com/hashicorp/vault/audit"
	_ "github.com/hashicorp/vault/builtin/credential/approle"
	_ "github.com/hashicorp/vault/builtin/credential/userpass"
	_ "github.com/hashicorp/vault/builtin/logical/pki"
	_ "github.com/hashicorp/vault/builtin/logical/transit"
	_ "github.com/hashicorp/vault/http"
	_ "github.com/hashicorp/vault/sdk/physical/file"
	_ "github.com/hashicorp/vault/sdk/physical/inmem"
	_ "github.com/hashicorp/vault/vault"
)

func main() {}
