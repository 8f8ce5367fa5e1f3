package vault

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A secret beside the one that is rotated is seen by its form too, whatever its
// field is called, and where it stands within a document.
func TestWhatLooksLikeACredentialIsSeenByItsNameOrItsForm(t *testing.T) {
	named := func(name, value string) bool {
		return slices.Contains([]string{"api_key", "token", "auth", "community", "creds"}, strings.ToLower(name)) && value != "LOGIN"
	}
	secrets := map[string]any{
		"an address":                          "smtp://esg:PLANTED@mail.example.org:587",
		"an address without a user":           "redis://:PLANTED@db.example.org/0",
		"an address among others":             "amqp://h1, amqp://u:PLANTED@h2",
		"jdbc":                                "jdbc:postgresql://db/x?user=svc&password=PLANTED",
		"oracle":                              "jdbc:oracle:thin:svc/PLANTED@//db/x",
		"sqlserver":                           "jdbc:sqlserver://db;user=svc;password=PLANTED",
		"odbc":                                "Server=db;Uid=svc;Pwd=PLANTED",
		"libpq":                               "host=db user=svc password=PLANTED",
		"a query":                             "https://sms.example.org/send?token=PLANTED",
		"a document":                          `{"smtp": {"host": "h", "password": "PLANTED"}}`,
		"a list of documents":                 `[{"user": "a", "pass": "PLANTED"}]`,
		"an object":                           map[string]any{"host": "h", "password": "PLANTED"},
		"an object in an object":              map[string]any{"mail": map[string]any{"API_KEY": "PLANTED"}},
		"a list":                              []any{map[string]any{"secret": "PLANTED"}},
		"an env file":                         "HOST=h\nSMTP_PASSWORD=PLANTED\n",
		"yaml":                                "smtp:\n  host: h\n  password: PLANTED\n",
		"ini":                                 "[smtp]\nhost = h\nsecret = PLANTED\n",
		"an address in an env file":           "DATABASE_URL=postgres://u:PLANTED@db/x\n",
		"xml":                                 "<smtp><host>h</host><password>PLANTED</password></smtp>",
		"xml with attributes":                 `<smtp host="h" password="PLANTED"/>`,
		"a private key":                       "-----BEGIN OPENSSH PRIVATE KEY-----\nPLANTED\n-----END OPENSSH PRIVATE KEY-----\n",
		"a header":                            "Basic " + base64.StdEncoding.EncodeToString([]byte("esg:PLANTED")),
		"bearer":                              "Bearer PLANTEDPLANTED",
		"a token of Vault":                    "hvs.PLANTEDPLANTEDPLANTEDPLANTED",
		"one of GitHub":                       "ghp_PLANTEDPLANTEDPLANTEDPLANTEDPLAN",
		"a document in base64":                base64.StdEncoding.EncodeToString([]byte(`{"auths": {"registry": {"auth": "UExBTlRFRA=="}}}`)),
		"creds":                               map[string]any{"value": "PLANTED"},
		"community":                           "PLANTED",
		"token":                               json.Number("4711"),
		"an address in whose name is the key": "https://u:PLANTED@sentry.example.org/1",
	}
	none := map[string]any{
		"host": "mail.example.org", "url": "https://mail.example.org/x?lang=en", "jdbc_url": "jdbc:postgresql://db/x?ssl=true", "user": "esg",
		"ldap": "ldap://h:389/dc=example,dc=org?uid", "port": json.Number("25"), "tls": true, "nothing": nil, "empty": "", "api_key": "", "auth": "LOGIN",
		"json": `{"host": "h", "port": 25}`, "object": map[string]any{"host": "h", "token": ""}, "lines": "HOST=h\nPORT=25\n", "dn": "cn=esg,dc=example,dc=org",
		"note": "see the wiki: https://wiki.example.org/esg", "password": "", "certificate": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
		"public": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA esg", "pairs": "Server=db;Database=x", "plain xml": "<smtp><host>h</host></smtp>", "random": "q8f2-Zk3v_91",
		OwnerField: "corp/x",
	}
	all := map[string]any{"PASSWORD": "the-one-that-is-rotated"}
	var want []string
	for name, v := range secrets {
		all[name], want = v, append(want, name)
	}
	for name, v := range none {
		all[name] = v
	}
	slices.Sort(want)
	l := liveOf(Entry{Version: 1, Data: all}, "PASSWORD")
	got, more := l.Credentials(named)
	require.Equal(t, want, slices.DeleteFunc(got, func(f string) bool { return f == "PASSWORD" }))
	require.False(t, more)
}

// A document may have another secret besides the one password in it that is
// rotated.
func TestASecondSecretInTheSameFieldIsSeen(t *testing.T) {
	named := func(name, _ string) bool { return strings.Contains(strings.ToLower(name), "token") }
	for text, want := range map[string]bool{
		`{"password": "hunter2hunter2"}`:                                    false,
		`{"password": "hunter2hunter2", "api_token": "tok"}`:                true,
		"LDAP_PASSWORD=hunter2hunter2\nHOST=h\n":                            false,
		"LDAP_PASSWORD=hunter2hunter2\nAPI_TOKEN=tok\n":                     true,
		"LDAP_PASSWORD=hunter2hunter2\nDB=postgres://u:other@h/x\n":         true,
		"Server=db;User Id=x;Password=hunter2hunter2":                       false,
		"Server=db;User Id=x;Password=hunter2hunter2;Access Token=tok":      true,
		"smtp://u:hunter2%2Fhunter2@h":                                      false,
		"https://u:hunter2hunter2@h/?token=tok":                             true,
		"hunter2hunter2":                                                    false,
		"x":                                                                 false,
		"password=x1":                                                       false,
		`"hunter2hunter2"`:                                                  false,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("u:hunter2x")):  false,
		base64.StdEncoding.EncodeToString([]byte(`{"password": "hunter"}`)): false,
	} {
		l := liveOf(Entry{Version: 1, Data: map[string]any{"f": text}}, "f")
		require.Empty(t, l.Problem, text)
		_, more := l.Credentials(named)
		require.Equal(t, want, more, text)
	}
}
