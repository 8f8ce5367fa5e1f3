package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// An early lock may be the cause of what an outage hid for hours: whoever reads
// that has to know from when it is.
func TestTheCauseOfItsOwnHasItsTimeBesideThatOfTheOutage(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := NewState()
	n := 0
	add := func(after time.Duration, e Entry) *CredentialState {
		e.Campaign, e.At, e.Credential = "c1", at.Add(after), "corp/a"
		e.ID = EntryID("c1", e.Credential, string(rune('a'+n)), e.Event)
		s.Add(uint64(n), e)
		n++
		return s.Credential("corp/a")
	}
	open := func(after time.Duration, step protocol.Step, r protocol.Reason, server string) *CredentialState {
		return add(after, Entry{Event: EventOpen, Step: step, Reason: r, Server: server})
	}
	add(0, Entry{Event: Listed, Name: "uid=a", Authority: "corp"})
	locked := Cause{Step: protocol.Precheck, Reason: protocol.ReasonLocked, Server: "ldaps://one", Since: at.Add(time.Minute)}
	require.Zero(t, open(time.Minute, locked.Step, locked.Reason, locked.Server).Own)
	c := open(10*time.Minute, protocol.Precheck, protocol.ReasonVault, "")
	require.Equal(t, locked, c.Own)
	require.Equal(t, at.Add(10*time.Minute), c.Unseen)
	c = open(20*time.Minute, protocol.Precheck, protocol.ReasonUnreachable, "ldaps://one")
	require.Equal(t, locked, c.Own, "one outage after the other")
	require.Equal(t, at.Add(10*time.Minute), c.Unseen)
	c = add(4*time.Hour, Entry{Event: Exception, Step: locked.Step, Reason: locked.Reason, Server: locked.Server})
	require.Equal(t, locked.Since, c.Since)
	require.Equal(t, at.Add(10*time.Minute), c.Unseen, "whether it is so by now nobody has seen")
	require.Equal(t, protocol.ReasonLocked, c.Reason)

	// What came further than it did is no more kept open by it, and what was
	// looked at again stands where it was seen.
	for _, later := range []struct {
		step   protocol.Step
		reason protocol.Reason
	}{{protocol.Prove, protocol.ReasonUnreachable}, {protocol.Precheck, protocol.ReasonLocked}} {
		s, n = NewState(), 0
		add(0, Entry{Event: Listed, Name: "uid=a", Authority: "corp"})
		open(time.Minute, locked.Step, protocol.ReasonDisabled, "")
		open(2*time.Minute, protocol.Precheck, protocol.ReasonVault, "")
		c = open(3*time.Minute, later.step, later.reason, "ldaps://one")
		require.Zero(t, c.Own)
		require.Zero(t, c.Unseen)
	}
}
