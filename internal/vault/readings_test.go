package vault

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

// named are forms with the account's own name before its secret.
var named = map[string]func(secret string) string{
	"colon":              around("svc:", ""),
	"a line":             around("svc:", "\r\n"),
	"colon, blank":       around("svc: ", ""),
	"slash":              around("svc/", ""),
	"blank":              around("svc ", ""),
	"tab":                around("svc\t", "\n"),
	"CSV":                around("svc,", ""),
	"semicolon":          around("svc ; ", ""),
	"bar":                around("svc|", ""),
	"hash":               around("svc#", ""),
	"percent sign":       around(`CORP\svc%`, "\n"),
	"domain":             around(`CORP\svc:`, ""),
	"at a domain":        around("svc@corp.example:", ""),
	"DN":                 around("uid=svc,ou=people,dc=x:", ""),
	"quotes":             around(`"svc:`, `"`),
	"single quotes":      around("'svc ", "'\n"),
	"blanks around":      around(" svc:", "\t"),
	"base64":             encodedBy(base64.StdEncoding, "svc:", ""),
	"base64, no padding": encodedBy(base64.RawURLEncoding, "svc:", ""),
	"base64 of a line":   encodedBy(base64.StdEncoding, "svc:", "\n"),
	"base64, DN":         encodedBy(base64.StdEncoding, "uid=svc,ou=people,dc=x:", ""),
	"env":                around("LDAP_PASSWORD='svc:", "'"),
	"JSON":               around(`{"credentials": "svc:`, `", "host": "h"}`),
	"JSON in base64":     encodedBy(base64.StdEncoding, `{"secret":"svc:`, `"}`),
	"env file":           around("LDAP_HOST=h\nLDAP_PASS=\"svc:", "\"\nX=1\n"),
	"connection string":  around("Server=db;Pwd=svc:", ";Timeout=3"),
}

var names = []string{"uid=svc,ou=people,dc=x", "svc@corp.example", `CORP\svc`, "svc"}

func TestWhatStandsBehindTheAccountsNameIsRewrittenAndAllElseStaysAsItWas(t *testing.T) {
	taken := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		old := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_.-]{6,26}[A-Za-z0-9]`).Draw(t, "old")
		next := rapid.OneOf(rapid.StringMatching(generated), rapid.StringMatching(`[ -~äß€\\'"{};=@:/?#%&<>\n]{1,24}`)).Draw(t, "new")
		for _, name := range slices.Sorted(maps.Keys(named)) {
			text := named[name](old)
			l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f")
			require.NotEqual(t, old, l.Value.Reveal(), name)
			l = l.Of(names)
			require.Equal(t, old, l.Value.Reveal(), "%s: %q", name, text)
			require.NotEmpty(t, l.More, "%s: where it is refused, nothing is set", name)
			data, err := l.with("f", credential.NewSecret(next), "")
			if err != nil {
				continue // refused, and nothing written
			}
			now := liveOf(Entry{Version: 2, Data: data}, "f").Of(names)
			require.Equal(t, next, now.Value.Reveal(), "%s: %q", name, data["f"])
			text, _ = data["f"].(string)
			if name == "connection string" { // which quotes some signs
				text = strings.ReplaceAll(text, `="svc:`+next+`"`, "=svc:"+next)
			}
			require.Equal(t, named[name](next), text, name)
			taken[name]++
		}
	})
	for name := range named {
		require.Positive(t, taken[name], name)
	}
}

func TestANameThatIsNotTheAccountsIsAPartOfItsPassword(t *testing.T) {
	for _, text := range []string{"svc:hunter2-x", "svc", "svc:", "svcs:hunter2-x", "other svc:hunter2-x", "svc=hunter2-x"} {
		for _, users := range [][]string{nil, {""}, {"oth"}, {"sv"}, {"svc:"}} {
			l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f").Of(users)
			require.Equal(t, text, l.Value.Reveal(), users)
		}
	}
	for _, text := range []string{"svc", "svc:", "svcs:hunter2-x", "svc:two words", `svc:"hunter2"`, "svc:hunter2 # svc:hunter2"} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f").Of(names)
		require.Equal(t, text, l.Value.Reveal())
	}
}

