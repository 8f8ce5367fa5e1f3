package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

const sshdBinary = "/usr/sbin/sshd" // Debian; sshd wants its full path

// SSHDOptions say what SSH server to start. Everything is kept below Dir.
type SSHDOptions struct {
	Dir      string
	Accounts []Account // users of the machine; only UID and Password are used
	// State is further fields of a user's line of shadow(5), from the third one
	// on: "0:0:99999:7:::" must change, "19000:0:99999:7::1:" is expired.
	State map[string]string
	// Locked users have no password that could be right (passwd -l).
	Locked []string
	// Denied users may not log in (DenyUsers).
	Denied []string
	// Keys are the public keys of users, one a line, as authorized_keys has
	// them; Authorize changes them.
	Keys map[string]string
}

// SSHD is a running SSH server that locks users after three failures
// (pam_faillock(8)) and whose users are the test's own: it sees other
// files than the machine's as passwd, shadow and PAM's. It needs root. Its
// ports differ in how they let in:
//
//	password  by password
//	prompt    by keyboard-interactive
//	key       by key alone
//	both      by password and key together
//	keyfirst  by key and password together
//	lost      by key, and what knows the keys is down
//	once      by password, one try a connection (MaxAuthTries)
type SSHD struct {
	// HostKey is the server's public key, as known_hosts has it.
	HostKey string

	opts  SSHDOptions
	ports map[string]int

	oneProcess
}

// StartSSHD starts it, and returns once it greets. The packages openssh-server
// and openssl must be installed.
func StartSSHD(ctx context.Context, o SSHDOptions) (*SSHD, error) {
	if _, err := os.Stat(sshdBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install openssh-server (%w)", sshdBinary, err)
	}
	s := &SSHD{opts: o, ports: map[string]int{}}
	key := s.path("host")
	if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("lab: ssh-keygen: %w\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		return nil, err
	}
	s.HostKey = "127.0.0.1 " + strings.TrimSpace(string(public))
	if err := s.writeUsers(ctx); err != nil {
		return nil, err
	}
	for range 5 {
		for _, name := range []string{"password", "prompt", "key", "both", "keyfirst", "lost", "once"} {
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

func (s *SSHD) start(ctx context.Context) error {
	var text strings.Builder
	if err := sshdConf.Execute(&text, map[string]any{"Dir": s.opts.Dir, "Port": s.ports, "Denied": strings.Join(s.opts.Denied, " ")}); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("sshd_config"), []byte(text.String()), 0o600); err != nil {
		return err
	}
	// A mount namespace of its own (mount_namespaces(7)), which ends with it.
	const script = `set -e
for f in passwd shadow pam.d/sshd; do mount --bind "$1/$(basename $f)" /etc/$f; done
mount -t tmpfs none /run
mkdir -m 755 /run/sshd
exec "$0" -D -e -f "$1/sshd_config"`
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, "unshare", "--mount", "--", "sh", "-c", script, sshdBinary, s.opts.Dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Address is where one of its ports answers.
func (s *SSHD) Address(port string) string { return fmt.Sprintf("127.0.0.1:%d", s.ports[port]) }

func (s *SSHD) answers(ctx context.Context) error { return greets(ctx, s.Address("password")) }

// Authorize sets a user's public keys.
func (s *SSHD) Authorize(uid, lines string) error { return s.write("keys/"+uid, lines) }

// BreakPAM has PAM fail at looking at passwords, as if what they are held
// against were down.
func (s *SSHD) BreakPAM() error {
	return s.write("sshd", "auth required pam_there_is_no_such_module.so\naccount required pam_unix.so\n")
}

// LogFile has what it says.
func (s *SSHD) LogFile() string { return s.path("sshd.log") }

func (s *SSHD) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// write keeps the file that is there: another one would not be seen where it is
// mounted.
func (s *SSHD) write(name, text string) error {
	return os.WriteFile(s.path(name), []byte(text), 0o600)
}

func (s *SSHD) writeUsers(ctx context.Context) error {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	lines, shadow := string(passwd), ""
	for i, a := range s.opts.Accounts {
		hash := exec.CommandContext(ctx, "openssl", "passwd", "-6", "-stdin")
		hash.Stdin = strings.NewReader(a.Password + "\n")
		out, err := hash.Output()
		if err != nil {
			return fmt.Errorf("lab: openssl passwd: %w", err)
		}
		state := s.opts.State[a.UID]
		if state == "" {
			state = "19000:0:99999:7:::"
		}
		lines += fmt.Sprintf("%s:x:%d:65534::/:/bin/sh\n", a.UID, 40000+i)
		password := strings.TrimSpace(string(out))
		for _, name := range s.opts.Locked {
			if name == a.UID {
				password = "!" + password
			}
		}
		shadow += fmt.Sprintf("%s:%s:%s\n", a.UID, password, state)
	}
	if err := os.WriteFile(s.path("passwd"), []byte(lines), 0o644); err != nil {
		return err
	}
	if err := s.write("shadow", shadow); err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("keys"), 0o700); err != nil {
		return err
	}
	for uid, lines := range s.opts.Keys {
		if err := s.Authorize(uid, lines); err != nil {
			return err
		}
	}
	// nodelay: what comes wrong comes at once, not after two seconds.
	if err := os.MkdirAll(s.path("tally"), 0o700); err != nil {
		return err
	}
	faillock := "dir=" + s.path("tally") + " deny=3 unlock_time=600 nodelay\n"
	return s.write("sshd", "auth required pam_faillock.so preauth "+faillock+
		"auth [success=1 default=bad] pam_unix.so nodelay\n"+
		"auth [default=die] pam_faillock.so authfail "+faillock+
		"auth sufficient pam_faillock.so authsucc "+faillock+
		"account required pam_unix.so\npassword required pam_unix.so\nsession required pam_permit.so\n")
}

var sshdConf = template.Must(template.New("sshd_config").Parse(`
ListenAddress 127.0.0.1
{{range .Port}}Port {{.}}
{{end -}}
HostKey {{.Dir}}/host
PidFile none
UsePAM yes
AuthorizedKeysFile none
AuthorizedKeysCommand /usr/bin/cat {{.Dir}}/keys/%u
AuthorizedKeysCommandUser root
UseDNS no
LogLevel VERBOSE
PasswordAuthentication yes
KbdInteractiveAuthentication no
{{if .Denied}}DenyUsers {{.Denied}}
{{end -}}
MaxStartups 100
Match LocalPort {{.Port.prompt}}
  PasswordAuthentication no
  KbdInteractiveAuthentication yes
Match LocalPort {{.Port.key}}
  PasswordAuthentication no
Match LocalPort {{.Port.both}}
  AuthenticationMethods password,publickey
Match LocalPort {{.Port.keyfirst}}
  AuthenticationMethods publickey,password
Match LocalPort {{.Port.lost}}
  AuthorizedKeysCommand /usr/bin/false
Match LocalPort {{.Port.once}}
  MaxAuthTries 1
`))
