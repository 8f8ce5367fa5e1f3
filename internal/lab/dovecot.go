package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"
)

const dovecotBinary = "/usr/sbin/dovecot" // Debian; not on the PATH of ordinary users

// DovecotOptions say what mail server to start in front of a directory.
// Everything is kept below Dir, but for sockets.
type DovecotOptions struct {
	Dir string
	CA  *CA
	// Directory decides on passwords: accounts below ou=people log in by uid,
	// and Dovecot binds as each (auth_bind). One whose entry has a title may
	// not log in (the extra field nologin).
	Directory *Slapd
	// Cache keeps accepted and refused logins for so long (auth_cache_ttl); 0
	// is no cache, as Dovecot ships.
	Cache time.Duration
	// AtOnce: wrong logins are answered at once (auth_failure_delay, and the
	// penalty of an address).
	AtOnce bool
	// NoTLS: IMAP and POP3 are in clear text, and begin no TLS (ssl = no).
	NoTLS bool
	// Auth is the path of a socket at which Postfix may have logins checked; ""
	// is none.
	Auth string
}

// Dovecot is a running mail server: IMAP and POP3, each with STARTTLS and over
// TLS. Its delays after wrong logins are those that it ships with.
type Dovecot struct {
	opts DovecotOptions
	// ports by service: imap, imaps, pop3, pop3s
	ports map[string]int

	mu   sync.Mutex
	proc *Process
	run  string // folder of its sockets and of mail
}

// StartDovecot starts it, and returns once it greets. The packages
// dovecot-imapd, dovecot-pop3d and dovecot-ldap must be installed.
func StartDovecot(ctx context.Context, o DovecotOptions) (*Dovecot, error) {
	if _, err := os.Stat(dovecotBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install dovecot-imapd dovecot-pop3d dovecot-ldap (%w)", dovecotBinary, err)
	}
	s := &Dovecot{opts: o, ports: map[string]int{}}
	var err error
	for range 5 {
		for _, name := range []string{"imap", "imaps", "pop3", "pop3s"} {
			if s.ports[name], err = FreePort(); err != nil {
				return nil, err
			}
		}
		if err = s.Restart(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

// Restart stops the server if it runs and starts it on the same ports, without
// anything that it kept.
func (s *Dovecot) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	conf, err := s.writeConfig()
	if err != nil {
		return err
	}
	proc, err := startProcess(ctx, s.opts.Dir, s.path("dovecot.out"), s.answers, dovecotBinary, "-F", "-c", conf)
	if err == nil {
		s.proc = proc
	}
	return err
}

// Stop ends the server.
func (s *Dovecot) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { _ = os.RemoveAll(s.run) }()
	if s.proc == nil {
		return nil
	}
	proc := s.proc
	s.proc = nil
	return proc.Stop(ctx)
}

// Address is where a service answers: imap, imaps, pop3, pop3s.
func (s *Dovecot) Address(service string) string {
	return fmt.Sprintf("127.0.0.1:%d", s.ports[service])
}

// LogFile has what it says.
func (s *Dovecot) LogFile() string { return s.path("dovecot.log") }

func (s *Dovecot) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *Dovecot) answers(ctx context.Context) error { return greets(ctx, s.Address("imap")) }

// greets reports whether a server says something first.
func greets(ctx context.Context, address string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = c.Read(make([]byte, 1))
	return err
}

func (s *Dovecot) writeConfig() (string, error) {
	me, err := user.Current()
	if err != nil {
		return "", err
	}
	who := struct{ Me, Internal, Login, Mail, Group string }{me.Username, "dovecot", "dovenull", "dovecot", "dovecot"}
	if me.Uid != "0" {
		group, err := user.LookupGroupId(me.Gid)
		if err != nil {
			return "", err
		}
		who.Internal, who.Login, who.Mail, who.Group = me.Username, me.Username, me.Username, group.Name
	}
	// Its sockets, the longest of which ends in 25 bytes of its own.
	if s.run, err = os.MkdirTemp(shared(25+len("/dovecot0123456789")), "dovecot"); err != nil {
		return "", err
	}
	if err := os.Chmod(s.run, 0o755); err != nil {
		return "", err
	}
	// Mail as well, whose owner need not be able to enter Dir.
	mail := filepath.Join(s.run, "mail")
	if err := os.Mkdir(mail, 0o755); err != nil {
		return "", err
	}
	if owner, err := user.Lookup(who.Mail); err == nil && me.Uid == "0" {
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		if err := os.Chown(mail, uid, gid); err != nil {
			return "", err
		}
	}
	cert, key, ca, err := s.opts.CA.Issue(s.opts.Dir, "dovecot", 24*time.Hour)
	if err != nil {
		return "", err
	}
	d := s.opts.Directory
	ldap := fmt.Sprintf(`uris = %s
tls_ca_cert_file = %s
tls_require_cert = demand
dn = %s
dnpass = %s
base = %s
pass_filter = (uid=%%u)
pass_attrs = uid=user,title=nologin
auth_bind = yes
`, d.LDAPS(), ca, d.BinderDN, d.BinderPassword, d.PeopleDN())
	if err := os.WriteFile(s.path("ldap.conf"), []byte(ldap), 0o600); err != nil {
		return "", err
	}
	var text strings.Builder
	err = dovecotConf.Execute(&text, map[string]any{
		"Dir": s.opts.Dir, "Run": s.run, "Cert": cert, "Key": key, "Who": who, "Port": s.ports,
		"Cache": s.opts.Cache, "Seconds": int(s.opts.Cache.Seconds()), "Auth": s.opts.Auth, "AtOnce": s.opts.AtOnce, "NoTLS": s.opts.NoTLS,
	})
	if err != nil {
		return "", err
	}
	conf := s.path("dovecot.conf")
	return conf, os.WriteFile(conf, []byte(text.String()), 0o600)
}

var dovecotConf = template.Must(template.New("dovecot.conf").Parse(`
base_dir = {{.Run}}
state_dir = {{.Run}}
log_path = {{.Dir}}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
{{if .NoTLS}}ssl = no
disable_plaintext_auth = no
{{else}}ssl = required
ssl_cert = <{{.Cert}}
ssl_key = <{{.Key}}
disable_plaintext_auth = yes
{{end -}}
auth_mechanisms = plain login
default_internal_user = {{.Who.Internal}}
default_internal_group = {{.Who.Group}}
default_login_user = {{.Who.Login}}
mail_location = maildir:{{.Run}}/mail/%u
first_valid_uid = 1
{{if .Cache}}auth_cache_size = 10M
auth_cache_ttl = {{.Seconds}}s
auth_cache_negative_ttl = {{.Seconds}}s
{{end -}}
passdb {
  driver = ldap
  args = {{.Dir}}/ldap.conf
}
userdb {
  driver = static
  args = uid={{.Who.Mail}} gid={{.Who.Group}} home={{.Run}}/mail/%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = {{.Port.imap}}
  }
  inet_listener imaps {
    port = {{.Port.imaps}}
    ssl = yes
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = {{.Port.pop3}}
  }
  inet_listener pop3s {
    port = {{.Port.pop3s}}
    ssl = yes
  }
}
service anvil {
  chroot =
{{if .AtOnce}}  unix_listener anvil-auth-penalty {
    mode = 0
  }
{{end}}}
{{if .AtOnce}}auth_failure_delay = 0
{{end -}}
service auth {
  # It reads files in folders that are the test's own.
  user = {{.Who.Me}}
{{if .Auth}}  unix_listener {{.Auth}} {
    mode = 0666
  }
{{end}}}
`))
