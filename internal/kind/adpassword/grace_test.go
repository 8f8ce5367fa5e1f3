package adpassword

import (
	"testing"
	"time"

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

	_, findings, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.Empty(t, findings)
	require.False(t, logsIn(t, c.Name, stolen))
	require.Equal(t, protocol.Refused, try(t, a, acc, stolen))
	require.Equal(t, protocol.Accepted, try(t, a, acc, next), "consumers see one change")
	require.Equal(t, "0", attr(t, c.Name, "badPwdCount"), "a proof leaves no failure behind")
}

// Ours works for an hour after somebody else's reset, so that a bind does not
// show it, and a single reset would leave theirs working for an hour in turn.
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
			_, findings, err := a.Retire(t.Context(), acc, next)
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

// Each reset more than two makes the tries of consumers that still have the
// stolen value count: the third of them would lock the account.
func TestAfterAKillNothingIsResetThatWasResetAlready(t *testing.T) {
	for name, retired := range map[string]bool{"killed after Set": false, "killed after Retire": true} {
		t.Run(name, func(t *testing.T) {
			a := authority(t)
			c, stolen := account(t)
			acc := show(t, a, c)
			next := fresh(t, a)
			require.NoError(t, a.Set(t.Context(), acc, next, stolen))
			if retired {
				_, _, err := a.Retire(t.Context(), acc, next)
				require.NoError(t, err)
			}
			for range 2 { // each in a process that began later
				again := show(t, authority(t), c)
				again.Before = acc.Changed
				_, findings, err := authority(t).Retire(t.Context(), again, next)
				require.NoError(t, err)
				require.Empty(t, findings)
			}
			require.Equal(t, version(acc.Changed)+2, version(show(t, a, c).Changed))
			for range 5 {
				require.False(t, logsIn(t, c.Name, stolen), "a consumer that still has it")
			}
			require.Equal(t, "0", attr(t, c.Name, "badPwdCount"))
			require.True(t, logsIn(t, c.Name, next))
		})
	}
}

// A domain that remembers no password and lets one be changed at once takes the
// question which value is in force for a change of it to itself.
func TestAfterAKillADomainWithoutAHistoryTakesTheQuestionForNobodysChange(t *testing.T) {
	for name, value := range map[string]string{"pwdHistoryLength": "0", "minPwdAge": "0"} {
		was := attr(t, dc(t).BaseDN(), name)
		put(t, dc(t).BaseDN(), name, value)
		defer func() { put(t, dc(t).BaseDN(), name, was) }()
	}
	a := authority(t)
	c, stolen := account(t)
	acc := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	_, _, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	again := show(t, authority(t), c)
	again.Before = acc.Changed
	mark, findings, err := authority(t).Retire(t.Context(), again, next)
	require.NoError(t, err)
	require.Empty(t, findings)
	require.Equal(t, mark, show(t, a, c).Changed)
	require.Equal(t, version(acc.Changed)+3, version(mark), "two resets, and the question")
	require.False(t, logsIn(t, c.Name, stolen))
	require.True(t, logsIn(t, c.Name, next))
}

// Two resets by us and one of ours with somebody else's after it look alike to
// a bind.
func TestAPasswordThatSomebodySetBeforeAKillDiesToo(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	acc := show(t, a, c)
	next, theirs := fresh(t, a), fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	require.NoError(t, directoryAsAdmin(t).ResetPassword(t.Context(), acc.Name, theirs, credential.Secret{}))
	again := show(t, authority(t), c)
	again.Before = acc.Changed
	_, _, err := authority(t).Retire(t.Context(), again, next)
	require.NoError(t, err)
	require.False(t, logsIn(t, c.Name, theirs))
	require.True(t, logsIn(t, c.Name, next))
}

func TestRetiringAgainAfterALostAnswerDoesNoHarm(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	acc := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	for range 3 {
		_, _, err := a.Retire(t.Context(), acc, next)
		require.NoError(t, err)
		require.False(t, logsIn(t, c.Name, stolen))
		require.True(t, logsIn(t, c.Name, next))
	}
}

func TestWhatSomebodySetAfterTheValueWasRetiredIsRetiredToo(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	acc := show(t, a, c)
	next, theirs := fresh(t, a), fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	_, _, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.NoError(t, directoryAsAdmin(t).ResetPassword(t.Context(), acc.Name, theirs, credential.Secret{}))
	_, _, err = a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.False(t, logsIn(t, c.Name, theirs))
	require.True(t, logsIn(t, c.Name, next))
}

// What the change mark says with it: see protocol.Facts of a value that is
// accepted although another one is in force.
func TestAnAccountTellsSinceWhenItsPasswordIsInForce(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	before := time.Now().Add(-time.Second)
	require.NoError(t, a.Set(t.Context(), show(t, a, c), fresh(t, a), stolen))
	since := show(t, a, c).Since
	require.WithinRange(t, since, before, time.Now().Add(time.Second))
	require.Equal(t, protocol.Accepted, try(t, a, show(t, a, c), stolen), "for its hour")
}

func TestAValueThatExpiresEachTimeItIsSetIsNotSetForEver(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	first := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), first, next, stolen))
	var err error
	for n := 0; n < 5 && err == nil; n++ {
		again := show(t, a, c)
		again.Before = first.Changed
		err = a.Set(t.Context(), again, next, stolen)
	}
	requireStop(t, err, protocol.ReasonMustChange, "pwdLastSet", "Unexpire Password")
	require.Equal(t, version(first.Changed)+3, version(show(t, a, c).Changed))
}
