package inventory

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/vault/ownmount"
)

// offering notes what was offered to whom, and who takes what.
type offering struct {
	mu     sync.Mutex
	asked  []string
	takes  map[string]string // by name
	locked map[string]bool
}

func (o *offering) ask(_ context.Context, x credential.Credential, v credential.Secret) (bool, string) {
	name := x.Name
	if dn := rdnValue(name); dn != "" {
		name = dn
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.locked[name] {
		return false, "the account is locked"
	}
	o.asked = append(o.asked, name+" "+v.Reveal())
	return o.takes[name] == v.Reveal(), ""
}

// handing is a store in which campaigns have staged something.
type handing struct {
	*ownmount.Store
	staged map[string]ownmount.Staged
}

func (h handing) ReadStaged(_ context.Context, id string) (ownmount.Staged, bool, error) {
	st, found := h.staged[id]
	return st, found, nil
}

func put(t *testing.T, path string, values ...string) {
	t.Helper()
	for _, v := range values {
		_, err := realVault.Client().KVv2("kv").Put(t.Context(), path, map[string]any{"password": v})
		require.NoError(t, err)
	}
	t.Cleanup(func() { _ = realVault.Client().KVv2("kv").DeleteMetadata(context.Background(), path) })
}

// The first night: somebody has reset the account by hand before Rollcall was
// there, and the thief has what lay there before.
func TestAnAccountOfTheSameNameIsOfferedWhatWasThereInForeignHandsAndNotWhatWasWrittenSince(t *testing.T) {
	servers(t)
	role := func(id, name string) authority.Account {
		return authority.Account{Subject: id, Name: name, Short: name, Names: []string{name}}
	}
	db := namedCluster{cluster{roles: map[string]authority.Account{"bystander0003": role("16384", "bystander0003")}}}
	put(t, "since/one", "stolen")
	c := campaign()
	c.Exposure = []config.Interval{{From: time.Now().Add(-time.Hour), To: time.Now()}}
	put(t, "since/one", "by-hand")
	c.Directories["corp"] = corp()
	c.Systems = config.Systems{"appdb": settings.Cluster{Servers: db.Servers(), Bind: []authority.Login{{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}}}
	c.Sources = []config.Source{manifestSource("account,directory,path", "bystander0003,corp,kv/since/one#password")}
	store := remembering{Store: openVault(t, realVault.RootToken().Reveal())}
	o := &offering{}
	list := func() (*credential.Roll, map[string]credential.Credential) {
		t.Helper()
		o.asked = nil
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Systems: map[string]authority.Finder{"appdb": db}, Asks: o.ask}, store, "c", time.Now())
		require.NoError(t, err)
		got := map[string]credential.Credential{}
		for _, x := range roll.Credentials {
			got[x.ID] = x
		}
		return roll, got
	}
	const id = "appdb/16384"

	o.takes = map[string]string{"bystander0003": "stolen"}
	_, got := list()
	require.Equal(t, []string{"bystander0003 stolen"}, o.asked)
	require.Empty(t, got[id].Problem, "the thief logs in there")
	require.Equal(t, []credential.PathVersion{{Path: credential.Path{Mount: "kv", Path: "since/one", Field: "password"}, Version: 1}}, got[id].Alike)

	// One that refuses it, as the account itself does since it was reset: it
	// may be that Vault held an old one.
	o.takes = nil
	roll, got := list()
	require.Equal(t, []string{"bystander0003 stolen", "bystander0003 stolen"}, o.asked, "one login at each; what is in force since is shown to nobody")
	require.Equal(t, credential.SameName, got[id].Problem)
	require.Empty(t, roll.Unlike)

	// The device was in foreign hands once more, after a campaign.
	store.since, store.last = ownmount.AsActivated, &ownmount.LastRoll{Campaign: "c0", Unlike: []string{id}, Dead: map[string]bool{}}
	once := c.Exposure
	c.Exposure = append(slices.Clone(once), config.Interval{From: time.Now().Add(-time.Millisecond), To: time.Now()})
	list()
	require.Contains(t, o.asked, "bystander0003 by-hand", "what a campaign put there was stolen too")

	// Where what was stolen is gone, who was seen to refuse it is left alone,
	// and nobody else.
	c.Exposure = once
	require.NoError(t, realVault.Client().KVv2("kv").Destroy(t.Context(), "since/one", []int{1}))
	_, got = list()
	require.Empty(t, o.asked)
	require.NotContains(t, got, id)
	store.last = nil
	_, got = list()
	require.Empty(t, o.asked)
	require.Equal(t, credential.SameName, got[id].Problem)
	require.Contains(t, details(roll, id, credential.FindingSameName), "and so does that one itself")
	store.since = ownmount.NotActivated
	roll, got = list()
	require.Empty(t, o.asked)
	require.Equal(t, credential.SameName, got[id].Problem)
	require.Contains(t, details(roll, id, credential.FindingSameName), "cannot be read any more")
}

