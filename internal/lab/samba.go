package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Names in every lab domain.
const (
	sambaRealm    = "AD.EXAMPLE.ORG"
	sambaDomain   = "EXAMPLE"
	sambaBase     = "DC=ad,DC=example,DC=org"
	sambaServices = "OU=Services," + sambaBase
	sambaPeople   = "OU=People," + sambaBase
	sambaBinary   = "/usr/sbin/samba"
	sambaTool     = "/usr/bin/samba-tool"
	sambaConfig   = mountPoint + "/etc/smb.conf" // as Samba sees it
	sambaSetup    = "/usr/share/samba/setup"     // what a domain is provisioned from
)

// SambaOptions say what domain to start. Everything is kept below Dir.
type SambaOptions struct {
	Dir string
	CA  *CA

	Policy   SambaPolicy
	Accounts []Account // seeded below OU=Services; UID is the sAMAccountName
	People   []Account // seeded below OU=People, with passwords that expire
	Pair     bool      // a Partner for the Binder
	// Audit writes logins and changes of passwords and groups to LogFile too
	// (auth_json_audit and the three of dsdb).
	Audit bool
	// Files: it serves files too (SMB), as each domain controller does.
	Files bool
}

// Samba is a running domain controller of a domain of its own: a real Active
// Directory for LDAP clients (Samba 4, one process). It has its own network
// namespace, because the LDAP ports of a domain controller cannot be moved;
// clients reach it through ports on 127.0.0.1.
type Samba struct {
	// Admin is the domain's Administrator.
	AdminDN, AdminPassword string
	// Binder may reset passwords below OU=Services and OU=People, write
	// pwdLastSet below the latter, and nothing else, as Rollcall recommends.
	BinderDN, BinderPassword string
	// Partner has the same rights, and the two may reset each other. Only with
	// SambaOptions.Pair.
	PartnerDN, PartnerPassword string
	// Reader is an ordinary account: it reads and may reset nobody.
	ReaderDN, ReaderPassword string
	// CA is the PEM text with which clients trust the server.
	CA string

	opts        SambaOptions
	machine     machine
	ldap, ldaps *relay

	mu   sync.Mutex
	proc *Process
}

// StartSamba provisions a domain (10 to 30 s), seeds it and returns once the
// domain controller answers. It needs root, for the network namespace and for
// what provisioning writes, and the apt packages samba, samba-ad-provision,
// samba-dsdb-modules, samba-vfs-modules and iproute2.
func StartSamba(ctx context.Context, o SambaOptions) (*Samba, error) {
	if err := CanStartSamba(ctx); err != nil {
		return nil, err
	}
	s, err := newSamba(o, "dc1", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	if err := s.found(ctx, []*machine{&s.machine}); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	return s, nil
}

// newSamba makes a machine for a domain controller, and the ways to it. Nothing
// runs yet.
func newSamba(o SambaOptions, host, address string) (*Samba, error) {
	s := &Samba{
		AdminDN:  "CN=Administrator,CN=Users," + sambaBase,
		BinderDN: "CN=rollcall,CN=Users," + sambaBase, BinderPassword: complexPassword(),
		PartnerDN: "CN=rollcall-b,CN=Users," + sambaBase, PartnerPassword: complexPassword(),
		ReaderDN: "CN=reader,CN=Users," + sambaBase, ReaderPassword: complexPassword(),
		CA: string(o.CA.PEM), opts: o, machine: machine{dir: o.Dir, host: host, address: address},
	}
	// Instead of the machine's own smb.conf.
	err := os.MkdirAll(o.Dir, 0o700)
	if err == nil {
		err = os.WriteFile(s.path("empty.conf"), []byte("[global]\n"), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("lab: make the domain controller's folder: %w", err)
	}
	if s.machine.net, err = newNamespace(); err != nil {
		return nil, err
	}
	for port, hop := range map[string]**relay{"389": &s.ldap, "636": &s.ldaps} {
		if *hop, err = newRelay(func() (net.Conn, error) { return s.machine.net.dial("127.0.0.1:" + port) }); err != nil {
			return nil, errors.Join(err, s.Stop(context.Background()))
		}
	}
	return s, nil
}

// found makes a domain, of which s is the first controller, and seeds it.
func (s *Samba) found(ctx context.Context, all []*machine) error {
	if err := s.machine.furnish(all); err != nil {
		return err
	}
	if err := s.provision(ctx); err != nil {
		return err
	}
	if err := s.Restart(ctx); err != nil {
		return err
	}
	return s.seed(ctx)
}

var adminPassword = regexp.MustCompile(`Admin password:\s+(\S+)`)

// provision makes the domain's database. The Administrator's password is made
// up by samba-tool, so that it need not be on a command line.
func (s *Samba) provision(ctx context.Context) error {
	out, err := s.machine.run(ctx, sambaTool, "domain", "provision", "-s", mountPoint+"/empty.conf",
		"--realm="+sambaRealm, "--domain="+sambaDomain, "--server-role=dc", "--dns-backend=NONE",
		"--host-name="+s.machine.host, "--host-ip="+s.machine.address, "--targetdir="+mountPoint,
		"--option=interfaces="+s.machine.nics(), "--option=bind interfaces only=yes")
	made := adminPassword.FindSubmatch(out)
	if err != nil || made == nil {
		return fmt.Errorf("lab: samba-tool domain provision: %w\n%s", err, adminPassword.ReplaceAll(out, nil))
	}
	s.AdminPassword = string(made[1])
	return s.writeConfig()
}

// Restart stops the domain controller if it runs and starts it on the same data
// and behind the same ports.
func (s *Samba) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		if err := s.proc.Stop(ctx); err != nil {
			return err
		}
	}
	name, args := s.machine.inside(sambaBinary, "--interactive", "--model=single", "--configfile="+sambaConfig, "--debug-stdout")
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, name, args...)
	if err != nil {
		return err
	}
	s.proc = proc
	return nil
}

