package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
)

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

func (l *lister) collect(ctx context.Context, s config.Source) error {
	first, before := len(l.candidates), len(l.candidates)+len(l.tasks)+len(l.later)
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
	if len(l.candidates)+len(l.tasks)+len(l.later) == before {
		if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Source == s.Name }); i >= 0 {
			l.warn(credential.FindingAccepted, "source %s found nothing, which the campaign file accepts: %s", s.Name, l.c.Accept[i].Reason)
			return nil
		}
		at := ""
		if s.Line > 0 {
			at = fmt.Sprintf(" (line %d of the campaign file)", s.Line)
		}
		l.warn(credential.FindingSourceEmpty, "source %s found nothing: check its settings%s before you rely on the roll, for one that is mistyped finds nothing either; if the device has none of these, say so: %s",
			s.Name, at, paste.Entry("accept", "source", s.Name))
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
	config.FromEvidence:  (*lister).fromLogs,
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