// The person writes the new value where the row says, and the campaign ends
// before the task does: an account that takes the stolen one refuses the new
// one for good.
func TestAnAccountWithATasksLoginIsOfferedWhatWasStolenAndNotWhatThePersonWroteSince(t *testing.T) {
	servers(t)
	put(t, "tasksince/nas", "stolen")
	c := campaign()
	c.Directories["corp"] = corp()
	c.Doors = map[string]door.Settings{"mail": {Type: "imaps", Login: "{account}"}}
	c.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "list.yaml", Content: []byte(`
- {kind: local-account, name: tape, login: bystander0002, owner: userpass/a, due: 8h, path: kv/tasksince/nas#password}
- {kind: local-account, name: nas, login: bystander0006, owner: userpass/a, due: 8h, path: kv/tasksince/nas#password, doors: mail}
- {account: alice, path: kv/tasksince/alice#password, new: true}
`)}}
	store := remembering{Store: openVault(t, realVault.RootToken().Reveal())}
	o := &offering{takes: map[string]string{"bystander0002": "stolen", "bystander0006": "stolen"}, locked: map[string]bool{"bystander0002": true}}
	list := func() (*credential.Roll, map[string]credential.Credential) {
		t.Helper()
		o.asked = nil
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Asks: o.ask}, store, "c", time.Now())
		require.NoError(t, err)
		slices.Sort(o.asked)
		return roll, byName(roll)
	}
	without, with := slapd.AccountDN("bystander0002"), slapd.AccountDN("bystander0006")
	roll, got := list()
	require.Len(t, got["nas"].Task.Elsewhere, 1)
	require.Equal(t, credential.SameName, got[without].Problem)

	put(t, "tasksince/nas", "the person's")
	store.last = &ownmount.LastRoll{Campaign: "c0", Credentials: roll.Credentials, Dead: map[string]bool{}}
	o.locked = nil
	roll, got = list()
	require.Equal(t, []string{"bystander0002 stolen", "bystander0006 stolen"}, o.asked)
	require.Empty(t, got[without].Problem, "it is rotated")
	require.Equal(t, with, got["nas"].Task.Elsewhere[0].Name)
	require.Empty(t, roll.Unlike)

	// Its row has another field by now, and the device another name.
	c.Sources[0].Content = []byte(`
- {kind: local-account, name: nas, login: bystander0006, owner: userpass/a, due: 8h, path: kv/tasksince/nas#new, doors: mail}
- {account: alice, path: kv/tasksince/alice#password, new: true}
`)
	was := c.Device
	c.Device, c.Formerly = "esg-77", []string{was}
	o.locked = map[string]bool{"bystander0006": true}
	_, got = list()
	require.NotEmpty(t, got["nas"].Task.Stolen)
	require.Len(t, got["nas"].Task.Elsewhere, 1)

	// Nothing of it is left: it is open, and nobody says that it refused it.
	c.Device, c.Formerly, o.locked = was, nil, nil
	require.NoError(t, realVault.Client().KVv2("kv").Destroy(t.Context(), "tasksince/nas", []int{1}))
	roll, got = list()
	require.Empty(t, o.asked)
	require.Len(t, got["nas"].Task.Elsewhere, 1)
	require.Empty(t, roll.Unlike)

	// A person answers.
	c.Exclude = []config.Exclude{{Account: with, Reason: "a colleague's"}}
	_, got = list()
	require.Empty(t, got["nas"].Task.Elsewhere)
}

