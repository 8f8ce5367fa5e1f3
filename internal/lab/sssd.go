package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// SSSDRoot is where scripts/setup.sh unpacks SSSD's packages: they would change
// how the machine itself lets in (pam-auth-update(8), nsswitch.conf(5)).
const SSSDRoot = "/var/cache/rollcall-lab/sssd"

// SSSDOptions say what machine to start whose logins SSSD decides on. All is
// kept below Dir.
type SSSDOptions struct {
	Dir string
	CA  *CA
	// Directory decides on passwords, while it is there. Its accounts need an
	// employeeNumber, which is their number on the machine.
	Directory *Slapd
	// Users are the uids of the machine's users.
	Users []string
	// NoCache: it keeps no logins (cache_credentials = false, as SSSD ships).
	NoCache bool
}

// SSSD is a machine at which SSH lets in by PAM, and PAM asks SSSD, which goes
// by its directory, or by what it keeps while that is away. It needs root.
type SSSD struct {
	// HostKey is the server's public key, as known_hosts has it.
	HostKey string

	opts SSSDOptions
	port int
	way  *relay // to the directory

	oneProcess
}

// StartSSSD starts it, and returns once SSH greets. The packages that
// scripts/setup.sh installs must be there.
func StartSSSD(ctx context.Context, o SSSDOptions) (*SSSD, error) {
	if _, err := os.Stat(SSSDRoot + "/usr/sbin/sssd"); err != nil {
		return nil, fmt.Errorf("lab: SSSD is missing; run scripts/setup.sh (%w)", err)
	}
	s := &SSSD{opts: o}
	var err error
	s.way, err = newRelay(func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(o.Directory.LDAPS(), "ldaps://")) })
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", s.path("host")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("lab: ssh-keygen: %w\n%s", err, out)
	}
	public, err := os.ReadFile(s.path("host.pub"))
	if err != nil {
		return nil, err
	}
	s.HostKey = "127.0.0.1 " + strings.TrimSpace(string(public))
	for range 5 {
		if s.port, err = FreePort(); err != nil {
			return nil, err
		}
		if err = s.start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

func (s *SSSD) start(ctx context.Context) error {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	users, shadow := string(passwd), ""
	for i, uid := range s.opts.Users {
		users += uid + ":x:" + strconv.Itoa(40000+i) + ":65534::/:/bin/sh\n"
		shadow += uid + ":*:19000:0:99999:7:::\n"
	}
	d := s.opts.Directory
	var conf, sshd strings.Builder
	if err := sssdConf.Execute(&conf, map[string]any{"CA": s.path("ca.pem"), "URI": "ldaps://" + s.way.addr(), "People": d.PeopleDN(), "BindDN": d.BinderDN, "BindPassword": d.BinderPassword, "Cache": !s.opts.NoCache}); err != nil {
		return err
	}
	fmt.Fprintf(&sshd, "ListenAddress 127.0.0.1:%d\nHostKey %s\nPidFile none\nUsePAM yes\nUseDNS no\nLogLevel VERBOSE\nAuthorizedKeysFile none\nMaxStartups 100\n", s.port, s.path("host"))
	for name, text := range map[string]string{"passwd": users, "shadow": shadow, "sssd.conf": conf.String(), "sshd_config": sshd.String(), "ca.pem": string(s.opts.CA.PEM),
		"sshd": "auth required pam_sss.so\naccount required pam_sss.so\npassword required pam_deny.so\nsession required pam_permit.so\n"} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.path("passwd"), 0o644); err != nil {
		return err
	}
	// Namespaces of its own (mount_namespaces(7), pid_namespaces(7)), which end
	// with it and all that it started.
	const script = `set -e
for f in passwd shadow pam.d/sshd; do mount --bind "$1/$(basename $f)" /etc/$f; done
mount -t overlay overlay -o lowerdir=` + SSSDRoot + `/usr:/usr /usr
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
mount -t tmpfs none /var/log
mkdir -p -m 755 /run/sshd /var/log/sssd /var/lib/sss/db /var/lib/sss/pipes/private /var/lib/sss/mc /var/lib/sss/pubconf
/usr/sbin/sssd -i -c "$1/sssd.conf" --logger=stderr &
exec /usr/sbin/sshd -D -e -f "$1/sshd_config"`
	proc, err := startProcess(ctx, s.opts.Dir, s.LogFile(), s.answers, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", script, "sh", s.opts.Dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Away says whether its directory is: nothing reaches it from there.
func (s *SSSD) Away(is bool) { s.way.setCut(is) }

// Stop ends all of it: nothing there is worth a goodbye.
func (s *SSSD) Stop(context.Context) error {
	s.way.close()
	if p := s.Process(); p != nil {
		p.Kill()
	}
	return nil
}

// Address is where SSH answers.
func (s *SSSD) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// LogFile has what it says.
func (s *SSSD) LogFile() string { return s.path("sssd.log") }

func (s *SSSD) answers(ctx context.Context) error { return greets(ctx, s.Address()) }

func (s *SSSD) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// sssdConf: it looks once a second whether its directory is back, where it
// ships with a minute (offline_timeout).
var sssdConf = template.Must(template.New("sssd.conf").Parse(`
[sssd]
config_file_version = 2
services = pam
domains = corp
[pam]
pam_verbosity = 0
[domain/corp]
id_provider = ldap
auth_provider = ldap
access_provider = permit
ldap_uri = {{.URI}}
ldap_tls_cacert = {{.CA}}
ldap_search_base = {{.People}}
ldap_default_bind_dn = {{.BindDN}}
ldap_default_authtok = {{.BindPassword}}
ldap_user_object_class = inetOrgPerson
ldap_user_name = uid
ldap_user_uid_number = employeeNumber
ldap_user_gid_number = employeeNumber
ldap_user_gecos = cn
cache_credentials = {{.Cache}}
offline_timeout = 1
offline_timeout_random_offset = 0
offline_timeout_max = 1
enumerate = false
`))
