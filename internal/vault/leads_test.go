package vault

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

func TestASecretLeadsToTheHostsToWhichItSendsWhoeverReadsIt(t *testing.T) {
	for _, row := range []struct {
		data  map[string]any
		hosts []string
	}{
		{map[string]any{"host": "mail"}, []string{"mail"}},
		{map[string]any{"host": "Mail.Example.Org.:993"}, []string{"mail.example.org"}},
		{map[string]any{"ldap_host": "192.0.2.10:636"}, []string{"192.0.2.10"}},
		{map[string]any{"smtpServer": "mail"}, []string{"mail"}},
		{map[string]any{"url": "ldaps://u:p@LDAP-1.example.org:636/dc=x"}, []string{"ldap-1.example.org"}},
		{map[string]any{"dsn": "mongodb://u:p@a.example.org:27017,b.example.org/db?x=y"}, []string{"a.example.org", "b.example.org"}},
		{map[string]any{"dsn": "host=db1,db2 port=5432 user=x"}, []string{"db1", "db2"}},
		{map[string]any{"conn": "Server=tcp:sql.example.org,1433;Password=y"}, []string{"sql.example.org"}},
		{map[string]any{"tns": "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=ora.example.org)(PORT=1521)))"}, []string{"ora.example.org"}},
		{map[string]any{"jdbc": "jdbc:oracle:thin:@//ora.example.org:1521/x"}, []string{"ora.example.org"}},
		{map[string]any{"doc": `{"host": "192.0.2.10", "password": "y"}`}, []string{"192.0.2.10"}},
		{map[string]any{"doc": map[string]any{"servers": []any{"192.0.2.10", "b.example.org:1"}}}, []string{"192.0.2.10", "b.example.org"}},
		{map[string]any{"env": "USER=x\nDB_HOST=db.example.org\nPASSWORD=y"}, []string{"db.example.org"}},
		{map[string]any{"url": "ldap://[2001:db8::10]:389", "address": "2001:DB8::10", "peer": "[2001:db8::11]:22"}, []string{"2001:db8::10", "2001:db8::11"}},
		{map[string]any{"hosts": "a.example.org; b.example.org c"}, []string{"a.example.org", "b.example.org", "c"}},
		{map[string]any{"where": "dc1.example.org"}, []string{"dc1.example.org"}},
		{map[string]any{"smtp": "Evil.Example.net", "ldap": "evil.net:636"}, []string{"evil.example.net", "evil.net"}},
		{map[string]any{"url": "https://app.example.org)@evil/"}, []string{"evil"}},
		{map[string]any{"url": `https://evil\@app.example.org/`}, []string{"app.example.org", "evil"}},
		{map[string]any{"url": "https://evil:/x", "url2": "evil2/api", "endpoint": "//evil3/share"}, []string{"evil", "evil2", "evil3"}},
		{map[string]any{"x": "jdbc:oracle:thin:@evil:1521:sid"}, []string{"evil"}},
		{map[string]any{"x": `{"url":"https:\/\/evil\/","host":"\u0065vil2"}`}, []string{"evil", "evil2"}},
		{map[string]any{"x": "http://3221226050/", "host": "0300.0250.1.1"}, []string{"0300.0250.1.1", "3221226050"}},
		{map[string]any{"host": "müll.example"}, []string{"müll.example"}},
		{map[string]any{"x": "hosts:\n  - evil\n  - b.example.org:1\n"}, []string{"b.example.org", "evil"}},
		{map[string]any{"x": "machine evil login a password b"}, []string{"evil"}},
		{map[string]any{"x": "evil:5432:db:user:pw"}, []string{"evil"}},
		{map[string]any{"x": "<a><host>evil</host></a>"}, []string{"evil"}},
		{map[string]any{"host1": "evil"}, []string{"evil"}},
		{map[string]any{"mail_server": "evil", "token_endpoint": "https://evil2/x", "contact_points": "a.b.example.org", "secret_server": "evil3"}, []string{"a.b.example.org", "evil", "evil2", "evil3"}},
		{map[string]any{"app": `{"password": "host.example.org"}`}, nil},
		{map[string]any{"smtp": "mx.a1b.evil.example", "broker": "3com.evil.example"}, []string{"3com.evil.example", "mx.a1b.evil.example"}},
		{map[string]any{"owner": "jane.doe", "cert": "wild-2027.pem", "version": "v2.beta", "note": "https://tickets.example.org/1", "doc_url": "https://wiki.example.org", "api_token": "https://x.example.org"}, nil},
		{map[string]any{"where": "192.0.2.7"}, []string{"192.0.2.7"}},
		{map[string]any{"username": "svc@example.org", "note": "the mail server of example.org", "password": "xK3.qw", "port": "636", "proxy": "none", "tls": "true", "version": "1.2"}, nil},
		{map[string]any{"ssh": "host: svc@example.org"}, []string{"example.org"}},
		// Readers put it into addresses of their own, where this ends the host.
		{map[string]any{"host": "evil.net/?=", "host2": "evil2.net port=5432", "server": "evil3.net\n#", "endpoint": "evil4#=", "url": "evil5?u=https://app.example.org"}, []string{"app.example.org", "evil.net", "evil2.net", "evil3.net", "evil4", "evil5"}},
		{map[string]any{"host": "evil.net:\n x", "server": "evil2,x=y", "peer": "evil3/=", "nodes": "https://a.example.org/x,evil4 evil5"}, []string{"a.example.org", "evil.net", "evil2", "evil3", "evil4", "evil5", "x"}},
		{map[string]any{"hosts": "db.example.org,x=y,evil", "urls": "https://app.example.org/?a,evil2"}, []string{"app.example.org", "db.example.org", "evil", "evil2"}},
		{map[string]any{"server": "user=x\npass=y,z\npassword: w\nhost: evil"}, []string{"evil", "host", "password", "z"}},
		{map[string]any{"url": "https://u:a,b@app.example.org/?password=c,d", "uri": "host=db user=x password=e,f"}, []string{"app.example.org", "d", "db", "f"}},
		{map[string]any{"ticket_url": "https://evil/x", "notes_server": "evil2", "owner_api_host": "evil3", "wiki_url": "https://wiki.example.org"}, []string{"evil", "evil2", "evil3"}},
		{map[string]any{"bind_pw": "aB3-x9Qw.kk-7Zt.qRs", "credential": "a.b.evil", "credentials_url": "https://evil"}, []string{"evil"}},
		{map[string]any{"smtp": "a_b.example.org.x", "x": "-a.b.c"}, nil},
		{map[string]any{OwnerField: "host=x"}, nil},
		{nil, nil},
	} {
		var got []string
		for _, lead := range (Live{data: row.data}).Leads() {
			require.Contains(t, row.data, lead.Field)
			got = append(got, lead.Host)
		}
		got = slices.Compact(got)
		require.Equal(t, row.hosts, got, "%v", row.data)
	}
}

