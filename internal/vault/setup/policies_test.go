package setup

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/notify/settings"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/vaulttest"
)

// restricted sets up a campaign as an administrator does and returns a store
// whose token has that one policy.
func restricted(t *testing.T, policy string) (limited, root *ownmount.Store, c *config.Campaign) {
	t.Helper()
	c = vaulttest.NewCampaign()
	c.Sources = []config.Source{{Type: "vault-kv", Prefix: "kv/apps"}, {Type: "vault-approle", Role: "esg-*"}}
	c.Directories = map[string]config.Directory{"corp": {
		Bind:     config.Bind{DN: "cn=rollcall,dc=example,dc=org", Password: credential.Path{Mount: "kv", Path: "rollcall-bind", Field: "password"}},
		Password: config.PasswordPolicy{VaultPolicy: "rollcall-corp"},
	}}
	c.Notify.Targets = []settings.Target{{Name: "soc", URL: "https://hooks.example.org", Key: credential.Path{Mount: "kv", Path: "notify", Field: "soc"}},
		{Name: "duty", Mail: &settings.Mail{Login: "rollcall", Password: credential.Path{Mount: "kv", Path: "notify-mail", Field: "password"}}}}
	c.Watch = &config.Watch{Listen: &config.Listen{Token: credential.Path{Mount: "kv", Path: "watch", Field: "token"}}}
	root = open(t, c, server.Address(), server.RootToken())
	_, err := Run(t.Context(), root, c, nil)
	require.NoError(t, err)
	return open(t, c, server.Address(), vaulttest.TokenWith(t, policy)), root, c
}

func denied(t *testing.T, err error) {
	t.Helper()
	require.True(t, vault.IsKind(err, vault.PermissionDenied), "%v", err)
}

// listed is how many credentials a stored roll gives back.
func listed(t *testing.T, s *ownmount.Store, idx ownmount.RollIndex) int {
	t.Helper()
	n := 0
	for i := range idx.Pages {
		page, err := s.ReadPage(t.Context(), idx.Campaign, idx.Snapshot, i)
		require.NoError(t, err)
		n += len(page)
	}
	return n
}

