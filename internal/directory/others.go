package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/authority"
	"rollcall/internal/plural"
)

// A balancer that keeps us to one machine shows nothing of the others, and a
// file may leave a server out by mistake. But the directory itself knows who
// replicates in it.

// Others are servers that the directory knows of and the campaign file does not
// reach.
type Others = authority.Others

// Others asks the directory which servers it knows of beside those of the file.
// accepted are names that a person has accounted for. An error means that the
// write server did not answer.
func (c *Client) Others(ctx context.Context, accepted ...string) (Others, error) {
	var used []string
	out, err := c.driver.others(ctx, c, func(name string) bool {
		i := slices.IndexFunc(accepted, func(a string) bool { return strings.EqualFold(a, name) })
		if i >= 0 {
			used = append(used, accepted[i])
		}
		return i >= 0
	})
	if err != nil {
		return Others{}, fmt.Errorf("directory %s: look for the servers that it knows of: %w", c.name, err)
	}
	out.Accepted = used
	return out, nil
}

// others of OpenLDAP: contextCSN has the last change that was made on each
// server, by its id (slapo-syncprov(5)). A replica that only fetches changes is
// known to nobody but itself. 000 is what a server without an id goes by, as
// before a second provider was added, and is no further one beside others.
// Which of the file's servers has which id does not show; but one that is no
// provider (it offers no Sync control, RFC 4533) has made none of these
// changes.
func (openLDAP) others(ctx context.Context, c *Client, accepted func(string) bool) (Others, error) {
	write := c.servers[0]
	seen := sight{grows: map[string]string{}}
	err := write.admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		roots, err := cn.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "namingContexts")
		if err != nil || len(roots) != 1 {
			return err
		}
		return cn.lookAtState(ctx, &seen, roots[0].GetEqualFoldAttributeValues("namingContexts"))
	})
	if err != nil && !answered(err) {
		return Others{}, err
	}
	if len(seen.grows) == 0 {
		return Others{Hidden: "contextCSN of the suffix is not shown to bind.dn, or is not kept there, so how many servers make changes is not known"}, nil
	}
	var ids []string
	for _, name := range slices.Sorted(maps.Keys(seen.grows)) {
		if id := strings.TrimPrefix(name, contextCSNOf); (id != "000" || len(seen.grows) == 1) && !accepted(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) <= 1 {
		return Others{}, nil
	}
	able := append([]*server{write}, c.each(ctx, c.servers[1:], func(cn *conn) (bool, error) {
		roots, err := cn.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "supportedControl")
		if err != nil || len(roots) != 1 {
			return true, nil
		}
		offered := roots[0].GetEqualFoldAttributeValues("supportedControl")
		return len(offered) == 0 || slices.Contains(offered, ldap.ControlTypeSyncRequest), nil
	})...)
	machines, once := len(able), ""
	if len(ids) <= machines {
		told := c.apart(ctx, able)
		if machines = len(told); len(ids) <= machines {
			return Others{}, nil
		}
		once = "; " + takenForOne(told) + ": if they are two, let bind.dn read cn=Monitor at both, which says when each was started"
	}
	return Others{Names: ids, Detail: fmt.Sprintf("changes were made there by the servers with the ids %s (contextCSN at %s), and of the servers that the file names %d can have made them: %d not asked%s",
		strings.Join(ids, ", "), write.name, machines, len(ids)-machines, once)}, nil
}

// each asks servers at the same time, without a login. Those for which f is
// true, and those that do not answer, are given back.
func (c *Client) each(ctx context.Context, servers []*server, f func(*conn) (bool, error)) []*server {
	yes := make([]bool, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			yes[i] = true
			if cn, err := s.dial(ctx); err == nil {
				defer cn.close()
				if ok, err := f(cn); err == nil {
					yes[i] = ok
				}
			}
		})
	}
	wg.Wait()
	var out []*server
	for i, s := range servers {
		if yes[i] {
			out = append(out, s)
		}
	}
	return out
}

// others of Active Directory are in the configuration partition.
func (activeDirectory) others(ctx context.Context, c *Client, accepted func(string) bool) (Others, error) {
	var hosts []string
	err := c.servers[0].admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		roots, err := cn.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "defaultNamingContext", "configurationNamingContext")
		if err != nil || len(roots) != 1 {
			return err
		}
		hosts, err = cn.domainControllers(ctx, roots[0].GetAttributeValue("defaultNamingContext"), roots[0].GetAttributeValue("configurationNamingContext"))
		return err
	})
	if err != nil && !answered(err) {
		return Others{}, err
	}
	if len(hosts) == 0 {
		return Others{Hidden: "the configuration partition shows bind.dn no domain controller; let it read CN=Sites there"}, nil
	}
	named := hostNames(ctx, c.servers)
	missing := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool {
		return accepted(host) || slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, host) })
	})
	if len(missing) == 0 {
		return Others{}, nil
	}
	return Others{Names: missing, Detail: fmt.Sprintf("the domain has %s (configuration partition at %s), and these are not asked: %s",
		plural.Count(len(hosts), "domain controller", "domain controllers"), c.servers[0].name, strings.Join(missing, ", "))}, nil
}
