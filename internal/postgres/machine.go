package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Machine is who answers at a server's address.
type Machine struct {
	// System is the cluster's system identifier: a replica by streaming
	// replication has its primary's, and so has a copy of the files of another
	// one.
	System   string
	Primary  bool
	Follows  bool // a standby that receives the log from another server now
	Timeline string
	Started  time.Time
	Address  string // the server's own, which may be another one than we dial
	Port     int    // at that address
	Version  int    // 150018 is 15.18
	// Pooler: somebody between us and the server answered the login
	// (pgbouncer): the session's process is another one than the login was
	// told. It may know passwords by a list of its own, and takes the old one
	// from it (pgbouncer 1.18 does, and hands on sessions that it has open), so
	// that an answer to a value is not the server's.
	Pooler bool
	// Method is how the worker's own login was asked for its password, and
	// Bound whether it was tied to the server's certificate
	// (SCRAM-SHA-256-PLUS): nobody ends TLS on the way then.
	Method Method
	Bound  bool
}

// Itself is what one machine keeps to when it is started again. A standby of
// the cluster that answers in its place has another address, or was promoted,
// which begins another timeline, as does whoever restores the cluster to an
// earlier time.
func (m Machine) Itself() string {
	as := "standby"
	if m.Primary {
		as = "primary " + m.Timeline
	}
	return fmt.Sprintf("%s %s %s %d", m.System, as, m.Address, m.Port)
}

// Who looks who answers at a server, over a new connection.
func (c *Client) Who(ctx context.Context, server string) (Machine, error) {
	s, err := c.server(server)
	if err != nil {
		return Machine{}, err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return Machine{}, err
	}
	defer conn.close(ctx)
	return s.introduce(ctx, conn)
}

// connect is a new session of the first identity that is let in.
func (s *server) connect(ctx context.Context) (*session, error) {
	var failed error
	for _, i := range s.identities {
		conn, err := i.dial(ctx)
		if !isRefused(err) {
			return conn, err
		}
		if failed == nil {
			failed = err
		}
	}
	return nil, failed
}

func (s *server) introduce(ctx context.Context, conn *session) (Machine, error) {
	m := Machine{Method: conn.method, Bound: conn.bound}
	var pid uint32
	err := s.do(ctx, conn, "look who answers", func(ctx context.Context) error {
		return conn.QueryRow(ctx, `SELECT (SELECT system_identifier::text FROM pg_control_system()), NOT pg_is_in_recovery(),
			EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver), `+timelineNow+`,
			pg_postmaster_start_time(), coalesce(host(inet_server_addr()), ''), coalesce(inet_server_port(), 0), current_setting('server_version_num')::int, pg_backend_pid()`).
			Scan(&m.System, &m.Primary, &m.Follows, &m.Timeline, &m.Started, &m.Address, &m.Port, &m.Version, &pid)
	})
	m.Pooler = err == nil && pid != conn.PgConn().PID()
	return m, err
}

// Several opens n connections to one server, held at once, and says what shows
// that more than one machine answers; empty if nothing does. Where there was no
// room for all of them, n more are opened one at a time, which needs room for
// one. Who has none then may be another machine than those that answered, and
// which one is not said before a login: that is an error.
func (c *Client) Several(ctx context.Context, server string, n int) (string, error) {
	machines, err := c.meet(ctx, server, n)
	if err != nil {
		return "", err
	}
	return differ(machines), nil
}

// meet looks who answers over n connections, at the least.
func (c *Client) meet(ctx context.Context, server string, n int) ([]Machine, error) {
	s, err := c.server(server)
	if err != nil {
		return nil, err
	}
	ctx = departingOnes(ctx)
	machines := make([]Machine, n)
	conns := make([]*session, n)
	full := make([]bool, n)
	var g errgroup.Group
	for i := range n {
		g.Go(func() (err error) {
			if conns[i], err = s.connect(ctx); errors.Is(err, errNoRoom) {
				full[i] = true
				return nil
			} else if err != nil {
				return err
			}
			machines[i], err = s.introduce(ctx, conns[i])
			return err
		})
	}
	err = g.Wait()
	for _, conn := range conns {
		if conn != nil {
			g.Go(func() error { conn.depart(ctx); return nil })
		}
	}
	_ = g.Wait()
	if err != nil || !slices.Contains(full, true) {
		return machines, err
	}
	machines = slices.DeleteFunc(machines, func(m Machine) bool { return m == Machine{} })
	for range n {
		m, err := s.meetOne(ctx)
		if err != nil {
			return nil, err
		}
		machines = append(machines, m)
	}
	return machines, nil
}

