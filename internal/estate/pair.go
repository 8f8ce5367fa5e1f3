package estate

import (
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
)

// OwnID is the ledger's id of one of the worker's bind identities, by its DN.
func (e *Estate) OwnID(dn string) string { return e.ownIDs[dn] }

// findBinders looks up the ids of a pair.
func (e *Estate) findBinders(conn *ldap.Conn, attr string, id func([]byte) string, dns ...string) error {
	if !e.opts.Pair {
		return nil
	}
	for _, dn := range dns {
		got, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{attr}, nil))
		if err != nil || len(got.Entries) != 1 {
			return fmt.Errorf("estate: reading the bind identity %s: %w", dn, err)
		}
		e.ownIDs[dn] = id(got.Entries[0].GetRawAttributeValue(attr))
	}
	return nil
}

// bindYAML is the worker's login to a directory: one identity, or the pair.
func (e *Estate) bindYAML(dn, partner, path string) string {
	if !e.opts.Pair {
		return fmt.Sprintf("    bind:\n      dn: %s\n      password: %s#password\n", dn, path)
	}
	return fmt.Sprintf("    bind:\n      - {dn: %q, password: %s#password}\n      - {dn: %q, password: %s-b#password}\n", dn, path, partner, path)
}

func (e *Estate) seedBinders(secrets map[string]map[string]any, path, password, partner string) {
	secrets[path] = map[string]any{"username": "rollcall", "password": password}
	if e.opts.Pair {
		secrets[path+"-b"] = map[string]any{"username": "rollcall-b", "password": partner}
	}
}

// stealBinders gives the intruder the bind passwords: an appliance that asks
// the directory by the same account as Rollcall is no rarity.
func (e *Estate) stealBinders() {
	if !e.opts.Pair {
		return
	}
	take := func(servers []string, ca, dn, password, path string) {
		id := e.ownIDs[dn]
		e.Live[id] = credential.Path{Mount: "kv", Path: path, Field: "password"}
		e.Stolen = append(e.Stolen, intruder.Stolen{ID: id, Kind: intruder.LDAP, Servers: servers, CAPEM: ca, DN: dn, Password: password})
	}
	take(e.Servers(), e.Slapd.CA, e.Slapd.BinderDN, e.Slapd.BinderPassword, "infra/rollcall-bind")
	take(e.Servers(), e.Slapd.CA, e.Slapd.PartnerDN, e.Slapd.PartnerPassword, "infra/rollcall-bind-b")
	if e.Domain != nil {
		servers := []string{e.Domain.LDAPS()}
		take(servers, e.Domain.CA, e.Domain.BinderDN, e.Domain.BinderPassword, "infra/rollcall-bind-domain")
		take(servers, e.Domain.CA, e.Domain.PartnerDN, e.Domain.PartnerPassword, "infra/rollcall-bind-domain-b")
	}
	if e.Postgres != nil {
		for role, of := range map[string]struct{ password, path string }{
			e.Postgres.Admin:   {e.Postgres.AdminPassword, "infra/rollcall-bind-db"},
			e.Postgres.Partner: {e.Postgres.PartnerPassword, "infra/rollcall-bind-db-b"},
		} {
			id := e.ownRoles[role]
			e.Live[id] = credential.Path{Mount: "kv", Path: of.path, Field: "password"}
			e.Stolen = append(e.Stolen, intruder.Stolen{ID: id, Kind: intruder.Postgres, Servers: e.PostgresServers(), CAPEM: e.Postgres.CA, User: role, Password: of.password})
		}
	}
}
