package rotation

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
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

// hides is an authority with one more server, which does not show the account.
type hides struct{ kind.Authority }

const hidesIt = "ldaps://hides.example.org"

func (h hides) Servers() []string { return append(slices.Clone(h.Authority.Servers()), hidesIt) }

func (h hides) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	if server == hidesIt {
		return kind.Account{State: protocol.Gone}, nil
	}
	return h.Authority.Account(ctx, server, c)
}

// What bind.dn does not see at a replica may let the thief in there.
func TestAServerThatDoesNotShowAnAccountBesideATaskKeepsItOpen(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	c := r.credential(0)
	at := credential.AccountAt{Authority: c.Authority, Kind: c.Kind, Subject: c.Subject, Name: c.Name}
	ask := func(leftOut ...string) *protocol.Stop {
		by := DoorAsker{Campaign: "c", Refusals: &Refusals{}}
		return by.RefusedElsewhere(t.Context(), hides{r.rotator().Authority}, at, []credential.Secret{credential.NewSecret("another value")}, leftOut)
	}
	stop := ask()
	require.Equal(t, []string{string(protocol.ReasonGone), hidesIt}, []string{string(stop.Reason), stop.Server})
	require.Contains(t, stop.Detail, "the write server shows the account, and this one does not")
	require.Nil(t, ask(hidesIt), "a person left it out")
}

// counted is an account's authority that counts what it is offered, and loses
// answers while it is told to.
type counted struct {
	kind.Authority
	offers map[string]int
	loses  bool
	says   protocol.Reply // in place of what it would; empty: that
}

func (c *counted) Offer(ctx context.Context, server string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	c.offers[value.Reveal()]++
	if c.says != "" {
		return c.says, nil
	}
	reply, err := c.Authority.Offer(ctx, server, a, value)
	if c.loses {
		return "", errors.New("the worker was killed")
	}
	return reply, err
}

// Each worker that is started anew would begin again, at a wrong login of
// somebody else's account each time.
func TestWhatAnAccountBesideATaskHasRefusedIsKnownToEachWorker(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 9}})
	c, right := r.credential(0), r.accounts[0].Password
	at := credential.AccountAt{Authority: c.Authority, Kind: c.Kind, Subject: c.Subject, Name: c.Name}
	vault, now := &vaultNotes{}, time.Now()
	au := &counted{Authority: r.rotator().Authority, offers: map[string]int{}}
	worker := func(olds ...string) *protocol.Stop {
		by := DoorAsker{Campaign: "c", Refusals: &Refusals{Notes: vault}, Now: func() time.Time { return now }}
		var all []credential.Secret
		for _, o := range olds {
			all = append(all, credential.NewSecret(o))
		}
		return by.RefusedElsewhere(t.Context(), au, at, all, nil)
	}
	for range 3 {
		require.Equal(t, protocol.ReasonOldAccepted, worker("stolen", right).Reason)
	}
	require.Equal(t, map[string]int{"stolen": 1, right: 3}, au.offers, "what it takes is no wrong login")
	require.Nil(t, worker("stolen"))
	require.Equal(t, 1, au.offers["stolen"])

	au.says = protocol.NotThisWay
	for range maxWrongLogins + 1 {
		require.Equal(t, protocol.StopFor(protocol.NotThisWay, "").Reason, worker("third").Reason, "an answer is one, whatever it says")
	}
	au.says = protocol.Locked
	for range maxWrongLogins {
		require.Equal(t, protocol.ReasonLocked, worker("fourth").Reason)
	}
	require.Equal(t, protocol.ReasonNearLock, worker("fourth").Reason, "it may have been what locked")
	au.says, au.loses = "", true
	for range maxWrongLogins {
		require.Equal(t, protocol.ReasonUnreachable, worker("another").Reason)
	}
	au.loses = false
	stop := worker("another")
	require.Equal(t, protocol.ReasonNearLock, stop.Reason)
	require.Contains(t, stop.Detail, "not offered again for 12 hours")
	require.Equal(t, maxWrongLogins, au.offers["another"])

	now = now.Add(progressFor + time.Hour)
	require.Nil(t, worker("stolen", "another"))
	require.Equal(t, map[string]int{"stolen": 2, "another": maxWrongLogins + 1, "third": maxWrongLogins + 1, "fourth": maxWrongLogins, right: 3}, au.offers)
}
