package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// A door that was away may keep what was stolen; a server that was away gets
// what the directory has by now.
func TestWhatWasProvedWithoutADoorIsNotedApartFromWhatLackedAServerAlone(t *testing.T) {
	w := reachableWith(t, func(w *reachable) {
		w.roll.Credentials[3].Doors = []credential.DoorLogin{{Door: "vpn", Login: "mta"}}
	})
	in := wire.CleanInput{Batch: w.accounts, Items: []wire.CleanItem{{Index: 2}, {Index: 3}}}
	in.Batch.LeftOut, in.Batch.DoorsLeftOut = []string{"ldap2"}, []string{"vpn"}
	require.NoError(t, w.rotation.noteDead(t.Context(), in, w.roll.Credentials, wire.Cleaned{}))
	last, err := w.store.LastRoll(t.Context(), "esg-01", "next")
	require.NoError(t, err)
	require.Equal(t, map[string]bool{w.roll.Credentials[3].ID: true}, last.OnSome)
	require.Empty(t, last.Dead, "neither is done with")
	st, _, err := w.store.StandingOf(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, 2, st.Dead)
}
