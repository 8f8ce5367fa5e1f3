package adpassword

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

func TestOneResetLeavesTheStolenPasswordAndRetireEndsIt(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	acc := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	require.True(t, logsIn(t, c.Name, stolen), "this is why one reset is not enough")
	require.Equal(t, protocol.Accepted, try(t, a, acc, stolen))
	require.Equal(t, protocol.Accepted, try(t, a, acc, next))
	require.Equal(t, "0", attr(t, c.Name, "badPwdCount"))

	findings, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.Empty(t, findings)
	require.False(t, logsIn(t, c.Name, stolen))
	require.Equal(t, protocol.Refused, try(t, a, acc, stolen))
	require.Equal(t, protocol.Accepted, try(t, a, acc, next), "consumers see one change")
	require.Equal(t, "0", attr(t, c.Name, "badPwdCount"), "a proof leaves no failure behind")
}

// Ours works for an hour after somebody else's reset, so that a bind does not show
// it, and a single reset would leave theirs working for an hour in turn.
func TestAPasswordThatSomebodySetBetweenSetAndRetireDiesToo(t *testing.T) {
	for name, restarted := range map[string]bool{"the process saw Set": false, "the process began later": true} {
		t.Run(name, func(t *testing.T) {
			a := authority(t)
			c, stolen := account(t)
			acc := show(t, a, c)
			next, theirs := fresh(t, a), fresh(t, a)
			require.NoError(t, a.Set(t.Context(), acc, next, stolen))
			require.NoError(t, directoryAsAdmin(t).ResetPassword(t.Context(), acc.Name, theirs, credential.Secret{}))
			require.Equal(t, protocol.Accepted, try(t, a, acc, next))
			if restarted {
				a = authority(t)
			}
			findings, err := a.Retire(t.Context(), acc, next)
			require.NoError(t, err)
			if restarted {
				require.Empty(t, findings)
			} else {
				require.Equal(t, credential.FindingChangedDuring, findings[0].Code)
			}
			for _, dead := range []credential.Secret{stolen, theirs} {
				require.False(t, logsIn(t, c.Name, dead))
			}
			require.True(t, logsIn(t, c.Name, next))
		})
	}
}

func TestRetiringAgainAfterALostAnswerDoesNoHarm(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	acc := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	for range 3 {
		_, err := a.Retire(t.Context(), acc, next)
		require.NoError(t, err)
		require.False(t, logsIn(t, c.Name, stolen))
		require.True(t, logsIn(t, c.Name, next))
	}
}

// Were each pass to reset again, a server that follows more slowly than passes come would
// never have seen the last one.
func TestRetiringAgainIsNoChangeThatOtherServersWouldHaveToSee(t *testing.T) {
	d := conf(dc(t))
	d.Servers, d.StartTLS = []string{dc(t).LDAPS(), dc(t).LDAP()}, true
	a := open(t, d, dc(t).BinderPassword)
	c, stolen := account(t)
	acc := show(t, a, c)
	next, theirs := fresh(t, a), fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	_, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	retired := show(t, a, c).Changed
	for range 2 {
		_, err = a.Retire(t.Context(), acc, next)
		require.NoError(t, err)
		require.Equal(t, retired, show(t, a, c).Changed)
	}

	require.NoError(t, directoryAsAdmin(t).ResetPassword(t.Context(), acc.Name, theirs, credential.Secret{}))
	_, err = a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.False(t, logsIn(t, c.Name, theirs), "what somebody set since is retired")
	require.True(t, logsIn(t, c.Name, next))
}
