package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
)

const (
	postgresPrograms = "/usr/lib/postgresql/15/bin/" // Debian; not on the PATH
	postgresUser     = "postgres"                    // of the package
)

// PostgresOptions say what PostgreSQL server to start. Everything is kept below
// Dir.
type PostgresOptions struct {
	Dir string
	CA  *CA

	// ReplicaOf makes this server a read-only copy of another (streaming
	// replication, hot standby). Accounts and HBA come from the primary then;
	// Conf does not.
	ReplicaOf *Postgres

	Accounts []Account // roles that may log in; only UID and Password are used

	// Conf are further lines of postgresql.conf.
	Conf []string
	// HBA are lines of pg_hba.conf before the lab's own, which let everybody in
	// by SCRAM over TLS.
	HBA []string
}

// Postgres is a running PostgreSQL server that speaks TLS. Passwords are random
// for each primary; its replicas share them.
type Postgres struct {
	// Super is the superuser that made the cluster.
	Super, SuperPassword string
	// Admin may create and alter roles (CREATEROLE), end sessions
	// (pg_signal_backend), see them (pg_read_all_stats) and who has a password
	// (in the database postgres), and nothing more.
	// Partner has the same rights.
	Admin, AdminPassword     string
	Partner, PartnerPassword string
	// CA is the PEM text with which clients trust the server.
	CA string

	opts       PostgresOptions
	replicator string // password
	port       int

	mu   sync.Mutex
	proc *Process
}

// StartPostgres makes a cluster and starts its server, or the replica of
// another one. It returns once the server takes queries, and a replica once it
// has everything its primary has. postgresql-15 must be installed.
func StartPostgres(ctx context.Context, o PostgresOptions) (*Postgres, error) {
	if _, err := os.Stat(postgresPrograms + "postgres"); err != nil {
		return nil, fmt.Errorf("lab: %spostgres is missing; install it with: apt-get install postgresql-15 (%w)", postgresPrograms, err)
	}
	s := &Postgres{Super: "postgres", Admin: "rollcall", Partner: "rollcall_b", CA: string(o.CA.PEM), opts: o}
	if p := o.ReplicaOf; p != nil {
		s.SuperPassword, s.AdminPassword, s.PartnerPassword, s.replicator = p.SuperPassword, p.AdminPassword, p.PartnerPassword, p.replicator
		s.opts.HBA, s.opts.Accounts = p.opts.HBA, p.opts.Accounts
	} else {
		s.SuperPassword, s.AdminPassword, s.PartnerPassword, s.replicator = complexPassword(), complexPassword(), complexPassword(), complexPassword()
	}
	if err := s.makeCluster(ctx); err != nil {
		return nil, err
	}
	if err := s.firstStart(ctx); err != nil {
		return nil, err
	}
	var err error
	if o.ReplicaOf != nil {
		err = s.AwaitReplication(ctx)
	} else {
		err = s.seed(ctx)
	}
	if err != nil {
		_ = s.Stop(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

// firstStart chooses the port. Another process may take it between the choice
// and the server's bind.
func (s *Postgres) firstStart(ctx context.Context) (err error) {
	for range 5 {
		if s.port, err = FreePort(); err != nil {
			return err
		}
		err = s.Restart(ctx)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			return err
		}
	}
	return err
}

// Restart stops the server if it runs and starts it on the same port and data.
func (s *Postgres) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writeConfig(); err != nil {
		return err
	}
	name, args := unprivileged(postgresPrograms+"postgres", "-D", s.data())
	for {
		proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, name, args...)
		if err == nil {
			s.proc = proc
			return nil
		}
		// After a kill its sessions see that by themselves, and end a moment
		// later.
		if ctx.Err() != nil || !strings.Contains(err.Error(), "pre-existing shared memory block") || strings.Contains(err.Error(), "Address already in use") {
			return err
		}
	}
}

// unprivileged is how a program of PostgreSQL is started: it refuses to be
// root's. The capability is for folders of the caller above Dir, which only
// root may enter. When this process dies the server ends by SIGQUIT, which
// leaves no shared memory behind.
func unprivileged(program string, args ...string) (string, []string) {
	if os.Geteuid() != 0 {
		return program, args
	}
	return "setpriv", append([]string{"--reuid=" + postgresUser, "--regid=" + postgresUser, "--clear-groups",
		"--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--pdeathsig=QUIT", "--", program}, args...)
}

