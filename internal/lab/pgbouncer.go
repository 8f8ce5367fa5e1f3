package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const pgbouncerBinary = "/usr/sbin/pgbouncer" // Debian; not on the PATH of ordinary users

// PgBouncerOptions say what pooler to start in front of a server. Everything is
// kept below Dir.
type PgBouncerOptions struct {
	Dir    string
	CA     *CA
	Server *Postgres
	// Auth is its auth_type(5): scram-sha-256, md5, plain, any.
	Auth string
	// Users are its auth_file: the value of each name, in clear text. By it the
	// client logs in, and the pooler at the server.
	Users map[string]string
}

// PgBouncer is a running pooler that speaks TLS, to its server too.
type PgBouncer struct {
	opts PgBouncerOptions
	port int

	oneProcess
}

// StartPgBouncer starts it, and returns once it answers. The package pgbouncer
// must be installed.
func StartPgBouncer(ctx context.Context, o PgBouncerOptions) (*PgBouncer, error) {
	if _, err := os.Stat(pgbouncerBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install pgbouncer (%w)", pgbouncerBinary, err)
	}
	s := &PgBouncer{opts: o}
	if _, _, _, err := o.CA.Issue(o.Dir, "pgbouncer", 60*24*time.Hour); err != nil {
		return nil, err
	}
	if err := s.SetUsers(o.Users); err != nil {
		return nil, err
	}
	var err error
	for range 5 {
		if s.port, err = FreePort(); err != nil {
			return nil, err
		}
		if err = s.start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

func (s *PgBouncer) start(ctx context.Context) error {
	text := strings.Join([]string{
		"[databases]",
		fmt.Sprintf("* = host=127.0.0.1 port=%d", s.opts.Server.Port()),
		"[pgbouncer]",
		"listen_addr = 127.0.0.1",
		"listen_port = " + strconv.Itoa(s.port),
		"unix_socket_dir =",
		"auth_type = " + s.opts.Auth,
		"auth_file = " + s.path("userlist.txt"),
		"client_tls_sslmode = require",
		"client_tls_cert_file = " + s.path("pgbouncer.crt"),
		"client_tls_key_file = " + s.path("pgbouncer.key"),
		"server_tls_sslmode = verify-full",
		"server_tls_ca_file = " + s.path("ca.crt"),
	}, "\n") + "\n"
	if err := os.WriteFile(s.path("pgbouncer.ini"), []byte(text), 0o600); err != nil {
		return err
	}
	if err := toPostgresUser(s.opts.Dir); err != nil {
		return err
	}
	name, args := unprivileged(pgbouncerBinary, "-q", s.path("pgbouncer.ini"))
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, name, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// SetUsers writes its auth_file anew, which it reads when it starts and on
// Reload.
func (s *PgBouncer) SetUsers(users map[string]string) error {
	var text strings.Builder
	for name, value := range users {
		fmt.Fprintf(&text, "%q %q\n", name, value)
	}
	return os.WriteFile(s.path("userlist.txt"), []byte(text.String()), 0o600)
}

// Reload has it read its files again (SIGHUP), which it does a moment later.
func (s *PgBouncer) Reload() { s.Process().signal(syscall.SIGHUP) }

// answers: it refuses a name that it does not have, by a message of its
// protocol.
func (s *PgBouncer) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=nobody password=x dbname=pgbouncer sslmode=verify-full sslrootcert=%s", s.port, quotedSetting(s.path("ca.crt"))))
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, c)
	if err == nil {
		return conn.Close(ctx)
	}
	if strings.Contains(err.Error(), "SQLSTATE") {
		return nil
	}
	return err
}

// Address is where it answers.
func (s *PgBouncer) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// LogFile has what it says.
func (s *PgBouncer) LogFile() string { return s.path("pgbouncer.log") }

func (s *PgBouncer) path(name string) string { return filepath.Join(s.opts.Dir, name) }
