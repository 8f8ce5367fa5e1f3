// Package inventory makes the roll: it asks every source of a campaign for the
// credentials that tie to the device, finds out which account each one means,
// and merges them by immutable id so that every credential is listed once with
// all the evidence for it. Nothing that a source found is dropped silently:
// what cannot be rotated stays on the roll with its problem.
//
// Listing reads and never writes, so a crash leaves nothing behind and doing it
// again is safe.
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

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

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
	ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error)
	// Keeping is what Vault does by itself with what is written, by the
	// settings of a secret and its mount; MountKeeping by those of the mount
	// alone.
	Keeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	MountKeeping(ctx context.Context, p credential.Path) (vault.Keeping, error)
	API() *vaultapi.Client
}

// Candidate is what a source found, as the source calls it.
type Candidate struct {
	Kind      credential.Kind
	Authority string // a directory's name, or credential.VaultAuthority; empty when the source does not say

	// Account is the reference: DN, immutable id or what people call it (see
	// naming); "mount/name" for a login to Vault. Empty when the source knows a
	// path and no account.
	Account string

	// Found is the account itself, when the source read it at its authority.
	Found *Account

	Path *credential.Path // where Vault holds it; nil when the source does not know

	// AnyField: Path.Field is a guess, because nothing names the field.
	AnyField bool

	// Earlier: Rollcall itself put a value at Path in an earlier campaign.
	// Nobody names the account by it.
	Earlier bool
	// Since is then what became of that path.
	Since ownmount.Since

	// Left: an ended campaign staged a value that was meant for Path. Nobody
	// names the account by it.
	Left bool

	// Kept: an earlier campaign left it open. It is on the roll only if nothing
	// names it.
	Kept bool

	Reason credential.Reason

	// Lines of the device's profile that the source says it answers, and one
	// that the profile does not have.
	Lines       []credential.LineRef
	UnknownLine string

	// Task is what a person has to do; nil for all else.
	Task *credential.Task

	// Users are what the secret at Path says of a user, in a field of that
	// name. It is a hint for a person: nothing is written anywhere because of
	// it.
	Users []string

	// Misnamed are keys of custom_metadata that look like one that is read, and
	// are not.
	Misnamed []string
}

// Account is an account at its authority.
type Account struct {
	Subject   string   // immutable id in lower case, or mount/name
	Name      string   // DN or mount/name
	Short     string   // uid or sAMAccountName, else cn, else Subject: for adopted paths
	Logins    []string // every uid, or the role: what people call it
	Protected bool     // of a protected group in Active Directory

	kind credential.Kind // of a login to Vault, which knows it by the mount

	system *authority.Account // as a System found it

	facts *facts // of an LDAP entry; shared by all that found it in one answer
}

// Warning is something about the listing as a whole that a person should read
// before the campaign runs: an exclude that matches nothing, a source that
// found nothing. It travels with the roll to the ledger and to reports.
type Warning = credential.Finding

// Authorities are those of the campaign file, opened, by name.
type Authorities struct {
	Directories map[string]Directory
	Systems     map[string]authority.Finder
	// Tokens are those of Vault, for a listing after which something is set.
	// Nil: nobody looks at them. A look ends, rarely, a token that Vault is
	// just making (minted.NotLookedUp), so who lists for himself makes none.
	Tokens *minted.Tokens
}

// List asks all sources and merges what they found into the roll of a
// campaign. now becomes Roll.ListedAt.
//
// One source or lookup that fails fails the whole listing: a roll with a hole
// in it would let a stolen credential live. The error names the source, the
// place and what to do; mistakes in manifests are *config.Errors with lines.
// Listing again after an error is always safe.
func List(ctx context.Context, c *config.Campaign, at Authorities, v Vault, campaign string, now time.Time) (*credential.Roll, []Warning, error) {
	l := &lister{c: c, dirs: at.Directories, systems: at.Systems, tokens: at.Tokens, vault: v, elsewhere: map[string]map[string]bool{}, hints: map[reference]string{}, held: map[credential.Path]held{}}
	if err := l.check(); err != nil {
		return nil, nil, err
	}
	l.device = deviceHosts(ctx, c)
	if err := l.gather(ctx, campaign); err != nil {
		return nil, nil, err
	}
	roll, warnings, err := l.merged(ctx)
	if err != nil {
		return nil, nil, err
	}
	l.addTasks(roll, now)
	l.sayTokens(roll)
	if err := l.lookAtRoll(ctx, roll); err != nil {
		return nil, nil, err
	}
	roll.Campaign, roll.Device, roll.ListedAt = campaign, c.Device, now.UTC()
	warnings = append(warnings, l.warnings...)
	if len(roll.Credentials) == 0 {
		warnings = append(warnings, Warning{Code: credential.FindingEmptyRoll, Detail: "no source found a credential of the device: check the sources, nothing was rotated"})
	}
	roll.Warnings = sortWarnings(warnings)
	return roll, roll.Warnings, nil
}

