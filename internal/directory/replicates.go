package directory

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// Servers of a directory log in to each other as accounts: to fetch changes, to
// send them, to hand a request on. The passwords stand in their configurations,
// where nobody brings a new one. A connection that is bound lives through a
// reset, so that nothing shows until it is broken once: then the server never
// comes back, and what is set at the provider alone is called dead there and
// lives on here (slapd 2.5.13 tried).

// replicator is an account as which a server logs in to another, or by which it
// lets another send it changes.
type replicator struct {
	dn    string // empty for one that is known by its login alone
	login string // authcid of a SASL bind
	how   string // for people
	at    string // the URL where it logs in; empty: that does not show
}

// replicators are those that the configuration of one server shows. hidden says
// what it does not show, and what to do.
type replicators struct {
	of     []replicator
	hidden string
}

// LookAt is authority.Looker: on every server, because each has a configuration
// of its own.
func (c *Client) LookAt(ctx context.Context, accounts []authority.Account) (seen authority.Seen, err error) {
	found, err := c.replicators(ctx)
	if err != nil {
		return seen, err
	}
	seen.Hidden = c.lookAtLogs(ctx)
	at := map[string][]string{} // by account, what shows it
	for i, s := range c.servers {
		if found[i].hidden != "" {
			h := authority.Hidden{Server: s.name, Detail: found[i].hidden}
			if len(c.servers) > 1 {
				h.Code = credential.FindingReplicatorsHidden
			}
			seen.Hidden = append(seen.Hidden, h)
		}
		for _, r := range found[i].of {
			id, err := c.meant(ctx, r)
			if err != nil {
				return seen, err
			}
			if id == "" {
				seen.Binds = append(seen.Binds, r.bind(s.name))
			}
			for _, a := range accounts {
				if r.means(a, id) {
					at[a.Subject] = append(at[a.Subject], s.name+": "+r.how)
				}
			}
		}
	}
	for subject, lines := range at {
		slices.Sort(lines)
		seen.Add(subject, authority.Problem{Code: credential.Replicates, Detail: "servers replicate by it: " + strings.Join(few(slices.Compact(lines)), "; ") +
			". Its present password stands in their configuration: from a new one on they are refused at the next broken connection or restart, no change arrives there any more, and the stolen value lives on at them. " +
			"Give them an account of their own, that the device never had, and list again; or accept it by name: then it goes last, and a person writes the new password into each of these configurations at once and restarts replication once to see that it works"})
	}
	return seen, nil
}

