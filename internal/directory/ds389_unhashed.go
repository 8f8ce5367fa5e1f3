package directory

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

// A 389 Directory Server with nsslapd-unhashed-pw-switch: on, as agreements
// with Windows need it and as old instances have it, puts each new password as
// it was sent beside its hash (unhashed#user#password), and whatever logs
// changes has it: the retro changelog, which metadirectories read as
// cn=changelog, the changelog of replication, the audit log where
// nsslapd-auditlog-logging-hide-unhashed-pw is off. They keep it for days. Each
// server has a setting of its own, and a consumer too logs what it is sent.

const (
	unhashedSwitch = "nsslapd-unhashed-pw-switch"
	noteUnhashed   = "logs as sent"
)

// logsAsSent is what one server shows of that.
type logsAsSent struct {
	does   string // where it has new values as they are; empty: it does not show any
	hidden string // what was not shown, and what to do
	grave  bool   // it keeps such a log, and only what it writes there is hidden
	retro  bool   // that log is one that is read over LDAP (cn=changelog)
}

// unhashedACI shows the identity that setting.
func unhashedACI(dn string) string {
	return fmt.Sprintf(`in cn=config of each server: aci: (targetattr="objectClass || %s || nsslapd-auditlog-logging-enabled || nsslapd-auditlog-logging-hide-unhashed-pw")(version 3.0; acl "Rollcall sees what is logged of passwords"; allow (read, search) userdn="ldap:///%s";)`, unhashedSwitch, dn)
}

func (ds389) logsAsSent(ctx context.Context, c *Client, server string) (out logsAsSent, err error) {
	gone := func(err error) bool { return err != nil && (IsUnreachable(err) || ctx.Err() != nil) }
	root, _, err := c.one(ctx, server, "", "", ldap.ScopeBaseObject, "(objectClass=*)", []string{"changelog", "lastchangenumber"})
	if gone(err) {
		return out, err
	}
	retro := root.First("changelog") != "" || root.First("lastchangenumber") != ""
	conf, _, err := c.one(ctx, server, "", "cn=config", ldap.ScopeBaseObject, "(objectClass=*)", []string{unhashedSwitch, "nsslapd-auditlog-logging-enabled", "nsslapd-auditlog-logging-hide-unhashed-pw"})
	if gone(err) {
		return out, err
	}
	is := conf.First(unhashedSwitch)
	switch {
	case is == "" && retro:
		return logsAsSent{grave: true, retro: true, hidden: "it keeps a retro changelog (cn=changelog), and whether new passwords stand there as they are does not show (" + unhashedSwitch + "): whoever may read it, such as an appliance that synchronises, has each then. Set it to nolog or off, or let bind.dn see it, " + unhashedACI(c.conf.Identities()[0].DN)}, nil
	case is == "":
		return logsAsSent{hidden: "whether it logs new passwords as they are does not show (" + unhashedSwitch + "); let bind.dn see it, " + unhashedACI(c.conf.Identities()[0].DN)}, nil
	case !strings.EqualFold(is, "on"):
		return out, nil
	}
	var where []string
	if retro {
		out.retro = true
		where = append(where, "in its retro changelog (cn=changelog), for whoever may read that")
	}
	var knows known389
	if s, err := c.server(server); err == nil {
		err = s.admin(ctx, "", (*pool).useTwice, func(cn *conn) (err error) {
			knows, err = cn.replicas(ctx)
			return err
		})
		if gone(err) {
			return out, err
		}
	}
	switch {
	case len(knows.takers) > 0:
		where = append(where, "in its changelog of replication, and at those that it sends changes to")
	case !knows.shown:
		where = append(where, "in its changelog of replication, if it has one (cn=mapping tree,cn=config is not shown)")
	}
	if strings.EqualFold(conf.First("nsslapd-auditlog-logging-enabled"), "on") && strings.EqualFold(conf.First("nsslapd-auditlog-logging-hide-unhashed-pw"), "off") {
		where = append(where, "in its audit log")
	}
	if len(where) > 0 {
		out.does = fmt.Sprintf("it keeps each new password as it was sent, beside its hash (%s: on): %s. "+
			"Set it to nolog for the campaign (dsconf INSTANCE config replace %s=nolog; no restart is needed; an agreement with Windows goes on), and list again; what was logged before stays for as long as the log keeps it (nsslapd-changelogmaxage)", unhashedSwitch, strings.Join(where, "; "), unhashedSwitch)
	}
	return out, nil
}

// Neither has such a setting.
func (openLDAP) logsAsSent(context.Context, *Client, string) (logsAsSent, error) {
	return logsAsSent{}, nil
}

func (activeDirectory) logsAsSent(context.Context, *Client, string) (logsAsSent, error) {
	return logsAsSent{}, nil
}

// lookAtLogs asks every server. One that does not answer keeps credentials open
// by itself.
func (c *Client) lookAtLogs(ctx context.Context) (out []authority.Hidden) {
	found := make([]logsAsSent, len(c.servers))
	var all sync.WaitGroup
	for i, s := range c.servers {
		all.Go(func() { found[i], _ = c.driver.logsAsSent(ctx, c, s.name) })
	}
	all.Wait()
	for i, s := range c.servers {
		switch f := found[i]; {
		case f.does != "":
			out = append(out, authority.Hidden{Code: credential.FindingStoredAsSent, Server: s.name, Detail: f.does})
		case f.grave:
			out = append(out, authority.Hidden{Code: credential.FindingStoredAsSent, Server: s.name, Detail: f.hidden})
		}
	}
	return out
}

// checkLogs is the doctor's line of it.
func (c *conn) checkLogs(ctx context.Context, add addCheck) {
	client := c.server.client
	got, err := client.driver.logsAsSent(ctx, client, c.server.name)
	switch {
	case err != nil:
		add(noteUnhashed, true, "not checked, because of this: "+err.Error(), notChecked)
	case got.does != "":
		add(noteUnhashed, false, got.does, "set "+unhashedSwitch+" to nolog, or accept it: accept: - {directory: …, finding: stored-as-sent, reason: …}")
	case got.hidden != "":
		add(noteUnhashed, true, "not checked, because "+got.hidden, notChecked)
	default:
		add(noteUnhashed, true, "it logs no new password as it was sent ("+unhashedSwitch+")", "")
	}
}
