package inventory

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/directory/adacl"
	"rollcall/internal/lab"
)

func startDomain(t *testing.T, accounts []lab.Account) *lab.Samba {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSamba(ctx, lab.SambaOptions{Dir: t.TempDir(), CA: ca, Accounts: accounts})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

// listDomain lists what a manifest and a filter find in the domain.
func listDomain(t *testing.T, s *lab.Samba, accept []config.Accept, filter string, rows ...string) *credential.Roll {
	t.Helper()
	return listDomainBy(t, s, func(c *config.Campaign) { c.Accept = accept }, filter, rows...)
}

func listDomainWithout(t *testing.T, s *lab.Samba, e config.Exclude, filter string) *credential.Roll {
	t.Helper()
	return listDomainBy(t, s, func(c *config.Campaign) { c.Exclude = append(c.Exclude, e) }, filter)
}

func listDomainBy(t *testing.T, s *lab.Samba, more func(*config.Campaign), filter string, rows ...string) *credential.Roll {
	t.Helper()
	servers(t)
	d := config.Directory{
		Driver: config.ActiveDirectory, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN}, Connections: 8, Timeout: patience,
	}
	client, err := directory.Open("ad", d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(s.BinderPassword), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c := campaign()
	more(c)
	c.Directories = map[string]config.Directory{"ad": d}
	c.Sources = []config.Source{manifestSource(append([]string{"directory,account,path"}, rows...)...)}
	if filter != "" {
		c.Sources = append(c.Sources, config.Source{Name: "filter", Type: config.FromLDAP, Directory: "ad", Filter: filter})
	}
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"ad": client}, openVault(t, realVault.RootToken().Reveal()), "esg-01-1", time.Now())
	require.NoError(t, err)
	return roll
}

