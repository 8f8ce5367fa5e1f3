package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

const squidBinary = "/usr/sbin/squid" // Debian; not on the PATH of ordinary users

// SquidOptions say what proxy of the web to start in front of a directory.
type SquidOptions struct {
	Dir string
	CA  *CA
	// Directory decides on passwords: accounts below ou=people log in by uid or
	// mail, as basic_ldap_auth(8) asks it.
	Directory *Slapd
	// Cache keeps accepted logins for so long (credentialsttl); 0 is 2 hours,
	// as Squid ships.
	Cache time.Duration
	// Workers is how many processes serve at its ports, each with logins of
	// its own; 0 is one, as Squid ships.
	Workers int
}

// Squid is a running proxy of the web that lets in by HTTP basic: in clear text
// (http), over TLS (https), and for whoever comes (open). It gives tunnels to
// any port but those of Denied, and asks for no login before it denies those of
// Shut. It needs root.
type Squid struct {
	// Target is where a tunnel may lead, and says back what it hears. None
	// leads to Denied with a login, nor to Shut without one, and nobody is at
	// Down.
	Target, Denied, Shut, Down string

	opts  SquidOptions
	ports map[string]int
	run   string // what its own user reads
	there net.Listener

	oneProcess
}

// StartSquid starts it, and returns once it answers. The package squid must be
// installed.
func StartSquid(ctx context.Context, o SquidOptions) (*Squid, error) {
	if _, err := os.Stat(squidBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install squid (%w)", squidBinary, err)
	}
	s := &Squid{opts: o, ports: map[string]int{}}
	var err error
	if s.there, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := s.there.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	s.Target = s.there.Addr().String()
	for range 5 {
		for _, name := range []string{"http", "https", "open", "denied", "shut", "down"} {
			if s.ports[name], err = FreePort(); err != nil {
				return nil, err
			}
		}
		if err = s.Restart(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	s.Denied, s.Shut, s.Down = s.Address("denied"), s.Address("shut"), s.Address("down")
	return s, err
}

// Restart stops the proxy if it runs and starts it on the same ports, without
// anything that it kept.
func (s *Squid) Restart(ctx context.Context) error {
	if err := s.end(ctx); err != nil {
		return err
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	if s.run == "" {
		if s.run, err = os.MkdirTemp(shared(0), "squid"); err != nil {
			return err
		}
	}
	cert, key, _, err := s.opts.CA.Issue(s.run, "squid", 24*time.Hour)
	if err != nil {
		return err
	}
	cache := s.opts.Cache
	if cache == 0 {
		cache = 2 * time.Hour
	}
	var text strings.Builder
	d := s.opts.Directory
	if err := squidConf.Execute(&text, map[string]any{"Dir": s.run, "Cert": cert, "Key": key, "Port": s.ports, "Cache": int(cache.Seconds()),
		"LDAP": d.LDAP(), "People": d.PeopleDN(), "BindDN": d.BinderDN, "Workers": s.opts.Workers}); err != nil {
		return err
	}
	_ = os.Remove(s.LogFile())
	for name, body := range map[string]string{"squid.conf": text.String(), "secret": d.BinderPassword} {
		if err := os.WriteFile(filepath.Join(s.run, name), []byte(body), 0o600); err != nil {
			return err
		}
	}
	if err := filepath.Walk(s.run, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}); err != nil {
		return err
	}
	// It does not run as root, and would outlive a parent that is killed if it
	// changed its user itself (prctl(2), PR_SET_PDEATHSIG).
	args := []string{"setpriv", "--reuid", nobody.Uid, "--regid", nobody.Gid, "--clear-groups", "--pdeathsig", "KILL", squidBinary, "-f", filepath.Join(s.run, "squid.conf"), "-N"}
	if s.opts.Workers > 0 {
		// Its processes end with the first one of their namespace, and meet in
		// a folder that its program has the path of.
		args = append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", "mkdir -p /run/squid && mount -t tmpfs -o mode=1777 tmpfs /run/squid && mount -t tmpfs tmpfs /dev/shm && exec \"$@\"", "sh"}, args...)
		args[len(args)-1] = "--foreground"
	}
	proc, err := startProcess(ctx, s.run, s.path("squid.out"), s.answers, args[0], args[1:]...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Reload has it read its file again (squid -k reconfigure).
func (s *Squid) Reload() { s.Process().signal(syscall.SIGHUP) }

// Stop ends the proxy.
func (s *Squid) Stop(ctx context.Context) error {
	_ = s.there.Close()
	err := s.end(ctx)
	_ = os.RemoveAll(s.run)
	return err
}

// end ends it; of several processes none is asked to (unshare(1) hears no
// SIGTERM).
func (s *Squid) end(ctx context.Context) error {
	p := s.Process()
	if s.opts.Workers == 0 || p == nil {
		return s.oneProcess.Stop(ctx)
	}
	p.Kill()
	for len(s.workers()) > 0 && ctx.Err() == nil { // they end a while after it
		time.Sleep(time.Millisecond)
	}
	return ctx.Err()
}

// workers are its processes by their numbers.
func (s *Squid) workers() map[int]*os.Process {
	out := map[int]*os.Process{}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		name, _, _ := strings.Cut(string(line), "\x00")
		number, is := strings.CutPrefix(name, "(squid-")
		n, notOne := strconv.Atoi(strings.TrimSuffix(number, ")"))
		if err != nil || !is || notOne != nil || !strings.Contains(string(line), s.run) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			out[n], _ = os.FindProcess(pid)
		}
	}
	return out
}

