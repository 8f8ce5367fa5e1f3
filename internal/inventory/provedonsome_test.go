package inventory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/vault/ownmount"
)

// The campaign before left a door out, which was down, and destroyed what was
// stolen: the door comes back with it, and is offered another value.
func TestADoorThatWasLeftOutBeforeIsSaidToBeAskedAboutALaterValueAlone(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"onsome/a": {"password": "x"}, "onsome/b": {"password": "x"}}))
	c := campaign()
	c.Directories["corp"] = corp()
	c.Doors = map[string]door.Settings{"vpn": {Type: "imaps", Login: "{account}", For: []door.Match{{Directory: "corp"}}}}
	c.Sources = []config.Source{manifestSource("account,path", "bystander0001,kv/onsome/a#password", "bystander0002,kv/onsome/b#password")}
	store := &remembering{Store: openVault(t, realVault.RootToken().Reveal())}
	list := func() (told []string, roll *credential.Roll) {
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), store, "c1", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingDoorsShowLess {
				require.True(t, w.Code.Incomplete())
				told = append(told, w.Detail)
			}
		}
		return told, roll
	}
	told, roll := list()
	require.Empty(t, told)
	a, b := byName(roll)[slapd.AccountDN("bystander0001")], byName(roll)[slapd.AccountDN("bystander0002")]
	store.last = &ownmount.LastRoll{Campaign: "c0", Credentials: roll.Credentials, Dead: map[string]bool{b.ID: true}, OnSome: map[string]bool{a.ID: true}}
	told, _ = list()
	require.Len(t, told, 1)
	require.Contains(t, told[0], "1 account ("+a.Name+"): the campaign before proved it without a door that was left out there")
	c.Doors = nil
	told, _ = list()
	require.Empty(t, told, "it has none")
}