func TestTheWorkersPolicyIsEnoughToListAndRotate(t *testing.T) {
	s, _, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, server.SeedKV(ctx, map[string]map[string]any{"rollcall-bind": {"password": "bind"}}))
	_, err := server.Client().Logical().WriteWithContext(ctx, "sys/policies/password/rollcall-corp", map[string]any{"policy": "length = 20\nrule \"charset\" { charset = \"abcdefghijklmnop\" }"})
	require.NoError(t, err)

	p := credential.Path{Mount: "kv", Path: fmt.Sprintf("apps/worker-%d", vaulttest.Mounts.Add(1)), Field: "password"}
	vaulttest.SeedLive(t, p, map[string]any{"password": "old"})
	seen := false
	require.NoError(t, s.ListSecrets(ctx, "kv/apps", func(m vault.SecretMeta) error { seen = seen || m.Path == p.Path; return nil }))
	require.True(t, seen)
	bind, err := s.ReadLive(ctx, credential.Path{Mount: "kv", Path: "rollcall-bind", Field: "password"}, 0)
	require.NoError(t, err)
	require.True(t, bind.Found)

	require.NoError(t, s.OpenCampaign(ctx, ownmount.CampaignRecord{Campaign: "c", Device: "esg-01"}))
	require.NoError(t, s.SaveSpec(ctx, ownmount.CampaignSpec("c"), []byte("spec")))
	require.True(t, vault.IsCASMismatch(s.SaveSpec(ctx, ownmount.CampaignSpec("c"), []byte("spec"))))
	_, err = s.LoadSpec(ctx, ownmount.CampaignSpec("c"))
	require.NoError(t, err)
	idx, err := s.WriteRoll(ctx, vaulttest.NewRoll("c", 600))
	require.NoError(t, err)
	again, err := s.WriteRoll(ctx, vaulttest.NewRoll("c", 700))
	require.NoError(t, err)
	require.Equal(t, idx, again)
	require.Equal(t, 600, listed(t, s, idx))

	adopted := credential.Path{Mount: "kv", Path: fmt.Sprintf("rollcall/corp/svc-%d", vaulttest.Mounts.Add(1)), Field: "password"}
	for _, path := range []credential.Path{p, adopted} {
		value, err := s.GeneratePassword(ctx, "rollcall-corp")
		require.NoError(t, err)
		from, err := s.ReadLive(ctx, path, 0)
		require.NoError(t, err)
		st, created, err := s.Stage(ctx, "corp/x", ownmount.Staged{Secret: value, Campaign: "c", Attempt: 1, CreatedAt: time.Now()})
		require.NoError(t, err)
		require.True(t, created)
		_, created, err = s.Stage(ctx, "corp/x", st)
		require.NoError(t, err, "a mismatch is told from a missing right")
		require.False(t, created)
		st, err = s.Restage(ctx, "corp/x", st)
		require.NoError(t, err)
		now, err := s.Activate(ctx, path, from, st.Secret, "")
		require.NoError(t, err)
		current, err := s.Destroy(ctx, path, []int{from.Version}, now.Version, now.Written)
		require.NoError(t, err)
		require.True(t, current)
		require.NoError(t, s.Unstage(ctx, "corp/x", st.Campaign, st.Attempt))
	}
	ids, err := s.ListStaged(ctx)
	require.NoError(t, err)
	require.Empty(t, ids)
	_, err = s.Campaigns(ctx, "esg-01")
	require.NoError(t, err)
	require.NoError(t, s.CloseCampaign(ctx, "c"))

	_, err = s.Signer(ctx, "o")
	denied(t, err)
	_, err = s.API().Logical().WriteWithContext(ctx, c.Vault.Transit+"/sign/ledger", map[string]any{"input": "Zm9yZ2Vk"})
	denied(t, s.Fail("sign", "", update, err))
	denied(t, s.Anchor(ctx, "c", vaulttest.Checkpoint(1, "cm9vdA=="), ownmount.LedgerPlace{}))
	_, err = s.Put(ctx, "test", s.Mount(), "checkpoints/c/1", 0, map[string]any{"checkpoint": "forged"})
	denied(t, err)
	_, err = s.Put(ctx, "test", s.Mount(), "rolls/c/index", 1, map[string]any{"page": "changed"})
	denied(t, err)
	_, err = s.Put(ctx, "test", s.Mount(), "specs/campaign/c/index", 1, map[string]any{"parts": 0})
	denied(t, err)
	denied(t, s.SaveSpec(ctx, ownmount.ScheduleSpec("mine"), []byte("a schedule of the worker's own")))
	_, err = s.ReadLive(ctx, credential.Path{Mount: "kv", Path: "finance/other", Field: "password"}, 0)
	denied(t, err)
	_, err = s.API().Logical().WriteWithContext(ctx, "auth/approle/role/"+vault.LedgerPolicy+"/custom-secret-id", map[string]any{"secret_id": "mine"})
	denied(t, s.Fail("become the ledger", "", update, err))
}

