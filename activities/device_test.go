package activities

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// The device is silent when the roll is listed, comes back, and is silent
// again: nothing new is set while it answers, and what was sent goes on.
func TestNothingIsSetWhileTheDeviceAnswers(t *testing.T) {
	g := newGround(t)
	accounts := lab.SeedAccounts("svc", 5)
	dir := g.slapd(lab.SlapdOptions{Accounts: accounts})
	d := g.directory(dir.BaseDN(), dir.LDAPS())
	d.Connections, d.Password = 2, config.PasswordPolicy{Length: 32}
	d.Bind = config.Bind{DN: dir.BinderDN, Password: credential.Path{Mount: "rollcall", Path: "bind-svc", Field: "password"}}
	_, err := g.store.Activate(g.ctx, d.Bind.Password, vault.Live{}, credential.NewSecret(dir.BinderPassword), "")
	require.NoError(t, err)
	rows := "account,path\n"
	for _, a := range accounts {
		_, err := g.api.Logical().Write("rollcall/data/device/"+a.UID, map[string]any{"data": map[string]any{"password": a.Password}})
		require.NoError(t, err)
		rows += a.UID + ",rollcall/device/" + a.UID + "#password\n"
	}
	device, err := lab.StartAppliance("127.0.0.66")
	require.NoError(t, err)
	t.Cleanup(device.Close)
	said := *g.spec.Containment
	said.Addresses, said.Ports = []string{device.Address}, []int{device.Port}
	g.spec.Containment = &said
	g.spec.Directories = map[string]config.Directory{"corp": d}
	g.spec.Vault.Adopt = "rollcall/adopted/{directory}/{account}#password"
	g.spec.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte(rows)}}

	version := func(c credential.Credential) int {
		live, err := g.store.ReadLive(g.ctx, c.Paths[0], 0)
		require.NoError(t, err)
		return live.Version
	}
	rotation := NewRotation(g.store, registry.New(g.store.Client)) // one worker, which remembers
	remembers := rotation
	call := func(name string, in, out any) error {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(rotation)
		got, err := env.ExecuteActivity(name, in)
		if err == nil {
			require.NoError(t, got.Get(out))
		}
		return err
	}
	open := func(campaign string) {
		data, err := json.Marshal(g.spec)
		require.NoError(t, err)
		require.NoError(t, Open(g.ctx, g.store, ownmount.CampaignRecord{Campaign: campaign, Device: "esg-01"}, data))
	}
	t.Run("a roll of a device that answers is not made", func(t *testing.T) {
		device.Answer()
		open("before")
		var roll wire.Roll
		require.ErrorContains(t, call("List", wire.ListInput{Campaign: "before"}, &roll), fmt.Sprintf("device esg-01 is not contained: the device answers: 127.0.0.66:%d accepts connections", device.Port))
		require.NoError(t, g.store.CloseCampaign(g.ctx, "before"))
		require.NoError(t, device.Silence())
	})
	open("c")
	var roll wire.Roll
	require.NoError(t, call("List", wire.ListInput{Campaign: "c"}, &roll))
	require.True(t, roll.Watched)
	b := wire.Batch{Campaign: "c", Snapshot: roll.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 1, Span: credential.Span{To: 5}}
	prepare := func(i int, sent ...int) wire.PreparedItem {
		var out []wire.PreparedItem
		require.NoError(t, call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{i}, Sent: sent}, &out))
		return out[0]
	}
	apply := func(i int, p wire.PreparedItem, sent bool) wire.AppliedItem {
		var out []wire.AppliedItem
		require.NoError(t, call("Apply", wire.ApplyInput{Batch: b, Items: []wire.ApplyItem{{Index: i, Attempt: p.Attempt, Fresh: p.Fresh, Sent: sent}}}, &out))
		return out[0]
	}
	first, second := prepare(0), prepare(1)
	require.Nil(t, first.Stop)
	require.Nil(t, second.Stop)
	require.True(t, apply(0, first, false).Dead())

	device.Answer()
	require.Eventually(t, func() bool {
		p := prepare(2)
		return p.Stop != nil && p.Stop.Reason == protocol.ReasonDeviceAnswers && p.Step == protocol.Precheck
	}, 2*time.Minute, 100*time.Millisecond)
	stopped := apply(1, second, false)
	require.Equal(t, protocol.ReasonDeviceAnswers, stopped.Stop.Reason, "it was staged before, and set by nobody")
	require.Equal(t, protocol.Intent, stopped.Step)
	require.Contains(t, stopped.Stop.Detail, fmt.Sprintf("the device answers: 127.0.0.66:%d accepts connections", device.Port))
	page, err := g.store.ReadPage(g.ctx, "c", roll.Snapshot, 0)
	require.NoError(t, err)
	require.Equal(t, 1, version(page[1]), "what consumers read is as it was")
	sent := prepare(1, 1)
	require.Nil(t, sent.Stop)
	held := apply(1, sent, true)
	require.Equal(t, protocol.ReasonDeviceAnswers, held.Stop.Reason, "what might be in force, and is seen not to be, is not set: not by a retry either")
	require.Equal(t, 1, version(page[1]))
	staged, _, err := g.store.ReadStaged(g.ctx, page[1].ID)
	require.NoError(t, err)
	admin, err := dir.AdminConn(g.ctx)
	require.NoError(t, err)
	defer admin.Close()
	arrives := ldap.NewModifyRequest(page[1].Name, nil)
	arrives.Replace("userPassword", []string{staged.Secret.Reveal()})
	require.NoError(t, admin.Modify(arrives))
	require.True(t, apply(1, sent, true).Dead(), "what is in force is brought to its end")

	require.NoError(t, device.Silence())
	require.Eventually(t, func() bool { p := prepare(2); return p.Stop == nil && apply(2, p, false).Dead() }, 2*time.Minute, 100*time.Millisecond)
	t.Run("a secret that came to lead to the device since it was listed takes no new value", func(t *testing.T) {
		leads := func(i int) {
			uid := page[i].Paths[0].Path
			_, err := g.api.Logical().Write("rollcall/data/"+uid, map[string]any{"data": map[string]any{"password": password(accounts, uid), "url": "https://" + device.Address + "/api"}})
			require.NoError(t, err)
		}
		staged := prepare(3)
		require.Nil(t, staged.Stop)
		leads(3)
		rotation = NewRotation(g.store, registry.New(g.store.Client)) // another worker, which saw nothing before
		stopped := apply(3, staged, false)
		require.Equal(t, protocol.ReasonPointsAtDevice, stopped.Stop.Reason, stopped.Stop.Detail)
		require.Equal(t, protocol.Intent, stopped.Step)
		leads(4)
		p := prepare(4)
		require.Equal(t, protocol.ReasonPointsAtDevice, p.Stop.Reason, p.Stop.Detail)
		require.Equal(t, protocol.Precheck, p.Step)
		require.NotContains(t, p.Stop.Detail, page[4].Paths[0].Path)
	})
	rotation = remembers
	var end wire.DeviceAnswers
	require.NoError(t, call("AskDevice", "c", &end))
	require.Regexp(t, `^at .+Z the device answered: 127.0.0.66:\d+ accepts connections; it is silent now$`, end.Detail)
}

