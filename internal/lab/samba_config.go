package lab

import (
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

// smbConf is smb.conf(5). Points a reader may stumble over:
//   - no file server unless it is asked for: most tests need none;
//   - rpc and drepl replicate: a single domain controller needs neither;
//   - ldb:nosync, because a lab's domain need not survive a power cut (it does
//     survive a kill);
//   - the TLS files are ours, because those that Samba makes may have a
//     negative serial number, which Go's crypto/x509 refuses.
var smbConf = template.Must(template.New("smb.conf").Parse(`[global]
	netbios name = {{.Host}}
	realm = {{.Realm}}
	workgroup = {{.Domain}}
	server role = active directory domain controller
	server services = {{.Services}}
	interfaces = {{.NICs}}
	bind interfaces only = yes
	private dir = {{.Dir}}/private
	state directory = {{.Dir}}/state
	cache directory = {{.Dir}}/cache
	lock directory = {{.Dir}}
	pid directory = {{.Dir}}/run
	ncalrpc dir = {{.Dir}}/run
	binddns dir = {{.Dir}}/bind-dns
	log file = {{.Dir}}/log.samba
	ldb:nosync = true
{{if .Audit}}	log level = 1 auth_json_audit:3 dsdb_password_json_audit:5 dsdb_group_json_audit:5 dsdb_json_audit:5
{{end -}}	rpc start on demand helpers = no
	tls enabled = yes
	tls cafile = {{.Dir}}/ca.crt
	tls certfile = {{.Dir}}/samba.crt
	tls keyfile = {{.Dir}}/samba.key
`))

func (s *Samba) writeConfig() error {
	if _, _, _, err := s.opts.CA.Issue(s.opts.Dir, "samba", 90*24*time.Hour); err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("run"), 0o755); err != nil {
		return fmt.Errorf("lab: make the folder of Samba's sockets: %w", err)
	}
	services := "ldap, cldap, kdc, rpc"
	if !s.machine.alone() {
		services += ", drepl"
	}
	if s.opts.Files {
		services += ", s3fs, winbindd"
	}
	var conf strings.Builder
	if err := smbConf.Execute(&conf, map[string]any{
		"Dir": mountPoint, "Realm": sambaRealm, "Domain": sambaDomain, "Services": services,
		"Host": strings.ToUpper(s.machine.host), "NICs": s.machine.nics(), "Audit": s.opts.Audit,
	}); err != nil {
		return fmt.Errorf("lab: write smb.conf: %w", err)
	}
	if err := os.WriteFile(s.path("etc/smb.conf"), []byte(conf.String()), 0o600); err != nil {
		return fmt.Errorf("lab: write smb.conf: %w", err)
	}
	return nil
}
