package vault

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestASecretSaysOfAUserWhereTeamsWriteIt(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		data map[string]any
		want []string
	}{
		"a field":              {map[string]any{"username": " svc-a ", "password": "x"}, []string{"svc-a"}},
		"two of a DN and name": {map[string]any{"bind_dn": "uid=svc-a,dc=x", "BindUser": "svc-a"}, []string{"svc-a", "uid=svc-a,dc=x"}},
		"an address":           {map[string]any{"url": "ldaps://svc%2da:p%40w@ldap1/ou=x"}, []string{"svc-a"}},
		"a connection string":  {map[string]any{"dsn": "Server=db1;User Id=svc-a;Password=x"}, []string{"svc-a"}},
		"a libpq one":          {map[string]any{"dsn": "host=db1 user='svc-a' password=x"}, []string{"svc-a"}},
		"a document":           {map[string]any{"config": `{"ldap": {"user": "svc-a", "password": "x"}}`}, []string{"svc-a"}},
		"a nested object":      {map[string]any{"ldap": map[string]any{"login": "svc-a", "pw": "x"}}, []string{"svc-a"}},
		"a part of a name":     {map[string]any{"smtp_user": "svc-a", "smtp_password": "x"}, []string{"svc-a"}},
		"an address's query":   {map[string]any{"url": "jdbc:postgresql://db1/x?user=svc%2Da&password=x"}, []string{"svc-a"}},
		"an address's rest":    {map[string]any{"url": "jdbc:sqlserver://db1:1433;databaseName=x;user=svc-a;password=x"}, []string{"svc-a"}},
		"lines of a .env":      {map[string]any{".env": "# ldap\r\nexport LDAP_BIND_DN=\"uid=svc-a,dc=x\"\r\nLDAP_PASSWORD=x\r\n"}, []string{"uid=svc-a,dc=x"}},
		"lines of YAML":        {map[string]any{"app.yml": "ldap:\n  username: svc-a\n  password: x\n"}, []string{"svc-a"}},
		"properties":           {map[string]any{"p": "spring.datasource.url=jdbc:x://h\nspring.datasource.username=svc-a\n"}, []string{"svc-a"}},
		"a list":               {map[string]any{"all": []any{map[string]any{"user": "svc-a"}, map[string]any{"user": "svc-b"}}}, []string{"svc-a", "svc-b"}},
		"none":                 {map[string]any{"key": "AAAA", "n": 3.0, "user": "", "text": "a=b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, Live{data: row.data}.Users())
		})
	}
}

// Servers write into their logs what they are asked for.
func TestATextThatMayBeAPasswordIsNotTakenForWhoseASecretIs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"svc-esg-0001", "svc", "SVC_ESG.02", "JSmith", `CORP\svc01`, "svc@corp.example.org", "uid=svc-esg,ou=people,dc=example,dc=org", "cn=Mail Gateway 2,dc=x", "backup/esg", "gmsa01$", "müller"} {
		l := Live{data: map[string]any{"username": name, "password": "aB3-x"}, field: "password", Value: credential.NewSecret("aB3-x")}
		user, why := l.UserIn("username")
		require.Equal(t, name, user, why)
		require.Equal(t, []string{name}, l.Named("password"))
		// The two may lie in each other's place.
		l = Live{data: map[string]any{"username": name, "password": "hunter2"}, field: "password", Value: credential.NewSecret("hunter2")}
		user, why = l.UserIn("username")
		require.Empty(t, user, name)
		require.Equal(t, "the password beside it is written as names are, so that the two may lie in each other's place", why)
		require.Empty(t, l.Named("password"), name)
	}
	for _, text := range []string{"S3cret-in-the-wrong-field", "P@ssw0rd", "Summer2024", "correct horse", "0123456789abcdef", "a3f9c2", "q7XmR2vLz9TkWb4NcY8s", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "what!", "a=b", "user:pass", `a\b\c`, "x@y@z.org", "x@localhost", "=,", "uid=a,dc=P1x=y",
		"-svc", "svc ", "aGVsbG8gd29ybGQ=", "3e2f1c9a-0000-4000-8000-000000000000"} {
		l := Live{data: map[string]any{"username": text, "password": "aB3-x"}, field: "password", Value: credential.NewSecret("aB3-x")}
		user, why := l.UserIn("username")
		if text == "svc " {
			require.Equal(t, "svc", user, "as it stands between blanks")
			continue
		}
		require.Empty(t, user, text)
		require.Equal(t, "it is not written as names of accounts are, so that it may be a password", why)
		require.Empty(t, l.Named("password"), text)
	}
	_, why := Live{data: map[string]any{"username": "svc"}, field: "username", Value: credential.NewSecret("svc")}.UserIn("username")
	require.Equal(t, "it is the field of the password", why)
}

func TestANameFromOutsideIsRepeatedOnlyWhereItIsNotWrittenAsPasswordsAre(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"password", "LDAP_BIND_PW", "spring.datasource.password", "web url", "oauth2_client", "s3-key", "uid=svc-app,dc=example,dc=org", `CORP\svc-app`, "svc-app@example.org", "bind[0]", "id_rsa_2048", ""} {
		require.Equal(t, name != "bind[0]", Repeatable(name), name)
	}
	for _, name := range []string{"E3P5MEXMCFW3OHX7BHAJPDMYCV-a1", "Summer2023", "tok-Ab3x", "p%ss", "hunter2!", "aVeryLongWordThatNobodyCallsAFieldBy"} {
		require.False(t, Repeatable(name), name)
	}
}