// What a person writes where his row says is what Rollcall handed over, and the
// next listing takes it for no stolen value; what was there in foreign hands is
// one, whatever lies there now.
func TestOfATaskWhatWasThereInForeignHandsIsStolenAndWhatRollcallHandedOverIsNot(t *testing.T) {
	servers(t)
	put(t, "handed/nas", "stolen")
	put(t, "handed/key", "stolen")
	c := campaign()
	c.Exposure = []config.Interval{{From: time.Now().Add(-time.Hour), To: time.Now()}}
	put(t, "handed/nas", "handed-over")
	put(t, "handed/key", "by-hand")
	c.Directories["corp"] = corp()
	c.Doors = map[string]door.Settings{"mail": {Type: "imaps", Login: "{account}"}}
	c.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "list.yaml", Content: []byte(`
- {kind: local-account, name: nas, login: nas, owner: userpass/a, due: 8h, path: kv/handed/nas#password, make: true, doors: mail}
- {kind: local-account, name: key, login: key, owner: userpass/a, due: 8h, path: kv/handed/key#password, doors: mail}
`)}}
	id := "person/" + c.Device + "/nas"
	store := handing{openVault(t, realVault.RootToken().Reveal()), map[string]ownmount.Staged{id: {Secret: credential.NewSecret("handed-over"), Campaign: "c0", Attempt: 1}}}
	list := func() (*credential.Roll, map[string]credential.Credential) {
		t.Helper()
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp())}, store, "c", time.Now())
		require.NoError(t, err)
		return roll, byName(roll)
	}
	versions := func(x credential.Credential) (out []int) {
		for _, v := range x.Task.Stolen {
			out = append(out, v.Version)
		}
		return out
	}
	_, got := list()
	require.Equal(t, id, got["nas"].ID)
	require.Equal(t, []int{1}, versions(got["nas"]))
	require.Equal(t, []int{1, 2}, versions(got["key"]), "what lies there may be the stolen one that somebody put right")
	require.NoError(t, realVault.Client().KVv2("kv").Destroy(t.Context(), "handed/key", []int{1}))
	roll, got := list()
	require.Equal(t, []int{2, 0}, versions(got["key"]), "of one version nobody has the value")
	require.Contains(t, details(roll, got["key"].ID, credential.FindingDoorsShowLess), "cannot be read any more")
}

// Which versions there were is not shown to a login without the metadata: that
// nobody can read the stolen one is not known then.
func TestWhatThisLoginIsNotShownIsNotSaidToBeGone(t *testing.T) {
	servers(t)
	put(t, "hidden/key", "stolen", "by-hand")
	c := campaign()
	c.Exposure = []config.Interval{{From: time.Now().Add(-time.Hour), To: time.Now()}}
	c.Directories["corp"] = corp()
	c.Doors = map[string]door.Settings{"mail": {Type: "imaps", Login: "{account}"}}
	c.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "list.yaml", Content: []byte(`
- {kind: local-account, name: key, login: key, owner: userpass/a, due: 8h, path: kv/hidden/key#password, doors: mail}
`)}}
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("no-metadata", `path "*" { capabilities = ["create", "read", "update", "list", "sudo"] }
path "kv/metadata/hidden/*" { capabilities = ["deny"] }`))
	token, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"no-metadata"}, NoParent: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = api.Auth().Token().RevokeTree(token.Auth.ClientToken) })
	roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp())}, openVault(t, token.Auth.ClientToken), "c", time.Now())
	require.NoError(t, err)
	said := details(roll, byName(roll)["key"].ID, credential.FindingDoorsShowLess)
	require.Contains(t, said, "is not shown to this login")
	require.Contains(t, said, "kv/metadata/hidden/key")
	require.NotContains(t, said, "cannot be read any more")
}
