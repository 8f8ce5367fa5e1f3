package estate

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// DomainName is what the campaign file calls the domain.
const DomainName = "windows"

// startDomain starts the domain controller, if there is to be one, and looks up
// its accounts.
func (e *Estate) startDomain(ctx context.Context) error {
	if e.opts.Domain+e.opts.People == 0 {
		return nil
	}
	accounts, people := lab.SeedAccounts("svc-ad-", e.opts.Domain), lab.SeedAccounts("person-", e.opts.People)
	for i := range accounts {
		accounts[i].Attrs = map[string][]string{"description": {"lookup account of " + Device}}
	}
	for i := range people {
		people[i].Attrs = map[string][]string{"description": {"fetches quarantined mail from " + Device}}
	}
	bystanders := lab.SeedAccounts("app-ad-", e.opts.DomainBystanders)
	for i := range bystanders {
		bystanders[i].Attrs = map[string][]string{"description": {"has nothing to do with the mail gateway"}}
	}
	accounts = append(accounts, bystanders...)
	if e.opts.SingleReset {
		accounts = append(accounts, singleReset())
	}
	o := lab.SambaOptions{Dir: filepath.Join(e.Dir, "domain"), CA: e.CA, Accounts: accounts, People: people, Pair: e.opts.Pair}
	if err := e.startControllers(ctx, o); err != nil {
		return err
	}
	conn, err := e.Domain.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = e.findBinders(conn, "objectGUID", func(id []byte) string { return DomainName + "/" + guid(id) }, e.Domain.BinderDN, e.Domain.PartnerDN)
	if err != nil {
		return err
	}
	services, err := domainAccounts(conn, e.Domain.ServicesDN())
	if err != nil {
		return err
	}
	for _, a := range services {
		switch {
		case a.uid == SingleReset:
			e.Single = e.stolenFromDomain(a, e.Domain.AccountDN(a.uid))
		case strings.HasPrefix(a.uid, "app-"):
			e.domainBystanders = append(e.domainBystanders, a.uid)
		default:
			e.domain = append(e.domain, a)
		}
	}
	e.people, err = domainAccounts(conn, e.Domain.PeopleDN())
	return err
}

// domainAccounts are the accounts in an organizational unit.
func domainAccounts(conn *ldap.Conn, ou string) (out []domainAccount, err error) {
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(ou, ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=user)", []string{"sAMAccountName", "objectGUID"}, nil), 500)
	if err != nil {
		return nil, fmt.Errorf("estate: reading the domain's accounts: %w", err)
	}
	for _, entry := range found.Entries {
		uid := entry.GetAttributeValue("sAMAccountName")
		out = append(out, domainAccount{uid, DomainName + "/" + guid(entry.GetRawAttributeValue("objectGUID"))})
	}
	return out, nil
}

func (e *Estate) startControllers(ctx context.Context, o lab.SambaOptions) (err error) {
	if !e.opts.Controllers {
		e.Domain, err = lab.StartSamba(ctx, o)
		return err
	}
	if e.Controllers, err = lab.StartSambaPair(ctx, o); err == nil {
		e.Domain = e.Controllers.First
	}
	return err
}

// DomainServers are the domain controllers, the write server first.
func (e *Estate) DomainServers() []string {
	if e.Controllers != nil {
		return []string{e.Controllers.First.LDAPS(), e.Controllers.Second.LDAPS()}
	}
	return []string{e.Domain.LDAPS()}
}

func (e *Estate) stolenFromDomain(a domainAccount, dn string) intruder.Stolen {
	return intruder.Stolen{
		ID: a.id, Kind: intruder.LDAP, Servers: e.DomainServers(), CAPEM: e.Domain.CA,
		DN: dn, Password: e.Domain.SeededPassword(a.uid),
	}
}

// domainAccount is an account of the domain with its id in the ledger.
type domainAccount struct{ uid, id string }

// guid is the text form ([MS-DTYP] 2.3.4.3): the first three fields are stored
// little-endian.
func guid(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", []byte{b[3], b[2], b[1], b[0]}, []byte{b[5], b[4]}, []byte{b[7], b[6]}, b[8:10], b[10:16])
}

func (e *Estate) seedDomain(secrets, metadata map[string]map[string]any) {
	if e.Domain == nil {
		return
	}
	e.seedBinders(secrets, "infra/rollcall-bind-domain", e.Domain.BinderPassword, e.Domain.PartnerPassword)
	held := func(kv, uid string) {
		secrets[kv] = map[string]any{"username": uid, "password": e.Domain.SeededPassword(uid)}
		metadata[kv] = map[string]any{"directory": DomainName, "account": uid, "field": "password"}
	}
	for _, a := range e.domain {
		kv := "apps/" + Device + "/" + a.uid
		held(kv, a.uid)
		if e.opts.Profile {
			metadata[kv]["line"] = backups
		}
		e.Live[a.id] = credential.Path{Mount: "kv", Path: kv, Field: "password"}
		e.Stolen = append(e.Stolen, e.stolenFromDomain(a, e.Domain.AccountDN(a.uid)))
	}
	for _, uid := range e.domainBystanders {
		held(bystanderPath(uid), uid)
		e.Bystanders[e.Domain.AccountDN(uid)] = credential.NewSecret(e.Domain.SeededPassword(uid))
		e.know(DomainName+"/"+uid, e.DomainServers(), e.Domain.CA, e.Domain.AccountDN(uid))
	}
	if e.opts.SingleReset {
		held(singlePath, SingleReset)
	}
	for _, a := range e.people {
		// Vault never held the password of a person.
		e.HandOver[a.id] = credential.Path{Mount: "kv", Path: "rollcall/handover/" + DomainName + "/" + a.uid, Field: "password"}
		e.Stolen = append(e.Stolen, e.stolenFromDomain(a, e.Domain.PersonDN(a.uid)))
	}
}

// peopleYAML is the source that lists the domain's people.
func (e *Estate) peopleYAML() string {
	if len(e.people) == 0 {
		return ""
	}
	return fmt.Sprintf("  - name: people\n    type: directory\n    directory: %s\n    kind: user-password\n    filter: (description=*%s*)\n    base: %s\n",
		DomainName, Device, e.Domain.PeopleDN())
}

// domainYAML is the domain's part of the campaign file.
func (e *Estate) domainYAML() string {
	if e.Domain == nil {
		return ""
	}
	return fmt.Sprintf("  %s:\n    driver: active-directory\n    servers:\n      - %s\n    base: %s\n    ca_file: ca.pem\n%s\n",
		DomainName, strings.Join(e.DomainServers(), "\n      - "), e.Domain.BaseDN(), e.bindYAML(e.Domain.BinderDN, e.Domain.PartnerDN, "kv/infra/rollcall-bind-domain"))
}
