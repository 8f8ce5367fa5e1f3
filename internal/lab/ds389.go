package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

const ds389Binary = "/usr/sbin/ns-slapd" // Debian; not on the PATH of ordinary users

// DS389Options say what directory to start. Everything is kept below Dir.
type DS389Options struct {
	Dir string
	CA  *CA

	// ReplicaOf makes this server a read-only consumer of another. Policy and
	// Accounts come from the supplier then.
	ReplicaOf *DS389

	// LooksLike gives this server the certificate of another one, as servers
	// behind a balancer have one.
	LooksLike *DS389

	// ShowsReplicators lets the binder read as whom servers replicate.
	ShowsReplicators bool
	// AccessLog has the server write what it is asked to AccessFile,
	// unbuffered.
	AccessLog bool

	Policy   DS389Policy
	Accounts []Account // seeded when the server has started
}

// DS389 is a running 389 Directory Server: LDAPS and StartTLS, replication. It
// needs no root. Passwords are random for each supplier; its consumers share
// them.
type DS389 struct {
	// Admin is the Directory Manager: no ACI applies to it.
	AdminDN, AdminPassword string
	// Binder may write userPassword below ou=people and is the password
	// administrator, as Rollcall recommends.
	BinderDN, BinderPassword string
	// Writer may write it too and is bound by the policy.
	WriterDN, WriterPassword string
	// CA is the PEM text with which clients trust the server.
	CA string

	opts       DS389Options
	replicator string // password
	ldaps      int
	ldap       int
	hop        *relay // consumers only: what the supplier sends goes through it

	mu   sync.Mutex
	proc *Process
}

// StartDS389 makes an instance, starts it and seeds the accounts. It returns
// once the server answers, and a consumer once it has everything its supplier
// has. 389-ds-base, libnss3-tools and openssl must be installed.
func StartDS389(ctx context.Context, o DS389Options) (_ *DS389, err error) {
	if _, err := os.Stat(ds389Binary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install --no-install-recommends 389-ds-base (%w)", ds389Binary, err)
	}
	s := &DS389{
		AdminDN:  "cn=Directory Manager",
		BinderDN: "cn=rollcall,ou=services," + slapdBase,
		WriterDN: "cn=writer,ou=services," + slapdBase,
		CA:       string(o.CA.PEM),
		opts:     o,
	}
	defer func() {
		if err != nil {
			_ = s.Stop(context.WithoutCancel(ctx))
		}
	}()
	if p := o.ReplicaOf; p != nil {
		s.AdminPassword, s.BinderPassword, s.WriterPassword, s.replicator = p.AdminPassword, p.BinderPassword, p.WriterPassword, p.replicator
		s.opts.Policy = p.opts.Policy
		if s.hop, err = newRelay(func() (net.Conn, error) {
			return net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ldaps)))
		}); err != nil {
			return nil, err
		}
	} else {
		s.AdminPassword, s.BinderPassword, s.WriterPassword, s.replicator = rand.Text(), rand.Text(), rand.Text(), rand.Text()
	}
	if err = s.makeInstance(ctx); err != nil {
		return nil, err
	}
	if err = s.firstStart(ctx); err != nil {
		return nil, err
	}
	if o.ReplicaOf != nil {
		err = s.follow(ctx)
	} else {
		err = s.seed(ctx)
	}
	if err == nil {
		err = s.setPolicy(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// firstStart chooses the ports. Another process may take them between FreePort
// and the server's bind.
func (s *DS389) firstStart(ctx context.Context) (err error) {
	for range 5 {
		if s.ldaps, err = FreePort(); err != nil {
			return err
		}
		if s.ldap, err = FreePort(); err != nil {
			return err
		}
		if err = s.writeConfig(); err != nil {
			return err
		}
		err = s.Restart(ctx)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			return err
		}
	}
	return err
}

// Restart kills the server if it runs and starts it on the same ports and data:
// an orderly end takes 2 to 5 s, and the data survive a kill.
func (s *DS389) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.Kill()
	}
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, ds389Binary,
		"-d", "0", // stay in the foreground
		"-D", s.opts.Dir, "-i", s.path("run/pid"))
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(s.path("log/errors"), 2000))
	}
	s.proc = proc
	return nil
}

// Process is the server's process, to kill, pause or resume it.
func (s *DS389) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop ends the server by a kill, as Restart does; its files stay. A second
// call does nothing.
func (s *DS389) Stop(context.Context) error {
	if s.hop != nil {
		s.hop.close()
	}
	if p := s.Process(); p != nil {
		p.Kill()
	}
	// The one thing that the server keeps elsewhere: a semaphore named like the
	// folder (sem_overview(7)), which an orderly end would remove.
	err := os.Remove("/dev/shm/sem." + filepath.Base(s.opts.Dir) + ".stats")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("lab: remove the server's semaphore: %w", err)
	}
	return nil
}

// LDAPS is the URL that speaks TLS from the first byte.
func (s *DS389) LDAPS() string { return fmt.Sprintf("ldaps://127.0.0.1:%d", s.ldaps) }

// LDAP is the URL that speaks clear text until StartTLS.
func (s *DS389) LDAP() string { return fmt.Sprintf("ldap://127.0.0.1:%d", s.ldap) }

// BaseDN is the suffix.
func (s *DS389) BaseDN() string { return slapdBase }

// PeopleDN is the subtree with the accounts.
func (s *DS389) PeopleDN() string { return slapdPeople }

// AccountDN is the DN of a seeded account.
func (s *DS389) AccountDN(uid string) string { return "uid=" + uid + "," + slapdPeople }

// SeededPassword is the password with which an account was seeded; empty if it
// was not.
func (s *DS389) SeededPassword(uid string) string { return seededPassword(s.opts.Accounts, uid) }

// LogFile is what the server wrote to its standard output and error; more is in
// log/errors.
func (s *DS389) LogFile() string { return s.path("ns-slapd.log") }

// AccessFile is its access log, if that was asked for.
func (s *DS389) AccessFile() string { return s.path("log/access") }

// AdminConn opens a connection bound as the Directory Manager. The caller
// closes it.
func (s *DS389) AdminConn(ctx context.Context) (*ldap.Conn, error) {
	conn, err := ldap.DialURL(s.LDAP(), ldap.DialWithDialer(&net.Dialer{Timeout: patience}))
	if err != nil {
		return nil, fmt.Errorf("lab: connect to %s: %w", s.LDAP(), err)
	}
	conn.SetTimeout(patience)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.Bind(s.AdminDN, s.AdminPassword); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("lab: bind as %s at %s: %w", s.AdminDN, s.LDAP(), err)
	}
	return conn, nil
}

// answers waits for both ports: the server opens them one after the other.
func (s *DS389) answers(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	secure, err := net.DialTimeout("tcp", strings.TrimPrefix(s.LDAPS(), "ldaps://"), patience)
	if err == nil {
		err = secure.Close()
	}
	return errors.Join(err, conn.Close())
}

func (s *DS389) path(name string) string { return filepath.Join(s.opts.Dir, name) }
