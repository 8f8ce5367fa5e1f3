package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// Authorities are those of the campaign file, opened, by name.
type Authorities struct {
	Directories map[string]Directory
	Systems     map[string]authority.Finder
	// Tokens are those of Vault, for a listing after which something is set.
	// Nil: nobody looks at them. A look ends, rarely, a token that Vault is
	// just making (minted.NotLookedUp), so who lists for himself makes none.
	Tokens *minted.Tokens
	// Kept are readings of what Vault's engines keep that this look may share.
	// Nil: there are none.
	Kept *Kept
	// Asks offers a value to an account once, where what follows sets
	// something: a listing that changes nothing costs nobody a wrong login.
	// Nil: nobody is asked.
	Asks func(ctx context.Context, c credential.Credential, value credential.Secret) (takes bool, why string)
	// Contained is what is known of the device's containment; it may wait for
	// the device's silence. Nil: nobody asked.
	Contained func() *credential.Containment
	// LeadsKey is the key with which a roll tells hosts (vault.Leads.Digest),
	// or nil where this login may not have it. Nil: none is kept.
	LeadsKey func(ctx context.Context) ([]byte, error)
	// Running is the campaign that lists again. Nil: what is listed is the roll
	// of a campaign that begins.
	Running *Running
	// Saw is told what each path that is read holds, and when it was asked.
	// Nil: no value leaves the listing. It may be called by several at once.
	Saw func(p credential.Path, live vault.Live, asked time.Time)
}

// Directory searches one LDAP directory, over pages. *directory.Client is one.
type Directory interface {
	// Find calls each for every entry below base (subtree) that matches. An
	// error of each ends the search and is returned. elsewhere are servers that
	// hold a part which was not searched.
	Find(ctx context.Context, server, base, filter string, attrs []string, each func(directory.Entry) error) (elsewhere []string, err error)
	// Named is the entry of a name; found is false where the server shows none.
	Named(ctx context.Context, server, dn string, attrs []string) (e directory.Entry, found bool, err error)
	// Referrals are the entries below which another server takes over, with its
	// URLs.
	Referrals(ctx context.Context, server string) (map[string][]string, error)
	// Contexts are the naming contexts below base that a search there does not
	// reach.
	Contexts(ctx context.Context, server, base string) ([]directory.Context, error)
	// DomainName is what stands before the backslash in DOMAIN\account; empty
	// where it is not shown.
	DomainName(ctx context.Context, server string) (string, error)
	// Servers lists the servers; the first is the write server.
	Servers() []string
}

// Vault lists KV v2 secrets by their metadata, and gives the client for reading
// AppRoles. *ownmount.Store is one.
type Vault interface {
	// ListSecrets calls each for every secret below prefix ("mount/path").
	ListSecrets(ctx context.Context, prefix string, each func(vault.SecretMeta) error) error
	// ActivatedPlaces are the paths at which Rollcall put values, by credential
	// id.
	ActivatedPlaces(ctx context.Context, ids []string) (map[string][]credential.Path, error)
	// SinceActivated says what became of such a path, by what it holds now.
	SinceActivated(ctx context.Context, id string, p credential.Path, live vault.Live) (ownmount.Since, error)
	// HeldThen is what was stolen of what lies at a path, StolenKept what was
	// kept of what was stolen of a task, and ReadStaged what campaigns staged.
	HeldThen(ctx context.Context, c *config.Campaign, p credential.Path, live vault.Live) (ownmount.Then, error)
	// HeldBefore is what lay there before.
	HeldBefore(ctx context.Context, c *config.Campaign, p credential.Path) (ownmount.LastBefore, error)
	StolenKept(ctx context.Context, id string) (ownmount.StolenValues, error)
	ReadStaged(ctx context.Context, id string) (ownmount.Staged, bool, error)
	// HeldSince reports whether a path still holds the value of an earlier
	// version.
	HeldSince(ctx context.Context, was ownmount.Placed, live vault.Live) (bool, error)
	// LastRoll is what the last campaign of the device besides this one had on
	// its roll.
	LastRoll(ctx context.Context, device, campaign string, formerly ...string) (*ownmount.LastRoll, error)
	// Leftovers are staged values that may be in force and that nobody has in
	// hand.
	Leftovers(ctx context.Context, device, campaign string, formerly ...string) ([]ownmount.Leftover, error)
	// OtherRolls are the newest rolls of other devices.
	OtherRolls(ctx context.Context, device string, formerly ...string) ([]ownmount.OtherRoll, error)
	// Cut finds the mount that serves a path.
	Cut(ctx context.Context, full string) (vault.Place, error)
	// Mounts are those that our login sees, of whatever type.
	Mounts(ctx context.Context) ([]string, error)
	// Names lists one folder of a mount; subfolders end in "/". An absent one
	// is empty.
	Names(ctx context.Context, op, mount, folder string) ([]string, error)
	ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error)
	// Keeping is what Vault does by itself with what is written, by the
	// settings of a secret and its mount; MountKeeping by those of the mount
	// alone.
	Keeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	MountKeeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	API() *vaultapi.Client
	Health(ctx context.Context) (*vaultapi.HealthResponse, error)
}

