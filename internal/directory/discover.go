package directory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/address"
)

// Discover names every server of the directory: those of the campaign file as
// it writes them, the write server first, then those that only the place named
// by discover has. Nothing is left out because it cannot be resolved or
// reached: such a server keeps credentials open. It changes nothing. An error
// means that the list may be incomplete; IsUnreachable tells whether it may be
// whole at the next try. The servers of the file are in the answer all the
// same.
//
// Whoever can forge DNS answers can hide a server, but not become one: each is
// held to a certificate that ca_file trusts for its name.
func (c *Client) Discover(ctx context.Context) (Found, error) {
	var all Found
	if err := c.add(ctx, &all, c.conf.Servers); err != nil {
		return all, err
	}
	var found []string
	var err error
	switch c.conf.Discover {
	case "":
	case config.FromConfiguration:
		found, err = c.inConfiguration(ctx, all)
	case config.FromDNS:
		found, err = c.inDNS(ctx, all)
	default:
		err = fmt.Errorf("directory %s: discover %q is unknown", c.name, c.conf.Discover)
	}
	if err != nil {
		return all, err
	}
	err = c.add(ctx, &all, found)
	return all, err
}

// inConfiguration asks the write server for the domain's controllers. They are
// taken to listen where it does: a configuration partition has no ports.
func (c *Client) inConfiguration(ctx context.Context, named Found) ([]string, error) {
	all, err := c.reach(named)
	if err != nil {
		return nil, err
	}
	write := all[0]
	var hosts []string
	err = write.admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		roots, err := cn.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "defaultNamingContext", "configurationNamingContext")
		if err != nil {
			return err
		}
		if len(roots) != 1 {
			return errNoRoot
		}
		hosts, err = cn.domainControllers(ctx, roots[0].GetAttributeValue("defaultNamingContext"), roots[0].GetAttributeValue("configurationNamingContext"))
		return err
	})
	switch {
	case IsUnreachable(err), err != nil && !answered(err) && !errors.Is(err, errNoRoot):
		return nil, err
	case err != nil || len(hosts) == 0:
		return nil, fmt.Errorf("directory %s: the configuration partition at %s shows bind.dn no domain controller; let it read CN=Sites there, or name every server and take discover out", c.name, write.name)
	}
	return c.besidesNamed(ctx, all, hosts), nil
}

var errNoRoot = errors.New("the server shows no root DSE")

// inDNS looks for SRV records (RFC 2782): those of the domain's controllers,
// which locate clear-text ports and so are taken to listen where the write
// server does ([MS-ADTS] 6.3.2.3), or those of an LDAP service with their
// ports.
func (c *Client) inDNS(ctx context.Context, named Found) ([]string, error) {
	domain, service := config.Domain(c.conf.Base), "ldap"
	if c.servers[0].security == tlsAtOnce {
		service = "ldaps"
	}
	name := "_" + service + "._tcp." + domain
	if c.conf.HasDomains() {
		name = "_ldap._tcp.dc._msdcs." + domain
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, records, err := c.resolver.LookupSRV(within, "", "", name)
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown) && unknown.IsNotFound, err == nil && len(records) == 0:
		return nil, fmt.Errorf("directory %s: DNS has no SRV record %s; correct base or the resolver, or name every server and take discover out", c.name, name)
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("directory %s: look for SRV records %s: %w", c.name, name, ctx.Err())
	case errors.As(err, &unknown):
		return nil, &address.Unreachable{Server: "the DNS resolver", What: "directory " + c.name + ": look for SRV records " + name, Err: err}
	case err != nil:
		return nil, fmt.Errorf("directory %s: look for SRV records %s: %w", c.name, name, err)
	}
	var hosts, urls []string
	for _, r := range records {
		host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
		if host == "" {
			return nil, fmt.Errorf("directory %s: the SRV record %s says that there is no such service (RFC 2782)", c.name, name)
		}
		hosts = append(hosts, host)
		urls = append(urls, c.scheme()+"://"+net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
	}
	if c.conf.HasDomains() {
		all, err := c.reach(named)
		return c.besidesNamed(ctx, all, hosts), err
	}
	slices.Sort(urls)
	return urls, nil
}

// besidesNamed are the URLs of domain controllers that the file does not name.
func (c *Client) besidesNamed(ctx context.Context, all []*server, hosts []string) (urls []string) {
	named := hostNames(ctx, all)
	for _, host := range hosts {
		if !slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, host) }) {
			urls = append(urls, c.scheme()+"://"+net.JoinHostPort(strings.ToLower(host), c.servers[0].port))
		}
	}
	slices.Sort(urls)
	return urls
}

func (c *Client) scheme() string {
	scheme, _, _ := strings.Cut(c.servers[0].name, "://")
	return scheme
}
