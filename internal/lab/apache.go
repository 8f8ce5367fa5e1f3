package lab

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"
)

const apacheBinary = "/usr/sbin/apache2" // Debian; not on the PATH of ordinary users

// ApacheOptions say what web server to start in front of a directory.
// Everything is kept below Dir.
type ApacheOptions struct {
	Dir string
	CA  *CA
	// Directory decides on passwords: accounts below ou=people log in by uid.
	Directory *Slapd
	// Cache keeps accepted logins as mod_ldap does where nothing else is said
	// (LDAPCacheTTL, 600 s).
	Cache bool
	// Users log in at /file, each with a value that is compared byte by byte.
	Users map[string]string
	// Key is what the pages want that go by a value in a field of the request.
	Key string
}

// Apache is a running web server, over TLS and in clear text. Its pages:
//
//	/private    for every account, by HTTP basic and mod_authnz_ldap
//	/kept       the same, behind mod_authn_socache
//	/file       for Users, by HTTP basic and mod_authn_file
//	/missing    the same as /private, and there is no such page
//	/other      for an account that nobody has
//	/forbidden  the same, and that is said as 403
//	/open       for everybody, with or without a login (RequireAny)
//	/down       whose directory does not answer
//	/digest     behind HTTP digest alone
//	/form       which sends whoever comes to a form
//	/busy       which turns away whoever logs in (429)
//
// And behind other ways to show a value, Debian having no small server of them
// besides:
//
//	/inside     a form sent to /dologin (mod_auth_form), failing to /signin;
//	            /dolater for a directory that is down
//	/bearer     the key as a bearer token, else 401
//	/scope      the same, and then 403 for want of a scope
//	/key        the key in X-Api-Key, else 403
//	/narrow     the same, else 401, and then 403 for each
//	/anykey     any key
type Apache struct {
	opts        ApacheOptions
	http, https int
	users       string // folder of its list of Users

	mu   sync.Mutex
	proc *Process
}

// StartApache starts it, and returns once it answers. The package apache2-bin
// must be installed.
func StartApache(ctx context.Context, o ApacheOptions) (*Apache, error) {
	if _, err := os.Stat(apacheBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install apache2-bin (%w)", apacheBinary, err)
	}
	s := &Apache{opts: o}
	var err error
	for range 5 {
		if s.http, err = FreePort(); err != nil {
			return nil, err
		}
		if s.https, err = FreePort(); err != nil {
			return nil, err
		}
		if err = s.start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

func (s *Apache) start(ctx context.Context) error {
	cert, key, _, err := s.opts.CA.Issue(s.opts.Dir, "apache", 24*time.Hour)
	if err != nil {
		return err
	}
	down, err := FreePort()
	if err != nil {
		return err
	}
	var users strings.Builder
	for name, value := range s.opts.Users {
		sum := sha1.Sum([]byte(value))
		fmt.Fprintf(&users, "%s:{SHA}%s\n", name, base64.StdEncoding.EncodeToString(sum[:]))
	}
	// Those who serve are another user's, who may not enter a folder of a
	// test's.
	if s.users == "" {
		if s.users, err = os.MkdirTemp(shared(0), "apache"); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.users, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.users, "users"), []byte(users.String()), 0o644); err != nil {
		return err
	}
	var text strings.Builder
	d := s.opts.Directory
	err = apacheConf.Execute(&text, map[string]any{"Dir": s.opts.Dir, "Cert": cert, "Key": key, "HTTP": s.http, "HTTPS": s.https, "Down": down,
		"LDAP": d.LDAP() + "/" + d.PeopleDN() + "?uid", "People": d.PeopleDN(), "BindDN": d.BinderDN, "BindPassword": d.BinderPassword, "Cache": s.opts.Cache, "Users": filepath.Join(s.users, "users"), "Wanted": s.opts.Key})
	if err != nil {
		return err
	}
	conf := s.path("apache.conf")
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		return err
	}
	// -X: one process, which leaves none behind when it is killed.
	proc, err := startProcess(ctx, s.opts.Dir, s.path("apache.out"), s.answers, apacheBinary, "-X", "-f", conf)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

// Process is the server's process, to pause or resume it.
func (s *Apache) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop ends the server.
func (s *Apache) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { _ = os.RemoveAll(s.users) }()
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop(ctx)
}

// Address is where it answers: http, https.
func (s *Apache) Address(service string) string {
	port := s.http
	if service == "https" {
		port = s.https
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// LogFile has what it says.
func (s *Apache) LogFile() string { return s.path("apache.log") }

func (s *Apache) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *Apache) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Address("http")+"/open", nil)
	if err != nil {
		return err
	}
	r.Close = true
	said, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return said.Body.Close()
}

