package rotation

import (
	"context"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
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

// A value that cannot be set and that no server has gives way to one that can,
// once there is one: in the pass after its policy, or a door, was put in order.
func TestAStagedValueThatNoDoorCanCarryIsReplacedOnceThereIsOneThatEachCan(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	c := r.credential(0)
	c.Doors = []credential.DoorLogin{{Door: "vpn", Login: "svc"}}
	narrow, tries := true, 0
	pass := func() (Prepared, Applied) {
		rot := r.rotator()
		rot.CannotCarry = func(_ credential.Credential, value credential.Secret) (string, string) {
			if narrow {
				return "vpn", "it is too long"
			}
			return "", ""
		}
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		return p, rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
	}
	r.meddle = func(op, _ string) {
		if op == "try" || op == "offer" {
			tries++
		}
	}
	_, a := pass()
	require.Equal(t, protocol.ReasonNotCarried, a.Stop.Reason)
	first, _, err := r.store.ReadStaged(t.Context(), c.ID)
	require.NoError(t, err)
	p, a := pass()
	require.Equal(t, 1, p.Attempt, "there is none yet")
	require.Equal(t, protocol.ReasonNotCarried, a.Stop.Reason)
	require.Equal(t, 2, tries, "each pass offered the value in force alone, and nobody the one that is staged")

	// What a worker does that drew it when a door carried less.
	require.True(t, first.Unsent)
	still := r.rotator()
	still.CannotCarry = func(_ credential.Credential, value credential.Secret) (string, string) {
		if value.Equal(first.Secret) {
			return "vpn", "it has a letter that no login there carries"
		}
		return "", ""
	}
	p = still.Prepare(t.Context(), c)
	require.Nil(t, p.Stop)
	require.Equal(t, 2, p.Attempt, "its intent is recorded before it is set")
	a = still.Apply(t.Context(), c, p.Attempt, p.Fresh)
	require.NotEqual(t, protocol.Intent, a.Step)
	require.False(t, r.logsIn(r.slapd, c.Name, first.Secret.Reveal()))
	now, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
	require.True(t, r.logsIn(r.slapd, c.Name, now.Value.Reveal()))
	require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
}

// A value that a server may have is never given up: it may be in force, and
// lies nowhere else.
func TestAStagedValueThatMayHaveBeenSentStaysAlthoughNoDoorCanCarryIt(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	c := r.credential(0)
	c.Doors = []credential.DoorLogin{{Door: "vpn", Login: "svc"}}
	p := r.rotator().Prepare(t.Context(), c) // killed before, in or after Set
	require.Nil(t, p.Stop)
	sent, _, err := r.store.ReadStaged(t.Context(), c.ID)
	require.NoError(t, err)
	next := func() Applied {
		rot := r.rotator()
		rot.CannotCarry = func(_ credential.Credential, value credential.Secret) (string, string) {
			if value.Equal(sent.Secret) {
				return "vpn", "it is too long"
			}
			return "", ""
		}
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		require.Equal(t, 1, p.Attempt)
		require.False(t, p.Fresh)
		return rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
	}
	require.Equal(t, protocol.ReasonNotCarried, next().Stop.Reason)
	now, _, err := r.store.ReadStaged(t.Context(), c.ID)
	require.NoError(t, err)
	require.True(t, now.Secret.Equal(sent.Secret))
	require.False(t, now.Unsent)

	r.admin(r.slapd, func(conn *ldap.Conn) error { // it arrives after all
		_, err := conn.PasswordModify(ldap.NewPasswordModifyRequest(c.Name, "", sent.Secret.Reveal()))
		return err
	})
	next()
	live, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
	require.True(t, live.Value.Equal(sent.Secret), "it is in force, so its consumers get it")
}