// What surrounds the secret in its own field leads somewhere; the secret does
// not, whatever it looks like.
func TestTheSecretItselfLeadsNowhere(t *testing.T) {
	require.Empty(t, liveOf(Entry{Version: 1, Data: map[string]any{"password": "host.example.org"}}, "password").Leads())
	was := liveOf(Entry{Version: 1, Data: map[string]any{"dsn": "postgres://svc:stolen-value-1@db.example.org/mail"}}, "dsn")
	is := liveOf(Entry{Version: 2, Data: map[string]any{"dsn": "postgres://svc:new-value-2@db.example.org/mail"}}, "dsn")
	require.NotEmpty(t, was.Leads())
	require.Equal(t, was.Leads(), is.Leads())
	require.Equal(t, was.Leads().Digest(nil), is.Leads().Digest(nil))
	other := liveOf(Entry{Version: 2, Data: map[string]any{"dsn": "postgres://svc:new-value-2@192.0.2.66/mail"}}, "dsn")
	require.Equal(t, "dsn", other.Leads().Besides(was.Leads(), func(string) bool { return false }))
	require.Empty(t, other.Leads().Besides(was.Leads(), func(host string) bool { return host == "192.0.2.66" }))
	require.NotEqual(t, was.Leads().Digest(nil), other.Leads().Digest(nil))

	// Nor does another credential's in the same secret, whatever it is called.
	both := func(other string) Live {
		return liveOf(Entry{Version: 1, Data: map[string]any{"password": "x", "backup-server": other, "host": "app"}}, "password")
	}
	require.NotEqual(t, both("stolen").Leads().Digest(nil), both("new").Leads().Digest(nil))
	beside := []string{"backup-server"}
	require.Equal(t, both("stolen").Without(beside).Leads(), both("new").Leads().But(beside))
	require.Equal(t, both("stolen").Without(beside).Leads().Digest(nil), both("new").Without(beside).Leads().Digest(nil))
}

