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
	if e.opts.Domain == 0 {
		return nil
	}
	accounts := lab.SeedAccounts("svc-ad-", e.opts.Domain)
	for i := range accounts {
		accounts[i].Attrs = map[string][]string{"description": {"lookup account of " + Device}}
	}
	if err := e.startControllers(ctx, lab.SambaOptions{Dir: filepath.Join(e.Dir, "domain"), CA: e.CA, Accounts: accounts}); err != nil {
		return err
	}
	conn, err := e.Domain.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(e.Domain.ServicesDN(), ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=user)", []string{"sAMAccountName", "objectGUID"}, nil), 500)
	if err != nil {
		return fmt.Errorf("estate: reading the domain's accounts: %w", err)
	}
	for _, entry := range found.Entries {
		uid := entry.GetAttributeValue("sAMAccountName")
		e.domain = append(e.domain, domainAccount{uid, DomainName + "/" + guid(entry.GetRawAttributeValue("objectGUID"))})
	}
	return nil
}

func (e *Estate) startControllers(ctx context.Context, o lab.SambaOptions) (err error) {
	if !e.opts.Pair {
		e.Domain, err = lab.StartSamba(ctx, o)
		return err
	}
	if e.Pair, err = lab.StartSambaPair(ctx, o); err == nil {
		e.Domain = e.Pair.First
	}
	return err
}

// DomainServers are the domain controllers, the write server first.
func (e *Estate) DomainServers() []string {
	if e.Pair != nil {
		return []string{e.Pair.First.LDAPS(), e.Pair.Second.LDAPS()}
	}
	return []string{e.Domain.LDAPS()}
}

// domainAccount is an account of the domain with its id in the ledger.
type domainAccount struct{ uid, id string }

// guid is the text form ([MS-DTYP] 2.3.4.3): the first three fields are stored little-endian.
func guid(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", []byte{b[3], b[2], b[1], b[0]}, []byte{b[5], b[4]}, []byte{b[7], b[6]}, b[8:10], b[10:16])
}

func (e *Estate) seedDomain(secrets, metadata map[string]map[string]any) {
	if e.Domain == nil {
		return
	}
	secrets["infra/rollcall-bind-domain"] = map[string]any{"password": e.Domain.BinderPassword}
	for _, a := range e.domain {
		kv := "apps/" + Device + "/" + a.uid
		password := e.Domain.SeededPassword(a.uid)
		secrets[kv] = map[string]any{"username": a.uid, "password": password}
		metadata[kv] = map[string]any{"directory": DomainName, "account": a.uid, "field": "password"}
		e.Live[a.id] = credential.Path{Mount: "kv", Path: kv, Field: "password"}
		e.Stolen = append(e.Stolen, intruder.Stolen{
			ID: a.id, Kind: intruder.LDAP, Servers: e.DomainServers(), CAPEM: e.Domain.CA,
			DN: e.Domain.AccountDN(a.uid), Password: password,
		})
	}
}

// domainYAML is the domain's part of the campaign file.
func (e *Estate) domainYAML() string {
	if e.Domain == nil {
		return ""
	}
	return fmt.Sprintf("  %s:\n    driver: active-directory\n    servers:\n      - %s\n    base: %s\n    ca_file: ca.pem\n    bind:\n      dn: %s\n      password: kv/infra/rollcall-bind-domain#password\n\n",
		DomainName, strings.Join(e.DomainServers(), "\n      - "), e.Domain.BaseDN(), e.Domain.BinderDN)
}
