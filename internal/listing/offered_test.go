package listing

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// oneAccount is an authority of one account.
type oneAccount struct {
	kind.Authority
	is     kind.Account
	after  protocol.Reply // its state once a value was offered
	err    error
	answer protocol.Reply
	offers int
}

func (oneAccount) Servers() []string { return []string{"one"} }

func (o *oneAccount) Account(context.Context, string, credential.Credential) (kind.Account, error) {
	a := o.is
	if o.offers > 0 && o.after != "" {
		a.State = o.after
	}
	return a, o.err
}

func (o *oneAccount) Offer(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error) {
	o.offers++
	return o.answer, nil
}

func TestAValueIsOfferedOnceAndOnlyWhereThatLocksNobody(t *testing.T) {
	order := func(locks, failed int) kind.Account {
		return kind.Account{State: protocol.Accepted, Locks: locks, Failed: failed}
	}
	for name, tc := range map[string]struct {
		at     oneAccount
		answer protocol.Reply
		why    string
		offers int
	}{
		"it takes it":                        {oneAccount{is: order(0, 0), answer: protocol.Accepted}, protocol.Accepted, "", 1},
		"it takes it and wants another":      {oneAccount{is: order(5, 0), answer: protocol.MustChange}, protocol.MustChange, "", 1},
		"it refuses it":                      {oneAccount{is: order(2, 0), answer: protocol.Refused}, protocol.Refused, "", 1},
		"one more would lock it":             {oneAccount{is: order(3, 2)}, "", "one more wrong login would lock it", 0},
		"one locks it":                       {oneAccount{is: order(1, 0)}, "", "one more wrong login would lock it", 0},
		"it is disabled":                     {oneAccount{is: kind.Account{State: protocol.Disabled}}, "", "the account is disabled", 0},
		"it is gone":                         {oneAccount{is: kind.Account{State: protocol.Gone}}, protocol.Refused, "", 0},
		"it does not show":                   {oneAccount{err: errors.New("no")}, "", "one does not show the account", 0},
		"it was locked, which refuses all":   {oneAccount{is: order(5, 0), after: protocol.Locked, answer: protocol.Refused}, protocol.Refused, "it was refused, and whether as a wrong password is not known", 1},
		"it may not be asked from here":      {oneAccount{is: order(0, 0), answer: protocol.NotThisWay}, protocol.NotThisWay, "one answers: not-this-way", 1},
		"what is asked of it does not reach": {oneAccount{is: order(0, 0), answer: protocol.Unreachable}, protocol.Unreachable, "one answers: unreachable", 1},
	} {
		t.Run(name, func(t *testing.T) {
			answer, why := offer(t.Context(), &tc.at, credential.Credential{}, credential.NewSecret("x"))
			require.Equal(t, tc.why, why)
			require.Equal(t, tc.offers, tc.at.offers)
			if why == "" {
				require.Equal(t, tc.answer, answer)
			}
		})
	}
	var o Offered
	o.note("a", credential.NewSecret("x"))
	require.True(t, o.refused("a", credential.NewSecret("x")), "a listing that is tried again")
	require.False(t, o.refused("a", credential.NewSecret("y")))
	require.False(t, o.refused("b", credential.NewSecret("x")))
}
