package rotation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// held is a network that keeps resets, and brings them later.
type held struct {
	meddled
	keeps *bool
	late  *[]func() error
}

func (h held) Set(ctx context.Context, a kind.Account, next, old credential.Secret) error {
	if !*h.keeps {
		return h.meddled.Set(ctx, a, next, old)
	}
	*h.late = append(*h.late, func() error { return h.meddled.Set(context.WithoutCancel(ctx), a, next, old) })
	return &protocol.Stop{Reason: protocol.ReasonUnreachable, Server: h.Servers()[0], Detail: "no answer within 10s"}
}

// ended is a Vault in which the campaign before has ended.
type ended struct{ *shelf }

func (ended) CampaignReleased(context.Context, string) (bool, time.Time, error) {
	return true, time.Time{}, nil
}

// A reset that the network delivers late must not bring back a value that lies
// nowhere any more.
func TestAResetWithoutAnAnswerKeepsItsValueWhileItMayStillArrive(t *testing.T) {
	t.Parallel()
	for name, arrives := range map[string]bool{"it arrives": true, "it never arrives": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{})
			c := r.credential(0)
			keeps, late, now := true, []func() error{}, time.Now()
			step := func(campaign string) Applied {
				rot := r.rotator()
				rot.Authority = held{rot.Authority.(meddled), &keeps, &late}
				rot.Store, rot.Campaign, rot.Now = ended{r.store}, campaign, func() time.Time { return now }
				p := rot.Prepare(t.Context(), c)
				if p.Stop != nil {
					return Applied{Applied: wire.Applied{Stop: p.Stop, Step: p.Step}}
				}
				a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
				if a.Dead() {
					_, err := rot.Clean(t.Context(), c, a.ToClean())
					require.NoError(t, err)
				}
				return a
			}
			a := step(us)
			require.Equal(t, protocol.ReasonUnreachable, a.Stop.Reason)
			sent := r.store.staged[c.ID]
			require.False(t, sent.Late.IsZero())
			keeps = false

			// The next campaign comes at once.
			b := step("esg-01/next")
			require.Equal(t, protocol.ReasonUnreachable, b.Stop.Reason)
			require.Contains(t, b.Stop.Detail, "may still arrive")
			require.WithinDuration(t, now.Add(ownmount.LateFor), b.Stop.Until, 2*time.Second)
			require.True(t, r.store.staged[c.ID].Secret.Equal(sent.Secret), "it is kept")
			if arrives {
				require.NoError(t, late[0]())
			}
			now = now.Add(ownmount.LateFor + time.Second)
			for range 3 {
				if b = step("esg-01/next"); b.Dead() {
					break
				}
			}
			require.True(t, b.Dead(), "%+v", b.Stop)
			live := r.store.live[c.Paths[0].String()].Value
			require.True(t, r.logsIn(r.slapd, c.Name, live.Reveal()))
			require.False(t, r.logsIn(r.slapd, c.Name, sent.Secret.Reveal()))
			require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
		})
	}
}

// once is a network that keeps the first reset and brings it later, of which it
// says nothing, or that there was no answer.
type once struct {
	meddled
	kept    *bool
	late    *func() error
	answers error
	retires bool // the first one of Retire, which resets once more
}

func (o once) Set(ctx context.Context, a kind.Account, next, old credential.Secret) error {
	if o.retires || *o.kept {
		return o.meddled.Set(ctx, a, next, old)
	}
	*o.kept, *o.late = true, func() error { return o.meddled.Set(context.WithoutCancel(ctx), a, next, old) }
	return o.answers
}

func (o once) Retire(ctx context.Context, a kind.Account, next credential.Secret) (string, []credential.Finding, error) {
	again := func() error {
		return o.meddled.Set(context.WithoutCancel(ctx), a, next, credential.Secret{})
	}
	switch {
	case !o.retires:
		return o.meddled.Retire(ctx, a, next)
	case *o.kept:
		return "", nil, again()
	}
	*o.kept, *o.late = true, again
	return "", nil, kind.Unanswered{Err: o.answers}
}

