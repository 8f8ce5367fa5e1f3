package setup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// Capabilities, as rules name them.
const (
	read   = vault.Read
	list   = vault.List
	create = vault.Create
	update = vault.Update
	remove = vault.Delete
	write  = vault.Write
)

// Policy is one Vault policy.
type Policy struct{ Name, HCL string }

// payloadKey is where on our mount every role may read a key that seals what
// Temporal stores. It is put there by whoever wants that
// (ROLLCALL_PAYLOAD_KEY).
const payloadKey = "payload-key"

// rule is one stanza. A path ending in "/*" covers everything below.
type rule struct {
	path string
	caps []string
}

// Policies are the least rights with which the campaign of c works. known are
// credentials found otherwise, by a manifest or an earlier listing: their
// paths and AppRoles are granted too. places are those of
// secrets engines for directories and databases, and of auth mounts of other
// types (EnginePlaces).
func Policies(c *config.Campaign, known []credential.Credential, places ...string) []Policy {
	var out []Policy
	for _, name := range []string{vault.WorkerPolicy, vault.LedgerPolicy, vault.OperatorPolicy} {
		rules := append(rulesOf(name, c, known), taskRules[name](c.Vault.Mount)...)
		if name != vault.LedgerPolicy {
			rules = append(rules, settingsRules(c, known)...)
			rules = append(rules, engineRules(c, places)...)
		}
		if name == vault.WorkerPolicy {
			// Without this the notes on places grow, and nothing else: no
			// campaign asks for it.
			rules = append(rules, lookRules...) // nor for these: the listing warns
			rules = append(rules, rule{c.Vault.Mount + "/metadata/" + ownmount.PlacesFolder + "/*", []string{remove}})
			rules = append(rules, rehearsalRules(c)...)
		}
		out = append(out, Policy{name, hcl(purposes[name], c.Device, rules)})
	}
	return out
}

var purposes = map[string]string{
	vault.WorkerPolicy:   "Lists credentials and rotates them. May not sign or anchor ledger checkpoints.",
	vault.LedgerPolicy:   "Signs and anchors ledger checkpoints. May not read staged or live secrets.",
	vault.OperatorPolicy: "Lists, plans, starts, watches and reports. Reads no staged or live secret but the directories' bind passwords.",
}

func rulesOf(policy string, c *config.Campaign, known []credential.Credential) []rule {
	rules := ownRules(policy, c, known)
	if slices.ContainsFunc(known, func(k credential.Credential) bool { return k.Task != nil }) {
		rules = append(rules, taskRules[policy](c.Vault.Mount)...)
	}
	return rules
}