func TestADomainsAccountsAreFoundByAllTheirNames(t *testing.T) {
	accounts := lab.SeedAccounts("svc", 6)
	accounts[2].Attrs = map[string][]string{"servicePrincipalName": {"smtp/esg-01.example.org"}}
	accounts[3].Attrs = map[string][]string{"mail": {"gateway@example.org"}}
	accounts[5].Attrs = map[string][]string{"servicePrincipalName": {"HTTP/web.example.org"}}
	s := startDomain(t, accounts)
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	// A group has a sAMAccountName too, and holds two accounts and itself no
	// password.
	group := ldap.NewAddRequest("CN=esg-01 readers,"+s.ServicesDN(), nil)
	group.Attribute("objectClass", []string{"group"})
	group.Attribute("sAMAccountName", []string{"esg-01-readers"})
	group.Attribute("member", []string{s.AccountDN("svc0005"), s.AccountDN("svc0006"), s.AdminDN})
	require.NoError(t, admin.Add(group))
	for _, o := range []struct{ class, name, control string }{
		{"computer", "ESG-01$", "4096"}, {"msDS-ManagedServiceAccount", "esg-msa$", "4096"}, {"contact", "", ""}, {"user", "svc-noupn", "66050"}, {"user", "svc-card", "262656"},
	} {
		dn := "CN=" + cmp.Or(strings.TrimSuffix(o.name, "$"), "esg-01 support") + "," + s.ServicesDN()
		add := ldap.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{o.class})
		add.Attribute("description", []string{"of esg-01"})
		if o.name != "" {
			add.Attribute("sAMAccountName", []string{o.name})
			add.Attribute("userAccountControl", []string{o.control})
		} else {
			add.Attribute("mail", []string{"gateway@example.org"}) // as svc0004
		}
		require.NoError(t, admin.Add(add), o.class)
	}
	guid := guidOf(t, s, s.AccountDN("svc0002"))

	accept := []config.Accept{{Account: `EXAMPLE\svc0003`, Problem: credential.HasKeytab, Reason: "its keytab is made anew at once"}}
	roll := listDomain(t, s, accept, "(|(memberOf=CN=esg-01 readers,"+s.ServicesDN()+")(description=*esg-01*))",
		"ad,SVC0001,kv/a#password",
		"ad,svc0001@ad.example.org,kv/a2#password",
		`ad,"cn=svc0001 , ou=Services,dc=ad,dc=example,dc=org",`,
		"ad,"+guid+",",
		"ad,smtp/esg-01.example.org,",
		"ad,gateway@example.org,",
		"ad,esg-01-readers,kv/group#password",
		"ad,nobody,kv/nobody#password",
		"ad,rollcall,",
		`ad,EXAMPLE\svc0002,`,
		`ad,ad.example.org\SVC-noupn,`,
		"ad,svc-noupn@AD.example.org,kv/noupn#password",
		`ad,OTHER\svc0002,kv/other#password`,
		"ad,svc0005@former.example.org,kv/former#password",
		"ad,ESG-01$,kv/machine#password",
		"ad,krbtgt,",
	)
	got := byName(roll)
	for i := range 6 {
		dn := s.AccountDN(fmt.Sprintf("svc%04d", i+1))
		require.Contains(t, got, dn)
		require.Equal(t, credential.ADPassword, got[dn].Kind)
		require.Equal(t, "ad/"+got[dn].Subject, got[dn].ID)
		want := credential.Problem("")
		switch i {
		case 4: // found by the filter, and a secret has its name of before
			want = credential.PerhapsIts
		case 5:
			want = credential.HasKeytab
		}
		require.Equal(t, want, got[dn].Problem)
	}
	require.Contains(t, details(roll, got[s.AccountDN("svc0006")].ID, credential.FindingHasKeytab), "HTTP/web.example.org")
	require.Contains(t, details(roll, got[s.AccountDN("svc0003")].ID, credential.FindingHasKeytab), "accepted by the campaign file: its keytab")
	noUPN := got["CN=svc-noupn,"+s.ServicesDN()]
	require.Empty(t, noUPN.Problem)
	require.Equal(t, "kv/noupn#password", noUPN.Paths[0].String())
	other := got[`OTHER\svc0002`]
	require.Equal(t, credential.NoAccount, other.Problem)
	require.Contains(t, details(roll, other.ID, credential.FindingNoAccount), "it names the domain OTHER, and ad is the domain EXAMPLE (ad.example.org)")
	for name, want := range map[string]credential.Problem{
		"CN=ESG-01," + s.ServicesDN(): credential.ComputerAccount, "CN=esg-msa," + s.ServicesDN(): credential.ManagedAccount,
		"CN=esg-01 support," + s.ServicesDN(): credential.NotAnAccount, "CN=krbtgt,CN=Users," + s.BaseDN(): credential.ManagedAccount,
		"CN=esg-01 readers," + s.ServicesDN(): credential.NotAnAccount, "CN=svc-card," + s.ServicesDN(): credential.NoPassword,
	} {
		require.Equal(t, want, got[name].Problem, name)
		require.NotEmpty(t, details(roll, got[name].ID, credential.FindingCode(want)), name)
	}
	require.Equal(t, "kv/machine#password", got["CN=ESG-01,"+s.ServicesDN()].Paths[0].String())
	require.Len(t, got[s.AccountDN("svc0001")].Paths, 2, "one account by three names")
	require.Equal(t, "kv/rollcall/ad/svc0003#password", got[s.AccountDN("svc0003")].Paths[0].String())
	require.Equal(t, credential.NoAccount, got["nobody"].Problem)
	require.Equal(t, credential.OwnIdentity, got[s.BinderDN].Problem)

	protected := got[s.AdminDN]
	var codes []credential.FindingCode
	for _, f := range roll.Findings[protected.ID] {
		codes = append(codes, f.Code)
	}
	require.Equal(t, []credential.FindingCode{credential.FindingReadsOthers, credential.FindingResetsOthers, credential.FindingProtected}, codes)
	require.Contains(t, details(roll, got[s.AccountDN("svc0005")].ID, credential.FindingPlace), "kv/former may be where its password is read")
	require.Len(t, roll.Credentials, 6+3+1+1+6+1)

	whoMayResetGoesFirst(t, s, admin)
}

