package postgres

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"rollcall/internal/plural"
	"strconv"
	"time"
)

// sslRequest is the message that asks for TLS (55.7).
const sslRequest = 80877103

func (s *server) startTLS(ctx context.Context) (state tls.ConnectionState, err error) {
	err = s.overTLS(ctx, func(c encrypted) error {
		state = c.ConnectionState()
		return nil
	})
	return state, err
}

// encrypted is a connection on which nothing but TLS was spoken yet.
type encrypted = *tls.Conn

// overTLS connects, asks for TLS, and closes the connection after f.
func (s *server) overTLS(ctx context.Context, f func(encrypted) error) error {
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(s.address, strconv.Itoa(int(s.port))))
	if err != nil {
		return err
	}
	defer tcp.Close()
	stop := context.AfterFunc(ctx, func() { _ = tcp.Close() })
	defer stop()
	ask := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)
	if _, err := tcp.Write(ask); err != nil {
		return err
	}
	reply := make([]byte, 1)
	if _, err := io.ReadFull(tcp, reply); err != nil {
		return err
	}
	if reply[0] != 'S' {
		return errors.New("server refused TLS connection")
	}
	c := tls.Client(tcp, s.tls)
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	return f(c)
}

// checkRights looks at the worker's own rights. Those on roles count on the
// primary; sessions are ended on every server.
func (s *server) checkRights(ctx context.Context, conn *session, primary bool, add addCheck) {
	var create, signal, stats bool
	err := s.do(ctx, conn, "look at the own rights", func(ctx context.Context) error {
		return conn.QueryRow(ctx, `SELECT rolcreaterole, pg_has_role(current_user, 'pg_signal_backend', 'USAGE'), pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
			FROM pg_catalog.pg_roles WHERE rolname = current_user`).Scan(&create, &signal, &stats)
	})
	if err != nil {
		add("rights", true, err.Error(), notChecked)
		return
	}
	super := conn.rights.super
	if primary {
		add("rights", super || create, "may set the passwords of roles: "+yesNo(super || create), "ALTER ROLE … CREATEROLE (or a superuser, for superusers and roles with REPLICATION)")
		add("marks", true, "sees which change of a role was the last: "+yesNo(conn.rights.change)+"; sees how passwords are stored: "+yesNo(conn.rights.verifier), markAdvice(conn.rights))
	}
	add("rights", super || signal && stats, fmt.Sprintf("may end sessions: %s; sees when they began: %s", yesNo(super || signal), yesNo(super || stats)),
		"GRANT pg_signal_backend, pg_read_all_stats TO …; without them sessions of the stolen password live on")
}

func markAdvice(r rights) string {
	if r.change {
		return ""
	}
	return notChecked
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (s *server) checkSettings(ctx context.Context, conn *session, primary bool, add addCheck) {
	var encryption, fsync, statements, synchronous string
	var together int
	var now time.Time
	err := s.do(ctx, conn, "read settings", func(ctx context.Context) error {
		return conn.QueryRow(ctx, `SELECT current_setting('password_encryption'), current_setting('fsync'), current_setting('log_statement'), current_setting('synchronous_standby_names'),
			(SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE sync_state IN ('sync', 'quorum')), clock_timestamp()`).
			Scan(&encryption, &fsync, &statements, &synchronous, &together, &now)
	})
	if err != nil {
		add("settings", true, err.Error(), notChecked)
		return
	}
	skew := time.Since(now).Round(time.Second)
	add("clock", skew.Abs() <= clockSkew, fmt.Sprintf("the server's clock differs from ours by %s", skew.Abs()), "set both clocks by NTP")
	if !primary {
		return
	}
	add("settings", encryption == "scram-sha-256", "password_encryption = "+encryption,
		"set it to scram-sha-256: Rollcall stores by SCRAM whatever it says, and the next password that somebody else sets would be stored by md5, which whoever reads it can log in with")
	add("settings", fsync == "on", "fsync = "+fsync, mendSync)
	if synchronous != "" {
		add("settings", together > 0, fmt.Sprintf("changes wait for synchronous standbys (synchronous_standby_names), of which %d follow now", together),
			"bring the standby back: until then every change takes as long as timeout says and ends without an answer")
	}
	add("settings", true, "log_statement = "+statements+": where it logs ALTER ROLE, the log holds a SCRAM verifier and never a password", "")
	if !conn.rights.verifier {
		return
	}
	var weak int
	err = s.do(ctx, conn, "count md5 passwords", func(ctx context.Context) error {
		return conn.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_authid WHERE rolpassword LIKE 'md5%'`).Scan(&weak)
	})
	if err == nil {
		add("md5", weak == 0, plural.Count(weak, "role has a password that is stored by md5", "roles have a password that is stored by md5"), "have their passwords set anew; a stolen copy of pg_authid, or of a backup, logs in as them without cracking anything")
	}
}