func ownRules(policy string, c *config.Campaign, known []credential.Credential) []rule {
	m := c.Vault.Mount
	// Whether what is written there stays.
	ours := rule{m + "/config", []string{read}}
	switch policy {
	case vault.WorkerPolicy:
		rs := []rule{
			ours,
			{m + "/data/staging/*", []string{create, read, update}},
			{m + "/metadata/staging/*", []string{list, remove}},
			{m + "/destroy/staging/*", []string{update}},
			{m + "/data/campaigns/*", []string{create, read, update}},
			{m + "/metadata/campaigns/*", []string{list}},
			// No update: a roll, once written, is not the worker's to change.
			{m + "/data/rolls/*", []string{create, read}},
			{m + "/metadata/rolls/*", []string{list, remove}},
			{m + "/data/" + ownmount.PlacesFolder + "/*", []string{create, read}},
			{m + "/data/" + ownmount.DirectoriesFolder + "/*", []string{create, read, update}},
			{m + "/metadata/" + ownmount.DirectoriesFolder + "/*", []string{list}},
			{m + "/metadata/" + ownmount.PlacesFolder + "/*", []string{list}},
			{m + "/data/specs/campaign/*", []string{create, read}},
			{m + "/data/specs/schedule/*", []string{read}},
			{"sys/auth", []string{read}},           // which other ways into Vault there are
			{auditDevices, []string{read, "sudo"}}, // which are enabled; sudo: a root-protected path of Vault
			{m + "/data/" + payloadKey, []string{read}},
			// What another worker rotated, it follows.
			{m + "/data/" + vault.OwnSecretID(m).Path, []string{read}},
		}
		for _, p := range liveGrants(c, known) {
			rs = append(rs, under(p, "data", create, read, update)...)
			rs = append(rs, under(p, "metadata", list, read)...)
			rs = append(rs, under(p, "destroy", update)...)
		}
		rs = append(append(rs, powersRules...), bindRules(c)...)
		for _, p := range passwordPolicies(c) {
			rs = append(rs, rule{"sys/policies/password/" + p + "/generate", []string{read}})
		}
		rs = append(rs, loginRules(c)...)
		if rotatesLogins(known) || endsTokens(c, known) {
			rs = append(rs, tokenRules...)
		}
		return append(append(rs, appRoleRules(c, known, true)...), userpassRules(c, known, true)...)
	case vault.LedgerPolicy:
		return []rule{
			ours,
			{c.Vault.Transit + "/keys/" + ownmount.LedgerKey, []string{read}},
			{c.Vault.Transit + "/sign/" + ownmount.LedgerKey, []string{update}},
			// No update: an anchor, once written, is nobody's to change.
			{m + "/data/checkpoints/*", []string{create, read}},
			{m + "/metadata/checkpoints/*", []string{list}},
			{m + "/data/rolls/*", []string{read}},
			{m + "/data/campaigns/*", []string{read}},
			{m + "/metadata/campaigns/*", []string{list}},
			{m + "/data/" + payloadKey, []string{read}},
		}
	}
	rs := []rule{
		ours,
		{c.Vault.Transit + "/keys/" + ownmount.LedgerKey, []string{read}},
		{m + "/data/checkpoints/*", []string{read}},
		{m + "/metadata/checkpoints/*", []string{list}},
		{m + "/data/rolls/*", []string{create, read}},
		{m + "/metadata/rolls/*", []string{list, remove}},
		{m + "/data/" + ownmount.PlacesFolder + "/*", []string{read}},
		{m + "/data/" + ownmount.DirectoriesFolder + "/*", []string{read}},
		{m + "/metadata/" + ownmount.DirectoriesFolder + "/*", []string{list}},
		{m + "/metadata/" + ownmount.PlacesFolder + "/*", []string{list}},
		{m + "/data/specs/*", []string{create, read}},
		{m + "/metadata/specs/*", []string{list, remove}},
		{m + "/data/campaigns/*", []string{create, read, update}},
		{m + "/metadata/campaigns/*", []string{list}},
		// Which credentials have a new value that was left there: their ids,
		// and no value.
		{m + "/metadata/staging/*", []string{list}},
		{"sys/auth", []string{read}},
		{m + "/data/" + payloadKey, []string{read}},
	}
	rs = append(rs, powersRules...)
	for _, p := range liveGrants(c, known) {
		rs = append(rs, under(p, "metadata", list, read)...)
	}
	rs = append(rs, bindRules(c)...)
	rs = append(rs, loginRules(c)...)
	if endsTokens(c, known) {
		rs = append(rs, rule{"auth/token/lookup-accessor", []string{update}}) // it shows no token
	}
	return append(append(rs, appRoleRules(c, known, false)...), userpassRules(c, known, false)...)
}

// bindRules let a worker or operator log in to the authorities.
func bindRules(c *config.Campaign) []rule {
	var rs []rule
	for _, name := range c.Authorities() {
		for _, login := range c.Authority(name).Logins() {
			if login.Secret.Mount != "" {
				rs = append(rs, rule{login.Secret.Mount + "/data/" + login.Secret.Path, []string{read}})
			}
		}
	}
	return rs
}

// grant is a path in a KV v2 mount. A folder covers what is below it too.
type grant struct {
	mount, path string
	folder      bool
}

// maxNamedPaths is how many single paths a policy names before it names their
// folders: Vault evaluates and stores a policy as a whole.
const maxNamedPaths = 500