// gather asks the sources, and adds what no source names: Rollcall's own
// logins, and what earlier campaigns left.
func (l *lister) gather(ctx context.Context, campaign string) error {
	// Manifests first: their mistakes cost no time on any server.
	if err := l.collectAll(ctx, true); err != nil {
		return err
	}
	// Before accounts are read, for their names at these mounts are read with
	// them.
	if err := l.ldapMounts(ctx); err != nil {
		return err
	}
	if err := l.engineUses(ctx); err != nil {
		return err
	}
	if err := l.collectAll(ctx, false); err != nil {
		return err
	}
	if err := l.addOwn(ctx); err != nil {
		return err
	}
	if err := l.readEarlier(ctx, campaign); err != nil {
		return err
	}
	return l.cutPaths(ctx)
}

// collectAll asks the lists that people keep, or all other sources.
func (l *lister) collectAll(ctx context.Context, rows bool) error {
	for _, s := range l.c.Sources {
		if config.TraitsOfSource(s.Type).Rows != rows {
			continue
		}
		if err := l.collect(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// merged looks up whom the candidates mean, and makes the roll of them.
func (l *lister) merged(ctx context.Context) (*credential.Roll, []Warning, error) {
	known, err := l.resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	l.known = known
	if err := l.lookForPasswords(ctx, known); err != nil {
		return nil, nil, err
	}
	l.secretsNotShown(known)
	if err := l.lookForPassThrough(ctx); err != nil {
		return nil, nil, err
	}
	parts, err := l.findParts(ctx)
	if err != nil {
		return nil, nil, err
	}
	own, err := l.findOwnIdentities(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	if err := l.addActivated(ctx, known); err != nil {
		return nil, nil, err
	}
	resets, err := l.whoResets(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	around, err := l.lookAround(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	users, err := l.everyUser(ctx)
	if err != nil {
		return nil, nil, err
	}
	logins, err := l.logins(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	return mergeAll(l.withoutTasks(), l.candidates, known, own, unfound{parts, l.hints, l.placed, l.past, resets, around, users, logins, l.uses, len(l.allTasks()) > 0})
}

// lookAtRoll looks at what will be rotated: the limits of logins, the places in
// Vault, and by which other ways the device could get in.
func (l *lister) lookAtRoll(ctx context.Context, roll *credential.Roll) error {
	if err := l.sayUnnamed(ctx, roll); err != nil {
		return err
	}
	if err := l.sayOtherDevices(ctx, roll); err != nil {
		return err
	}
	if err := l.lookAtLogins(ctx, roll); err != nil {
		return err
	}
	if err := l.look(ctx, roll); err != nil {
		return err
	}
	if err := l.otherWays(ctx, roll); err != nil {
		return err
	}
	if err := l.otherReaders(ctx, roll); err != nil {
		return err
	}
	return l.couldHaveMade(ctx, roll)
}

func (l *lister) lookAtLogins(ctx context.Context, roll *credential.Roll) error {
	for i := range roll.Credentials {
		c := &roll.Credentials[i]
		if l.givesBatch(c) {
			c.Batch = true
			roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingBatchTokens,
				Detail: "it logs in to Vault through an auth mount that gives batch tokens, which nobody can revoke: those that somebody has live until they expire"})
		}
		if c.Subject == "" || !c.Kind.OpensVault() || c.Problem == credential.SameName {
			continue
		}
		found, err := limitsOf[c.Kind.Traits().Login.Method](l, ctx, c)
		if err != nil {
			return &naming{fmt.Errorf("login to Vault %s: %w", c.Name, err), "a login to Vault cannot be read"}
		}
		if len(found) > 0 {
			roll.Findings[c.ID] = append(roll.Findings[c.ID], found...)
		}
	}
	return nil
}

// lister gathers candidates.
type lister struct {
	c          *config.Campaign
	dirs       map[string]Directory
	systems    map[string]authority.Finder
	tokens     *minted.Tokens
	vault      Vault
	candidates []Candidate
	tasks      []credential.Credential // of people
	warnings   []Warning

	mu        sync.Mutex
	elsewhere map[string]map[string]bool // servers that hold a part of a directory
	hints     map[reference]string       // why a reference was not looked up

	auths    *mountTypes // nil: not asked yet
	unlisted []string    // userpass mounts whose users we may not list

	placed map[string][]credential.Path // where earlier campaigns put values, by credential id

	mounts     []*authMount               // of type ldap, that ask a directory of the campaign
	uses       []vaultUse                 // accounts with which Vault itself works
	hosts      sync.Map                   // addresses by host, as this machine sees them
	spellings  sync.Map                   // what directories call entries, by reference: asked
	groups     sync.Map                   // policies of groups of Vault's identities, by id
	gets       map[string]map[string]bool // policies that logins at these mounts get, by credential id; "" for unknown ones
	only       string                     // the one authority whose accounts matter; empty: all
	seenTokens []liveToken                // that a source names
	past       past                       // what earlier campaigns left

	device []string // hosts of the compromised device

	held map[credential.Path]held // what paths hold, as far as a source read it

	known     accounts            // whom the candidates mean
	names     map[string][]string // what accounts are called, by credential id
	namesOnce sync.Once
	rotates   map[credential.Path]bool // what the roll rotates
}

func (l *lister) warn(code credential.FindingCode, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{Code: code, Detail: fmt.Sprintf(format, args...)})
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

// collectors has one line for each type of source.
var collectors = map[string]func(*lister, context.Context, config.Source) error{
	config.Manifest:      (*lister).manifest,
	config.VaultKV:       (*lister).kv,
	config.FromLDAP:      (*lister).search,
	config.VaultAppRole:  (*lister).appRoles,
	config.VaultUserpass: (*lister).userpass,
	config.VaultTokens:   (*lister).vaultTokens,
	config.FromPostgres:  (*lister).roles,
}

func (l *lister) manifest(_ context.Context, s config.Source) error {
	var twice error
	err := manifest(l.c, s, func(c Candidate) {
		if c.Task == nil {
			l.add(c)
		} else if err := l.addTask(s, c); twice == nil {
			twice = err
		}
	})
	return cmp.Or(err, twice)
}

func (l *lister) collect(ctx context.Context, s config.Source) error {
	first, before := len(l.candidates), len(l.candidates)+len(l.tasks)
	of, ok := collectors[s.Type]
	if !ok {
		return fmt.Errorf("source %s: unknown type %q", s.Name, s.Type)
	}
	if err := of(l, ctx, s); err != nil {
		return err
	}
	for i := range l.candidates[first:] {
		if c := &l.candidates[first+i]; c.Lines == nil {
			c.Lines = sourceLines(s)
		}
	}
	if len(l.candidates)+len(l.tasks) == before {
		if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Source == s.Name }); i >= 0 {
			l.warn(credential.FindingAccepted, "source %s found nothing, which the campaign file accepts: %s", s.Name, l.c.Accept[i].Reason)
			return nil
		}
		l.warn(credential.FindingSourceEmpty, "source %s found nothing: check its settings before you rely on the roll", s.Name)
	}
	return nil
}

func (l *lister) add(c Candidate) {
	l.candidates = append(l.candidates, c)
}

func sortWarnings(w []Warning) []Warning {
	slices.SortFunc(w, func(a, b Warning) int {
		return cmp.Or(strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Detail, b.Detail))
	})
	return slices.Compact(w)
}

// onlyAuthority is the authority that is meant when none is named: the one
// directory there is, or, in a file without directories, the one authority;
// else "".
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