// replicators asks every server. An error means that the write server did not
// answer.
func (c *Client) replicators(ctx context.Context) ([]replicators, error) {
	found := make([]replicators, len(c.servers))
	errs := make([]error, len(c.servers))
	var all sync.WaitGroup
	for i, s := range c.servers {
		all.Go(func() { found[i], errs[i] = c.driver.replicators(ctx, c, s.name) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errs[0] != nil {
		return nil, errs[0]
	}
	for i := range found {
		if errs[i] != nil {
			found[i].hidden = "as which accounts it replicates does not show, because it does not answer"
		}
	}
	return found, nil
}

// Hindered is authority.Again: the accounts by which servers log in to each
// other now.
func (c *Client) Hindered(ctx context.Context) (map[string][]credential.Problem, error) {
	found, err := c.replicators(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]credential.Problem{}
	for _, at := range found {
		for _, r := range at.of {
			ids, err := c.accountsOf(ctx, r)
			if err != nil {
				return nil, err
			}
			for _, id := range ids {
				out[id] = []credential.Problem{credential.Replicates}
			}
		}
	}
	return out, nil
}

// accountsOf are the immutable ids of what a replicator may be.
func (c *Client) accountsOf(ctx context.Context, r replicator) (ids []string, err error) {
	if r.dn != "" {
		id, err := c.meant(ctx, r)
		if id == "" {
			return nil, err
		}
		return []string{id}, err
	}
	err = c.Search(ctx, c.servers[0].name, c.conf.Base, "(uid="+ldap.EscapeFilter(r.login)+")", []string{"1.1"}, func(e Entry) error {
		ids = append(ids, strings.ToLower(e.ID))
		return nil
	})
	return ids, err
}

// bind is one that is no account of this directory, as it may be another's: of
// a proxy, or of an agreement with a domain.
func (r replicator) bind(server string) authority.Bind {
	b := authority.Bind{Name: r.dn, Where: server + ": " + r.how, Mend: "write it into that configuration, on every server that has it"}
	if b.Name == "" {
		b.Name = r.login
	}
	if r.at != "" {
		b.URLs = strings.Fields(r.at)
	}
	return b
}

func few(lines []string) []string {
	const most = 6
	if len(lines) <= most {
		return lines
	}
	return append(slices.Clone(lines[:most]), fmt.Sprintf("and %d more", len(lines)-most))
}

// means reports whether it is the account, whose id the directory gave for the
// name in the configuration, if it knows it.
func (r replicator) means(a authority.Account, id string) bool {
	switch {
	case id != "":
		return id == a.Subject
	case r.dn != "":
		return SameDN(r.dn, a.Name)
	}
	return slices.ContainsFunc(a.Names, func(name string) bool { return strings.EqualFold(name, r.login) })
}

// meant is the immutable id of the entry of that name; empty for one that is
// not in the directory, or that bind.dn may not see.
func (c *Client) meant(ctx context.Context, r replicator) (string, error) {
	if r.dn == "" || Comparable(r.dn) && !Within(r.dn, c.conf.Base) {
		return "", nil
	}
	id, err := c.IDOf(ctx, r.dn)
	if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
		return "", err
	}
	return strings.ToLower(id), nil
}

// bindSettings are where the configuration of slapd has with whom it binds:
// slapd.conf(5), slapd-ldap(5), which slapo-chain(5) and slapo-translucent(5)
// use, and slapd-meta(5).
var bindSettings = []string{"olcSyncrepl", "olcDbIDAssertBind", "olcDbACLBind", "olcDbIDAssertAuthcDn", "olcDbACLAuthcDn", "olcDbBindDN", "olcDbPseudoRootDN", "olcChainIDAssertBind"}

// replicators of OpenLDAP: syncrepl stands at who fetches, and what a proxy or
// chain binds with at it. cn=config shows them to few.
func (openLDAP) replicators(ctx context.Context, c *Client, server string) (out replicators, err error) {
	var filter strings.Builder
	for _, name := range bindSettings {
		filter.WriteString("(" + name + "=*)")
	}
	shown := false
	// Three values decide (RFC 4511 section 4.5.1.7): an entry matches the
	// absence of an attribute only where it may be searched.
	err = c.Search(ctx, server, "cn=config", "(|"+filter.String()+"(!(olcSyncrepl=*)))", append(slices.Clone(bindSettings), "olcDbURI"), func(e Entry) error {
		shown = true
		for _, name := range bindSettings {
			for _, value := range e.Attrs[name] {
				r, ok := bindOf(name, value)
				if r.at == "" {
					r.at = proxied(e)
				}
				if ok {
					out.of = append(out.of, r)
				}
			}
		}
		return nil
	})
	if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
		return out, err
	}
	if !shown {
		out.hidden = "as which accounts it fetches changes, chains and proxies does not show (cn=config); if one is on the roll, exclude it, or rotate it by hand, last; or let bind.dn read olcSyncrepl there, and where chain or a proxy is loaded olcDbIDAssertBind and olcDbACLBind, for the time of the campaign (they hold those passwords: docs/rights.md)"
	}
	return out, nil
}

// proxied are the URLs of the servers that a proxy asks. Those of a meta
// backend have a part of its tree behind them, and may be quoted.
func proxied(e Entry) string {
	var out []string
	for _, value := range e.Attrs["olcDbURI"] {
		for _, at := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ,\"\t", r) }) {
			if u, err := url.Parse(at); err == nil && u.Host != "" {
				out = append(out, u.Scheme+"://"+u.Host)
			}
		}
	}
	return strings.Join(out, " ")
}

// bindOf reads a setting: words of the form name=value, the value in quotes or
// not, or a DN alone. The password in it is left where it is.
func bindOf(setting, value string) (r replicator, ok bool) {
	r.how = "it is in " + setting
	words := settingWords(value)
	r.dn, r.login = words["binddn"], words["authcid"]
	if provider := words["provider"]; provider != "" {
		r.how += " (provider " + provider + ")"
		r.at = provider
	}
	if len(words) == 0 {
		r.dn = strings.TrimSpace(value)
	}
	return r, r.dn != "" || r.login != ""
}

// settingWords are the words of a setting, by their names in lower case.
func settingWords(text string) map[string]string {
	out := map[string]string{}
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		end := strings.IndexAny(rest, "= \t\r\n")
		switch {
		case rest == "":
			return out
		case end < 0:
			return out
		case rest[end] != '=': // a word without a value, as {0}rid
			rest = rest[end:]
			continue
		}
		name := strings.ToLower(rest[:end])
		rest = rest[end+1:]
		value, after := "", ""
		if strings.HasPrefix(rest, `"`) {
			value, after, _ = strings.Cut(rest[1:], `"`)
		} else if end := strings.IndexAny(rest, " \t\r\n"); end >= 0 {
			value, after = rest[:end], rest[end:]
		} else {
			value = rest
		}
		switch name {
		case "binddn", "authcid", "provider", "bindmethod", "mode", "rid":
			out[name] = value
		}
		rest = after
	}
}

