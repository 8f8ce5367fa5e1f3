package rotation

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// drawn makes the values of a list, the last one for ever.
type drawn struct {
	kind.Authority
	values []string
	made   int
}

func (d *drawn) Generate(context.Context, credential.Credential) (credential.Secret, error) {
	d.made++
	return credential.NewSecret(d.values[min(d.made, len(d.values))-1]), nil
}

// TestANewValueThatAPlaceCannotHoldIsDrawnAgain before it is staged, and no
// more often than maxDraws.
func TestANewValueThatAPlaceCannotHoldIsDrawnAgain(t *testing.T) {
	paths := []credential.Path{{Mount: "kv", Path: "app", Field: "password"}}
	d := &drawn{values: []string{"password=aB3xyz", `"aB3xyz"`, "aB3xyz"}}
	r := &Rotator{Authority: d}
	value, err := r.newValue(t.Context(), credential.Credential{}, paths, []vault.Live{{}})
	require.NoError(t, err)
	require.Equal(t, "aB3xyz", value.Reveal())
	require.Equal(t, 3, d.made)

	never := &drawn{values: []string{"password=aB3xyz"}}
	r = &Rotator{Authority: never}
	_, err = r.newValue(t.Context(), credential.Credential{}, paths, []vault.Live{{}})
	require.NoError(t, err, "what surrounds it is told before Set")
	require.Equal(t, maxDraws, never.made)
}

// What no login at a door of the account can carry is drawn anew, and where the
// policy makes nothing else nothing is set.
func TestANewValueIsOneThatEveryDoorCanCarry(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	for i, carries := range []bool{true, false} {
		c := r.credential(i)
		c.Doors = []credential.DoorLogin{{Door: "vpn", Login: "svc"}}
		rot := r.rotator()
		asked := 0
		rot.CannotCarry = func(of credential.Credential, value credential.Secret) (string, string) {
			require.Equal(t, c.ID, of.ID)
			if asked++; !carries || strings.ContainsAny(value.Reveal()[:1], "abcdefghijklmnopqrstuvwxyz") {
				return "vpn", "it begins with a small letter"
			}
			return "", ""
		}
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
		require.NotZero(t, asked)
		now, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
		require.Equal(t, !carries, r.logsIn(r.slapd, c.Name, r.accounts[i].Password))
		if carries {
			require.NotContains(t, "abcdefghijklmnopqrstuvwxyz", now.Value.Reveal()[:1])
			require.True(t, r.logsIn(r.slapd, c.Name, now.Value.Reveal()))
			continue
		}
		require.Equal(t, protocol.ReasonNotCarried, a.Stop.Reason)
		require.Equal(t, "vpn", a.Stop.Server)
		require.Equal(t, protocol.Intent, a.Step, "nothing was set")
	}
}
