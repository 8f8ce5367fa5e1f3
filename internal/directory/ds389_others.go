package directory

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/plural"
)

// node is a server of the file as replication calls it.
type node struct {
	hosts     []string // of the file, the address that it is dialled at, what it calls itself
	addresses []string // host:port
	itself    bool     // it says how replication calls it
}

// known389 is what one server knows of others, as "host:port" in lower case.
type known389 struct {
	takers  []string // its replication agreements: to whom it sends changes
	writers []string // its update vector: who may make changes, itself as well
	shown   bool
}

// replicaACI shows the identity which servers replicate, and no password of an
// agreement.
func replicaACI(dn string) string {
	return fmt.Sprintf(`aci: (targetattr="objectClass || nsDS5ReplicaRoot || nsDS5ReplicaHost || nsDS5ReplicaPort || nsds50ruv")(version 3.0; acl "Rollcall"; allow (read, search) userdn="ldap:///%s";)`, dn)
}

// others of 389 Directory Server stand in each server's own configuration,
// which is shown to nobody by default: replication agreements name those that
// it sends changes to, the update vector those that make changes.
func (ds389) others(ctx context.Context, c *Client, accepted func(string) bool) (Others, error) {
	knows := make([]known389, len(c.servers))
	errs := make([]error, len(c.servers))
	ask := func(i int) {
		errs[i] = c.servers[i].admin(ctx, "", (*pool).useTwice, func(cn *conn) (err error) {
			knows[i], err = cn.replicas(ctx)
			return err
		})
	}
	if ask(0); errs[0] != nil {
		return Others{}, errs[0]
	}
	if !knows[0].shown {
		return Others{Hidden: "replication agreements and update vector are not shown to bind.dn; show them in cn=mapping tree,cn=config of each server: " + replicaACI(c.conf.Identities()[0].DN)}, nil
	}
	var wg sync.WaitGroup
	for i := range c.servers[1:] {
		wg.Go(func() { ask(i + 1) }) // one that is silent names nobody; it keeps credentials open by itself
	}
	nodes := make([]node, len(c.servers))
	for i, s := range c.servers {
		wg.Go(func() { nodes[i] = s.node(ctx) })
	}
	wg.Wait()
	nodes, of := c.oneNodeEach(ctx, nodes)
	var missing []string
	writers := 0
	for i, k := range knows {
		others := slices.Delete(slices.Clone(nodes), of[i], of[i]+1)
		missing = append(missing, c.unreached(ctx, k.takers, others, func(node) bool { return true })...)
		// An update vector has the names that servers give themselves, and no
		// others.
		missing = append(missing, c.unreached(ctx, k.writers, nodes, func(n node) bool { return !n.itself })...)
		writers = max(writers, len(k.writers))
	}
	slices.Sort(missing)
	missing = slices.DeleteFunc(slices.Compact(missing), accepted)
	if len(missing) == 0 {
		return Others{}, nil
	}
	return Others{Names: missing, Detail: fmt.Sprintf("%s changes there, and the file names no server for these, which make or take changes (replication agreements and update vectors): %s",
		plural.Count(writers, "server makes", "servers make"), strings.Join(missing, ", "))}, nil
}

// oneNodeEach makes one node of those of servers that are one machine. of is
// the node of each server.
func (c *Client) oneNodeEach(ctx context.Context, nodes []node) (each []node, of []int) {
	of = make([]int, len(nodes))
	for m, machine := range c.apart(ctx, c.servers) {
		var one node
		for _, s := range machine {
			i := slices.Index(c.servers, s)
			of[i] = m
			one.hosts, one.addresses = append(one.hosts, nodes[i].hosts...), append(one.addresses, nodes[i].addresses...)
			one.itself = one.itself || nodes[i].itself
		}
		each = append(each, one)
	}
	return each, of
}

