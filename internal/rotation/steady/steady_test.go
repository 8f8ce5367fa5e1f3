package steady

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// front is an authority of one server, behind which several machines may stand.
type front struct {
	kind.Authority
	look  kind.Look
	err   error
	asked []int // connections of each look
	about []credential.Credential
	// meanwhile is what goes on while a look is under way.
	meanwhile func()
}

func (f *front) Servers() []string { return []string{"ldap1"} }

func (f *front) LookAgain(_ context.Context, _ string, cs []credential.Credential, n int) (kind.Look, error) {
	f.about, f.asked = cs, append(f.asked, n)
	if f.meanwhile != nil {
		f.meanwhile()
	}
	return f.look, f.err
}

// after is how one credential comes out of a pass that ended as given, when the
// server shows a mark to a second look.
func (f *front) after(t *testing.T, d *Doubts, a wire.Applied, mark string) wire.Applied {
	t.Helper()
	f.look.Marks = map[string]string{"corp/1": mark}
	Look{Authority: f, Campaign: "c", Servers: f.Servers(), Doubts: d}.At(t.Context(), []credential.Credential{{ID: "corp/1"}}, []*wire.Applied{&a})
	return a
}

func inOrder(mark string) wire.Applied {
	return wire.Applied{Proof: protocol.ProofBind, Step: protocol.Prove, Evidence: []protocol.Evidence{{Server: "ldap1", Changed: mark}}}
}

func brokenOff(r protocol.Reason) wire.Applied {
	return wire.Applied{Step: protocol.Prove, Stop: &protocol.Stop{Reason: r, Server: "ldap1"}}
}

