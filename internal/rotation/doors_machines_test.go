package rotation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// A balancer stands before mail servers of which one remembers the stolen
// value. Whichever of them the first login meets, and however many of the
// others have their turn before it: what is called dead no machine takes.
func TestTheFirstLookMeetsEachMachineBehindABalancer(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 2}})
	machine := func(cache time.Duration) *lab.Dovecot {
		m, err := lab.StartDovecot(t.Context(), lab.DovecotOptions{Dir: t.TempDir(), CA: r.ca, Directory: r.slapd, Cache: cache, AtOnce: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = m.Stop(r.Context()) })
		return m
	}
	plain, keeps := machine(0).Address("imaps"), machine(time.Hour).Address("imaps")
	for n, row := range [][]string{{plain, keeps}, {keeps, plain}, {plain, plain, plain, keeps}, {plain, plain, keeps, plain}, {plain, keeps, plain, plain}, {keeps, plain, plain, plain}} {
		b, err := lab.StartBalancer("127.0.0.1:0", row...)
		require.NoError(t, err)
		t.Cleanup(b.Close)
		at := func(address string) door.Settings {
			return door.Settings{Type: "imaps", Address: address, TLS: door.Implicit, CA: string(r.ca.PEM), Login: "{account}", Timeout: 30 * time.Second}
		}
		open := r.at(map[string]door.Settings{"mail": at(b.Addr()), "keeps": at(keeps)})
		c := r.credential(n)
		c.Doors = []credential.DoorLogin{{Door: "mail", Login: r.accounts[n].UID}}
		stolen := credential.NewSecret(r.accounts[n].Password)
		asks := func() protocol.Reply {
			d, err := open("keeps")
			require.NoError(t, err)
			return d.Ask(t.Context(), r.accounts[n].UID, stolen).Reply
		}
		require.Equal(t, protocol.Accepted, asks(), "it is remembered")
		got := r.runAtDoors([]credential.Credential{c}, &Refusals{}, open)[0]
		require.True(t, got.Dead() || got.Stop.Reason == protocol.ReasonDoorTakesOld, "%+v", got.Stop)
		if asks() == protocol.Accepted {
			require.False(t, got.Dead(), "the machine with turn %v of %d takes the stolen value", n, len(row))
		}
		require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
	}
}
