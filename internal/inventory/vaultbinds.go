package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/directory"
	"rollcall/internal/vault"
)

// bindOf notes with whom a configuration binds.
func (l *lister) bindOf(ctx context.Context, place string, config map[string]any, directories map[string][]string) error {
	dn, _ := config["binddn"].(string)
	if dn = strings.TrimSpace(dn); dn == "" || len(directories) == 0 {
		return nil
	}
	return l.noteUse(ctx, place, vaultUse{at: place + "/config", names: []string{dn}, in: directories})
}

// engineUses reads with whom secrets engines for directories and databases log
// in there, and whose passwords they keep, as far as our login may.
func (l *lister) engineUses(ctx context.Context) error {
	if len(l.c.Directories)+len(l.c.Systems) == 0 || l.vault == nil {
		return nil
	}
	engines, err := l.readMounts(ctx, "sys/mounts", "whether a secrets engine binds with an account of the roll, or keeps its password, was looked for only where this login has a right")
	if err != nil {
		return err
	}
	if engines == nil { // those with a right below them
		got, err := l.readVault(ctx, "sys/internal/ui/mounts")
		if err != nil || got == nil {
			return err
		}
		engines, _ = got["secret"].(map[string]any)
	}
	for _, mount := range slices.Sorted(maps.Keys(engines)) {
		about, _ := engines[mount].(map[string]any)
		kind, _ := about["type"].(string)
		mount = strings.Trim(mount, "/")
		if _, known := directoryEngines[kind]; known && len(l.c.Directories) > 0 {
			err = l.engine(ctx, mount, kind)
		} else if kind == databaseEngine {
			l.databases(mount)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// engine is one of Vault's secrets engines. What it keeps is read beside the
// rest of the listing.
type engine struct {
	mount, kind string
	attr        string              // by which it looks for accounts
	in          map[string][]string // the directories that it may ask
	hidden      []string            // what our login may not read there
	folders     []*keptFolders
}

// keptFolders is one folder of an engine, as it was read.
type keptFolders struct {
	keptFolder
	entries []keptEntry
	known   bool
	err     error
}

func (l *lister) engine(ctx context.Context, mount, kind string) error {
	at := mount + "/config"
	read, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	denied := vault.Answered(err, http.StatusForbidden)
	if err != nil && !denied {
		return vaultError("read", at, err)
	}
	e := &engine{mount: mount, kind: kind, in: map[string][]string{}}
	if read != nil {
		url, _ := read.Data["url"].(string)
		below, _ := read.Data["userdn"].(string)
		attr, _ := read.Data["userattr"].(string)
		e.attr, _ = directory.AttributeType(attr)
		e.in, err = l.asks(ctx, strings.Split(url, ","), &authMount{below: strings.TrimSpace(below)})
		if err == nil {
			err = l.bindOf(ctx, mount, read.Data, e.in)
		}
		if err != nil {
			return err
		}
	} else { // it may be any
		for name := range l.c.Directories {
			e.in[name] = nil
		}
	}
	if len(e.in) == 0 {
		return nil // another directory's
	}
	if denied {
		e.hidden = append(e.hidden, at)
	}
	l.engines = append(l.engines, e)
	if l.concerns(e.in) {
		l.readFolders(e, directoryEngines[kind])
	}
	return nil
}

// readFolders begins to read what an engine keeps.
func (l *lister) readFolders(e *engine, folders []keptFolder) {
	for _, in := range folders {
		f := &keptFolders{keptFolder: in}
		e.folders = append(e.folders, f)
		l.reads.Go(func() error {
			f.entries, f.known, f.err = l.kept.folder(l.ctx, l, e.mount+"/"+in.folder, in.fields...)
			return f.err
		})
	}
}

// keptByEngines notes whose passwords the engines keep, once that is read.
func (l *lister) keptByEngines(ctx context.Context) error {
	if err := l.reads.Wait(); err != nil || l.keptNoted {
		return err
	}
	l.keptNoted = true
	for _, e := range l.engines {
		note := l.keptInDirectories
		if e.kind == databaseEngine {
			note = l.keptInDatabases
		}
		if err := note(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// notShown warns of a place in Vault that our login may not read, and by which
// a rotation may do harm or leave something open, unless a person has accepted
// it. The accounts are rotated all the same: who mounts an engine after init
// would else keep every stolen password of a directory in force, and what it
// costs is told, by list and plan too, before anything is set.
func (l *lister) notShown(place, format string, args ...any) {
	l.unsure(place, fmt.Sprintf(format, args...), "run rollcall init again (docs/rights.md)")
}
