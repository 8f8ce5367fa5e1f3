package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/internal/authority"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// Check is one thing that a doctor looked at on one server. What is connect,
// certificate, login, pooler, machine, servers, standbys, version, rights,
// pair, marks, pg_hba, followers, kept passwords, settings, md5, account or
// clock.
type Check = authority.Check

// Limits beyond which a check fails.
const (
	certificateNotice = 14 * 24 * time.Hour
	clockSkew         = 30 * time.Second
	machinesTold      = 4 // connections that look whether one machine answers
	oldest            = 100000
)

// stopping are what no campaign begins with, if it is wrong.
var stopping = []string{"machine", "version", "pooler", "pg_hba"}

// mendTrust is what to do where the worker's own role is let in without its
// password: so may be the roles of the roll, and nothing would be tried.
const mendTrust = "no password was asked for: have pg_hba.conf ask for scram-sha-256 from this machine, or what is in Vault is never tried"

// mendSync is what to do where a change may be gone after a crash: the old
// value, that was proved dead, would be in force again.
const mendSync = "turn it on: after a crash the server may have the stolen password again"

// mendReach is what to do about a server that was not reached.
const mendReach = "check the address, the firewall, the port and ca_file"

type addCheck func(what string, ok bool, detail, do string)

const notChecked = "not checked"

// Check looks at every server and changes nothing. What depends on a failed
// check is left out. accounts are the ids of the roles that are to be rotated:
// rights on each are looked at.
func (c *Client) Check(ctx context.Context, accounts ...string) []Check {
	of := make([][]Check, len(c.servers))
	machines := make([]*Machine, len(c.servers))
	var wg sync.WaitGroup
	for i, s := range c.servers {
		wg.Go(func() {
			add := func(what string, ok bool, detail, do string) {
				k := Check{Server: s.name, What: what, OK: ok, NotChecked: ok && do == notChecked, Detail: detail, Do: do}
				if ok {
					k.Do = ""
				}
				k.Silent = do == mendReach
				k.Stops = !ok && (slices.Contains(stopping, what) || do == mendTrust || do == mendSync)
				of[i] = append(of[i], k)
			}
			machines[i] = s.check(ctx, i == 0, accounts, add)
		})
	}
	wg.Wait()
	var out []Check
	for _, list := range of {
		out = append(out, list...)
	}
	if server, what := Contradiction(c.conf.Servers, machines); what != "" {
		out = append(out, Check{Server: server, What: "servers", Detail: what, Do: "correct servers", Stops: true})
	}
	return append(out, c.checkStandbys(ctx, machines)...)
}

func (s *server) check(ctx context.Context, primary bool, accounts []string, add addCheck) *Machine {
	state, err := s.certificate(ctx)
	if err != nil {
		add("connect", false, err.Error(), mend(err))
		return nil
	}
	add("connect", true, "TLS is up and the certificate is for "+s.host, "")
	left := time.Until(state.PeerCertificates[0].NotAfter)
	add("certificate", left > certificateNotice, fmt.Sprintf("the certificate is valid for %s", plural.Count(int(left.Hours()/24), "day", "days")), "renew the server's certificate")

	var conn *session
	for _, i := range s.identities {
		c, err := i.dial(ctx)
		if err != nil {
			add("login", false, err.Error(), "put the right password of the role into Vault, or let it in (pg_hba.conf, LOGIN, CONNECT on the database); if a connection pooler answers here, name the server itself")
			continue
		}
		defer c.close(ctx)
		add("login", c.method != NoPassword, fmt.Sprintf("logged in as %s, asked by %q", i.who.Role, c.method), mendTrust)
		if conn == nil {
			conn = c
		}
		if other := s.partnerOf(i.who.Role); other != nil && primary {
			s.checkAlter(ctx, c, "pair", other.who.Role, add)
		}
	}
	if conn == nil {
		return nil
	}
	m, err := s.introduce(ctx, conn)
	if err != nil {
		add("machine", true, err.Error(), notChecked)
		return nil
	}
	add("version", m.Version >= oldest, fmt.Sprintf("PostgreSQL %d.%d", m.Version/10000, m.Version%10000), "SCRAM needs PostgreSQL 10")
	add("pooler", !m.Pooler, whoReplies(m.Pooler), "name the server itself: what a pooler says of a password is its own word, and sessions behind it outlive a change")
	several, err := s.client.Several(ctx, s.name, machinesTold)
	switch {
	case err != nil:
		add("machine", true, "whether one machine answers: "+err.Error(), notChecked)
	default:
		add("machine", several == "", orDefault(several, fmt.Sprintf("%d connections met one machine, as far as it shows", machinesTold)),
			"name each machine behind the address by its own: postgresql://NAME:PORT@ADDRESS")
	}
	s.checkRights(ctx, conn, primary, add)
	s.checkPresence(conn, primary, add)
	s.checkSettings(ctx, conn, primary, add)
	s.checkAround(ctx, conn, primary, add)
	if primary {
		s.checkAccounts(ctx, conn, m.Version, accounts, add)
	}
	return &m
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

func whoReplies(pooler bool) string {
	if pooler {
		return "a connection pooler answers in the server's place (the session's process is not the one of the login)"
	}
	return "the server itself answers"
}

func mend(err error) string {
	var cert *certificateError
	if errors.As(err, &cert) {
		return cert.mend()
	}
	return mendReach
}

// certificate asks for TLS and looks who is there, without a login (55.2.10).
func (s *server) certificate(ctx context.Context) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.conf.Timeout)
	defer cancel()
	state, err := s.startTLS(ctx)
	return state, s.plain(ctx, "connect", err)
}

