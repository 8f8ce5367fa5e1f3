package activities

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/wire"
)

// reachable is a campaign on a real Vault with two logins of the device that
// read each other's places, and two accounts, of the first of which they read
// the place.
type reachable struct {
	t                *testing.T
	store            *ownmount.Store
	rotation         *Rotation
	roll             *credential.Roll
	index            ownmount.RollIndex
	logins, accounts wire.Batch
	write            func(path string, body map[string]any) *api.Secret
	client           *api.Client
	between          func() // Prepare and Apply, in tried; nil: nothing
}

func newReachable(t *testing.T, roles ...map[string]any) *reachable {
	return reachableWith(t, func(*reachable) {}, roles...)
}

// reachableWith has before change what was made before the roll is written.
func reachableWith(t *testing.T, before func(*reachable), roles ...map[string]any) *reachable {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	server, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	t.Setenv("HOME", t.TempDir())
	server.UseIn(t, server.RootToken().Reveal())
	w := &reachable{t: t, client: server.Client()}
	w.write = func(path string, body map[string]any) *api.Secret {
		got, err := w.client.Logical().Write(path, body)
		require.NoError(t, err, path)
		return got
	}
	spec := &config.Campaign{
		Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}, Limits: config.Limits{Parallel: 1},
		Exposure: []config.Interval{{From: time.Date(2022, 10, 10, 0, 0, 0, 0, time.UTC), To: time.Date(2023, 6, 8, 0, 0, 0, 0, time.UTC)}},
		Directories: map[string]config.Directory{"corp": {
			Driver: config.OpenLDAP, Servers: []string{"ldap://127.0.0.1:1"}, Base: "dc=example,dc=org", Insecure: true, Timeout: config.Duration(time.Second),
			Connections: 1, Bind: config.Bind{DN: "cn=r,dc=example,dc=org", Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
			Password: config.PasswordPolicy{Length: 32},
		}},
	}
	store, err := ownmount.Open(ctx, ownmount.Settings{Mount: spec.Vault.Mount, Transit: spec.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	_, err = setup.Run(ctx, store, spec, nil)
	require.NoError(t, err)
	require.NoError(t, w.client.Sys().PutPolicy("reads-esg-01", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`))

	roll := &credential.Roll{Campaign: "c", Device: "esg-01"}
	for i, name := range []string{"esg-01-a", "esg-01-b"} {
		role := map[string]any{"token_policies": "reads-esg-01"}
		if i < len(roles) {
			maps.Copy(role, roles[i])
		}
		w.write("auth/approle/role/"+name, role)
		w.write("auth/approle/role/"+name+"/custom-secret-id", map[string]any{"secret_id": "stolen-" + name})
		w.write("kv/data/apps/esg-01/"+name, map[string]any{"data": map[string]any{"secret_id": "stolen-" + name}})
		roll.Credentials = append(roll.Credentials, credential.Credential{
			ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/" + name, Name: "approle/" + name,
			Paths: []credential.Path{{Mount: "kv", Path: "apps/esg-01/" + name, Field: "secret_id"}},
		})
	}
	for _, path := range []string{"apps/esg-01/mta", "apps/elsewhere/mta"} {
		roll.Credentials = append(roll.Credentials, credential.Credential{
			ID: "corp/" + path, Kind: credential.LDAPPassword, Authority: "corp", Subject: path, Name: path, Wave: 1,
			Paths: []credential.Path{{Mount: "kv", Path: path, Field: "password"}},
		})
	}
	data, err := json.Marshal(spec)
	require.NoError(t, err)
	require.NoError(t, Open(ctx, store, ownmount.CampaignRecord{Campaign: "c", Device: "esg-01"}, data))
	w.store, w.roll = store, roll
	before(w)
	index, err := store.WriteRoll(ctx, roll)
	require.NoError(t, err)
	require.Subset(t, index.Logins, credential.Refs{{Page: 0, Index: 0}, {Page: 0, Index: 1}})

	w.index = index
	w.restart()
	w.logins = wire.Batch{Campaign: "c", Snapshot: index.Snapshot, Authority: "vault", Kind: credential.AppRoleSecretID, Concurrency: 1, Span: credential.Span{To: 2}, Logins: index.Logins}
	w.accounts = wire.Batch{Campaign: "c", Snapshot: index.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 1, Span: credential.Span{From: 2, To: 4}, Logins: index.Logins}
	return w
}

// restart is another process, which remembers nothing.
func (w *reachable) restart() { w.rotation = NewRotation(w.store, registry.New(w.store.Client)) }

func (w *reachable) call(name string, in, out any) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(w.rotation)
	got, err := env.ExecuteActivity(name, in)
	require.NoError(w.t, err)
	if out != nil {
		require.NoError(w.t, got.Get(out))
	}
}

// inside does something in an activity: what takes a second heartbeats, which
// only an activity can.
func (w *reachable) inside(do func(ctx context.Context) error) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: "inside"})
	_, err := env.ExecuteActivity("inside")
	require.NoError(w.t, err)
}

// reasons are why the accounts are open.
func (w *reachable) reasons() []protocol.Reason { return w.reasonsOf(2, 3) }

func (w *reachable) reasonsOf(items ...int) (out []protocol.Reason) {
	var prepared []wire.PreparedItem
	w.call("Prepare", wire.PrepareInput{Batch: w.accounts, Pass: 1, Items: items}, &prepared)
	for _, p := range prepared {
		out = append(out, p.Stop.Reason)
	}
	return out
}

// pass is one over some of the logins.
func (w *reachable) pass(items ...int) (out []wire.AppliedItem) {
	var prepared []wire.PreparedItem
	w.call("Prepare", wire.PrepareInput{Batch: w.logins, Pass: 1, Items: items}, &prepared)
	var in []wire.ApplyItem
	for _, p := range prepared {
		require.Nil(w.t, p.Stop)
		in = append(in, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
	}
	w.call("Apply", wire.ApplyInput{Batch: w.logins, Items: in}, &out)
	return out
}

func (w *reachable) live(i int) string {
	live, err := w.store.ReadLive(w.t.Context(), w.roll.Credentials[i].Paths[0], 0)
	require.NoError(w.t, err)
	return live.Value.Reveal()
}

func TestNoNewValueIsWrittenWhereALoginThatIsOpenCouldReadIt(t *testing.T) {
	w := newReachable(t)
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, w.reasons(), "only what they could read waits")

	// One batch after the other: the first waits for the second to be looked
	// at. When that one is retired the first is not, and could read its place.
	out := w.pass(0)
	require.Equal(t, protocol.ReasonWithinReach, out[0].Stop.Reason)
	require.Equal(t, protocol.Intent, out[0].Step)
	require.True(t, w.good("esg-01-a"))
	out = w.pass(1)
	require.Equal(t, protocol.ReasonWithinReach, out[0].Stop.Reason)
	require.Equal(t, protocol.Activate, out[0].Step)
	require.Equal(t, "stolen-esg-01-b", w.live(1), "nothing new was written there")
	require.False(t, w.good("esg-01-b"))
	out = w.pass(0)
	require.True(t, out[0].Dead(), "by then the second is retired: %+v", out[0].Stop)

	w.accounts.Logins = w.index.Logins[1:]
	w.openedByAnotherProcess("vault/approle/esg-01-b")

	w.restart()
	w.accounts.Logins = w.index.Logins[1:] // the first is dead; the second is retired, and not yet activated
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}, w.reasons())
	w.logins.Logins = w.index.Logins[1:]
	out = w.pass(1)
	require.True(t, out[0].Dead(), "%+v", out[0].Stop)
	require.NotEqual(t, "stolen-esg-01-b", w.live(1))

	// One that cannot be asked counts as one that reads all.
	w.write("auth/approle/role/esg-01-b", map[string]any{"secret_id_bound_cidrs": "192.0.2.0/24"})
	w.accounts.Logins = w.index.Logins[1:]
	w.restart()
	require.NoError(t, w.store.Unstage(t.Context(), "vault/approle/esg-01-b", "c", 1))
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}, w.reasons())
}

// openedByAnotherProcess: somebody's value is in force where it was closed
// before.
func (w *reachable) openedByAnotherProcess(id string) {
	all := []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}
	marks := func(closed bool) {
		staged, found, err := w.store.ReadStaged(w.t.Context(), id)
		require.NoError(w.t, err)
		require.True(w.t, found)
		staged.Closed = closed
		_, err = w.store.Restage(w.t.Context(), id, staged)
		require.NoError(w.t, err)
	}
	w.rotation.logins.LookAfter = time.Minute
	require.Equal(w.t, all, w.reasons())
	of, err := w.rotation.reachOf(w.t.Context(), w.accounts, w.roll.Credentials[2:3], true)
	require.NoError(w.t, err)
	marks(false)
	require.Equal(w.t, all, w.reasons(), "it was looked at just now")
	w.rotation.logins.LookAfter = 0
	require.NotNil(w.t, of.Within(w.t.Context(), w.roll.Credentials[2]), "nobody asked it what it reads in the batch that runs")
	require.Equal(w.t, protocol.ReasonWithinReach, w.reasons()[0])
	marks(true)
	require.Nil(w.t, of.Within(w.t.Context(), w.roll.Credentials[2]))
	require.Equal(w.t, all, w.reasons())
	w.rotation.logins.LookAfter = time.Minute
	marks(false)
	of.Opened(id)
	require.Equal(w.t, protocol.ReasonWithinReach, w.reasons()[0], "at once where it was seen")
	marks(true)
}

// thief logs in with the stolen secret-id of a role, and gives what its token
// reads.
func (w *reachable) thief(role string) func(path string) error {
	thief, err := w.client.Clone()
	require.NoError(w.t, err)
	id, err := w.client.Logical().Read("auth/approle/role/" + role + "/role-id")
	require.NoError(w.t, err)
	thief.SetToken(w.write("auth/approle/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": "stolen-" + role}).Auth.ClientToken)
	return func(path string) error {
		_, err := thief.Logical().Read(path)
		return err
	}
}

// prepared are the stops of logins before anything is staged; nil where
// something was.
func (w *reachable) prepared(items ...int) (out []*protocol.Stop) {
	var prepared []wire.PreparedItem
	w.call("Prepare", wire.PrepareInput{Batch: w.logins, Pass: 1, Items: items}, &prepared)
	for _, p := range prepared {
		out = append(out, p.Stop)
	}
	return out
}

// good reports whether the stolen secret-id of a role logs in still.
func (w *reachable) good(role string) bool {
	id, err := w.client.Logical().Read("auth/approle/role/" + role + "/role-id")
	require.NoError(w.t, err)
	_, err = w.client.Logical().Write("auth/approle/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": "stolen-" + role})
	return err == nil
}

// Batch tokens of the stolen secret-id live on when that is destroyed, and
// nobody can revoke them.
func TestALoginOfWhichBatchTokensLiveOnIsNeverClosed(t *testing.T) {
	w := newReachable(t, map[string]any{"token_type": "batch", "token_policies": "reads-esg-01,not-its-own"})
	require.NoError(t, w.client.Sys().PutPolicy("not-its-own", `path "kv/data/apps/esg-01/esg-01-a" { capabilities = ["deny"] }`))
	// The other reads nothing, so that it does not keep the first from being
	// activated.
	w.write("auth/approle/role/esg-01-b", map[string]any{"token_policies": ""})
	reads := w.thief("esg-01-a")

	waits := []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}
	before := w.prepared(0, 1)
	require.Nil(t, before[0], "its tokens do not read its own place")
	require.Equal(t, protocol.ReasonWithinReach, before[1].Reason, "its new value would be read, by tokens that nobody can revoke")
	out := w.pass(0)
	require.True(t, out[0].Dead(), "%+v", out[0].Stop)
	require.Equal(t, credential.FindingBatchTokens, out[0].Findings[0].Code)
	require.Equal(t, protocol.ReasonWithinReach, w.prepared(1)[0].Reason, "it is dead, and its tokens are not")
	require.Equal(t, "stolen-esg-01-b", w.live(1))
	require.True(t, w.good("esg-01-b"), "its consumer has a login")
	w.accounts.Logins = w.index.Logins[:1]
	require.Equal(t, waits, w.reasons(), "asked with the new secret-id, which is staged")
	staged, found, err := w.store.ReadStaged(t.Context(), w.roll.Credentials[0].ID)
	require.NoError(t, err)
	require.True(t, found)
	require.False(t, staged.Closed)
	w.restart()
	require.Equal(t, waits, w.reasons())

	w.call("Clean", wire.CleanInput{Batch: w.logins, Items: []wire.CleanItem{{Index: 0, Dead: out[0].ToClean()}}}, nil)
	require.Equal(t, waits, w.reasons(), "asked with the new secret-id, which is live")
	w.restart()
	require.Equal(t, waits, w.reasons())
	require.NoError(t, reads("kv/data/apps/esg-01/esg-01-b"), "it reads on")
	w.logins.Logins = w.index.Logins[1:] // a person accepts the first
	require.True(t, w.pass(1)[0].Dead())
	w.write("auth/approle/role/esg-01-a", map[string]any{"secret_id_bound_cidrs": "192.0.2.0/24"})
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}, w.reasons(), "who cannot be asked counts as one that reads all")
}

// Its new secret-id would be read by the tokens of the old one, and without it
// its consumer would have no login: it is left as it is until a person accepts
// that.
func TestALoginWhoseBatchTokensReadItsOwnPlaceIsNotEvenStagedBeforeAPersonAcceptsIt(t *testing.T) {
	w := newReachable(t, map[string]any{"token_type": "batch"})
	reads := w.thief("esg-01-a")
	for range 2 {
		for i, stop := range w.prepared(0, 1) {
			require.Equal(t, protocol.ReasonWithinReach, stop.Reason, i)
		}
		w.restart()
	}
	require.NoError(t, reads("kv/data/apps/esg-01/esg-01-a"))
	for i, role := range []string{"esg-01-a", "esg-01-b"} {
		require.True(t, w.good(role), role)
		require.Equal(t, "stolen-"+role, w.live(i))
		_, staged, err := w.store.ReadStaged(t.Context(), w.roll.Credentials[i].ID)
		require.NoError(t, err)
		require.False(t, staged)
	}

	// Other tokens from now on change nothing about those that are out.
	w.roll.Credentials[0].Batch = true
	w.roll.Campaign = "c2"
	index, err := w.store.WriteRoll(t.Context(), w.roll)
	require.NoError(t, err)
	spec, err := w.store.LoadSpec(t.Context(), ownmount.CampaignSpec("c"))
	require.NoError(t, err)
	require.NoError(t, w.store.CloseCampaign(t.Context(), "c"))
	require.NoError(t, Open(t.Context(), w.store, ownmount.CampaignRecord{Campaign: "c2", Device: "esg-01"}, spec))
	w.logins.Campaign, w.logins.Snapshot = "c2", index.Snapshot
	w.write("auth/approle/role/esg-01-a", map[string]any{"token_type": "service"})
	for i, stop := range w.prepared(0, 1) {
		require.Equal(t, protocol.ReasonWithinReach, stop.Reason, i)
	}

	w.logins.Logins = w.index.Logins[1:] // a person accepts the first
	out := w.pass(0, 1)
	require.True(t, out[0].Dead(), "%+v", out[0].Stop)
	require.True(t, out[1].Dead(), "%+v", out[1].Stop)
	require.Equal(t, credential.FindingBatchTokens, out[0].Findings[0].Code, "those from before it was changed")
}

// Where the new secret-id lies staged the thief must not read either: it logs
// in from set on.
func TestNoLoginIsStagedWhereAStolenOneReads(t *testing.T) {
	w := newReachable(t, map[string]any{"token_policies": "reads-all"})
	require.NoError(t, w.client.Sys().PutPolicy("reads-all", `path "*" { capabilities = ["read"] }`))
	for i, stop := range w.prepared(0, 1) {
		require.Equal(t, protocol.ReasonWithinReach, stop.Reason, i)
		require.Contains(t, stop.Detail, "what Rollcall stages")
	}
	w.logins.Logins, w.logins.Span = w.index.Logins[:1], credential.Span{To: 1}
	require.Equal(t, protocol.ReasonWithinReach, w.prepared(0)[0].Reason, "also alone")
	w.write("auth/approle/role/esg-01-a", map[string]any{"token_policies": "reads-esg-01"})
	require.True(t, w.pass(0)[0].Dead())
}

// One that no rotation closes keeps the others from being retired, and not just
// from being activated.
func TestALoginWaitsBeforeSetForOneThatNoRotationCloses(t *testing.T) {
	w := newReachable(t)
	w.write("auth/approle/role/esg-01-b", map[string]any{"bind_secret_id": false, "token_bound_cidrs": "127.0.0.0/8"})
	before := w.prepared(0, 1)
	require.Equal(t, protocol.ReasonWithinReach, before[0].Reason)
	require.Nil(t, before[1], "its own reason comes when it is set")
	require.Equal(t, protocol.ReasonNeedsNone, w.pass(1)[0].Stop.Reason)

	w.write("auth/approle/role/esg-01-b", map[string]any{"bind_secret_id": true, "token_bound_cidrs": "", "secret_id_bound_cidrs": "192.0.2.0/24"})
	require.NoError(t, w.store.Unstage(t.Context(), "vault/approle/esg-01-b", "c", 1))
	before = w.prepared(0, 1)
	require.Equal(t, protocol.ReasonWithinReach, before[0].Reason, "who cannot be asked counts as one that reads all")
	require.Nil(t, before[1], "its own reason comes when it is tried")
	require.True(t, w.good("esg-01-a"))

	// Nor is one begun that cannot be asked itself.
	w.write("auth/approle/role/esg-01-b", map[string]any{"token_type": "batch"})
	w.write("auth/approle/role/esg-01-a", map[string]any{"secret_id_bound_cidrs": "192.0.2.0/24"})
	before = w.prepared(0)
	require.NotNil(t, before[0])
	require.Equal(t, protocol.ReasonWithinReach, before[0].Reason)
	w.write("auth/approle/role/esg-01-b", map[string]any{"token_type": "service"})
	require.Nil(t, w.prepared(0)[0], "two that cannot be asked do not wait for each other")
}

// vaultUsers are two logins that cannot be asked what they read, because no
// value of theirs lies in Vault.
func vaultUsers(t *testing.T, second map[string]any) *reachable {
	w := reachableWith(t, func(w *reachable) {
		w.write("sys/auth/userpass", map[string]any{"type": "userpass"})
		for i, name := range []string{"x", "y"} {
			w.write("auth/userpass/users/"+name, map[string]any{"password": "stolen-" + name, "token_policies": "reads-esg-01"})
			c := credential.Credential{ID: "vault/userpass/" + name, Kind: credential.UserpassPassword, Authority: "vault", Subject: "userpass/" + name, Name: "userpass/" + name,
				Paths: []credential.Path{{Mount: "kv", Path: "apps/esg-01/user-" + name, Field: "password"}}}
			c.Named = c.Paths
			w.roll.Credentials[i] = c
		}
		if second != nil {
			w.write("auth/userpass/users/y", second)
			w.write("kv/data/apps/esg-01/user-y", map[string]any{"data": map[string]any{"password": "stolen-y"}})
		}
	})
	w.logins.Kind = credential.UserpassPassword
	return w
}

func (w *reachable) letsIn(name, password string) bool {
	_, err := w.client.Logical().Write("auth/userpass/login/"+name, map[string]any{"password": password})
	return err == nil
}

// Retired and not activated it would have no login for good, for what is the
// matter with the other one shows only when that is looked at.
func TestALoginThatCannotBeAskedIsNotSetBeforeAnotherOneThatStaysOpen(t *testing.T) {
	w := vaultUsers(t, map[string]any{"token_bound_cidrs": "192.0.2.77/32"})
	for range 2 {
		done := w.pass(0, 1)
		require.Equal(t, protocol.ReasonRights, done[1].Stop.Reason, done[1].Stop.Detail)
		require.Equal(t, protocol.ReasonWithinReach, done[0].Stop.Reason, done[0].Stop.Detail)
		require.Equal(t, protocol.Intent, done[0].Step)
		require.True(t, w.letsIn("x", "stolen-x"), "nothing was set")
	}
}

func TestLoginsThatCannotBeAskedDoNotWaitForEachOther(t *testing.T) {
	w := vaultUsers(t, nil)
	w.eachDies(0, 1)
}

// One was about to be set a moment ago, and cannot be by now.
func TestALoginThatCannotBeAskedWaitsForOneThatWasAboutToBeSet(t *testing.T) {
	w := vaultUsers(t, nil)
	of, err := w.rotation.reachOf(t.Context(), w.logins, w.roll.Credentials[:2], true)
	require.NoError(t, err)
	may := func() error { return nil }
	require.Error(t, of.Stand(t.Context(), w.roll.Credentials[1], may))
	require.NoError(t, of.Stand(t.Context(), w.roll.Credentials[0], may), "the other one is about to be set")
	require.ErrorIs(t, of.Stand(t.Context(), w.roll.Credentials[0], func() error { return os.ErrInvalid }), os.ErrInvalid)
	_, err = w.client.Logical().Delete("auth/userpass/users/y")
	require.NoError(t, err)
	require.NotNil(t, w.prepared(1)[0])
	require.Error(t, of.Stand(t.Context(), w.roll.Credentials[0], may))
}

// eachDies: three passes are enough.
func (w *reachable) eachDies(items ...int) {
	dead, last := map[int]bool{}, map[int]*protocol.Stop{}
	for range 3 {
		var left []int
		for _, i := range items {
			if !dead[i] {
				left = append(left, i)
			}
		}
		if len(left) == 0 {
			break
		}
		for _, done := range w.pass(left...) {
			dead[done.Index], last[done.Index] = done.Dead(), done.Stop
		}
	}
	for _, i := range items {
		require.True(w.t, dead[i], "%d: %+v", i, last[i])
	}
}

// A login that may make another one's secret-ids has that one again after it
// was retired.
func TestALoginThatMakesAnothersGoesFirstAndTheOtherWaitsForIt(t *testing.T) {
	w := newReachable(t, nil, map[string]any{"token_policies": "makes-a"})
	require.NoError(t, w.client.Sys().PutPolicy("makes-a", `path "auth/approle/role/esg-01-a/secret-id" { capabilities = ["update"] }`))
	w.write("auth/approle/role/esg-01-a", map[string]any{"token_policies": "default"})
	before := w.prepared(0, 1)
	require.Equal(t, protocol.ReasonWithinReach, before[0].Reason)
	require.Contains(t, before[0].Detail, "may make this one anew")
	require.NotContains(t, before[0].Detail, "esg-01")
	require.Nil(t, before[1])
	require.True(t, w.good("esg-01-a"), "nothing was changed")
	require.True(t, w.pass(1)[0].Dead())
	require.Nil(t, w.prepared(0)[0], "at once when the other is dead")
	require.True(t, w.pass(0)[0].Dead())

	// While one that makes another lets in without its secret, the other is not
	// called closed.
	w = newReachable(t)
	w.write("auth/approle/role/esg-01-b", map[string]any{"token_policies": "makes-a", "bind_secret_id": false, "token_bound_cidrs": "127.0.0.0/8"})
	require.NoError(t, w.client.Sys().PutPolicy("makes-a", `path "auth/approle/role/esg-01-a/custom-secret-id" { capabilities = ["update"] }`))
	for range 2 {
		require.Equal(t, protocol.ReasonWithinReach, w.prepared(0)[0].Reason)
		require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, w.reasons(), "what the other one reads waits")
		w.restart()
	}
	w.logins.Logins = w.index.Logins[:1] // a person accepts it
	require.True(t, w.pass(0)[0].Dead())
}

// Rights over its own rights are all rights; the reason says which, and names
// no policy.
func TestALoginThatMayGiveItselfRightsCountsAsOneThatReadsAll(t *testing.T) {
	w := newReachable(t, nil, map[string]any{"token_policies": "changes-itself"})
	require.NoError(t, w.client.Sys().PutPolicy("changes-itself", `path "sys/policies/acl/changes-itself" { capabilities = ["update"] }`))
	for i, stop := range w.prepared(0, 1) {
		require.Equal(t, protocol.ReasonWithinReach, stop.Reason, i)
		require.NotContains(t, stop.Detail, "changes-itself")
	}
	require.Contains(t, w.prepared(1)[0].Detail, "what Rollcall stages (it may write a policy, and so give itself any right)")
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}, w.reasons())
	require.NoError(t, w.client.Sys().PutPolicy("changes-itself", `path "kv/data/none" { capabilities = ["read"] }`))
	for _, out := range w.pass(0, 1) {
		require.True(t, out.Dead(), "%+v", out.Stop)
	}
}

// The policies were taken from the role, and a token from before has them
// still.
func TestNoNewValueIsWrittenWhereATokenFromBeforeReads(t *testing.T) {
	w := newReachable(t)
	reads := w.thief("esg-01-b")
	for _, role := range []string{"esg-01-a", "esg-01-b"} {
		w.write("auth/approle/role/"+role, map[string]any{"token_policies": "default"})
	}
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, w.reasons())
	require.NoError(t, reads("kv/data/apps/esg-01/mta"))
	require.True(t, w.pass(1)[0].Dead())
	require.Error(t, reads("kv/data/apps/esg-01/mta"))
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}, w.reasons())
}

// Consumers of an AppRole often have its role-id and secret-id in one field.
func TestTheSecretIDBehindARoleIDIsReplacedAndTheRoleIDStays(t *testing.T) {
	var roleID string
	w := reachableWith(t, func(w *reachable) {
		id, err := w.client.Logical().Read("auth/approle/role/esg-01-b/role-id")
		require.NoError(t, err)
		roleID = id.Data["role_id"].(string)
		w.write("kv/data/apps/esg-01/esg-01-b", map[string]any{"data": map[string]any{"secret_id": roleID + ":stolen-esg-01-b"}})
		w.roll.Credentials[1].Users = []string{roleID}
	})
	w.logins.Logins = nil
	out := w.pass(1)
	require.True(t, out[0].Dead(), "%+v", out[0].Stop)
	role, secret, found := strings.Cut(w.live(1), ":")
	require.True(t, found)
	require.Equal(t, roleID, role)
	_, err := w.client.Logical().Write("auth/approle/login", map[string]any{"role_id": role, "secret_id": secret})
	require.NoError(t, err)
	_, err = w.client.Logical().Write("auth/approle/login", map[string]any{"role_id": role, "secret_id": "stolen-esg-01-b"})
	require.Error(t, err)
}
