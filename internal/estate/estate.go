// Package estate seeds a small company on real servers: directories, Vault, and
// an appliance esg-01 that held some of its credentials. The demo, the tests
// and the bench run campaigns on it.
package estate

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// Device is the appliance.
const Device = "esg-01"

// Contained says how and since when it is contained, as campaign files say it.
const Contained = "{how: isolated, at: 2023-06-08T09:00:00Z, by: estate}"

// Options say how large the estate is and what is odd in it.
type Options struct {
	Dir         string
	Accounts    int  // service accounts tied to the device, besides the odd ones
	Replica     bool // a second slapd that replicates from the first
	Odd         bool // the exceptional cases: see seedOdd
	AppRoles    int  // logins of the device to Vault
	Users       int  // more of them, by userpass
	LDAPLogin   bool // the first account logs in to Vault too, and reads there what the device's logins do
	Tagged      int  // more accounts that only the directory ties to the device
	Bystanders  int  // accounts that are not tied to the device
	Pair        bool // each directory is worked on by two identities that reset each other
	Domain      int  // accounts of an Active Directory domain tied to the device; needs root
	People      int  // people of that domain whose own passwords passed through the device
	Controllers bool // the domain has a second domain controller that replicates from the first
	Policy      lab.SlapdPolicy
	DS389       int // accounts of a 389 Directory Server and its consumer that are tied to the device
	DS389Policy lab.DS389Policy
	File        bool // Vault keeps its data on disk, to be killed and restarted
	Logs        bool // each slapd writes what it is asked
	Profile     bool // the campaign file names the device's profile, and every line has an answer
	// Doors is how the accounts' names begin that log in at a mail server with
	// a cache of logins and at a file server too; "" is neither server.
	// DoorCache is for how long that cache keeps them. With DoorDelays it
	// answers wrong logins as late as it does by itself.
	Doors      string
	DoorCache  time.Duration
	DoorDelays bool
	Relay      bool // they send mail as well, by a relay whose checker keeps logins for RelayCache; needs root
	Plant      bool // the thief wrote a bystander's name into the metadata of a secret of the device

	Postgres           int // roles of a PostgreSQL cluster, a primary and its replica, that are tied to the device
	PostgresBystanders int // roles of it that are not

	DomainBystanders int  // accounts of the domain that are not tied to the device
	SingleReset      bool // one more account of the domain, for ResetOnce
}

// Estate is a running estate.
type Estate struct {
	Dir         string
	CA          *lab.CA
	Slapd       *lab.Slapd
	Replica     *lab.Slapd     // nil without
	Domain      *lab.Samba     // nil without
	Controllers *lab.SambaPair // nil without; Domain is its first
	Vault       *lab.Vault

	DS389, DS389Consumer *lab.DS389 // nil without

	Postgres, PostgresReplica *lab.Postgres // nil without

	Mail    *lab.Dovecot // nil without Doors
	Files   *lab.ProFTPD
	Relay   *lab.Postfix // nil without
	Checker *lab.Saslauthd

	// Stolen are the credentials in the intruder's hands, by ledger id.
	Stolen []intruder.Stolen
	// AtDoors are those of them that log in at doors as well, by the same id.
	AtDoors []intruder.Stolen
	// Single is stolen too, and for ResetOnce instead of a campaign; without an
	// id if there is none.
	Single intruder.Stolen
	// Known are accounts that the intruder knows of and holds no value of, by
	// ledger id: the bystanders and Rollcall's own identities. What it reads is
	// tried there too.
	Known []intruder.Stolen
	// Bystanders are credentials that must stay as they are: value by DN.
	Bystanders map[string]credential.Secret
	// Directory is YAML for the directory in the campaign file, four spaces
	// deep: "    rate_per_second: 100\n".
	Directory string
	// Cluster is the same for the PostgreSQL cluster.
	Cluster string
	// Sources is YAML for more sources, two spaces deep.
	Sources string
	// Exposure and Containment are what the campaign file says of the device,
	// as YAML on one line.
	Exposure, Containment string
	// Live is where Vault keeps each stolen credential, by ledger id; adopted
	// ones are missing.
	Live map[string]credential.Path
	// HandOver is where a person's temporary password is to be, by ledger id.
	HandOver map[string]credential.Path

	opts Options
	// ownIDs are the ledger ids of the worker's bind identities, by DN; empty
	// without a pair.
	ownIDs map[string]string
	uuids  map[string]string // uid -> entryUUID
	rows   [][]string        // of the manifest
	plan   []account
	// planted is the value of the secret that the thief wrote the metadata of.
	planted string

	domain, people   []domainAccount
	domainBystanders []string // by sAMAccountName
	ds389            []domainAccount
	roles            []domainAccount   // of the cluster, by role
	roleBystanders   []string          // by role
	ownRoles         map[string]string // ids of the worker's, by role
}

