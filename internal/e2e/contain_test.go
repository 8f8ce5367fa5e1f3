package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// A campaign starts only when the device is contained: somebody says so, and
// nothing answers at the addresses that it had.
func TestACampaignStartsOnlyWhenTheDeviceIsContained(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, AppRoles: 1})
	device, err := lab.StartAppliance("127.0.0.77")
	require.NoError(t, err)
	t.Cleanup(device.Close)
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	write := func(containment string) {
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "containment: "+estate.Contained, containment, 1)), 0o600))
	}
	at := fmt.Sprintf("addresses: [127.0.0.77], ports: [%d]", device.Port)
	u := newUser(t, e, file)
	u.must("init")
	refused := func(want string, args ...string) {
		t.Helper()
		r := u.run(args...)
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.err, want)
		require.Empty(t, r.out)
		for id, p := range e.Live {
			require.Equal(t, 1, versions(t, e.Vault.Client(), p), id)
		}
		require.NoDirExists(t, filepath.Join(e.Dir, "ledger"))
		kept, err := e.Vault.Client().Logical().List("rollcall/metadata/campaigns")
		require.NoError(t, err)
		require.Nil(t, kept, "no campaign was begun")
	}
	place := fmt.Sprintf("127.0.0.77:%d accepts connections", device.Port)

	t.Run("nobody says so", func(t *testing.T) {
		write("")
		refused("device esg-01 is not contained: nobody says that the device is contained\nnothing was started; contain it, then `rollcall contain --how", "run")
		r := u.run("list")
		require.Equal(t, 2, r.code, r.out+r.err)
		require.Contains(t, r.out, "containment: nobody says that the device is contained; the campaign file names no address of it")
		require.Contains(t, r.err, "warning: not-contained: nobody says that the device is contained")
	})
	t.Run("it answers", func(t *testing.T) {
		device.Answer()
		write("containment: {" + at + "}")
		refused("device esg-01 is not contained: the device answers: "+place+"\nnothing was written", "contain", "--how", "off", "--at", "2023-06-08T08:00:00Z")
		write("containment: {how: replaced, at: 2023-06-08T08:00:00Z, " + at + "}")
		refused("device esg-01 is not contained: the device answers: "+place+"\nnothing was started; contain it; where a firewall", "run")
		r := u.run("plan")
		require.Equal(t, 2, r.code, r.out+r.err)
		require.Contains(t, r.out, "containment: the device is contained (replaced) since 2023-06-08T08:00:00Z; it ANSWERS:")
		require.Contains(t, r.out, place)
		r = u.run("doctor")
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.out, "it ANSWERS")
	})
	t.Run("a server of the roll, and Vault, at an address of the device", func(t *testing.T) {
		write("containment: {how: off, at: 2023-06-08T08:00:00Z, addresses: [localhost], ports: [1]}")
		refused("address of the device: what answers there may be the thief's", "run")
	})
	t.Run("it stopped, and it is said", func(t *testing.T) {
		require.NoError(t, device.Silence())
		write("containment: {" + at + "}")
		u.must("contain", "--how", "isolated", "--at", "2023-06-08T08:00:00Z", "--note", "its ports are down")
		require.Contains(t, u.must("doctor"), "its ports are down; 1 address at 1 port: no answer")
		require.Contains(t, u.must("list"), "containment: the device is contained (isolated) since 2023-06-08T08:00:00Z, says ")
		u.must("run")
		state := u.ledger()
		require.Empty(t, state.Findings)
		require.Equal(t, credential.Isolated, state.Containment.How)
		require.Equal(t, []string{"127.0.0.77"}, state.Containment.Addresses)
		require.False(t, state.Containment.AskedAt.IsZero())
		u.must("ledger", "verify")
		require.Equal(t, state.Containment, decode[report.Document](t, u.must("report", "-o", "json")).Containment)
		require.Contains(t, u.must("status"), "the device is contained (isolated) since")
		requireConsumersServed(t, e)
	})
	t.Run("a person goes on all the same, which is exit code 2", func(t *testing.T) {
		device.Answer()
		r := u.run("run", "--override", "the mail must flow until six")
		require.Equal(t, 2, r.code, r.out+r.err)
		state := u.ledger()
		require.Len(t, state.Findings, 1)
		require.Equal(t, credential.FindingNotContained, state.Findings[0].Code)
		require.Equal(t, "the mail must flow until six", state.Containment.Override)
		require.NotEmpty(t, state.Containment.OverrideBy)
		require.Regexp(t, "^the device answers: "+place+"; .+ went on all the same: the mail must flow until six$", state.Findings[0].Detail)
		u.must("ledger", "verify")
		requireConsumersServed(t, e)
	})
}

// A device that comes back while its campaign runs: what is in hand is brought
// to its end, nothing else is set until it is silent again, and the rest
// follows then.
func TestNothingIsSetWhileTheDeviceIsOnTheNetworkAgain(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: accounts})
	e.Directory = waitsLong
	device, err := lab.StartAppliance("127.0.0.88")
	require.NoError(t, err)
	t.Cleanup(device.Close)
	c := &controlled{}
	c.directory, c.store = proxied(t, e)
	file, err := e.CampaignFile([]string{c.directory.URL()}, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 2, parallel: 1, concurrency: 1}\n")
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), estate.Contained,
		fmt.Sprintf("{how: off, at: 2023-06-08T08:00:00Z, by: jo, addresses: [%s], ports: [%d]}", device.Address, device.Port), 1)), 0o600))
	c.cluster = startCluster(t, e, file)
	c.ledgerWorker()
	c.worker("VAULT_ADDR="+c.store.URL(), vaultWaitsLong)

	run, campaign, release := c.runUntil(protocol.Set)
	device.Answer()
	answers := time.Now()
	require.Eventually(t, func() bool { return time.Since(answers) > 25*time.Second }, patience, tick, "a look that is older than 20 s is not gone by")
	release()
	waiting := func() (n int) {
		for _, l := range c.state(campaign).Credentials {
			if l.Reason == protocol.ReasonDeviceAnswers {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return waiting() == accounts-1 }, patience, tick)
	require.Len(t, deaths(t, c.state(campaign)), 1, "what was in hand is dead")
	for _, l := range c.state(campaign).Credentials {
		if l.Reason == protocol.ReasonDeviceAnswers {
			require.Equal(t, 1, versions(t, e.Vault.Client(), e.Live[l.ID]), "nothing new is where the device reads")
			require.Contains(t, l.Detail, fmt.Sprintf("the device answers: 127.0.0.88:%d accepts connections", device.Port))
		}
	}
	require.NoError(t, device.Silence())
	ended := run.wait()
	require.Equal(t, 2, ended.code, run.errors())
	state := c.state(campaign)
	require.Len(t, deaths(t, state), accounts)
	require.Equal(t, []credential.FindingCode{credential.FindingCameBack}, []credential.FindingCode{state.Findings[0].Code})
	require.Equal(t, ledger.Closed, state.Phase)
	requireConsumersServed(t, e)

	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "containment: "+estate.Contained, "", 1)), 0o600))
	for _, command := range [][]string{{"start"}, {"schedule", "create", "--every", "24h"}} {
		r := c.run(command...)
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.err, "device esg-01 is not contained: nobody says that the device is contained\nnothing was started;")
		require.Empty(t, r.out)
	}
}
