package inventory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
)

// keeper is a place in a secrets engine of Vault which holds the password of an
// account: Vault sets it itself, and gives it to whoever asks there. Nobody
// else may write what it gives.
type keeper struct {
	at          string // the role's path, or that of the check-out set
	dn          string // of the account, where the role has it
	names       []string
	attr        string // by which the engine looks for accounts
	rotate      string // how a person has Vault set another one
	directories map[string][]string
}

// kept are the folders of an engine whose entries name such accounts (Vault API
// docs: secret/ldap, secret/ad). Names may hold slashes.
type keptFolder struct {
	folder string
	what   string
	fields []string
	rotate func(engine, name string) string
}

func staticRole(folder string) keptFolder {
	return keptFolder{folder, "static role", []string{"username", "service_account_name"}, func(engine, name string) string {
		return fmt.Sprintf("vault write -f %s/rotate-role/%s", engine, name)
	}}
}

var checkOutSets = keptFolder{"library", "check-out set", []string{"service_account_names"}, func(engine, name string) string {
	return fmt.Sprintf("check it out and in again (vault write -f %s/library/%s/check-out, then check-in)", engine, name)
}}

// directoryEngines are the types of secrets engines for directories, under the
// names they had.
var directoryEngines = map[string][]keptFolder{
	"ldap":     {staticRole("static-role"), checkOutSets},
	"openldap": {staticRole("static-role"), checkOutSets},
	"ad":       {staticRole("roles"), checkOutSets},
}

// keepersOf reads whose passwords an engine keeps. hidden are the folders that
// our login may not read.
func (l *lister) keepersOf(ctx context.Context, engine, kind, attr string, directories map[string][]string) (hidden []string, err error) {
	for _, in := range directoryEngines[kind] {
		names, known, err := l.namesBelow(ctx, engine+"/"+in.folder, "")
		if err != nil {
			return nil, err
		}
		found := make([]keeper, len(names))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(8)
		seen := make([]bool, len(names))
		for i, name := range names {
			g.Go(func() error {
				at := engine + "/" + in.folder + "/" + name
				got, err := l.vault.API().Logical().ReadWithContext(gctx, at)
				switch {
				case refusedBy(err, http.StatusForbidden):
					return nil
				case err != nil:
					return vaultError("read", at, err)
				}
				seen[i] = true
				if got == nil {
					return nil // gone since it was listed
				}
				found[i] = keeper{at: at, attr: attr, rotate: in.rotate(engine, name), directories: directories}
				found[i].dn, _ = got.Data["dn"].(string)
				for _, field := range in.fields {
					if one, _ := got.Data[field].(string); one != "" {
						found[i].names = append(found[i].names, one)
					}
					found[i].names = append(found[i].names, texts(got.Data[field])...)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		if !known || slices.Contains(seen, false) {
			hidden = append(hidden, engine+"/"+in.folder)
		}
		l.keepers = append(l.keepers, found...)
	}
	return hidden, nil
}

// namesBelow lists a folder with the folders in it. known: our login may list
// all of them.
func (l *lister) namesBelow(ctx context.Context, at, below string) (names []string, known bool, err error) {
	got, known, err := l.listVault(ctx, at+"/"+below)
	if refusedBy(err, http.StatusNotFound, http.StatusMethodNotAllowed) {
		return nil, true, nil // an engine without such a folder
	}
	if err != nil {
		return nil, false, err
	}
	for _, name := range got {
		if !strings.HasSuffix(name, "/") {
			names = append(names, below+name)
			continue
		}
		more, seen, err := l.namesBelow(ctx, at, below+name)
		if err != nil {
			return nil, false, err
		}
		names, known = append(names, more...), known && seen
	}
	return names, known, nil
}

// is reports whether the account is one whose password is kept there: by its
// DN, or by any name with which consumers log in, for an entry that was moved
// since has another DN.
func (k keeper) is(authority string, a Account) bool {
	if _, asked := k.directories[authority]; !asked || a.facts == nil {
		return false
	}
	if k.dn != "" && dnKey(k.dn) == dnKey(a.Name) {
		return true
	}
	have := slices.Concat(a.facts.login, a.facts.named[k.attr], []string{a.facts.principal, rdnOf(a.Name)})
	return slices.ContainsFunc(k.names, func(name string) bool {
		return vaultBind{dn: name, directories: k.directories}.is(authority, a) ||
			slices.ContainsFunc(have, func(h string) bool { return fold(h) == fold(name) })
	})
}

// keeperIndex finds the keepers that an account may be one of without asking
// each: an engine keeps as many passwords as a roll has accounts.
type keeperIndex struct {
	all   []keeper
	at    map[string][]int // by what an account is named there
	attrs []string         // by which their engines look for accounts
}

func indexKeepers(all []keeper) keeperIndex {
	x := keeperIndex{all: all, at: map[string][]int{}}
	for i, k := range all {
		if k.attr != "" && !slices.Contains(x.attrs, k.attr) {
			x.attrs = append(x.attrs, k.attr)
		}
		for _, key := range k.keys() {
			if key != "" {
				x.at[key] = append(x.at[key], i)
			}
		}
	}
	return x
}

// keys are the names of which an account that is kept there has one.
func (k keeper) keys() []string {
	keys := []string{dnKey(k.dn)}
	for _, name := range k.names {
		keys = append(keys, fold(name), dnKey(name), fold(loginOf(name)))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// of gives the keepers of an account, in the order in which they were read.
func (x keeperIndex) of(authority string, a Account) []keeper {
	if len(x.all) == 0 || a.facts == nil {
		return nil
	}
	names := slices.Concat([]string{a.facts.principal, rdnOf(a.Name)}, a.facts.login)
	for _, attr := range x.attrs {
		names = append(names, a.facts.named[attr]...)
	}
	may := slices.Clone(x.at[dnKey(a.Name)])
	for _, name := range names {
		may = append(may, x.at[fold(name)]...)
	}
	slices.Sort(may)
	var out []keeper
	for _, i := range slices.Compact(may) {
		if x.all[i].is(authority, a) {
			out = append(out, x.all[i])
		}
	}
	return out
}

// rdnOf is the value of the leading RDN of a DN.
func rdnOf(dn string) string {
	_, value, _ := strings.Cut(strings.SplitN(dn, ",", 2)[0], "=")
	return value
}

// keptByVault marks a line whose password Vault itself keeps.
func (l *line) keptByVault(keepers []keeper) {
	for _, k := range keepers {
		detail := fmt.Sprintf("Vault itself keeps its password (%s), sets it at its own times, and gives it to whoever asks there: after a reset from here it would go on giving the old one, and its next own reset would cut off what reads the new one elsewhere. "+
			"Rotate it there: %s; then exclude it, or accept it if nothing reads it there any more", k.at, k.rotate)
		if !slices.ContainsFunc(l.findings, func(f credential.Finding) bool { return f.Detail == detail }) {
			l.find(credential.FindingKeptByVault, "%s", detail)
		}
		if !slices.Contains(l.problems, credential.KeptByVault) {
			l.problems = append(l.problems, credential.KeptByVault)
		}
		l.settle()
	}
}
