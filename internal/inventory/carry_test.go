package inventory

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/door"
	"rollcall/internal/lab"
)

// A stolen value that no login at a door can carry keeps its credential open
// there: that is said before anything is set.
func TestAValueThatADoorCannotCarryIsSaidBeforeTheRun(t *testing.T) {
	servers(t)
	s, _ := oddSlapd(t, lab.Account{UID: "svc-long", Password: "x"}, lab.Account{UID: "svc-short", Password: "x"})
	long := strings.Repeat("Xy", 65)
	write(t, "kv/data/carry/long", map[string]any{"data": map[string]any{"password": long}})
	write(t, "kv/data/carry/short", map[string]any{"data": map[string]any{"password": long[:128]}})
	c := campaign()
	c.Doors = map[string]door.Settings{
		"vpn":  {Type: "radius", Login: "{account}", For: []door.Match{{Directory: "corp"}}},
		"mail": {Type: "imaps", Login: "{account}", For: []door.Match{{Directory: "corp"}}},
	}
	c.Sources = []config.Source{manifestSource("account,path", "svc-long,kv/carry/long#password", "svc-short,kv/carry/short#password")}
	c.Directories = map[string]config.Directory{"corp": slapdDirectory(s)}
	client, err := directory.Open("corp", slapdDirectory(s), func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, openVault(t, realVault.RootToken().Reveal()), "esg-01-1", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	far, near := got[s.AccountDN("svc-long")], got[s.AccountDN("svc-short")]
	require.Len(t, far.Doors, 2)
	require.Empty(t, far.Problem, "it is rotated all the same")
	said := details(roll, far.ID, credential.FindingNotCarried)
	require.Contains(t, said, "kv/carry/long#password: no login at door vpn can carry the value there (it has more than 128 bytes or a zero byte")
	require.NotContains(t, said, "mail")
	require.NotContains(t, said, long[:8])
	require.Empty(t, details(roll, near.ID, credential.FindingNotCarried))
}
