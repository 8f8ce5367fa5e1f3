package rotation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// braked is a directory with so many connections, at which new values work or
// do not.
type braked struct {
	brake *Brake
	works func(id int) bool
	mu    sync.Mutex
	cut   map[int]bool // set, and not seen to work
	done  map[int]bool
	most  int
	held  int
}

func newBraked(works func(int) bool) *braked {
	return &braked{brake: NewBrake(), works: works, cut: map[int]bool{}, done: map[int]bool{}}
}

// pass begins with those that are set, as a wave does.
func (b *braked) pass(ctx context.Context, n, slots int) {
	var order []int
	for _, first := range []bool{true, false} {
		for i := range n {
			if !b.done[i] && b.cut[i] == first {
				order = append(order, i)
			}
		}
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range slots {
		workers.Go(func() {
			for i := range next {
				b.one(ctx, i)
			}
		})
	}
	for _, i := range order {
		next <- i
	}
	close(next)
	workers.Wait()
}

func (b *braked) one(ctx context.Context, i int) {
	id := fmt.Sprint(i)
	if stop := b.brake.enter(ctx, id, false); stop != nil {
		b.mu.Lock()
		b.held++
		b.mu.Unlock()
		return
	}
	defer b.brake.leave(id)
	b.mu.Lock()
	b.cut[i] = true
	b.most = max(b.most, len(b.cut))
	b.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	if !b.works(i) {
		b.brake.verified(id, &protocol.Stop{Reason: protocol.ReasonNewRefused, Detail: "refused"}, true)
		return
	}
	b.brake.verified(id, nil, false)
	b.mu.Lock()
	delete(b.cut, i)
	b.done[i] = true
	b.mu.Unlock()
}

func TestWhereNoValueWorksOneIsSetHoweverManyPasses(t *testing.T) {
	for slots := 1; slots <= 8; slots++ {
		synctest.Test(t, func(t *testing.T) {
			mended := false
			b := newBraked(func(int) bool { return mended })
			for range 5 {
				b.pass(t.Context(), 30, slots)
			}
			require.Len(t, b.cut, 1, "%d slots", slots)
			mended = true
			b.pass(t.Context(), 30, slots)
			require.Empty(t, b.cut, "the one that was cut off is tried again in each pass")
			// Some may have asked before it was seen to work, and were sent
			// away.
			b.pass(t.Context(), 30, slots)
			require.Len(t, b.done, 30, "%d slots: the rest follows in the next pass at the latest", slots)
		})
	}
}

func TestAnAccountOfItsOwnKindHoldsUpNobodyElse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		slots, odd := rapid.IntRange(1, 8).Draw(r, "slots"), rapid.IntRange(8, 29).Draw(r, "odd")
		synctest.Test(t, func(t *testing.T) {
			b := newBraked(func(i int) bool { return i != odd })
			for range 3 {
				b.pass(t.Context(), 30, slots)
			}
			if len(b.done) != 29 {
				r.Fatalf("%d of 29 are done", len(b.done))
			}
		})
	})
}

func TestWhereValuesCeaseToWorkNoMoreAreSetThanAreUnderWayAndOne(t *testing.T) {
	for slots := 1; slots <= 8; slots++ {
		synctest.Test(t, func(t *testing.T) {
			b := newBraked(func(i int) bool { return i < 10 })
			for range 4 {
				b.pass(t.Context(), 60, slots)
			}
			require.Len(t, b.done, 10)
			require.LessOrEqual(t, len(b.cut), slots+1, "%d slots", slots)
		})
	}
}

func TestInThePlainCaseOnlyTheFirstIsSetAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBraked(func(int) bool { return true })
		b.pass(t.Context(), 41, 4)
		require.Len(t, b.done, 41)
		require.Zero(t, b.held)
		require.Equal(t, 4, b.most)
		require.Equal(t, 110*time.Millisecond, time.Since(began), "ten rounds of four, after one alone")
	})
}

// What is wrong with an account by itself says nothing of others.
func TestALockOrSilenceAfterSetDoesNotBrake(t *testing.T) {
	b := NewBrake()
	for i, r := range []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonLocked, protocol.ReasonDisabled, protocol.ReasonRights} {
		id := fmt.Sprint(i)
		require.Nil(t, b.enter(t.Context(), id, false))
		b.verified(id, &protocol.Stop{Reason: r}, r.WorksNot())
		b.leave(id)
	}
	require.Zero(t, b.state.failed)
}