// account is one seeded account and where it is known.
type account struct {
	lab.Account
	kv       string // Vault path below kv/, or empty
	metadata bool   // the path names the account
	tagged   bool   // the directory entry names the device
	listed   bool   // in the manifest
	changed  string // what the directory really has, if not Password
}

// Start starts the servers and seeds them. On an error everything is stopped.
func Start(ctx context.Context, o Options) (e *Estate, err error) {
	e = &Estate{Dir: o.Dir, opts: o, Exposure: "[{from: 2022-10-10, to: 2023-06-08}]", Containment: Contained, Bystanders: map[string]credential.Secret{}, Live: map[string]credential.Path{}, HandOver: map[string]credential.Path{}, uuids: map[string]string{}, ownIDs: map[string]string{}, ownRoles: map[string]string{}}
	defer func() {
		if err != nil {
			e.Stop(context.WithoutCancel(ctx))
			e = nil
		}
	}()
	if e.CA, err = lab.NewCA(); err != nil {
		return e, err
	}
	e.planAccounts()
	// A domain takes longer than all the rest.
	both, within := errgroup.WithContext(ctx)
	both.Go(func() error { return e.startDomain(within) })
	both.Go(func() error { return e.startDS389(within) })
	both.Go(func() error { return e.startPostgres(within) })
	both.Go(func() error {
		if err := e.startServers(within); err != nil {
			return err
		}
		if err := e.startDoors(within); err != nil {
			return err
		}
		return e.findUUIDs(within)
	})
	if err = both.Wait(); err != nil {
		return e, err
	}
	if err = e.seedVault(ctx); err != nil {
		return e, err
	}
	if err = e.seedAppRoles(ctx); err != nil {
		return e, err
	}
	if err = e.seedUsers(ctx); err != nil {
		return e, err
	}
	if err = e.seedDirectoryLogin(ctx); err != nil {
		return e, err
	}
	if err = e.seedPlant(ctx); err != nil {
		return e, err
	}
	return e, e.writeManifest()
}

// Stop stops every server.
func (e *Estate) Stop(ctx context.Context) {
	e.stopDoors(ctx)
	if e.Replica != nil {
		_ = e.Replica.Stop(ctx)
	}
	if e.Slapd != nil {
		_ = e.Slapd.Stop(ctx)
	}
	if e.PostgresReplica != nil {
		_ = e.PostgresReplica.Stop(ctx)
	}
	if e.Postgres != nil {
		_ = e.Postgres.Stop(ctx)
	}
	if e.DS389Consumer != nil {
		_ = e.DS389Consumer.Stop(ctx)
	}
	if e.DS389 != nil {
		_ = e.DS389.Stop(ctx)
	}
	if e.Domain != nil {
		_ = e.Domain.Stop(ctx)
	}
	if e.Controllers != nil {
		_ = e.Controllers.Stop(ctx)
	}
	if e.Vault != nil {
		_ = e.Vault.Stop(ctx)
	}
}

func (e *Estate) startServers(ctx context.Context) (err error) {
	var accounts []lab.Account
	for _, a := range e.plan {
		if a.changed != "" {
			a.Password = a.changed
		}
		accounts = append(accounts, a.Account)
	}
	e.Slapd, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: filepath.Join(e.Dir, "slapd"), CA: e.CA, Policy: e.opts.Policy, Accounts: accounts, ShowsReplicators: true, Stats: e.opts.Logs})
	if err != nil {
		return err
	}
	if e.opts.Replica {
		e.Replica, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: filepath.Join(e.Dir, "slapd-replica"), CA: e.CA, ReplicaOf: e.Slapd, ShowsReplicators: true, Stats: e.opts.Logs})
		if err != nil {
			return err
		}
		if err := e.Replica.AwaitReplication(ctx); err != nil {
			return err
		}
	}
	e.Vault, err = lab.StartVault(ctx, lab.VaultOptions{Dir: filepath.Join(e.Dir, "vault"), Audit: true, File: e.opts.File})
	return err
}

