package ldappassword

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// A consumer counts wrong passwords for itself, or adds them to what its
// supplier has counted: a proof of each server then comes to two before the
// good login, and no further.
func TestOn389DirectoryServerProofAfterProofLocksNobodyUnderAThresholdOfThree(t *testing.T) {
	for name, global := range map[string]bool{"each server counts for itself": false, "the consumer takes its supplier's count": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld389(t, lab.DS389Policy{MaxFailure: 3, LockoutDuration: time.Hour, Global: global}, 1, true)
			a := w.open(t, w.conf())
			c, old := w.credential(t)
			acc, next := account(t, a, c), fresh(t, a)
			require.NoError(t, a.Set(t.Context(), acc, next, old))
			require.NoError(t, w.consumer.AwaitReplication(t.Context()))
			for range 8 {
				for i, server := range a.Servers() {
					if i > 0 { // a proof asks a replica for the new value first
						require.Equal(t, protocol.Accepted, try(t, a, server, acc, next))
					}
					require.Equal(t, protocol.Refused, try(t, a, server, acc, old))
					require.Equal(t, protocol.Accepted, try(t, a, server, acc, next))
				}
			}
			for _, s := range []*lab.DS389{w.supplier, w.consumer} {
				require.Empty(t, w.attr(t, s, c.Name, "accountUnlockTime"), "it was locked at %s", s.LDAPS())
				shown, err := a.Account(t.Context(), s.LDAPS(), c)
				require.NoError(t, err)
				require.Equal(t, protocol.Accepted, shown.State)
			}
		})
	}
}
