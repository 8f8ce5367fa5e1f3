package listing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/lab"
)

// A server at an address of another device that was in foreign hands is as
// little to be shown a new value.
func TestNoServerIsAtAnotherCompromisedDevice(t *testing.T) {
	t.Parallel()
	c := &credential.Containment{Named: []string{"192.0.2.1"}, Others: map[string]string{"192.0.2.2": "vpn-01"}}
	got := Pointing(c, Servers{Servers: map[string][]string{"corp": {"ldaps://ldap1.example.org@192.0.2.2", "ldaps://192.0.2.3"}}}, map[string]string{"Vault": "https://192.0.2.1:8200"})
	require.Len(t, got, 2)
	require.Contains(t, got[0], "is at 192.0.2.2, an address of vpn-01, which was in foreign hands too")
	require.Contains(t, got[1], "Vault is at 192.0.2.1, an address of the device")
	require.Empty(t, c.Whose("192.0.2.3"))
	spec := &config.Campaign{Doors: map[string]door.Settings{"mail": {Address: "192.0.2.2:993"}}}
	require.Len(t, doorsPointing(t.Context(), spec, c), 1)
}

// A device is at what its own names lead to as well, whether or not the file
// names an address. What cannot be looked up is told.
func TestTheDeviceIsAskedAtWhatItsNamesLeadTo(t *testing.T) {
	t.Parallel()
	d, err := lab.StartAppliance("127.0.0.1")
	require.NoError(t, err)
	t.Cleanup(d.Close)
	d.Answer()
	said := config.Containment{How: credential.Isolated, Ports: []int{d.Port}}
	spec := &config.Campaign{Device: "gone.invalid", Formerly: []string{"LocalHost"}, Containment: &said}

	c := Contained(t.Context(), spec)
	require.False(t, c.Holds())
	require.Contains(t, c.Answers[0], "127.0.0.1:")
	require.Equal(t, []string{"gone.invalid"}, c.Unknown)
	require.Contains(t, c.Words(), "its name gone.invalid has no address here, so none was asked for it")
	require.Contains(t, c.Hosts(), "localhost")
	require.NotEmpty(t, Pointing(c, Servers{}, map[string]string{"Vault": "https://localhost:8200"}))
	require.False(t, c.Watched(), "it answers")

	other := said // another machine does its work, and has its name
	other.How = credential.Replaced
	c = Contained(t.Context(), &config.Campaign{Device: "localhost", Containment: &other})
	require.True(t, c.Holds())
	require.Contains(t, c.Moved, "127.0.0.1")
	require.Empty(t, c.Hosts(), "what the name leads to is no place of the device any more")
	require.Contains(t, c.Words()[2], "which is another machine's and was not asked")

	other.Addresses = []string{"127.0.0.1"} // the file says that it is the device's
	require.False(t, Contained(t.Context(), &config.Campaign{Device: "localhost", Containment: &other}).Holds())
	other.How, other.Addresses, other.Elsewhere = credential.Off, nil, append(c.Moved, "192.0.2.1")
	require.True(t, Contained(t.Context(), &config.Campaign{Device: "localhost", Containment: &other}).Holds(), "a person says whose it is")

	require.NoError(t, d.Silence())
	c = Contained(t.Context(), &config.Campaign{Device: "a_b.c d"})
	require.Empty(t, c.Unknown, "nobody says anything of this device, and nothing is asked")
	said.Elsewhere = []string{"::1"}
	c = Contained(t.Context(), spec)
	require.True(t, c.Holds(), "%+v", c)
	require.True(t, c.Watched(), "and it is asked again, for it has an address")
}