// Warning is something about the listing as a whole that a person should read
// before the campaign runs: an exclude that matches nothing, a source that
// found nothing. It travels with the roll to the ledger and to reports.
type Warning = credential.Finding

// lister gathers candidates.
type lister struct {
	c          *config.Campaign
	dirs       map[string]Directory
	systems    map[string]authority.Finder
	tokens     *minted.Tokens
	vault      Vault
	kept       *Kept
	onRead     func(credential.Path, vault.Live, time.Time)
	offers     func(context.Context, credential.Credential, credential.Secret) (bool, string)
	leadsKey   func(context.Context) ([]byte, error)
	running    *Running
	candidates []Candidate
	tasks      []credential.Credential // of people
	doorUses   doorUses
	taskDoors  map[string][]config.DoorOf // that rows name for them, by id
	unmade     []unmade                   // places of tasks where nothing is
	newTasks   []string                   // whose rows say that the secret is not there yet, by id
	warnings   []Warning

	mu        sync.Mutex
	elsewhere map[string]map[string]bool // servers that hold a part of a directory
	hints     map[reference]string       // why a reference was not looked up

	auths    *mountTypes // nil: not asked yet
	unlisted []string    // userpass mounts whose users we may not list

	placed   map[string][]credential.Path                  // where earlier campaigns put values, by credential id
	recorded map[string]map[credential.Path]ownmount.Since // of those that hold something, what became of them

	mounts     []*authMount               // of type ldap, that ask a directory of the campaign
	uses       []vaultUse                 // accounts with which Vault itself works
	keptNoted  bool                       // what engines keep is in uses
	engines    []*engine                  // of Vault, that may work with an account of the campaign
	hosts      sync.Map                   // addresses by host, as this machine sees them
	spellings  sync.Map                   // what directories call entries, by reference: asked
	older      sync.Map                   // versions of secrets besides the present one: olderVersions
	folders    sync.Map                   // names in folders of auth mounts, by path: listOnce
	ofEntity   sync.Map                   // logins of Vault's identities, by id: loginsOfEntity
	entries    sync.Map                   // AppRoles and users, by path: roleOnce
	groups     sync.Map                   // policies of groups of Vault's identities, by id
	gets       map[string]map[string]bool // policies that logins at these mounts get, by credential id; "" for unknown ones
	only       string                     // the one authority whose accounts matter; empty: all
	seenTokens []liveToken                // that a source names
	later      []described                // that fit a source and may be newer than what the device had
	contained  func() *credential.Containment
	past       past // what earlier campaigns left

	elsewhereOpen stolenElsewhere // logins to Vault that rolls of other devices have open, or that a running campaign does not end

	notOnRoll []unlistedLogin // logins and tokens that no source lists

	taken   *credential.Containment // hosts of the compromised device, and of others
	others  []ownmount.OtherRoll    // the newest rolls of other devices
	visible []string                // mounts of Vault that our login sees; nil: not asked yet

	prose *prose // what people wrote, which goes into the ledger

	held holdings // what paths hold, as far as that was read before the look

	besideConfirmed []Candidate // what lies where the campaign file confirms a path

	known         accounts            // whom the candidates mean
	names         map[string][]string // what accounts are called, by credential id
	namesOnce     sync.Once
	fileHosts     map[string]bool // that the campaign file knows
	ledThen       map[string]map[string]led
	fileHostsOnce sync.Once
	rotates       map[credential.Path]bool // what the roll rotates
	rotatesIn     map[secretPath][]credential.Path

	ctx   context.Context // of all that the listing asks
	stop  context.CancelFunc
	reads errgroup.Group // of what engines keep

	beside   errgroup.Group // nobody waits for it but end
	settings errgroup.Group // of secrets
	keepings *keepings
}

func (l *lister) warn(code credential.FindingCode, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{Code: code, Detail: fmt.Sprintf(format, args...)})
}

func (l *lister) add(c Candidate) {
	l.candidates = append(l.candidates, c)
}

func (l *lister) check() error {
	for name := range l.c.Directories {
		d := l.dirs[name]
		if d == nil || len(d.Servers()) == 0 {
			return fmt.Errorf("directory %s is not connected", name)
		}
	}
	for name := range l.c.Systems {
		if l.systems[name] == nil {
			return fmt.Errorf("%s is not connected", l.c.Called(name))
		}
	}
	return nil
}

// onlyAuthority is the authority that is meant when none is named: the one
// directory there is, or, in a file without directories, the one authority;
// else "". Where there are others, an account of theirs with the name is asked
// about (perhaps.go).
func onlyAuthority(c *config.Campaign) string {
	if len(c.Directories) == 1 {
		for name := range c.Directories {
			return name
		}
	}
	if all := c.Authorities(); len(all) == 1 {
		return all[0]
	}
	return ""
}

func sortWarnings(w []Warning) []Warning {
	slices.SortFunc(w, func(a, b Warning) int {
		return cmp.Or(strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Detail, b.Detail))
	})
	return slices.Compact(w)
}
