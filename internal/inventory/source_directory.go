package inventory

import (
	"context"
	"fmt"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// search lists what an LDAP filter finds on the write server.
func (l *lister) search(ctx context.Context, s config.Source) error {
	d, base := l.dirs[s.Directory], s.Base
	if base == "" {
		base = l.c.Directories[s.Directory].Base
	}
	server, f := d.Servers()[0], l.driver(s.Directory)
	kind := s.Kind
	if kind == "" {
		kind = l.c.Directories[s.Directory].Kind()
	}
	elsewhere, err := d.Find(ctx, server, base, s.Filter, f.read, func(e directory.Entry) error {
		a, err := f.accountOf(e)
		if err != nil {
			return err
		}
		l.add(Candidate{
			Kind:      kind,
			Authority: s.Directory,
			Account:   e.DN,
			Found:     &a,
			Reason:    credential.Reason{Source: s.Name, Type: s.Type, Detail: s.Filter + " below " + base},
		})
		return nil
	})
	if directory.HoldsNoPassword(err) {
		return fmt.Errorf("source %s: %w; the listing was given up and nothing was changed", s.Name, err)
	}
	if err != nil {
		return fmt.Errorf("source %s: searching %s in directory %s on %s below %q: %w; the listing was given up and nothing was changed: "+
			"check the filter, the server and the rights of the bind DN (rollcall doctor), then list again",
			s.Name, s.Filter, s.Directory, server, base, err)
	}
	l.referred(s.Directory, elsewhere)
	return nil
}
