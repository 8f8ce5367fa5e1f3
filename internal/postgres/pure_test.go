package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

var primary0 = credential.NewSecret("value")

func TestCodesAreReadByWhatCameBefore(t *testing.T) {
	before, after := seen{asked: SCRAM}, seen{asked: SCRAM, authenticated: true}
	for name, row := range map[string]struct {
		s     seen
		code  string
		want  protocol.Reply
		tells bool
	}{
		"let in":                                {after, "", protocol.Accepted, true},
		"wrong":                                 {before, "28P01", protocol.Refused, true},
		"28P01 without a question":              {seen{}, "28P01", protocol.NotAsked, false},
		"no line lets it in":                    {seen{}, "28000", protocol.NotThisWay, true},
		"may not log in":                        {after, "28000", protocol.Disabled, true},
		"starting":                              {seen{}, "57P03", protocol.Unreachable, true},
		"shutting down":                         {before, "57P01", protocol.Unreachable, true},
		"full":                                  {seen{}, "53300", protocol.Unreachable, true},
		"full, after the password":              {after, "53300", protocol.Accepted, true},
		"no database":                           {after, "3D000", protocol.Accepted, true},
		"no database, said too early":           {seen{}, "3D000", protocol.NotAsked, false},
		"a pooler's refusal":                    {seen{}, "08P01", protocol.NotAsked, false},
		"lost":                                  {before, "08006", protocol.Unreachable, true},
		"let in unasked":                        {seen{authenticated: true}, "", protocol.NotThisWay, true},
		"let in by Kerberos":                    {seen{asked: OtherMethod, authenticated: true}, "", protocol.NotThisWay, true},
		"refused by Kerberos":                   {seen{asked: OtherMethod}, "28P01", protocol.NotThisWay, true},
		"a bug":                                 {before, "XX000", protocol.NotAsked, false},
		"ldap says no":                          {seen{asked: ClearText}, "28000", protocol.NotThisWay, true},
		"password says no, in clear text":       {seen{asked: ClearText}, "28P01", protocol.Refused, true},
		"unknown, after the password was right": {after, "XX000", protocol.Accepted, true},
	} {
		got, tells := judge(row.s, row.code)
		require.Equal(t, row.want, got, name)
		require.Equal(t, row.tells, tells, name)
	}
}

// A verifier of RFC 7677, section 3, whose password is "pencil".
func TestAVerifierIsThatOfTheStandard(t *testing.T) {
	salt := []byte{0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81}
	v, err := verifier(credential.NewSecret("pencil"), salt, 4096)
	require.NoError(t, err)
	require.Equal(t, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", v.Reveal())
	require.True(t, holds(v.Reveal(), "any", credential.NewSecret("pencil")))
	require.False(t, holds(v.Reveal(), "any", credential.NewSecret("pen")))
	for text, want := range map[string]Stored{
		v.Reveal(): StoredSCRAM, "": StoredNone, "md5" + "0123456789abcdef0123456789abcdef": StoredMD5, "plain": StoredOther,
		"SCRAM-SHA-256$4096:x$y:z": StoredOther, "md50": StoredOther,
	} {
		require.Equal(t, want, storedAs(text))
	}
	one, err := newVerifier(credential.NewSecret("pencil"))
	require.NoError(t, err)
	two, err := newVerifier(credential.NewSecret("pencil"))
	require.NoError(t, err)
	require.NotEqual(t, one, two, "each has a salt of its own")
}

func FuzzVerifier(f *testing.F) {
	f.Add("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
	f.Add("md50123456789abcdef0123456789abcdef")
	f.Fuzz(func(t *testing.T, text string) {
		salt, n, ok := parseVerifier(text)
		if ok != (storedAs(text) == StoredSCRAM) {
			t.Fatal(text)
		}
		if ok && (n < 1 || len(salt) == 0 || !verifierForm.MatchString(text)) {
			t.Fatal(text)
		}
	})
}

func message(kind byte, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func TestALoginIsReadInPiecesOfAnyLength(t *testing.T) {
	scram := message('R', append(number(10), "SCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"...)...)
	long := message('N', bytes.Repeat([]byte{'R'}, 5000)...)
	ok, ready, refused := message('R', number(0)...), message('Z', 'I'), message('E', []byte("SFATAL\x00\x00")...)
	for name, row := range map[string]struct {
		stream []byte
		want   seen
	}{
		"SCRAM":                  {slices.Concat(scram, message('R', append(number(11), "r=x"...)...), message('R', append(number(12), "v=y"...)...), ok, message('S', 'a', 0, 'b', 0), ready), seen{SCRAM, true, true, true}},
		"right, and no session":  {slices.Concat(scram, message('R', append(number(11), "r=x"...)...), message('R', append(number(12), "v=y"...)...), refused), seen{SCRAM, false, true, true}},
		"refused":                {slices.Concat(scram, refused, ok), seen{SCRAM, false, true, false}},
		"without a binding":      {slices.Concat(message('R', append(number(10), "SCRAM-SHA-256\x00\x00"...)...), ok), seen{SCRAM, true, false, false}},
		"another mechanism":      {message('R', append(number(10), "OAUTHBEARER\x00\x00"...)...), seen{OtherMethod, false, false, false}},
		"md5":                    {slices.Concat(message('R', append(number(5), 1, 2, 3, 4)...), ok, refused), seen{MD5, true, false, false}},
		"clear text":             {slices.Concat(long, message('R', number(3)...), ok), seen{ClearText, true, false, false}},
		"trust":                  {slices.Concat(ok, ready), seen{NoPassword, true, false, false}},
		"Kerberos":               {message('R', number(7)...), seen{OtherMethod, false, false, false}},
		"after the end":          {slices.Concat(ready, message('R', number(0)...)), seen{}},
		"no message":             {[]byte{'R', 0, 0, 0, 1, 0, 0, 0, 0}, seen{}},
		"a message without code": {append([]byte{'R', 0, 0, 0, 5, 1}, ok...), seen{}},
		"nothing":                {nil, seen{}},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				e := &exchange{}
				for rest := row.stream; len(rest) > 0; {
					n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
					e.feed(rest[:n])
					rest = rest[n:]
				}
				require.Equal(t, row.want, e.seen())
			})
		})
	}
}

