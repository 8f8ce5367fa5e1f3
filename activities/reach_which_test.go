package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// What waits for a login says for which, and what is known of it: not to
// Temporal, which gets no names, but in the record, which people read.
func TestWhatWaitsForALoginNamesItInTheRecord(t *testing.T) {
	w := newReachable(t, nil, map[string]any{"secret_id_bound_cidrs": "192.0.2.0/24"})
	told := func() (plain, named string) {
		var prepared []wire.PreparedItem
		w.call("Prepare", wire.PrepareInput{Batch: w.accounts, Pass: 1, Items: []int{2}}, &prepared)
		stop := prepared[0].Stop
		require.Equal(t, protocol.ReasonWithinReach, stop.Reason)
		entries := []ledger.Entry{
			{Event: ledger.EventOpen, Reason: stop.Reason, Detail: stop.Detail},
			{Event: ledger.EventOpen, Reason: protocol.ReasonUnreachable, Detail: "login 0.0 of the roll, as somebody else put it"},
		}
		require.NoError(t, (&Ledger{Store: w.store}).nameLogins(t.Context(), "c", entries))
		require.Equal(t, "login 0.0 of the roll, as somebody else put it", entries[1].Detail)
		return stop.Detail, entries[0].Detail
	}
	w.accounts.Logins = w.index.Logins[:1]
	plain, named := told()
	require.Contains(t, plain, "a login to Vault of the roll (login 0.0 of the roll) that is not dead yet")
	require.NotContains(t, plain, "approle/esg-01-a")
	require.Contains(t, named, "a login to Vault of the roll (approle/esg-01-a) that is not dead yet")

	w.restart()
	w.accounts.Logins = w.index.Logins[1:2]
	plain, named = told()
	require.Contains(t, plain, "cannot be found out (its own reason says what is the matter with it): login 0.1 of the roll")
	require.Contains(t, named, "cannot be found out (its own reason says what is the matter with it): approle/esg-01-b")
}

// Who asks for a second factor is said to do so, for its own row says no more
// than that it waits too.
func TestWhyALoginCannotBeAskedIsSaid(t *testing.T) {
	w := newNamesake(t, "another")
	w.write("rollcall/data/staging/vault/userpass/mta~wrong", map[string]any{"data": map[string]any{"page": `{"count":3,"at":"` + time.Now().Format(time.RFC3339) + `"}`}})
	var prepared []wire.PreparedItem
	w.accounts.Logins = credential.Refs{{Page: 0, Index: 2}}
	w.call("Prepare", wire.PrepareInput{Batch: w.accounts, Pass: 1, Items: []int{4}}, &prepared)
	require.Equal(t, protocol.ReasonWithinReach, prepared[0].Stop.Reason)
	require.Contains(t, prepared[0].Stop.Detail, "login 0.2 of the roll (near-lock)")
}
