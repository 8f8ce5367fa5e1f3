package directory

import (
	"context"
	"fmt"
	"strings"
)

// One machine may stand in the file twice, by two names, addresses or ports.
// Where servers are counted (who can have made these changes?) it counts once.

// apart groups servers by machine: those that nothing tells apart are taken for
// one. One that does not answer may be any machine, and is one of its own. It
// looks at one after the other, because a state that is older than one seen
// before is another machine's.
func (c *Client) apart(ctx context.Context, servers []*server) (machines [][]*server) {
	var sights [][]sight
next:
	for _, s := range servers {
		seen, err := s.sight(ctx)
		if err != nil {
			machines, sights = append(machines, []*server{s}), append(sights, nil)
			continue
		}
		for m := range machines {
			if len(sights[m]) > 0 && contradiction(append(sights[m][:len(sights[m]):len(sights[m])], seen)) == "" {
				machines[m], sights[m] = append(machines[m], s), append(sights[m], seen)
				continue next
			}
		}
		machines, sights = append(machines, []*server{s}), append(sights, []sight{seen})
	}
	return machines
}

// sight looks at a server over a new connection.
func (s *server) sight(ctx context.Context) (sight, error) {
	conns, odd, err := s.openMany(ctx, 1)
	if err != nil {
		return sight{}, err
	}
	defer closeAll(conns)
	if odd != "" {
		return sight{}, fmt.Errorf("%s: %s", s.name, odd)
	}
	return conns[0].look(ctx)
}

// takenForOne words which servers count as one machine; empty if none do.
func takenForOne(machines [][]*server) string {
	var out []string
	for _, m := range machines {
		if len(m) < 2 {
			continue
		}
		var names []string
		for _, s := range m {
			names = append(names, s.name)
		}
		out = append(out, strings.Join(names, " and ")+" count as one, because nothing tells them apart (certificate, time of start, state)")
	}
	return strings.Join(out, "; ")
}