// Only has the nth of its processes serve alone, counted from 1, and the others
// frozen; 0 lets all go on. Which of them answers is chance otherwise.
func (s *Squid) Only(n int) error {
	for at, p := range s.workers() {
		if n == 0 || n == at {
			if err := p.Signal(syscall.SIGCONT); err != nil {
				return err
			}
			continue
		}
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		for !(&Process{cmd: &exec.Cmd{Process: p}}).stopped() {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// Address is where it answers: http, https, open.
func (s *Squid) Address(service string) string {
	return fmt.Sprintf("127.0.0.1:%d", s.ports[service])
}

// LogFile has what it says.
func (s *Squid) LogFile() string { return filepath.Join(s.run, "cache.log") }

func (s *Squid) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *Squid) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address("https"))
	if err != nil {
		return err
	}
	said, err := os.ReadFile(s.LogFile())
	if n := strings.Count(string(said), "| Accepting "); n < 3*s.opts.Workers { // each at http, https and open
		return errors.Join(err, c.Close(), fmt.Errorf("%d processes, which answer at %d ports in all", len(s.workers()), n))
	}
	return c.Close()
}

var squidConf = template.Must(template.New("squid.conf").Parse(`
http_port 127.0.0.1:{{.Port.http}}
http_port 127.0.0.1:{{.Port.open}} name=open
https_port 127.0.0.1:{{.Port.https}} tls-cert={{.Cert}} tls-key={{.Key}}
auth_param basic program /usr/lib/squid/basic_ldap_auth -H {{.LDAP}} -b {{.People}} -D {{.BindDN}} -W {{.Dir}}/secret -f (|(uid=%s)(mail=%s))
auth_param basic children 5 startup=1 idle=1
auth_param basic credentialsttl {{.Cache}} seconds
acl open myportname open
acl shut port {{.Port.shut}}
acl denied port {{.Port.denied}}
acl login proxy_auth REQUIRED
http_access deny shut
http_access allow open
http_access deny !login
http_access deny denied
http_access allow login
cache deny all
cache_mem 1 MB
access_log none
cache_log {{.Dir}}/cache.log
cache_store_log none
pid_filename none
netdb_filename none
coredump_dir {{.Dir}}
pinger_enable off
logfile_rotate 0
visible_hostname localhost
shutdown_lifetime 0 seconds
forward_timeout 30 seconds
max_filedescriptors 1024
{{if .Workers}}workers {{.Workers}}
{{end}}`))
