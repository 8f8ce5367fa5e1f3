package inventory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// What would take a new value to the compromised device stays open until a
// person accepts it, and a login that is bound to its address is told.
func TestNoLivePathAndNoLoginPointsAtTheDevice(t *testing.T) {
	servers(t)
	for role, settings := range map[string]map[string]any{
		"to-the-device": nil, "to-another": nil, "accepted": nil,
		"bound-to-it": {"secret_id_bound_cidrs": []string{"192.0.2.10/32", "192.0.2.11/32"}}, "bound-to-its-network": {"token_bound_cidrs": []string{"192.0.2.0/24"}},
	} {
		write(t, "auth/approle/role/"+role, settings)
		write(t, "auth/approle/role/"+role+"/secret-id", nil)
	}
	for path, host := range map[string]string{"to-the-device": "192.0.2.10:8443", "to-another": "192.0.2.100", "accepted": "https://esg-01.example.org"} {
		write(t, "kv/data/pointing/"+path, map[string]any{"data": map[string]any{"secret_id": "stolen", "host": host}})
	}
	c := campaign()
	c.Directories = nil
	c.Containment = &config.Containment{How: credential.Isolated, Addresses: []string{"192.0.2.10", "esg-01.example.org"}}
	c.Sources = []config.Source{manifestSource("kind,account,path", "approle-secret-id,approle/to-the-device,kv/pointing/to-the-device#secret_id", "approle-secret-id,approle/to-another,kv/pointing/to-another#secret_id",
		"approle-secret-id,approle/accepted,kv/pointing/accepted#secret_id", "approle-secret-id,approle/bound-to-it,", "approle-secret-id,approle/bound-to-its-network,")}
	c.Accept = []config.Accept{{Account: "approle/accepted", Problem: credential.PointsAtDevice, Reason: "nothing reads it"}}
	roll, _, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	require.Equal(t, credential.PointsAtDevice, got["approle/to-the-device"].Problem)
	require.Contains(t, details(roll, "vault/approle/to-the-device", credential.FindingPlace), `kv/pointing/to-the-device#secret_id: its field "host" sends whoever reads it to 192.0.2.10, an address of the device, with the new value: name the machine`)
	for _, fine := range []string{"to-another", "accepted", "bound-to-it", "bound-to-its-network"} {
		require.Empty(t, got["approle/"+fine].Problem, fine)
	}
	require.Contains(t, details(roll, "vault/approle/accepted", credential.FindingPointsAtDevice), "sends whoever reads it to esg-01.example.org")
	require.Contains(t, details(roll, "vault/approle/bound-to-it", credential.FindingPointsAtDevice), "it is bound to 192.0.2.10, an address of the device")
	for _, silent := range []string{"to-another", "bound-to-its-network"} {
		require.Empty(t, details(roll, "vault/approle/"+silent, credential.FindingPointsAtDevice), silent)
	}

	c.Containment = nil
	roll, _, err = listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	require.Empty(t, byName(roll)["approle/to-the-device"].Problem, "who names no address has nobody look")
}

// So it is with what would take a new value to another device that was in
// foreign hands, unless a person says that another machine is there by now.
func TestNoLivePathAndNoLoginPointsAtAnotherCompromisedDevice(t *testing.T) {
	servers(t)
	for role, settings := range map[string]map[string]any{
		"to-another-device": nil, "to-nobodys": nil,
		"bound-to-another-device": {"secret_id_bound_cidrs": []string{"192.0.2.20/32"}},
	} {
		write(t, "auth/approle/role/"+role, settings)
		write(t, "auth/approle/role/"+role+"/secret-id", nil)
	}
	for path, host := range map[string]string{"to-another-device": "https://vpn-01.example.org/x", "to-nobodys": "192.0.2.10"} {
		write(t, "kv/data/pointing/"+path, map[string]any{"data": map[string]any{"secret_id": "stolen", "host": host}})
	}
	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{manifestSource("kind,account,path", "approle-secret-id,approle/to-another-device,kv/pointing/to-another-device#secret_id",
		"approle-secret-id,approle/to-nobodys,kv/pointing/to-nobodys#secret_id", "approle-secret-id,approle/bound-to-another-device,")}
	v := besideOthers{openVault(t, realVault.RootToken().Reveal()), []ownmount.OtherRoll{{Device: "vpn-01", Campaign: "earlier", Hosts: []string{"192.0.2.20", "vpn-01.example.org"}, OpenedAt: time.Now().Add(-time.Hour)}}}
	roll, _, err := listIn(t.Context(), c, nil, v, "c", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	require.Equal(t, credential.PointsAtDevice, got["approle/to-another-device"].Problem)
	require.Contains(t, details(roll, "vault/approle/to-another-device", credential.FindingPlace), `sends whoever reads it to vpn-01.example.org, an address of vpn-01, which was in foreign hands too`)
	require.Empty(t, got["approle/to-nobodys"].Problem)
	require.Contains(t, details(roll, "vault/approle/bound-to-another-device", credential.FindingPointsAtDevice), "it is bound to 192.0.2.20, an address of vpn-01")
	require.Equal(t, []string{"192.0.2.20", "vpn-01.example.org"}, roll.Containment.Taken(), "and right before a value is set it is looked at again")

	c.Accept = []config.Accept{{Device: "VPN-01", Problem: credential.PointsAtDevice, Reason: "built anew on Friday"}}
	roll, _, err = listIn(t.Context(), c, nil, v, "c", time.Now())
	require.NoError(t, err)
	require.Empty(t, byName(roll)["approle/to-another-device"].Problem)
	require.Contains(t, warned(roll), "as the campaign file accepts: built anew on Friday")
	require.Empty(t, roll.Containment.Taken())
}
