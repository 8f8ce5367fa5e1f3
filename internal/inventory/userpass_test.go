package inventory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// userpassMount makes an auth mount for one test.
func userpassMount(t *testing.T, name string, users map[string]map[string]any) {
	t.Helper()
	servers(t)
	write(t, "sys/auth/"+name, map[string]any{"type": "userpass"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().DisableAuth(name)) })
	for user, settings := range users {
		body := map[string]any{"password": "x"}
		for k, v := range settings {
			body[k] = v
		}
		write(t, "auth/"+name+"/users/"+user, body)
	}
}

func listUserpass(t *testing.T, c *config.Campaign) (*credential.Roll, []Warning) {
	t.Helper()
	if c.Directories["corp"].Driver == "" || len(c.Directories["corp"].Servers) == 0 {
		c.Directories = nil
	}
	roll, warnings, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	return roll, warnings
}

func TestUserpassUsersTieToTheDeviceByNameOrAddress(t *testing.T) {
	userpassMount(t, "users/of", map[string]map[string]any{
		"esg-lookup": nil, "bound": {"token_bound_cidrs": "192.0.2.8/29"}, "batch": {"token_type": "batch"}, "somebody": {"token_bound_cidrs": "198.51.100.0/24"},
	})
	// Vault 1.21 stores it beside the user, who keeps the old password.
	write(t, "auth/users/of/users/ESG-Lookup/password", map[string]any{"password": "nobody's"})
	for _, tc := range []struct {
		source config.Source
		want   map[string]string
	}{
		{config.Source{User: "ESG-*"}, map[string]string{"users/of/esg-lookup": "user name matches ESG-*"}},
		{config.Source{CIDR: "192.0.2.10/32"}, map[string]string{"users/of/bound": "user is bound to 192.0.2.8/29"}},
		{config.Source{User: "batch", CIDR: "192.0.2.10/32"}, map[string]string{"users/of/batch": "user name matches batch", "users/of/bound": "user is bound to 192.0.2.8/29"}},
	} {
		c := campaign()
		tc.source.Name, tc.source.Type, tc.source.Mount = "users", config.VaultUserpass, "users/of"
		c.Sources = []config.Source{tc.source}
		roll, _ := listUserpass(t, c)
		got := map[string]string{}
		for _, x := range roll.Credentials {
			require.Equal(t, credential.UserpassPassword, x.Kind)
			require.True(t, x.ReachesVault())
			require.Equal(t, waveLogins, roll.Waves[x.Wave].Name, "first and alone")
			require.Empty(t, x.Problem)
			require.Equal(t, []credential.Path{{Mount: "kv", Path: "rollcall/vault/" + x.Subject[len("users/of/"):], Field: "password"}}, x.Paths)
			require.True(t, x.Adopted)
			require.Equal(t, x.Subject == "users/of/batch", x.Batch)
			require.Equal(t, x.Subject == "users/of/bound", hasFinding(roll, x.ID, credential.FindingLimits))
			got[x.Subject] = x.Reasons[0].Detail
		}
		require.Equal(t, tc.want, got)
	}
}

func hasFinding(roll *credential.Roll, id string, code credential.FindingCode) bool {
	for _, f := range roll.Findings[id] {
		if f.Code == code {
			return true
		}
	}
	return false
}

func TestAUserpassUserIsFoundByAManifestAndByTheMetadataOfItsSecret(t *testing.T) {
	userpassMount(t, "esg-users", map[string]map[string]any{"listed": nil, "written": nil})
	write(t, "auth/approle/role/listed", map[string]any{})
	c := campaign()
	c.Sources = []config.Source{
		manifestSource("kind,account,path", "userpass-password,esg-users/Listed,kv/u/listed#pw", "userpass-password,esg-users/none,", "approle-secret-id,approle/listed,"),
		{Name: "kv", Type: config.VaultKV, Prefix: "kv/u"},
	}
	write(t, "kv/data/u/written", map[string]any{"data": map[string]any{"password": "x", "user": "written"}})
	write(t, "kv/metadata/u/written", map[string]any{"custom_metadata": map[string]any{"directory": "vault", "account": "esg-users/WRITTEN"}})
	roll, _ := listUserpass(t, c)
	got := byName(roll)
	require.Equal(t, credential.UserpassPassword, got["esg-users/listed"].Kind)
	require.Equal(t, "kv/u/listed#pw", got["esg-users/listed"].Paths[0].String())
	require.Equal(t, credential.NoAccount, got["esg-users/none"].Problem)
	require.Equal(t, credential.AppRoleSecretID, got["approle/listed"].Kind)
	w := got["esg-users/written"]
	require.Equal(t, credential.UserpassPassword, w.Kind, "the mount says what it is")
	require.Equal(t, "kv/u/written#password", w.Paths[0].String())
	require.True(t, w.Hearsay, "the device may have written that")
	require.NotEqual(t, got["esg-users/listed"].Spare, got["approle/listed"].Paths[0], "one secret of Rollcall's has one owner")
}

