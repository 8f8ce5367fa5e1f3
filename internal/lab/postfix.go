package lab

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"
)

const postfixMaster = "/usr/lib/postfix/sbin/master" // Debian

// PostfixOptions say what mail relay to start. Everything is kept below Dir,
// but for what other users of the machine read (its queue and sockets).
type PostfixOptions struct {
	Dir string
	CA  *CA
	// Saslauthd checks passwords (smtpd_sasl_type cyrus) or, where there is
	// none, whoever listens at Dovecot's socket.
	Saslauthd *Saslauthd
	Dovecot   string
	// Mail: who has logged in may leave mail, which stays in the queue.
	Mail bool
}

// Postfix is a running relay that takes logins and, for lack of a queue
// manager, no mail. Its services:
//
//	submission  STARTTLS, and no login before
//	smtps       over TLS
//	other       as submission, by another service name (smtpd_sasl_service)
//	clear       as submission, in clear text: it begins no TLS
type Postfix struct {
	opts  PostfixOptions
	run   string
	ports map[string]int

	mu   sync.Mutex
	proc *Process
}

// StartPostfix starts it, and returns once it greets. It needs root. The
// packages postfix and libsasl2-modules must be installed.
func StartPostfix(ctx context.Context, o PostfixOptions) (*Postfix, error) {
	if _, err := os.Stat(postfixMaster); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install postfix libsasl2-modules (%w)", postfixMaster, err)
	}
	s := &Postfix{opts: o, ports: map[string]int{}}
	var err error
	if s.run, err = os.MkdirTemp(shared(0), "postfix"); err != nil {
		return nil, err
	}
	if err := s.writeFolders(); err != nil {
		return nil, err
	}
	for range 5 {
		for _, name := range []string{"submission", "smtps", "other", "clear"} {
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

// writeFolders makes the queue, which belongs to Postfix's own user
// (postfix-script(1) does so for the system's).
func (s *Postfix) writeFolders() error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return fmt.Errorf("lab: no user of Postfix's: %w", err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	for name, mode := range map[string]os.FileMode{"": 0o755, "queue": 0o755, "queue/pid": 0o755, "queue/private": 0o700, "queue/public": 0o755, "data": 0o700, "sasl": 0o755, "queue/incoming": 0o700} {
		path := filepath.Join(s.run, name)
		if err := os.MkdirAll(path, mode); err != nil {
			return err
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		if name == "queue/incoming" || name == "queue/private" || name == "queue/public" || name == "data" {
			if err := os.Chown(path, uid, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Postfix) start(ctx context.Context) error {
	cert, key, _, err := s.opts.CA.Issue(s.opts.Dir, "postfix", 24*time.Hour)
	if err != nil {
		return err
	}
	data := map[string]any{"Run": s.run, "Log": s.LogFile(), "LogDir": filepath.Dir(s.LogFile()), "Cert": cert, "Key": key, "Port": s.ports, "Dovecot": s.opts.Dovecot, "Mux": "", "Mail": s.opts.Mail}
	if s.opts.Saslauthd != nil {
		data["Mux"] = s.opts.Saslauthd.Socket()
	}
	for name, t := range postfixConf {
		var text strings.Builder
		if err := t.Execute(&text, data); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.run, name), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	// -d: in the foreground. Its children end with it, as does whoever else is
	// in its process group: it has one of its own. It takes on another user,
	// and with that it would outlive a parent that is killed (prctl(2),
	// PR_SET_PDEATHSIG): somebody in that group waits for the parent's end.
	const script = `( ( tail --pid=$PPID -f /dev/null; kill -KILL -- -$$ ) & ); exec "$0" "$@"`
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, "setsid", "bash", "-c", script, postfixMaster, "-d", "-c", s.run)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Stop ends the server.
func (s *Postfix) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { _ = os.RemoveAll(s.run) }()
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop(ctx)
}

// Address is where a service answers: submission, smtps, other, clear.
func (s *Postfix) Address(service string) string {
	return fmt.Sprintf("127.0.0.1:%d", s.ports[service])
}

// LogFile has what it says.
func (s *Postfix) LogFile() string { return filepath.Join(s.run, "postfix.log") }

func (s *Postfix) answers(ctx context.Context) error { return greets(ctx, s.Address("submission")) }

var postfixConf = map[string]*template.Template{
	"main.cf": template.Must(template.New("main.cf").Parse(`
compatibility_level = 3.6
queue_directory = {{.Run}}/queue
data_directory = {{.Run}}/data
maillog_file = {{.Log}}
maillog_file_prefixes = {{.LogDir}}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = localhost
mydestination =
local_recipient_maps =
alias_maps =
smtpd_relay_restrictions = {{if .Mail}}permit_sasl_authenticated, {{end}}reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_tls_cert_file = {{.Cert}}
smtpd_tls_key_file = {{.Key}}
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
{{if .Mux}}smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {{.Run}}/sasl
{{else}}smtpd_sasl_type = dovecot
smtpd_sasl_path = {{.Dovecot}}
{{end}}`)),
	"master.cf": template.Must(template.New("master.cf").Parse(`
127.0.0.1:{{.Port.submission}} inet n - n - - smtpd
127.0.0.1:{{.Port.smtps}} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:{{.Port.other}} inet n - n - - smtpd -o smtpd_sasl_service=other
127.0.0.1:{{.Port.clear}} inet n - n - - smtpd -o smtpd_tls_security_level=none -o smtpd_tls_auth_only=no
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
postlog unix-dgram n - n - 1 postlogd
`)),
	"sasl/smtpd.conf": template.Must(template.New("smtpd.conf").Parse(`
pwcheck_method: saslauthd
saslauthd_path: {{.Mux}}
mech_list: PLAIN LOGIN
`)),
}
