package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

// Names in every lab directory.
const (
	slapdBase   = "dc=example,dc=org"
	slapdPeople = "ou=people," + slapdBase
	slapdBinary = "/usr/sbin/slapd" // Debian; not on the PATH of ordinary users
	slapdAdd    = "/usr/sbin/slapadd"
	slapdCat    = "/usr/sbin/slapcat"
)

// SlapdOptions say what directory to start. Everything is kept below Dir.
type SlapdOptions struct {
	Dir string
	CA  *CA

	// ReplicaOf makes this server a read-only copy of another, fed by syncrepl.
	// Policy and Accounts come from the provider then.
	ReplicaOf *Slapd
	// Provider makes this server one of two providers, each of which takes
	// changes and follows the other: set it on the first, and on the one that
	// is ReplicaOf it.
	Provider bool
	// Leaf makes a replica that feeds no other (no syncprov).
	Leaf bool
	// RefersTo makes a replica name that server to whoever wants to write
	// (updateref). Chains makes it write there itself, as the binder
	// (slapo-chain(5)), and hide the referral.
	RefersTo *Slapd
	Chains   bool
	// KeepsClear: what a modify writes to userPassword is not hashed.
	KeepsClear bool
	// ReadOnly makes the database refuse every change (readonly on).
	ReadOnly bool
	// ShowsConfig lets the binder read cn=config.
	ShowsConfig bool
	// ShowsReplicators lets it read there as whom the server fetches changes,
	// and nothing else.
	ShowsReplicators bool
	// BinderMay is the binder's right on userPassword below ou=people, as
	// slapd.access(5) writes it; "manage" if empty.
	BinderMay string
	// HidesMarks shows to nobody but the replicas when entries below ou=people
	// were changed (pwdChangedTime, entryCSN).
	HidesMarks bool
	// HidesPolicies shows to nobody which policies entries below ou=people
	// name.
	HidesPolicies bool
	// HidesWhatPoliciesSay shows of policies but the default that they are
	// there, and no more.
	HidesWhatPoliciesSay bool
	// SealsPolicies shows no policy to the binder.
	SealsPolicies bool
	// BareSealed shows of what is below ou=sealed to everybody that it is
	// there, its object classes and its id.
	BareSealed bool
	// Branch makes ou=branch below the base a database of its own, as suffixes
	// are that nobody has glued (subordinate).
	Branch bool
	// LastBind writes each good login into the account's entry (slapd.conf(5)).
	LastBind bool

	// Stats has the server write what it is asked (loglevel stats) to LogFile.
	Stats bool

	// LooksLike gives this server the certificate of another one, as servers
	// behind a balancer have one.
	LooksLike *Slapd

	Policy   SlapdPolicy
	Accounts []Account // seeded before the server starts
}

// Slapd is a running OpenLDAP server: LDAPS and StartTLS, ppolicy, syncprov.
// Passwords are random for each provider; its replicas share them.
type Slapd struct {
	// Admin is the rootdn: no ACL and no policy applies to it.
	AdminDN, AdminPassword string
	// Binder has manage on userPassword below ou=people, as Rollcall
	// recommends.
	BinderDN, BinderPassword string
	// Partner has the same rights, and the two may reset each other.
	PartnerDN, PartnerPassword string
	// Writer has write on it only, so that ppolicy binds it.
	WriterDN, WriterPassword string
	// CA is the PEM text with which clients trust the server.
	CA string

	opts       SlapdOptions
	replicator string // password
	ldaps      int
	ldap       int
	hop        *relay // replicas and two providers
	peer       *Slapd // the other of two providers

	mu   sync.Mutex
	proc *Process
}

// StartSlapd writes the configuration, seeds the accounts and starts the
// server. It returns once the server answers, and a replica once it has
// everything its provider has. slapd must be installed (apt package slapd).
func StartSlapd(ctx context.Context, o SlapdOptions) (*Slapd, error) {
	if _, err := os.Stat(slapdBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install slapd (%w)", slapdBinary, err)
	}
	s := &Slapd{
		AdminDN:   "cn=admin," + slapdBase,
		BinderDN:  "cn=rollcall,ou=services," + slapdBase,
		PartnerDN: "cn=rollcall-b,ou=services," + slapdBase,
		WriterDN:  "cn=writer,ou=services," + slapdBase,
		CA:        string(o.CA.PEM),
		opts:      o,
	}
	if p := o.ReplicaOf; p != nil {
		s.AdminPassword, s.BinderPassword, s.PartnerPassword, s.WriterPassword, s.replicator = p.AdminPassword, p.BinderPassword, p.PartnerPassword, p.WriterPassword, p.replicator
		if o.Provider {
			p.mu.Lock()
			p.peer = s
			p.mu.Unlock()
		}
		s.peer = p
	} else {
		s.AdminPassword, s.BinderPassword, s.PartnerPassword, s.WriterPassword, s.replicator = rand.Text(), rand.Text(), rand.Text(), rand.Text(), rand.Text()
	}
	if o.ReplicaOf != nil || o.Provider {
		hop, err := newRelay(s.dialPeer)
		if err != nil {
			return nil, err
		}
		s.hop = hop
	}
	if err := s.start(ctx); err != nil {
		if s.hop != nil {
			s.hop.close()
		}
		return nil, err
	}
	return s, nil
}