func TestTheLedgersPolicySignsAndAnchorsAndReadsNoSecret(t *testing.T) {
	s, root, _ := restricted(t, vault.LedgerPolicy)
	ctx := t.Context()
	idx, err := root.WriteRoll(ctx, vaulttest.NewRoll("c", 10))
	require.NoError(t, err)
	_, _, err = root.Stage(ctx, "corp/x", ownmount.Staged{Secret: credential.NewSecret("v"), Campaign: "c", Attempt: 1})
	require.NoError(t, err)
	require.NoError(t, root.OpenCampaign(ctx, ownmount.CampaignRecord{Campaign: "c", Device: "esg-01"}))

	signer, err := s.Signer(ctx, "o")
	require.NoError(t, err)
	_, err = signer.Sign([]byte("text\n"))
	require.NoError(t, err)
	for _, size := range []int{1, 2} {
		require.NoError(t, s.Anchor(ctx, "c", vaulttest.Checkpoint(size, "cm9vdA=="), ownmount.LedgerPlace{}))
	}
	_, err = s.Anchored(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, 10, listed(t, s, idx))
	_, _, err = s.CampaignReleased(ctx, "c")
	require.NoError(t, err)

	_, _, err = s.ReadStaged(ctx, "corp/x")
	denied(t, err)
	_, err = s.ReadLive(ctx, credential.Path{Mount: "kv", Path: "apps/x", Field: "password"}, 0)
	denied(t, err)
	_, err = s.LoadSpec(ctx, ownmount.CampaignSpec("c"))
	denied(t, err)
	// But what it tells others with, it reads.
	require.NoError(t, server.SeedKV(ctx, map[string]map[string]any{"notify": {"soc": "key"}, "notify-mail": {"password": "mail"}, "notify-other": {"password": "another"}, "watch": {"token": "poster"}}))
	for _, p := range []credential.Path{{Mount: "kv", Path: "watch", Field: "token"}, {Mount: "kv", Path: "notify", Field: "soc"}, {Mount: "kv", Path: "notify-mail", Field: "password"}} {
		live, err := s.ReadLive(ctx, p, 0)
		require.NoError(t, err)
		require.True(t, live.Found)
	}
	_, err = s.ReadLive(ctx, credential.Path{Mount: "kv", Path: "notify-other", Field: "password"}, 0)
	denied(t, err)
	require.NoError(t, RequireLedgerRights(ctx, s, true))
	denied(t, s.Purge(ctx, "test", s.Mount(), "checkpoints/c/1"))
	_, err = s.Destroy(ctx, credential.Path{Mount: s.Mount(), Path: "checkpoints/c/1", Field: "checkpoint"}, []int{1}, 2, time.Now())
	denied(t, err)
}

func TestTheOperatorsPolicyReadsNoStagedOrLiveSecret(t *testing.T) {
	s, root, _ := restricted(t, vault.OperatorPolicy)
	ctx := t.Context()
	_, _, err := root.Stage(ctx, "corp/x", ownmount.Staged{Secret: credential.NewSecret("v"), Campaign: "c", Attempt: 1})
	require.NoError(t, err)
	require.NoError(t, s.OpenCampaign(ctx, ownmount.CampaignRecord{Campaign: "c", Device: "esg-01"}))
	require.NoError(t, s.SaveSpec(ctx, ownmount.ScheduleSpec("esg-01"), []byte("spec")))
	require.NoError(t, s.DeleteSpec(ctx, ownmount.ScheduleSpec("esg-01")))
	require.NoError(t, s.ListSecrets(ctx, "kv/apps", func(vault.SecretMeta) error { return nil }))
	_, err = s.VerifierKey(ctx, "o")
	require.NoError(t, err)
	_, err = s.Anchored(ctx, "c")
	require.NoError(t, err)

	_, _, err = s.ReadStaged(ctx, "corp/x")
	denied(t, err)
	_, err = s.ReadLive(ctx, credential.Path{Mount: "kv", Path: "apps/x", Field: "password"}, 0)
	denied(t, err)
	signer, err := s.Signer(ctx, "o")
	require.NoError(t, err)
	_, err = signer.Sign([]byte("forged"))
	denied(t, err)
}

func TestEveryRoleReadsThePayloadKeyAndNoneWritesIt(t *testing.T) {
	for _, policy := range []string{vault.WorkerPolicy, vault.LedgerPolicy, vault.OperatorPolicy} {
		s, root, c := restricted(t, policy)
		at := c.Vault.Mount + "/data/" + payloadKey
		_, err := root.API().Logical().WriteWithContext(t.Context(), at, map[string]any{"data": map[string]any{"key": "k"}})
		require.NoError(t, err)
		live, err := s.ReadLive(t.Context(), credential.Path{Mount: c.Vault.Mount, Path: payloadKey, Field: "key"}, 0)
		require.NoError(t, err)
		require.True(t, live.Found)
		_, err = s.API().Logical().WriteWithContext(t.Context(), at, map[string]any{"data": map[string]any{"key": "another"}})
		denied(t, s.Fail("test", at, update, err))
	}
}