func TestWhatMayBeANameBeforeASecret(t *testing.T) {
	for text, want := range map[string][]string{
		"hunter2": nil, "svc:x": {"svc"}, "svc : x:y": {"svc", "svc : x"}, `CORP\svc/x`: {`CORP\svc`}, "cn=Service Mail,dc=x:p": {"cn=Service", "cn=Service Mail", "cn=Service Mail,dc=x"},
		b64("svc:hunter2-x1"): {"svc"}, "svc#x": {"svc"}, "svc % x": {"svc"},
	} {
		require.Equal(t, want, liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f").Before(), text)
	}
}

// What looks like a form may be the password as it stands: both are known, the
// account says which it is.
func TestATextThatMayBeAPasswordAsItStandsHasTwoReadings(t *testing.T) {
	for text, first := range map[string]string{
		"password=hunter2-x": "hunter2-x", "pwd: x1y2z3\n": "x1y2z3", `"hunter2"`: "hunter2", "'hunter2'\n": "hunter2", " hunter2": "hunter2",
		"secret='a b'": "a b", b64("hunter2-hunter2!"): "hunter2-hunter2!", base64.RawStdEncoding.EncodeToString([]byte("hunter2-hunter2")): "hunter2-hunter2",
		"Basic " + b64("svc:hunter2-x"): "hunter2-x", "Server=db;Uid=svc;Pwd=hunter2": "hunter2",
	} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text, "g": "x"}}, "f")
		require.Equal(t, first, l.Value.Reveal(), text)
		require.Equal(t, strings.TrimRight(text, "\n"), l.Other.Reveal(), text)
		data, err := l.AsOther().with("f", credential.NewSecret("new-one-new-one"), "")
		require.NoError(t, err, text)
		require.Equal(t, map[string]any{"f": "new-one-new-one", "g": "x"}, data)
		require.True(t, l.AsOther().Other.IsZero() && l.AsValue().Other.IsZero())
	}
	short := liveOf(Entry{Version: 1, Data: map[string]any{"f": "aHVudGVyMi14\n"}}, "f")
	require.Equal(t, "aHVudGVyMi14\n", short.Value.Reveal())
	require.Equal(t, "hunter2-x", short.Other.Reveal())
	data, err := short.AsOther().with("f", credential.NewSecret("new-one-new-one"), "")
	require.NoError(t, err)
	require.Equal(t, base64.StdEncoding.EncodeToString([]byte("new-one-new-one"))+"\n", data["f"])
	for _, text := range []string{"hunter2", "hunter2\n", "two words", "A=1\nPASSWORD=hunter2-x\n", `{"password": "hunter2"}`, "ldaps://svc:hunter2@h/", "c29tZQ/zk+Lw", strings.Repeat("x", 200) + "=", "PASSWORD=" + strings.Repeat("x", 200)} {
		require.True(t, liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f").Other.IsZero(), text)
	}
}

// Base64 of which it does not show whether it is padded takes what needs no
// padding.
func TestBase64ThatShowsNoPaddingTakesWhatNeedsNone(t *testing.T) {
	for n := 12; n < 30; n += 3 {
		old := strings.Repeat("x1z", n/3)
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": b64(old)}}, "f")
		require.Equal(t, old, l.Value.Reveal())
		for length := 16; length < 40; length++ {
			next := strings.Repeat("aB3", 14)[:length]
			data, err := l.AsValue().with("f", credential.NewSecret(next), "")
			require.Equal(t, length%3 == 0, err == nil, length)
			if err == nil {
				require.Equal(t, b64(next), data["f"])
			}
		}
	}
}

// A write that lost its race reads the field as it was read before.
func TestARaceForAFieldOfTwoReadingsKeepsTheOneThatWasTaken(t *testing.T) {
	s := newClient(t)
	for _, row := range []struct {
		text, want string
		take       func(Live) Live
	}{
		{"password=hunter2-x", "new-one-new-one", Live.AsOther},
		{"password=hunter2-x", "password=new-one-new-one", Live.AsValue},
		{"svc:hunter2-x", "svc:new-one-new-one", func(l Live) Live { return l.Of(names).AsValue() }},
		{"svc:hunter2-x", "new-one-new-one", func(l Live) Live { return l.Of(names).AsOther() }},
	} {
		p := vaulttest.NewPath()
		vaulttest.SeedLive(t, p, map[string]any{"password": row.text, "note": "a"})
		from, err := s.ReadLive(t.Context(), p, 0)
		require.NoError(t, err)
		from = row.take(from)
		vaulttest.SeedLive(t, p, map[string]any{"password": row.text, "note": "b"})
		for range 2 { // the second one is the retry after a lost answer
			now, err := s.Activate(t.Context(), p, from, credential.NewSecret("new-one-new-one"), "")
			require.NoError(t, err, row.text)
			require.Equal(t, "new-one-new-one", now.Value.Reveal())
		}
		now, err := s.ReadLive(t.Context(), p, 0)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"password": row.want, "note": "b"}, now.data)
	}
}

