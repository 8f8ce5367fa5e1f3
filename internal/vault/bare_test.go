package vault

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWhatIsADocumentAndWhatIsASecret(t *testing.T) {
	for _, row := range []struct {
		text, secret string
		bare, known  bool
	}{
		{"hunter2", "hunter2", true, false},
		{"a;b=c:d/e@f", "a;b=c:d/e@f", true, false},
		{"k=v;x=y", "k=v;x=y", true, false}, // names neither server nor user
		{`"quoted"`, "quoted", true, true},
		{`"quo"ted"`, `"quo"ted"`, true, false},
		{"{curly", "{curly", true, false},
		{"{curly}", "{curly}", true, false},
		{"two words", "two words", true, false},
		{"trailing\n", "trailing\n", true, false}, // the end of a line is the rotation's to try
		{"ldaps://svc:hunter2@ldap.example.org/ou=x", "hunter2", true, true},
		{"postgres://svc:a%3Ab%40c@db:5432/x?sslmode=require", "a:b@c", true, true},
		{"jdbc:postgresql://svc:hunter2@db/x", "hunter2", true, true},
		{"https://svc@example.org/", "", false, false}, // no password in it
		{"jdbc:postgresql://db/x?password=p", "p", true, true},
		{"jdbc:postgresql://db/x?password=a&pwd=b", "", false, false},
		{"ldaps://svc:p@ss@ldap.example.org/", "p@ss", true, true}, // as readers of addresses take it
		{"Server=db;Uid=svc;Pwd=hunter2", "hunter2", true, true},
		{`Server=db;Uid=svc;Pwd="a;b""c"`, `a;b"c`, true, true},
		{"Server=db;Uid=svc;Pwd={a;b}}c};X=y", "a;b}c", true, true},
		{"Server=db;Uid=svc", "", false, false},
		{"Server=db;Pwd=a;Password=b", "", false, false},
		{`host=db user=svc password='a b\'c'`, "a b'c", true, true},
		{`{"user": "svc", "password": "hunter2"}`, "hunter2", true, true},
		{"{\n \"auth\": {\"bindPassword\": \"hunter2\"}\n}\n", "hunter2", true, true},
		{`{"password": "a", "password": "b"}`, "", false, false},
		{`{"a": {"password": "x"}, "b": {"secret": "y"}}`, "", false, false},
		{`{"list": [{"password": "x"}]}`, "", false, false},
		{`{"user": "svc"}`, "", false, false},
		{`["a", "b"]`, "", false, false},
		{"{user: svc, password: x}", "", false, false},
		{"user: svc\npassword: x", "x", true, true},
		{"user: svc\npassword: x\npw: y", "", false, false},
		{"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "", false, false},
		{"", "", true, false},
		// The secret twice, or which of several it is cannot be told.
		{"ldap://svc:hunter2@h1:389,ldap://svc:hunter2@h2:389", "", false, false},
		{"postgres://a:x@h1/db postgres://b:y@h2/db", "", false, false},
		{"https://svc:hunter2@h/login?password=hunter2", "", false, false},
		{"https://svc:hunter2@h/login?pwd=other", "", false, false},
		{`{"password": "hunter2", "url": "ldaps://svc:hunter2@h"}`, "", false, false},
		{`{"password": {"value": "hunter2"}, "pw": "old"}`, "", false, false},
		// Short, and once more in base64, as registries' logins are kept.
		{`{"auths": {"r": {"username": "svc", "password": "s3cret", "auth": "c3ZjOnMzY3JldA=="}}}`, "", false, false},
		{`{"auths": {"r": {"username": "svc", "password": "abc", "auth": "c3ZjOmFiYw=="}}}`, "", false, false},
		{`{"password": "s3cret", "again": "czNjcmV0"}`, "", false, false},
		{`{"password": "s3cret", "again": "733363726574"}`, "", false, false},
		{"user: svc\npassword: s3cret\nauth: c3ZjOnMzY3JldA==\n", "", false, false},
		{`{"auths": {"r": {"password": "s3cret", "auth": "c3ZjOm90aGVy"}}}`, "s3cret", true, true},
	} {
		secret, around, bare := unwrap(row.text)
		require.Equal(t, row.bare, bare, row.text)
		require.Equal(t, row.known, around != nil, row.text)
		if bare {
			require.Equal(t, row.secret, secret, row.text)
		}
	}
}

// documents are forms around a secret that holds nothing odd.
var documents = []string{
	"ldaps://svc:OLD@ldap.example.org/ou=x?uid?sub",
	"jdbc:mysql://svc:OLD@db:3306/x?useSSL=true",
	"Server=db;User Id=svc;Password=OLD;Encrypt=true",
	`Server=db;Uid=svc;Pwd="OLD";`,
	"Driver={ODBC Driver 18};Server=db;Uid=svc;Pwd={OLD}",
	"host=db user=svc password=OLD sslmode=require",
	"host=db password='OLD' user=svc",
	`{"user": "svc", "password": "OLD", "port": 636, "big": 12345678901234567890, "x": [1, {"y": null}]}`,
	"{\n\t\"a/b\": {\"~c\": {\"bind_password\": \"OLD\"}}\n}\n",
}

func TestADocumentHoldsAnySecretAndAllElseStaysAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.SampledFrom(documents).Draw(t, "document")
		secret := rapid.StringMatching(`[ -~äß€\\'"{};=@:/?#%&<>]{1,24}`).Draw(t, "secret")
		old, around, _ := unwrap(strings.Replace(form, "OLD", "hunter2", 1))
		require.Equal(t, "hunter2", old)
		text, ok := around.around(secret)
		if !ok {
			return // refused, and nothing written
		}
		now, again, bare := unwrap(text)
		require.True(t, bare)
		require.Equal(t, secret, now)
		back, ok := again.around("hunter2")
		require.True(t, ok)
		was, _, _ := unwrap(back)
		require.Equal(t, "hunter2", was)
		before, after, _ := strings.Cut(form, "OLD")
		require.True(t, strings.HasPrefix(text, strings.TrimRight(before, `"'{`)), text)
		require.True(t, strings.HasSuffix(text, strings.TrimLeft(after, `"'}`)), text)
	})
}

func TestAConnectionStringKeepsItsFormWhateverTheSecretHolds(t *testing.T) {
	_, around, _ := unwrap("host=h user=svc password=hunter2 dbname=d")
	text, ok := around.around("a;b c'd")
	require.True(t, ok)
	require.Equal(t, `host=h user=svc password='a;b c\'d' dbname=d`, text)
	now, _, _ := unwrap(text)
	require.Equal(t, "a;b c'd", now)
}

// The value of a password policy's alphabet must never be refused.
func TestEveryDocumentTakesARotatedValue(t *testing.T) {
	for _, form := range documents {
		_, around, _ := unwrap(strings.Replace(form, "OLD", "hunter2", 1))
		_, ok := around.around("vkU.5mrM~-_+=^%@09azAZ")
		require.True(t, ok, form)
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, d := range documents {
		f.Add(strings.Replace(d, "OLD", "hunter2", 1), "new")
	}
	f.Fuzz(func(t *testing.T, text, secret string) {
		_, around, bare := unwrap(text)
		if around == nil || secret == "" {
			return
		}
		if !bare {
			t.Fatal("a known form that is not bare")
		}
		if out, ok := around.around(secret); ok {
			if now, _ := locate(out); now != secret {
				t.Fatalf("%q became %q", secret, now)
			}
		}
	})
}
