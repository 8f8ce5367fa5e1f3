package userpassword

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/rotation/recheck"
)

// rotate sets a value and retires the one before.
func rotate(t *testing.T, a *Authority, acc kind.Account, next credential.Secret) []credential.Finding {
	t.Helper()
	require.NoError(t, a.Set(t.Context(), acc, next, credential.Secret{}))
	_, findings, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	return findings
}

func TestTheTemporaryValueLetsNobodyInAndItsOwnerChangesIt(t *testing.T) {
	a := authority(t)
	c, stolen := person(t)
	acc := show(t, a, c)
	next := fresh(t, a)
	require.Empty(t, rotate(t, a, acc, next))

	require.Equal(t, "0", attr(t, c.Name, "pwdLastSet"))
	require.Equal(t, "52e", subCode(t, c.Name, stolen))
	require.Equal(t, "52e", subCode(t, c.Name, fresh(t, a)))
	require.Equal(t, "773", subCode(t, c.Name, next), "only the right one is told to be changed")
	require.Equal(t, protocol.Refused, try(t, a, acc, stolen))
	require.Equal(t, protocol.Accepted, try(t, a, acc, next))
	require.Equal(t, protocol.Accepted, show(t, a, c).State)

	own := fresh(t, a)
	require.Error(t, change(t, c.Name, stolen, own))
	require.NoError(t, change(t, c.Name, next, own))
	require.Empty(t, subCode(t, c.Name, own))
	require.Equal(t, "52e", subCode(t, c.Name, stolen), "the change gives the stolen value no new hour")
}

// Broken off between any two of its requests, Retire is done again from the
// start.
func TestRetireBrokenOffAnywhereIsDoneAgain(t *testing.T) {
	for steps := range 4 {
		t.Run(fmt.Sprintf("after %d of its changes", steps), func(t *testing.T) {
			a := authority(t)
			c, stolen := person(t)
			acc := show(t, a, c)
			next := fresh(t, a)
			require.NoError(t, a.Set(t.Context(), acc, next, stolen))
			for range min(steps, 2) {
				require.NoError(t, a.dir.ResetPassword(t.Context(), acc.Name, next, credential.Secret{}))
			}
			if steps == 3 {
				require.NoError(t, a.dir.RequireChange(t.Context(), acc.Name))
			}
			require.Equal(t, protocol.Accepted, try(t, a, acc, next), "whoever goes on sees that it is in force")
			again := authority(t)
			_, _, err := again.Retire(t.Context(), acc, next)
			require.NoError(t, err)
			require.Equal(t, "773", subCode(t, c.Name, next))
			require.Equal(t, "52e", subCode(t, c.Name, stolen))
		})
	}
}

// A server that has the two resets and not must-change yet, or must-change of
// an earlier value, is behind.
func TestTheChangeMarkGrowsWithEveryStep(t *testing.T) {
	a := authority(t)
	c, stolen := person(t)
	put(t, c.Name, "pwdLastSet", "0")
	acc := show(t, a, c)
	next := fresh(t, a)
	marks := []string{acc.Changed}
	see := func() { marks = append(marks, show(t, a, c).Changed) }
	require.Equal(t, protocol.Accepted, try(t, a, acc, stolen), "it is the one in force, whatever it opens")
	for range 2 {
		require.NoError(t, a.Set(t.Context(), acc, next, stolen))
		see()
	}
	require.NoError(t, a.dir.RequireChange(t.Context(), acc.Name))
	see()
	for i := range len(marks) - 1 {
		require.Less(t, marks[i], marks[i+1])
	}
	require.NoError(t, a.dir.RequireChange(t.Context(), acc.Name))
	require.Equal(t, marks[len(marks)-1], show(t, a, c).Changed)
}

// For an hour a bind does not show it: ours is the one before and is accepted.
func TestAChangeBeforeTheProofIsOverruledAndSaid(t *testing.T) {
	a := authority(t)
	c, stolen := person(t)
	acc := show(t, a, c)
	next, own := fresh(t, a), fresh(t, a)
	rotate(t, a, acc, next)
	require.NoError(t, change(t, c.Name, next, own))
	_, err := a.Try(t.Context(), a.Servers()[0], acc, next)
	require.ErrorContains(t, err, "look again", "it works for its hour, and is not what the owner would be handed")
	require.NotContains(t, err.Error(), "person0")
	require.Equal(t, protocol.Accepted, try(t, a, acc, next), "whoever looks again gets to Retire")

	_, findings, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingChangedAfter, findings[0].Code)
	for _, dead := range []credential.Secret{stolen, own} {
		require.Equal(t, "52e", subCode(t, c.Name, dead))
	}
	require.Equal(t, "773", subCode(t, c.Name, next))
}