// whoMayResetGoesFirst delegates resets on the domain as administrators do it,
// to groups.
func whoMayResetGoesFirst(t *testing.T, s *lab.Samba, admin *ldap.Conn) {
	dn := s.AccountDN
	add := func(name string, members ...string) string {
		at := "CN=" + name + ",CN=Users," + s.BaseDN()
		group := ldap.NewAddRequest(at, nil)
		group.Attribute("objectClass", []string{"group"})
		group.Attribute("sAMAccountName", []string{name})
		group.Attribute("member", members)
		require.NoError(t, admin.Add(group))
		return at
	}
	team := add("mail-team", dn("svc0002"))
	desk := add("helpdesk", team, dn("svc0004"))
	const reset, user = "00299570-246d-11d0-a768-00aa006e0529", "bf967aba-0de6-11d0-a285-00aa003049e2"
	require.NoError(t, s.AddACE(t.Context(), s.ServicesDN(), desk, "(OA;CIIO;CR;"+reset+";"+user+";%s)"))
	// Who may change the rights of an organizational unit gives himself what it
	// passes on.
	require.NoError(t, s.AddACE(t.Context(), s.ServicesDN(), dn("svc0001"), "(A;;WD;;;%s)"))
	// A group that is an account's primary one is not among those that the
	// account shows.
	found, err := admin.Search(ldap.NewSearchRequest(desk, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"objectSid"}, nil))
	require.NoError(t, err)
	sid := found.Entries[0].GetRawAttributeValue("objectSid")
	primary := ldap.NewModifyRequest(dn("svc0004"), nil)
	primary.Replace("primaryGroupID", []string{fmt.Sprint(binary.LittleEndian.Uint32(sid[len(sid)-4:]))})
	require.NoError(t, admin.Modify(primary))

	roll := listDomain(t, s, nil, "(sAMAccountName=svc000*)", "ad,Administrator,")
	got := byName(roll)
	of := map[string][]string{}
	for _, c := range roll.Credentials {
		of[roll.Waves[c.Wave].Name] = append(of[roll.Waves[c.Wave].Name], c.Name)
	}
	require.ElementsMatch(t, []string{s.AdminDN}, of["may-reset-others"])
	require.ElementsMatch(t, []string{dn("svc0001"), dn("svc0002"), dn("svc0004")}, of["may-reset-others-2"])
	require.ElementsMatch(t, []string{dn("svc0003"), dn("svc0005"), dn("svc0006")}, of["the rest"])
	require.Contains(t, details(roll, got[dn("svc0002")].ID, credential.FindingResetsOthers), "(5)", "but not the domain's administrator")
	for _, w := range roll.Warnings {
		require.NotEqual(t, credential.FindingResetsHidden, w.Code)
	}

	whoMayFetchPasswordsGoesBeforeAll(t, s, admin)

	require.NoError(t, s.AddACE(t.Context(), dn("svc0003"), s.BinderDN, "(D;;RC;;;%s)"))
	said := 0
	hidden := listDomain(t, s, nil, "(sAMAccountName=svc000*)")
	word := []config.Accept{{Directory: "ad", Finding: credential.FindingResetsHidden, Reason: "looked at by hand"}}
	require.Equal(t, hidden.Incomplete()-1, listDomain(t, s, word, "(sAMAccountName=svc000*)").Incomplete())
	for _, w := range hidden.Warnings {
		if w.Code == credential.FindingResetsHidden {
			said++
			require.Contains(t, w.Detail, "of 1 account")
		}
	}
	require.Equal(t, 1, said, "once, for all that are not shown")
}