// run runs a program of PostgreSQL to its end.
func (s *Postgres) run(ctx context.Context, env []string, program string, args ...string) error {
	name, args := unprivileged(postgresPrograms+program, args...)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = s.opts.Dir, append(withoutLogins(os.Environ()), env...)
	// pdeathsig comes when this thread ends (prctl(2)), and one that another
	// goroutine takes into a namespace does: hold it meanwhile.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: %s: %w\n%s", program, err, out)
	}
	return nil
}

// Process is the server's process, to kill, pause or resume it. Sessions are
// processes of their own, which a pause does not reach.
func (s *Postgres) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop ends the server at once (SIGQUIT: sessions are cut and the next start
// recovers); its files stay, and nobody writes to them any more. A second call
// does nothing.
func (s *Postgres) Stop(ctx context.Context) error {
	p := s.Process()
	if p == nil {
		return nil
	}
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGQUIT)
	if err := p.Stop(ctx); err != nil {
		return err
	}
	// The sessions of one that was killed see that a moment later. Each process
	// of a server works in its data.
	data, err := filepath.EvalSymlinks(s.data())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lab: where the server's data are: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return poll(ctx, "sessions outlive the server of "+s.opts.Dir, func() (bool, string, error) {
		processes, err := filepath.Glob("/proc/[0-9]*/cwd")
		left := slices.DeleteFunc(processes, func(link string) bool {
			at, err := os.Readlink(link)
			return err != nil || at != data // it is another's, or has ended
		})
		return len(left) == 0, strings.Join(left, " "), err
	})
}

// Host and Port are where the server listens.
func (s *Postgres) Host() string { return "127.0.0.1" }

// Port is the server's.
func (s *Postgres) Port() int { return s.port }

// URL names the server as campaign files do.
func (s *Postgres) URL() string { return fmt.Sprintf("postgresql://127.0.0.1:%d", s.port) }

// SeededPassword is the password with which a role was seeded; empty if it was
// not.
func (s *Postgres) SeededPassword(role string) string { return seededPassword(s.opts.Accounts, role) }

// LogFile is what the server wrote to its standard error, statements and logins
// included.
func (s *Postgres) LogFile() string { return s.path("postgres.log") }

// Certificate is what the server shows, for whoever stands in front of it:
// SCRAM binds a login to it (RFC 5929 section 4).
func (s *Postgres) Certificate() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(s.path("postgres.crt"), s.path("postgres.key"))
}

// Connect logs in. The caller closes the connection.
func (s *Postgres) Connect(ctx context.Context, role, password, database string) (*pgx.Conn, error) {
	text := fmt.Sprintf("host=127.0.0.1 port=%d sslmode=verify-full sslrootcert=%s connect_timeout=60", s.port, quotedSetting(s.path("ca.crt")))
	c, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("lab: connect to postgres: %w", err)
	}
	c.User, c.Password, c.Database = role, password, database
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("lab: connect to postgres: %w", err)
	}
	return conn, nil
}

// AdminConn logs in as the superuser. The caller closes the connection.
func (s *Postgres) AdminConn(ctx context.Context) (*pgx.Conn, error) {
	return s.Connect(ctx, s.Super, s.SuperPassword, "postgres")
}

// Exec runs statements as the superuser, one after the other.
func (s *Postgres) Exec(ctx context.Context, statements ...string) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, q := range statements {
		if _, err := conn.Exec(ctx, q); err != nil {
			return fmt.Errorf("lab: %s: %w", strings.SplitN(q, "'", 2)[0], err)
		}
	}
	return nil
}

// answers: a cluster that has no passwords yet answers by refusing them.
func (s *Postgres) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tcp, err := net.DialTimeout("tcp", net.JoinHostPort(s.Host(), strconv.Itoa(s.port)), patience)
	if err != nil {
		return err
	}
	_ = tcp.Close()
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

func (s *Postgres) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *Postgres) data() string { return s.path("data") }