func TestOneGoodLookNeverTakesBackABadOne(t *testing.T) {
	t.Run("a replica that lagged and follows is in order", func(t *testing.T) {
		f, d := &front{}, NewDoubts()
		require.Equal(t, protocol.ReasonLagging, f.after(t, d, brokenOff(protocol.ReasonLagging), "1").Stop.Reason)
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead())
		require.Equal(t, []int{moreLooks, moreLooks}, f.asked, "and is looked at more closely from then on")
	})
	t.Run("a server that is in order is looked at over a few connections", func(t *testing.T) {
		f, d := &front{}, NewDoubts()
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead())
		require.True(t, f.after(t, d, inOrder(""), "2").Dead())
		require.True(t, f.after(t, nil, inOrder("2"), "3").Dead())
		require.Equal(t, []int{looks, looks, looks}, f.asked)
	})
	t.Run("connections that contradict each other", func(t *testing.T) {
		f, d := &front{look: kind.Look{Contradicts: "two certificates"}}, NewDoubts()
		a := f.after(t, d, inOrder("2"), "2")
		require.Equal(t, protocol.ReasonContradicts, a.Stop.Reason)
		require.Contains(t, a.Stop.Detail, "two certificates")
		require.False(t, a.Dead())
		f.look.Contradicts = ""
		require.Equal(t, protocol.ReasonContradicts, f.after(t, d, inOrder("3"), "3").Stop.Reason, "however good the next look is")
		require.Equal(t, protocol.ReasonContradicts, f.after(t, d, brokenOff(protocol.ReasonLagging), "3").Stop.Reason)
		require.Len(t, f.asked, 1)

		f.look.Contradicts = "two certificates"
		require.Equal(t, protocol.ReasonContradicts, f.after(t, nil, inOrder("2"), "2").Stop.Reason)
	})
	t.Run("in another process", func(t *testing.T) {
		f, d := &front{}, NewDoubts()
		d.Recall("c", "ldap1")
		d.Recall("c", "")
		require.Equal(t, protocol.ReasonContradicts, f.after(t, d, inOrder("2"), "2").Stop.Reason)
		require.Nil(t, d.Of("another", "ldap1"))
	})
	t.Run("a refusal, and then order, without a later change", func(t *testing.T) {
		for _, r := range []protocol.Reason{protocol.ReasonNewRefused, protocol.ReasonOldAccepted} {
			f, d := &front{}, NewDoubts()
			require.Equal(t, r, f.after(t, d, brokenOff(r), "2").Stop.Reason)
			require.Equal(t, protocol.ReasonContradicts, f.after(t, d, inOrder("2"), "2").Stop.Reason)
		}
	})
	t.Run("a refusal, and then order, after a later change", func(t *testing.T) {
		f, d := &front{}, NewDoubts()
		f.after(t, d, brokenOff(protocol.ReasonNewRefused), "2")
		require.True(t, f.after(t, d, inOrder("3"), "3").Dead())
	})
	t.Run("a state that went back and came again", func(t *testing.T) {
		f, d := &front{}, NewDoubts()
		a := f.after(t, d, inOrder("2"), "1")
		require.Equal(t, protocol.ReasonLagging, a.Stop.Reason, "it may be one machine on which the reset was undone")
		require.Contains(t, a.Stop.Detail, "shows it no more")
		require.Equal(t, protocol.ReasonContradicts, f.after(t, d, inOrder("2"), "2").Stop.Reason)
	})
	t.Run("another machine than before", func(t *testing.T) {
		f, d := &front{look: kind.Look{Machine: "dc1"}}, NewDoubts()
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead())
		f.look.Machine = "dc2"
		require.Equal(t, protocol.ReasonContradicts, f.after(t, d, inOrder("2"), "2").Stop.Reason)
	})
	t.Run("a machine that was started again is the same one", func(t *testing.T) {
		f, d := &front{look: kind.Look{Machine: "db1", Started: time.Unix(1, 0)}}, NewDoubts()
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead())
		f.look.Started = time.Unix(2, 0)
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead())
		f.look.Started = time.Time{}
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead(), "nothing is said of it")
		f.look.Started = time.Unix(1, 0)
		a := f.after(t, d, inOrder("2"), "2")
		require.Equal(t, protocol.ReasonContradicts, a.Stop.Reason, "but none goes back to an earlier start")
		require.Contains(t, a.Stop.Detail, "started earlier")
	})
	t.Run("a look that began before a machine was started again, and ended after one that began later", func(t *testing.T) {
		f, d := &front{look: kind.Look{Machine: "db1", Started: time.Unix(1, 0)}}, NewDoubts()
		f.meanwhile = func() {
			f.meanwhile = nil
			later := &front{look: kind.Look{Machine: "db1", Started: time.Unix(2, 0)}}
			require.True(t, later.after(t, d, inOrder("2"), "2").Dead())
		}
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead())
	})
	t.Run("a look that failed", func(t *testing.T) {
		f, d := &front{err: errors.New("nothing came")}, NewDoubts()
		a := f.after(t, d, inOrder("2"), "")
		require.Equal(t, protocol.Stop{Reason: protocol.ReasonUnreachable, Server: "ldap1", Detail: "nothing came"}, *a.Stop)
		f.err = nil
		require.True(t, f.after(t, d, inOrder("2"), "2").Dead(), "is no contradiction")
	})
	t.Run("what ended elsewhere is left alone", func(t *testing.T) {
		f, d := &front{look: kind.Look{Contradicts: "x"}}, NewDoubts()
		a := wire.Applied{Step: protocol.Set, Stop: &protocol.Stop{Reason: protocol.ReasonRights}}
		require.Equal(t, a, f.after(t, d, a, ""))
		require.Empty(t, f.asked)
	})
}

func TestOfALargeBatchTheLastAccountsAreLookedAtAndStandForAll(t *testing.T) {
	f := &front{}
	var cs []credential.Credential
	var out []*wire.Applied
	for i := range 2 * sampled {
		a := inOrder("2")
		a.Evidence[0].At = fmt.Sprintf("2026-11-28T10:00:%02d.000Z", i)
		cs, out = append(cs, credential.Credential{ID: fmt.Sprint("corp/", i)}), append(out, &a)
	}
	f.look.Marks = map[string]string{"corp/49": "1"}
	for i := sampled; i < 2*sampled-1; i++ {
		f.look.Marks[fmt.Sprint("corp/", i)] = "2"
	}
	Look{Authority: f, Campaign: "c", Servers: f.Servers()}.At(t.Context(), cs, out)
	require.Len(t, f.about, sampled)
	for _, c := range f.about {
		require.Contains(t, f.look.Marks, c.ID)
	}
	for _, a := range out {
		require.Equal(t, protocol.ReasonLagging, a.Stop.Reason, "what one connection has not seen says nothing good of the others")
	}
}
