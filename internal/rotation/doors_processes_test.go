package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// Each process of a Squid keeps logins of its own, and chance says which
// answers. What one of them refuses the next one may take.
func TestWhatOneProcessOfASquidRefusesIsDeadOnlyOnceNoneCanKeepIt(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	s, err := lab.StartSquid(t.Context(), lab.SquidOptions{Dir: t.TempDir(), CA: r.ca, Directory: r.slapd, Workers: 4})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	k := newKeeping(r, door.Settings{Type: "https-proxy", Address: s.Address("https"), Path: s.Target, Software: "squid"})
	require.NoError(t, s.Only(3))
	require.Equal(t, protocol.Accepted, k.offer(k.old))
	over := func(since time.Time) time.Time {
		return since.Add(2*time.Hour + 5*time.Minute).UTC().Truncate(time.Second) // as it is shipped, and what clocks differ by
	}
	waits := func(why string, since time.Time) {
		t.Helper()
		require.NoError(t, s.Only(1))
		got := k.pass(nil)
		require.False(t, got.Dead(), why)
		require.Equal(t, protocol.ReasonDoorMayKeep, got.Stop.Reason, why)
		require.Equal(t, "there", got.Stop.Server)
		require.Equal(t, over(since), got.Stop.Until, why)
		require.False(t, got.Stop.Wait, "the file does not say so")
	}
	first := k.now
	waits("another process takes it", first)
	require.NoError(t, s.Only(3))
	require.Equal(t, protocol.Accepted, k.offer(k.old), "the process that nobody met takes it")
	k.now = first.Add(2 * time.Hour)
	waits("its time is not over, whatever worker asks", first)

	k.admin(k.slapd, func(c *ldap.Conn) error {
		back := ldap.NewModifyRequest(k.c.Name, nil)
		back.Replace("userPassword", []string{k.old.Reveal()})
		return c.Modify(back)
	})
	k.now = first.Add(3 * time.Hour)
	again := k.now
	require.Equal(t, protocol.ReasonRestaged, k.pass(nil).Stop.Reason)
	waits("the account had the old value again", again)

	require.NoError(t, s.Restart(t.Context())) // as when the time is over
	k.now = over(again).Add(time.Second)
	got := k.pass(nil)
	require.True(t, got.Dead(), "%+v", got.Stop)

	one := k.at["there"]
	one.Processes = 1
	require.Zero(t, one.Settles(), "the file says that there is one process")
}
