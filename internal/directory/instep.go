package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A replica that does not follow keeps every stolen value good: the campaign
// resets accounts on the write server and can prove none. So doctor compares
// what the servers have before.

// followTimeout is how long a replica may take to get what the write server
// had.
const followTimeout = 3 * time.Second

// CheckInStep compares contextCSN (slapo-syncprov(5)) of each server with the
// write server's, in OpenLDAP. A server that shows none while it shows entryCSN
// has never followed another one. No campaign is refused for it: a replica may
// come back, and its accounts wait for that.
func (c *Client) CheckInStep(ctx context.Context) (out []Check) {
	if _, has := c.driver.(openLDAP); !has || len(c.servers) < 2 {
		return nil
	}
	want, _, err := c.servers[0].has(ctx)
	if err != nil || len(want) == 0 {
		return nil // its own lines say what is the matter, or it has no replicas that fetch from it
	}
	of := make([][]Check, len(c.servers))
	var wg sync.WaitGroup
	for i, s := range c.servers[1:] {
		wg.Go(func() { of[i] = s.inStepWith(ctx, want) })
	}
	wg.Wait()
	return slices.Concat(of...)
}

func (s *server) inStepWith(ctx context.Context, want map[string]string) []Check {
	row := Check{Server: s.name, What: noteReplication,
		Do: "repair replication to it: what is set now would not come there, and each stolen value would stay good on that server (lagging)"}
	for until := time.Now().Add(followTimeout); ; {
		got, shown, err := s.has(ctx)
		behind := missing(want, got)
		switch {
		case err != nil:
			return nil // connect, bind or base say why
		case len(got) == 0 && !shown:
			row.OK, row.NotChecked, row.Do = true, true, ""
			row.Detail = "whether it follows the write server: it shows bind.dn no contextCSN"
			return []Check{row}
		case len(got) == 0:
			row.Detail = "it has no contextCSN, so it has never followed another server"
			return []Check{row}
		case behind == "":
			row.OK, row.Do = true, ""
			row.What = "in step"
			row.Detail = "it has what the write server has"
			return []Check{row}
		case time.Now().After(until):
			row.Detail = "it has not what the write server has: " + behind
			return []Check{row}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// has is the last change of each server that this one has. shown reports that
// bind.dn sees operational attributes there at all.
func (s *server) has(ctx context.Context) (csns map[string]string, shown bool, err error) {
	conns, odd, err := s.openMany(ctx, 1)
	if err != nil {
		return nil, false, err
	}
	if odd != "" {
		return nil, false, fmt.Errorf("%s: %s", s.name, odd)
	}
	defer closeAll(conns)
	seen, err := conns[0].look(ctx)
	if err != nil {
		return nil, false, err
	}
	base, err := conns[0].read(ctx, s.client.conf.Base, ldap.ScopeBaseObject, "(objectClass=*)", "entryCSN")
	if err != nil && !answered(err) {
		return nil, false, err
	}
	return seen.grows, len(base) == 1 && base[0].GetEqualFoldAttributeValue("entryCSN") != "", nil
}

// missing words which of the write server's changes a server has not.
func missing(want, got map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !strings.HasPrefix(name, "contextCSN") || got[name] >= want[name] {
			continue
		}
		has := "none"
		if got[name] != "" {
			has = got[name]
		}
		out = append(out, fmt.Sprintf("%s is %s there, and %s at the write server", name, has, want[name]))
	}
	return strings.Join(out, "; ")
}
