package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// What Debian's package installs and dscreate(8) makes instances from. dscreate
// itself takes three times as long, wants root and puts its files where only
// one machine-wide instance of a name can be.
const (
	ds389Template       = "/usr/share/dirsrv/data/template-dse.ldif"
	ds389SuffixTemplate = "/usr/share/dirsrv/data/template-suffix-db.ldif"
)

var ds389Folders = []string{"bak", "cert", "db", "inst", "ldif", "lock", "log", "run", "schema", "tmp"}

// ds389Settings go into cn=config:
//   - the data need not survive a power cut (they do survive a kill);
//   - the cache is small, because a server of a few hundred entries would
//     write 100 MB of files for the one it chooses.
const ds389Settings = `nsslapd-listenhost: 127.0.0.1
nsslapd-securelistenhost: 127.0.0.1
nsslapd-security: on
nsslapd-secureport: %d
nsslapd-accesslog-logging-enabled: %s
nsslapd-accesslog-logbuffering: off
`

const ds389Database = `nsslapd-cache-autosize: 0
nsslapd-dbcachesize: 10000000
nsslapd-db-durable-transaction: off
`

// makeInstance makes the folders, the certificate database and a schema of our
// own, to which the package's is added when the server starts.
func (s *DS389) makeInstance(ctx context.Context) error {
	for _, name := range ds389Folders {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return fmt.Errorf("lab: make a folder of the instance: %w", err)
		}
	}
	schema := "dn: cn=schema\nobjectClass: top\nobjectClass: ldapSubentry\nobjectClass: subschema\ncn: schema\n"
	if err := os.WriteFile(s.path("schema/99user.ldif"), []byte(schema), 0o600); err != nil {
		return fmt.Errorf("lab: write the schema: %w", err)
	}
	certFile, keyFile, caFile, err := s.opts.CA.Issue(s.path("cert"), "ds389", 90*24*time.Hour)
	if err != nil {
		return err
	}
	if twin := s.opts.LooksLike; twin != nil {
		certFile, keyFile = twin.path("cert/ds389.crt"), twin.path("cert/ds389.key")
	}
	// NSS takes a key only from PKCS #12. Neither file nor database has a
	// password: the folder is ours alone.
	db, bundle := "sql:"+s.path("cert"), s.path("cert/ds389.p12")
	for _, command := range [][]string{
		{"openssl", "pkcs12", "-export", "-in", certFile, "-inkey", keyFile, "-name", "Server-Cert", "-out", bundle, "-passout", "pass:"},
		{"certutil", "-N", "-d", db, "--empty-password"},
		{"certutil", "-A", "-d", db, "-n", "CA", "-t", "CT,,", "-i", caFile},
		{"pk12util", "-i", bundle, "-d", db, "-K", "", "-W", ""},
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("lab: make the certificate database: %s %s: %w\n%s", command[0], command[1], err, out)
		}
	}
	return os.Remove(bundle)
}

// writeConfig fills the package's templates in, as dscreate does.
func (s *DS389) writeConfig() error {
	template, err := os.ReadFile(ds389Template)
	if err != nil {
		return fmt.Errorf("lab: read the template of an instance: %w", err)
	}
	suffix, err := os.ReadFile(ds389SuffixTemplate)
	if err != nil {
		return fmt.Errorf("lab: read the template of a suffix: %w", err)
	}
	me, err := user.Current()
	if err != nil {
		return fmt.Errorf("lab: who runs the server: %w", err)
	}
	values := map[string]string{
		"ds_user": me.Username, "fqdn": "localhost", "ds_port": strconv.Itoa(s.ldap),
		"rootdn": s.AdminDN, "ds_passwd": hashed(s.AdminPassword),
		// Never made, and ns-slapd takes no name of 104 bytes, which a test's
		// folder may have.
		"ldapi_enabled": "off", "ldapi_autobind": "off", "ldapi": "ldapi",
		"ds_suffix": slapdBase, "ds_bename": "userRoot", "db_lib": "bdb",
		"config_dir": s.opts.Dir, "db_dir": s.path("db"), "db_home_dir": s.path("db"),
	}
	for _, name := range ds389Folders {
		values[name+"_dir"] = s.path(name)
	}
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "%"+name+"%", value)
	}
	// Between two entries ns-slapd takes one empty line and no comment, or it
	// ends without a word.
	_, entries, _ := strings.Cut(string(suffix), "dn:")
	text := strings.NewReplacer(pairs...).Replace(strings.TrimRight(string(template), "\n") + "\n\ndn:" + entries)
	for after, more := range map[string]string{
		"cn: config\n": fmt.Sprintf(ds389Settings, s.ldaps, onOff(s.opts.AccessLog)), // the first is cn=config itself
		"nsslapd-directory: " + s.path("db") + "\n": ds389Database,
	} {
		if !strings.Contains(text, after) {
			return fmt.Errorf("lab: the template of an instance is not the one that is known: no %q", after)
		}
		text = strings.Replace(text, after, after+more, 1)
	}
	if err := os.WriteFile(s.path("dse.ldif"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("lab: write dse.ldif: %w", err)
	}
	return nil
}
