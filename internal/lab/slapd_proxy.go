package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// SlapdProxyOptions say what proxy to start in front of a directory. Everything
// is kept below Dir.
type SlapdProxyOptions struct {
	Dir string
	CA  *CA
	// Behind has the accounts, and decides.
	Behind *Slapd
	// NoTLS: it begins none, having no certificate.
	NoTLS bool
	// Conf are further lines for the whole server.
	Conf []string
	// Cache keeps a copy of the password of who was searched for by uid and
	// logged in, and goes by that for so long (slapo-pcache(5)); 0 is no cache.
	Cache time.Duration
}

// SlapdProxy is a running proxy (slapd-ldap(5)): LDAPS and StartTLS.
type SlapdProxy struct {
	opts        SlapdProxyOptions
	ldap, ldaps int

	mu   sync.Mutex
	proc *Process
}

// StartSlapdProxy starts it, and returns once it answers. slapd must be
// installed.
func StartSlapdProxy(ctx context.Context, o SlapdProxyOptions) (*SlapdProxy, error) {
	if _, err := os.Stat(slapdBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install slapd (%w)", slapdBinary, err)
	}
	s := &SlapdProxy{opts: o}
	cert, key, ca, err := o.CA.Issue(o.Dir, "proxy", 24*time.Hour)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.path("pcache"), 0o700); err != nil {
		return nil, err
	}
	var conf strings.Builder
	err = slapdProxyConf.Execute(&conf, map[string]any{"Dir": o.Dir, "Cert": cert, "Key": key, "CA": ca, "Base": slapdBase,
		"Behind": o.Behind.LDAPS(), "Conf": o.Conf, "NoTLS": o.NoTLS, "Cache": o.Cache, "Seconds": int(o.Cache.Seconds())})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.path("slapd.conf"), []byte(conf.String()), 0o600); err != nil {
		return nil, err
	}
	for range 5 {
		if s.ldap, err = FreePort(); err != nil {
			return nil, err
		}
		if s.ldaps, err = FreePort(); err != nil {
			return nil, err
		}
		if err = s.start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

func (s *SlapdProxy) start(ctx context.Context) error {
	proc, err := startProcess(ctx, s.opts.Dir, s.path("slapd.log"), s.answers, slapdBinary,
		"-d", "0", "-f", s.path("slapd.conf"), "-h", fmt.Sprintf("ldap://%s/ ldaps://%s/", s.Address("ldap"), s.Address("ldaps")))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Restart ends the server and starts it on the same ports, without anything
// that it kept.
func (s *SlapdProxy) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.start(ctx)
}

// Stop ends the server.
func (s *SlapdProxy) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop(ctx)
}

// Address is where it answers: ldap, ldaps.
func (s *SlapdProxy) Address(service string) string {
	port := s.ldap
	if service == "ldaps" {
		port = s.ldaps
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func (s *SlapdProxy) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *SlapdProxy) answers(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address("ldap"))
	if err != nil {
		return err
	}
	l := ldap.NewConn(c, false)
	l.Start()
	defer l.Close()
	l.SetTimeout(patience)
	var said *ldap.Error
	if _, err = l.WhoAmI(nil); errors.As(err, &said) && said.ResultCode < ldap.ErrorNetwork {
		return nil
	}
	return err
}

var slapdProxyConf = template.Must(template.New("proxy.conf").Parse(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_ldap
{{if .Cache}}moduleload back_mdb
moduleload pcache
{{end}}pidfile {{.Dir}}/slapd.pid
argsfile {{.Dir}}/slapd.args
loglevel none
{{if not .NoTLS}}TLSCACertificateFile {{.CA}}
TLSCertificateFile {{.Cert}}
TLSCertificateKeyFile {{.Key}}
TLSVerifyClient never
{{end -}}
{{range .Conf}}{{.}}
{{end}}
database ldap
suffix "{{.Base}}"
uri "{{.Behind}}/"
rebind-as-user yes
tls ldaps tls_cacert={{.CA}} tls_reqcert=demand
{{if .Cache}}rootdn "cn=cache,{{.Base}}"
overlay pcache
pcache mdb 1000 1 100 1
pcacheAttrset 0 *
pcacheTemplate (uid=) 0 86400
pcacheBind (uid=) 0 {{.Seconds}} sub "ou=people,{{.Base}}"
directory {{.Dir}}/pcache
{{end}}`))
