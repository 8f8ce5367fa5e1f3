package inventory

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// What one device's roll has open another device's later campaign, or a later
// one of this device, may have proved dead.
func TestWhatAnotherDeviceLeftOpenMayHaveDiedSince(t *testing.T) {
	servers(t)
	const mount = "rollcall-others"
	require.NoError(t, realVault.Client().Sys().Mount(mount, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	openVault(t, realVault.RootToken().Reveal()) // the environment
	s, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: mount, Transit: "rollcall-transit"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.Eventually(t, func() bool { // a new KV v2 mount refuses writes for a moment
		return s.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: "first", Device: "gone-01"}) == nil
	}, 5*time.Minute, 20*time.Millisecond)

	account := func(name string) credential.Credential {
		return credential.Credential{ID: "corp/" + name, Kind: credential.LDAPPassword, Authority: "corp", Subject: name, Name: "uid=" + name}
	}
	// campaign leaves those open that have no minus before their name.
	campaign := func(name, device string, accounts ...string) {
		t.Helper()
		require.NoError(t, s.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: name, Device: device}))
		roll := &credential.Roll{Campaign: name, Device: device, ListedAt: time.Now()}
		var dead credential.Refs
		for i, a := range accounts {
			if isDead := a[0] == '-'; isDead {
				a, dead = a[1:], append(dead, credential.Ref{Page: 0, Index: i})
			}
			roll.Credentials = append(roll.Credentials, account(a))
		}
		idx, err := s.WriteRoll(t.Context(), roll)
		require.NoError(t, err)
		require.NoError(t, s.NoteDead(t.Context(), name, idx.Snapshot, dead))
		require.NoError(t, s.CloseCampaign(t.Context(), name))
	}
	require.NoError(t, s.CloseCampaign(t.Context(), "first"))
	campaign("old", "vpn-01", "left", "died-at-mx", "died-here", "listed-now", "-long-dead")
	campaign("own", "esg-01", "-died-here")
	campaign("later", "mx-09", "-died-at-mx", "left-at-mx")

	last, err := s.LastRoll(t.Context(), "esg-01", "now")
	require.NoError(t, err)
	l := &lister{c: &config.Campaign{Device: "esg-01", Directories: map[string]config.Directory{"corp": {}}}, vault: s, past: past{last: last}, taken: &credential.Containment{}}
	require.NoError(t, l.readOthers(t.Context()))
	require.NoError(t, l.sayOtherDevices(t.Context(), &credential.Roll{Credentials: []credential.Credential{account("listed-now")}}))
	require.Len(t, l.warnings, 2)
	require.Contains(t, l.warnings[0].Detail, "campaign later of device mx-09 left 1 open that nothing here names: uid=left-at-mx.")
	require.Contains(t, l.warnings[1].Detail, "campaign old of device vpn-01 left 1 open that nothing here names: uid=left.")
}