// Process is the domain controller's process, to kill, pause or resume it.
func (s *Samba) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop ends the domain controller; its files stay. A second call does nothing.
func (s *Samba) Stop(ctx context.Context) error {
	for _, r := range []*relay{s.ldap, s.ldaps} {
		if r != nil {
			r.close()
		}
	}
	s.machine.net.close()
	if p := s.Process(); p != nil {
		return p.Stop(ctx)
	}
	return nil
}

// LDAPS is the URL that speaks TLS from the first byte.
func (s *Samba) LDAPS() string { return "ldaps://" + s.ldaps.addr() }

// LDAP is the URL that speaks clear text until StartTLS.
func (s *Samba) LDAP() string { return "ldap://" + s.ldap.addr() }

// BaseDN is the domain's naming context.
func (s *Samba) BaseDN() string { return sambaBase }

// ServicesDN is the organizational unit with the accounts.
func (s *Samba) ServicesDN() string { return sambaServices }

// AccountDN is the DN of a seeded account.
func (s *Samba) AccountDN(uid string) string { return "CN=" + uid + "," + sambaServices }

// PersonDN is the DN of a seeded person.
func (s *Samba) PersonDN(uid string) string { return "CN=" + uid + "," + sambaPeople }

// PeopleDN is the organizational unit with the people.
func (s *Samba) PeopleDN() string { return sambaPeople }

// Inside is the command line that runs a program where the domain controller
// runs: in its network and with its folder at the place that its configuration
// names. It needs root.
func (s *Samba) Inside(program string) string {
	return fmt.Sprintf("nsenter -t %d -n -m %s", s.Process().Pid(), program)
}

// Config is the configuration file as programs Inside see it.
func (s *Samba) Config() string { return sambaConfig }

// LoginName is the userPrincipalName of a seeded account.
func (s *Samba) LoginName(uid string) string { return uid + "@" + strings.ToLower(sambaRealm) }

// LogFile is what the server wrote to its standard output and error.
func (s *Samba) LogFile() string { return s.path("samba.log") }

// DialFrom connects to a port of the domain controller (ldap or ldaps) from an
// address of 127.0.0.0/8, as it sees it: through LDAP and LDAPS all come from
// 127.0.0.1.
func (s *Samba) DialFrom(address, port string) (conn net.Conn, err error) {
	number := map[string]string{"ldap": "389", "ldaps": "636"}[port]
	err = s.machine.net.do(func() (err error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
		conn, err = d.Dial("tcp4", "127.0.0.1:"+number)
		return err
	})
	return conn, err
}

// AdminConn opens a connection bound as the Administrator. The caller closes
// it.
func (s *Samba) AdminConn(ctx context.Context) (*ldap.Conn, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.opts.CA.PEM)
	conn, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(&net.Dialer{Timeout: patience}),
		ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}))
	if err != nil {
		return nil, fmt.Errorf("lab: connect to %s: %w", s.LDAPS(), err)
	}
	conn.SetTimeout(patience)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.Bind(s.AdminDN, s.AdminPassword); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("lab: bind as %s at %s: %w", s.AdminDN, s.LDAPS(), err)
	}
	return conn, nil
}

func (s *Samba) answers(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// RunInside runs a program where the domain controller is.
func (s *Samba) RunInside(ctx context.Context, program string, args ...string) ([]byte, error) {
	return s.machine.run(ctx, program, args...)
}

func (s *Samba) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// DialSMB connects to its file server (SambaOptions.Files).
func (s *Samba) DialSMB() (net.Conn, error) { return s.machine.net.dial("127.0.0.1:445") }
