package activities

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// tried is a pass in which what Prepare keeps open is not applied.
func (w *reachable) tried(items ...int) map[int]*protocol.Stop {
	return w.triedBy(w.rotation, w.logins, items...)
}

func (w *reachable) triedBy(by *Rotation, batch wire.Batch, items ...int) map[int]*protocol.Stop {
	was := w.rotation
	w.rotation = by
	defer func() { w.rotation = was }()
	out := map[int]*protocol.Stop{}
	var prepared []wire.PreparedItem
	w.call("Prepare", wire.PrepareInput{Batch: batch, Pass: 1, Items: items}, &prepared)
	var in []wire.ApplyItem
	for _, p := range prepared {
		if out[p.Index] = p.Stop; p.Stop == nil {
			in = append(in, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
		}
	}
	if w.between != nil {
		w.between()
	}
	if len(in) > 0 {
		var done []wire.AppliedItem
		w.call("Apply", wire.ApplyInput{Batch: batch, Items: in}, &done)
		for _, d := range done {
			if out[d.Index] = d.Stop; d.Stop != nil {
				d.Stop.Detail = string(d.Step) + ": " + d.Stop.Detail
			}
		}
	}
	return out
}

// Retired, its new value could not be written as long as the other one is
// open, and its consumer would have no login.
func TestALoginIsNotSetBeforeAnotherOneThatTurnsOutToStayOpen(t *testing.T) {
	for name, between := range map[string]bool{"before it is staged": false, "before it is set": true} {
		t.Run(name, func(t *testing.T) {
			w := newReachable(t)
			held := func() {
				w.write("kv/data/apps/esg-01/esg-01-b", map[string]any{"data": map[string]any{"secret_id": "stolen-esg-01-b", "copy": "stolen-esg-01-b"}})
			}
			if !between {
				held()
			} else {
				w.between = func() { held(); w.restart() }
			}
			for range 2 {
				got := w.tried(0, 1)
				require.NotNil(t, got[1])
				require.Equal(t, protocol.ReasonCopyBeside, got[1].Reason, got[1].Detail)
				require.Equal(t, protocol.ReasonWithinReach, got[0].Reason, got[0].Detail)
				require.Contains(t, got[0].Detail, string(protocol.Intent)+": ")
				require.True(t, w.good("esg-01-a"), "nothing was set, and nothing retired")
			}
			w.write("kv/data/apps/esg-01/esg-01-b", map[string]any{"data": map[string]any{"secret_id": "stolen-esg-01-b"}})
			w.between = nil
			w.eachDies(0, 1)
		})
	}
}

// One that can be asked is not staged where another one cannot be; that one is
// set first, if the first could be set then.
func TestALoginThatCannotBeAskedIsNotSetBeforeOneThatWaitsForItAndTurnsOutToStayOpen(t *testing.T) {
	w := vaultUsers(t, map[string]any{"password": "stolen-y", "token_policies": "reads-esg-01"})
	w.write("kv/data/apps/esg-01/user-y", map[string]any{"data": map[string]any{"password": "stolen-y", "copy": "stolen-y"}})
	for range 2 {
		got := w.tried(0, 1)
		require.Equal(t, protocol.ReasonCopyBeside, got[1].Reason, got[1].Detail)
		require.Equal(t, protocol.ReasonWithinReach, got[0].Reason, got[0].Detail)
		require.True(t, w.letsIn("x", "stolen-x"), "nothing was set")
	}
	w.write("kv/data/apps/esg-01/user-y", map[string]any{"data": map[string]any{"password": "stolen-y"}})
	dead := map[int]bool{}
	for range 4 {
		for i, stop := range w.tried(without(dead, 0, 1)...) {
			if stop == nil {
				dead[i] = true
			}
		}
	}
	require.Len(t, dead, 2)
}

// The campaign of another device has it in hand: this one cannot set it,
// however it looks.
func TestALoginIsNotSetBeforeAnotherOneThatAnotherCampaignHasInHand(t *testing.T) {
	w := vaultUsers(t, map[string]any{"password": "stolen-y", "token_policies": "reads-esg-01"})
	ctx, y := t.Context(), w.roll.Credentials[1]
	spec, err := w.rotation.spec(ctx, "c")
	require.NoError(t, err)
	data, err := json.Marshal(spec)
	require.NoError(t, err)
	require.NoError(t, Open(ctx, w.store, ownmount.CampaignRecord{Campaign: "d", Device: "esg-02"}, data))
	_, created, err := w.store.Stage(ctx, y.ID, ownmount.Staged{Secret: credential.NewSecret("of-the-other"), Campaign: "d", Attempt: 1, CreatedAt: time.Now()})
	require.NoError(t, err)
	require.True(t, created)
	for range 2 {
		got := w.tried(0, 1)
		require.Equal(t, protocol.ReasonOtherOwner, got[1].Reason, got[1].Detail)
		require.Equal(t, protocol.ReasonWithinReach, got[0].Reason, got[0].Detail)
		require.True(t, w.letsIn("x", "stolen-x"), "nothing was set")
	}

	// Another campaign's word that it is about to set one stays, for what this
	// one has not in hand.
	require.NoError(t, w.store.NoteBeforeSet(ctx, y.ID, ownmount.BeforeSet{Campaign: "d", Awaits: []string{"its own"}}))
	of, err := w.rotation.reachOf(ctx, w.logins, w.roll.Credentials[:2], false)
	require.NoError(t, err)
	require.NoError(t, of.StandAside(ctx, y))
	note, err := w.store.ReadBeforeSet(ctx, y.ID)
	require.NoError(t, err)
	require.Equal(t, "d", note.Campaign)
}

// A worker that stops, or whose directory is silent, does not look at what it
// noted before.
func TestALoginThatIsNotLookedAtIsNotTakenForAboutToBeSet(t *testing.T) {
	w := newReachable(t)
	noted := func(i int) bool {
		b, err := w.store.ReadBeforeSet(t.Context(), w.roll.Credentials[i].ID)
		require.NoError(t, err)
		return b.Campaign != ""
	}
	stop := make(chan struct{})
	close(stop)
	for _, in := range []any{
		wire.PrepareInput{Batch: w.logins, Pass: 2, Items: []int{0}},
		wire.ApplyInput{Batch: w.logins, Items: []wire.ApplyItem{{Index: 0, Attempt: 1}}},
	} {
		got := w.tried(0)
		require.Equal(t, protocol.ReasonWithinReach, got[0].Reason, got[0].Detail)
		require.True(t, noted(0))
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(w.rotation)
		env.SetWorkerStopChannel(stop)
		name := "Prepare"
		if _, apply := in.(wire.ApplyInput); apply {
			name = "Apply"
		}
		_, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		require.False(t, noted(0), name)
	}
}

func without(dead map[int]bool, items ...int) (left []int) {
	for _, i := range items {
		if !dead[i] {
			left = append(left, i)
		}
	}
	return left
}

// One that only reads goes first: nothing is left to chance where no circle is.
func TestALoginWaitsUntilAnotherOneThatDoesNotWaitForItIsClosed(t *testing.T) {
	w := newReachable(t, map[string]any{"token_policies": "default"})
	got := w.tried(0)
	require.Equal(t, protocol.ReasonWithinReach, got[0].Reason, got[0].Detail)
	require.True(t, w.good("esg-01-a"), "the other one was not looked at")
	got = w.tried(0, 1)
	require.Nil(t, got[0], "%+v", got[0])
	require.Nil(t, got[1], "%+v", got[1])
}

// Two workers have a login each, and know of each other what Vault knows.
func TestLoginsOfTwoWorkersThatReadEachOthersPlaces(t *testing.T) {
	w := vaultUsers(t, nil)
	one := w.rotation
	w.restart()
	two := w.rotation
	first, second := w.logins, w.logins
	first.Span, second.Span = credential.Span{To: 1}, credential.Span{From: 1, To: 2}

	// The one of the first worker stands before Set; then it is held open.
	got := w.triedBy(one, first, 0)
	require.Equal(t, protocol.ReasonWithinReach, got[0].Reason, got[0].Detail)
	require.True(t, w.letsIn("x", "stolen-x"))
	w.write("auth/userpass/users/x", map[string]any{"token_bound_cidrs": "192.0.2.77/32"})
	got = w.triedBy(one, first, 0)
	require.NotEqual(t, protocol.ReasonWithinReach, got[0].Reason, got[0].Detail)
	got = w.triedBy(two, second, 1)
	require.Equal(t, protocol.ReasonWithinReach, got[1].Reason, got[1].Detail)
	require.True(t, w.letsIn("y", "stolen-y"), "the other one is not about to be set any more")

	// What the first worker found last is in Vault, whichever worker it is.
	w.write("auth/userpass/users/x", map[string]any{"token_bound_cidrs": ""})
	dead := map[int]bool{}
	for range 4 {
		for i, batch := range []wire.Batch{first, second} {
			if by := []*Rotation{one, two}[i]; !dead[i] && w.triedBy(by, batch, i)[i] == nil {
				dead[i] = true
			}
		}
	}
	require.Len(t, dead, 2)
}

// An abort comes between: the passes are over, and the one that was set first
// waits for the other one. Both are tried once more then, in batches of their
// own (workflows/circle.go).
func TestOfLoginsThatReadEachOthersPlacesEachSaysForWhichItWaits(t *testing.T) {
	w := newReachable(t)
	first, second := w.logins, w.logins
	first.Span, second.Span = credential.Span{To: 1}, credential.Span{From: 1, To: 2}
	a := w.triedBy(w.rotation, first, 0)[0]
	require.Equal(t, protocol.ReasonWithinReach, a.Reason, a.Detail)
	require.Contains(t, a.Detail, string(protocol.Intent)+": ")
	require.Equal(t, credential.Refs{{Index: 1}}, a.Awaits)
	require.True(t, w.good("esg-01-a"))
	b := w.triedBy(w.rotation, second, 1)[1]
	require.Equal(t, protocol.ReasonWithinReach, b.Reason, b.Detail)
	require.Contains(t, b.Detail, string(protocol.Activate)+": ")
	require.Equal(t, credential.Refs{{Index: 0}}, b.Awaits)
	require.False(t, w.good("esg-01-b"), "its consumers are cut off")

	w.restart()
	require.NotNil(t, w.triedBy(w.rotation, second, 1)[1], "and stay so while only what is half done is tried")
	require.Nil(t, w.triedBy(w.rotation, first, 0)[0])
	require.Nil(t, w.triedBy(w.rotation, second, 1)[1])
}

// The one that was set first is looked at again in the same batch, to be
// activated: when it was set only the first look knows.
func TestOfLoginsThatReadEachOthersPlacesItIsSaidWhenEachWasSet(t *testing.T) {
	w := newReachable(t)
	for _, a := range w.pass(0, 1) {
		require.True(t, a.Dead(), "%+v", a.Stop)
		require.False(t, a.SetAt.IsZero(), "%d", a.Index)
	}
}
