package setup

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// isLogin reports whether a credential is a login at auth mounts of that type.
func isLogin(c credential.Credential, method string) bool {
	login := c.Kind.Traits().Login
	return login != nil && login.Method == method
}

// methodRules are the rights over logins that Rollcall rotates, by the type of
// their auth mount: for the worker, who rotates, and for the operator.
var methodRules = map[string]func(c *config.Campaign, known []credential.Credential, rotate bool) []rule{
	credential.AppRoleMethod:  appRoleRules,
	credential.UserpassMethod: userpassRules,
}

func rulesOfMethods(c *config.Campaign, known []credential.Credential, rotate bool) (rs []rule) {
	for _, method := range slices.Sorted(maps.Keys(methodRules)) {
		rs = append(rs, methodRules[method](c, known, rotate)...)
	}
	return rs
}

// roleRule is the API path of a role, mount/role.
func roleRule(role string) string {
	i := strings.LastIndex(role, "/")
	return "auth/" + role[:i] + "/role/" + role[i+1:]
}

// appRoleRules let the worker rotate the roles of a vault-approle source, or
// the operator see them. Our own roles are denied: with them the worker could
// become the ledger. The worker's own, which vault.rotate_login lets it rotate,
// is named in full, and for Vault that outweighs the pattern.
func appRoleRules(c *config.Campaign, known []credential.Credential, rotate bool) []rule {
	roles := map[string]bool{} // auth/mount/role/name
	var rs []rule
	for _, s := range c.Sources {
		if s.Type == config.VaultAppRole {
			mount := cmp.Or(s.Mount, vault.AppRoleMount)
			rs = append(rs, rule{"auth/" + mount + "/role", []string{list}})
			roles["auth/"+mount+"/role/+"] = true
		}
	}
	for _, k := range known {
		if i := strings.LastIndex(k.Subject, "/"); isLogin(k, credential.AppRoleMethod) && i > 0 && (rotate || k.Subject != vault.WorkerRole) {
			roles[roleRule(k.Subject)] = true
		}
	}
	if c.Vault.RotateLogin && rotate {
		roles[roleRule(vault.WorkerRole)] = true
	}
	if len(roles) == 0 {
		return nil
	}
	for r := range roles {
		rs = append(rs,
			rule{r, []string{read}},
			rule{r + "/role-id", []string{read}}, // by it Vault knows who logs in; it is what tells a login of the campaign from any other
			rule{r + "/secret-id", []string{list}},
			rule{r + "/secret-id-accessor/lookup", []string{update}})
		if rotate {
			rs = append(rs,
				rule{r + "/secret-id/lookup", []string{update}},
				rule{r + "/custom-secret-id", []string{update}},
				rule{r + "/secret-id-accessor/destroy", []string{update}})
		}
	}
	rs = append(rs, rule{"auth/" + vault.AppRoleMount + "/role/rollcall-*", []string{"deny"}})
	if rotate {
		rs = append(rs, tokenRules...)
		rs = append(rs, rule{"identity/lookup/entity", []string{update}}) // it reads: whose tokens are that were cut off
	}
	return rs
}

// userpassRules let the worker set the passwords of the users of a
// vault-userpass source, or the operator see them. Which of them are logins of
// people who work with Rollcall no path tells: the worker looks at their
// policies before it sets anything.
func userpassRules(c *config.Campaign, known []credential.Credential, rotate bool) []rule {
	rs := []rule{{everyUserList, []string{list}}}
	users := map[string]bool{} // auth/mount/users/name
	for _, s := range c.Sources {
		if s.Type == config.VaultUserpass {
			rs = append(rs, rule{"auth/" + s.Mount + "/users", []string{list}})
			users["auth/"+s.Mount+"/users/+"] = true
		}
	}
	for _, k := range known {
		i := strings.LastIndex(k.Subject, "/")
		switch {
		case !isLogin(k, credential.UserpassMethod) || i < 1 || k.Problem == credential.OwnIdentity:
		case k.Problem == credential.SameName && rotate:
			rs = append(rs, rule{"sys/capabilities", []string{update}}) // nothing of it is set
		case k.Problem != credential.SameName:
			users["auth/"+k.Subject[:i]+"/users/"+k.Subject[i+1:]] = true
		}
	}
	for u := range users {
		rs = append(rs, rule{u, []string{read}})
		if rotate {
			rs = append(rs, rule{u + "/password", []string{update}})
		}
	}
	if len(users) == 0 {
		return rs
	}
	rs = append(rs, rule{"identity/lookup/entity", []string{update}}) // it reads
	if rotate {
		rs = append(rs, tokenRules...)
	}
	return rs
}

// loginRules let the listing find out which accounts of a directory log in to
// Vault, and whose login gets more than Vault's default policy.
func loginRules(c *config.Campaign) []rule {
	if len(c.Directories) == 0 {
		return nil
	}
	return []rule{
		{"auth/+/config", []string{read}},
		{"auth/+/config/ldap", []string{read}}, // of type kerberos
		{"auth/+/groups", []string{list}},
		{"auth/+/groups/+", []string{read}},
		{everyUserList, []string{list}},
		{"auth/+/users/+", []string{read}},
		{"identity/lookup/entity", []string{update}},
		{"identity/group-alias/id", []string{list}},
		{"sys/policies/acl/default", []string{read}},
	}
}

// rotatesLogins reports whether accounts of a directory log in to Vault, as far
// as the listing found.
func rotatesLogins(known []credential.Credential) bool {
	return slices.ContainsFunc(known, func(k credential.Credential) bool { return len(k.Logins) > 0 })
}

// endsTokens reports whether tokens of Vault are ended.
func endsTokens(c *config.Campaign, known []credential.Credential) bool {
	return slices.ContainsFunc(c.Sources, func(s config.Source) bool { return s.Type == config.VaultTokens }) ||
		slices.ContainsFunc(known, func(k credential.Credential) bool { return k.Kind.OnlyEnds() })
}

// lookRules let the worker see which tokens there are and what they may read.
var lookRules = []rule{
	{"sys/capabilities-accessor", []string{update}},
	{"auth/token/accessors", []string{list, "sudo"}}, // sudo: a root-protected path of Vault
	{"auth/token/lookup-accessor", []string{update}},
}

// tokenRules let the worker see and end what a login to Vault minted.
var tokenRules = append([]rule{
	{"sys/locked-users", []string{read}},
	{"sys/capabilities", []string{update}}, // what a token of the device could read
	{"auth/token/revoke-accessor", []string{update}},
}, lookRules...)

// powersRules let the listing and the worker read what a login to Vault may
// make or change there: the text of its policies, those of its entity and
// groups too.
var powersRules = []rule{
	{"sys/policies/acl/*", []string{read}},
	{"identity/lookup/entity", []string{update}}, // it reads
	{"identity/group/id/+", []string{read}},
	{entityList, []string{list}},
}

// entityList is where the logins of entities are listed, for what an entity or
// its groups give a login that no source lists. Best, not needed: where it may
// not be listed the listing says so.
const entityList = "identity/entity/id"

// everyUserList is where the names of userpass users are listed, at every auth
// mount of one segment: one that has the name of an account of the roll is a
// way into Vault.
const everyUserList = "auth/+/users"
