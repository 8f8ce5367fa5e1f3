package rotation

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/gate"
)

// A mount that is made anew as KV version 1 takes what is sent to version 2 as
// a secret of its own. Whenever in a campaign that happens, no new value lies
// there: the one that was set in that moment waits in staging until the mount
// is in order, and no other is set.
func TestAMountThatIsMadeAnewInTheMiddleOfACampaignGetsNoNewValue(t *testing.T) {
	r := newReal(t, lab.SlapdOptions{})
	v := startRealVault(t, "team")
	remake := func(version string) {
		require.NoError(t, v.sys.UnmountWithContext(t.Context(), "team"))
		require.NoError(t, v.sys.MountWithContext(t.Context(), "team", &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": version}}))
	}
	empty := func() {
		left, err := v.api.ListWithContext(t.Context(), "team")
		require.NoError(t, err)
		require.Nil(t, left, "nothing lies there")
	}
	g := gate.NewGate(v.store)
	var rots [2]*Rotator
	var cs [2]credential.Credential
	var prepared [2]Prepared
	for i := range cs {
		at := v.at("team", "apps/"+r.accounts[i].UID)
		v.puts(at, r.accounts[i].Password)
		cs[i] = r.credential(i)
		cs[i].Paths, cs[i].Named, cs[i].Spare = []credential.Path{at}, []credential.Path{at}, nil
		rots[i] = r.rotator()
		rots[i].Store, rots[i].Gate, rots[i].Slots, rots[i].Listed = v.store, g, 2, time.Now()
		prepared[i] = rots[i].Prepare(t.Context(), cs[i])
		require.Nil(t, prepared[i].Stop)
	}
	remake("1")
	a := rots[0].Apply(t.Context(), cs[0], prepared[0].Attempt, prepared[0].Fresh)
	require.NotNil(t, a.Stop)
	require.Equal(t, protocol.ReasonNotActive, a.Stop.Reason)
	require.Contains(t, a.Stop.Detail, "KV version 2")
	empty()
	staged, found, err := v.store.ReadStaged(t.Context(), cs[0].ID)
	require.NoError(t, err)
	require.True(t, found && r.logsIn(r.slapd, cs[0].Name, staged.Secret.Reveal()), "it waits in staging")

	a = rots[1].Apply(t.Context(), cs[1], prepared[1].Attempt, prepared[1].Fresh)
	require.NotNil(t, a.Stop)
	require.Equal(t, protocol.Intent, a.Step)
	require.True(t, r.logsIn(r.slapd, cs[1].Name, r.accounts[1].Password), "nothing was set: %v", a.Stop)
	empty()

	remake("2")
	for i := range cs {
		require.Eventually(t, func() bool {
			rots[i] = r.rotator()
			rots[i].Store, rots[i].Gate, rots[i].Slots = v.store, g, 2
			if i == 1 {
				v.puts(cs[i].Paths[0], r.accounts[i].Password)
			}
			p := rots[i].Prepare(t.Context(), cs[i])
			if p.Stop == nil {
				a = rots[i].Apply(t.Context(), cs[i], p.Attempt, p.Fresh)
			}
			return p.Stop == nil && a.Dead()
		}, 2*time.Minute, 20*time.Millisecond, "%v", a.Stop)
		require.True(t, r.logsIn(r.slapd, cs[i].Name, v.gets(cs[i].Paths[0])))
	}
}