// replicas reads the configuration of replication for the suffix that base is
// in.
func (c *conn) replicas(ctx context.Context) (known389, error) {
	req := ldap.NewSearchRequest("cn=mapping tree,cn=config", ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 10, false,
		"(|(objectClass=nsDS5Replica)(objectClass=nsDS5ReplicationAgreement))", []string{"nsDS5ReplicaRoot", "nsDS5ReplicaHost", "nsDS5ReplicaPort", "nsds50ruv"}, nil)
	var res *ldap.SearchResult
	err := c.do(ctx, "look for replicas", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	var out known389
	if answered(err) || err == nil && res == nil {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	for _, e := range res.Entries {
		root := e.GetEqualFoldAttributeValue("nsDS5ReplicaRoot")
		if root == "" || !Within(c.server.client.conf.Base, root) {
			continue // not shown, or of another suffix
		}
		out.shown = true
		if host := e.GetEqualFoldAttributeValue("nsDS5ReplicaHost"); host != "" {
			out.takers = append(out.takers, hostPort(host, e.GetEqualFoldAttributeValue("nsDS5ReplicaPort")))
		}
		for _, element := range e.GetEqualFoldAttributeValues("nsds50ruv") {
			if at := writerIn(element); at != "" {
				out.writers = append(out.writers, at)
			}
		}
	}
	return out, nil
}

// writerIn reads "{replica 1 ldap://host:389} <first> <last>", an element of an
// update vector.
func writerIn(element string) string {
	inner, _, _ := strings.Cut(strings.TrimPrefix(element, "{"), "}")
	words := strings.Fields(inner)
	if len(words) != 3 || words[0] != "replica" {
		return ""
	}
	u, err := url.Parse(words[2])
	if err != nil {
		return ""
	}
	return hostPort(u.Hostname(), u.Port())
}

func hostPort(host, port string) string { return strings.ToLower(net.JoinHostPort(host, port)) }

// node is how a server may be called: netscapemdsuffix in its root entry is
// "cn=ldap://dc=host:port".
func (s *server) node(ctx context.Context) node {
	n := node{hosts: []string{s.host}, addresses: []string{hostPort(s.host, s.port)}}
	cn, err := s.dial(ctx)
	if err != nil {
		return n
	}
	defer cn.close()
	if at, err := netip.ParseAddrPort(cn.tcp.RemoteAddr().String()); err == nil {
		n.hosts = append(n.hosts, at.Addr().Unmap().String())
	}
	roots, err := cn.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "netscapemdsuffix")
	if err == nil && len(roots) == 1 {
		_, self, _ := strings.Cut(roots[0].GetEqualFoldAttributeValue("netscapemdsuffix"), "dc=")
		if host, port, err := net.SplitHostPort(self); err == nil {
			n.hosts, n.addresses, n.itself = append(n.hosts, host), append(n.addresses, hostPort(host, port)), true
		}
	}
	return n
}

// unreached are those places that are no server of nodes. Agreements go by
// other ports than ours and by other names, so a host alone tells too, as long
// as there are as many servers of it, of those that byHost takes.
func (c *Client) unreached(ctx context.Context, places []string, nodes []node, byHost func(node) bool) (out []string) {
	left := slices.Clone(nodes)
	at := map[string][]string{}
	slices.Sort(places)
	for _, p := range slices.Compact(places) {
		i := slices.IndexFunc(left, func(n node) bool { return slices.Contains(n.addresses, p) })
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		host, _, _ := net.SplitHostPort(p)
		at[host] = append(at[host], p)
	}
	for host, there := range at {
		names := []string{host}
		if found, err := c.finder().Of(ctx, host); err == nil {
			for _, a := range found {
				names = append(names, a.String())
			}
		}
		servers := 0
		for _, n := range left {
			if byHost(n) && slices.ContainsFunc(n.hosts, func(h string) bool { return slices.Contains(names, strings.ToLower(h)) }) {
				servers++
			}
		}
		if len(there) > servers {
			out = append(out, there...)
		}
	}
	return out
}
