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
)

// around gives a form its text before and behind a secret.
func around(before, after string) func(string) string {
	return func(secret string) string { return before + secret + after }
}

func encodedBy(e *base64.Encoding, before, after string) func(string) string {
	return func(secret string) string { return e.EncodeToString([]byte(before + secret + after)) }
}

// wrapped are forms of which it is certain what is the secret, and how another
// one is written.
var wrapped = map[string]func(secret string) string{
	"env":                      around("LDAP_PASSWORD=", ""),
	"env, double quotes":       around(`LDAP_PASSWORD="`, `"`),
	"env, single quotes":       around("export SMTP_PASS='", "'\n"),
	"env file":                 around("# the gateway's\nexport LDAP_HOST=ldap.example.org\nLDAP_USER=svc\n\nLDAP_PASSWORD=", "\nLDAP_TLS=true # always\n"),
	"env file, Windows":        around("\ufeffA=1\r\nDB_PWD=", "\r\nB=\"x y\"\r\n"),
	"env file, no last end":    around("A=1\nexport\tDB_PWD=", ""),
	"env, comment behind":      around("BIND_PW='", "' # rotated yearly\nX=1\n"),
	"env, unquoted comment":    around("BIND_PW=", "  # rotated yearly\nX=1\n"),
	"YAML":                     around("password: ", ""),
	"YAML document":            around("---\nldap:\n  host: ldap.example.org\n  bind_dn: cn=svc,dc=x\n  bind_password: ", "\n  tls: true\n"),
	"YAML, quoted":             around("user: svc\npassword: \"", "\"   \n# end\n"),
	"properties":               around("! mail\nspring.ldap.username = svc\nspring.ldap.password = ", "\n"),
	"INI":                      around("[ldap]\r\nuser=svc\r\npassword=", "\r\n\r\n[smtp]\r\nhost=mail\r\n"),
	"TOML":                     around("[bind]\nuser = \"svc\"\npassword = \"", "\"\n"),
	"double quotes":            around(`"`, `"`),
	"single quotes":            around(`'`, "'\n"),
	"blanks":                   around(" ", "\t\n"),
	"byte order mark":          around("\ufeff", ""),
	"byte order mark and line": around("\ufeff", "\r\n"),
	"a quoted address":         around(`"ldaps://svc:`, `@ldap.example.org/"`),
	"JDBC":                     around("jdbc:mysql://db:3306/x?user=svc&password=", "&useSSL=true"),
	"JDBC, SQL Server":         around("jdbc:sqlserver://db:1433;databaseName=x;user=svc;password=", ";encrypt=true"),
	"JDBC, Oracle":             around("jdbc:oracle:thin:svc/", "@//db:1521/x"),
	"ADO":                      around("Host=db;User=svc;Password=", ";Timeout=3"),
	"base64":                   encodedBy(base64.StdEncoding, "", ""),
	"base64, URL, no padding":  encodedBy(base64.RawURLEncoding, "", ""),
	"base64, no padding":       encodedBy(base64.RawStdEncoding, "", ""),
	"base64 of a line":         encodedBy(base64.StdEncoding, "", "\n"),
	"base64 of JSON":           encodedBy(base64.StdEncoding, `{"user":"svc","password":"`, `"}`),
	"Basic":                    func(s string) string { return "Basic " + encodedBy(base64.StdEncoding, "svc:", "")(s) },
	"header":                   func(s string) string { return "Authorization: basic " + encodedBy(base64.StdEncoding, "svc:", "")(s) },
}

// What Rollcall makes by default has these at its ends and in its middle
// (internal/password).
const generated = `[A-Za-z0-9][A-Za-z0-9_.-]{14,30}[A-Za-z0-9]`

// What is written is read back as the new value, and all around it is as it
// was.
func TestWhatIsWrappedIsRewrittenAndAllElseStaysAsItWas(t *testing.T) {
	taken := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		old := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_.-]{6,26}[A-Za-z0-9]`).Draw(t, "old")
		next := rapid.OneOf(rapid.StringMatching(generated), rapid.StringMatching(`[ -~äß€\\'"{};=@:/?#%&<>\n]{1,24}`)).Draw(t, "new")
		for _, name := range slices.Sorted(maps.Keys(wrapped)) {
			if rewrites(t, name, old, next) {
				taken[name]++
			}
		}
	})
	for name := range wrapped {
		require.Positive(t, taken[name], name)
	}
}

// escaping are forms that write what stands for itself elsewhere in another
// way.
var escaping = []string{"JDBC", "a quoted address", "ADO", "base64 of JSON"}

func rewrites(t *rapid.T, name, old, next string) bool {
	text := wrapped[name](old)
	l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text, "other": "x"}}, "f")
	if l.Value.Reveal() != old {
		// Short base64 is a password first.
		require.True(t, strings.HasPrefix(name, "base64") && len(text) < base64Least && l.Other.Reveal() == old, "%s: %q", name, text)
		l = l.AsOther()
	}
	data, err := l.with("f", credential.NewSecret(next), "")
	if err != nil {
		return false // refused, and nothing written
	}
	now := liveOf(Entry{Version: 2, Data: data}, "f")
	require.Equal(t, next, now.Value.Reveal(), "%s: %q", name, data["f"])
	require.Equal(t, "x", data["other"])
	if !slices.Contains(escaping, name) {
		require.Equal(t, wrapped[name](next), data["f"], name)
		return true
	}
	if name == "base64 of JSON" && !strings.HasSuffix(data["f"].(string), "=") {
		return true // whether a longer one would be padded does not show any more
	}
	back, err := now.with("f", l.Value, "")
	require.NoError(t, err)
	require.Equal(t, text, strings.ReplaceAll(back["f"].(string), `="`+old+`"`, "="+old), name)
	return true
}