func FuzzExchange(f *testing.F) {
	f.Add(slices.Concat(message('R', append(number(10), "SCRAM-SHA-256\x00\x00"...)...), message('R', number(0)...)), 3)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		whole, pieces := &exchange{}, &exchange{}
		whole.feed(stream)
		piece = max(1, piece%7)
		for rest := range slices.Chunk(stream, piece) {
			pieces.feed(rest)
		}
		if whole.seen() != pieces.seen() || len(whole.mechanisms) > maxMechanisms {
			t.Fatal(whole.seen(), pieces.seen())
		}
	})
}

func FuzzPrepare(f *testing.F) {
	f.Add("pass\u2168\u00ad word")
	f.Fuzz(func(t *testing.T, text string) {
		once := prepare(text)
		if ascii(text) && once != text {
			t.Fatal("ASCII stays")
		}
		if text != "" && once == "" {
			t.Fatal("nothing is left")
		}
		_ = survives(once)
	})
}

func TestLinesOfPgHbaThatMakePasswordsWorthless(t *testing.T) {
	all, db := []string{"all"}, []string{"app"}
	rules := []Rule{
		{Line: 1, Type: "local", Databases: all, Roles: all, Method: "peer"},
		{Line: 2, Type: "host", Databases: db, Roles: []string{"svc"}, Address: "10.0.0.0/8", Method: "trust"},
		{Line: 3, Type: "hostssl", Databases: all, Roles: []string{"+people"}, Address: "all", Method: "ldap"},
		{Line: 4, Type: "host", Databases: all, Roles: all, Address: "all", Method: "password"},
		{Line: 5, Type: "hostssl", Databases: []string{"replication"}, Roles: all, Address: "all", Method: "trust"},
		{Line: 6, Error: "invalid"},
		{Line: 7, Type: "hostssl", Databases: all, Roles: all, Address: "all", Method: "scram-sha-256"},
	}
	wrong, known := judgeRules(rules, []Who{{Name: "postgres", Replicates: true}})
	require.Equal(t, []string{
		"line 4 lets passwords cross the network in clear text (host password)",
		"line 5 lets in from all without a password (trust), also roles that set the passwords of others",
		"line 6 is wrong, so that the file is not loaded: what is in force is an older one",
	}, wrong)
	require.Equal(t, []string{
		"line 2 lets in from 10.0.0.0/8 without a password (trust)",
		"line 3 has passwords checked elsewhere (ldap): roles that log in by it are no accounts of this cluster",
	}, known)
	said := func(who Who) (lines []string) {
		for _, line := range Otherwise(rules, who) {
			_, what, _ := strings.Cut(line, ") ")
			lines = append(lines, strings.Fields(line)[1]+" "+what)
		}
		return lines
	}
	require.Equal(t, []string{"2 lets it in without a password (trust)"}, said(Who{Name: "svc"}))
	require.Equal(t, []string{"2 lets it in without a password (trust)", "3 has its password checked elsewhere (ldap)"}, said(Who{Name: "svc", Groups: []string{"people"}}))
	require.Equal(t, []string{"3 has its password checked elsewhere (ldap)"}, said(Who{Name: "other", Groups: []string{"x", "people"}}))
	require.Equal(t, []string{"5 lets it in without a password (trust)"}, said(Who{Name: "follower", Replicates: true}))
	require.Empty(t, said(Who{Name: "other"}))

	const peer = "line 1 lets in from this machine without a password (peer)"
	lines, only := Lines(rules, "svc", []string{"people"})
	require.Equal(t, []string{peer, "line 2 lets in from 10.0.0.0/8 without a password (trust)", "line 3 has the password checked elsewhere (ldap)"}, lines)
	require.False(t, only, "line 7 asks for its own")
	lines, _ = Lines(rules, "other", nil)
	require.Equal(t, []string{peer}, lines)
	lines, only = Lines(rules[2:3], "svc", []string{"people"})
	require.Len(t, lines, 1)
	require.True(t, only)
	lines, only = Lines(rules[2:3], "svc", []string{"others"})
	require.Empty(t, lines)
	require.False(t, only)

	require.Equal(t, "10.0.0.0/8", withMask("10.0.0.0", "255.0.0.0"))
	require.Equal(t, "2001:db8::/32", withMask("2001:db8::", "ffff:ffff::"))
	require.Equal(t, "192.0.2.1", withMask("192.0.2.1", "255.255.255.255"))
	require.Equal(t, "db.example.org", withMask("db.example.org", ""))
}

