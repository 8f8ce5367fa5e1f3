package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// Of Debian's package samba.
const smbdBinary = "/usr/sbin/smbd"

// SMBDOptions say what file server to start. Everything is kept below Dir.
type SMBDOptions struct {
	Dir      string
	Accounts []Account
	// Global are further lines of the section [global] of smb.conf(5).
	Global []string
	// Setup is carried out by sh(1) before it starts, where pdbedit(8) and
	// net(8) see what it will.
	Setup string
}

// SMBD is a running file server that stands alone (smbd(8)), whose users are
// its own: it sees another file than the machine's as passwd. It needs root.
type SMBD struct {
	opts SMBDOptions
	port int

	oneProcess
}

// StartSMBD starts it, and returns once it listens. The package samba must be
// installed.
func StartSMBD(ctx context.Context, o SMBDOptions) (*SMBD, error) {
	if _, err := os.Stat(smbdBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install samba (%w)", smbdBinary, err)
	}
	s := &SMBD{opts: o}
	names := make([]string, 0, len(o.Accounts))
	for _, a := range o.Accounts {
		names = append(names, a.UID)
	}
	if err := s.Users(names...); err != nil {
		return nil, err
	}
	for _, dir := range []string{"private", "lock", "state", "cache", "pid", "log", "data"} {
		if err := os.Mkdir(s.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	var err error
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

func (s *SMBD) start(ctx context.Context) error {
	var text strings.Builder
	if err := smbdConf.Execute(&text, map[string]any{"Dir": s.opts.Dir, "Port": s.port, "Global": s.opts.Global}); err != nil {
		return err
	}
	passwords := ""
	for _, a := range s.opts.Accounts {
		passwords += fmt.Sprintf("%s\n%s\n%s\n", a.UID, a.Password, a.Password)
	}
	for name, content := range map[string]string{"smb.conf": text.String(), "passwords": passwords, "setup": s.opts.Setup} {
		if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	// A mount namespace of its own (mount_namespaces(7)), which ends with it.
	// IPC$ is the folder that TMPDIR names, and is not to be had where that is
	// empty or gone (smbd 4.17.12). Samba writes each change down for good
	// before the next. smbd leads a group of processes of its own, because it
	// ends the whole group that it is in. A winbindd of this machine would give
	// its accounts other numbers than /etc/passwd does, so none is seen.
	const script = `mount --bind passwd /etc/passwd
mkdir -p /run/samba
mount -t tmpfs samba /run/samba
export TDB_NO_FSYNC=1 TMPDIR=/tmp
while read -r name; do head -n 2 | pdbedit -s smb.conf -a -t -u "$name" >/dev/null; done <passwords
. ./setup
exec "$0" -s smb.conf -F`
	proc, err := startProcess(ctx, s.opts.Dir, s.path("smbd.out"), s.listens, "unshare", "--mount", "--", "bash", "-ec", script, smbdBinary)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Users are those that the machine of the server has, as if its name service
// had lost the others.
func (s *SMBD) Users(names ...string) error {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	text := string(passwd)
	for i, name := range names {
		text += fmt.Sprintf("%s:x:%d:65534::/:/bin/false\n", name, 40000+i)
	}
	// Another file would not be seen where this one is mounted.
	return os.WriteFile(s.path("passwd"), []byte(text), 0o644)
}

// Address is where it answers.
func (s *SMBD) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// LogFile has what it says.
func (s *SMBD) LogFile() string { return s.path("log/smbd.log") }

// Config is its smb.conf, for the programs of Samba.
func (s *SMBD) Config() string { return s.path("smb.conf") }

func (s *SMBD) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *SMBD) listens(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address())
	if err == nil {
		_ = c.Close()
	}
	return err
}

// smbdConf: everything is below Dir, and nothing is printed.
var smbdConf = template.Must(template.New("smb.conf").Parse(`
[global]
server role = standalone server
netbios name = LAB
disable netbios = yes
smb ports = {{.Port}}
interfaces = lo
bind interfaces only = yes
passdb backend = tdbsam:{{.Dir}}/private/passdb.tdb
private dir = {{.Dir}}/private
lock directory = {{.Dir}}/lock
state directory = {{.Dir}}/state
cache directory = {{.Dir}}/cache
pid directory = {{.Dir}}/pid
ncalrpc dir = {{.Dir}}/nc
log file = {{.Dir}}/log/smbd.log
log level = 1 auth_audit:3
load printers = no
printcap name = /dev/null
disable spoolss = yes
{{range .Global}}{{.}}
{{end}}
[data]
path = {{.Dir}}/data
force user = root
read only = no
[open]
path = {{.Dir}}/data
force user = root
guest ok = yes
`))
