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
	"rollcall/internal/vault/setup"
)

// The device logs in to Vault by an AppRole, as a user or at a mount that asks
// a directory, and no source lists that login: whoever stole it logs in again
// whenever he likes, and reads every new value.
func TestLoginsOnNoRollThatReadItAreToldAndThoseOfTheDeviceHoldItUp(t *testing.T) {
	servers(t)
	policy := func(name, rules string) {
		require.NoError(t, realVault.Client().Sys().PutPolicy(name, rules))
	}
	const reads = `path "kv/data/logins/*" { capabilities = ["read"] }`
	policy("lo-apps", reads)
	policy("lo-one", `path "kv/data/logins/b" { capabilities = ["update"] }`)
	policy("lo-esg-07", reads)
	policy("lo-denied", reads+"\n"+`path "kv/data/logins/+" { capabilities = ["deny"] }`)
	policy("lo-deny", `path "kv/data/logins/*" { capabilities = ["deny"] }`)
	policy("lo-not", `path "kv/data/elsewhere/*" { capabilities = ["read"] }`)
	policy("lo-rises", `path "sys/policies/acl/*" { capabilities = ["update"] }`)
	policy("lo-self", `path "auth/lo/role/self/secret-id" { capabilities = ["update"] }`)
	write(t, "sys/auth/lo", map[string]any{"type": "approle"})
	write(t, "sys/auth/lo-deep/er", map[string]any{"type": "approle"})
	write(t, "sys/auth/lo-users", map[string]any{"type": "userpass"})
	t.Cleanup(func() {
		for _, mount := range []string{"lo", "lo-deep/er", "lo-users", "lo-corp", "lo-else"} {
			_ = realVault.Client().Sys().DisableAuth(mount)
		}
	})
	role := func(name, policies string, more map[string]any, ids ...map[string]any) {
		mount, name, _ := cutRole(name)
		body := map[string]any{"token_policies": policies, "token_ttl": "60s"}
		for k, v := range more {
			body[k] = v
		}
		write(t, "auth/"+mount+"/role/"+name, body)
		for _, id := range ids {
			write(t, "auth/"+mount+"/role/"+name+"/secret-id", id)
		}
	}
	role("lo/esg-07", "lo-apps", nil, nil)
	role("lo/meta", "lo-one", nil, map[string]any{"metadata": `{"host":"esg-07.example.org"}`})
	role("lo/address", "lo-apps", nil, map[string]any{"cidr_list": []string{"192.0.2.7/32"}})
	role("lo/policy", "lo-esg-07", nil, nil)
	role("lo/esg-071", "lo-apps", nil, nil)
	role("lo/mail", "lo-apps,lo-not", nil, map[string]any{"metadata": `{"host":"mail"}`})
	role("lo-deep/er/web", "lo-apps", nil, nil)
	role("lo/rises", "lo-rises", nil, nil)
	role("lo/self", "lo-self", nil, nil)
	role("lo/esg-07-nobody", "lo-apps", nil)
	role("lo/esg-07-open", "lo-apps", map[string]any{"bind_secret_id": false, "token_bound_cidrs": "127.0.0.1/32"})
	role("lo/esg-07-denied", "lo-denied", nil, nil)
	role("lo/esg-07-deny", "lo-apps,lo-deny", nil, nil)
	role("lo/esg-07-not", "lo-not", nil, nil)
	role("lo/esg-07-listed", "lo-apps", nil, nil)
	role("lo/esg-07-excluded", "lo-apps", nil, nil)
	role("lo/esg-07-worker", "rollcall-worker", nil, nil)
	write(t, "auth/lo-users/users/esg-07", map[string]any{"password": "x", "token_policies": "lo-one"})
	write(t, "auth/lo-users/users/batch", map[string]any{"password": "x", "token_policies": "lo-apps"})
	for mount, at := range map[string][2]string{"lo-corp": {slapd.LDAPS(), slapd.PeopleDN()}, "lo-else": {"ldaps://192.0.2.99", "ou=people,dc=else,dc=org"}} {
		write(t, "sys/auth/"+mount, map[string]any{"type": "ldap"})
		write(t, "auth/"+mount+"/config", map[string]any{"url": at[0], "certificate": slapd.CA, "userdn": at[1], "userattr": "uid", "token_policies": "lo-not"})
		write(t, "auth/"+mount+"/users/esg0202", map[string]any{"policies": "lo-apps"})
		write(t, "auth/"+mount+"/groups/mailers", map[string]any{"policies": "lo-one"})
	}
	write(t, "auth/lo-else/users/esg-07", map[string]any{"policies": "lo-one"})

	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"logins/a": {"password": "x"}, "logins/b": {"password": "y"}}))
	c := campaign()
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Device = "esg-07"
	c.Containment = &config.Containment{Addresses: []string{"192.0.2.7"}}
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0201,kv/logins/a#password", "esg0202,kv/logins/b#password"), {Name: "logins", Type: config.VaultAppRole, Mount: "lo", Role: "esg-07-listed"}, {Name: "more", Type: config.VaultAppRole, Mount: "lo", Role: "esg-07-excluded"}}
	c.Exclude = []config.Exclude{{Account: "lo/esg-07-excluded", Reason: "kept"}}
	list := func(v Vault) *credential.Roll {
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), v, "c", time.Now())
		require.NoError(t, err)
		return roll
	}
	told := func(roll *credential.Roll) (all []string) {
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingReader && (strings.Contains(w.Detail, "lo-") || strings.Contains(w.Detail, "auth/lo")) {
				require.True(t, w.Code.Incomplete())
				all = append(all, w.Detail)
			}
		}
		return all
	}
	root := openVault(t, realVault.RootToken().Reveal())
	roll := list(root)
	held := map[string]string{
		"auth/lo/role/esg-07":        "names the device by its name, and may read the new values of 2 credentials",
		"auth/lo/role/meta":          "by the metadata of a secret-id, and may read the new value of 1 credential (kv/logins/b)",
		"auth/lo/role/address":       "by an address that it is bound to",
		"auth/lo/role/policy":        "by the name of its policy lo-esg-07",
		"auth/lo/role/esg-07-open":   "by its name",
		"auth/lo-users/users/esg-07": "by its name, and may read the new value of 1 credential",
		"auth/lo-else/users/esg-07":  "by its name, and may read the new value of 1 credential",
	}
	alike := []string{
		"by the policies lo-apps: auth/lo-deep/er/role/web, auth/lo-else/users/esg0202, auth/lo-users/users/batch and 2 more",
		"by the policies lo-one: auth/lo-corp/groups/mailers, auth/lo-else/groups/mailers",
		"by the policies lo-rises: auth/lo/role/rises",
	}
	all := strings.Join(told(roll), "\n")
	require.Len(t, told(roll), len(held)+len(alike), all)
	for place, text := range held {
		n := 0
		for _, w := range told(roll) {
			if strings.HasPrefix(w, place+": ") {
				require.Contains(t, w, text)
				require.Contains(t, w, fmt.Sprintf("accept: - {vault: %q, on: TIME, reason: …}", place))
				n++
			}
		}
		require.Equal(t, 1, n, "%s in\n%s", place, all)
	}
	for _, text := range alike {
		require.Contains(t, all, text)
	}
	require.Contains(t, all, "it may come to any right by sys/policies/acl/*")
	require.Contains(t, all, `{type: vault-approle, mount: lo, role: "esg-07"}`)
	for _, none := range []string{"nobody", "denied", "deny", "not", "listed", "excluded", "worker", "/self"} {
		require.NotContains(t, all, none+":", none)
	}
	readBy := func(roll *credential.Roll, uid string) []string { return byName(roll)[slapd.AccountDN(uid)].ReadBy }
	require.ElementsMatch(t, []string{"auth/lo/role/esg-07", "auth/lo/role/address", "auth/lo/role/policy", "auth/lo/role/esg-07-open"}, readBy(roll, "esg0201"), "what the device's could read waits, and consumers' hold up nobody")
	require.Len(t, readBy(roll, "esg0202"), len(held))

	// Who accepts a policy does not accept a login that names the device by
	// more than that.
	for place := range held {
		if place != "auth/lo/role/esg-07" && place != "auth/lo/role/policy" {
			c.Accept = append(c.Accept, config.Accept{Vault: place, On: time.Now(), Reason: "looked at"})
		}
	}
	for _, name := range []string{"lo-apps", "lo-one", "lo-esg-07", "lo-rises"} {
		c.Accept = append(c.Accept, config.Accept{Vault: "auth/token/policy/" + name, Reason: "looked at"})
	}
	require.Contains(t, strings.Join(told(list(root)), "\n"), "Of auth/token/policy/lo-apps the file accepts the place and says not when somebody looked there")
	for _, name := range []string{"lo-apps", "lo-one", "lo-esg-07", "lo-rises"} {
		c.Accept = append(c.Accept, config.Accept{Vault: "auth/token/policy/" + name, On: time.Now(), Reason: "looked at"})
	}
	roll = list(root)
	require.Len(t, told(roll), 1, "%v", told(roll))
	require.Equal(t, []string{"auth/lo/role/esg-07"}, readBy(roll, "esg0202"))

	// The rights that init gives are enough, and without them it does not go
	// unsaid.
	places, err := setup.EnginePlaces(t.Context(), root)
	require.NoError(t, err)
	for _, i := range []int{0, 2} { // worker, operator
		policy("lo-rights", setup.Policies(c, nil, places...)[i].HCL)
		policy("lo-blind", strings.ReplaceAll(setup.Policies(c, nil, places...)[i].HCL, `"auth/lo-deep/er/role"`, `"auth/lo-deep/er/nothing"`))
		for name, shown := range map[string]bool{"lo-rights": true, "lo-blind": false} {
			got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{name}})
			require.NoError(t, err)
			roll := list(openVault(t, got.Auth.ClientToken))
			require.Len(t, told(roll), 1, "%s: %v", name, told(roll))
			require.Equal(t, !shown, strings.Contains(warned(roll), "auth/lo-deep/er: this login may not read there with which policies somebody logs in (auth/lo-deep/er/role)"), "%s: %s", name, warned(roll))
			require.NotContains(t, warned(roll), "auth/lo/role/esg-07: it may read new values, and this login may not look at its secret-ids")
		}
	}
}
