package setup

import (
	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// rehearsalRules let the worker rehearse, where the file allows that anywhere:
// keep what it makes in a folder of its own, and rotate the logins to Vault
// that an administrator made for it. It may make none: whoever may make a login
// may give it any policy. No campaign asks for these rights.
func rehearsalRules(c *config.Campaign) []rule {
	if !c.Rehearses() {
		return nil
	}
	m := c.Vault.Mount
	rs := []rule{
		{m + "/data/" + ownmount.RehearsalsFolder + "/*", []string{create, read, update}},
		{m + "/metadata/" + ownmount.RehearsalsFolder + "/*", []string{list, read, remove}},
		{m + "/destroy/" + ownmount.RehearsalsFolder + "/*", []string{update}},
	}
	if at := c.Vault.Rehearsal.Path; at != "" {
		mount, path := cutAt(at, nil)
		bogus := grant{mount, path + "/" + authority.Bogus + "-*", false}
		rs = append(rs, under(bogus, "data", create, read, update)...)
		rs = append(rs, under(bogus, "metadata", list, read, remove)...)
		rs = append(rs, under(bogus, "destroy", update)...)
	}
	var logins []credential.Credential
	for _, k := range credential.Kinds() {
		if login := k.Traits().Login; login != nil && c.Vault.Rehearsal.Logins[login.Method] != "" {
			logins = append(logins, credential.Credential{Kind: k, Subject: c.Vault.Rehearsal.Logins[login.Method]})
		}
	}
	if len(logins) > 0 {
		bare := &config.Campaign{Vault: config.Vault{Mount: m}}
		rs = append(rs, rulesOfMethods(bare, logins, true)...)
	}
	return rs
}
