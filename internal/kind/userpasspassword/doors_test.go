package userpasspassword

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
)

// A password of a user of Vault is dead once each door refuses it too: another
// Vault, to which a person brings the new one, keeps it open until then.
func TestAUsersPasswordIsProvedAtDoorsToo(t *testing.T) {
	store := openStore(t)
	require.NoError(t, server.Client().Sys().EnableAuthWithOptions("elsewhere", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	c, old := newUser(t, nil)
	admin(t, "auth/elsewhere/users/"+c.Name, map[string]any{"password": old.Reveal()})
	c.Paths = []credential.Path{{Mount: "rollcall", Path: "device/" + c.Name, Field: "password"}}
	c.Named = c.Paths
	c.Doors = []credential.DoorLogin{{Door: "elsewhere", Login: c.Name}, {Door: "here", Login: c.Name}}
	_, err := store.Activate(t.Context(), c.Paths[0], vault.Live{}, old, "")
	require.NoError(t, err)
	var doors opened.Doors
	ask := rotation.DoorAsker{Now: time.Now, Open: func(name string) (*opened.Door, error) {
		mount := map[string]string{"here": "/auth/userpass", "elsewhere": "/auth/elsewhere"}[name]
		return doors.Open(door.Settings{Type: "vault", Address: strings.TrimPrefix(server.Address(), "http://"), TLS: door.ClearText, Path: mount, Timeout: time.Minute})
	}}
	pass := func(n int) rotation.Applied {
		rot := &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault", config.PasswordPolicy{}, nil), Campaign: c.Name, Pass: n, Now: time.Now}
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
		verdicts := []rotation.Verdict{{Credential: c, Applied: &a}}
		rot.AskDoors(t.Context(), verdicts, ask, func() bool { return false })
		rot.Confirm(t.Context(), verdicts)
		return a
	}
	a := pass(1)
	require.Equal(t, protocol.ReasonDoorRefusesNew, a.Stop.Reason)
	require.Equal(t, "elsewhere", a.Stop.Server)
	live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
	require.NoError(t, err)
	login(t, c.Name, live.Value)
	admin(t, "auth/elsewhere/users/"+c.Name, map[string]any{"password": live.Value.Reveal()})
	a = pass(2)
	require.True(t, a.Dead(), "%+v", a.Stop)
	require.Len(t, a.Doors, 2)
	for _, ev := range a.Doors {
		require.Equal(t, protocol.Refused, ev.Old)
	}
}
