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
	decoys := lab.SeedAccounts("app-ad-", e.opts.DomainDecoys)
	for i := range decoys {
		decoys[i].Attrs = map[string][]string{"description": {"has nothing to do with the mail gateway"}}
	}
	accounts = append(accounts, decoys...)
	if e.opts.SingleReset {
		accounts = append(accounts, singleReset())
	}
	var err error
	if e.Domain, err = lab.StartSamba(ctx, lab.SambaOptions{Dir: filepath.Join(e.Dir, "domain"), CA: e.CA, Accounts: accounts}); err != nil {
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
		a := domainAccount{entry.GetAttributeValue("sAMAccountName"), DomainName + "/" + guid(entry.GetRawAttributeValue("objectGUID"))}
		switch {
		case a.uid == SingleReset:
			e.Single = e.stolenFromDomain(a)
		case strings.HasPrefix(a.uid, "app-"):
			e.domainDecoys = append(e.domainDecoys, a.uid)
		default:
			e.domain = append(e.domain, a)
		}
	}
	return nil
}

func (e *Estate) stolenFromDomain(a domainAccount) intruder.Stolen {
	return intruder.Stolen{
		ID: a.id, Kind: intruder.LDAP, Servers: []string{e.Domain.LDAPS()}, CAPEM: e.Domain.CA,
		DN: e.Domain.AccountDN(a.uid), Password: e.Domain.SeededPassword(a.uid),
	}
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
	held := func(kv, uid string) {
		secrets[kv] = map[string]any{"username": uid, "password": e.Domain.SeededPassword(uid)}
		metadata[kv] = map[string]any{"directory": DomainName, "account": uid, "field": "password"}
	}
	for _, a := range e.domain {
		kv := "apps/" + Device + "/" + a.uid
		held(kv, a.uid)
		e.Live[a.id] = credential.Path{Mount: "kv", Path: kv, Field: "password"}
		e.Stolen = append(e.Stolen, e.stolenFromDomain(a))
	}
	for _, uid := range e.domainDecoys {
		held(decoyPath(uid), uid)
		e.Decoys[e.Domain.AccountDN(uid)] = credential.NewSecret(e.Domain.SeededPassword(uid))
	}
	if e.opts.SingleReset {
		held(singlePath, SingleReset)
	}
}

// domainYAML is the domain's part of the campaign file.
func (e *Estate) domainYAML() string {
	if e.Domain == nil {
		return ""
	}
	return fmt.Sprintf("  %s:\n    driver: active-directory\n    servers:\n      - %s\n    base: %s\n    ca_file: ca.pem\n    bind:\n      dn: %s\n      password: kv/infra/rollcall-bind-domain#password\n\n",
		DomainName, e.Domain.LDAPS(), e.Domain.BaseDN(), e.Domain.BinderDN)
}
