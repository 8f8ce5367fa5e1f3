package lab

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2869"
)

const freeradiusBinary = "/usr/sbin/freeradius" // Debian; not on the PATH of ordinary users

// FreeRADIUSOptions say what RADIUS server to start in front of a directory.
// Everything is kept below Dir.
type FreeRADIUSOptions struct {
	Dir string
	// Directory decides on passwords: accounts below ou=people log in by uid,
	// and the server binds as each.
	Directory *Slapd
	// Unsigned lets it take requests without a Message-Authenticator, as those
	// do that Debian 12 ships.
	Unsigned bool
}

// FreeRADIUS is a running RADIUS server that takes no request without a
// Message-Authenticator, unless its options say so.
type FreeRADIUS struct {
	// Secret is the one that it shares with its clients.
	Secret string

	opts FreeRADIUSOptions
	port int

	oneProcess
}

// StartFreeRADIUS starts it, and returns once it answers. The packages
// freeradius and freeradius-ldap must be installed.
func StartFreeRADIUS(ctx context.Context, o FreeRADIUSOptions) (*FreeRADIUS, error) {
	if _, err := os.Stat(freeradiusBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install freeradius freeradius-ldap (%w)", freeradiusBinary, err)
	}
	s := &FreeRADIUS{opts: o, Secret: rand.Text()}
	var err error
	for range 5 {
		if s.port, err = freeUDPPort(); err != nil {
			return nil, err
		}
		if err = s.start(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return s, err
}

// radiusReady bounds one start.
const radiusReady = 20 * time.Second

func (s *FreeRADIUS) start(ctx context.Context) error {
	var text strings.Builder
	d := s.opts.Directory
	err := radiusdConf.Execute(&text, map[string]any{"Dir": s.opts.Dir, "Port": s.port, "Secret": s.Secret, "Unsigned": s.opts.Unsigned,
		"LDAP": d.LDAP(), "People": d.PeopleDN(), "BindDN": d.BinderDN, "BindPassword": d.BinderPassword})
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path("radiusd.conf"), []byte(text.String()), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("dictionary"), nil, 0o600); err != nil {
		return err
	}
	// One that is there and never answers was seen once.
	ctx, cancel := context.WithTimeout(ctx, radiusReady)
	defer cancel()
	proc, err := startProcess(ctx, s.opts.Dir, s.path("radius.out"), s.answers, freeradiusBinary, "-f", "-d", s.opts.Dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Stop ends the server with SIGKILL: with a request that it has not answered it
// may say that it ends, and go on (3.2.1). It keeps nothing.
func (s *FreeRADIUS) Stop(context.Context) error {
	if p := s.Process(); p != nil {
		p.Kill()
	}
	return nil
}

// Address is where it answers.
func (s *FreeRADIUS) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// LogFile has what it says.
func (s *FreeRADIUS) LogFile() string { return s.path("radius.log") }

func (s *FreeRADIUS) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// answers asks for the status (RFC 5997), which is signed as the library does
// not do by itself.
func (s *FreeRADIUS) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	p := radius.New(radius.CodeStatusServer, []byte(s.Secret))
	if err := rfc2869.MessageAuthenticator_Set(p, make([]byte, 16)); err != nil {
		return err
	}
	wire, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	if err := rfc2869.MessageAuthenticator_Set(p, messageAuthenticator(wire, s.Secret)); err != nil {
		return err
	}
	_, err = (&radius.Client{}).Exchange(ctx, p, s.Address())
	return err
}

// radiusdConf: accounts of the directory log in by a bind as each. A rejected
// login is answered at once; Debian's delay is a second.
var radiusdConf = template.Must(template.New("radiusd.conf").Parse(`
prefix = /usr
raddbdir = {{.Dir}}
confdir = {{.Dir}}
run_dir = {{.Dir}}
logdir = {{.Dir}}
db_dir = {{.Dir}}
libdir = /usr/lib/freeradius
pidfile = {{.Dir}}/radius.pid
max_request_time = 30
cleanup_delay = 5
max_requests = 256
hostname_lookups = no
log {
	destination = files
	file = {{.Dir}}/radius.log
	auth = yes
	auth_badpass = no
	auth_goodpass = no
}
security {
	max_attributes = 200
	reject_delay = 0
	status_server = yes
	allow_vulnerable_openssl = yes
}
thread pool {
	start_servers = 4
	max_servers = 8
	min_spare_servers = 1
	max_spare_servers = 4
	max_requests_per_server = 0
	auto_limit_acct = no
}
client here {
	ipaddr = 127.0.0.1
	secret = {{.Secret}}
	require_message_authenticator = {{if .Unsigned}}no{{else}}yes{{end}}
}
modules {
	ldap {
		server = "{{.LDAP}}"
		identity = "{{.BindDN}}"
		password = "{{.BindPassword}}"
		base_dn = "{{.People}}"
		user {
			base_dn = "${..base_dn}"
			filter = "(uid=%{User-Name})"
		}
		options {
			chase_referrals = no
			res_timeout = 10
			srv_timelimit = 10
			net_timeout = 5
		}
		pool {
			start = 0
			min = 0
			max = 4
			spare = 0
			uses = 0
			retry_delay = 1
			lifetime = 0
			idle_timeout = 60
		}
	}
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = {{.Port}}
	}
	authorize {
		update control {
			Auth-Type := ldap
		}
	}
	authenticate {
		Auth-Type ldap {
			ldap
		}
	}
}
`))

// messageAuthenticator is RFC 3579, 3.2.
func messageAuthenticator(wire []byte, secret string) []byte {
	h := hmac.New(md5.New, []byte(secret))
	h.Write(wire)
	return h.Sum(nil)
}
