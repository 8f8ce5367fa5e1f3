package rotation

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// Doors that go by a cache, or by another server, refuse what the directory
// takes: what a person has changed is dead only where the account of that login
// refuses each stolen value, on each server, and it is neither changed nor
// locked by that.
func TestWhatAPersonChangesIsDeadOnlyWhereTheDirectorysAccountRefusesItToo(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 2}})
	c := r.credential(0)
	at := credential.AccountAt{Authority: c.Authority, Kind: c.Kind, Subject: c.Subject, Name: c.Name}
	by := DoorAsker{Campaign: "c"} // which remembers nothing
	ask := func(olds ...string) *protocol.Stop {
		var all []credential.Secret
		for _, o := range olds {
			all = append(all, credential.NewSecret(o))
		}
		return by.RefusedElsewhere(t.Context(), r.rotator().Authority, at, all, nil)
	}
	right := r.accounts[0].Password
	stop := ask(right)
	require.Equal(t, protocol.ReasonOldAccepted, stop.Reason)
	require.NotContains(t, stop.Detail, r.accounts[0].UID, "a stop travels")
	require.Nil(t, ask("another value"))
	require.Equal(t, protocol.ReasonNearLock, ask("another value").Reason, "the second wrong one in a row would lock it")
	require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
	require.True(t, r.logsIn(r.slapd, c.Name, right), "it is as it was")
	require.Equal(t, protocol.ReasonNearLock, ask("another value", "a third one").Reason)
	require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))

	// The next look goes on where this one broke off.
	require.True(t, r.logsIn(r.slapd, c.Name, right)) // what was counted is forgotten
	by.Refusals = &Refusals{}
	require.Equal(t, protocol.ReasonNearLock, ask("another value", "a third one").Reason)
	require.Equal(t, protocol.ReasonNearLock, ask("another value", "a third one").Reason)
	require.True(t, r.logsIn(r.slapd, c.Name, right))
	require.Nil(t, ask("another value", "a third one"), "what was refused is offered once")
	at.Subject, at.Name = "00000000-0000-0000-0000-000000000000", "uid=gone,"+r.slapd.BaseDN()
	require.Equal(t, protocol.ReasonGone, ask(right).Reason, "deleted, or moved to where nobody looks")
}
