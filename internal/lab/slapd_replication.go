package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// PauseReplication cuts this replica off: nothing that its provider changes
// after the return arrives until ResumeReplication.
func (s *Slapd) PauseReplication() { s.hop.setCut(true) }

// ResumeReplication lets the replica connect again, which it tries once a
// second, and returns once it has caught up.
func (s *Slapd) ResumeReplication(ctx context.Context) error {
	s.hop.setCut(false)
	return s.AwaitReplication(ctx)
}

// AwaitReplication returns once the replica has all that its provider had when
// it was called (contextCSN, RFC 4533 as OpenLDAP implements it), or an error
// when ctx ends.
func (s *Slapd) AwaitReplication(ctx context.Context) error {
	want, err := s.peer.contextCSN(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		have, err := s.contextCSN(ctx)
		if err == nil && have >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lab: the replica at %s did not catch up (has %q, wants %q): %w",
				s.LDAPS(), have, want, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// contextCSN is the newest change a server has. A replica that is still empty
// has none.
func (s *Slapd) contextCSN(ctx context.Context) (string, error) {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(slapdBase, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		1, 0, false, "(objectClass=*)", []string{"contextCSN"}, nil))
	if err != nil {
		return "", fmt.Errorf("lab: read contextCSN at %s: %w", s.LDAP(), err)
	}
	if len(res.Entries) == 0 {
		return "", nil
	}
	csns := res.Entries[0].GetAttributeValues("contextCSN")
	if len(csns) == 0 {
		return "", nil
	}
	return slices.Max(csns), nil
}
