package inventory

import (
	"encoding/json"
	"fmt"
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
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/setup"
)

// A token in the device's own configuration reads every new value, and no login
// of the roll made it. Those of consumers do too, so a person answers.
func TestTokensThatNoLoginOfTheRollMadeAndThatReadItAreTold(t *testing.T) {
	servers(t)
	policy := func(name, rules string) {
		require.NoError(t, realVault.Client().Sys().PutPolicy(name, rules))
	}
	const reads = `path "kv/data/readers/*" { capabilities = ["read"] }`
	policy("rd-apps", reads)
	policy("rd-exact", `path "kv/data/readers/b" { capabilities = ["update"] }`)
	policy("rd-esg-01", reads)
	policy("rd-elsewhere", `path "kv/data/readers-not/*" { capabilities = ["read"] }`)
	policy("rd-denied", reads+"\n"+`path "kv/data/readers/+" { capabilities = ["deny"] }`)
	policy("rd-rises", `path "sys/policies/acl/*" { capabilities = ["update"] }`)
	policy("rd-stages", `path "rollcall/data/staging/*" { capabilities = ["read"] }`)
	policy("rd-role", reads)
	accessors := map[string]string{}
	token := func(name string, req vaultapi.TokenCreateRequest) {
		req.TTL, req.NoParent = "10m", true
		got, err := realVault.Client().Auth().Token().Create(&req)
		require.NoError(t, err)
		accessors[name] = got.Auth.Accessor
		t.Cleanup(func() { _ = realVault.Client().Auth().Token().RevokeAccessor(got.Auth.Accessor) })
	}
	token("named", vaultapi.TokenCreateRequest{Policies: []string{"rd-apps"}, DisplayName: "ESG-01", Metadata: map[string]string{"owner": "mail"}})
	token("meta", vaultapi.TokenCreateRequest{Policies: []string{"rd-exact"}, Metadata: map[string]string{"device": "esg-01.example.org"}})
	token("policy", vaultapi.TokenCreateRequest{Policies: []string{"rd-esg-01"}})
	for i := range 8 {
		token(fmt.Sprintf("consumer%d", i), vaultapi.TokenCreateRequest{Policies: []string{"rd-apps"}, DisplayName: fmt.Sprintf("esg-012-%d", i)})
	}
	token("rises", vaultapi.TokenCreateRequest{Policies: []string{"rd-rises"}})
	token("stages", vaultapi.TokenCreateRequest{Policies: []string{"rd-stages"}})
	token("root", vaultapi.TokenCreateRequest{Policies: []string{"root"}})
	for _, none := range []string{"rd-elsewhere", "rd-denied", "default"} {
		token(none, vaultapi.TokenCreateRequest{Policies: []string{none}, DisplayName: "esg-01"})
	}
	login := func(role, name string) *vaultapi.Client {
		write(t, "auth/approle/role/"+role, map[string]any{"token_policies": "rd-role"})
		id, err := realVault.Client().Logical().Read("auth/approle/role/" + role + "/role-id")
		require.NoError(t, err)
		secret, err := realVault.Client().Logical().Write("auth/approle/role/"+role+"/secret-id", nil)
		require.NoError(t, err)
		c := realVault.Client()
		got, err := c.Logical().Write("auth/approle/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": secret.Data["secret_id"]})
		require.NoError(t, err)
		accessors[name] = got.Auth.Accessor
		c.SetToken(got.Auth.ClientToken)
		return c
	}
	policy("rd-role", reads+"\n"+`path "auth/token/create" { capabilities = ["update"] }`)
	child, err := login("rd-login", "login").Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"rd-role"}, DisplayName: "esg-01"})
	require.NoError(t, err)
	accessors["child"] = child.Auth.Accessor
	login("rd-esg-01", "excluded")
	login("other-esg-01", "of the device, and not on the roll")

	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"readers/a": {"password": "x"}, "readers/b": {"password": "y"}}))
	c := campaign()
	c.Vault.Mount = "rollcall"
	c.Device = "esg-01"
	c.Exposure = []config.Interval{{From: time.Now().Add(-time.Hour)}}
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0201,kv/readers/a#password", "esg0202,kv/readers/b#password"), {Name: "logins", Type: config.VaultAppRole, Mount: "approle", Role: "rd-*"}}
	c.Exclude = []config.Exclude{{Account: "approle/rd-esg-01", Reason: "kept"}}
	list := func(v Vault) *credential.Roll {
		at := Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), credential.VaultAuthority)}
		roll, _, err := List(t.Context(), c, at, v, "c", time.Now())
		require.NoError(t, err)
		return roll
	}
	root := openVault(t, realVault.RootToken().Reveal())
	c.Accept = []config.Accept{{Vault: "auth/token/policy/root", On: time.Now(), Reason: "the tests own this Vault"}}
	roll := list(root)
	told := []string{}
	for _, w := range roll.Warnings {
		if w.Code == credential.FindingReader {
			require.True(t, w.Code.Incomplete())
			told = append(told, w.Detail)
		}
	}
	one := func(parts ...string) string {
		t.Helper()
		var found []string
		for _, text := range told {
			has := true
			for _, p := range parts {
				has = has && strings.Contains(text, p)
			}
			if has {
				found = append(found, text)
			}
		}
		require.Len(t, found, 1, "%v in\n%s", parts, strings.Join(told, "\n"))
		return found[0]
	}
	require.Contains(t, one(accessors["named"]), `names the device by its display name, and may read the new values of 2 credentials`)
	require.Contains(t, one(accessors["named"]), `metadata ["owner=mail"]`)
	require.Contains(t, one(accessors["meta"]), `names the device by its metadata, and may read the new value of 1 credential (kv/readers/b)`)
	require.Contains(t, one(accessors["policy"]), `by the name of its policy rd-esg-01`)
	other := accessors["of the device, and not on the roll"]
	require.Contains(t, one(other), "names the device by its metadata")
	apps := one("with the policies rd-apps ")
	require.Contains(t, apps, "made while the device was exposed, 8 of these")
	require.Contains(t, apps, "and 3 more", "consumers' own are one warning")
	require.NotContains(t, apps, accessors["named"])
	require.Contains(t, one("with the policies rd-rises "), "any right by sys/policies/acl/")
	one("with the policies rd-stages ")
	for _, none := range []string{"rd-elsewhere", "rd-denied", "default", "login", "child", "root", "excluded"} {
		require.NotContains(t, strings.Join(told, "\n"), accessors[none], none)
	}
	require.Contains(t, warned(roll), "token of Vault that no login of the roll made may read new values (it may come to any right by ")
	require.NotEqual(t, roll.Incomplete(), 0)
	readBy := func(roll *credential.Roll, uid string) []string { return byName(roll)[slapd.AccountDN(uid)].ReadBy }
	require.Contains(t, warned(roll), "auth/approle/role/other-esg-01: a login to Vault that no source lists names the device by its name", "the role logs in again, when the token is gone")
	require.Subset(t, readBy(roll, "esg0201"), []string{other, "auth/approle/role/other-esg-01"})
	c.Accept = append(c.Accept, config.Accept{Vault: "auth/approle/role/other-esg-01", On: time.Now(), Reason: "not the device's"})
	roll = list(root)
	require.ElementsMatch(t, []string{accessors["named"], accessors["policy"]}, readBy(roll, "esg0201"), "what the device's could read waits, and consumers' hold up nobody")
	require.ElementsMatch(t, []string{accessors["named"], accessors["policy"], accessors["meta"]}, readBy(roll, "esg0202"), "a login that is accepted has its tokens with it")

	// Who accepts a policy does not accept a token that names the device.
	for _, place := range []string{"policy/rd-apps", "policy/rd-esg-01", "policy/rd-rises", "policy/rd-stages", "accessor/" + accessors["meta"], "accessor/" + other} {
		c.Accept = append(c.Accept, config.Accept{Vault: "auth/token/" + place, On: time.Now(), Reason: "looked at"})
	}
	told = nil
	roll = list(root)
	for _, w := range roll.Warnings {
		if w.Code == credential.FindingReader && strings.Contains(w.Detail, "rd-") {
			told = append(told, w.Detail)
		}
	}
	require.Len(t, told, 1, "%v", told)
	require.Contains(t, told[0], accessors["named"])
	require.Equal(t, []string{accessors["named"]}, readBy(roll, "esg0202"))

	// The worker's rights are enough, and without them it does not go unsaid.
	spec := *c
	spec.Vault.Adopt = "kv/rollcall/{directory}/{account}#password"
	policies := setup.Policies(&spec, nil)
	policy("rollcall-worker-readers", policies[0].HCL)
	policy("rd-blind", strings.ReplaceAll(policies[0].HCL, `"auth/token/accessors"`, `"auth/token/nothing"`))
	for name, shown := range map[string]bool{"rollcall-worker-readers": true, "rd-blind": false} {
		got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{name}})
		require.NoError(t, err)
		text := warned(list(openVault(t, got.Auth.ClientToken)))
		require.Equal(t, shown, strings.Contains(text, accessors["named"]), "%s: %s", name, text)
		require.Equal(t, !shown, strings.Contains(text, "auth/token/accessors: this login may not look at the tokens of Vault"), "%s: %s", name, text)
		require.NotContains(t, text, got.Auth.Accessor, "whoever lists")
	}
}