// whoMayFetchPasswordsGoesBeforeAll: an account may replicate the domain's
// secrets, as those of directory synchronisation and backup may.
func whoMayFetchPasswordsGoesBeforeAll(t *testing.T, s *lab.Samba, admin *ldap.Conn) {
	reader, other := s.AccountDN("svc0005"), s.AccountDN("svc0006")
	for _, right := range []string{"1131f6aa-9c07-11d1-f79f-00c04fc2dcd2", adacl.ReplicateAll} {
		require.NoError(t, s.AddACE(t.Context(), s.BaseDN(), reader, "(OA;;CR;"+right+";;%s)"))
	}
	password, err := s.ResetOnce(t.Context(), "svc0006")
	require.NoError(t, err)
	out, err := s.RunInside(t.Context(), "/usr/bin/python3", "-c", fetchesHash, s.Config(), "svc0005", s.SeededPassword("svc0005"), other, password)
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "SAME", "whoever stole it has the hash of each new password")

	roll := listDomain(t, s, nil, "(sAMAccountName=svc000*)", "ad,Administrator,")
	got := byName(roll)
	require.True(t, got[reader].ReadsOthers)
	require.Equal(t, "may-reset-others", roll.Waves[got[reader].Wave].Name)
	for _, c := range roll.Credentials {
		switch {
		case c.Own || c.Problem != "":
		case c.Name == reader || c.Name == s.AdminDN: // an administrator may do the same
			require.Zero(t, c.Wave, c.Name)
			require.True(t, c.ReadsOthers)
		case len(details(roll, c.ID, credential.FindingResetsOthers)) > 0: // by its organizational unit it could reset the reader
			require.False(t, c.ReadsOthers)
		default:
			require.NotZero(t, c.Wave, c.Name)
			require.False(t, c.ReadsOthers)
		}
	}
	require.Contains(t, details(roll, got[reader].ID, credential.FindingReadsOthers), "DS-Replication-Get-Changes-All on the domain")

	// One that is left out has each new password all the same.
	c := config.Exclude{Account: reader, Reason: "the synchronisation needs it"}
	left := listDomainWithout(t, s, c, "(sAMAccountName=svc000*)")
	said := ""
	for _, w := range left.Warnings {
		if w.Code == credential.FindingReadsOthers {
			said = w.Detail
		}
	}
	require.Contains(t, said, reader+" may fetch the hashes of all passwords of ad")
	require.Positive(t, left.Incomplete())
	before := left.Incomplete()
	word := config.Accept{Directory: "ad", Finding: credential.FindingReadsOthers, Reason: "it is the synchronisation's alone"}
	left = listDomainBy(t, s, func(of *config.Campaign) { of.Exclude, of.Accept = append(of.Exclude, c), []config.Accept{word} }, "(sAMAccountName=svc000*)")
	require.Equal(t, before-1, left.Incomplete(), "%v", left.Warnings)

	aResetEndsNoReading(t, s, admin, got[reader])
}

// aResetEndsNoReading: what was logged in with the old password reads on, until
// the right itself is gone from the head of the domain. Out of a group it is
// not gone: a ticket keeps its groups.
func aResetEndsNoReading(t *testing.T, s *lab.Samba, admin *ldap.Conn, reader credential.Credential) {
	d := config.Directory{
		Driver: config.ActiveDirectory, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN}, Connections: 8, Timeout: patience,
	}
	client, err := directory.Open("ad", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	defer client.Close()
	still := func(c credential.Credential) bool {
		require.NotEmpty(t, c.ReadsAs)
		now, err := client.StillRead(t.Context(), map[string][]string{c.Subject: c.ReadsAs}, nil)
		require.NoError(t, err)
		return now[c.Subject]
	}
	require.True(t, still(reader))

	team := "CN=mail-team,CN=Users," + s.BaseDN()
	require.NoError(t, s.AddACE(t.Context(), s.BaseDN(), team, "(OA;;CR;"+adacl.ReplicateAll+";;%s)"))
	inTeam := func() credential.Credential {
		return byName(listDomain(t, s, nil, "(sAMAccountName=svc000*)"))[s.AccountDN("svc0002")]
	}
	member := inTeam()
	require.True(t, member.ReadsOthers, "through a group")
	leaves := ldap.NewModifyRequest(team, nil)
	leaves.Delete("member", []string{s.AccountDN("svc0002")})
	require.NoError(t, admin.Modify(leaves))
	require.False(t, inTeam().ReadsOthers)
	require.True(t, still(member), "what it was logged in to keeps the group")

	out, err := s.RunInside(t.Context(), "/usr/bin/python3", "-c", fetchesOn, s.Config(), "svc0005", s.SeededPassword("svc0005"), s.AccountDN("svc0005"), s.AccountDN("svc0006"), team)
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "after its reset: fetched")
	require.Contains(t, string(out), "the old password: refused")
	require.Contains(t, string(out), "without the right: refused")
	require.False(t, still(reader))
	require.False(t, still(member))
	whoMayTakeAPlaceReads(t, s, admin, still)
}