func password(accounts []lab.Account, path string) string {
	for _, a := range accounts {
		if path == "device/"+a.UID {
			return a.Password
		}
	}
	return ""
}

// Whoever went on with --override has not said that the device may come back:
// where it was silent it is asked as ever. What was said of one day does not
// hold for a schedule's runs to come, also of one that a build before made.
func TestAWayPastTurnsNoWatchOff(t *testing.T) {
	g := newGround(t)
	device, err := lab.StartAppliance("127.0.0.67")
	require.NoError(t, err)
	t.Cleanup(device.Close)
	said := *g.spec.Containment
	said.Addresses, said.Ports = []string{device.Address}, []int{device.Port}
	g.spec.Containment, g.spec.Override = &said, &config.Word{Reason: "the mail must flow until six", By: "jo"}
	g.spec.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte("- {kind: shared-secret, name: radius, due: 9h, owner: people/alice, ends: [gateway]}\n")}}
	g.spec.Sources[0].File = "m.yaml"
	rotation := NewRotation(g.store, registry.New(g.store.Client))
	call := func(name string, in, out any) error {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(rotation)
		got, err := env.ExecuteActivity(name, in)
		if err == nil && out != nil {
			require.NoError(t, got.Get(out))
		}
		return err
	}
	data, err := json.Marshal(g.spec)
	require.NoError(t, err)
	require.NoError(t, g.store.SaveSpec(g.ctx, ownmount.ScheduleSpec("schedule/esg-01"), data))

	device.Answer()
	require.NoError(t, call("OpenScheduled", wire.ScheduledInput{Schedule: "schedule/esg-01", Campaign: "weekly", Device: "esg-01"}, nil))
	var roll wire.Roll
	require.ErrorContains(t, call("List", wire.ListInput{Campaign: "weekly"}, &roll), "device esg-01 is not contained: the device answers")
	require.NoError(t, g.store.CloseCampaign(g.ctx, "weekly"))
	require.NoError(t, Open(g.ctx, g.store, ownmount.CampaignRecord{Campaign: "up", Device: "esg-01"}, data))
	require.NoError(t, call("List", wire.ListInput{Campaign: "up"}, &roll))
	require.False(t, roll.Watched, "a person goes on although it answers")
	require.NoError(t, g.store.CloseCampaign(g.ctx, "up"))

	require.NoError(t, device.Silence())
	require.NoError(t, Open(g.ctx, g.store, ownmount.CampaignRecord{Campaign: "down", Device: "esg-01"}, data))
	require.NoError(t, call("List", wire.ListInput{Campaign: "down"}, &roll))
	require.True(t, roll.Watched)
	var found wire.DeviceAnswers
	require.NoError(t, call("WatchDevice", "down", &found))
	require.Empty(t, found.Detail)
	device.Answer()
	require.NoError(t, call("WatchDevice", "down", &found))
	require.Regexp(t, `^at .+Z, while the campaign ran, the device answered: 127.0.0.67:\d+ accepts connections$`, found.Detail)
	require.NoError(t, device.Silence())
	found = wire.DeviceAnswers{}
	require.NoError(t, call("WatchDevice", "down", &found))
	require.Contains(t, found.Detail, "the device answered", "what was seen is not forgotten")
}
