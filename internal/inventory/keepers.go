package inventory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/vault"
)

// keptFolder is a folder of an engine whose entries name accounts whose
// passwords it keeps (Vault API docs: secret/ldap, secret/ad). Names may hold
// slashes.
type keptFolder struct {
	folder string
	fields []string
	rotate func(engine, name string) string
}

func staticRole(folder string) keptFolder {
	return keptFolder{folder, []string{"username", "service_account_name"}, func(engine, name string) string {
		return fmt.Sprintf("vault write -f %s/rotate-role/%s", engine, name)
	}}
}

var checkOutSets = keptFolder{"library", []string{"service_account_names"}, func(engine, name string) string {
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
		found := make([]vaultUse, len(names))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(8)
		seen := make([]bool, len(names))
		for i, name := range names {
			g.Go(func() error {
				at := engine + "/" + in.folder + "/" + name
				got, err := l.vault.API().Logical().ReadWithContext(gctx, at)
				switch {
				case vault.Answered(err, http.StatusForbidden):
					return nil
				case err != nil:
					return vaultError("read", at, err)
				}
				seen[i] = true
				if got == nil {
					return nil // gone since it was listed
				}
				found[i] = vaultUse{at: at, attr: attr, rotate: in.rotate(engine, name), in: directories}
				if dn, _ := got.Data["dn"].(string); dn != "" {
					found[i].names = append(found[i].names, dn)
				}
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
		for _, u := range found {
			if err := l.noteUse(ctx, engine, u); err != nil {
				return nil, err
			}
		}
	}
	return hidden, nil
}

// namesBelow lists a folder with the folders in it. known: our login may list
// all of them.
func (l *lister) namesBelow(ctx context.Context, at, below string) (names []string, known bool, err error) {
	got, known, err := l.listVault(ctx, at+"/"+below)
	if vault.Answered(err, http.StatusNotFound, http.StatusMethodNotAllowed) {
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
