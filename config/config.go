// Package config reads the campaign file: one YAML file that names the
// device, the directories, the sources and the limits of a campaign. It holds
// references to secrets, never a secret.
package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/notify/settings"
	"rollcall/internal/profile"
)

// Rollcall's own mounts where a file does not name them.
const (
	DefaultMount   = "rollcall"
	DefaultTransit = "rollcall-transit"
)

// Campaign is a campaign file after Load: complete, with defaults filled in
// and file references resolved. Marshalled to JSON it is what a worker needs
// (besides its own login to Vault and Temporal), so any worker can serve any
// campaign; CA files and manifests are embedded for that reason.
type Campaign struct {
	// Device is the compromised appliance: letters, digits, '.', '_', '-'.
	Device string `json:"device"`
	// Formerly are names that it had in earlier campaign files.
	Formerly []string `json:"formerly,omitempty"`

	// Incident is the ticket of what happened; zero where nobody says.
	Incident credential.Incident `json:"incident,omitzero"`

	// Containment says how and since when the device can reach nothing any
	// more; nil where nobody says so.
	Containment *Containment `json:"containment,omitempty"`
	// Override: whoever started the campaign goes on although the device may
	// not be contained. No campaign file has it.
	Override *Word `json:"override,omitempty"`
	// UnfitDoors: whoever started the campaign goes on with doors that are not
	// what the file says. No campaign file has it.
	UnfitDoors *Word `json:"unfit_doors,omitempty"`

	// Profile is what a device of its type can hold; nil where the file names
	// none.
	Profile *profile.Profile `json:"profile,omitempty"`
	// Answers are what people say of its lines; nil where there are none yet.
	Answers *profile.Answers `json:"answers,omitempty"`
	// AnswersFile is their file as the campaign file has it.
	AnswersFile string `json:"answers_file,omitempty"`
	// Unanswered: whoever started the campaign goes on with lines that nobody
	// has answered. No campaign file has it.
	Unanswered *Word `json:"unanswered,omitempty"`

	// Scheduled: a schedule starts it, so that it stays for nobody. No campaign
	// file has it.
	Scheduled bool `json:"scheduled,omitempty"`

	// First are those of the roll that are tried before all others, which then
	// wait until somebody lets them go on. No campaign file has it.
	First *Selection `json:"first,omitempty"`

	// Exposure are the intervals in which the device was in foreign hands.
	Exposure []Interval `json:"exposure,omitempty"`

	Vault       Vault                `json:"vault"`
	Directories map[string]Directory `json:"directories"`
	// Systems are the authorities of further types, by name.
	Systems Systems `json:"systems,omitempty"`
	// Doors are services that take credentials of authorities besides those
	// themselves, by name.
	Doors   map[string]door.Settings `json:"doors,omitempty"`
	Sources []Source                 `json:"sources"`
	Exclude []Exclude                `json:"exclude,omitempty"`
	Accept  []Accept                 `json:"accept,omitempty"`
	Confirm []Confirm                `json:"confirm,omitempty"`

	// Waves in order. What no wave matches goes into one more, last wave.
	// Logins to Vault go before all else whatever they say.
	Waves []Wave `json:"waves,omitempty"`

	Limits Limits `json:"limits"`

	// DoorLines are where doors stand in the file, by name.
	DoorLines map[string]int `json:"door_lines,omitempty"`
	// FileSHA256 is the SHA-256 of the file as it was read, in hex: by it the
	// ledger names the file that a campaign was started with.
	FileSHA256 string `json:"file_sha256,omitempty"`

	// Notify is who is told how the campaign goes.
	Notify settings.Notify `json:"notify,omitzero"`
	// UsedBy is who reads what lies at paths of Vault.
	UsedBy []settings.UsedBy `json:"used_by,omitempty"`
	// Open is who sees to what stays open; nil where nobody says.
	Open *OpenItems `json:"open,omitempty"`

	// Logs are formats of logs of the operator's own.
	Logs []Log `json:"logs,omitempty"`
	// Watch is which logs are followed; nil where the file does not say.
	Watch *Watch `json:"-"`

	// LedgerDir holds one ledger per campaign in a folder of its own. Relative
	// paths are relative to the campaign file; Load makes it absolute. Default:
	// "ledger".
	LedgerDir string `json:"-"`
}

