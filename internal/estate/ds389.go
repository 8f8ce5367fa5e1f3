package estate

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// DS389Name is what the campaign file calls the 389 Directory Server.
const DS389Name = "unix"

// DS389Bystander is an account of it that is not tied to the device.
const DS389Bystander = "app-ds"

// startDS389 starts a 389 Directory Server and its consumer, if there are to be
// any. The first third of the accounts is tied to the device by Vault, the next
// by the directory too, and the rest by that alone.
func (e *Estate) startDS389(ctx context.Context) (err error) {
	if e.opts.DS389 == 0 {
		return nil
	}
	accounts := lab.SeedAccounts("svc-ds-", e.opts.DS389)
	for i := range accounts {
		if e.tagged389(i) {
			accounts[i].Attrs = map[string][]string{"description": {"lookup account of " + Device}}
		}
	}
	seeded := append(accounts[:len(accounts):len(accounts)], fresh(DS389Bystander))
	// ns-slapd names a semaphore of the whole machine like its folder.
	dir, err := os.MkdirTemp(e.Dir, "ds389-")
	if err != nil {
		return err
	}
	if e.DS389, err = lab.StartDS389(ctx, lab.DS389Options{Dir: dir, CA: e.CA, Policy: e.opts.DS389Policy, Accounts: seeded, ShowsReplicators: true}); err != nil {
		return err
	}
	if dir, err = os.MkdirTemp(e.Dir, "ds389-consumer-"); err != nil {
		return err
	}
	if e.DS389Consumer, err = lab.StartDS389(ctx, lab.DS389Options{Dir: dir, CA: e.CA, ReplicaOf: e.DS389, ShowsReplicators: true}); err != nil {
		return err
	}
	conn, err := e.DS389.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, a := range accounts {
		got, err := conn.Search(ldap.NewSearchRequest(e.DS389.AccountDN(a.UID), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"nsUniqueId"}, nil))
		if err != nil || len(got.Entries) != 1 {
			return fmt.Errorf("estate: reading the nsUniqueId of %s: %w", a.UID, err)
		}
		e.ds389 = append(e.ds389, domainAccount{a.UID, DS389Name + "/" + got.Entries[0].GetEqualFoldAttributeValue("nsUniqueId")})
	}
	return nil
}

func (e *Estate) inVault389(i int) bool { return i < (2*e.opts.DS389+2)/3 }
func (e *Estate) tagged389(i int) bool  { return i >= e.opts.DS389/3 }

// DS389Servers are the supplier, which is the write server, and the consumer.
func (e *Estate) DS389Servers() []string { return []string{e.DS389.LDAPS(), e.DS389Consumer.LDAPS()} }

func (e *Estate) seedDS389(secrets, metadata map[string]map[string]any) {
	if e.DS389 == nil {
		return
	}
	secrets["infra/rollcall-bind-ds389"] = map[string]any{"username": "rollcall", "password": e.DS389.BinderPassword}
	for i, a := range e.ds389 {
		if e.inVault389(i) {
			kv := "apps/" + Device + "/" + a.uid
			secrets[kv] = map[string]any{"username": a.uid, "password": e.DS389.SeededPassword(a.uid)}
			metadata[kv] = map[string]any{"directory": DS389Name, "account": a.uid, "field": "password"}
			e.Live[a.id] = credential.Path{Mount: "kv", Path: kv, Field: "password"}
		}
		e.Stolen = append(e.Stolen, intruder.Stolen{
			ID: a.id, Kind: intruder.LDAP, Servers: e.DS389Servers(), CAPEM: e.DS389.CA,
			DN: e.DS389.AccountDN(a.uid), Password: e.DS389.SeededPassword(a.uid),
		})
	}
}

// ds389YAML is its part of the campaign file, and ds389Source the source that
// lists it.
func (e *Estate) ds389YAML() string {
	if e.DS389 == nil {
		return ""
	}
	return fmt.Sprintf("  %s:\n    driver: 389ds\n    servers:\n      - %s\n    base: %s\n    ca_file: ca.pem\n    bind:\n      dn: %s\n      password: kv/infra/rollcall-bind-ds389#password\n\n",
		DS389Name, strings.Join(e.DS389Servers(), "\n      - "), e.DS389.BaseDN(), e.DS389.BinderDN)
}

func (e *Estate) ds389Source() string {
	if e.DS389 == nil {
		return ""
	}
	return fmt.Sprintf("  - name: unix-directory\n    type: directory\n    directory: %s\n    filter: (description=*%s*)\n", DS389Name, Device)
}