// What was sent is sent again, and that arrives: dead, and clean. What the
// first one sets would lie nowhere once the next campaign has set its own.
func TestAResetThatWasSentAgainMayStillArriveAfterTheProof(t *testing.T) {
	t.Parallel()
	silent := errors.New("no answer within 10s")
	stop := &protocol.Stop{Reason: protocol.ReasonUnreachable, Detail: "no answer within 10s"}
	for name, row := range map[string]once{
		"again in the same Apply":    {answers: silent},
		"again in the next pass":     {answers: stop},
		"that of Retire, same Apply": {answers: silent, retires: true},
		"that of Retire, next pass":  {answers: stop, retires: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{})
			c := r.credential(0)
			late, now := func() error { return nil }, time.Now()
			row.kept, row.late = new(bool), &late
			step := func(campaign string) (a Applied) {
				rot := r.rotator()
				row.meddled = rot.Authority.(meddled)
				rot.Authority, rot.Store, rot.Campaign, rot.Now = row, ended{r.store}, campaign, func() time.Time { return now }
				for range 4 {
					now = now.Add(time.Second)
					p := rot.Prepare(t.Context(), c)
					if p.Stop != nil {
						return Applied{Applied: wire.Applied{Stop: p.Stop, Step: p.Step}}
					}
					if a = rot.Apply(t.Context(), c, p.Attempt, p.Fresh); a.Dead() {
						_, err := rot.Clean(t.Context(), c, a.ToClean())
						require.NoError(t, err)
						break
					}
				}
				return a
			}
			a := step(us)
			require.True(t, a.Dead(), "%+v", a.Stop)
			require.True(t, a.Late)
			_, found, err := r.store.ReadStaged(t.Context(), c.ID)
			require.NoError(t, err)
			require.False(t, found)
			require.True(t, r.store.staged[c.ID].Secret.IsZero(), "the value is not kept, only that it may arrive")

			for _, campaign := range []string{"esg-01/next", us} {
				b := step(campaign)
				require.False(t, b.Dead(), campaign)
				require.Contains(t, b.Stop.Detail, "may still arrive")
			}
			require.NoError(t, late())
			require.True(t, r.logsIn(r.slapd, c.Name, r.store.live[c.Paths[0].String()].Value.Reveal()))
			now = now.Add(ownmount.LateFor)
			b := step("esg-01/next")
			require.True(t, b.Dead(), "%+v", b.Stop)
			require.False(t, b.Late)
			require.NotContains(t, r.store.staged, c.ID)
			require.True(t, r.logsIn(r.slapd, c.Name, r.store.live[c.Paths[0].String()].Value.Reveal()))
		})
	}
}

// An answer that was lost, of a reset that was made, holds nobody up.
func TestAResetThatWasSeenToHaveArrivedHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	c := r.credential(0)
	rot := r.rotator()
	lost := false
	rot.Authority = lostAnswer{rot.Authority.(meddled), &lost}
	p := rot.Prepare(t.Context(), c)
	require.Nil(t, p.Stop)
	a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
	require.True(t, a.Dead(), "%+v", a.Stop)
	require.True(t, lost)
	require.False(t, a.Late)
}

// lostAnswer makes the first reset and loses what the server said to it.
type lostAnswer struct {
	meddled
	lost *bool
}

func (l lostAnswer) Set(ctx context.Context, a kind.Account, next, old credential.Secret) error {
	err := l.meddled.Set(ctx, a, next, old)
	if err == nil && !*l.lost {
		*l.lost = true
		return errors.New("the connection broke")
	}
	return err
}

func TestAResetIsNotSentOnWhatWasSeenBeforeTheMachineStoodStill(t *testing.T) {
	require.False(t, stoodStill(time.Second, time.Second))
	require.False(t, stoodStill(-time.Hour, time.Second), "a clock that was set back")
	require.True(t, stoodStill(time.Hour, time.Second))
}

// A value that was in force before Retire sent it again shows nothing of that.
func TestOnlyASetThatIsAloneIsSeenToHaveArrived(t *testing.T) {
	silent := errors.New("no answer")
	var u unanswered
	u.send(time.Now(), silent)
	u.arrived(ownmount.Staged{})
	require.Zero(t, u.n)
	for name, u := range map[string]unanswered{"sent twice": {n: 2}, "another was answered, or it was in force": {n: 1, answered: true}} {
		u.arrived(ownmount.Staged{})
		require.NotZero(t, u.n, name)
	}
	u = unanswered{n: 1}
	u.arrived(ownmount.Staged{Late: time.Now()})
	require.NotZero(t, u.n, "an earlier pass sent it too")
}