func TestUnderAPolicyThatHasEachResetChangedOneAccountIsSet(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}})
	policy := "cn=default,ou=policies," + r.slapd.BaseDN()
	r.brakesAt(protocol.ReasonMustChange, func() {
		r.admin(r.slapd, func(conn *ldap.Conn) error {
			req := ldap.NewModifyRequest(policy, nil)
			req.Replace("pwdMustChange", []string{"FALSE"})
			return conn.Modify(req)
		})
		r.admin(r.slapd, func(conn *ldap.Conn) error {
			req := ldap.NewModifyRequest(r.slapd.AccountDN(r.accounts[0].UID), nil)
			req.Delete("pwdReset", nil)
			return conn.Modify(req)
		})
	})
}

// Where the configuration shows which policy is the account's not even one is
// set.
func TestUnderAPolicyThatIsSeenToHaveEachResetChangedNothingIsSet(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}, ShowsConfig: true})
	var cs []credential.Credential
	for n := range r.accounts[:3] {
		cs = append(cs, r.credential(n))
	}
	for i, got := range r.run(cs, nothing) {
		require.Equal(t, protocol.ReasonForced, got.Stop.Reason)
		require.Equal(t, protocol.Precheck, got.Step)
		require.Contains(t, got.Stop.Detail, "nothing was set")
		require.NotContains(t, got.Stop.Detail, "it was not so when it was listed")
		require.True(t, r.logsIn(r.slapd, cs[i].Name, r.accounts[i].Password))
	}
	require.Empty(t, r.store.staged)

	// A person may know better: an identity with write alone would not be held
	// to it.
	cs[0].Accepted = []credential.Problem{credential.ForcedChange}
	require.Equal(t, protocol.ReasonMustChange, r.run(cs[:1], nothing)[0].Stop.Reason)

	r.admin(r.slapd, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest("cn=default,ou=policies,"+r.slapd.BaseDN(), nil)
		req.Replace("pwdMustChange", []string{"FALSE"})
		return conn.Modify(req)
	})
	for _, got := range r.run(cs[1:], nothing) {
		require.True(t, got.Dead(), "%+v", got)
		require.Equal(t, protocol.ProofBind, got.Proof)
	}
}

func TestWhereAccountsMayNotLogInFromHereOneAccountIsSet(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	conf := filepath.Join(filepath.Dir(r.slapd.LogFile()), "slapd.conf")
	text, err := os.ReadFile(conf)
	require.NoError(t, err)
	write := func(rules string) {
		require.NoError(t, os.WriteFile(conf, []byte(rules), 0o600))
		require.NoError(t, r.slapd.Restart(context.Background()))
	}
	alone := strings.Replace(string(text), "  by self =xw\n  by anonymous auth\n", "  by anonymous peername.ip=10.0.0.0%255.0.0.0 auth\n", 1)
	require.NotEqual(t, string(text), alone)
	write(alone)
	r.brakesAt(protocol.ReasonNewRefused, func() { write(string(text)) })
}

// brakesAt has passes over all accounts, at each of which new values do not
// work until mend was called.
func (r *real) brakesAt(reason protocol.Reason, mend func()) {
	var cs []credential.Credential
	for n := range r.accounts {
		cs = append(cs, r.credential(n))
	}
	before := make([]string, len(cs))
	for i, c := range cs {
		before[i] = r.attribute(r.slapd, c.Name, "userPassword")
	}
	brake := NewBrake()
	for range 3 {
		for i, a := range r.runWith(brake, cs) {
			require.NotNil(r, a.Stop)
			if i == 0 {
				require.Equal(r, reason, a.Stop.Reason, a.Stop.Detail)
			} else {
				require.Equal(r, protocol.ReasonHeldBack, a.Stop.Reason, a.Stop.Detail)
				require.Equal(r, protocol.Intent, a.Step)
				require.Contains(r, a.Stop.Detail, string(reason))
				require.Contains(r, a.Stop.Detail, "nothing more is set there until one does")
				require.Equal(r, before[i], r.attribute(r.slapd, cs[i].Name, "userPassword"), "it is as it was")
			}
			require.NotContains(r, codes(a.Findings), credential.FindingChangedBefore, "nobody has changed it")
			require.NotContains(r, codes(a.Findings), credential.FindingChangedDuring)
			require.NotContains(r, codes(a.Findings), credential.FindingSparePath, "nothing is there")
		}
	}
	mend()
	for i, a := range r.runWith(brake, cs) {
		require.True(r, a.Dead(), "%d: %+v", i, a.Stop)
	}
}

func (r *real) runWith(b *Brake, cs []credential.Credential) []Applied {
	rot := r.rotator()
	rot.Brake = b
	out := make([]Applied, len(cs))
	verdicts := make([]Verdict, len(cs))
	for i, c := range cs {
		p := rot.Prepare(r.Context(), c)
		require.Nil(r, p.Stop)
		out[i] = rot.Apply(r.Context(), c, p.Attempt, p.Fresh)
		verdicts[i] = Verdict{c, &out[i]}
	}
	rot.Confirm(r.Context(), verdicts)
	return out
}