// Servers are the LDAP servers, the write server first.
func (e *Estate) Servers() []string {
	out := []string{e.Slapd.LDAPS()}
	if e.Replica != nil {
		out = append(out, e.Replica.LDAPS())
	}
	return out
}

func (e *Estate) findUUIDs(ctx context.Context) error {
	conn, err := e.Slapd.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(e.Slapd.PeopleDN(), ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
		"(uid=*)", []string{"uid", "entryUUID"}, nil), 500)
	if err != nil {
		return fmt.Errorf("estate: reading entryUUIDs: %w", err)
	}
	err = e.findBinders(conn, "entryUUID", func(id []byte) string { return "corp/" + string(id) }, e.Slapd.BinderDN, e.Slapd.PartnerDN)
	if err != nil {
		return err
	}
	for _, entry := range found.Entries {
		e.uuids[entry.GetAttributeValue("uid")] = entry.GetAttributeValue("entryUUID")
	}
	return nil
}

// ID is the ledger's id of an account.
func (e *Estate) ID(uid string) string { return "corp/" + e.uuids[uid] }

func (e *Estate) writeManifest() error {
	if len(e.rows) == 0 {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(e.Dir, "handover.csv"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	head := []string{"kind", "directory", "account", "path", "note"}
	if e.opts.Profile {
		head = append(head, "line")
	}
	_ = w.Write(head)
	_ = w.WriteAll(e.answered(e.rows))
	if err := w.Error(); err != nil {
		return err
	}
	return f.Close()
}

// Environ is the environment with which rollcall reaches the estate's Vault.
func (e *Estate) Environ() []string {
	return []string{"VAULT_ADDR=" + e.Vault.Address(), "VAULT_TOKEN=" + e.Vault.RootToken().Reveal()}
}

// CampaignFile writes campaign.yaml into the estate's folder and returns its
// path. servers replaces the LDAP servers (for a proxy in front); nil means the
// estate's own. more is YAML appended to the file, such as limits.
func (e *Estate) CampaignFile(servers []string, more string) (string, error) {
	if servers == nil {
		servers = e.Servers()
	}
	ca := filepath.Join(e.Dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(e.Slapd.CA), 0o644); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "device: %s\nexposure: %s\ncontainment: %s\n%s\n", Device, e.Exposure, e.Containment, e.profileYAML())
	fmt.Fprintf(&b, "directories:\n  corp:\n    driver: openldap\n    servers:\n")
	for _, s := range servers {
		fmt.Fprintf(&b, "      - %s\n", s)
	}
	fmt.Fprintf(&b, "    base: %s\n    ca_file: ca.pem\n%s", e.Slapd.BaseDN(), e.bindYAML(e.Slapd.BinderDN, e.Slapd.PartnerDN, "kv/infra/rollcall-bind"))
	b.WriteString(e.Directory + "\n")
	b.WriteString(e.domainYAML() + e.ds389YAML() + e.postgresYAML())
	fmt.Fprintf(&b, "sources:\n  - name: vault\n    type: vault-kv\n    prefix: kv/apps/%s\n%s", Device, e.lineYAML(lookups))
	if slices.ContainsFunc(e.plan, func(a account) bool { return a.tagged }) { // a source that finds nothing is a warning
		fmt.Fprintf(&b, "  - name: directory\n    type: directory\n    directory: corp\n    filter: (description=*%s*)\n%s", Device, e.lineYAML(lookups))
	}
	b.WriteString(e.ds389Source() + e.peopleYAML())
	if len(e.rows) > 0 {
		fmt.Fprintf(&b, "  - name: handover\n    type: manifest\n    file: handover.csv\n")
	}
	if e.opts.AppRoles > 0 {
		fmt.Fprintf(&b, "  - name: logins\n    type: vault-approle\n    mount: approle\n    role: %s-*\n", Device)
	}
	if e.opts.Users > 0 {
		fmt.Fprintf(&b, "  - name: users\n    type: vault-userpass\n    user: %s-*\n", Device)
	}
	b.WriteString(e.Sources + "\n" + e.singleYAML() + more)
	if err := e.writeAnswers(); err != nil {
		return "", err
	}
	path := filepath.Join(e.Dir, "campaign.yaml")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}
