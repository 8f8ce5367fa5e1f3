package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/awaited"
	"rollcall/internal/door"
	"rollcall/internal/vault/ownmount"
)

// The write server is not taken out, a door is by its name, and nothing is
// before the roll is listed.
func TestWhoIsSilentIsNamedAndToBeLeftOutOnlyWhereThatIsTaken(t *testing.T) {
	since := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	spec := &config.Campaign{Directories: map[string]config.Directory{"corp": {}}, Doors: map[string]door.Settings{
		"vpn": {Type: "imaps", Address: "vpn.example.org:993"}, "mail": {Type: "imaps", Address: "mail.example.org:993"},
	}}
	index := ownmount.RollIndex{Snapshot: "s", Servers: map[string][]string{"corp": {"ldaps://one", "ldaps://two"}}, Doors: map[string][]string{"mail": {"192.0.2.1", "192.0.2.2"}}}
	const took = "; each try there ends by itself (timeout in the campaign file), and what is not proved there stays open and is tried again"
	says := func(index ownmount.RollIndex, name string) string {
		return silence(spec, index, []awaited.Server{{Name: name, Since: since}}, time.UTC)
	}
	require.Equal(t, "no answer yet from ldaps://two (asked at 02:00:00Z)"+took+". `rollcall leave-out --server` takes out a server that will not come back", says(index, "ldaps://two"))
	require.Equal(t, "no answer yet from ldaps://one (asked at 02:00:00Z)"+took+". ldaps://one is the write server of "+spec.Called("corp")+", which cannot be left out", says(index, "ldaps://one"))
	require.Equal(t, "no answer yet from door vpn at vpn.example.org:993 (asked at 02:00:00Z)"+took+". `rollcall leave-out --door` takes out a door that will not come back, by its name", says(index, "vpn.example.org:993"))
	require.Contains(t, says(index, "192.0.2.2:993"), "from door mail@192.0.2.2 at 192.0.2.2:993 (")
	require.Equal(t, "no answer yet from ldaps://two (asked at 02:00:00Z)"+took, says(ownmount.RollIndex{}, "ldaps://two"))
}