// Exposed words the intervals for the ledger.
func (c *Campaign) Exposed() string {
	var out []string
	for _, i := range c.Exposure {
		to := "now"
		if !i.To.IsZero() {
			to = when(i.To, true)
		}
		out = append(out, when(i.From, false)+" to "+to)
	}
	return strings.Join(out, ", ")
}

// when is a time as parseWhen reads it: a date alone where it says it all.
func when(t time.Time, end bool) string {
	date := t.Format(time.DateOnly)
	if whole, err := parseWhen(date, end); err == nil && whole.Equal(t) {
		return date
	}
	return t.Format(time.RFC3339)
}

// Interval is a span of time; To is zero while it lasts.
type Interval struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// Vault says where Rollcall keeps its own things and where adopted accounts
// get a path. How to reach and log in to Vault comes from Vault's own
// environment (VAULT_ADDR, VAULT_TOKEN, …), never from this file.
type Vault struct {
	// Mount is our KV v2 mount for staging, rolls, checkpoints. Default
	// "rollcall".
	Mount string `json:"mount"`
	// Transit is our transit mount with the key "ledger". Default
	// "rollcall-transit".
	Transit string `json:"transit"`
	// Adopt is the path for an account that has none, with {directory} and
	// {account} (the uid or sAMAccountName, else cn, else the immutable id)
	// replaced. Default DefaultAdopt.
	Adopt string `json:"adopt"`
	// HandOver is where a person's temporary password is left for its owner,
	// with the same placeholders. Default
	// "kv/rollcall/handover/{directory}/{account}#password".
	HandOver string `json:"handover"`
	// RotateLogin puts the AppRole with which the workers log in on the roll
	// too.
	RotateLogin bool `json:"rotate_login,omitempty"`
	// Password is the policy for new passwords of userpass users.
	Password PasswordPolicy `json:"password,omitzero"`
	// Rehearsal is what a rehearsal may work with.
	Rehearsal VaultRehearsal `json:"rehearsal,omitzero"`
}

// AdoptElsewhere is what to do where no mount serves what Adopt names: its
// default is a guess, for many a Vault has no mount that is called kv.
func (v Vault) AdoptElsewhere() string {
	mount, _, _ := strings.Cut(v.Adopt, "/")
	return fmt.Sprintf("it is where the campaign file sends the new value of an account that has no path of its own (vault.adopt, %s unless it says otherwise): make that mount (`vault secrets enable -path=%s -version=2 kv`), or name one that is there (vault: {adopt: \"MOUNT/rollcall/{directory}/{account}#password\"}), then `rollcall init` again",
		DefaultAdopt, mount)
}

// Directory is one LDAP directory with all its servers.
type Directory struct {
	// Driver is the sort of server: OpenLDAP, DS389 or ActiveDirectory.
	Driver string `json:"driver"`
	// Servers are ldaps:// or ldap:// URLs, as ServerAt writes them. The first
	// is the write server; the stolen value is proved dead on every one.
	Servers []string `json:"servers"`
	// Addresses are where servers are dialled whose name had one address when
	// the roll was listed: looked up again, it could be another machine. No
	// campaign file has them.
	Addresses map[string]string `json:"addresses,omitempty"`
	// Formerly are servers that the directory had before and has no more, for a
	// directory that moved: campaigns knew it by them.
	Formerly []string `json:"formerly,omitempty"`
	// Discover says where the servers that Servers leaves out are found, once
	// for each campaign: FromConfiguration, FromDNS or empty for nowhere.
	Discover string `json:"discover,omitempty"`
	// Base DN below which accounts are found.
	Base string `json:"base"`
	// StartTLS upgrades ldap:// connections. Without it ldap:// needs Insecure.
	StartTLS bool `json:"starttls,omitempty"`
	// Insecure allows clear text: passwords are readable on the network.
	Insecure bool `json:"insecure,omitempty"`
	// CA is the PEM text of ca_file; empty means the system's roots.
	CA string `json:"ca,omitempty"`
	// Bind is the identity with which the worker resets passwords.
	Bind Bind `json:"bind"`
	// Partner makes a pair of Bind: each resets the other, so that both can be
	// rotated. Zero when the file names one identity.
	Partner Bind `json:"partner,omitzero"`
	// Set is "exop" (RFC 3062, default) or "replace" (of userPassword, default
	// for 389 Directory Server). Empty for Active Directory, which has one way.
	Set string `json:"set,omitempty"`
	// DefaultPolicy is the password policy of accounts that name none, as a
	// person says who knows ppolicy_default (slapo-ppolicy(5)): its DN,
	// NoPolicy where there is none, empty where nobody says. What the server's
	// own configuration shows counts before it. OpenLDAP alone has it.
	DefaultPolicy string `json:"default_policy,omitempty"`
	// Password is the policy for new values.
	Password PasswordPolicy `json:"password"`
	// Rehearse is where a bogus account to rehearse with may be made, or which
	// one an administrator made.
	Rehearse authority.Rehearsal `json:"rehearsal,omitzero"`
	// RatePerSecond limits operations on the directory as a whole; 0 means
	// none.
	RatePerSecond float64 `json:"rate_per_second,omitempty"`
	// Connections is the most connections per server and pool, and so the most
	// credentials that are between Set and the proof at once. Default 8.
	Connections int `json:"connections"`
	// Timeout of one connect or one operation. Default 10s.
	Timeout Duration `json:"timeout"`
}