// liveGrants are where the campaign reads and writes live secrets, and leaves
// temporary ones of people in a domain. The bind passwords of a pair and the
// workers' own secret-id are among them.
func liveGrants(c *config.Campaign, known []credential.Credential) []grant {
	var out []grant
	for _, s := range c.Sources {
		if s.Type == config.VaultKV {
			mount, path := cutAt(strings.Trim(s.Prefix, "/"), known)
			out = append(out, grant{mount, path, true})
		}
	}
	templates := []string{c.Vault.Adopt}
	for _, d := range c.Directories {
		if d.TakesPeople() {
			templates = append(templates, c.Vault.HandOver)
			break
		}
	}
	for _, t := range templates {
		if p, err := credential.ParsePath(t); err == nil {
			p.Mount, p.Path = cutAt(p.Mount+"/"+p.Path, known)
			fixed, _, varies := strings.Cut(p.Path, "{")
			if varies {
				fixed = fixed[:strings.LastIndex(fixed, "/")+1]
			}
			out = append(out, grant{p.Mount, strings.Trim(fixed, "/"), varies})
		}
	}
	if own := vault.OwnSecretID(c.Vault.Mount); c.Vault.RotateLogin {
		out = append(out, grant{own.Mount, own.Path, false})
	}
	for _, name := range c.Authorities() {
		if pair := c.Authority(name).Logins(); len(pair) == 2 {
			for _, login := range pair {
				out = append(out, grant{login.Secret.Mount, login.Secret.Path, false})
			}
		}
	}
	var single []grant
	for _, k := range known {
		for _, p := range k.Paths {
			single = append(single, grant{p.Mount, p.Path, false})
		}
	}
	if len(single) > maxNamedPaths {
		for i, p := range single {
			if at := strings.LastIndex(p.path, "/"); at > 0 {
				single[i] = grant{p.mount, p.path[:at], true}
			}
		}
	}
	return append(out, single...)
}

// cutAt splits a path where its mount ends. A mount may have several segments:
// those of the credentials that were listed are known, for Vault was asked
// (vault.Client.Cut).
func cutAt(full string, known []credential.Credential) (mount, path string) {
	for _, c := range known {
		for _, p := range c.Paths {
			if full == p.Mount {
				return full, ""
			}
			if rest, ok := strings.CutPrefix(full, p.Mount+"/"); ok {
				return p.Mount, rest
			}
		}
	}
	mount, path, _ = strings.Cut(full, "/")
	return mount, path
}

func under(p grant, part string, caps ...string) []rule {
	base := p.mount + "/" + part
	switch {
	case p.path == "":
		return []rule{{base + "/*", caps}}
	case p.folder:
		return []rule{{base + "/" + p.path, caps}, {base + "/" + p.path + "/*", caps}}
	}
	return []rule{{base + "/" + p.path, caps}}
}

// isLogin reports whether a credential is a login at auth mounts of that type.
func isLogin(c credential.Credential, method string) bool {
	login := c.Kind.Traits().Login
	return login != nil && login.Method == method
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
			rule{r + "/secret-id", []string{list}},
			rule{r + "/secret-id-accessor/lookup", []string{update}})
		if rotate {
			rs = append(rs,
				rule{r + "/role-id", []string{read}},
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
}

// everyUserList is where the names of userpass users are listed, at every auth
// mount of one segment: one that has the name of an account of the roll is a
// way into Vault.
const everyUserList = "auth/+/users"

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
		{"sys/mounts", []string{read}}, // which secrets engines for directories there are
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

func hcl(purpose, device string, rules []rule) string {
	return fmt.Sprintf("# %s\n%s%s\n%s", purpose, writtenFor, device, stanzas(rules))
}

// stanzas are rules in HCL, each path once.
func stanzas(rules []rule) string {
	merged := map[string][]string{}
	for _, r := range rules {
		for _, cap := range r.caps {
			if !slices.Contains(merged[r.path], cap) {
				merged[r.path] = append(merged[r.path], cap)
			}
		}
	}
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(merged)) {
		caps := merged[path]
		slices.Sort(caps)
		fmt.Fprintf(&b, "path %q { capabilities = [\"%s\"] }\n", path, strings.Join(caps, `", "`))
	}
	return b.String()
}