// Whoever is killed right after a reset was sent marks nothing. Who goes on
// does, unless it sees that the reset has arrived.
func TestWhatAKilledProcessSentMayStillArriveAfterTheProof(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ arrived, later bool }{
		"the reset is on its way": {false, false}, "the reset was made": {true, false},
		"the activity gave up, and the next pass goes on": {false, true}, "it gave up, and the reset was made": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, arrived := newReal(t, lab.SlapdOptions{}), row.arrived
			c := r.credential(0)
			late, now := func() error { return nil }, time.Now()
			o := once{kept: new(bool), late: &late}
			rotator := func(campaign string) *Rotator {
				rot := r.rotator()
				o.meddled = rot.Authority.(meddled)
				rot.Authority, rot.Store, rot.Campaign, rot.Now = o, ended{r.store}, campaign, func() time.Time { return now }
				return rot
			}
			first := rotator(us)
			p := first.Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			first.Authority = dies{first.Authority.(once)}
			require.PanicsWithValue(t, "killed", func() { first.Apply(t.Context(), c, p.Attempt, p.Fresh) })
			require.True(t, r.store.staged[c.ID].Late.IsZero(), "nobody could mark it")
			if arrived {
				require.NoError(t, late())
			}

			now = now.Add(time.Second)
			again := rotator(us)
			if again.Retried = !row.later; row.later {
				again.Unheard = map[string]bool{c.ID: true}
				p = again.Prepare(t.Context(), c)
				require.Nil(t, p.Stop)
				require.False(t, p.Fresh)
			}
			a := again.Apply(t.Context(), c, p.Attempt, false)
			require.True(t, a.Dead(), "%+v", a.Stop)
			require.Equal(t, !arrived, a.Late)
			_, err := again.Clean(t.Context(), c, a.ToClean())
			require.NoError(t, err)

			next := rotator("esg-01/next").Prepare(t.Context(), c)
			if arrived {
				require.Nil(t, next.Stop, "what was seen to arrive holds nobody up")
				return
			}
			require.NotNil(t, next.Stop)
			require.Contains(t, next.Stop.Detail, "may still arrive")
			require.NoError(t, late())
			require.True(t, r.logsIn(r.slapd, c.Name, r.store.live[c.Paths[0].String()].Value.Reveal()))
		})
	}
}

// dies is a process that is killed when it has sent a reset.
type dies struct{ once }

func (d dies) Set(ctx context.Context, a kind.Account, next, old credential.Secret) error {
	_ = d.once.Set(ctx, a, next, old)
	panic("killed")
}

// Two workers' clocks may be apart by more than a reset may be late. Vault's
// says when it was noted that one was sent, and what time it is.
func TestWhetherAResetMayStillArriveGoesByVaultsClock(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	c := r.credential(0)
	vaults := time.Now()
	r.store.clock = func() time.Time { return vaults }
	keeps, late := true, []func() error{}
	step := func(campaign string, own time.Time) *protocol.Stop {
		rot := r.rotator()
		rot.Authority = held{rot.Authority.(meddled), &keeps, &late}
		rot.Store, rot.Campaign, rot.Now = ended{r.store}, campaign, func() time.Time { return own }
		p := rot.Prepare(t.Context(), c)
		if p.Stop != nil {
			return p.Stop
		}
		return rot.Apply(t.Context(), c, p.Attempt, p.Fresh).Stop
	}
	behind, ahead := vaults.Add(-time.Hour), vaults.Add(time.Hour)
	require.Equal(t, protocol.ReasonUnreachable, step(us, behind).Reason)
	sent := r.store.staged[c.ID]
	require.False(t, sent.Late.IsZero())
	keeps = false

	vaults = vaults.Add(time.Minute)
	got := step("esg-01/next", ahead)
	require.NotNil(t, got, "another value is in force, and the first may still arrive")
	require.Contains(t, got.Detail, "may still arrive")
	require.WithinDuration(t, ahead.Add(ownmount.LateFor-time.Minute), got.Until, 2*time.Second, "by the clock of who waits")
	require.True(t, r.store.staged[c.ID].Secret.Equal(sent.Secret), "it is kept")

	vaults = vaults.Add(time.Minute)
	if got = step("esg-01/next", ahead); got != nil {
		require.NotContains(t, got.Detail, "may still arrive")
	}
	require.False(t, r.store.staged[c.ID].Secret.Equal(sent.Secret))
}