// withMounts is the real Vault with auth mounts of types that the Vault of the
// tests is built without. folders are what lies there by path; what is missing
// is refused with 403 where denied, and else unknown.
func withMounts(t *testing.T, mounts map[string]string, lies map[string]any, denied bool) string {
	t.Helper()
	to, err := url.Parse(realVault.Address())
	require.NoError(t, err)
	real := httputil.NewSingleHostReverseProxy(to)
	real.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path != "/v1/sys/auth" {
			return nil
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return err
		}
		for name, kind := range mounts {
			body["data"].(map[string]any)[name+"/"] = map[string]any{"type": kind}
		}
		text, err := json.Marshal(body)
		rec := httptest.NewRecorder()
		_, _ = rec.Write(text)
		r.Body, r.ContentLength = rec.Result().Body, int64(len(text))
		r.Header.Del("Content-Length")
		return err
	}
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := strings.Trim(strings.TrimPrefix(r.URL.Path, "/v1/auth/"), "/")
		mount, _, _ := strings.Cut(at, "/")
		if mounts[mount] == "" || !strings.HasPrefix(r.URL.Path, "/v1/auth/") {
			real.ServeHTTP(w, r)
			return
		}
		data, there := lies[at]
		switch {
		case !there && denied:
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`))
		case !there:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"errors":[]}`))
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
		}
	}))
	t.Cleanup(fake.Close)
	return fake.URL
}

