package postgres

import (
	"context"
	"fmt"

	"rollcall/internal/authority"
)

// seenAt is a server, and who answers there.
type seenAt struct {
	server string
	Machine
}

// One is authority.Comparer: what shows that this cluster and another one of
// the campaign file are one, by whatever names and addresses they are reached;
// empty if nothing does. A server that does not answer shows nothing.
func (s *System) One(ctx context.Context, other authority.System) (string, error) {
	o, ok := other.(*System)
	if !ok {
		return "", nil
	}
	a, err := s.everybody(ctx)
	if err != nil {
		return "", err
	}
	b, err := o.everybody(ctx)
	if err != nil {
		return "", err
	}
	return sameCluster(a, b), nil
}

func (s *System) everybody(ctx context.Context) (out []seenAt, err error) {
	for _, server := range s.Servers() {
		m, err := s.Who(ctx, server)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			out = append(out, seenAt{server, m})
		}
	}
	return out, nil
}

// sameCluster: a system identifier is made with a cluster, and its standbys and
// every copy of its files have it. A server is told from a copy by when it was
// started, to the microsecond; a standby is a cluster's where its own section
// has no primary that it could follow.
func sameCluster(a, b []seenAt) string {
	for _, x := range a {
		for _, y := range b {
			if x.System == y.System && x.Started.Equal(y.Started) {
				return fmt.Sprintf("%s and %s are one server (system identifier %s, started %s)", x.server, y.server, x.System, x.Started.UTC().Format("2006-01-02T15:04:05.000000Z"))
			}
		}
	}
	for _, pair := range [][2][]seenAt{{a, b}, {b, a}} {
		primary, alone := primaryOf(pair[0]), primaryOf(pair[1])
		if primary == nil || alone != nil {
			continue
		}
		for _, y := range pair[1] {
			if y.System == primary.System {
				return fmt.Sprintf("%s is a standby of the cluster of %s (system identifier %s)", y.server, primary.server, y.System)
			}
		}
	}
	return ""
}

func primaryOf(all []seenAt) *seenAt {
	for i := range all {
		if all[i].Primary {
			return &all[i]
		}
	}
	return nil
}

// Identity is authority.Identified: the system identifier, which is made with a
// cluster.
func (s *System) Identity(ctx context.Context) (authority.Identity, error) {
	m, err := s.Who(ctx, s.Servers()[0])
	if err != nil {
		return authority.Identity{}, err
	}
	return authority.Identity{Self: "system identifier " + m.System}, nil
}
