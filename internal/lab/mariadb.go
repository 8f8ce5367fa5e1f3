package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Of Debian's packages.
const (
	mariadbBinary  = "/usr/sbin/mariadbd" // not on the PATH of ordinary users
	mariadbInstall = "/usr/bin/mariadb-install-db"
	mariadbClient  = "/usr/bin/mariadb"
)

// MariaDBOptions say what MariaDB server to start. Everything is kept below
// Dir.
type MariaDBOptions struct {
	Dir string
	CA  *CA
	// SQL is carried out before anybody logs in.
	SQL []string
	// PAM are the services of pam(7) that it sees, by name. It needs root (a
	// mount namespace of its own).
	PAM map[string]string
}

// MariaDB is a running MariaDB server.
type MariaDB struct {
	opts MariaDBOptions
	port int

	oneProcess
}

// StartMariaDB makes a server and starts it, and returns once it answers. The
// package mariadb-server must be installed.
func StartMariaDB(ctx context.Context, o MariaDBOptions) (*MariaDB, error) {
	for _, file := range []string{mariadbBinary, mariadbInstall, mariadbClient} {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install mariadb-server (%w)", file, err)
		}
	}
	s := &MariaDB{opts: o}
	if _, _, _, err := o.CA.Issue(o.Dir, "mariadb", 24*time.Hour); err != nil {
		return nil, err
	}
	// A server that begins removes the temporary tables of others from where it
	// has its own.
	if err := os.Mkdir(s.path("tmp"), 0o700); err != nil {
		return nil, err
	}
	install := exec.CommandContext(ctx, mariadbInstall, append([]string{"--no-defaults", "--datadir=" + s.path("data"), "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve", "--user=root", "--tmpdir=" + s.path("tmp")}, mariadbSmall...)...)
	install.Env = withoutLogins(os.Environ())
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("lab: %s: %w\n%s", filepath.Base(mariadbInstall), err, out)
	}
	var err error
	for range 5 {
		if s.port, err = FreePort(); err != nil {
			return nil, err
		}
		if err = s.Start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	if err == nil {
		err = s.Exec(ctx, o.SQL...)
	}
	return s, err
}

// mariadbSmall keeps it at 5 MB: Debian's own is 114 MB.
var mariadbSmall = []string{"--skip-innodb", "--default-storage-engine=Aria", "--aria-log-file-size=8M"}

// Start starts a stopped server again, with flags besides.
func (s *MariaDB) Start(ctx context.Context, flags ...string) error {
	args := append([]string{"--no-defaults", "--user=root", "--datadir=" + s.path("data"), "--socket=" + s.socket(), "--pid-file=" + s.path("mariadb.pid"), "--tmpdir=" + s.path("tmp"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", s.port), "--skip-name-resolve", "--skip-log-bin", "--skip-secure-file-priv", "--connect-timeout=120",
		"--ssl-cert=" + s.path("mariadb.crt"), "--ssl-key=" + s.path("mariadb.key"), "--plugin-load-add=auth_ed25519", "--plugin-load-add=auth_pam"}, mariadbSmall...)
	args = append([]string{mariadbBinary}, append(args, flags...)...)
	if len(s.opts.PAM) > 0 {
		if err := s.writePAM(); err != nil {
			return err
		}
		args = append([]string{"/usr/bin/unshare", "--mount", "/bin/sh", "-ec", `mount --bind "$0" /etc/pam.d; exec "$@"`, s.path("pam.d")}, args...)
	}
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), func(ctx context.Context) error { return s.Exec(ctx, "SELECT 1") }, args[0], args[1:]...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

func (s *MariaDB) writePAM() error {
	if err := os.MkdirAll(s.path("pam.d"), 0o755); err != nil {
		return err
	}
	for name, text := range s.opts.PAM {
		if err := os.WriteFile(filepath.Join(s.path("pam.d"), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Exec carries statements out as root, over the socket.
func (s *MariaDB) Exec(ctx context.Context, statements ...string) error {
	if len(statements) == 0 {
		return nil
	}
	_, err := s.Query(ctx, strings.Join(statements, ";\n"))
	return err
}

// Query gives the rows of a statement, a line each.
func (s *MariaDB) Query(ctx context.Context, statement string) (string, error) {
	cmd := exec.CommandContext(ctx, mariadbClient, "--no-defaults", "--user=root", "--batch", "--skip-column-names", "--socket="+s.socket())
	cmd.Env, cmd.Stdin = withoutLogins(os.Environ()), strings.NewReader(statement)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("lab: mariadb: %w\n%s", err, errs.String())
	}
	return out.String(), nil
}

// Address is where it answers.
func (s *MariaDB) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// LogFile has what it says.
func (s *MariaDB) LogFile() string { return s.path("mariadb.log") }

func (s *MariaDB) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// socket is relative to the data, because the path of one may have 107 bytes.
func (s *MariaDB) socket() string { return s.path("s") }