func TestAMissingRightIsNamedWithItsPathUnlessThatNamesAnAccount(t *testing.T) {
	_, root, c := restricted(t, vault.WorkerPolicy)
	s := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	require.NoError(t, RequireRights(t.Context(), s, vault.WorkerPolicy, c, nil))
	require.NoError(t, RequireRights(t.Context(), root, vault.WorkerPolicy, c, vaulttest.NewRoll("c", 3).Credentials))

	c.Sources = append(c.Sources, config.Source{Type: "vault-kv", Prefix: "kv/fax"})
	roll := vaulttest.NewRoll("c", 1)
	roll.Credentials[0].Paths = []credential.Path{{Mount: "kv", Path: "mail/svc-esg", Field: "password"}}
	err := RequireRights(t.Context(), s, vault.WorkerPolicy, c, roll.Credentials)
	require.ErrorContains(t, err, "create, read, update is missing on kv/data/fax")
	require.ErrorContains(t, err, "update is missing on kv/destroy/…")
	require.NotContains(t, err.Error(), "svc-esg")
	require.ErrorContains(t, err, "rollcall init")
}

func TestPathsOfKnownCredentialsAreGrantedSinglyOrByFolderWhenMany(t *testing.T) {
	worker := func(n int) string {
		return Policies(vaulttest.NewCampaign(), vaulttest.NewRoll("c", n).Credentials)[0].HCL
	}
	require.Contains(t, worker(4), `path "kv/data/apps/3" { capabilities = ["create", "read", "update"] }`)
	require.NotContains(t, worker(4), `"kv/data/apps/*"`)
	require.Contains(t, worker(501), `path "kv/data/apps/*"`)
	require.NotContains(t, worker(501), `path "kv/data/apps/3"`)
}

func TestTemporaryPasswordsOfPeopleHaveAPlaceWhereThereIsADomain(t *testing.T) {
	c := vaulttest.NewCampaign()
	c.Vault.HandOver = "people/of/{directory}/{account}#password"
	c.Directories = map[string]config.Directory{"corp": {Driver: config.OpenLDAP}}
	for _, p := range Policies(c, nil) {
		require.NotContains(t, p.HCL, "people/")
	}
	c.Directories["windows"] = config.Directory{Driver: config.ActiveDirectory}
	for _, p := range Policies(c, nil) {
		switch p.Name {
		case vault.WorkerPolicy:
			require.Contains(t, p.HCL, `path "people/data/of/*" { capabilities = ["create", "read", "update"] }`)
			require.Contains(t, p.HCL, `path "people/destroy/of/*" { capabilities = ["update"] }`)
		case vault.OperatorPolicy:
			require.Contains(t, p.HCL, `path "people/metadata/of/*" { capabilities = ["list", "read"] }`)
			fallthrough
		default:
			require.NotContains(t, p.HCL, "people/data")
		}
	}
}