// A line tells something of a role only where no earlier one decides each of
// its logins (PostgreSQL 15 documentation, 21.1: the first that matches is
// used).
func TestALineOfPgHbaCountsWhereItMayDecideALoginOfTheRole(t *testing.T) {
	list := func(lines string) (out []Rule) {
		for line := range strings.Lines(strings.TrimSpace(lines)) {
			text, _, _ := strings.Cut(line, "#")
			f := strings.Fields(text)
			r := Rule{Quoted: strings.Contains(lines, "# quoted"), Line: len(out) + 1, Type: f[0], Databases: strings.Split(f[1], ","), Roles: strings.Split(f[2], ","), Method: f[len(f)-1]}
			if r.Type != "local" {
				address, mask, _ := strings.Cut(f[3], "/")
				r.Address = withMask(address, mask)
			}
			out = append(out, r)
		}
		return out
	}
	svc := Who{Name: "svc", Groups: []string{"apps", "all-of-them"}}
	replicates := Who{Name: "svc", Replicates: true}
	for name, tc := range map[string]struct {
		who   Who
		lines string
		want  []int
	}{
		"as Debian makes it": {svc, `
			local all postgres peer
			local all all peer
			host all all 127.0.0.1/255.255.255.255 scram-sha-256
			host all all ::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff scram-sha-256
			local replication all peer
			host replication all 127.0.0.1/255.255.255.255 scram-sha-256`, nil},
		"as a container has it": {svc, `
			local all all trust
			host all all 127.0.0.1/255.255.255.255 trust
			host all all all scram-sha-256`, []int{1, 2}},
		"each way that is not the password": {svc, `
			hostssl a svc all cert
			hostssl b svc all ldap
			hostssl c svc all pam
			hostssl d svc all radius
			host e svc all ident
			host f svc all gss
			host g svc all sspi
			local h svc peer
			hostssl i svc all some-new-one
			host j svc all reject
			host k svc all md5
			host l svc all password`, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"by a group, by an expression, and not others": {svc, `
			host a +apps all trust
			host b +svc all trust
			host c +others all trust
			host d /^s.c$ all trust
			host e SVC all trust
			host f svc2,svc all trust
			local a +apps peer`, []int{1, 2, 4, 6, 7}},
		"an earlier line takes all of it": {svc, `
			host all svc 10.0.0.0/255.0.0.0 reject
			host app all 10.1.0.0/255.255.0.0 trust
			hostssl app all 10.1.0.0/255.255.0.0 ldap`, nil},
		"or some of it alone": {svc, `
			hostssl all all 10.0.0.0/255.0.0.0 scram-sha-256
			host app,other all 10.0.0.0/255.0.0.0 trust
			host app all 11.0.0.0/255.0.0.0 scram-sha-256
			host all all 11.0.0.0/255.0.0.0 trust
			host all /x all scram-sha-256
			host all all samenet trust`, []int{2, 4, 6}},
		"replication is nothing to who does not": {svc, "host replication all all trust", nil},
		"and is to who does":                     {replicates, "host all all all scram-sha-256\nhost replication all all trust", []int{2}},
		"a database may be called so where words are in quotes": {svc, `
			host all all all scram-sha-256
			host replication all all trust # quoted`, []int{2}},
		"so may a role, a group and a machine": {svc, `
			host all all all scram-sha-256
			host app +apps all scram-sha-256
			host app all all scram-sha-256
			host app svc samenet scram-sha-256
			host app svc samenet trust
			host app svc 10.0.0.0/255.0.0.0 trust # quoted`, []int{5, 6}},
		"names in quotes are names": {svc, `
			host app svc 10.0.0.0/255.0.0.0 scram-sha-256
			host app all 10.1.0.0/255.255.0.0 trust # quoted`, nil},
		"unless an earlier line is about it":       {replicates, "host replication all all scram-sha-256\nhost replication all all trust", nil},
		"all of a cluster, and replication as one": {replicates, "host all,replication all all scram-sha-256\nhost all,replication svc all trust", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, line := range Otherwise(list(tc.lines), tc.who) {
				var n int
				_, err := fmt.Sscanf(line, "line %d of pg_hba.conf", &n)
				require.NoError(t, err)
				got = append(got, n)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestMachinesAreToldApartAndFollowersCounted(t *testing.T) {
	at := time.Now()
	one := Machine{System: "1", Primary: true, Started: at, Address: "10.0.0.1"}
	require.Empty(t, differ(nil))
	require.Empty(t, differ([]Machine{one, one}))
	for _, change := range []func(*Machine){
		func(m *Machine) { m.System = "2" }, func(m *Machine) { m.Primary = false },
		func(m *Machine) { m.Started = at.Add(time.Second) }, func(m *Machine) { m.Address = "10.0.0.2" },
		func(m *Machine) { m.Port = 5433 },
	} {
		other := one
		change(&other)
		require.NotEmpty(t, differ([]Machine{one, one, other}))
		require.Equal(t, !other.Started.Equal(one.Started), other.Itself() == one.Itself(), "only what is started again stays itself")
	}
	promoted := one
	promoted.Timeline = "00000002"
	require.NotEqual(t, one.Itself(), promoted.Itself())
	named := []*Machine{&one, {Address: "10.0.0.2", Follows: true}, {Address: "10.0.0.9"}, nil}
	followers := []Standby{{Application: "a", Address: "10.0.0.2"}, {Application: "b", Address: "10.0.0.2"}, {Application: "c", Address: "10.0.0.3"},
		{Application: "pg_basebackup", Address: "10.0.0.4", State: "backup"}, {Application: "pg_receivewal", Address: "10.0.0.4"}, {Application: "sub", Logical: true}}
	require.Equal(t, followers[1:3], Unnamed(named, followers))
	named[2].Follows = true // over another network, so that one of them is that one
	require.Equal(t, followers[2:3], Unnamed(named, followers))
	require.Empty(t, Unnamed(named, followers[:2]))
}

func TestAsWhomALineLogsInToADirectoryIsReadWithoutThePassword(t *testing.T) {
	t.Parallel()
	var r Rule
	r.asksDirectory([]string{"ldapserver=ldap1.example.org 2001:db8::1 [2001:db8::2]", "ldapport=1636", "ldapbinddn=uid=esg,ou=x,dc=org", "ldapbasedn=ou=people,dc=org"})
	r.Line = 7
	got := binds("db1", []Rule{{Method: "ldap", Line: 1}, r, {BindDN: "uid=x", Error: "wrong"}})
	require.Len(t, got, 1)
	require.Equal(t, "uid=esg,ou=x,dc=org", got[0].Name)
	require.Equal(t, []string{"ldap://ldap1.example.org:1636", "ldap://[2001:db8::1]:1636", "ldap://[2001:db8::2]:1636"}, got[0].URLs)
	require.Equal(t, "ou=people,dc=org", got[0].Below)
	require.Contains(t, got[0].Where, "line 7 of pg_hba.conf of db1")
}