// Where two readings are as likely as each other, none is taken: it stays as it
// is.
func TestWhatMayBeReadInTwoWaysIsNotRewritten(t *testing.T) {
	for name, text := range map[string]string{
		"two secrets":              "LDAP_PASSWORD=hunter2-x\nDB_PASSWORD=other",
		"twice":                    "PASSWORD=hunter2-x\nURL=ldaps://svc:hunter2-x@h\n",
		"in a comment too":         "#PASSWORD=hunter2-x\nPASSWORD=hunter2-x\n",
		"value of several lines":   "password: hunter2-x\n  and-more\nuser: svc",
		"block":                    "password: |\n  hunter2-x\n",
		"goes on":                  "password=hunter2-x\\\nmore\n",
		"variable":                 "PASSWORD=${OTHER}\nA=1",
		"escapes":                  "PASSWORD=\"hunter\\t2-x\"\nA=1",
		"list":                     "- password: hunter2-x\n- user: svc",
		"line that is no setting":  "PASSWORD=hunter2-x\nsource other.env\n",
		"anchor":                   "a: 1\npassword: &p hunter2-x\n",
		"a secret without a name":  "LDAP_BIND=hunter2-x\nA=1",
		"a lone carriage return":   "A=1\rPASSWORD=hunter2-x\nB=1",
		"two parameters":           "jdbc:mysql://db/x?password=a&pwd=b",
		"blank that may be a plus": "jdbc:mysql://db/x?password=a+b",
		"userinfo and a parameter": "https://svc:hunter2@h/login?pwd=other",
		"base64 of two secrets":    b64(`{"password":"a","api":{"password":"b"}} `),
		"SQL Server, braces":       "jdbc:sqlserver://db;user=svc;password={a;b}",
	} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f")
		require.True(t, l.Problem == credential.NotBare || l.Found && l.More != "" && l.around == nil, "%s: %q", name, l.Value.Reveal())
	}
	for _, text := range []string{"hunter2", "Winter=2024!", "pw=x9", "svc;hunter2", "c29tZQ/zk+Lw9xQ==", "correct horse", "abc:def", `it"s`, "8c7dd922-ad47-494f-bc02-c388e00e5c9f", "hunter2\n", "hunter2\r\n", "aHVudGVyMi14"} {
		s, w, bare := unwrap(text)
		require.True(t, bare && w == nil && s == text, text)
	}
}

// A new value that would be read as another one is not written: the next one
// is.
func TestAValueThatWouldBeReadAsAnotherIsNotWritten(t *testing.T) {
	for _, text := range []string{"password=aB3xyzaB3xyz", `"aB3xyzaB3xyz"`, " aB3xyz", b64("aB3xyz-aB3xyz-xy"), "Server=db;Pwd=x", "ldaps://a:b@c"} {
		require.Error(t, Live{}.Takes("password", credential.NewSecret(text)), text)
		require.Error(t, liveOf(Entry{Version: 1, Data: map[string]any{"password": "old"}}, "password").Takes("password", credential.NewSecret(text)), text)
	}
}

// configparser expands "%" in INI files, between quotes too; PHP's INI files
// compute with "~", "^" and "!".
func TestAFileOfSettingsGetsNoSymbolThatItsReaderMayExpand(t *testing.T) {
	for _, text := range []string{"[ldap]\nuser = x\npassword = old-1\n", "A=1\nPASSWORD=old-1\n", "a: 1\npassword: old-1\n", "[ldap]\npassword = \"old-1\"\n"} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f")
		require.Equal(t, "old-1", l.Value.Reveal(), text)
		require.Error(t, l.Takes("f", credential.NewSecret("aB3%xyz-aB3xyz")), text)
		if !strings.Contains(text, `"`) {
			for _, symbol := range []string{"~", "^", "!", "="} {
				require.Error(t, l.Takes("f", credential.NewSecret("aB3"+symbol+"xyz-aB3xyz")), "%s: %s", text, symbol)
			}
		}
		require.NoError(t, l.Takes("f", credential.NewSecret("aB3-_.+xyz")), text)
	}
}

func TestWhatIsTakenOutOfQuotesMayBeTheWhole(t *testing.T) {
	for text, within := range map[string]string{`"hunter2"`: "quotes", b64("hunter2-hunter2"): "base64", b64("hunter2-hunter2!"): "base64", " hunter2": "blanks or a byte order mark", "PASSWORD=hunter2": "", "hunter2": ""} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f")
		require.Equal(t, within, l.Within, text)
		require.Equal(t, within != "", l.around != nil && l.More != "", text)
	}
}
