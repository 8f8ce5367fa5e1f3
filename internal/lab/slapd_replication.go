package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// PauseReplication cuts this replica off: nothing that its provider changes
// after the return arrives until ResumeReplication.
func (s *Slapd) PauseReplication() { s.hop.setCut(true) }

// LagReplication has what the provider sends from now on arrive so much later,
// as at a replica that is far away or has much to write.
func (s *Slapd) LagReplication(by time.Duration) { s.hop.lag.Store(int64(by)) }

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
	want, err := s.peer.contextCSNs(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		have, err := s.contextCSNs(ctx)
		if err == nil && caughtUp(have, want) {
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

// caughtUp reports whether a server has the newest change of each server that
// another one has. One that takes changes itself has newer ones than those that
// it waits for.
func caughtUp(have, want map[string]string) bool {
	for server, csn := range want {
		if have[server] < csn {
			return false
		}
	}
	return true
}

// contextCSNs are the newest changes that a server has, by the server where
// each was made (time#count#server#mod). A replica that is still empty has
// none.
func (s *Slapd) contextCSNs(ctx context.Context) (map[string]string, error) {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(slapdBase, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		1, 0, false, "(objectClass=*)", []string{"contextCSN"}, nil))
	if err != nil {
		return nil, fmt.Errorf("lab: read contextCSN at %s: %w", s.LDAP(), err)
	}
	out := map[string]string{}
	for _, e := range res.Entries {
		for _, csn := range e.GetAttributeValues("contextCSN") {
			if parts := strings.Split(csn, "#"); len(parts) == 4 {
				out[parts[2]] = max(out[parts[2]], csn)
			}
		}
	}
	return out, nil
}