func (s *Slapd) start(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(s.opts.Dir, "branch"), 0o700); err != nil {
		return fmt.Errorf("lab: make the directory's folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(s.opts.Dir, "db"), 0o700); err != nil {
		return fmt.Errorf("lab: make the directory's folder: %w", err)
	}
	if err := s.writeConfig(); err != nil {
		return err
	}
	if err := s.seed(ctx); err != nil {
		return err
	}
	var err error
	for range 5 {
		// Another process may take the ports between FreePort and slapd's bind,
		// which slapd does not always say before it exits.
		if s.ldaps, err = FreePort(); err != nil {
			return err
		}
		if s.ldap, err = FreePort(); err != nil {
			return err
		}
		err = s.Restart(ctx)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	if err != nil {
		return err
	}
	if s.opts.ReplicaOf != nil {
		return s.AwaitReplication(ctx)
	}
	return nil
}

// dialPeer connects to the server that this one follows.
func (s *Slapd) dialPeer() (net.Conn, error) {
	s.mu.Lock()
	p := s.peer
	s.mu.Unlock()
	if p == nil {
		return nil, errors.New("lab: the other provider is not there yet")
	}
	return net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.ldaps)))
}

// Restart stops the server if it runs and starts it on the same ports and data.
func (s *Slapd) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		if err := s.proc.Stop(ctx); err != nil {
			return err
		}
	}
	level := "0"
	if s.opts.Stats {
		level = "stats"
	}
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, slapdBinary,
		"-d", level, // stay in the foreground
		"-f", s.path("slapd.conf"),
		"-h", s.LDAP()+"/ "+s.LDAPS()+"/")
	if err != nil {
		return err
	}
	s.proc = proc
	return nil
}

// Process is the server's process, to kill, pause or resume it.
func (s *Slapd) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop ends the server; its files stay. A second call does nothing.
func (s *Slapd) Stop(ctx context.Context) error {
	if s.hop != nil {
		s.hop.close()
	}
	return s.Process().Stop(ctx)
}

// LDAPS is the URL that speaks TLS from the first byte.
func (s *Slapd) LDAPS() string { return fmt.Sprintf("ldaps://127.0.0.1:%d", s.ldaps) }

// LDAP is the URL that speaks clear text until StartTLS.
func (s *Slapd) LDAP() string { return fmt.Sprintf("ldap://127.0.0.1:%d", s.ldap) }

// BaseDN is the suffix.
func (s *Slapd) BaseDN() string { return slapdBase }

// PeopleDN is the subtree with the accounts.
func (s *Slapd) PeopleDN() string { return slapdPeople }

// AccountDN is the DN of a seeded account.
func (s *Slapd) AccountDN(uid string) string { return "uid=" + uid + "," + slapdPeople }

// LogFile is what the server wrote to its standard error.
func (s *Slapd) LogFile() string { return s.path("slapd.log") }

// AdminConn opens a connection bound as the rootdn. The caller closes it.
func (s *Slapd) AdminConn(ctx context.Context) (*ldap.Conn, error) {
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

func (s *Slapd) answers(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (s *Slapd) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// seed loads the tree offline: slapadd -q takes thousands of entries a second.
// A replica starts from a dump of its provider, because replicating an entry
// costs a flush to disk each. The passwords go through a file that only we can
// read, already hashed.
func (s *Slapd) seed(ctx context.Context) error {
	file := s.path("seed.ldif")
	if p := s.opts.ReplicaOf; p != nil {
		// slapcat would create the file for all to read.
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return fmt.Errorf("lab: write the seed: %w", err)
		}
		if err := slapdTool(ctx, slapdCat, "-f", p.path("slapd.conf"), "-b", slapdBase, "-l", file); err != nil {
			return err
		}
	} else if err := os.WriteFile(file, []byte(s.tree()), 0o600); err != nil {
		return fmt.Errorf("lab: write the seed: %w", err)
	}
	if err := slapdTool(ctx, slapdAdd, "-q", "-f", s.path("slapd.conf"), "-b", slapdBase, "-l", file); err != nil {
		return err
	}
	return os.Remove(file)
}

func slapdTool(ctx context.Context, tool string, args ...string) error {
	if out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("lab: %s: %w\n%s", filepath.Base(tool), err, out)
	}
	return nil
}
