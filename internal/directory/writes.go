package directory

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/protocol"
)

// A replica that is named first, or a database that takes no changes, refuses
// every reset. That shows before: a server looks whether it takes changes
// before it looks for the entry that is to be changed. So it is asked to change
// one that nobody has, under a name made for the question: a server that takes
// changes answers noSuchObject (slapd) or insufficientAccessRights (ns-slapd),
// a replica answers with a referral or is unwilling, and none changes anything
// (slapd 2.5.13 and ns-slapd 2.3.1 tried). A control that must fail (RFC 4528)
// would do no more, and ns-slapd has none.

// Standing is whether a server takes changes.
type Standing struct {
	// Replica: it never does; the changes have to be made at another server.
	Replica bool
	// ReadOnly: it does not now, and whoever runs it has said so in its
	// configuration.
	ReadOnly bool
	// Forwards: it is a replica that hands changes on to its provider by itself
	// (slapo-chain(5)). Only a server that shows its databases
	// (back-monitor(5)) tells.
	Forwards bool
	// Detail says what shows it.
	Detail string
}

// Refuses reports whether nothing can be set there.
func (s Standing) Refuses() bool { return s.Replica || s.ReadOnly }

// Mend is what to do about it.
func (s Standing) Mend() string {
	switch {
	case s.Replica:
		return "name the provider (the supplier, a writable domain controller) as the first of servers; this one may stay among them, behind it"
	case s.ReadOnly:
		return "let it take changes for the time of the campaign (slapd: readonly off, olcReadOnly: FALSE; 389 Directory Server: nsslapd-readonly: off), or name a server that does as the first of servers"
	}
	return "name the provider as the first of servers: this one has its own changes only once they come back to it"
}

// Writes asks the write server whether it takes changes. An error means that it
// did not answer.
func (c *Client) Writes(ctx context.Context) (at string, s Standing, err error) {
	write := c.servers[0]
	err = write.admin(ctx, "", (*pool).useTwice, func(cn *conn) (err error) {
		s, err = cn.writes(ctx)
		return err
	})
	if err != nil {
		return write.name, Standing{}, fmt.Errorf("directory %s: look whether %s takes changes: %w", c.name, write.name, err)
	}
	return write.name, s, nil
}

func (c *conn) writes(ctx context.Context) (Standing, error) {
	return c.server.client.driver.standing(ctx, c)
}

// asked is what a server answers to a change of an entry that nobody has.
func (c *conn) asked(ctx context.Context) (Standing, error) {
	base := c.server.client.conf.Base
	req := ldap.NewModifyRequest("cn=rollcall-asks-"+strings.ToLower(rand.Text())+","+base, nil)
	req.Replace("description", []string{"asks whether changes are taken"})
	err := c.do(ctx, "ask whether changes are taken", func(l *ldap.Conn) error { return l.Modify(req) })
	if err != nil && !answered(err) {
		return Standing{}, err
	}
	return standingOf(err), nil
}

func (openLDAP) standing(ctx context.Context, c *conn) (Standing, error) {
	s, err := c.asked(ctx)
	if err != nil || s.Refuses() {
		return s, err
	}
	if s.Forwards, err = c.forwards(ctx); s.Forwards {
		s.Detail = "it is a replica that hands changes on to its provider (slapo-chain)"
	}
	return s, err
}

func (ds389) standing(ctx context.Context, c *conn) (Standing, error) { return c.asked(ctx) }

func (activeDirectory) standing(ctx context.Context, c *conn) (Standing, error) {
	said, err := c.readOnlyController(ctx)
	if err != nil || said {
		return Standing{Replica: said, Detail: "it is a read-only domain controller"}, err
	}
	return c.asked(ctx)
}