// Python's configparser takes a doubled percent sign for one, and other readers
// of such files do not: the account says which is meant, and what is written
// means the same to both.
func TestADoubledPercentSignIsReadBothWays(t *testing.T) {
	for _, row := range []struct{ text, first, second string }{
		{"[ldap]\nbind_password = ab%%cd\n", "ab%cd", "ab%%cd"},
		{"[ldap]\r\nhost=h\r\nbind_password: ab%%%%cd\r\n", "ab%%cd", "ab%%%%cd"},
		{"[ldap]\npassword = \"ab%%cd\"\n", "ab%cd", "ab%%cd"},
		{"LDAP_PASSWORD=ab%%cd\nHOST=h\n", "ab%%cd", "ab%cd"},
		{"ldap_password = ab%%cd", "ab%%cd", "ab%cd"},
	} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": row.text}}, "f")
		require.Empty(t, l.Problem, row.text)
		require.Equal(t, row.first, l.Value.Reveal(), row.text)
		require.Equal(t, row.second, l.Other.Reveal(), row.text)
		next := credential.NewSecret("aB3-aB3xyz-aB3xy")
		require.NoError(t, l.Takes("f", next))
		require.Error(t, l.Takes("f", credential.NewSecret("aB3%xyz-aB3xyz")))
		for _, as := range []Live{l, l.AsOther()} {
			data, err := as.with("f", next, "")
			require.NoError(t, err)
			now := liveOf(Entry{Version: 2, Data: data}, "f")
			require.Equal(t, next.Reveal(), now.Value.Reveal())
			require.True(t, as.heldIn(now), "what stands around it stays")
		}
	}
	inBase64 := liveOf(Entry{Version: 1, Data: map[string]any{"f": b64("[ldap]\nbind_password = ab%%cd\n")}}, "f")
	require.Equal(t, "ab%cd", inBase64.Value.Reveal())
	require.Equal(t, "ab%%cd", inBase64.Other.Reveal())
	for _, text := range []string{"[ldap]\nbind_password = ab%cd\n", "[ldap]\nbind_password = ab%%c%d\n", "[ldap]\nbind_password = abcd\n"} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f")
		require.True(t, l.Found)
		require.True(t, l.Other.IsZero(), text)
	}
	for _, text := range []string{"[ldap]\nbind_password = %(base)s-x1\n", "[ldap]\nbind_password = a$$b\n", "[ldap]\nbind_password = ${base:x}\n", "LDAP_PASSWORD=${OTHER}\nX=1\n", "LDAP_PASSWORD=\"a$b\"\nX=1\n"} {
		require.Equal(t, credential.NotBare, liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f").Problem, "%s: what it means only its reader knows", text)
	}
	require.Contains(t, liveOf(Entry{Version: 1, Data: map[string]any{"f": "ab%%cd-x1"}}, "f").More, "doubled percent")
	twice := liveOf(Entry{Version: 1, Data: map[string]any{"f": "[a]\npassword = abcde%%fghij\nold = abcde%fghij\n"}}, "f")
	require.Equal(t, credential.NotBare, twice.Problem, "the secret a second time, as the other reader has it")
}

// What "$" means in an env file its reader decides: systemd and Compose 1 take
// it as it stands (systemd.exec(5); 1.29 tried), shells and Compose 2 expand
// it. In single quotes all four take it as it stands.
func TestADollarInAnEnvFileIsReadInSingleQuotesAlone(t *testing.T) {
	for _, value := range []string{"a$$b-x1", "a$b-x1", "${b}-x1", "$$$$-x1", "a`b`-x1"} {
		for _, line := range []string{"LDAP_PASSWORD=" + value, `LDAP_PASSWORD="` + value + `"`, "export LDAP_PASSWORD=" + value, `export LDAP_PASSWORD="` + value + `"`, "LDAP_PASSWORD: " + value} {
			for _, text := range []string{line + "\n", line + "\nOTHER=1\n", "# for the gateway\nOTHER=1\n" + line} {
				l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f")
				// A line alone may be a password with "=" in it, which the
				// account says; refused, it is not-a-bare-secret too.
				require.True(t, l.Problem == credential.NotBare || l.More != "" && strings.TrimSuffix(l.Value.Reveal(), "\n") == strings.TrimSuffix(text, "\n"), "%s: %q %q", text, l.Problem, l.More)
			}
		}
		quoted := liveOf(Entry{Version: 1, Data: map[string]any{"f": "LDAP_PASSWORD='" + value + "'\nOTHER=1\n"}}, "f")
		require.Empty(t, quoted.Problem)
		require.Equal(t, value, quoted.Value.Reveal())
		require.NoError(t, quoted.Takes("f", credential.NewSecret("fresh$-and-long-1")))
	}
	// Nor a quote inside them: a shell reads that way to write one, and Compose
	// 1 leaves such a variable out.
	l := liveOf(Entry{Version: 1, Data: map[string]any{"f": "LDAP_PASSWORD='abc-x1'\nOTHER=1\n"}}, "f")
	require.Empty(t, l.Problem)
	require.Error(t, l.Takes("f", credential.NewSecret("fresh'and-long-1")))
	require.Equal(t, credential.NotBare, liveOf(Entry{Version: 1, Data: map[string]any{"f": `LDAP_PASSWORD='it'\''s-x1'` + "\nOTHER=1\n"}}, "f").Problem)
	for _, line := range []string{"LDAP_PASSWORD=abc-x1", `LDAP_PASSWORD="abc-x1"`} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": line + "\nOTHER=1\n"}}, "f")
		require.Empty(t, l.Problem)
		require.Error(t, l.Takes("f", credential.NewSecret("fresh$$and-long-1")), "nor is one written there")
	}
}
