package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

// whoResets asks each directory which of the accounts that were found may set
// the passwords of which others, where its driver shows that. What is not shown
// is a warning: the order of those accounts is then up to the campaign file.
func (l *lister) whoResets(ctx context.Context, known accounts) (map[string]directory.Resets, error) {
	ids, clear := map[string]map[string]bool{}, map[string]int{}
	none := map[string]bool{} // ids of what is no account with a password
	for _, c := range l.candidates {
		found := known[refTo(l.c, c.Authority, c.Account)]
		if c.Found != nil {
			found = []Account{*c.Found}
		}
		for _, a := range found {
			if ids[c.Authority] == nil {
				ids[c.Authority] = map[string]bool{}
			}
			ids[c.Authority][a.Subject] = true
			none[a.Subject] = a.facts != nil && a.facts.noAccount().code != ""
			if a.facts != nil && slices.ContainsFunc(a.facts.stored, directory.Stored.Clear) {
				clear[c.Authority]++
			}
		}
	}
	out := map[string]directory.Resets{}
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		d, ok := l.dirs[name].(interface {
			Resets(ctx context.Context, server string, ids []string) (directory.Resets, error)
		})
		if !ok {
			continue
		}
		got, err := d.Resets(ctx, l.dirs[name].Servers()[0], slices.Sorted(maps.Keys(ids[name])))
		if err != nil {
			return nil, fmt.Errorf("looking in directory %s for who may reset whom: %w; the listing was given up and nothing was changed: check that the server answers (rollcall doctor), then list again", name, err)
		}
		if len(got.Hidden) > 0 || got.Why != "" {
			l.acceptable(name, credential.FindingResetsHidden, "%s does not show bind.dn who may reset whom, of %s (%s): one that may is not put first by itself, and one that may read what the others are set to is not waited for; let bind.dn read the security descriptors and groups of the domain, or find out who may, and name such accounts in an early wave of the campaign file",
				name, plural.Count(len(got.Hidden), "account", "accounts"), firstText(got.Why, "their security descriptors are not shown"))
		}
		got.Copies.Accounts = slices.DeleteFunc(got.Copies.Accounts, func(id string) bool { return none[id] })
		if len(got.Copies.Accounts) > 0 {
			l.acceptable(name, credential.FindingCopiesHidden, "directory %s: %s", name, got.Copies.Words(len(ids[name])))
		}
		if clear[name] > 0 && !l.keptAsTheyAre(name) {
			l.readersOf(ctx, name, slices.Sorted(maps.Keys(ids[name])), &got)
		}
		l.logReadersOf(ctx, name, slices.Sorted(maps.Keys(ids[name])), &got)
		out[name] = got
	}
	return out, nil
}

// logReadersOf adds the accounts that read new passwords where the directory
// logs changes, unless a person accepted that it logs them as they are.
func (l *lister) logReadersOf(ctx context.Context, name string, ids []string, got *directory.Resets) {
	d, ok := l.dirs[name].(interface {
		AddLogReaders(ctx context.Context, ids []string, to *directory.Resets) error
	})
	if !ok || slices.ContainsFunc(l.c.Accept, func(a config.Accept) bool { return a.Accepts(name, credential.FindingStoredAsSent) }) {
		return // which the look at the directory says
	}
	if err := d.AddLogReaders(ctx, ids, got); err != nil {
		l.acceptable(name, credential.FindingResetsHidden, "%s may log new passwords as they are sent, and not which of the accounts may read that log (%v): such an account is not waited for, and whoever stole it has each new value; let bind.dn read the aci of cn=changelog, or set nsslapd-unhashed-pw-switch to nolog", name, err)
	}
}

// keptAsTheyAre says that a directory may keep passwords as they are, by what
// the search for the accounts showed of those from before: new ones will be
// kept so, unless its scheme was changed since, or the old ones were written by
// another way than ours (an entry added with a clear userPassword is kept so by
// OpenLDAP, which hashes what exop sets). It reports whether a person has
// accepted that.
func (l *lister) keptAsTheyAre(name string) bool {
	if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Accepts(name, credential.FindingStoredAsSent) }); i >= 0 {
		l.warn(credential.FindingAccepted, "%s shows passwords as they were written, which the campaign file accepts: %s", name, l.c.Accept[i].Reason)
		return true
	}
	l.warn(credential.FindingStoredAsSent, "%s shows passwords as they were written, without a hash. If it hashes none (passwordStorageScheme CLEAR; olcPasswordHash {CLEARTEXT}), whoever may read userPassword, a backup or a log of changes has each new one: set a scheme that does before the run. If it does by now (OpenLDAP's own default, and set: exop, which is that of the campaign file), these are values that were written before, or loaded as they are. Either way say so, for they still show: %s",
		name, paste.Entry("accept", "directory", name, "finding", string(credential.FindingStoredAsSent)))
	return false
}

// acceptable warns of something about a directory, which a person may take upon
// himself by its name.
func (l *lister) acceptable(name string, code credential.FindingCode, format string, args ...any) {
	w := acceptable(l.c, name, Warning{Code: code, Detail: fmt.Sprintf(format, args...)})
	l.warn(w.Code, "%s", w.Detail)
}

func acceptable(c *config.Campaign, name string, w Warning) Warning {
	i := slices.IndexFunc(c.Accept, func(a config.Accept) bool { return a.Accepts(name, w.Code) })
	if i < 0 {
		w.Detail += "; or accept it: " + paste.Entry("accept", "directory", name, "finding", string(w.Code))
		return w
	}
	return Warning{Code: credential.FindingAccepted, Detail: fmt.Sprintf("%s of %s, which the campaign file accepts: %s", w.Code, name, c.Accept[i].Reason)}
}

// readersOf adds the accounts that may read the passwords of others.
func (l *lister) readersOf(ctx context.Context, name string, ids []string, got *directory.Resets) {
	d, ok := l.dirs[name].(interface {
		Readers(ctx context.Context, ids []string) ([]string, error)
	})
	if !ok {
		return
	}
	readers, err := d.Readers(ctx, ids)
	if err != nil {
		l.acceptable(name, credential.FindingResetsHidden, "%s shows passwords as they were written, and not which of the accounts may read them (%s): such an account is not waited for, and if the directory hashes none, whoever stole it has each new value", name, err)
		return
	}
	got.Readers, got.ReadsHow = readers, directory.ReadsAsTheyAre
}
