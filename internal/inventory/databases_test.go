package inventory

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/vault/setup"
)

// withDatabases is the real Vault with what its secrets engine for databases
// answers, as the API's documentation has it (api-docs/secret/databases): the
// Vault of the tests is built without that engine. folders are entries by
// folder and name; nil in the place of one is refused with 403.
func withDatabases(t *testing.T, folders map[string]map[string]any) string {
	t.Helper()
	to, err := url.Parse(realVault.Address())
	require.NoError(t, err)
	real := httputil.NewSingleHostReverseProxy(to)
	real.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path != "/v1/sys/mounts" {
			return nil
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return err
		}
		body["data"].(map[string]any)["database/"] = map[string]any{"type": "database"}
		text, err := json.Marshal(body)
		rec := httptest.NewRecorder()
		_, _ = rec.Write(text)
		r.Body, r.ContentLength = rec.Result().Body, int64(len(text))
		r.Header.Del("Content-Length")
		return err
	}
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ours := strings.CutPrefix(r.URL.Path, "/v1/database/")
		if !ours {
			real.ServeHTTP(w, r)
			return
		}
		folder, name, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
		var data any
		switch entries, there := folders[folder]; {
		case !there || entries == nil, name != "" && entries[name] == nil:
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`))
			return
		case name != "":
			data = entries[name]
		default:
			var keys []string
			for k := range entries {
				keys = append(keys, k)
			}
			data = map[string]any{"keys": keys}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(fake.Close)
	return fake.URL
}

func connectionTo(plugin, at, username string) map[string]any {
	return map[string]any{"allowed_roles": []string{"*"}, "connection_details": map[string]any{"connection_url": at, "username": username}, "plugin_name": plugin, "plugin_version": ""}
}

func keptRole(db, username string) map[string]any {
	return map[string]any{"credential_type": "password", "db_name": db, "rotation_period": 86400, "rotation_statements": []string{}, "username": username}
}

// databaseVault is that Vault, of which nothing else is asked.
type databaseVault struct {
	emptyVault
	api *vaultapi.Client
}

func (v databaseVault) API() *vaultapi.Client { return v.api }

func (v databaseVault) Health(ctx context.Context) (*vaultapi.HealthResponse, error) {
	return v.api.Sys().HealthWithContext(ctx)
}

// With a role's password Vault logs in to the cluster, or Vault sets it itself:
// by whatever form its connection has, and where that does not tell the cluster
// a person is asked.
func TestARoleWithWhichVaultWorksIsOpenUntilAPersonAnswers(t *testing.T) {
	servers(t)
	const pg = "postgresql-database-plugin"
	folders := map[string]map[string]any{
		"config": {
			"app":     connectionTo(pg, "postgresql://{{username}}:{{password}}@localhost:5433/app?sslmode=verify-full", "vault-app"),
			"pairs":   connectionTo(pg, "host=127.0.0.1 port=5433 user=vault-pairs password={{password}} dbname=app", ""),
			"replica": connectionTo(pg, "postgres://{{username}}:{{password}}@192.0.2.9:5432,127.0.0.2:5433/app", "vault-many"),
			"other":   connectionTo(pg, "postgresql://{{username}}:{{password}}@127.0.0.1:5434/app", "vault-other"),
			"vip":     connectionTo(pg, "postgresql://{{username}}:{{password}}@192.0.2.7/app", "vault-vip"),
			"mysql":   connectionTo("mysql-database-plugin", "{{username}}:{{password}}@tcp(127.0.0.1:5433)/", "vault-mysql"),
		},
		"static-roles": {"one": keptRole("app", "kept"), "two": keptRole("other", "kept"), "three": keptRole("vip", "perhaps"), "four": keptRole("mysql", "free"), "five": keptRole("gone", "unread")},
	}
	role := func(name string) authority.Account {
		return authority.Account{Subject: "id-" + name, Name: name, Short: name, Names: []string{name}}
	}
	c := campaign()
	c.Directories = nil
	c.Systems = config.Systems{
		"appdb": settings.Cluster{Servers: []string{"postgresql://127.0.0.1:5433", "postgresql://127.0.0.2:5433"}},
		"other": settings.Cluster{Servers: []string{"postgresql://db.other.invalid:5434"}, Addresses: map[string]string{"postgresql://db.other.invalid:5434": "127.0.0.1"}},
	}
	rows, known := "account,directory\n", map[string]authority.Account{}
	for _, name := range []string{"vault-app", "vault-pairs", "vault-many", "vault-other", "vault-vip", "vault-mysql", "kept", "KEPT", "perhaps", "free", "unread"} {
		known[name] = role(name)
		rows += name + ",appdb\n"
	}
	c.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte(rows)}}
	at := Authorities{Systems: map[string]authority.Finder{"appdb": cluster{roles: known}, "other": cluster{}}}
	list := func(token string, accept ...config.Accept) (*credential.Roll, map[string][]credential.Problem) {
		api := realVault.Client()
		require.NoError(t, api.SetAddress(withDatabases(t, folders)))
		api.SetToken(token)
		c.Accept = accept
		store := databaseVault{api: api}
		roll, _, err := List(t.Context(), c, at, store, "c", time.Now())
		require.NoError(t, err)
		now, err := UsedByVault(t.Context(), c, at, store, "appdb")
		require.NoError(t, err)
		return roll, now
	}
	root := realVault.RootToken().Reveal()
	roll, now := list(root)
	open := map[string]credential.Problem{
		"vault-app": credential.VaultsBind, "vault-pairs": credential.VaultsBind, "vault-many": credential.VaultsBind, "vault-vip": credential.VaultsBind,
		"kept": credential.KeptByVault, "perhaps": credential.KeptByVault, "unread": credential.KeptByVault,
	}
	for name, x := range byName(roll) {
		require.Equal(t, open[name], x.Problem, name)
		if open[name] == "" {
			require.Empty(t, now[x.ID], name)
		} else {
			require.Equal(t, []credential.Problem{open[name]}, now[x.ID], name)
		}
	}
	text := func(name string, code credential.FindingCode) string { return details(roll, "appdb/id-"+name, code) }
	require.Contains(t, text("vault-app", credential.FindingVaultsBind), "vault write database/config/app password=…")
	require.NotContains(t, text("vault-app", credential.FindingVaultsBind), "cannot be told")
	require.Contains(t, text("kept", credential.FindingKeptByVault), "vault write -f database/rotate-role/one")
	require.NotContains(t, text("kept", credential.FindingKeptByVault), "rotate-role/two", "that one is of the other cluster")
	require.Contains(t, text("perhaps", credential.FindingKeptByVault), "cannot be told by the address (192.0.2.7:5432) of database/config/vip")
	require.Contains(t, text("unread", credential.FindingKeptByVault), "database/config/gone is not there, or not shown to this login")
	require.Zero(t, roll.Incomplete())

	roll, _ = list(root, config.Accept{Account: "perhaps", Problem: credential.KeptByVault, Reason: "that is the ticket system's cluster"})
	require.Empty(t, byName(roll)["perhaps"].Problem)

	// What may not be read is not taken for nothing.
	folders["config"]["vip"] = nil
	delete(folders, "static-roles")
	roll, now = list(root)
	require.Equal(t, 1, roll.Incomplete())
	require.Contains(t, warned(roll), "database: it is a secrets engine of Vault for databases, and this login may not read there with which account Vault logs in, or whose passwords it keeps (database/config, database/static-roles)")
	require.Empty(t, now["appdb/id-kept"])

	// init grants what shows it, where the file has clusters.
	places := []string{"database/config/", "database/static-roles/", "ldap/config"}
	hcl := setup.Policies(c, nil, places...)[0].HCL
	for _, rule := range []string{`path "database/config" { capabilities = ["list"] }`, `path "database/config/*" { capabilities = ["list", "read"] }`, `path "database/static-roles/*"`, `path "sys/mounts" { capabilities = ["read"] }`} {
		require.Contains(t, hcl, rule)
	}
	require.NotContains(t, hcl, "ldap/config", "it has no directory")
	without := *c
	without.Systems = nil
	require.NotContains(t, setup.Policies(&without, nil, places...)[0].HCL, "database/")
}

func TestAConnectionStringNamesUserAndHosts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		user  string
		hosts []string
	}{
		"postgresql://{{username}}:{{password}}@db1.example.org:6432/app?sslmode=disable": {"{{username}}", []string{"db1.example.org:6432"}},
		"postgres://app:p@ss@db1/app":                                   {"app", []string{"db1:5432"}},
		"postgresql://u@[2001:db8::1]:5433,db2/app":                     {"u", []string{"[2001:db8::1]:5433", "db2:5432"}},
		"postgresql:///app?host=db3&user=x":                             {"", []string{"db3:5432"}},
		"postgresql:///app?host=/var/run/postgresql":                    {"", nil},
		"host=db1,db2 port=5433,5434 user='app' dbname=app sslmode=off": {"app", []string{"db1:5433", "db2:5434"}},
		"user=app host=db1,db2 port=6000":                               {"app", []string{"db1:6000", "db2:6000"}},
		"":                                                              {"", nil},
	} {
		user, hosts := cutConnection(text)
		require.Equal(t, want.user, user, text)
		require.Equal(t, want.hosts, hosts, text)
	}
}
