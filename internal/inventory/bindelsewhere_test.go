package inventory

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
)

// bindingCluster logs in to directories itself.
type bindingCluster struct {
	cluster
	binds []authority.Bind
}

func (c bindingCluster) LookAt(context.Context, []authority.Account) (authority.Seen, error) {
	return authority.Seen{Binds: c.binds}, nil
}

// Nothing of the cluster is on the roll. With an account of the directory that
// is, it asks the directory about everybody who logs in: its new password would
// cut them all off.
func TestAnAccountWithWhichAnotherAuthorityBindsIsToldBeforeAnythingIsSet(t *testing.T) {
	servers(t)
	at := func(name, where string) authority.Bind {
		b := authority.Bind{Name: name, Below: slapd.PeopleDN(), Where: where, Mend: "write it there"}
		if where != "nowhere" {
			b.URLs = []string{where}
		}
		return b
	}
	db := bindingCluster{binds: []authority.Bind{
		at("UID = bystander0001 , OU=People,"+slapd.BaseDN(), slapd.LDAPS()),
		at("0.9.2342.19200300.100.1.1=bystander0002,2.5.4.11=people,dc=example,dc=org", "ldap://balancer.example.org"),
		at(slapd.AccountDN("bystander0003"), "nowhere"),
		{Name: slapd.AccountDN("bystander0004"), URLs: []string{"ldap://192.0.2.7"}, Below: "dc=another,dc=org", Where: "another directory's"},
		at("uid=stranger,dc=another,dc=org", slapd.LDAPS()),
	}}
	c := campaign()
	c.Directories["corp"] = corp()
	c.Systems = config.Systems{"appdb": settings.Cluster{Servers: db.Servers(), Bind: []authority.Login{{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}}}
	c.Sources = []config.Source{manifestSource("account,directory", "bystander0001,corp", "bystander0002,corp", "bystander0003,corp", "bystander0004,corp", "bystander0005,corp")}
	list := func() (map[string]credential.Credential, *credential.Roll) {
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "c", time.Now())
		require.NoError(t, err)
		return byName(roll), roll
	}
	got, roll := list()
	for _, uid := range []string{"bystander0001", "bystander0002", "bystander0003"} {
		x := got[slapd.AccountDN(uid)]
		require.Equal(t, credential.KeptElsewhere, x.Problem, uid)
		require.Contains(t, details(roll, x.ID, credential.FindingKeptElsewhere), "PostgreSQL cluster appdb itself binds with it elsewhere")
		require.Contains(t, details(roll, x.ID, credential.FindingKeptElsewhere), "write it there")
	}
	require.Empty(t, got[slapd.AccountDN("bystander0004")].Problem, "the cluster asks another directory")
	require.Empty(t, got[slapd.AccountDN("bystander0005")].Problem)

	c.Accept = []config.Accept{{Account: slapd.AccountDN("bystander0001"), Problem: credential.KeptElsewhere, Reason: "written right after the rotation"}}
	got, _ = list()
	require.Empty(t, got[slapd.AccountDN("bystander0001")].Problem)

	// A file without the cluster knows nothing of it.
	c.Systems, c.Accept = nil, nil
	got, _ = list()
	require.Empty(t, got[slapd.AccountDN("bystander0001")].Problem)
}

// withKerberos is the real Vault with an auth mount of type kerberos, as the
// API's documentation has it: the Vault of the tests is built without. A nil
// ldap may not be read.
func withKerberos(t *testing.T, ldap map[string]any) string {
	t.Helper()
	to, err := url.Parse(realVault.Address())
	require.NoError(t, err)
	real := httputil.NewSingleHostReverseProxy(to)
	answer := func(w http.ResponseWriter, data any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/sys/auth":
			answer(w, map[string]any{"kerb/": map[string]any{"type": "kerberos", "accessor": "auth_kerberos_1"}})
		case "/v1/auth/kerb/config/ldap":
			if ldap == nil {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			answer(w, ldap)
		default:
			real.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(fake.Close)
	return fake.URL
}

func TestWithWhomVaultsKerberosLooksPeopleUpIsVaultsBind(t *testing.T) {
	servers(t)
	list := func(ldap map[string]any) (map[string]credential.Credential, *credential.Roll) {
		conf := vaultapi.DefaultConfig()
		conf.Address = withKerberos(t, ldap)
		api, err := vaultapi.NewClient(conf)
		require.NoError(t, err)
		api.SetToken(realVault.RootToken().Reveal())
		c := campaign()
		c.Directories["corp"] = corp()
		c.Sources = []config.Source{manifestSource("account", "bystander0001", "bystander0002")}
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), databaseVault{api: api}, "c", time.Now())
		require.NoError(t, err)
		return byName(roll), roll
	}
	got, roll := list(map[string]any{"binddn": slapd.AccountDN("bystander0001"), "url": slapd.LDAPS(), "userdn": slapd.PeopleDN()})
	x := got[slapd.AccountDN("bystander0001")]
	require.Equal(t, credential.VaultsBind, x.Problem)
	require.Contains(t, details(roll, x.ID, credential.FindingVaultsBind), "auth/kerb/config/ldap")
	require.Empty(t, got[slapd.AccountDN("bystander0002")].Problem)
	got, _ = list(map[string]any{"binddn": slapd.AccountDN("bystander0001"), "url": "ldaps://192.0.2.9", "userdn": "dc=another,dc=org"})
	require.Empty(t, got[slapd.AccountDN("bystander0001")].Problem)
	_, roll = list(nil)
	require.Positive(t, roll.Incomplete(), "with whom it binds is not shown")
}
