package lab

import (
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

// slapdConf is slapd.conf(5). Points a reader may stumble over:
//   - the rights of binder and partner end at ou=people, so they can reset no
//     other service, but each other;
//   - accounts below ou=sealed may not read their own entry, as on directories
//     with tight access rules;
//   - "by self =xw" lets people change their password but not read its hash;
//   - sizelimit is OpenLDAP's default of 500, lifted for those who must page
//     through the whole directory.
var slapdConf = template.Must(template.New("slapd.conf").Parse(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
# of samba.schema, which Debian does not install
attributetype ( 1.3.6.1.4.1.7165.2.1.25 NAME 'sambaNTPassword' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{32} SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.7165.2.1.20 NAME 'sambaSID' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{64} SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.7165.2.2.6 NAME 'sambaSamAccount' SUP top AUXILIARY MUST ( uid $ sambaSID ) MAY sambaNTPassword )
# of Samba 2's and of Heimdal's hdb.schema
attributetype ( 1.3.6.1.4.1.7165.2.1.1 NAME 'lmPassword' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{32} SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.7165.2.1.2 NAME 'ntPassword' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{32} SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.7165.2.2.2 NAME 'sambaAccount' SUP top AUXILIARY MUST uid MAY ( lmPassword $ ntPassword ) )
attributetype ( 1.3.6.1.4.1.5322.10.1.1 NAME 'krb5PrincipalName' EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.5322.10.1.10 NAME 'krb5Key' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.5322.10.2.2 NAME 'krb5KDCEntry' SUP top AUXILIARY MUST krb5PrincipalName MAY krb5Key )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
{{if not .Leaf}}moduleload syncprov
{{end -}}
{{if .Chains}}moduleload back_ldap
{{end -}}
pidfile {{.Dir}}/slapd.pid
argsfile {{.Dir}}/slapd.args
loglevel none
TLSCACertificateFile {{.CAFile}}
TLSCertificateFile {{.CertFile}}
TLSCertificateKeyFile {{.KeyFile}}
TLSVerifyClient never
password-hash {SSHA}
serverID {{.ServerID}}
{{if .Chains}}
overlay chain
chain-uri "{{.RefersTo}}"
chain-idassert-bind bindmethod=simple binddn="{{.BinderDN}}" credentials="{{.BinderPassword}}" mode=none tls_cacert={{.CAFile}} tls_reqcert=demand
chain-return-error TRUE
{{end}}
{{if .ShowsConfig}}database config
access to *
  by dn.exact="{{.BinderDN}}" read
  by * none

{{else if .ShowsReplicators}}database config
access to dn.subtree="cn=config" attrs=entry,olcSyncrepl
  by dn.exact="{{.BinderDN}}" read
  by * none
access to * by * none

{{end -}}
{{if .Branch}}database mdb
suffix "ou=branch,{{.Base}}"
rootdn "{{.AdminDN}}"
directory {{.Dir}}/branch
access to *
  by dn.exact="{{.BinderDN}}" manage
  by * none

{{end -}}
database mdb
suffix "{{.Base}}"
rootdn "{{.AdminDN}}"
rootpw {{.AdminHash}}
directory {{.Dir}}/db
maxsize 1073741824
index objectClass,uid,cn,entryUUID,entryCSN eq
limits dn.exact="{{.BinderDN}}" size=unlimited time=unlimited
limits dn.exact="{{.PartnerDN}}" size=unlimited time=unlimited
limits dn.exact="{{.WriterDN}}" size=unlimited time=unlimited
limits dn.exact="cn=replicator,ou=services,{{.Base}}" size=unlimited time=unlimited

access to dn.subtree="ou=sealed,{{.Base}}" attrs=userPassword
  by dn.exact="{{.BinderDN}}" manage
  by dn.exact="{{.PartnerDN}}" manage
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by anonymous auth
  by * none
{{if .BareSealed}}access to dn.subtree="ou=sealed,{{.Base}}" attrs=entry,objectClass,entryUUID
  by users read
  by * none
{{end -}}
access to dn.subtree="ou=sealed,{{.Base}}"
  by dn.exact="{{.BinderDN}}" read
  by dn.exact="{{.PartnerDN}}" read
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by * none
{{if .HidesMarks}}access to dn.subtree="ou=people,{{.Base}}" attrs=pwdChangedTime,entryCSN
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by * none
{{end -}}
{{if .HidesWhatPoliciesSay}}access to dn.regex="^cn=(planted|gone),.*" attrs=pwdAttribute,pwdLockout,pwdMaxFailure
  by * none
{{end -}}
{{if .SealsPolicies}}access to filter=(objectClass=pwdPolicy)
  by dn.exact="{{.BinderDN}}" none
  by * read
{{end -}}
{{if .HidesPolicies}}access to dn.subtree="ou=people,{{.Base}}" attrs=pwdPolicySubentry
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by * none
{{end -}}
access to dn.subtree="ou=people,{{.Base}}" attrs=userPassword
  by dn.exact="{{.BinderDN}}" {{or .BinderMay "manage"}}
  by dn.exact="{{.PartnerDN}}" manage
  by dn.exact="{{.WriterDN}}" write
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by self =xw
  by anonymous auth
  by * none
access to dn.subtree="ou=rehearsal,{{.Base}}" attrs=userPassword
  by dn.exact="{{.BinderDN}}" manage
  by dn.exact="{{.WriterDN}}" write
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by self =xw
  by anonymous auth
  by * none
access to dn.subtree="ou=rehearsal,{{.Base}}"
  by dn.exact="{{.BinderDN}}" write
  by dn.exact="{{.WriterDN}}" write
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by self read
  by * none
access to dn.exact="{{.BinderDN}}" attrs=userPassword
  by dn.exact="{{.PartnerDN}}" manage
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by anonymous auth
  by * none
access to dn.exact="{{.PartnerDN}}" attrs=userPassword
  by dn.exact="{{.BinderDN}}" manage
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by anonymous auth
  by * none
access to dn.exact="{{.AdminDN}}" attrs=userPassword
  by dn.exact="{{.BinderDN}}" manage
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by anonymous auth
  by * none
access to attrs=userPassword
  by dn.exact="cn=replicator,ou=services,{{.Base}}" read
  by anonymous auth
  by * none
access to *
  by users read
  by * none

{{if not .Leaf}}overlay syncprov
syncprov-checkpoint 100 10
syncprov-sessionlog 10000
{{end -}}
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{{.Base}}"
{{if not .KeepsClear}}ppolicy_hash_cleartext
{{end -}}
{{if .TellLocked}}ppolicy_use_lockout
{{end}}
{{- if .Provider}}
syncrepl rid=001 provider={{.Provider}} type=refreshAndPersist retry="1 +"
  searchbase="{{.Base}}" schemachecking=off
  bindmethod=simple binddn="cn=replicator,ou=services,{{.Base}}" credentials={{.ReplicatorPassword}}
  tls_cacert={{.CAFile}} tls_reqcert=demand
{{end}}
{{- if .RefersTo}}updateref "{{.RefersTo}}"
{{end}}
{{- if .ReadOnly}}readonly on
{{end}}
{{- if .Multi}}multiprovider on
{{end}}
{{- if .LastBind}}lastbind on
{{end}}
database monitor
access to *
  by dn.exact="{{.BinderDN}}" read
  by * none
`))

func (s *Slapd) writeConfig() error {
	certFile, keyFile, caFile, err := s.opts.CA.Issue(s.opts.Dir, "slapd", 90*24*time.Hour)
	if err != nil {
		return err
	}
	if twin := s.opts.LooksLike; twin != nil {
		certFile, keyFile = twin.path("slapd.crt"), twin.path("slapd.key")
	}
	values := map[string]any{
		"Dir": s.opts.Dir, "Base": slapdBase,
		"CAFile": caFile, "CertFile": certFile, "KeyFile": keyFile,
		"AdminDN": s.AdminDN, "AdminHash": hashed(s.AdminPassword),
		"BinderDN": s.BinderDN, "PartnerDN": s.PartnerDN, "WriterDN": s.WriterDN,
		"TellLocked": s.opts.Policy.TellLocked,
		"ServerID":   1, "Provider": "", "ReplicatorPassword": s.replicator,
		"Multi": s.opts.Provider, "LastBind": s.opts.LastBind, "BinderMay": s.opts.BinderMay, "HidesMarks": s.opts.HidesMarks, "HidesPolicies": s.opts.HidesPolicies, "HidesWhatPoliciesSay": s.opts.HidesWhatPoliciesSay, "SealsPolicies": s.opts.SealsPolicies, "BareSealed": s.opts.BareSealed, "Leaf": s.opts.Leaf,
		"Chains": s.opts.Chains, "BinderPassword": s.BinderPassword, "ReadOnly": s.opts.ReadOnly, "ShowsConfig": s.opts.ShowsConfig, "ShowsReplicators": s.opts.ShowsReplicators, "KeepsClear": s.opts.KeepsClear, "RefersTo": "", "Branch": s.opts.Branch,
	}
	if s.opts.RefersTo != nil {
		values["RefersTo"] = s.opts.RefersTo.LDAPS()
	}
	if s.hop != nil {
		values["Provider"] = "ldaps://" + s.hop.addr()
	}
	if p := s.opts.ReplicaOf; p != nil {
		values["ServerID"] = 2
		values["TellLocked"] = p.opts.Policy.TellLocked
	}
	var conf strings.Builder
	if err := slapdConf.Execute(&conf, values); err != nil {
		return fmt.Errorf("lab: write slapd.conf: %w", err)
	}
	if err := os.WriteFile(s.path("slapd.conf"), []byte(conf.String()), 0o600); err != nil {
		return fmt.Errorf("lab: write slapd.conf: %w", err)
	}
	return nil
}
