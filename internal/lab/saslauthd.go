package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const saslauthdBinary = "/usr/sbin/saslauthd" // Debian; not on the PATH of ordinary users

// SaslauthdOptions say what password checker to start in front of a directory.
// Everything is kept below Dir, but for its socket.
type SaslauthdOptions struct {
	Dir string
	// Directory decides on passwords: accounts below ou=people log in by uid.
	Directory *Slapd
	// Cache keeps accepted logins (-c), as Debian's OPTIONS do, for so long
	// (-t; 8 hours where that is not said). 0 is no cache.
	Cache time.Duration
}

// Saslauthd is a running Cyrus saslauthd(8) with -a ldap. It checks one login
// after the other.
type Saslauthd struct {
	opts SaslauthdOptions
	run  string // folder of its socket

	mu   sync.Mutex
	proc *Process
}

// StartSaslauthd starts it, and returns once it listens. It needs root. The
// package sasl2-bin must be installed.
func StartSaslauthd(ctx context.Context, o SaslauthdOptions) (*Saslauthd, error) {
	if _, err := os.Stat(saslauthdBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install sasl2-bin (%w)", saslauthdBinary, err)
	}
	s := &Saslauthd{opts: o}
	d := o.Directory
	// In clear text, as most do on one host: ldap_timeout ends the wait for a
	// directory that hangs there, and over TLS nothing does.
	conf := fmt.Sprintf(`ldap_servers: %s
ldap_bind_dn: %s
ldap_password: %s
ldap_search_base: %s
ldap_filter: (uid=%%u)
ldap_auth_method: bind
ldap_timeout: 5
`, d.LDAP(), d.BinderDN, d.BinderPassword, d.PeopleDN())
	var err error
	if err = os.WriteFile(s.path("saslauthd.conf"), []byte(conf), 0o600); err != nil {
		return nil, err
	}
	// Its socket, for which servers of other users look there.
	if s.run, err = os.MkdirTemp(shared(len("/saslauthd0123456789/mux.accept")), "saslauthd"); err != nil {
		return nil, err
	}
	if err = os.Chmod(s.run, 0o755); err != nil {
		return nil, err
	}
	return s, s.Restart(ctx, o.Cache)
}

// Restart stops it if it runs, and starts it without anything that it kept and
// with such a cache.
func (s *Saslauthd) Restart(ctx context.Context, cache time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		if err := s.proc.Stop(ctx); err != nil {
			return err
		}
	}
	// -d: in the foreground. -n 1: one process, which leaves none behind. Its
	// end ends its process group, so it has one of its own.
	args := []string{saslauthdBinary, "-d", "-a", "ldap", "-O", s.path("saslauthd.conf"), "-m", s.run, "-n", "1"}
	if cache > 0 {
		args = append(args, "-c", "-t", fmt.Sprint(int(cache.Seconds())))
	}
	var err error
	s.proc, err = startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, "setsid", args...)
	return err
}

// Process is the checker's process, to pause or resume it.
func (s *Saslauthd) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop ends it.
func (s *Saslauthd) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { _ = os.RemoveAll(s.run) }()
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop(ctx)
}

// Socket is where it listens.
func (s *Saslauthd) Socket() string { return filepath.Join(s.run, "mux") }

// LogFile has what it says.
func (s *Saslauthd) LogFile() string { return s.path("saslauthd.log") }

func (s *Saslauthd) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *Saslauthd) answers(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "unix", s.Socket())
	if err != nil {
		return err
	}
	return c.Close()
}