// Drivers.
const (
	OpenLDAP        = "openldap"
	DS389           = "389ds"
	ActiveDirectory = "active-directory"
)

// NoPolicy says of a directory that it has no default password policy.
const NoPolicy = "none"

// Places where the servers of a directory are found.
const (
	FromConfiguration = "configuration" // the configuration partition of an Active Directory forest
	FromDNS           = "dns"           // SRV records
)

// Kind is the kind of credential that the directory's accounts have unless
// something says otherwise; empty if its driver is unknown.
func (d Directory) Kind() credential.Kind {
	if kinds := drivers[d.Driver].kinds; len(kinds) > 0 {
		return kinds[0]
	}
	return ""
}

// Takes reports whether the directory's accounts can have credentials of kind
// k.
func (d Directory) Takes(k credential.Kind) bool {
	return slices.Contains(drivers[d.Driver].kinds, k)
}

// TakesPeople reports whether there is a kind for people's accounts there.
func (d Directory) TakesPeople() bool {
	return slices.ContainsFunc(drivers[d.Driver].kinds, func(k credential.Kind) bool { return k.Traits().HandsOver })
}

// Domain is the DNS domain that the directory is; empty where its driver knows
// no domains.
func (d Directory) Domain() string {
	if !drivers[d.Driver].domains {
		return ""
	}
	return Domain(d.Base)
}

// HasDomains reports whether the directory is a domain, whose accounts may be
// written DOMAIN\\account and account@domain.
func (d Directory) HasDomains() bool { return drivers[d.Driver].domains }

// OnlyTLS reports whether the directory takes passwords only over TLS.
func (d Directory) OnlyTLS() bool { return drivers[d.Driver].tlsOnly }

// Identities are the logins to the directory, in the order of the file: one, or
// a pair.
func (d Directory) Identities() []Bind {
	if d.Partner == (Bind{}) {
		return []Bind{d.Bind}
	}
	return []Bind{d.Bind, d.Partner}
}

// Paired reports whether the directory names two identities.
func (d Directory) Paired() bool { return len(d.Identities()) == 2 }

// Bind is a DN and the Vault path of its password.
type Bind struct {
	DN       string          `json:"dn"`
	Password credential.Path `json:"password"`
}

// PasswordPolicy says how new values are made.
type PasswordPolicy = authority.PasswordPolicy

