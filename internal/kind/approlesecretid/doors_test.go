package approlesecretid

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
)

// A secret-id is offered at its doors, another address of its Vault. Where its
// logins are counted none is asked that could spend the last.
func TestASecretIDIsProvedAtDoorsAndKeepsItsLastUse(t *testing.T) {
	store := openStore(t)
	for _, row := range []struct {
		name   string
		uses   int
		reason protocol.Reason
		left   int64
	}{{"not counted", 0, "", 0}, {"enough", 9, "", 7}, {"few", 2, protocol.ReasonFewUses, 2}} {
		t.Run(row.name, func(t *testing.T) {
			c, old := newRole(t, map[string]any{"secret_id_num_uses": row.uses})
			got, err := server.Client().Logical().ReadWithContext(t.Context(), "auth/"+strings.Replace(c.Subject, "/", "/role/", 1)+"/role-id")
			require.NoError(t, err)
			c.Paths = []credential.Path{{Mount: "rollcall", Path: "device/" + c.Name, Field: "secret_id"}}
			c.Doors = []credential.DoorLogin{{Door: "second", Login: got.Data["role_id"].(string)}}
			_, err = store.Activate(t.Context(), c.Paths[0], vault.Live{}, old, "")
			require.NoError(t, err)
			var doors opened.Doors
			at := door.Settings{Type: "vault", Address: strings.TrimPrefix(server.Address(), "http://"), TLS: door.ClearText, Path: "/auth/approle", Auth: door.ByAppRole, Timeout: time.Minute}
			ask := rotation.DoorAsker{Now: time.Now, Settings: func(string) door.Settings { return at }, Open: func(string) (*opened.Door, error) { return doors.Open(at) }}
			authority := New(server.Client(), "vault")
			rot := &rotation.Rotator{Store: store, Authority: authority, Campaign: c.Name, Pass: 1, Now: time.Now}
			p := rot.Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
			require.True(t, a.Dead(), "%+v", a.Stop)
			verdicts := []rotation.Verdict{{Credential: c, Applied: &a}}
			rot.AskDoors(t.Context(), verdicts, ask, func() bool { return false })
			rot.Confirm(t.Context(), verdicts)
			live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
			require.NoError(t, err)
			account, err := authority.Account(t.Context(), "vault", c)
			require.NoError(t, err)
			left, err := authority.UsesLeft(t.Context(), account, live.Value)
			require.NoError(t, err)
			require.Equal(t, row.left, left, "of the new one's logins")
			if row.reason != "" {
				require.Equal(t, row.reason, a.Stop.Reason)
				require.Contains(t, a.Stop.Detail, "good for 2 more logins")
				return
			}
			require.True(t, a.Dead(), "%+v", a.Stop)
			require.Equal(t, protocol.DoorEvidence{Door: "second", At: a.Doors[0].At, First: protocol.Accepted, Old: protocol.Refused, New: protocol.Accepted}, a.Doors[0])
			login(t, c, live.Value)
		})
	}
}

// A door that keeps its credential open has it proved anew in each pass, with a
// wrong login at the role each time. Five in a row lock the role, and where its
// logins are counted the new secret-id is looked up, which ends no count.
func TestARoleWhoseLoginsAreCountedIsNotLockedByPassesThatADoorKeepsOpen(t *testing.T) {
	store := openStore(t)
	require.NoError(t, server.Client().Sys().EnableAuthWithOptions("keeps", &vaultapi.EnableAuthOptions{Type: "approle"}))
	for _, row := range []struct {
		name     string
		role, id map[string]any
	}{
		{"by the role", map[string]any{"secret_id_num_uses": 90}, nil},
		{"by the secret-id", nil, map[string]any{"num_uses": 90}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, old := withSecretID(t, row.role, row.id)
			admin(t, "auth/keeps/role/"+c.Name, nil)
			admin(t, "auth/keeps/role/"+c.Name+"/custom-secret-id", map[string]any{"secret_id": old.Reveal()})
			id, err := server.Client().Logical().ReadWithContext(t.Context(), "auth/keeps/role/"+c.Name+"/role-id")
			require.NoError(t, err)
			c.Paths = []credential.Path{{Mount: "rollcall", Path: "device/" + c.Name, Field: "secret_id"}}
			c.Named = c.Paths
			c.Doors = []credential.DoorLogin{{Door: "keeps", Login: id.Data["role_id"].(string)}}
			_, err = store.Activate(t.Context(), c.Paths[0], vault.Live{}, old, "")
			require.NoError(t, err)
			var doors opened.Doors
			at := door.Settings{Type: "vault", Address: strings.TrimPrefix(server.Address(), "http://"), TLS: door.ClearText, Path: "/auth/keeps", Auth: door.ByAppRole, Timeout: time.Minute}
			ask := rotation.DoorAsker{Now: time.Now, Settings: func(string) door.Settings { return at }, Open: func(string) (*opened.Door, error) { return doors.Open(at) }}
			for n := range 8 {
				// Each time a worker that was started anew.
				rot := &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault"), Campaign: c.Name, Pass: n + 1, Now: time.Now}
				p := rot.Prepare(t.Context(), c)
				require.Nil(t, p.Stop, "pass %d", n+1)
				a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
				require.True(t, a.Dead(), "pass %d: %+v", n+1, a.Stop)
				verdicts := []rotation.Verdict{{Credential: c, Applied: &a}}
				rot.AskDoors(t.Context(), verdicts, ask, func() bool { return false })
				if n > 0 {
					require.Equal(t, protocol.ReasonDoorTakesOld, a.Stop.Reason, "pass %d", n+1)
					continue
				}
				live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
				require.NoError(t, err)
				admin(t, "auth/keeps/role/"+c.Name+"/custom-secret-id", map[string]any{"secret_id": live.Value.Reveal()})
			}
			live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
			require.NoError(t, err)
			login(t, c, live.Value)
			_, err = tryLogin(t, c, old)
			require.Error(t, err)
		})
	}
}
