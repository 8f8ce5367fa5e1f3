package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// makeCluster makes the data and the certificate. Every primary is made by
// initdb: a copy of another one's data would be the same cluster by its system
// identifier.
func (s *Postgres) makeCluster(ctx context.Context) error {
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("lab: make the server's folder: %w", err)
	}
	if _, _, _, err := s.opts.CA.Issue(s.opts.Dir, "postgres", 60*24*time.Hour); err != nil {
		return err
	}
	file := s.path("initial")
	if err := os.WriteFile(file, []byte(s.SuperPassword+"\n"), 0o600); err != nil {
		return fmt.Errorf("lab: write the superuser's password: %w", err)
	}
	if err := s.chown(); err != nil {
		return err
	}
	var err error
	if p := s.opts.ReplicaOf; p != nil {
		err = s.run(ctx, []string{"PGPASSWORD=" + s.replicator}, "pg_basebackup", "--pgdata="+s.data(), "--no-sync", "--checkpoint=fast",
			"--wal-method=stream", "--no-manifest", "--dbname="+s.follows())
	} else {
		err = s.run(ctx, nil, "initdb", "--pgdata="+s.data(), "--no-sync", "--no-instructions", "--username="+s.Super,
			"--auth=scram-sha-256", "--pwfile="+file, "--encoding=UTF8", "--locale=C", "--wal-segsize=1")
	}
	return errors.Join(err, os.Remove(file))
}

func (s *Postgres) chown() error { return toPostgresUser(s.opts.Dir) }

// toPostgresUser gives a folder to the user as whom a server of PostgreSQL
// runs. One that runs removes files of its own meanwhile.
func toPostgresUser(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(postgresUser)
	if err != nil {
		return fmt.Errorf("lab: the package's user: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, uid, gid)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("lab: hand the server's folder over: %w", err)
		}
		return nil
	})
}

// writeConfig: what is slow keeps data through a crash of the machine, which
// the lab does not play. A crash of the server loses nothing without it.
func (s *Postgres) writeConfig() error {
	conf := []string{
		"listen_addresses = '127.0.0.1'",
		"port = " + strconv.Itoa(s.port),
		"unix_socket_directories = ''",
		"ssl = on",
		"ssl_cert_file = " + quotedSetting(s.path("postgres.crt")),
		"ssl_key_file = " + quotedSetting(s.path("postgres.key")),
		"ssl_ca_file = " + quotedSetting(s.path("ca.crt")),
		"password_encryption = 'scram-sha-256'",
		"fsync = off", "full_page_writes = off", "autovacuum = off", "jit = off",
		"shared_buffers = 16MB", "max_connections = 100", "max_wal_size = 64MB", "min_wal_size = 2MB",
		"wal_level = replica", "max_wal_senders = 10", "wal_keep_size = 32MB",
		"hot_standby = on", "wal_receiver_status_interval = 1s", "wal_retrieve_retry_interval = 100ms",
		"log_connections = on", "log_statement = 'all'", "log_line_prefix = '%m [%p] %u@%d '",
	}
	if s.opts.ReplicaOf != nil {
		conf = append(conf, "primary_conninfo = "+quotedSetting(s.follows()+" password="+s.replicator))
		if err := s.write("data/standby.signal", ""); err != nil {
			return err
		}
	}
	conf = append(conf, s.opts.Conf...)
	hba := append([]string{}, s.opts.HBA...)
	hba = append(hba,
		"hostssl all all 127.0.0.1/32 scram-sha-256",
		"hostssl replication replicator 127.0.0.1/32 scram-sha-256")
	if err := s.write("data/postgresql.conf", strings.Join(conf, "\n")+"\n"); err != nil {
		return err
	}
	if err := s.write("data/pg_hba.conf", strings.Join(hba, "\n")+"\n"); err != nil {
		return err
	}
	return s.chown()
}

func (s *Postgres) write(name, text string) error {
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		return fmt.Errorf("lab: write %s: %w", filepath.Base(name), err)
	}
	return nil
}

// quotedSetting quotes a value of postgresql.conf and of a connection string.
func quotedSetting(text string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), "'", `\'`) + "'"
}

// follows is how a replica reaches its primary.
func (s *Postgres) follows() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=replicator sslmode=verify-full sslrootcert=%s application_name=%s",
		s.opts.ReplicaOf.port, s.path("ca.crt"), filepath.Base(s.opts.Dir))
}

