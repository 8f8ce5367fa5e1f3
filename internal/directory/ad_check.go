package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/plural"
)

// Capabilities in the root DSE ([MS-ADTS] 3.1.1.3.4.3).
const (
	capActiveDirectory = "1.2.840.113556.1.4.800"
	capReadOnly        = "1.2.840.113556.1.4.1920"
)

// check looks whether the server is a domain controller of the domain that base
// is in, whether the identity may do its work, and whether the file names every
// domain controller.
func (activeDirectory) check(ctx context.Context, c *conn, write bool, add addCheck) {
	roots, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)",
		"supportedCapabilities", "defaultNamingContext", "configurationNamingContext", "currentTime", "dnsHostName")
	if err != nil || len(roots) != 1 {
		add("domain", false, found(roots, err, ""), "check that this is a domain controller")
		return
	}
	root := roots[0]
	base, domain := c.server.client.conf.Base, root.GetAttributeValue("defaultNamingContext")
	capable := root.GetAttributeValues("supportedCapabilities")
	switch {
	case !slices.Contains(capable, capActiveDirectory):
		add("domain", false, "the server is no Active Directory domain controller", "correct driver or servers")
		return
	case !Within(base, domain):
		add("domain", false, fmt.Sprintf("base %q is not in this domain controller's domain %q", base, domain),
			"correct base, or name domain controllers of the domain it is in")
		return
	}
	if s, err := c.writes(ctx); write && err == nil && s.Refuses() {
		c.checkWrites(ctx, add)
		return
	}
	add("domain", true, fmt.Sprintf("%s is a domain controller of %s", root.GetAttributeValue("dnsHostName"), domain), "")
	there, _ := time.Parse("20060102150405.0Z", root.GetAttributeValue("currentTime"))
	addClock(there, "currentTime in the root entry", add)
	if write {
		c.checkRights(ctx, domain, add)
		c.noteDomain(ctx, add)
		c.noteHidden(ctx, add)
		c.checkServers(ctx, domain, root.GetAttributeValue("configurationNamingContext"), add)
	}
}

// started: the root entry names the domain controller itself.
func (activeDirectory) started() (string, string) { return "", "" }

// checkServers compares the domain's controllers, as the configuration
// partition has them, with those that the file names: a stolen value is proved
// dead only on servers that are asked. Their names are taken from their root
// DSE, because the file may call them by other names.
func (c *conn) checkServers(ctx context.Context, domain, configuration string, add addCheck) {
	all, err := c.domainControllers(ctx, domain, configuration)
	if err != nil || len(all) == 0 {
		return // the domain's other controllers are not shown to this identity
	}
	var missing []string
	named := hostNames(ctx, c.server.client.servers)
	for _, host := range all {
		if !slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, host) }) {
			missing = append(missing, host)
		}
	}
	add("servers", len(missing) == 0,
		fmt.Sprintf("the domain has %s, servers leaves out %d: %s", plural.Count(len(all), "domain controller", "domain controllers"), len(missing), strings.Join(missing, ", ")),
		"add them to servers, or let discover: configuration find them: until they follow, they accept the stolen values")
}

// domainControllers are the host names in the server objects above the settings
// of those controllers that hold the domain (nTDSDSA objects, [MS-ADTS]
// 6.1.1.2.2.1): the writable ones (hasMasterNCs), and the read-only ones
// (msDS-hasFullReplicaNCs), which may accept what they have cached. One that
// has no host name there goes by the name of its server object, so that it is
// not missed.
func (c *conn) domainControllers(ctx context.Context, domain, configuration string) ([]string, error) {
	search := func(base string, scope int, filter, attr string) ([]*ldap.Entry, error) {
		req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, []string{attr}, nil)
		var res *ldap.SearchResult
		err := c.do(ctx, "look for domain controllers", func(l *ldap.Conn) (err error) {
			res, err = l.SearchWithPaging(req, pageSize)
			return err
		})
		if err != nil {
			return nil, err
		}
		return res.Entries, nil
	}
	settings, err := search("CN=Sites,"+configuration, ldap.ScopeWholeSubtree,
		"(&(objectClass=nTDSDSA)"+anyWith(domain)+")", "1.1")
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, s := range settings {
		_, parent, _ := strings.Cut(s.DN, ",")
		server, err := search(parent, ldap.ScopeBaseObject, "(objectClass=server)", "dNSHostName")
		if err != nil {
			return nil, err
		}
		host := firstValue(parent)
		if len(server) == 1 && server[0].GetAttributeValue("dNSHostName") != "" {
			host = server[0].GetAttributeValue("dNSHostName")
		}
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return hosts, nil
}

// firstValue is the value of the first part of a DN.
func firstValue(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return dn
	}
	return parsed.RDNs[0].Attributes[0].Value
}

func anyWith(domain string) string {
	d := ldap.EscapeFilter(domain)
	return "(|(hasMasterNCs=" + d + ")(msDS-hasFullReplicaNCs=" + d + "))"
}