// checkStandbys looks whether the named servers know of standbys that are not
// named.
func (c *Client) checkStandbys(ctx context.Context, machines []*Machine) []Check {
	var all []Standby
	for i, s := range c.servers {
		if machines[i] == nil {
			continue
		}
		followers, err := c.Standbys(ctx, s.name)
		if err != nil {
			return []Check{{Server: s.name, What: "standbys", OK: true, NotChecked: true, Detail: err.Error()}}
		}
		all = append(all, followers...)
	}
	first := c.servers[0].name
	if machines[0] == nil {
		return []Check{{Server: first, What: "standbys", OK: true, NotChecked: true, Detail: "the primary did not say who follows it"}}
	}
	more := Unnamed(machines, all)
	if len(more) == 0 {
		return []Check{{Server: first, What: "standbys", OK: true, Detail: fmt.Sprintf("%d follow, and each is named", len(all))}}
	}
	var texts []string
	for _, f := range more {
		texts = append(texts, f.String())
	}
	return []Check{{Server: first, What: "standbys", Detail: "standbys that servers does not name: " + strings.Join(texts, ", "),
		Do: "name them, or no proof says anything of them: they take logins with the stolen password until they have the change"}}
}

// checkAlter looks whether the session may set the password of a role.
func (s *server) checkAlter(ctx context.Context, conn *session, what, role string, add addCheck) {
	var roles []Role
	err := s.do(ctx, conn, "look for a role", func(ctx context.Context) (err error) {
		roles, err = conn.roles(ctx, "r.rolname = $1::text", role)
		return err
	})
	switch {
	case err != nil:
		add(what, true, err.Error(), notChecked)
	case len(roles) == 0:
		add(what, false, "the other role of the pair is not there", "create it, or correct its name")
	default:
		add(what, conn.rights.super || !roles[0].Super && !roles[0].Replication, "each may set the other's password",
			"make both superusers, or neither: only a superuser changes one")
	}
}

// checkAccounts looks at the roles that are to be rotated.
func (s *server) checkAccounts(ctx context.Context, conn *session, version int, ids []string, add addCheck) {
	if len(ids) == 0 {
		return
	}
	roles, err := s.client.ManyByID(ctx, s.name, ids)
	if err != nil {
		add("account", true, err.Error(), notChecked)
		return
	}
	for _, id := range ids {
		r, ok := roles[id]
		if !ok {
			continue
		}
		may := conn.rights.super || !r.Super && !r.Replication
		if may && !conn.rights.super && version >= 160000 {
			err := s.do(ctx, conn, "look at rights", func(ctx context.Context) error {
				return conn.QueryRow(ctx, "SELECT pg_has_role(current_user, $1::text::oid, 'MEMBER WITH ADMIN OPTION')", id).Scan(&may)
			})
			if err != nil {
				add("account", true, err.Error(), notChecked)
				continue
			}
		}
		switch {
		case !may:
			add("account", false, r.Name+": the worker's role may not set its password", "have a superuser do it: only one may change superusers and roles with REPLICATION (from version 16 on grant the role WITH ADMIN OPTION)")
		case r.Stored == StoredMD5:
			add("account", false, r.Name+": its password is stored by md5, and will be by SCRAM", "make sure that its consumers can do SCRAM (libpq 10, and drivers of after 2018); update those that cannot, then accept md5-stored by name")
		case r.Stored == StoredNone:
			add("account", false, r.Name+": it has no password, and a reset would give it a login", "take it off the roll")
		case r.State == protocol.Expired:
			add("account", false, r.Name+": its VALID UNTIL is over, so that nothing can be proved of its password, which an extension brings back", "extend it for the campaign, or set NOLOGIN and PASSWORD NULL by hand")
		default:
			add("account", true, r.Name+": its password can be set", "")
		}
	}
}