// SetHBA puts other lines before the lab's own and has the running server load
// them. It returns once it has.
func (s *Postgres) SetHBA(ctx context.Context, lines ...string) error {
	if err := s.rewriteHBA(lines...); err != nil {
		return err
	}
	return s.LoadHBA(ctx)
}

func (s *Postgres) rewriteHBA(lines ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.HBA = lines
	return s.writeConfig()
}

// LoadHBA has the running server load its files, and waits until it has.
func (s *Postgres) LoadHBA(ctx context.Context) error {
	before, err := s.loadTime(ctx)
	if err != nil {
		return err
	}
	if err := s.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	for {
		switch now, err := s.loadTime(ctx); {
		case err != nil:
			return err
		case now.After(before):
			return nil
		}
	}
}

// loadTime is when the server loaded its files, which a new session shows.
func (s *Postgres) loadTime(ctx context.Context) (at time.Time, err error) {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return at, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, "SELECT pg_conf_load_time()").Scan(&at); err != nil {
		return at, fmt.Errorf("lab: reading when the server loaded its files: %w", err)
	}
	return at, nil
}

// SetHBANotLoaded writes other lines before the lab's own, and nobody has the
// server load them. The file bears the time at: now and a second if it is to be
// seen as changed at once, for servers show whole seconds.
func (s *Postgres) SetHBANotLoaded(at time.Time, lines ...string) error {
	if err := s.rewriteHBA(lines...); err != nil {
		return err
	}
	if err := os.Chtimes(s.path("data/pg_hba.conf"), at, at); err != nil {
		return fmt.Errorf("lab: set the time of pg_hba.conf: %w", err)
	}
	return nil
}

// seed makes the roles. What log_statement writes must have no password in it,
// here as anywhere.
func (s *Postgres) seed(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const quiet = "SET log_statement = 'none'"
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE ROLE replicator LOGIN REPLICATION PASSWORD '%s';", s.replicator)
	for name, password := range map[string]string{s.Admin: s.AdminPassword, s.Partner: s.PartnerPassword} {
		fmt.Fprintf(&b, "CREATE ROLE %s LOGIN CREATEROLE PASSWORD '%s' IN ROLE pg_signal_backend, pg_read_all_stats;", name, password)
	}
	b.WriteString(hasNoPassword + hbaFile)
	for _, name := range []string{s.Admin, s.Partner} {
		fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA rollcall TO %[1]s; GRANT EXECUTE ON FUNCTION rollcall.has_no_password(oid), rollcall.hba_file() TO %[1]s;", name)
	}
	for _, a := range s.opts.Accounts {
		fmt.Fprintf(&b, "CREATE ROLE \"%s\" LOGIN PASSWORD '%s';", a.UID, a.Password)
	}
	if _, err := conn.Exec(ctx, quiet); err != nil {
		return fmt.Errorf("lab: make the roles: %w", err)
	}
	if _, err := conn.Exec(ctx, b.String()); err != nil {
		return fmt.Errorf("lab: make the roles: %w", err)
	}
	return nil
}

// hasNoPassword lets roles see who has a password (docs/rights.md), in the
// database postgres.
const hasNoPassword = `CREATE SCHEMA rollcall;
	CREATE FUNCTION rollcall.has_no_password(oid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'SELECT rolpassword IS NULL FROM pg_catalog.pg_authid WHERE oid = $1';
	REVOKE ALL ON FUNCTION rollcall.has_no_password(oid) FROM PUBLIC;`

// hbaFile lets roles see when pg_hba.conf was changed (docs/rights.md).
const hbaFile = `CREATE FUNCTION rollcall.hba_file(OUT modified timestamptz, OUT changed timestamptz, OUT others boolean, OUT quoted boolean)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT s.modification, s.change,
	t ~ '(^|[\s,])@|(^|\n)\s*include',
	t ~ '(^|[\s,])"+(\+|(all|replication|same(user|role|group|host|net))"*([\s,]|$))'
	FROM pg_catalog.pg_stat_file(current_setting('hba_file')) s,
	regexp_replace(encode(pg_read_binary_file(current_setting('hba_file')), 'escape'), '("[^"\n]*")|#[^\n]*', '\1', 'g') t $$;
	REVOKE ALL ON FUNCTION rollcall.hba_file() FROM PUBLIC;`