func TestAuthMountsOfOtherTypesByWhichTheRollIsReadAreToldOnceEach(t *testing.T) {
	servers(t)
	for name, rules := range map[string]string{"rm-reads": `path "kv/data/mounts/*" { capabilities = ["read"] }`, "rm-not": `path "kv/data/elsewhere/*" { capabilities = ["read"] }`} {
		require.NoError(t, realVault.Client().Sys().PutPolicy(name, rules))
	}
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"mounts/a": {"password": "x"}}))
	keys := func(names ...string) any { return map[string]any{"keys": names} }
	mounts := map[string]string{"cert": "cert", "k8s": "kubernetes", "github": "github", "aws": "aws", "quiet": "jwt"}
	lies := map[string]any{
		"cert/certs": keys("esg", "other"), "cert/certs/esg": map[string]any{"policies": []string{"rm-reads"}}, "cert/certs/other": map[string]any{"token_policies": []string{"rm-not"}},
		"k8s/role": keys("a", "b"), "k8s/role/a": map[string]any{"token_policies": []string{"rm-reads", "default"}}, "k8s/role/b": map[string]any{"token_policies": []string{"rm-reads"}},
		"github/map/teams": keys("ops"), "github/map/teams/ops": map[string]any{"key": "ops", "value": "rm-not, rm-reads"},
		"aws/roles": keys("web"), "aws/role/web": map[string]any{"policies": []string{"rm-reads"}},
		"quiet/role": keys("a"), "quiet/role/a": map[string]any{"token_policies": []string{"rm-not"}},
	}
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0301,kv/mounts/a#password")}
	list := func(denied bool) map[string]credential.FindingCode {
		out := map[string]credential.FindingCode{}
		v := openVaultAt(t, withMounts(t, mounts, lies, denied), realVault.RootToken().Reveal())
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), v, "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			if at, _, ok := strings.Cut(w.Detail, ": "); ok && mounts[strings.TrimPrefix(at, "auth/")] != "" {
				require.Empty(t, out[at], "one for each mount")
				out[at] = w.Code
			}
		}
		return out
	}
	want := map[string]credential.FindingCode{}
	for _, at := range []string{"auth/cert", "auth/k8s", "auth/github", "auth/aws"} {
		want[at] = credential.FindingReader
	}
	require.Equal(t, want, list(false))
	c.Accept = []config.Accept{{Vault: "auth/k8s", Reason: "its pods are known"}}
	require.Equal(t, want, list(false), "a word without its day")
	c.Accept = []config.Accept{{Vault: "auth/k8s", On: time.Now(), Reason: "its pods are known"}, {Vault: "auth/token/policy/rm-reads", On: time.Now(), Reason: "known"}}
	require.Empty(t, list(false))
	c.Accept = nil
	for _, at := range []string{"quiet/role", "quiet/role/a", "cert/certs/esg"} {
		delete(lies, at)
	}
	hidden := list(true)
	require.Equal(t, credential.FindingVaultHidden, hidden["auth/quiet"])
	require.Equal(t, credential.FindingVaultHidden, hidden["auth/cert"])
}
