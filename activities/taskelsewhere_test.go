package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/tasks"
	"rollcall/internal/wire"
)

// namesake is a directory's account that takes one value.
type namesake struct {
	kind.Authority
	takes  string
	down   string // a server that does not answer
	offers []string
}

func (*namesake) Servers() []string { return []string{"ldap1", "ldap2"} }

func (n *namesake) Account(_ context.Context, server string, _ credential.Credential) (kind.Account, error) {
	if server == n.down {
		return kind.Account{}, protocol.StopFor(protocol.Unreachable, server)
	}
	return kind.Account{State: protocol.Accepted}, nil
}

func (n *namesake) Offer(_ context.Context, _ string, _ kind.Account, v credential.Secret) (protocol.Reply, error) {
	if n.offers = append(n.offers, v.Reveal()); v.Reveal() == n.takes {
		return protocol.Accepted, nil
	}
	return protocol.Refused, nil
}

// A task's door refuses the stolen value, and an account of the directory that
// has the task's login takes it: that is not dead until the account refuses it.
func TestATaskIsDeadOnlyOnceTheAccountOfItsLoginRefusesTheStolenValueToo(t *testing.T) {
	nas := newPage(t)
	p := newPeopled(t, nil, "nas")
	p.open()
	p.put("nas", "stolen-of-nas")
	at := credential.Path{Mount: "kv", Path: "net/nas", Field: "value"}
	was, err := p.store.ReadLive(t.Context(), at, 0)
	require.NoError(t, err)
	c := credential.Credential{ID: "person/esg-01/nas", Name: "nas", Kind: credential.SecretByHand, Doors: []credential.DoorLogin{{Door: "nas", Login: "nas"}},
		Task: &credential.Task{At: &at, Ends: []credential.TaskEnd{{Name: "NAS"}}, Stolen: []credential.StolenVersion{{Version: was.Version, Written: was.Written}},
			Elsewhere: []credential.AccountAt{{Authority: "corp", Kind: credential.LDAPPassword, Subject: "s", Name: "uid=nas"}}}}
	p.put("nas", "new")
	nas.take("nas", "new")
	var doors opened.Doors
	n := &namesake{takes: "stolen-of-nas"}
	asking := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, Authority: func(a credential.AccountAt) (kind.Authority, error) {
		require.Equal(t, "corp", a.Authority)
		return n, nil
	}, DoorAsker: rotation.DoorAsker{Now: time.Now, Open: func(string) (*opened.Door, error) { return doors.Open(nas.door()) }, Settings: func(string) door.Settings { return nas.door() }}}
	in := wire.Tasks{Campaign: "c", Snapshot: p.index.Snapshot, Refs: p.in.Refs}
	ask := func() wire.AskedTask {
		out, err := asking.Ask(t.Context(), in, []credential.Credential{c})
		require.NoError(t, err)
		return out[0]
	}
	got := ask()
	require.Equal(t, protocol.ReasonOldAccepted, got.Stop.Reason)
	require.Equal(t, "ldap1", got.Stop.Server)
	require.Empty(t, got.Proof)
	require.Equal(t, []string{"stolen-of-nas"}, n.offers, "the new value is none of its own")
	n.takes = "changed"
	got = ask()
	require.Nil(t, got.Stop)
	require.Equal(t, protocol.ProofDoors, got.Proof)
	require.Empty(t, got.Findings)

	// A server that a person has left out need not answer for it.
	n.down = "ldap2"
	got = ask()
	require.Equal(t, protocol.ReasonUnreachable, got.Stop.Reason)
	require.Contains(t, got.Stop.Detail, "an account with the login of this task")
	in.LeftOut = map[string][]string{"corp": {"ldap2"}, "other": {"ldap1"}}
	got = ask()
	require.Nil(t, got.Stop)
	require.Equal(t, credential.FindingSameName, got.Findings[0].Code)
	require.Contains(t, got.Findings[0].Detail, "not asked on ldap2")

	// Nor is a door needed that a person has left out; what is known of the
	// stolen value still counts.
	in.DoorsLeftOut = []string{"nas"}
	got = ask()
	require.Nil(t, got.Stop)
	require.Equal(t, protocol.ProofAttested, got.Proof)
	n.takes = "stolen-of-nas"
	require.Equal(t, protocol.ReasonOldAccepted, ask().Stop.Reason)
	n.takes = "changed"
	p.put("nas", "stolen-of-nas")
	got = ask()
	require.Contains(t, got.Stop.Detail, "the stolen one")
	require.Empty(t, got.Proof)
}
