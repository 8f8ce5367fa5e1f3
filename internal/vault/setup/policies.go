package setup

import (
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
// secrets engines for directories and databases, and of auth mounts
// (EnginePlaces).
func Policies(c *config.Campaign, known []credential.Credential, places ...string) []Policy {
	var out []Policy
	for _, name := range []string{vault.WorkerPolicy, vault.LedgerPolicy, vault.OperatorPolicy} {
		rules := append(rulesOf(name, c, known), taskRules[name](c.Vault.Mount)...)
		if name != vault.LedgerPolicy {
			rules = append(rules, settingsRules(c, known)...)
			rules = append(rules, engineRules(c, places)...)
			// No campaign asks for this either. Only Vault Enterprise has it.
			rules = append(rules, rule{"sys/sync/associations", []string{list}})
		}
		if name == vault.WorkerPolicy {
			// Without this the notes on places grow, and nothing else: no
			// campaign asks for it.
			rules = append(rules, lookRules...)           // nor for these: the listing warns
			rules = append(rules, writtenRules(known)...) // as it does here
			rules = append(rules, rule{c.Vault.Mount + "/metadata/" + ownmount.PlacesFolder + "/*", []string{remove}})
			rules = append(rules, rehearsalRules(c)...)
		}
		out = append(out, Policy{name, hcl(purposes[name], c.Device, rules)})
	}
	return out
}

var purposes = map[string]string{
	vault.WorkerPolicy:   "Lists credentials and rotates them. May not sign or anchor ledger checkpoints.",
	vault.LedgerPolicy:   "Signs and anchors ledger checkpoints, and notifies. May not read staged or live secrets.",
	vault.OperatorPolicy: "Lists, plans, starts, watches and reports. Reads no staged or live secret but the directories' bind passwords.",
}

// writtenRules let the worker see when what a row of what a person does names
// was written, and so what was there while the device was in foreign hands. It
// may list there too: a rule for a path alone goes before that of the prefix
// above, and a folder may have the same name.
func writtenRules(known []credential.Credential) (rs []rule) {
	for _, k := range known {
		if k.Task != nil && k.Task.At != nil {
			rs = append(rs, rule{k.Task.At.Mount + "/metadata/" + k.Task.At.Path, []string{list, read}})
		}
	}
	return rs
}

func rulesOf(policy string, c *config.Campaign, known []credential.Credential) []rule {
	rules := ownRules(policy, c, known)
	if slices.ContainsFunc(known, func(k credential.Credential) bool { return k.Task != nil }) {
		rules = append(rules, taskRules[policy](c.Vault.Mount)...)
	}
	return rules
}

func ownRules(policy string, c *config.Campaign, known []credential.Credential) []rule {
	// Whether what is written there stays.
	ours := rule{c.Vault.Mount + "/config", []string{read}}
	switch policy {
	case vault.WorkerPolicy:
		return append([]rule{ours}, workerRules(c, known)...)
	case vault.LedgerPolicy:
		return append([]rule{ours}, ledgerRules(c)...)
	}
	return append([]rule{ours}, operatorRules(c, known)...)
}

func workerRules(c *config.Campaign, known []credential.Credential) []rule {
	m := c.Vault.Mount
	rs := []rule{
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
	for _, k := range known {
		if k.Task != nil && k.Task.At != nil {
			rs = append(rs, rule{k.Task.At.Mount + "/data/" + k.Task.At.Path, []string{read}})
		}
	}
	rs = append(append(rs, powersRules...), bindRules(c, known)...)
	for _, p := range passwordPolicies(c) {
		rs = append(rs, rule{"sys/policies/password/" + p + "/generate", []string{read}})
	}
	rs = append(rs, loginRules(c)...)
	if rotatesLogins(known) || endsTokens(c, known) {
		rs = append(rs, tokenRules...)
	}
	return append(rs, rulesOfMethods(c, known, true)...)
}

func ledgerRules(c *config.Campaign) []rule {
	m := c.Vault.Mount
	rs := []rule{
		{c.Vault.Transit + "/keys/" + ownmount.LedgerKey, []string{read}},
		{c.Vault.Transit + "/sign/" + ownmount.LedgerKey, []string{update}},
		// No update: an anchor, once written, is nobody's to change.
		{m + "/data/checkpoints/*", []string{create, read}},
		{m + "/metadata/checkpoints/*", []string{list}},
		{m + "/data/rolls/*", []string{read}},
		{m + "/data/" + ownmount.OffersFolder + "/*", []string{create, read, update}},
		{m + "/data/campaigns/*", []string{read}},
		{m + "/metadata/campaigns/*", []string{list}},
		{m + "/data/" + payloadKey, []string{read}},
	}
	// What it signs web hooks with, its login to a mail server, and what those
	// show who post lines of logs.
	for _, p := range append(c.NotifyReferences(), c.WatchReferences()...) {
		rs = append(rs, rule{p.Mount + "/data/" + p.Path, []string{read}})
	}
	return rs
}

func operatorRules(c *config.Campaign, known []credential.Credential) []rule {
	m := c.Vault.Mount
	rs := []rule{
		{c.Vault.Transit + "/keys/" + ownmount.LedgerKey, []string{read}},
		{m + "/data/checkpoints/*", []string{read}},
		{m + "/metadata/checkpoints/*", []string{list}},
		{m + "/data/" + ownmount.OffersFolder + "/*", []string{read}},
		{m + "/metadata/" + ownmount.OffersFolder + "/*", []string{list}},
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
	rs = append(rs, bindRules(c, known)...)
	rs = append(rs, loginRules(c)...)
	if endsTokens(c, known) {
		rs = append(rs, rule{"auth/token/lookup-accessor", []string{update}}) // it shows no token
	}
	return append(rs, rulesOfMethods(c, known, false)...)
}

// bindRules let a worker or operator log in to the authorities, and read what a
// door shares with who asks it.
func bindRules(c *config.Campaign, known []credential.Credential) []rule {
	var rs []rule
	for _, name := range c.Authorities() {
		for _, login := range c.Authority(name).Logins() {
			if login.Secret.Mount != "" {
				mount, path := cutAt(login.Secret.Mount+"/"+login.Secret.Path, known)
				rs = append(rs, rule{mount + "/data/" + path, []string{read}})
			}
		}
	}
	for _, d := range c.Doors {
		if d.Secret.Mount != "" {
			rs = append(rs, rule{d.Secret.Mount + "/data/" + d.Secret.Path, []string{read}})
		}
	}
	return rs
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