// A single bind password is read and no more; those of a pair are rotated.
func TestTheWorkerMayWriteTheBindPasswordsOfAPairAndNoOther(t *testing.T) {
	bind := func(name string) config.Bind {
		return config.Bind{DN: "cn=" + name + ",dc=example,dc=org", Password: credential.Path{Mount: "kv", Path: "bind/" + name, Field: "password"}}
	}
	c := vaulttest.NewCampaign()
	c.Directories = map[string]config.Directory{"plant": {Bind: bind("single")}, "corp": {Bind: bind("a"), Partner: bind("b")}}
	caps := map[string][]string{}
	for _, r := range rulesOf(vault.WorkerPolicy, c, nil) {
		caps[r.path] = append(caps[r.path], r.caps...)
	}
	require.Equal(t, []string{read}, caps["kv/data/bind/single"])
	require.NotContains(t, caps, "kv/destroy/bind/single")
	for _, name := range []string{"a", "b"} {
		require.Subset(t, caps["kv/data/bind/"+name], []string{create, read, update})
		require.Subset(t, caps["kv/metadata/bind/"+name], []string{list, read})
		require.Equal(t, []string{update}, caps["kv/destroy/bind/"+name])
	}
	for _, r := range rulesOf(vault.OperatorPolicy, c, nil) {
		require.NotContains(t, r.caps, "sudo")
		if r.path == "kv/data/bind/a" {
			require.Equal(t, []string{read}, r.caps)
		}
	}
}

func TestTheWorkerSetsThePasswordsOfUserpassUsersThatAreListedAndNoOthers(t *testing.T) {
	c := &config.Campaign{Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Password: config.PasswordPolicy{VaultPolicy: "users"}},
		Sources: []config.Source{{Type: config.VaultUserpass, Mount: "machines"}}}
	user := func(subject string, p credential.Problem) credential.Credential {
		return credential.Credential{Kind: credential.UserpassPassword, Authority: credential.VaultAuthority, Subject: subject, Problem: p}
	}
	known := []credential.Credential{user("userpass/listed", ""), user("userpass/like", credential.SameName), user("userpass/operator", credential.OwnIdentity)}
	policies := map[string]string{}
	for _, p := range Policies(c, known) {
		policies[p.Name] = p.HCL
	}
	for path, want := range map[string]bool{
		"auth/machines/users/+/password": true, "auth/userpass/users/listed/password": true,
		"auth/userpass/users/like": false, "auth/userpass/users/operator": false,
		"sys/policies/password/users/generate": true, "identity/lookup/entity": true, "sys/locked-users": true,
	} {
		require.Equal(t, want, strings.Contains(policies[vault.WorkerPolicy], path), path)
	}
	require.Contains(t, policies[vault.OperatorPolicy], `path "auth/machines/users/+" { capabilities = ["read"] }`)
	require.NotContains(t, policies[vault.OperatorPolicy], "/password")
	for _, name := range []string{vault.WorkerPolicy, vault.OperatorPolicy} {
		require.Contains(t, policies[name], `path "auth/+/users" { capabilities = ["list"] }`)
	}
	require.NotContains(t, policies[vault.LedgerPolicy], "users")
}

// Which versions lay there while the device was in foreign hands the metadata
// says.
func TestTheWorkerSeesWhenTheValuesOfARowOfAPersonWereWritten(t *testing.T) {
	p := credential.Path{Mount: "kv", Path: "by-hand/nas", Field: "password"}
	vaulttest.SeedLive(t, p, map[string]any{"password": "old"})
	c := vaulttest.NewCampaign()
	root := open(t, c, server.Address(), server.RootToken())
	_, err := Run(t.Context(), root, c, []credential.Credential{{ID: "person/esg-01/nas", Name: "nas", Authority: credential.PersonAuthority, Task: &credential.Task{At: &p}}})
	require.NoError(t, err)
	got, err := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy)).Versions(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, got.Written, 1)
	_, err = open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy)).Activate(t.Context(), p, vault.Live{Version: 1}, credential.NewSecret("x"), "")
	denied(t, err)
}

// Vault Enterprise answers whether it pushes secrets to other stores; no other
// one has the path.
func TestWhoListsMaySeeWhetherVaultPushesSecretsElsewhere(t *testing.T) {
	for _, p := range Policies(vaulttest.NewCampaign(), nil) {
		const rule = `path "sys/sync/associations" { capabilities = ["list"] }`
		if p.Name == vault.LedgerPolicy {
			require.NotContains(t, p.HCL, "sys/sync")
			continue
		}
		require.Contains(t, p.HCL, rule)
	}
}
