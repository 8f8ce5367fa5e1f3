package inventory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// A mistyped name in a row makes a new secret, which nothing reads. So a row
// whose secret is not there is a question with exit code 2, with what is there
// under a like name, until somebody says that it is new.
func TestASecretThatARowNamesAndThatIsNotThereIsAQuestion(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{
		"np/mail/relay":      {"password": "p1"},
		"np/mail/esg-01/key": {"password": "p2"},
		"np/Billing/db":      {"password": "p3"},
	}))
	require.NoError(t, realVault.SeedMetadata(t.Context(), map[string]map[string]any{"np/mail/prepared": {"account": "alice"}}))
	listed := func(t *testing.T, token, rows string, confirm ...config.Confirm) (credential.Credential, *credential.Roll) {
		t.Helper()
		c := campaign()
		c.Directories["corp"] = corp()
		c.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "list.yaml", Content: []byte(rows)}}
		c.Confirm = confirm
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		return byName(roll)[slapd.AccountDN("alice")], roll
	}
	root := realVault.RootToken().Reveal()
	asked := func(roll *credential.Roll) []string {
		var out []string
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingNewSecret {
				require.True(t, w.Code.Incomplete())
				out = append(out, w.Detail)
			}
		}
		return out
	}
	for wrote, like := range map[string]string{
		"np/mail/rely":         "kv/np/mail/relay is",
		"np/mail/realy":        "kv/np/mail/relay is",
		"np/mail/Relay":        "kv/np/mail/relay is",
		"np/mail/relays":       "kv/np/mail/relay is",
		"np/mail/relay-bind":   "kv/np/mail/relay is",
		"np/relay":             "kv/np/mail/relay is",
		"np/mail/esg-01/relay": "kv/np/mail/relay is",
		"np/mial/relay":        "kv/np/mail/relay is",
		"np/mails/rely":        "kv/np/mail/relay is",
		"np/mail/key":          "kv/np/mail/esg-01/key is",
		"np/mail/esg01/key":    "kv/np/mail/esg-01/key is",
		"np/billing/db":        "kv/np/Billing/db is",
		"np/mail/quarantine":   "no such secret is there: kv/np/mail/quarantine#password",
		"elsewhere/thing":      "no such secret is there: kv/elsewhere/thing#password",
	} {
		t.Run(wrote, func(t *testing.T) {
			alice, roll := listed(t, root, "- {account: alice, path: kv/"+wrote+"#password}\n")
			require.Empty(t, alice.Problem)
			require.Equal(t, alice.Paths, alice.Makes)
			require.Len(t, asked(roll), 1)
			require.Contains(t, asked(roll)[0], like)
			require.Contains(t, asked(roll)[0], "list.yaml:1")
			require.Contains(t, asked(roll)[0], "new: true")
			if strings.HasSuffix(like, " is") {
				require.Contains(t, asked(roll)[0], "what reads the other one is cut off")
			}
		})
	}
	t.Run("somebody says that it is new", func(t *testing.T) {
		alice, roll := listed(t, root, "- {account: alice, path: kv/np/mail/rely#password, new: true}\n")
		require.Equal(t, alice.Paths, alice.Makes)
		require.Empty(t, asked(roll))
	})
	t.Run("it is there", func(t *testing.T) {
		alice, roll := listed(t, root, "- {account: alice, path: kv/np/mail/relay#password}\n")
		require.Empty(t, alice.Makes)
		require.Empty(t, asked(roll))
	})
	t.Run("somebody made it, with metadata alone", func(t *testing.T) {
		alice, roll := listed(t, root, "- {account: alice, path: kv/np/mail/prepared#password}\n")
		require.Equal(t, alice.Paths, alice.Makes)
		require.Empty(t, asked(roll))
	})
	t.Run("nobody named it, and it is Rollcall's own path", func(t *testing.T) {
		alice, roll := listed(t, root, "- {account: alice}\n")
		require.True(t, alice.Adopted)
		require.Empty(t, alice.Makes)
		require.Empty(t, asked(roll))
	})
	t.Run("beside another place that is there", func(t *testing.T) {
		alice, roll := listed(t, root, "- {account: alice, path: kv/np/mail/relay#password}\n- {account: alice, path: kv/np/Billing/dbs#password}\n")
		require.Len(t, alice.Paths, 2)
		require.Len(t, alice.Makes, 1)
		require.Contains(t, asked(roll)[0], "kv/np/Billing/db is")
	})
	t.Run("a person's word for a path", func(t *testing.T) {
		word := config.Confirm{Account: slapd.AccountDN("alice"), Path: credential.Path{Mount: "kv", Path: "np/mail/rely", Field: "password"}, Reason: "asked"}
		_, roll := listed(t, root, "- {account: alice}\n", word)
		require.Contains(t, asked(roll)[0], "confirm in the campaign file names kv/np/mail/rely#password for "+slapd.AccountDN("alice"))
		word.New = true
		alice, roll := listed(t, root, "- {account: alice}\n", word)
		require.Empty(t, asked(roll))
		require.Equal(t, []credential.Path{word.Path}, alice.Named)
		require.Empty(t, alice.Confirmed, "of what is there when the value is written nobody has said whose it is")
	})
	t.Run("what a person does", func(t *testing.T) {
		row := "- {kind: shared-secret, name: radius, owner: userpass/a, due: 8h, ends: a; b, path: kv/np/mail/rely#password%s}\n"
		_, roll := listed(t, root, fmt.Sprintf(row, ""))
		require.Contains(t, asked(roll)[0], "for radius")
		_, roll = listed(t, root, fmt.Sprintf(row, ", new: true"))
		require.Empty(t, asked(roll))
	})
	t.Run("a login that may not list what is beside it", func(t *testing.T) {
		require.NoError(t, realVault.Client().Sys().PutPolicy("np-blind", `
path "kv/data/*" { capabilities = ["read", "create", "update"] }
path "rollcall/*" { capabilities = ["read", "list"] }
path "sys/auth" { capabilities = ["read"] }
path "sys/mounts" { capabilities = ["read"] }`))
		got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"np-blind"}})
		require.NoError(t, err)
		_, roll := listed(t, got.Auth.ClientToken, "- {account: alice, path: kv/np/mail/rely#password}\n")
		require.Len(t, asked(roll), 1)
		require.Contains(t, asked(roll)[0], "may not list")
	})
}