// Source is one place where credentials are found.
type Source struct {
	// Name for provenance; default: the type, with a number if it repeats.
	Name string `json:"name"`
	// Type is manifest, vault-kv, directory, vault-approle, vault-userpass,
	// vault-tokens, postgresql-roles or evidence.
	Type string `json:"type"`
	// Line in the campaign file, for messages.
	Line int `json:"-"`
	// ProfileLines are the lines of the device's profile that all of what it
	// finds answers.
	ProfileLines []string `json:"lines,omitempty"`

	// Kind, with manifest and directory: user-password if what it lists are
	// people's accounts, which Active Directory alone has. Empty: what the
	// directory's accounts have.
	Kind credential.Kind `json:"kind,omitempty"`

	// manifest: the file (YAML or CSV by its extension), and its bytes.
	File    string `json:"file,omitempty"`
	Content []byte `json:"content,omitempty"`

	// vault-kv: list every secret below this prefix ("kv/apps/esg-01"). The
	// keys in custom_metadata: account, directory (may be left out where there
	// is one; "vault" for a login to Vault), field (default password, or
	// secret_id).
	Prefix string `json:"prefix,omitempty"`
	// AccountField, with vault-kv: a field of each secret that says whose it is
	// ("username"), where the metadata names no account. It is the secret's own
	// word, as metadata is. Directory is then whose accounts are meant where
	// the metadata names none.
	AccountField string `json:"account_field,omitempty"`

	// directory: which one, and an LDAP filter; Base narrows the search.
	Directory string `json:"directory,omitempty"`
	Filter    string `json:"filter,omitempty"`
	Base      string `json:"base,omitempty"`

	// vault-approle: roles of this auth mount (default "approle") that match
	// any of: a name glob, a CIDR that a role or secret-id is bound to, a
	// secret-id metadata key=value.
	Mount    string            `json:"mount,omitempty"`
	Role     string            `json:"role,omitempty"`
	CIDR     string            `json:"cidr,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`

	// vault-userpass: users of this auth mount (Mount, default "userpass") that
	// match any of: a name glob, a CIDR that the user is bound to (CIDR).
	User string `json:"user,omitempty"`

	// vault-tokens: tokens of these accessors, and those that other tokens made
	// and that fit all else that is named: globs of the display name and of a
	// policy, metadata key=value (Metadata).
	Accessors   []string `json:"accessors,omitempty"`
	DisplayName string   `json:"display_name,omitempty"`
	Policy      string   `json:"policy,omitempty"`

	// postgresql-roles: roles of the cluster Directory that may log in and
	// match any of: a name glob (Role), membership in a role, a network from
	// which they are logged in now or which pg_hba.conf names for them (CIDR).
	MemberOf string `json:"member_of,omitempty"`

	// evidence: the accounts that its file (File) has as logged in from the
	// device, and what it has besides. Addresses are further ones at which the
	// logs show the device.
	Addresses []string        `json:"addresses,omitempty"`
	Seen      []taken.Account `json:"seen,omitempty"`
	NotTaken  taken.Rest      `json:"not_taken,omitzero"`
	Record    *taken.Record   `json:"record,omitempty"` // what the ledger is told of it
}

// Exclude leaves out what it names and no more: one account, or one place in
// Vault, whose account stays on the roll if anything else ties it; or what an
// earlier campaign left open and no source names any more. Exactly one of
// Account, Path and Campaign is set.
type Exclude struct {
	Account  string `json:"account,omitempty"`  // DN, entryUUID, uid, AppRole "mount/role" or userpass user "mount/name"
	Path     string `json:"path,omitempty"`     // mount/path#field, or mount/path for a secret as a whole
	Campaign string `json:"campaign,omitempty"` // that left it open
	Reason   string `json:"reason"`             // required
}

// Wave matches credentials by all of the fields that are set.
type Wave struct {
	Name      string          `json:"name"`
	Kind      credential.Kind `json:"kind,omitempty"`
	Directory string          `json:"directory,omitempty"`
	Source    string          `json:"source,omitempty"`
	Account   string          `json:"account,omitempty"` // pattern (Matches) on uid or DN
	Batch     int             `json:"batch,omitempty"`   // credentials in one dispatch; 1 for the careful lane; default Limits.Batch
	Wait      string          `json:"wait,omitempty"`    // what of it the next wave waits for: WaitPass (the default) or WaitProof
}

// What of a wave the next one waits for.
const (
	WaitPass  = "pass"  // that each of its credentials was tried once
	WaitProof = "proof" // that it has ended: each is dead, or an exception
)

// ForProof reports whether the next wave waits for the end of this one.
func (w Wave) ForProof() bool { return w.Wait == WaitProof }

// OfLogins reports whether the wave takes logins to Vault and nothing else.
func (w Wave) OfLogins() bool {
	return w.Kind.OpensVault() || w.Kind == "" && w.Directory == credential.VaultAuthority
}

// Limits bound a campaign.
type Limits struct {
	Batch       int      `json:"batch"`       // 1..500; 0 if the file leaves it to workflows.BatchSize
	Parallel    int      `json:"parallel"`    // batches in flight, default 4
	Concurrency int      `json:"concurrency"` // credentials at once in one batch, default 16
	RetryMin    Duration `json:"retry_min"`   // first wait before open ones are tried again, default 5s
	RetryMax    Duration `json:"retry_max"`   // longest such wait, default 5m
	Deadline    Duration `json:"deadline"`    // open ones become exceptions after this, default 4h
}

// Duration is a time.Duration that reads and writes "90s", "5m", "4h".
type Duration time.Duration
