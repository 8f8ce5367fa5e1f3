package estate

import (
	"context"
	"crypto/rand"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// The odd accounts, by uid.
const (
	TwoPaths = "svc-esg-two-paths" // one account, two paths in Vault
	Changed  = "svc-esg-changed"   // somebody changed it: Vault's value is stale
	Adopted  = "svc-esg-adopted"   // Vault does not hold it
	Vanished = "svc-esg-vanished"  // Vault holds it and the directory does not know it
)

// planAccounts spreads accounts over three sources, some over two.
func (e *Estate) planAccounts() {
	for i, a := range lab.SeedAccounts("svc-esg-", e.opts.Accounts) {
		p := account{Account: a, kv: "apps/" + Device + "/" + a.UID}
		switch i % 4 {
		case 0:
			p.metadata = true
		case 1:
			p.metadata, p.tagged = true, true
		case 2:
			// Held elsewhere in Vault; the handover list knows account and
			// path.
			p.kv, p.listed = "mail/"+a.UID, true
		case 3:
			p.metadata, p.listed = true, true
		}
		e.plan = append(e.plan, p)
	}
	if e.opts.Odd {
		e.plan = append(e.plan,
			account{Account: fresh(TwoPaths), kv: "apps/" + Device + "/" + TwoPaths, metadata: true, tagged: true},
			account{Account: fresh(Changed), kv: "apps/" + Device + "/" + Changed, metadata: true, tagged: true, changed: rand.Text()},
			account{Account: fresh(Adopted), tagged: true},
		)
	}
	for _, a := range lab.SeedAccounts("svc-mass-", e.opts.Tagged) {
		e.plan = append(e.plan, account{Account: a, tagged: true})
	}
	for i := range e.plan {
		if e.plan[i].tagged {
			e.plan[i].Attrs = map[string][]string{"description": {"lookup account of " + Device}}
		}
	}
	for _, a := range lab.SeedAccounts("app-", e.opts.Bystanders) {
		a.Attrs = map[string][]string{"description": {"has nothing to do with the mail gateway"}}
		e.plan = append(e.plan, account{Account: a, kv: bystanderPath(a.UID)})
		e.Bystanders[bystanderDN(a.UID)] = credential.NewSecret(a.Password)
	}
}

func fresh(uid string) lab.Account { return lab.Account{UID: uid, Password: rand.Text()} }

func bystanderDN(uid string) string { return "uid=" + uid + ",ou=people,dc=example,dc=org" }

func bystanderPath(uid string) string { return "apps/other/" + uid }

func (e *Estate) seedVault(ctx context.Context) error {
	secrets := map[string]map[string]any{}
	e.seedBinders(secrets, "infra/rollcall-bind", e.Slapd.BinderPassword, e.Slapd.PartnerPassword)
	metadata := map[string]map[string]any{}
	for _, a := range e.plan {
		if a.kv != "" {
			// Other fields of a secret must survive the rotation.
			secrets[a.kv] = map[string]any{"username": a.UID, "password": a.Password}
		}
		if a.metadata {
			metadata[a.kv] = map[string]any{"directory": "corp", "account": a.UID, "field": "password"}
		}
		if a.listed {
			e.rows = append(e.rows, []string{"ldap-password", "corp", a.UID, "kv/" + a.kv + "#password", "from the handover"})
		}
		if _, bystander := e.Bystanders[e.Slapd.AccountDN(a.UID)]; bystander {
			e.know(e.ID(a.UID), e.Servers(), e.Slapd.CA, e.Slapd.AccountDN(a.UID))
			continue
		}
		e.stolen(a)
	}
	if e.opts.Odd {
		second := "mail/" + TwoPaths
		secrets[second] = secrets["apps/"+Device+"/"+TwoPaths]
		e.rows = append(e.rows, []string{"ldap-password", "corp", TwoPaths, "kv/" + second + "#password", "a second consumer"})
		gone := "apps/" + Device + "/" + Vanished
		secrets[gone] = map[string]any{"username": Vanished, "password": rand.Text()}
		metadata[gone] = map[string]any{"directory": "corp", "account": Vanished, "field": "password"}
	}
	e.seedDomain(secrets, metadata)
	e.seedDS389(secrets, metadata)
	e.seedPostgres(secrets, metadata)
	e.knowBinders()
	e.stealBinders()
	if err := e.Vault.SeedKV(ctx, secrets); err != nil {
		return err
	}
	return e.Vault.SeedMetadata(ctx, metadata)
}

// stolen gives the intruder what the device had: for a changed account both
// the value in Vault and the one in force.
func (e *Estate) stolen(a account) {
	value := a.Password
	if a.changed != "" {
		value = a.changed
	}
	e.Stolen = append(e.Stolen, intruder.Stolen{
		ID: e.ID(a.UID), Kind: intruder.LDAP, Servers: e.Servers(), CAPEM: e.Slapd.CA, DN: e.Slapd.AccountDN(a.UID), Password: value,
	})
	e.stolenAtDoors(a.UID, value)
	// What is at the path of a changed account is not its password, so nobody
	// can say whose it is.
	if a.kv != "" && a.changed == "" {
		e.Live[e.ID(a.UID)] = credential.Path{Mount: "kv", Path: a.kv, Field: "password"}
	}
}