// whoMayTakeAPlaceReads: who may change the members of a group that may fetch
// the domain's passwords may fetch them, through another group and an account
// that is on no roll, too, until he may not; and who is an operator of domain
// controllers, in a group of theirs.
func whoMayTakeAPlaceReads(t *testing.T, s *lab.Samba, admin *ldap.Conn, still func(credential.Credential) bool) {
	group := func(name string, members ...string) string {
		at := "CN=" + name + ",CN=Users," + s.BaseDN()
		add := ldap.NewAddRequest(at, nil)
		add.Attribute("objectClass", []string{"group"})
		add.Attribute("sAMAccountName", []string{name})
		if len(members) > 0 {
			add.Attribute("member", members)
		}
		require.NoError(t, admin.Add(add))
		return at
	}
	connector := "CN=connector,CN=Users," + s.BaseDN()
	add := ldap.NewAddRequest(connector, nil)
	add.Attribute("objectClass", []string{"user"})
	add.Attribute("sAMAccountName", []string{"connector"})
	require.NoError(t, admin.Add(add))
	inner, keepers := group("sync-inner"), group("connector-keepers")
	sync := group("sync", inner)
	grant := func(on, who, ace string) { require.NoError(t, s.AddACE(t.Context(), on, who, ace)) }
	grant(s.BaseDN(), sync, "(OA;;CR;"+adacl.ReplicateAll+";;%s)")
	grant(inner, connector, "(OA;;WP;"+adacl.Member+";;%s)")
	grant(connector, keepers, "(OA;;CR;"+adacl.ResetPassword+";;%s)")
	grant(keepers, s.AccountDN("svc0003"), "(OA;;SW;"+adacl.Member+";;%s)")
	operates := ldap.NewModifyRequest("CN=Backup Operators,CN=Builtin,"+s.BaseDN(), nil)
	operates.Add("member", []string{group("backup-team", s.AccountDN("svc0006"))})
	require.NoError(t, admin.Modify(operates))

	list := func() (*credential.Roll, map[string]credential.Credential) {
		roll := listDomain(t, s, nil, "(sAMAccountName=svc000*)")
		return roll, byName(roll)
	}
	roll, got := list()
	for uid, how := range map[string]string{"svc0003": "it may change who is a member of CN=sync-inner", "svc0006": "it is in Backup Operators"} {
		c := got[s.AccountDN(uid)]
		require.True(t, c.ReadsOthers, uid)
		require.Contains(t, details(roll, c.ID, credential.FindingReadsOthers), how)
		require.True(t, still(c), uid)
	}
	require.False(t, got[s.AccountDN("svc0005")].ReadsOthers)
	for _, w := range roll.Warnings {
		require.NotEqual(t, credential.FindingResetsHidden, w.Code, w.Detail)
	}
	taken := ldap.NewDelRequest(connector, nil) // the step between
	require.NoError(t, admin.Del(taken))
	require.False(t, still(got[s.AccountDN("svc0003")]), "the group has its right on, and it has no way there")
	_, now := list()
	require.False(t, now[s.AccountDN("svc0003")].ReadsOthers)
}

