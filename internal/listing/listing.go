// Package listing makes the roll of a campaign: it finds every server, asks the
// sources (internal/inventory), and says what of that would keep a campaign
// from beginning. Activities and the command line share it. It changes nothing,
// but for the names of directories that KeepNames writes down.
package listing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/door/opened"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// List finds the servers of every directory, lists from the sources of spec and
// changes nothing. It is what the activity and the command line share.
func List(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, campaign string) (*credential.Roll, []inventory.Warning, error) {
	return list(ctx, store, kinds, spec, campaign, inventory.Authorities{LeadsKey: leadsKeyIfShown(store)}, nil, nil)
}

// ListAsking is List that asks each door of the roll about nobody besides.
func ListAsking(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, campaign string, doors *opened.Doors) (*credential.Roll, []inventory.Warning, error) {
	return list(ctx, store, kinds, spec, campaign, inventory.Authorities{LeadsKey: leadsKeyIfShown(store)}, nil, doors)
}

// leadsKeyIfShown gives the key with which a roll tells hosts, or nil to a
// login that may not read it, as an operator's.
func leadsKeyIfShown(store *ownmount.Store) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		key, err := store.LeadsKey(ctx, false)
		if vault.IsDenied(err) {
			err = nil
		}
		return key, err
	}
}

// Beside is what the listing of a run shares with what comes before and after
// it in the same process, so that nothing is asked twice within moments. The
// zero value: nothing.
type Beside struct {
	Kept *inventory.Kept // what was read ahead
	Saw  func(p credential.Path, live vault.Live, asked time.Time)
	// Offered is what accounts refused of late. Nil: nobody is offered
	// anything.
	Offered *Offered
	// Doors of the roll are asked about nobody. Nil: none is.
	Doors *opened.Doors
	// Running is the campaign that lists again. Nil: one is about to begin.
	Running *inventory.Running
}

// ForRun is List for a campaign that is about to run: it looks at the tokens of
// Vault as well, which takes the worker's rights. It refuses excludes that are
// mistyped.
func ForRun(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, campaign string, beside Beside) (*credential.Roll, error) {
	roll, _, err := list(ctx, store, kinds, spec, campaign, inventory.Authorities{Tokens: kinds.Tokens(), Kept: beside.Kept, Saw: beside.Saw, Running: beside.Running,
		LeadsKey: func(ctx context.Context) ([]byte, error) { return store.LeadsKey(ctx, true) }}, beside.Offered, beside.Doors)
	if err != nil {
		return nil, err
	}
	return roll, leavesOutWhatIsMeant(roll)
}

