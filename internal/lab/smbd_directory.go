package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// SMBDirectoryOptions say what directory to start that keeps the accounts of a
// file server (ldapsam). Everything is kept below Dir.
type SMBDirectoryOptions struct {
	Dir string
	// Hashes are NT hashes by account.
	Hashes map[string]string
}

// SMBDirectory is a running OpenLDAP server with the accounts of the file
// server LAB.
type SMBDirectory struct {
	opts SMBDirectoryOptions
	port int

	oneProcess
}

const smbDirectoryPassword = "of-the-file-server"

// StartSMBDirectory makes it and starts it, and returns once it listens.
func StartSMBDirectory(ctx context.Context, o SMBDirectoryOptions) (*SMBDirectory, error) {
	s := &SMBDirectory{opts: o}
	var err error
	if err = os.Mkdir(s.path("db"), 0o700); err != nil {
		return nil, err
	}
	if err = os.WriteFile(s.path("slapd.conf"), []byte(strings.ReplaceAll(smbDirectoryConf, "DIR", o.Dir)), 0o600); err != nil {
		return nil, err
	}
	ldif := "dn: dc=lab\nobjectClass: dcObject\nobjectClass: organization\ndc: lab\no: lab\n\n" +
		"dn: sambaDomainName=LAB,dc=lab\nobjectClass: sambaDomain\nsambaDomainName: LAB\nsambaSID: S-1-5-21-1-2-3\nsambaAlgorithmicRidBase: 1000\n\n"
	n := 0
	for name, hash := range o.Hashes {
		n++
		ldif += fmt.Sprintf("dn: uid=%s,dc=lab\nobjectClass: account\nobjectClass: sambaSamAccount\nuid: %s\nsambaSID: S-1-5-21-1-2-3-%d\nsambaNTPassword: %s\nsambaAcctFlags: [U          ]\nsambaPwdLastSet: %d\n\n",
			name, name, 2000+n, hash, time.Now().Unix())
	}
	add := exec.CommandContext(ctx, "/usr/sbin/slapadd", "-f", s.path("slapd.conf"))
	add.Stdin = strings.NewReader(ldif)
	if out, err := add.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("lab: slapadd: %w\n%s", err, out)
	}
	for range 5 {
		if s.port, err = FreePort(); err != nil {
			return nil, err
		}
		proc, started := startProcess(ctx, o.Dir, s.LogFile(), s.listens, "/usr/sbin/slapd", "-d", "0", "-f", s.path("slapd.conf"), "-h", s.URL())
		s.mu.Lock()
		s.proc = proc
		s.mu.Unlock()
		if err = started; err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

// Global are the lines with which a file server keeps its accounts there, and
// setup is what gives it the password for that (SMBDOptions).
func (s *SMBDirectory) Global() (lines []string, setup string) {
	return []string{
		"passdb backend = ldapsam:" + s.URL(), "ldap suffix = dc=lab", "ldap admin dn = cn=admin,dc=lab", "ldap ssl = off",
		// Of 15 seconds each; it makes two of them and more where nobody is
		// there.
		"ldap timeout = 4", "ldap connection timeout = 4",
	}, "net -s smb.conf setlocalsid S-1-5-21-1-2-3\nsmbpasswd -c smb.conf -w " + smbDirectoryPassword + "\n"
}

// URL is where it answers.
func (s *SMBDirectory) URL() string { return fmt.Sprintf("ldap://127.0.0.1:%d", s.port) }

// LogFile has what it says.
func (s *SMBDirectory) LogFile() string { return s.path("slapd.log") }

func (s *SMBDirectory) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func (s *SMBDirectory) listens(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.URL(), "ldap://"))
	if err == nil {
		_ = c.Close()
	}
	return err
}

// smbDirectoryConf has as much of samba.schema as a login needs.
const smbDirectoryConf = `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
attributetype ( 1.3.6.1.4.1.7165.2.1.25 NAME 'sambaNTPassword' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{32} SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.7165.2.1.26 NAME 'sambaAcctFlags' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{16} SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.7165.2.1.27 NAME 'sambaPwdLastSet' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.7165.2.1.20 NAME 'sambaSID' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{64} SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.7165.2.1.38 NAME 'sambaDomainName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{128} )
attributetype ( 1.3.6.1.4.1.7165.2.1.40 NAME 'sambaAlgorithmicRidBase' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.7165.2.2.6 NAME 'sambaSamAccount' SUP top AUXILIARY MUST ( uid $ sambaSID ) MAY ( sambaNTPassword $ sambaAcctFlags $ sambaPwdLastSet ) )
objectclass ( 1.3.6.1.4.1.7165.2.2.5 NAME 'sambaDomain' SUP top STRUCTURAL MUST ( sambaDomainName $ sambaSID ) MAY sambaAlgorithmicRidBase )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile DIR/slapd.pid
argsfile DIR/slapd.args
database mdb
directory DIR/db
maxsize 16777216
suffix dc=lab
rootdn cn=admin,dc=lab
rootpw ` + smbDirectoryPassword + `
`