// fetchesOn logs in to a domain controller's replication, has the account's
// password reset, fetches by the connection of before, takes the right away
// from two, and fetches again.
const fetchesOn = `
import sys
import ldb
from samba.auth import system_session
from samba.credentials import Credentials
from samba.dcerpc import drsuapi, misc, security
from samba import drs_utils
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB
conf, user, secret, reader, dn, team = sys.argv[1:]
lp = LoadParm(); lp.load(conf)
def connect():
    c = Credentials(); c.guess(lp); c.set_username(user); c.set_domain("EXAMPLE"); c.set_password(secret)
    d = drsuapi.drsuapi("ncacn_ip_tcp:127.0.0.1[seal]", lp, c)
    h, _ = drs_utils.drs_DsBind(d)
    return d, h
d, h = connect()
def fetch(said):
    r = drsuapi.DsGetNCChangesRequest8()
    r.destination_dsa_guid, r.source_dsa_invocation_id = misc.GUID("00000000-0000-0000-0000-000000000001"), misc.GUID()
    r.naming_context = drsuapi.DsReplicaObjectIdentifier(); r.naming_context.dn = dn
    r.highwatermark = drsuapi.DsReplicaHighWaterMark()
    r.replica_flags = drsuapi.DRSUAPI_DRS_INIT_SYNC | drsuapi.DRSUAPI_DRS_WRIT_REP
    r.max_object_count, r.max_ndr_size, r.extended_op = 1, 402116, drsuapi.DRSUAPI_EXOP_REPL_OBJ
    try:
        _, ctr = d.DsGetNCChanges(h, 8, r)
        got = any(a.attid == drsuapi.DRSUAPI_ATTID_unicodePwd for a in ctr.first_object.object.attribute_ctr.attributes)
        print(said, "fetched" if got else "nothing")
    except Exception as e:
        print(said, "refused", e)
db = SamDB(url="/mnt/private/sam.ldb", session_info=system_session(), lp=lp)
db.setpassword("(distinguishedName=%s)" % reader, "Another-value-of-theirs-1")
db.setpassword("(distinguishedName=%s)" % reader, "Another-value-of-theirs-2")
fetch("after its reset:")
try:
    connect(); print("the old password: logs in")
except Exception as e:
    print("the old password: refused", e)
head = str(db.get_default_basedn())
sd = ndr_unpack(security.descriptor, db.search(head, ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"])[0]["nTSecurityDescriptor"][0])
for who in (reader, team):
    sd.dacl_del(ndr_unpack(security.dom_sid, db.search(who, ldb.SCOPE_BASE, attrs=["objectSid"])[0]["objectSid"][0]))
m = ldb.Message(ldb.Dn(db, head)); m["x"] = ldb.MessageElement(ndr_pack(sd), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
db.modify(m, ["sd_flags:1:4"])
fetch("without the right:")
`

// fetchesHash logs in to a domain controller as an account, asks it for another
// one by replication ([MS-DRSR] 4.1.10, EXOP_REPL_OBJ), and says whether the
// hash that comes is the one of a password.
const fetchesHash = `
import sys
from samba.credentials import Credentials
from samba.param import LoadParm
from samba import drs_utils
from samba.dcerpc import drsuapi, misc
from samba.net import Net
conf, user, secret, dn, password = sys.argv[1:]
lp = LoadParm(); lp.load(conf)
c = Credentials(); c.guess(lp); c.set_username(user); c.set_domain("EXAMPLE"); c.set_password(secret)
d = drsuapi.drsuapi("ncacn_ip_tcp:127.0.0.1[seal]", lp, c)
h, _ = drs_utils.drs_DsBind(d)
r = drsuapi.DsGetNCChangesRequest8()
r.destination_dsa_guid, r.source_dsa_invocation_id = misc.GUID("00000000-0000-0000-0000-000000000001"), misc.GUID()
r.naming_context = drsuapi.DsReplicaObjectIdentifier(); r.naming_context.dn = dn
r.highwatermark = drsuapi.DsReplicaHighWaterMark()
r.replica_flags = drsuapi.DRSUAPI_DRS_INIT_SYNC | drsuapi.DRSUAPI_DRS_WRIT_REP
r.max_object_count, r.max_ndr_size, r.extended_op = 1, 402116, drsuapi.DRSUAPI_EXOP_REPL_OBJ
_, ctr = d.DsGetNCChanges(h, 8, r)
o = ctr.first_object.object
for a in o.attribute_ctr.attributes:
    if a.attid == drsuapi.DRSUAPI_ATTID_unicodePwd:
        Net(creds=c, lp=lp).replicate_decrypt(d, a, int(str(o.identifier.sid).split("-")[-1]))
        f = Credentials(); f.set_password(password)
        print("SAME" if bytes(a.value_ctr.values[0].blob) == bytes(f.get_nt_hash()) else "OTHER")
`

func guidOf(t *testing.T, s *lab.Samba, dn string) string {
	t.Helper()
	roll := listDomain(t, s, nil, "(distinguishedName="+dn+")")
	require.Len(t, roll.Credentials, 1)
	return roll.Credentials[0].Subject
}
