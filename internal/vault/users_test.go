package vault

import (
	"testing"

	"github.com/stretchr/testify/require"
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
