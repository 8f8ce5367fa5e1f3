package inventory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
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
