package setup

import (
	"rollcall/config"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// taskRules are what people's tasks need besides, by policy. No campaign
// without tasks asks for them.
var taskRules = map[string]func(mount string) []rule{
	vault.WorkerPolicy: func(m string) []rule {
		return []rule{
			{m + "/data/" + ownmount.HandoverFolder + "/*", []string{create, read, update}},
			{m + "/metadata/" + ownmount.HandoverFolder + "/*", []string{list, remove}},
			// No update: when a task was opened, and for whom, is nobody's to
			// change.
			{m + "/data/" + ownmount.TasksFolder + "/*", []string{create, read}},
			{"identity/lookup/entity", []string{update}}, // it reads
			{"sys/auth", []string{read}},
		}
	},
	vault.LedgerPolicy: func(m string) []rule {
		return []rule{
			{m + "/data/" + ownmount.TasksFolder + "/*", []string{create, read}}, // who sees to it from then on
			{m + "/data/" + ownmount.AttestFolder + "/*", []string{read}},
			{m + "/metadata/" + ownmount.AttestFolder + "/*", []string{list}},
			{"identity/lookup/entity", []string{update}}, // it reads
			{"sys/auth", []string{read}},
		}
	},
	vault.OperatorPolicy: func(string) []rule {
		return []rule{
			{"identity/lookup/entity", []string{update}}, // it reads: whether Vault knows the owners
			{"sys/auth", []string{read}},
		}
	},
}

// TasksPolicy is for the people who do what Rollcall cannot do itself. An
// administrator gives it to them. By their own entity each may read what is
// handed over to him, and add a word of his own; nobody may change one that is
// there.
func TasksPolicy(c *config.Campaign) Policy {
	const me = "/{{identity.entity.id}}/*"
	m, name := c.Vault.Mount, vault.TasksPolicy
	if m != "rollcall" {
		name += "-on-" + m
	}
	return Policy{name, "# For people with tasks: each reads what is handed over to him, and says what he has done.\n" + stanzas([]rule{
		{m + "/data/" + ownmount.AttestFolder + me, []string{create, read}},
		{m + "/metadata/" + ownmount.AttestFolder + me, []string{list}},
		{m + "/data/" + ownmount.HandoverFolder + me, []string{read}},
		{m + "/metadata/" + ownmount.HandoverFolder + me, []string{list}},
		{"identity/entity/id/{{identity.entity.id}}", []string{read}}, // what he is called
	})}
}