// meetOne leaves its room free again.
func (s *server) meetOne(ctx context.Context) (Machine, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return Machine{}, err
	}
	defer conn.depart(ctx)
	return s.introduce(ctx, conn)
}

// differ says what of several looks at one address cannot be one machine's.
func differ(ms []Machine) string {
	for _, m := range ms[min(1, len(ms)):] {
		switch first := ms[0]; {
		case m.System != first.System:
			return "connections met two clusters (system identifiers)"
		case m.Primary != first.Primary:
			return "one connection met the primary and another one a standby"
		case !m.Started.Equal(first.Started):
			return "connections met servers that were started at different times"
		case m.Address != first.Address:
			return "connections met servers that have different addresses"
		case m.Port != first.Port: // as behind a balancer on their machine
			return "connections met servers that have different ports"
		}
	}
	return ""
}

// Contradiction says what of the servers of a cluster does not fit together, in
// the order of servers: the first is the primary, all others are its standbys.
// Empty if all is well. A machine that could not be asked is nil.
func Contradiction(servers []string, machines []*Machine) (server, what string) {
	var first *Machine
	for i, m := range machines {
		switch {
		case m == nil:
			continue
		case i == 0 && !m.Primary:
			return servers[0], "it is named first, and is a standby; name the primary first"
		case i > 0 && m.Primary:
			return servers[i], "it is not named first, and is no standby: it was promoted, or follows by logical replication, which does not carry roles; a cluster of its own is an entry of its own"
		case first != nil && m.System != first.System:
			return servers[i], "it belongs to another cluster (system identifier) than the servers before it"
		}
		if first == nil {
			first = m
		}
	}
	return "", ""
}

// Standby is what a server tells of one that follows it.
type Standby struct {
	Application string
	Address     string // empty where our identity may not see it, or it comes by a socket
	State       string // streaming, catchup, startup, backup
	Logical     bool
}

// Standbys are those that follow a server now: standbys, and what takes the log
// besides (a backup, pg_receivewal, subscribers). Cascading ones are known to
// the server that they follow.
func (c *Client) Standbys(ctx context.Context, server string) ([]Standby, error) {
	s, err := c.server(server)
	if err != nil {
		return nil, err
	}
	var out []Standby
	err = s.read(ctx, "look who follows", func(ctx context.Context, conn *session) error {
		rows, err := conn.Query(ctx, `SELECT coalesce(r.application_name, ''), coalesce(host(r.client_addr), ''), coalesce(r.state, ''), coalesce(l.slot_type = 'logical', false)
			FROM pg_catalog.pg_stat_replication r LEFT JOIN pg_catalog.pg_replication_slots l ON l.active_pid = r.pid ORDER BY 1, 2`)
		if err != nil {
			return err
		}
		out = nil
		for rows.Next() {
			var f Standby
			if err := rows.Scan(&f.Application, &f.Address, &f.State, &f.Logical); err != nil {
				return err
			}
			out = append(out, f)
		}
		return rows.Err()
	})
	return out, err
}

// Unnamed are the standbys that no named server accounts for, of all that the
// named servers know of. Each named standby that follows now accounts for one:
// by its address, or for one of any address, because it may follow over another
// network than the one by which we know it. A backup is no standby, a logical
// subscriber has roles of its own, and pg_receivewal takes no logins.
func Unnamed(named []*Machine, followers []Standby) []Standby {
	have, spare := map[string]int{}, 0
	for _, m := range named {
		if m != nil && m.Follows {
			have[m.Address]++
			spare++
		}
	}
	var out []Standby
	for _, f := range followers {
		switch {
		case f.Logical || f.State == "backup" || strings.HasPrefix(f.Application, "pg_"):
		case have[f.Address] > 0:
			have[f.Address]--
			spare--
		default:
			out = append(out, f)
		}
	}
	return out[min(spare, len(out)):]
}

// Name is how a person accounts for it.
func (f Standby) Name() string {
	if f.Application == "" && f.Address == "" {
		return "one that is not shown"
	}
	return f.Application + "@" + f.Address
}

func (f Standby) String() string {
	return fmt.Sprintf("%s at %s (%s)", f.Application, f.Address, f.State)
}
