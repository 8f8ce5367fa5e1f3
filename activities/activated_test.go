package activities

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Two devices know one account, each by a path of its own, and their campaigns
// run at once. What the first has activated must not be undone for its
// consumers by the second.
func TestWhatAnotherCampaignActivatedAtAPathThatIsNotOnTheRollIsLeftAsItIs(t *testing.T) {
	s := newSafe(t)
	s.role("shared", "stolen")
	mail, vpn := approle("shared", "apps/mail"), approle("shared", "apps/vpn")
	both := mail
	both.Paths = append([]credential.Path{}, mail.Paths[0], vpn.Paths[0])
	for _, p := range both.Paths {
		_, err := s.store.Activate(s.ctx, p, vault.Live{}, credential.NewSecret("stolen"), "")
		require.NoError(t, err)
	}
	first, second := s.batch("first", "esg-01", mail), s.batch("second", "esg-02", vpn)
	prepare := func(b wire.Batch) wire.PreparedItem {
		var out []wire.PreparedItem
		require.NoError(t, s.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0}}, &out))
		return out[0]
	}
	p := prepare(first)
	require.Nil(t, p.Stop)
	var applied []wire.AppliedItem
	require.NoError(t, s.call("Apply", wire.ApplyInput{Batch: first, Items: []wire.ApplyItem{{Attempt: p.Attempt, Fresh: p.Fresh}}}, &applied))
	require.True(t, applied[0].Dead(), "%v", applied[0].Stop)
	require.Equal(t, protocol.ReasonOtherOwner, prepare(second).Stop.Reason, "until it is cleaned it is the first one's")
	require.NoError(t, s.store.Unstage(s.ctx, mail.ID, "first", p.Attempt))

	stopped := prepare(second)
	require.Equal(t, protocol.ReasonMorePaths, stopped.Stop.Reason)
	require.True(t, stopped.Stop.Reason.Final(), "the next campaign lists that path")
	_, found, err := s.store.ReadStaged(s.ctx, vpn.ID)
	require.NoError(t, err)
	require.False(t, found, "a value that nobody has seen is not left behind")
	now, err := s.store.ReadLive(s.ctx, mail.Paths[0], 0)
	require.NoError(t, err)
	require.Equal(t, 2, now.Version)

	placed, err := s.store.ActivatedPlaces(s.ctx, []string{mail.ID})
	require.NoError(t, err)
	require.Equal(t, mail.Paths, placed[mail.ID])
	require.Nil(t, prepare(s.batch("third", "esg-02", both)).Stop, "which has both")
}

// A process that dies between activation and the end of its batch has not noted
// where it put the value. What it staged is left, and tells whoever takes it
// over.
func TestWhereACampaignActivatedThatGaveUpHalfWayIsFoundByTheNext(t *testing.T) {
	o := newOutage(t, 1)
	first := o.campaign("esg-01-1", o.vault.RootToken().Reveal(), 0, 1)
	store, c := first.rotation.Store, first.credentials[0]
	batch := func(name string, paths ...credential.Path) (wire.Batch, credential.Credential) {
		spec, err := json.Marshal(o.spec)
		require.NoError(t, err)
		require.NoError(t, Open(t.Context(), store, ownmount.CampaignRecord{Campaign: name, Device: "esg-01"}, spec))
		listed := c
		listed.Paths = paths
		index, err := store.WriteRoll(t.Context(), &credential.Roll{Campaign: name, Device: "esg-01", Credentials: []credential.Credential{listed}})
		require.NoError(t, err)
		return wire.Batch{Campaign: name, Snapshot: index.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 1, Span: credential.Span{To: 1}}, listed
	}
	prepare := func(b wire.Batch) wire.PreparedItem {
		var out []wire.PreparedItem
		first.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0}}, &out)
		return out[0]
	}
	b := first.batches[1]
	require.Nil(t, prepare(b).Stop)
	staged, found, err := store.ReadStaged(t.Context(), c.ID)
	require.NoError(t, err)
	require.True(t, found)
	live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
	require.NoError(t, err)
	_, err = store.Activate(t.Context(), c.Paths[0], live, staged.Secret, "")
	require.NoError(t, err)
	require.NoError(t, store.CloseCampaign(t.Context(), "esg-01-1"))

	other, _ := batch("esg-01-2", credential.Path{Mount: "kv", Path: "apps/other", Field: "password"})
	_, err = o.admin.Logical().Write("kv/data/apps/other", map[string]any{"data": map[string]any{"password": "stale"}})
	require.NoError(t, err)
	stopped := prepare(other)
	require.NotNil(t, stopped.Stop)
	require.Equal(t, protocol.ReasonMorePaths, stopped.Stop.Reason)
	require.NotContains(t, stopped.Stop.Detail, c.Paths[0].Path)
	places, err := store.ActivatedPlaces(t.Context(), []string{c.ID})
	require.NoError(t, err)
	require.Equal(t, []credential.Path{c.Paths[0]}, places[c.ID], "the next listing adds it")
	require.NoError(t, store.CloseCampaign(t.Context(), "esg-01-2"))

	both, _ := batch("esg-01-3", c.Paths[0], credential.Path{Mount: "kv", Path: "apps/other", Field: "password"})
	require.Nil(t, prepare(both).Stop)
}

// The same, where the other device's campaign ended in the middle: what it left
// staged may be in force, and what its consumers read is not on this roll.
func TestAValueThatAnotherCampaignLeftStagedIsNotTakenOverWithoutItsPaths(t *testing.T) {
	s := newSafe(t)
	s.role("shared", "stolen")
	mail, vpn := approle("shared", "apps/mail"), approle("shared", "apps/vpn")
	for _, p := range []credential.Path{mail.Paths[0], vpn.Paths[0]} {
		_, err := s.store.Activate(s.ctx, p, vault.Live{}, credential.NewSecret("stolen"), "")
		require.NoError(t, err)
	}
	first, second := s.batch("first", "esg-01", mail), s.batch("second", "esg-02", vpn)
	prepare := func(b wire.Batch) wire.PreparedItem {
		var out []wire.PreparedItem
		require.NoError(t, s.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0}}, &out))
		return out[0]
	}
	require.Nil(t, prepare(first).Stop)
	require.NoError(t, s.store.CloseCampaign(s.ctx, "first"))
	before, _, err := s.store.ReadStaged(s.ctx, mail.ID)
	require.NoError(t, err)

	stopped := prepare(second)
	require.NotNil(t, stopped.Stop)
	require.Equal(t, protocol.ReasonMorePaths, stopped.Stop.Reason)
	after, found, err := s.store.ReadStaged(s.ctx, mail.ID)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, before, after, "the entry is as the first one left it")

	both := vpn
	both.Paths = []credential.Path{mail.Paths[0], vpn.Paths[0]}
	require.Nil(t, prepare(s.batch("third", "esg-02", both)).Stop, "which has both")
}
