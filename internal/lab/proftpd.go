package lab

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"
)

const proftpdBinary = "/usr/sbin/proftpd" // Debian; not on the PATH of ordinary users

// ProFTPDOptions say what FTP server to start in front of a directory.
// Everything is kept below Dir.
type ProFTPDOptions struct {
	Dir string
	CA  *CA
	// Directory decides on passwords: accounts below ou=people log in by uid,
	// and the server binds as each (LDAPAuthBinds).
	Directory *Slapd
}

// ProFTPD is a running FTP server: with AUTH TLS for who asks for it (ftp),
// with no login without it (strict), over TLS (ftps), and without any (clear).
type ProFTPD struct {
	opts  ProFTPDOptions
	ports map[string]int

	mu   sync.Mutex
	proc *Process
}

// StartProFTPD starts it, and returns once it greets. The packages
// proftpd-core, proftpd-mod-crypto and proftpd-mod-ldap must be installed.
func StartProFTPD(ctx context.Context, o ProFTPDOptions) (*ProFTPD, error) {
	if _, err := os.Stat(proftpdBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install proftpd-core proftpd-mod-crypto proftpd-mod-ldap (%w)", proftpdBinary, err)
	}
	s := &ProFTPD{opts: o, ports: map[string]int{}}
	var err error
	for range 5 {
		for _, name := range []string{"ftp", "ftps", "strict", "clear"} {
			if s.ports[name], err = FreePort(); err != nil {
				return nil, err
			}
		}
		if err = s.start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

func (s *ProFTPD) start(ctx context.Context) error {
	cert, key, _, err := s.opts.CA.Issue(s.opts.Dir, "proftpd", 24*time.Hour)
	if err != nil {
		return err
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	// It stays whoever starts it: with another user it would outlive a parent
	// that is killed (prctl(2), PR_SET_PDEATHSIG).
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		return err
	}
	who := struct{ User, Group string }{me.Username, group.Name}
	var text strings.Builder
	d := s.opts.Directory
	err = proftpdConf.Execute(&text, map[string]any{"Dir": s.opts.Dir, "Cert": cert, "Key": key, "Port": s.ports, "Who": who,
		"LDAP": d.LDAP() + "/??sub", "People": d.PeopleDN(), "BindDN": d.BinderDN, "BindPassword": d.BinderPassword})
	if err != nil {
		return err
	}
	conf := s.path("proftpd.conf")
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		return err
	}
	proc, err := startProcess(ctx, s.opts.Dir, s.path("proftpd.out"), s.answers, proftpdBinary, "-n", "-q", "-c", conf)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Stop ends the server.
func (s *ProFTPD) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop(ctx)
}

// Address is where it answers: ftp, ftps, strict, clear.
func (s *ProFTPD) Address(service string) string {
	return fmt.Sprintf("127.0.0.1:%d", s.ports[service])
}

// LogFile has what it says.
func (s *ProFTPD) LogFile() string { return s.path("proftpd.log") }

func (s *ProFTPD) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *ProFTPD) answers(ctx context.Context) error { return greets(ctx, s.Address("ftp")) }

// proftpdConf: everybody's folder is the root of the machine, which a login
// looks at and no test does.
var proftpdConf = template.Must(template.New("proftpd.conf").Parse(`
LoadModule mod_tls.c
LoadModule mod_ldap.c
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
Port {{.Port.ftp}}
User {{.Who.User}}
Group {{.Who.Group}}
PidFile {{.Dir}}/proftpd.pid
ScoreboardFile {{.Dir}}/scoreboard
SystemLog {{.Dir}}/proftpd.log
SyslogLevel info
TransferLog none
WtmpLog off
DelayTable {{.Dir}}/delay
<IfModule mod_ctrls.c>
  ControlsEngine off
</IfModule>
<Global>

  AuthOrder mod_ldap.c
  RequireValidShell off
  UseFtpUsers off
  LDAPServer {{.LDAP}}
  LDAPBindDN {{.BindDN}} {{.BindPassword}}
  LDAPUsers {{.People}} (uid=%u)
  LDAPAuthBinds on
  LDAPQueryTimeout 10
  LDAPDefaultUID 65534
  LDAPDefaultGID 65534
  LDAPForceDefaultUID on
  LDAPForceDefaultGID on
  LDAPGenerateHomedir on
  LDAPForceGeneratedHomedir on
  LDAPGenerateHomedirPrefix /
  LDAPGenerateHomedirPrefixNoUsername on
  TLSEngine on
  TLSProtocol TLSv1.2 TLSv1.3
  TLSECCertificateFile {{.Cert}}
  TLSECCertificateKeyFile {{.Key}}
  TLSVerifyClient off
</Global>
<VirtualHost 127.0.0.1>
  Port {{.Port.ftps}}
  TLSOptions UseImplicitSSL
</VirtualHost>
<VirtualHost 127.0.0.1>
  Port {{.Port.strict}}
  TLSRequired on
</VirtualHost>
<VirtualHost 127.0.0.1>
  Port {{.Port.clear}}
  TLSEngine off
</VirtualHost>
`))