func TestAUserThatHasAnAccountsNameIsOnTheRollAndNothingOfItIsSet(t *testing.T) {
	users := []Account{userAccount("userpass", "mta"), userAccount("userpass", "lookup"), userAccount("userpass", "stranger"), userAccount("people", "mta")}
	c := campaign()
	lost := unfound{users: users}
	known := accounts{}
	for _, uid := range []string{"mta", "lookup", "other"} {
		known[reference{"corp", uid}] = []Account{person(uid)}
	}
	own := ownIdentities{"corp/" + uuidOf("lookup"): notByUs}
	found := []Candidate{from(t, "m mta kv/apps/mta#password"), from(t, "m other kv/apps/other#password"), from(t, "m lookup kv/apps/lookup#password")}
	roll, _, err := mergeAll(c, found, known, own, lost)
	require.NoError(t, err)
	got := byName(roll)
	for _, name := range []string{"userpass/mta", "people/mta"} {
		x := got[name]
		require.Equal(t, credential.SameName, x.Problem)
		require.Equal(t, "kv/apps/mta#password", x.Paths[0].String(), "with what lies there it is asked what it could read")
		require.Equal(t, waveLogins, roll.Waves[x.Wave].Name)
		require.Contains(t, roll.Findings[x.ID][0].Detail, "user: mta")
	}
	require.Empty(t, got["uid=mta,ou=people,"+base].Problem, "the account itself is not hindered")
	require.NotContains(t, got, "userpass/lookup", "Rollcall's own login")
	require.NotContains(t, got, "userpass/stranger")

	// Listed, it is a credential like others.
	listed := from(t, "m userpass/mta kv/apps/vault#password")
	known[reference{credential.VaultAuthority, "userpass/mta"}] = users[:1]
	roll, _, err = mergeAll(c, append(found, listed), known, own, lost)
	require.NoError(t, err)
	require.Empty(t, byName(roll)["userpass/mta"].Problem)

	// Excluded, it is gone, and so is one whose namesake is.
	c.Exclude = []config.Exclude{{Account: "userpass/mta", Reason: "a colleague"}}
	roll, warnings, err := mergeAll(c, found, known, own, lost)
	require.NoError(t, err)
	require.NotContains(t, byName(roll), "userpass/mta")
	require.Contains(t, byName(roll), "people/mta")
	require.Len(t, roll.Excluded, 1)
	require.Equal(t, []credential.FindingCode{credential.FindingOwnLogin}, warningCodes(warnings), "no login of the device was left out")
	c.Exclude = []config.Exclude{{Account: uuidOf("mta"), Reason: "not the device's"}}
	roll, _, err = mergeAll(c, found, accounts{reference{"corp", "mta"}: known[reference{"corp", "mta"}], reference{"corp", uuidOf("mta")}: known[reference{"corp", "mta"}]}, own, lost)
	require.NoError(t, err)
	require.NotContains(t, byName(roll), "userpass/mta")
}

func warningCodes(ws []Warning) (out []credential.FindingCode) {
	for _, w := range ws {
		out = append(out, w.Code)
	}
	return out
}

// A secret as teams write it: the user name beside the password, and no
// metadata.
func TestAUserpassUserIsNotCutOffFromAPathThatMayBeItsOwn(t *testing.T) {
	a := userAccount("userpass", "esg-job")
	listed := Candidate{Kind: a.kind, Authority: credential.VaultAuthority, Account: a.Subject, Found: &a, Reason: credential.Reason{Source: "users", Type: config.VaultUserpass}}
	secret := from(t, "kv - kv/apps/job#password")
	secret.Users = []string{"ESG-job"}
	for _, authority := range []string{"corp", ""} { // with one directory in the file, and with several
		secret.Authority = authority
		roll, _, err := merge(campaign(), []Candidate{listed, secret}, accounts{}, nil)
		require.NoError(t, err)
		require.Equal(t, credential.PerhapsIts, byName(roll)["userpass/esg-job"].Problem)
	}
	secret.Users = []string{"somebody"}
	roll, _, err := merge(campaign(), []Candidate{listed, secret}, accounts{}, nil)
	require.NoError(t, err)
	require.True(t, byName(roll)["userpass/esg-job"].Adopted)
}

func TestTheUsersOfPeopleWhoWorkWithRollcallAreItsOwn(t *testing.T) {
	userpassMount(t, "ops", map[string]map[string]any{"bob": {"token_policies": "rollcall-operator"}, "self": {"token_policies": "lists"}, "device": nil})
	write(t, "sys/policies/acl/lists", map[string]any{"policy": `path "auth/*" { capabilities = ["read", "list", "create", "update", "sudo"] }
path "sys/auth" { capabilities = ["read"] }
path "sys/internal/ui/mounts/*" { capabilities = ["read"] }
path "identity/lookup/entity" { capabilities = ["update"] }
path "kv/*" { capabilities = ["read"] }
path "rollcall/metadata/places/*" { capabilities = ["list"] }`})
	login, err := realVault.Client().Logical().Write("auth/ops/login/SELF", map[string]any{"password": "x"})
	require.NoError(t, err)
	child := realVault.Client()
	child.SetToken(login.Auth.ClientToken)
	made, err := child.Logical().Write("auth/token/create", nil)
	require.NoError(t, err)
	for _, token := range []string{login.Auth.ClientToken, made.Auth.ClientToken} {
		c := campaign()
		c.Directories = nil
		c.Sources = []config.Source{{Name: "users", Type: config.VaultUserpass, Mount: "ops", User: "*"}}
		roll, _, err := listIn(t.Context(), c, nil, openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		got := byName(roll)
		require.Equal(t, credential.OwnIdentity, got["ops/bob"].Problem)
		require.Equal(t, credential.OwnIdentity, got["ops/self"].Problem)
		require.Empty(t, got["ops/device"].Problem)
	}
}
