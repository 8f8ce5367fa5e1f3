package listing

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// Each address of a name is a door of its own, for the campaign file as for the
// credentials of the roll; one address leaves the name as it is.
func TestEachAddressOfADoorIsADoor(t *testing.T) {
	t.Parallel()
	spec := &config.Campaign{Doors: map[string]door.Settings{
		"mail": {Type: "imaps", Address: "mail.example.org:993"},
		"web":  {Type: "https", Address: "www.example.org:443"},
		"vpn":  {Type: "radius", Address: "192.0.2.9:1812"},
		"one":  {Type: "imaps", Address: "mail.example.org:993", At: "192.0.2.4"},
		"gone": {Type: "ftp", Address: "ftp.example.org:21"},
	}}
	at := map[string][]string{"mail": {"192.0.2.1", "2001:db8::1"}, "web": {"192.0.2.3"}, "gone": nil}
	places := map[string]string{}
	for name, d := range AtAddresses(spec, at).Doors {
		places[name] = d.Place() + " " + d.Pinned().Address
	}
	require.Equal(t, map[string]string{
		"mail@192.0.2.1":   "imaps://mail.example.org:993@192.0.2.1 192.0.2.1:993",
		"mail@2001:db8::1": "imaps://mail.example.org:993@2001:db8::1 [2001:db8::1]:993",
		"web":              "https://www.example.org:443@192.0.2.3 192.0.2.3:443",
		"vpn":              "radius://192.0.2.9:1812 192.0.2.9:1812",
		"one":              "imaps://mail.example.org:993@192.0.2.4 192.0.2.4:993",
		"gone":             "ftp://ftp.example.org:21 ftp.example.org:21",
	}, places)
	require.Equal(t, "www.example.org", AtAddresses(spec, at).Doors["web"].Pinned().ServerName, "its certificate is held to the name")
	require.Len(t, spec.Doors, 5, "the campaign file is as it was")

	cs := []credential.Credential{{Doors: []credential.DoorLogin{{Door: "mail", Login: "a"}, {Door: "web", Login: "b"}}}}
	eachDoor(cs, at)
	require.Equal(t, []credential.DoorLogin{{Door: "mail@192.0.2.1", Login: "a"}, {Door: "mail@2001:db8::1", Login: "a"}, {Door: "web", Login: "b"}}, cs[0].Doors)
}

// However an address of the device is written, no door is asked there, nor
// where nobody looked.
func TestNoDoorIsAskedAtTheDeviceOrWhereNobodyLooked(t *testing.T) {
	t.Parallel()
	device := []string{"gateway.example.org", "192.0.2.1", "fe80::1"}
	for _, row := range []struct {
		address, at string
		why         protocol.Reason
	}{
		{"mail.example.org:993", "192.0.2.2", ""},
		{"192.0.2.2:993", "", ""},
		{"mail.example.org:993", "192.0.2.1", protocol.ReasonPointsAtDevice},
		{"mail.example.org:993", "::ffff:192.0.2.1", protocol.ReasonPointsAtDevice},
		{"192.0.2.1:993", "", protocol.ReasonPointsAtDevice},
		{"[fe80::1%eth0]:993", "", protocol.ReasonPointsAtDevice},
		{"Gateway.example.org.:993", "192.0.2.2", protocol.ReasonPointsAtDevice},
		{"mail.example.org:993", "", protocol.ReasonDoorSilent},
	} {
		err := Dialled(door.Settings{Address: row.address, At: row.at}, device)
		if row.why == "" {
			require.NoError(t, err, row.address)
			continue
		}
		var stop *protocol.Stop
		require.True(t, errors.As(err, &stop), row.address)
		require.Equal(t, row.why, stop.Reason, row.address)
	}
}

// Names are looked up, addresses are not, and a name without one holds nothing
// up.
func TestDoorsAreLookedUp(t *testing.T) {
	t.Parallel()
	at, notes := FindDoors(t.Context(), &config.Campaign{Doors: map[string]door.Settings{
		"here":  {Address: "localhost:1"},
		"there": {Address: "192.0.2.1:993"},
		"named": {Address: "mail.example.org:993", At: "192.0.2.2"},
		"gone":  {Address: "nowhere.invalid:993"},
	}})
	require.Len(t, at, 2)
	require.Len(t, at["here"], 1)
	require.Empty(t, at["gone"])
	require.Len(t, notes, 1)
	require.Contains(t, notes[0], "door gone: its name has no address now")
}