// apacheConf has no page in the file system, because the processes that serve
// are another user's, who may not enter a folder of a test's. Connections stay
// for longer than five seconds between two requests: a test on a busy machine
// takes its time.
var apacheConf = template.Must(template.New("apache.conf").Parse(`
ServerRoot {{.Dir}}
PidFile {{.Dir}}/apache.pid
ErrorLog {{.Dir}}/apache.log
DefaultRuntimeDir {{.Dir}}
Mutex pthread default
ServerName localhost
Listen 127.0.0.1:{{.HTTP}}
Listen 127.0.0.1:{{.HTTPS}}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authn_socache_module /usr/lib/apache2/modules/mod_authn_socache.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule auth_digest_module /usr/lib/apache2/modules/mod_auth_digest.so
LoadModule ldap_module /usr/lib/apache2/modules/mod_ldap.so
LoadModule authnz_ldap_module /usr/lib/apache2/modules/mod_authnz_ldap.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
LoadModule request_module /usr/lib/apache2/modules/mod_request.so
LoadModule session_module /usr/lib/apache2/modules/mod_session.so
LoadModule session_cookie_module /usr/lib/apache2/modules/mod_session_cookie.so
LoadModule auth_form_module /usr/lib/apache2/modules/mod_auth_form.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
AuthnCacheSOCache shmcb:{{.Dir}}/authn.cache(512000)
User www-data
Group www-data
StartServers 1
ThreadsPerChild 8
KeepAliveTimeout 300
MaxRequestWorkers 8
ServerLimit 1
{{if not .Cache}}LDAPCacheEntries 0
LDAPOpCacheEntries 0
{{end -}}
DocumentRoot /
<Directory />
  Require all denied
</Directory>
<VirtualHost 127.0.0.1:{{.HTTPS}}>
  SSLEngine on
  SSLCertificateFile {{.Cert}}
  SSLCertificateKeyFile {{.Key}}
  RewriteEngine on
  RewriteOptions Inherit
</VirtualHost>
<VirtualHost 127.0.0.1:{{.HTTP}}>
  RewriteEngine on
  RewriteOptions Inherit
</VirtualHost>
RewriteEngine on
RewriteCond %{HTTP:Authorization} .
RewriteRule ^/busy - [R=429,L]
RewriteCond %{HTTP:Authorization} "!=Bearer {{.Wanted}}"
RewriteRule ^/(bearer|scope) - [R=401,L]
RewriteCond %{HTTP:X-Api-Key} "!={{.Wanted}}"
RewriteRule ^/narrow - [R=401,L]
RewriteCond %{HTTP:X-Api-Key} "="
RewriteRule ^/anykey - [R=401,L]
Redirect 302 /form /login
<LocationMatch "^/(private|kept|missing|other|forbidden|open|busy)">
  AuthType Basic
  AuthName lab
  AuthBasicProvider ldap
  AuthLDAPURL "{{.LDAP}}"
  AuthLDAPBindDN "{{.BindDN}}"
  AuthLDAPBindPassword "{{.BindPassword}}"
  Require valid-user
</LocationMatch>
<Location /kept>
  AuthBasicProvider socache ldap
  AuthnCacheProvideFor ldap
</Location>
<LocationMatch "^/(private|kept|other|forbidden|open|busy|down|digest)">
  SetHandler server-status
</LocationMatch>
<Location /file>
  SetHandler server-status
  AuthType Basic
  AuthName lab
  AuthBasicProvider file
  AuthUserFile {{.Users}}
  Require valid-user
</Location>
<LocationMatch "^/(other|forbidden)">
  Require user nobody-at-all
</LocationMatch>
<Location /forbidden>
  AuthzSendForbiddenOnFailure On
</Location>
<Location /open>
  <RequireAny>
    Require all granted
    Require valid-user
  </RequireAny>
</Location>
<Location /down>
  AuthType Basic
  AuthName lab
  AuthBasicProvider ldap
  AuthLDAPURL "ldap://127.0.0.1:{{.Down}}/{{.People}}?uid"
  Require valid-user
</Location>
<LocationMatch "^/(bearer|anykey)">
  SetHandler server-status
  Require all granted
</LocationMatch>
<LocationMatch "^/(scope|narrow)">
  Require all denied
</LocationMatch>
<Location /scope>
  Header always set WWW-Authenticate "Bearer error=\"insufficient_scope\"" "expr=%{REQUEST_STATUS} == 403"
</Location>
<Location /key>
  SetHandler server-status
  Require expr "%{HTTP:X-Api-Key} == '{{.Wanted}}'"
</Location>
<LocationMatch "^/(inside|dologin|dolater)">
  AuthType form
  AuthName lab
  AuthFormProvider ldap
  AuthLDAPURL "{{.LDAP}}"
  AuthLDAPBindDN "{{.BindDN}}"
  AuthLDAPBindPassword "{{.BindPassword}}"
  AuthFormLoginRequiredLocation /signin
  AuthFormLoginSuccessLocation /inside
  Session On
  SessionCookieName session path=/
</LocationMatch>
<Location /inside>
  SetHandler server-status
  Require valid-user
</Location>
<LocationMatch "^/do(login|later)">
  SetHandler form-login-handler
  Require all granted
</LocationMatch>
<Location /dolater>
  AuthLDAPURL "ldap://127.0.0.1:{{.Down}}/{{.People}}?uid"
</Location>
<Location /digest>
  AuthType Digest
  AuthName lab
  AuthUserFile /nonexistent
  Require valid-user
</Location>
`))
