// Package inventory makes the roll: it asks every source of a campaign for the
// credentials that tie to the device, finds out which account each one means,
// and merges them by immutable id so that every credential is listed once with
// all the evidence for it. Nothing that a source found is dropped silently: what
// cannot be rotated stays on the roll with its problem.
//
// Listing reads and never writes, so a crash leaves nothing behind and doing it
// again is safe.
package inventory

import (
	"context"
	"fmt"
	"slices"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/vault"
)

// Directory searches one LDAP directory, over pages. *directory.Client is one.
type Directory interface {
	// Search calls each for every entry below base (subtree) that matches. An error of each
	// ends the search and is returned.
	Search(ctx context.Context, server, base, filter string, attrs []string, each func(directory.Entry) error) error
	// Servers lists the servers; the first is the write server.
	Servers() []string
}

// Vault lists KV v2 secrets by their metadata, and gives the client for reading
// AppRoles. *vault.Store is one.
type Vault interface {
	// ListSecrets calls each for every secret below prefix ("mount/path").
	ListSecrets(ctx context.Context, prefix string, each func(vault.SecretMeta) error) error
	API() *vaultapi.Client
}

// Candidate is what a source found, as the source calls it.
type Candidate struct {
	Kind      credential.Kind
	Authority string // a directory's name, or credential.VaultAuthority; empty when the source does not say

	// Account is the reference: DN, immutable id or what people call it (see
	// naming); "mount/role" for an AppRole. Empty when the source knows a path and no account.
	Account string

	// Found is the account itself, when the source read it at its authority.
	Found *Account

	Path *credential.Path // where Vault holds it; nil when the source does not know

	// AnyField: Path.Field is a guess, because nothing names the field.
	AnyField bool

	Reason credential.Reason
}

// Account is an account at its authority.
type Account struct {
	Subject   string   // immutable id in lower case, or mount/role
	Name      string   // DN or mount/role
	Short     string   // uid or sAMAccountName, else cn, else Subject: for adopted paths
	Logins    []string // every uid, or the role: what people call it
	Protected bool     // of a protected group in Active Directory
}

// Warning is something about the listing as a whole that a person should read
// before the campaign runs: an exclude that matches nothing, a source that
// found nothing.
type Warning string

// List asks all sources and merges what they found into the roll of a campaign.
// now becomes Roll.ListedAt. progress, if not nil, is called with the number of
// candidates found so far, from one goroutine at a time, often enough to serve
// as a heartbeat.
//
// One source or lookup that fails fails the whole listing: a roll with a hole
// in it would let a stolen credential live. The error names the source, the
// place and what to do; mistakes in manifests are *config.Errors with lines.
// Listing again after an error is always safe.
func List(ctx context.Context, c *config.Campaign, dirs map[string]Directory, v Vault, campaign string, now time.Time, progress func(found int)) (*credential.Roll, []Warning, error) {
	l := &lister{c: c, dirs: dirs, vault: v, progress: progress}
	if err := l.check(); err != nil {
		return nil, nil, err
	}
	// Manifests first: their mistakes cost no time on any server.
	for _, first := range []bool{true, false} {
		for _, s := range c.Sources {
			if (s.Type == config.Manifest) != first {
				continue
			}
			if err := l.collect(ctx, s); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := l.addOwn(ctx); err != nil {
		return nil, nil, err
	}
	known, err := l.resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	own, err := l.ownIdentities(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	roll, warnings, err := merge(c, l.candidates, known, own)
	if err != nil {
		return nil, nil, err
	}
	roll.Campaign, roll.Device, roll.ListedAt = campaign, c.Device, now.UTC()
	warnings = append(warnings, l.warnings...)
	slices.Sort(warnings)
	return roll, warnings, nil
}

// lister gathers candidates.
type lister struct {
	c          *config.Campaign
	dirs       map[string]Directory
	vault      Vault
	progress   func(int)
	candidates []Candidate
	warnings   []Warning
}

func (l *lister) check() error {
	for name := range l.c.Directories {
		d := l.dirs[name]
		if d == nil || len(d.Servers()) == 0 {
			return fmt.Errorf("directory %s is not connected", name)
		}
	}
	return nil
}

func (l *lister) collect(ctx context.Context, s config.Source) error {
	before := len(l.candidates)
	var err error
	switch s.Type {
	case config.Manifest:
		err = manifest(l.c, s, l.add)
	case config.VaultKV:
		err = l.kv(ctx, s)
	case config.FromLDAP:
		err = l.search(ctx, s)
	case config.VaultAppRole:
		err = l.appRoles(ctx, s)
	default:
		err = fmt.Errorf("source %s: unknown type %q", s.Name, s.Type)
	}
	if err != nil {
		return err
	}
	if len(l.candidates) == before {
		l.warnings = append(l.warnings, Warning(fmt.Sprintf("source %s found nothing: check its settings before you rely on the roll", s.Name)))
	}
	return nil
}

func (l *lister) add(c Candidate) {
	l.candidates = append(l.candidates, c)
	if len(l.candidates)%100 == 0 {
		l.beat()
	}
}

func (l *lister) beat() {
	if l.progress != nil {
		l.progress(len(l.candidates))
	}
}

// onlyDirectory is the directory that is meant when none is named: the one
// there is, or "".
func onlyDirectory(c *config.Campaign) string {
	if len(c.Directories) == 1 {
		for name := range c.Directories {
			return name
		}
	}
	return ""
}