// readOnlyController reports whether it is a read-only domain controller: by
// its capabilities ([MS-ADTS] 3.1.1.3.4.3), which Samba 4.17 does not list, or
// by its own settings (msDS-isRODC, 3.1.1.4.5.30).
func (c *conn) readOnlyController(ctx context.Context) (bool, error) {
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "supportedCapabilities", "dsServiceName")
	if err != nil && !answered(err) {
		return false, err
	}
	if len(root) != 1 || slices.Contains(root[0].GetAttributeValues("supportedCapabilities"), capReadOnly) {
		return len(root) == 1, nil
	}
	settings, err := c.read(ctx, root[0].GetAttributeValue("dsServiceName"), ldap.ScopeBaseObject, "(objectClass=*)", "msDS-isRODC")
	if err != nil && !answered(err) {
		return false, err
	}
	return len(settings) == 1 && strings.EqualFold(settings[0].GetAttributeValue("msDS-isRODC"), "TRUE"), nil
}

// standingOf reads the answer. unwillingToPerform has many meanings, so its
// text decides; a server whose words are not known here is asked by the first
// reset.
func standingOf(err error) Standing {
	text := ""
	if err != nil {
		text = strings.ToLower(err.Error())
	}
	switch code := resultCode(err); {
	case code == ldap.LDAPResultReferral:
		return Standing{Replica: true, Detail: "it is a replica, and refers whoever wants to change something to another server"}
	case code != ldap.LDAPResultUnwillingToPerform:
	case strings.Contains(text, "shadow context"), strings.Contains(text, "cannot update referral"):
		return Standing{Replica: true, Detail: "it is a replica, and takes no changes (shadow context)"}
	case strings.Contains(text, "read-only"), strings.Contains(text, "operation restricted"), strings.Contains(text, "operations restricted"):
		return Standing{ReadOnly: true, Detail: "its database is read-only, and takes no changes from anybody"}
	}
	return Standing{}
}

// forwards looks at the databases as back-monitor(5) shows them, which it
// commonly does to administrators alone: one that names another server for
// changes, below the overlay chain.
func (c *conn) forwards(ctx context.Context) (bool, error) {
	req := ldap.NewSearchRequest("cn=Databases,cn=Monitor", ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 10, false,
		"(|(monitorUpdateRef=*)(monitorOverlay=chain))", []string{"namingContexts", "monitorUpdateRef", "monitorOverlay"}, nil)
	var res *ldap.SearchResult
	err := c.do(ctx, "look at its databases", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if answered(err) || err == nil && res == nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	refers, chains := false, false
	for _, e := range res.Entries {
		chains = chains || slices.Contains(e.GetEqualFoldAttributeValues("monitorOverlay"), "chain")
		refers = refers || e.GetEqualFoldAttributeValue("monitorUpdateRef") != "" && slices.ContainsFunc(e.GetEqualFoldAttributeValues("namingContexts"),
			func(n string) bool { return Within(c.server.client.conf.Base, n) })
	}
	return refers && chains, nil
}

// checkWrites is the doctor's line of it. A replica is a mistake of the file,
// and no campaign begins with it; a read-only database may be one for an hour,
// and the other directories of the file need not wait for that.
func (c *conn) checkWrites(ctx context.Context, add addCheck) {
	s, err := c.writes(ctx)
	switch {
	case err != nil:
		add(takesChanges, true, "whether it takes changes: "+err.Error(), notChecked)
	case s.Replica:
		add(provider, false, s.Detail, s.Mend())
	case s.ReadOnly:
		add(takesChanges, false, s.Detail, s.Mend())
	case s.Forwards:
		add(noteReplication, true, s.Detail+": what is set comes back to it after a while, and consumers wait for that; "+s.Mend(), "")
	default:
		add(takesChanges, true, "it takes changes, as far as it says", "")
	}
}

const (
	provider     = "provider"
	takesChanges = "takes changes"
)

// takesNone is the Stop of a change that the server refused because it takes
// none, or nil.
func (s *server) takesNone(err error) error {
	found := standingOf(err)
	if !found.Refuses() {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonReadOnly, Server: s.name, Detail: found.Detail + "; nothing was changed; " + found.Mend()}
}