// Activate writes on top of another field that changed meanwhile, and not of
// one that sends whoever reads it elsewhere.
func TestActivateDoesNotWriteBesideAHostThatCameMeanwhile(t *testing.T) {
	s := newClient(t)
	p := vaulttest.NewPath()
	seed := func(host, note string) {
		vaulttest.SeedLive(t, p, map[string]any{"password": "stolen-value-1", "host": host, "note": note})
	}
	seed("app.example.org", "a")
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	seed("192.0.2.66", "a")
	_, err = s.Activate(t.Context(), p, from, credential.NewSecret("new-one-new-one"), "")
	require.True(t, IsCASMismatch(err), "%v", err)
	require.Equal(t, "stolen-value-1", vaulttest.RawData(t, p)["password"])
	seed("APP.example.org:443", "b")
	_, err = s.Activate(t.Context(), p, from, credential.NewSecret("new-one-new-one"), "")
	require.NoError(t, err)
	require.Equal(t, "b", vaulttest.RawData(t, p)["note"])
}

// Whatever a secret holds, a host that is named by a field of its own is among
// those that it leads to.
func TestAHostThatIsNamedIsNeverPassedOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.StringMatching(`[a-z][a-z0-9-]{0,10}[a-z0-9](\.[a-z]{2,6}){0,3}`).Filter(func(h string) bool { return !slices.Contains(noHosts, h) }).Draw(t, "host")
		port := rapid.SampledFrom([]string{"", ":1", ":65535"}).Draw(t, "port")
		behind := rapid.SampledFrom([]string{"", "/", "/?x=", "#=", " port=1", "\n#", ",x", ",x=y,z", "/https://other.example.org"}).Draw(t, "behind")
		form := rapid.SampledFrom([]func(string) map[string]any{
			func(h string) map[string]any { return map[string]any{"host": h + behind} },
			func(h string) map[string]any { return map[string]any{"DB_SERVER": h + behind} },
			func(h string) map[string]any { return map[string]any{"LDAP_URL": "ldaps://" + h + "/dc=x"} },
			func(h string) map[string]any { return map[string]any{"dsn": "user=a host='" + h + "' password=b"} },
			func(h string) map[string]any { return map[string]any{"doc": `{"a": {"endpoint": "` + h + `"}}`} },
			func(h string) map[string]any {
				return map[string]any{"servers": []any{"other.example.org", h + behind}}
			},
		}).Draw(t, "form")
		data := form(host + port)
		data["more"] = rapid.String().Draw(t, "more")
		found := false
		for _, lead := range (Live{data: data}).Leads() {
			found = found || lead.Host == host
		}
		require.True(t, found, "%v", data)
	})
}

// A secret that somebody filled to hold up the listing is read in step with its
// length: if each match read on to the end, this would not end in its time.
func TestTheTextOfASecretIsReadInStepWithItsLength(t *testing.T) {
	for _, part := range []string{"host=[a;", "thin:a://b/", `host="a`, "host ", "machine a ", "- a\n", "[1%a", "a:1:b:", "://a@"} {
		require.NotPanics(t, func() { (Live{data: map[string]any{"x": strings.Repeat(part, 1<<19/len(part))}}).Leads() }, part)
	}
}

// Who has no key can neither make a digest nor try what one is of; one of an
// earlier version is told by itself.
func TestHostsAreToldByTheKeyThatTheirDigestWasMadeWith(t *testing.T) {
	l, other := Leads{{"servers", "mx.example.org"}, {"servers", "hunter2"}}, Leads{{"servers", "192.0.2.66"}}
	one, two := []byte("one"), []byte("two")
	require.True(t, Keyed(l.Digest(one)))
	require.False(t, Keyed(l.Digest(nil)))
	require.NotEqual(t, l.Digest(one), l.Digest(two))
	for _, key := range [][]byte{one, nil} {
		require.True(t, l.Same(l.Digest(key), key))
		require.True(t, l.Same(l.Digest(nil), key), "of an earlier version")
		require.False(t, other.Same(l.Digest(key), key))
		require.False(t, Leads(nil).Same(l.Digest(key), key))
		require.True(t, Leads(nil).Same("", key))
		require.False(t, l.Same("", key))
		require.False(t, l.Same(credential.LeadsUnseen, key))
	}
	require.False(t, l.Same(l.Digest(one), two))
	require.False(t, l.Same(l.Digest(one), nil))
}