func TestAnOwnerWhomMustChangeWouldNotReachIsAFinding(t *testing.T) {
	const deny = "(OD;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;PS)(OD;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;WD)"
	for name, row := range map[string]struct {
		apply func(t *testing.T, dn string)
		words string
	}{
		"the password never expires": {func(t *testing.T, dn string) { flag(t, dn, 0x10000) }, "never expires"},
		"user cannot change password": {func(t *testing.T, dn string) {
			require.NoError(t, dc(t).AddACE(t.Context(), dn, dc(t).BinderDN, deny+"%.0s"))
		}, "User Cannot Change Password"},
	} {
		t.Run(name, func(t *testing.T) {
			a := authority(t)
			c, stolen := person(t)
			row.apply(t, c.Name)
			acc := show(t, a, c)
			next := fresh(t, a)
			findings := rotate(t, a, acc, next)
			require.Len(t, findings, 1)
			require.Equal(t, credential.FindingNotForced, findings[0].Code)
			require.Contains(t, findings[0].Detail, row.words)
			_, again, err := a.Retire(t.Context(), acc, next)
			require.NoError(t, err)
			require.Equal(t, findings, again, "whose answer was lost is told again")
			require.Equal(t, "52e", subCode(t, c.Name, stolen), "the stolen value dies all the same")
			require.Empty(t, subCode(t, c.Name, next), "and nobody is locked out")
			require.Equal(t, protocol.Accepted, try(t, a, acc, next))
		})
	}
}

func TestWithoutTheRightToPwdLastSetTheStolenValueIsDeadAndTheDelegationIsNamed(t *testing.T) {
	a := authority(t)
	c := named(t, dc(t).AccountDN("svc0001")) // where only resets are delegated
	stolen := credential.NewSecret(dc(t).SeededPassword("svc0001"))
	acc := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	_, _, err := a.Retire(t.Context(), acc, next)
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonRights, stop.Reason)
	require.Contains(t, stop.Detail, `WP;pwdLastSet;user`)
	require.NotContains(t, stop.Detail, "svc0001", "details travel through Temporal")
	require.Equal(t, "52e", subCode(t, c.Name, stolen))
	require.Empty(t, subCode(t, c.Name, next))

	person, _ := person(t)
	checks := a.dir.CheckPasswordFlags(t.Context(), []string{c.Subject, person.Subject})
	require.False(t, checks[0].OK)
	require.Contains(t, checks[0].Detail, "1 of 2")
	require.Contains(t, checks[0].Do, "WP;pwdLastSet;user")
	require.Contains(t, checks[1].Detail, "1 with a password that never expires")
	checks = a.dir.CheckPasswordFlags(t.Context(), []string{person.Subject})
	require.Len(t, checks, 1)
	require.True(t, checks[0].OK, checks[0].Detail)
}

// Were each pass to reset again, a server that follows more slowly than passes
// come would never have seen the last one.
func TestRetiringAgainIsNoChangeThatOtherServersWouldHaveToSee(t *testing.T) {
	a := authority(t)
	c, _ := person(t)
	acc := show(t, a, c)
	next := fresh(t, a)
	rotate(t, a, acc, next)
	retired := show(t, a, c).Changed
	_, _, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.Equal(t, retired, show(t, a, c).Changed)
}

// At the end of a campaign some owners have changed their temporary value, as
// they were to; whatever else was done to an account since is told apart from
// that.
func TestTheLookAtTheEndTellsAHandOverFromOtherChanges(t *testing.T) {
	a := authority(t)
	const untouched, handedOver, resetAgain, resetByHelpdesk, lifted, changedTwice = 0, 1, 2, 3, 4, 5
	var all []recheck.Proved
	var values []credential.Secret
	for range 6 {
		c, _ := person(t)
		acc := show(t, a, c)
		next := fresh(t, a)
		rotate(t, a, acc, next)
		mark := show(t, a, c).Changed
		all, values = append(all, recheck.Proved{Credential: c, Mark: mark}), append(values, next)
	}
	name := func(n int) string { return all[n].Credential.Name }
	own := fresh(t, a)
	require.NoError(t, change(t, name(handedOver), values[handedOver], own))
	require.NoError(t, a.dir.ResetPassword(t.Context(), name(resetByHelpdesk), fresh(t, a), credential.Secret{}))
	require.NoError(t, a.dir.RequireChange(t.Context(), name(resetByHelpdesk)))
	put(t, name(lifted), "pwdLastSet", "-1")
	require.NoError(t, change(t, name(changedTwice), values[changedTwice], own))
	require.NoError(t, a.dir.ResetPassword(t.Context(), name(changedTwice), fresh(t, a), credential.Secret{}))
	for range 2 {
		require.NoError(t, a.dir.ResetPassword(t.Context(), name(resetAgain), fresh(t, a), credential.Secret{}))
	}

	got := (&rotation.Rotator{Authority: a}).Recheck(t.Context(), all)
	require.Equal(t, recheck.Looked{}, got[untouched])
	require.Equal(t, recheck.Looked{Finding: credential.FindingHandedOver}, got[handedOver])
	for n, words := range map[int]string{resetAgain: "more than once", changedTwice: "more than once", resetByHelpdesk: "set anew", lifted: "must-change was taken off"} {
		require.NotNil(t, got[n].Stop, "%d %+v", n, got[n])
		require.Equal(t, protocol.ReasonChangedSince, got[n].Stop.Reason)
		require.Contains(t, got[n].Stop.Detail, words)
	}
}