// replicators of 389 Directory Server: an agreement binds at the server that it
// sends to (nsDS5ReplicaBindDN), which takes changes from the DNs that its
// replica names, and from members of a group; a chained suffix binds as its
// multiplexor.
func (ds389) replicators(ctx context.Context, c *Client, server string) (out replicators, err error) {
	const tree, plugins = "cn=mapping tree,cn=config", "cn=chaining database,cn=plugins,cn=config"
	attrs := []string{"nsDS5ReplicaBindDN", "nsDS5ReplicaBindDNGroup", "nsMultiplexorBindDN", "nsDS5ReplicaHost", "nsDS5ReplicaPort", "nsFarmServerURL"}
	groups := map[string]bool{}
	// seen is whether the server shows it to us that an entry has none, too.
	look := func(base, filter string) (seen bool, err error) {
		err = c.Search(ctx, server, base, filter, attrs, func(e Entry) error {
			seen = true
			for _, dn := range e.Attrs["nsDS5ReplicaBindDN"] {
				how := "it may send it changes (nsDS5ReplicaBindDN of its replica)"
				at := ""
				if host := e.First("nsDS5ReplicaHost"); host != "" {
					how = "it sends changes to " + host + " by it (nsDS5ReplicaBindDN of an agreement)"
					at = "ldap://" + net.JoinHostPort(host, cmp.Or(e.First("nsDS5ReplicaPort"), "389"))
				}
				out.of = append(out.of, replicator{dn: dn, how: how, at: at})
			}
			for _, dn := range e.Attrs["nsMultiplexorBindDN"] {
				out.of = append(out.of, replicator{dn: dn, how: "it chains requests by it (nsMultiplexorBindDN)", at: e.First("nsFarmServerURL")})
			}
			for _, dn := range e.Attrs["nsDS5ReplicaBindDNGroup"] {
				groups[dn] = true
			}
			return nil
		})
		if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
			return seen, err
		}
		return seen, nil
	}
	named, err := look(tree, "(|(nsDS5ReplicaBindDN=*)(nsDS5ReplicaBindDNGroup=*)(&(!(nsDS5ReplicaBindDN=*))(!(nsDS5ReplicaBindDNGroup=*))))")
	if err != nil {
		return out, err
	}
	if _, err = look(plugins, "(nsMultiplexorBindDN=*)"); err != nil {
		return out, err
	}
	if !named {
		out.hidden = "as which accounts it replicates does not show (nsDS5ReplicaBindDN and nsDS5ReplicaBindDNGroup in cn=mapping tree,cn=config); if one is on the roll, exclude it, or rotate it by hand, last; or show them: " + bindDNACI(c.conf.Identities()[0].DN)
	}
	for dn := range groups {
		members, err := c.membersOf(ctx, server, dn)
		if err != nil {
			return out, err
		}
		for _, m := range members {
			out.of = append(out.of, replicator{dn: m, how: "it may send it changes (a member of " + dn + ", nsDS5ReplicaBindDNGroup of its replica)"})
		}
	}
	return out, nil
}

// bindDNACI shows the identity as which accounts servers replicate, and no
// password of an agreement.
func bindDNACI(dn string) string {
	return fmt.Sprintf(`aci: (targetattr="objectClass || nsDS5ReplicaRoot || nsDS5ReplicaHost || nsDS5ReplicaPort || nsds50ruv || nsDS5ReplicaBindDN || nsDS5ReplicaBindDNGroup")(version 3.0; acl "Rollcall sees who replicates"; allow (read, search) userdn="ldap:///%s";)`, dn)
}

// membersOf are the members of a group, and of the groups in it.
func (c *Client) membersOf(ctx context.Context, server, group string) (out []string, err error) {
	const most = 100 // groups, of which circles are made too
	left, seen := []string{group}, map[string]bool{}
	for len(left) > 0 && len(seen) < most {
		dn := left[0]
		left = left[1:]
		if key := strings.ToLower(dn); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		e, found, err := c.one(ctx, server, "", dn, ldap.ScopeBaseObject, "(|(member=*)(uniqueMember=*))", []string{"member", "uniqueMember"})
		if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
			return nil, err
		}
		if err != nil || !found {
			continue
		}
		members := slices.Concat(e.Attrs["member"], e.Attrs["uniqueMember"])
		out, left = append(out, members...), append(left, members...)
	}
	return out, nil
}

// A domain controller replicates as itself.
func (activeDirectory) replicators(context.Context, *Client, string) (replicators, error) {
	return replicators{}, nil
}

// checkReplicators is the doctor's line of it.
func (c *conn) checkReplicators(ctx context.Context, add addCheck) {
	client := c.server.client
	found, err := client.driver.replicators(ctx, client, c.server.name)
	switch {
	case err != nil:
		add(noteReplicators, true, "not checked, because of this: "+err.Error(), notChecked)
	case found.hidden != "":
		add(noteReplicators, true, "not checked, because "+found.hidden, notChecked)
	default:
		add(noteReplicators, true, fmt.Sprintf("its configuration names %s as which servers log in to each other; one of the roll stays open (replicates)", plural.Count(len(found.of), "account", "accounts")), "")
	}
}

const noteReplicators = "replicates by"