func TestRowsWhoseSecretsAreNotThereAreOneWarning(t *testing.T) {
	n := &newPlaces{l: &lister{vault: emptyVault{}}}
	for i := range 30 {
		n.found = append(n.found, unmade{credential.Path{Mount: "kv", Path: fmt.Sprintf("a/%02d", i), Field: "password"}, "x", "m.csv:2"})
	}
	require.NoError(t, n.tell(t.Context()))
	require.Len(t, n.l.warnings, 1)
	require.Contains(t, n.l.warnings[0].Detail, "kv/a/09#password")
	require.NotContains(t, n.l.warnings[0].Detail, "kv/a/10#password")
	require.Contains(t, n.l.warnings[0].Detail, "and 20 more")
}

func TestNamesThatSomebodyMayHaveMixedUpAreAlike(t *testing.T) {
	for _, x := range []struct {
		wrote, there string
		like         bool
	}{
		{"relay", "relay", true}, {"rely", "relay", true}, {"Relay", "relay", true}, {"re-lay", "relay", true}, {"relays", "relay", true},
		{"realy", "relay", true}, {"esg-1", "esg-01", true}, {"ldap", "ldap-bind", true}, {"ldap-bind", "ldap", true}, {"svc_scan", "svc-scan", true},
		{"日本", "日本", true},
		{"mail", "sales", false}, {"a", "b", false}, {"db", "dc", false}, {"ldap", "radius", false}, {"日本", "中国", false}, {"", "x", false},
	} {
		require.Equal(t, x.like, likeSegment(x.wrote, x.there), "%s, %s", x.wrote, x.there)
	}
}
