package rotation

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

func TestAServerThatIsGoneKeepsACredentialOpenUntilAPersonLeavesItOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3, "P0")
		gone := w.servers[1]
		gone.down = time.Now().Add(1000 * time.Hour)
		gone.paused = gone.down
		for range 5 {
			a, dead := w.pass(false)
			require.False(t, dead, w.story())
			require.Equal(t, protocol.Prove, a.Step)
			require.Equal(t, protocol.ReasonUnreachable, a.Stop.Reason)
			require.Equal(t, gone.name, a.Stop.Server)
			require.Empty(t, a.LeftOut)
		}
		require.Equal(t, "P0", gone.entries[subject].inForce(), "the stolen value may be good there")
		w.leftOut = []string{gone.name}
		a, dead := w.pass(false)
		require.True(t, dead, w.story())
		require.Equal(t, []string{gone.name}, a.LeftOut)
		require.Len(t, a.Evidence, 2)
		w.kept(t, "left out")
	})
}

func TestTheWriteServerIsAskedWhateverIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2, "P0")
		r := w.rotator()
		r.LeftOut = []string{w.servers[0].name, w.servers[1].name}
		p := r.Prepare(context.Background(), w.cred)
		w.intents[p.Attempt] = true
		a := r.Apply(context.Background(), w.cred, p.Attempt, p.Fresh)
		require.True(t, a.Dead())
		require.Equal(t, []string{w.servers[1].name}, a.LeftOut)
		require.Equal(t, w.servers[0].name, a.Evidence[0].Server)
	})
}

// With a time-out of ten seconds each, waiting for a server anew with each
// credential would keep the rest of a batch from its new values.
func TestAServerThatIsSilentIsNotWaitedForWithEveryCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2, "P0")
		r := w.rotator()
		p := r.Prepare(context.Background(), w.cred)
		w.intents[p.Attempt] = true
		fresh := p.Fresh
		asked := 0
		for n := range maxUnanswered + 4 {
			w.servers[1].down = time.Now().Add(time.Hour)
			before := w.callsTo("ldap2")
			a := r.Apply(context.Background(), w.cred, p.Attempt, fresh)
			fresh = false
			require.False(t, a.Dead())
			require.Equal(t, protocol.ReasonUnreachable, a.Stop.Reason)
			require.Equal(t, "ldap2", a.Stop.Server)
			if w.callsTo("ldap2") > before {
				asked++
				require.Less(t, n, maxUnanswered)
			}
		}
		require.Equal(t, maxUnanswered, asked)
		w.servers[1].down = time.Time{}
		w.run(false) // another batch, another look
		w.ended()
		w.kept(t, "silent")
	})
}

// callsTo counts what a server was asked.
func (w *world) callsTo(server string) (n int) {
	for _, s := range w.trace {
		if strings.HasSuffix(s.what, " at "+server) {
			n++
		}
	}
	return n
}