// leavesOutWhatIsMeant refuses a roll with excludes that take nothing off it
// where something of a like name is on it, and would be set.
// The text names no account.
func leavesOutWhatIsMeant(roll *credential.Roll) error {
	n := 0
	for _, w := range roll.Warnings {
		if w.Code == credential.FindingExcludeMistyped {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("excludes of the campaign file that take nothing off the roll: %d; something of a like name is on it: `rollcall list` names them; correct or remove them; nothing was changed", n)
}

func list(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, campaign string, at inventory.Authorities, offered *Offered, doorsOpened *opened.Doors) (*credential.Roll, []inventory.Warning, error) {
	found, err := FindServers(ctx, kinds, spec)
	if err != nil {
		return nil, nil, err
	}
	spec = found.Of(spec)
	doors, unsure := FindDoors(ctx, spec)
	dialled := AtAddresses(spec, doors)
	asked := sync.OnceValue(func() *credential.Containment { return Contained(ctx, dialled) })
	go asked() // beside the listing: silence takes its time
	known, err := knownNames(ctx, store, spec)
	if err != nil {
		return nil, nil, err
	}
	if err := notCalledOtherwise(ctx, store, kinds, spec, known); err != nil {
		return nil, nil, err
	}
	open, err := authorities(kinds, spec)
	if err != nil {
		return nil, nil, err
	}
	at.Directories, at.Systems, at.Contained = open.Directories, open.Systems, asked
	if offered != nil {
		at.Asks = offered.by(kinds, spec)
	}
	roll, _, err := inventory.List(ctx, spec, at, Vault{store, kinds, spec}, campaign, time.Now().UTC())
	if err != nil {
		return nil, nil, err
	}
	roll.Servers, roll.Addresses, roll.Doors = found.Servers, found.Addresses, doors
	eachDoor(roll.Credentials, doors)
	for i, c := range roll.Credentials {
		roll.Credentials[i].UsedBy = spec.Consumers(c.Paths)
	}
	roll.Warnings = append(roll.Warnings, usedByNothing(spec, roll)...)
	seenTo(spec, roll.Credentials, roll.ListedAt)
	roll.Told = spec.Told()
	once := campaign
	if at.Running != nil {
		once = ""
	}
	unfit := asking(ctx, doorsOpened, spec, roll, asked, once)
	found.Notes = append(found.Notes, unsure...)
	more, err := otherServers(ctx, kinds, spec, dialled, roll, known, asked)
	if err != nil {
		return nil, nil, err
	}
	audit, err := auditWarnings(ctx, store, spec, roll)
	if err != nil {
		return nil, nil, err
	}
	unsaid, err := account(spec, roll)
	if err != nil {
		return nil, nil, err
	}
	others := roll.Containment.Others
	roll.Incident = spec.Incident
	roll.Containment = asked()
	if len(others) > 0 {
		roll.Containment.Others = others
		roll.Containment.Against = append(roll.Containment.Against, doorsPointing(ctx, dialled, &credential.Containment{Others: others})...)
	}
	roll.Containment.Against = append(roll.Containment.Against, Pointing(roll.Containment, found, map[string]string{"Vault": store.Address()})...)
	roll.Unfit = unfit()
	roll.Warnings = slices.Concat(notContained(roll.Containment), unfitWarnings(roll.Unfit), unsaid, found.warnings(), more, otherSpellings(spec, roll, roll.Doors, time.Now()), audit, sameIDsAccepted(spec), roll.Warnings)
	return roll, roll.Warnings, nil
}

// Hindered are the accounts of one authority that must not be set as things are
// now, by credential id: Vault itself works with them, or its own servers do.
// spec has the servers that were found.
func Hindered(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, name string) (map[string][]credential.Problem, error) {
	at, err := authorities(kinds, spec)
	if err != nil {
		return nil, err
	}
	by, err := inventory.UsedByVault(ctx, spec, at, Vault{store, kinds, spec}, name)
	if err != nil {
		return nil, err
	}
	again, ok := at.Directories[name].(authority.Again)
	if !ok {
		return by, nil
	}
	now, err := again.Hindered(ctx)
	for subject, problems := range now {
		id := name + "/" + subject
		by[id] = append(by[id], problems...)
	}
	return by, err
}

// authorities opens those of the campaign file.
func authorities(kinds *registry.Registry, spec *config.Campaign) (inventory.Authorities, error) {
	at := inventory.Authorities{Directories: map[string]inventory.Directory{}, Systems: map[string]authority.Finder{}}
	for name := range spec.Systems {
		s, err := kinds.System(spec, name)
		if err != nil {
			return at, err
		}
		if finds, ok := s.(authority.Finder); ok {
			at.Systems[name] = finds
		}
	}
	for name := range spec.Directories {
		d, err := kinds.Directory(spec, name)
		if err != nil {
			return at, err
		}
		at.Directories[name] = d
	}
	return at, nil
}

// Vault is what a listing sees of Vault: with it goes what a directory shows of
// accounts that have a staged value.
type Vault struct {
	*ownmount.Store
	Kinds *registry.Registry
	Spec  *config.Campaign
}

// Leftovers leaves out the staged values of accounts that are as they were
// before: a campaign that was ended in between has staged many that no server
// ever saw.
func (v Vault) Leftovers(ctx context.Context, device, campaign string, formerly ...string) ([]ownmount.Leftover, error) {
	all, err := v.Store.Leftovers(ctx, device, campaign, formerly...)
	var out []ownmount.Leftover
	for _, l := range all {
		if !v.untouched(ctx, l) {
			out = append(out, l)
		}
	}
	return out, err
}

// untouched is true only where the account itself shows it. In doubt the value
// is in force.
func (v Vault) untouched(ctx context.Context, l ownmount.Leftover) bool {
	authority, subject, _ := strings.Cut(l.ID, "/")
	k := v.Spec.KindOf(authority)
	if l.Before == "" || k == "" {
		return false
	}
	a, err := v.Kinds.Authority(v.Spec, authority, k)
	if err != nil {
		return false
	}
	now, err := a.Account(ctx, a.Servers()[0], credential.Credential{ID: l.ID, Kind: k, Authority: authority, Subject: subject})
	return err == nil && now.State != protocol.Gone && now.Changed != "" && protocol.Compare(l.Before, now.Changed) == protocol.Unchanged
}
