package inventory

import (
	"context"
	"fmt"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

// roles lists what a cluster itself ties to the device.
func (l *lister) roles(ctx context.Context, s config.Source) error {
	cluster, ok := l.systems[s.Directory].(authority.Lister)
	if !ok {
		return fmt.Errorf("source %s: %s cannot list its accounts", s.Name, l.c.Called(s.Directory))
	}
	found, err := cluster.Tied(ctx, authority.Ties{Name: s.Role, MemberOf: s.MemberOf, Network: s.CIDR})
	if err != nil {
		return fmt.Errorf("source %s: listing roles of %s: %w; the listing was given up and nothing was changed: "+
			"check that its servers answer and what Rollcall's role may read there (rollcall doctor), then list again", s.Name, l.c.Called(s.Directory), err)
	}
	for _, a := range found.Accounts {
		l.add(Candidate{
			Kind:      l.c.KindOf(s.Directory),
			Authority: s.Directory,
			Account:   a.Name,
			Found:     &Account{Subject: a.Subject, Name: a.Name, Short: a.Short, Logins: a.Names, system: &a},
			Reason:    credential.Reason{Source: s.Name, Type: s.Type, Detail: found.Why[a.Subject]},
		})
	}
	for _, w := range found.Warnings {
		if w.Code == credential.FindingRulesHidden {
			l.warnHidden(s.Directory, authority.Hidden{Code: w.Code, Server: "source " + s.Name, Detail: w.Detail})
			continue
		}
		l.warn(w.Code, "source %s: %s: %s", s.Name, l.c.Called(s.Directory), w.Detail)
	}
	return nil
}
