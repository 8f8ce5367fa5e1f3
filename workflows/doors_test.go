package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// What a cache has of a value grows no older by being asked: the time at which
// it is over stays the first one, and a campaign that would end before waits
// for it where its file says how long.
func TestTheEndOfADoorsCacheStaysWhereItWas(t *testing.T) {
	first := time.Date(2026, 11, 29, 9, 30, 0, 0, time.UTC)
	stop := func(reason protocol.Reason, server string) wire.AppliedItem {
		return wire.AppliedItem{Index: 1, Applied: wire.Applied{Step: protocol.Prove, Stop: &protocol.Stop{Reason: reason, Server: server, Until: first.Add(time.Minute), Wait: true}}}
	}
	known := []wire.OpenItem{{Index: 1, Step: protocol.Prove, Reason: protocol.ReasonDoorTakesOld, Server: "mail", Until: first.Unix(), Wait: true}}
	for _, row := range []struct {
		it   wire.AppliedItem
		want time.Time
	}{
		{stop(protocol.ReasonDoorTakesOld, "mail"), first},
		{stop(protocol.ReasonDoorTakesOld, "files"), first.Add(time.Minute)},
		{stop(protocol.ReasonLocked, "mail"), first.Add(time.Minute)},
	} {
		sameEnd(known, []wire.AppliedItem{row.it})
		require.True(t, row.want.Equal(row.it.Stop.Until), "%+v", row.it.Stop)
	}
	require.Equal(t, known[0], wire.OpenAs(1, protocol.Prove, &protocol.Stop{Reason: protocol.ReasonDoorTakesOld, Server: "mail", Until: first, Wait: true}), "so that the ledger has it once")

	w := &wave{}
	w.state.Settings.Deadline, w.state.Since, w.state.Began = time.Minute, first.Add(-time.Hour), first.Add(-time.Second)
	w.state.Open = []batchTodo{{Items: known}}
	require.False(t, w.over(), "its time is not over")
	w.state.Began = first.Add(time.Second)
	require.True(t, w.over(), "a pass has begun after it")
	known[0].Wait, w.state.Began = false, first.Add(-time.Second)
	require.True(t, w.over(), "the table of software holds up no campaign")
	known[0].Wait, w.state.Control.Aborting = true, true
	require.True(t, w.over())
}
