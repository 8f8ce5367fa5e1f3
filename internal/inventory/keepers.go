package inventory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/paste"
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
	return keptFolder{folder, []string{"dn", "username", "service_account_name"}, func(engine, name string) string {
		return "vault write -f " + paste.Shell(engine+"/rotate-role/"+name)
	}}
}

var checkOutSets = keptFolder{"library", []string{"service_account_names"}, func(engine, name string) string {
	return fmt.Sprintf("check it out and in again (vault write -f %s, then check-in)", paste.Shell(engine+"/library/"+name+"/check-out"))
}}

// directoryEngines are the types of secrets engines for directories, under the
// names they had.
var directoryEngines = map[string][]keptFolder{
	"ldap":     {staticRole("static-role"), checkOutSets},
	"openldap": {staticRole("static-role"), checkOutSets},
	"ad":       {staticRole("roles"), checkOutSets},
}

// keptInDirectories notes whose passwords an engine keeps.
func (l *lister) keptInDirectories(ctx context.Context, e *engine) error {
	hidden := e.hidden
	for _, f := range e.folders {
		at := e.mount + "/" + f.folder
		if !f.known || slices.ContainsFunc(f.entries, func(k keptEntry) bool { return !k.shown }) {
			hidden = append(hidden, at)
		}
		for _, k := range f.entries {
			u := vaultUse{at: at + "/" + k.name, attr: e.attr, rotate: f.rotate(e.mount, k.name), in: e.in}
			for _, field := range f.fields {
				if one, _ := k.data[field].(string); one != "" {
					u.names = append(u.names, one)
				}
				u.names = append(u.names, texts(k.data[field])...)
			}
			if len(u.names) == 0 {
				continue
			}
			if err := l.noteUse(ctx, e.mount, u); err != nil {
				return err
			}
		}
	}
	if len(hidden) > 0 {
		l.notShown(e.mount, "it is a secrets engine of Vault for a directory, and this login may not read there with which account Vault binds, or whose passwords it keeps (%s): if it is one of the roll, a new password from here ends what Vault does there, and cuts off what reads it there", strings.Join(hidden, ", "))
	}
	return nil
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
