package rotation

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// A flush is run where a door takes the old value, and the door is asked again
// after it; one that fails changes nothing of what the door showed.
func TestADoorThatKeepsTheOldValueIsFlushedAndAskedAgain(t *testing.T) {
	for _, row := range []struct {
		name  string
		flush door.Flush
		code  credential.FindingCode // empty: it was run already
		dead  bool
		asks  int
	}{
		{"flushed", door.Flush{Command: []string{"it"}}, credential.FindingFlushed, true, 2 + door.NewLogins(door.MaxLooks, 1) + door.MaxLooks},
		{"flushed, and perhaps not yet done", door.Flush{URL: "https://automation.example.org"}, credential.FindingFlushed, false, 2},
		{"its flush failed", door.Flush{}, credential.FindingFlushFailed, false, 2},
		{"it was flushed before", door.Flush{}, "", false, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			mail := &service{answers: map[string][]protocol.Reply{"a/new": {protocol.Accepted}, "a/old": {protocol.Accepted, protocol.Refused}}}
			v, flushed := atServers("a", "mail"), 0
			now := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
			ask := DoorAsker{
				Open: func(string) (*opened.Door, error) { return &opened.Door{Door: mail}, nil },
				Settings: func(string) door.Settings {
					return door.Settings{Type: "imaps", Cache: 30 * time.Minute, Flush: &row.flush}
				},
				Now: func() time.Time { return now },
				Flush: func(_ context.Context, c credential.Credential, as credential.DoorLogin) *credential.Finding {
					flushed++
					require.Equal(t, "a", c.ID)
					require.Equal(t, "mail", as.Door)
					if row.code == "" {
						return nil
					}
					return &credential.Finding{Code: row.code, Detail: "door mail: its flush exit code"}
				},
			}
			(&Rotator{Now: time.Now, Authority: willing{}}).AskDoors(t.Context(), []Verdict{v}, ask, func() bool { return false })
			require.Equal(t, 1, flushed)
			require.Len(t, mail.asked, row.asks)
			require.Equal(t, row.dead, v.Dead())
			require.Equal(t, row.code != "", len(v.Findings) == 1)
			if row.dead {
				return
			}
			require.Equal(t, protocol.ReasonDoorTakesOld, v.Stop.Reason)
			require.Equal(t, now.Add(30*time.Minute), v.Stop.Until)
			require.True(t, v.Stop.Wait, "the campaign file says so")
			require.Contains(t, v.Stop.Detail, "after 30m0s at most, as the campaign file says")
		})
	}
}

// What the table of software says is told, and holds up no campaign.
func TestWhatIsKnownOfSoftwareSaysUntilWhenADoorKeepsAValue(t *testing.T) {
	ask := DoorAsker{Now: time.Now, Settings: func(string) door.Settings { return door.Settings{Type: "submission"} }}
	stop := ask.Keeps(&protocol.Stop{Reason: protocol.ReasonDoorTakesOld, Server: "relay"})
	require.WithinDuration(t, time.Now().Add(8*time.Hour), stop.Until, time.Minute)
	require.False(t, stop.Wait)
	silent := &protocol.Stop{Reason: protocol.ReasonDoorSilent, Server: "relay"}
	require.Same(t, silent, ask.Keeps(silent))
	require.Nil(t, ask.Keeps(nil))
}

// An operator at three in the morning is told what to type, and not where the
// table is.
func TestADoorThatTakesAnOldValueIsSaidWithWhatEndsItThere(t *testing.T) {
	keeps := func(s door.Settings) string {
		ask := DoorAsker{Now: time.Now, Settings: func(string) door.Settings { return s }}
		return ask.Keeps(&protocol.Stop{Reason: protocol.ReasonDoorTakesOld, Server: "there"}).Detail
	}
	named := keeps(door.Settings{Type: "imaps", Software: "dovecot"})
	require.Contains(t, named, "`doveadm auth cache flush USER`")
	require.NotContains(t, named, "saslauthd")
	require.Contains(t, keeps(door.Settings{Type: "https", Software: "nginx"}), "removing the files of the cache", "it ends by no time that is known")
	unnamed := keeps(door.Settings{Type: "submission"})
	require.Contains(t, unnamed, "`doveadm auth cache flush USER`", "it may be any of its type")
	require.Contains(t, unnamed, "restart; no reload, no wrong login")
	require.Empty(t, keeps(door.Settings{Type: "vault"}), "nothing is known to keep one there")
	require.Contains(t, keeps(door.Settings{Type: "https", Software: door.KeepsNone}), "the campaign file vouches that nothing is kept there (software: none), which is not so")
}

// balanced is an address with two machines behind it, which take turns. The
// second one has a cache of its own, by name and value, that no other login
// ends.
type balanced struct {
	next  int
	keeps map[string]bool
	asked []string
}

func (b *balanced) Ask(_ context.Context, login string, value credential.Secret) door.Said {
	b.next++
	at := b.next % 2
	b.asked = append(b.asked, fmt.Sprint(at, " ", value.Reveal()))
	if value.Reveal() == "new" || at == 0 && b.keeps[value.Reveal()] {
		return door.Said{Reply: protocol.Accepted}
	}
	return door.Said{Reply: protocol.Refused}
}

func (b *balanced) Software(context.Context) (string, error) { return "", nil }

// That one machine refuses the old value never beats that another one behind
// the same address took it.
func TestAMachineThatRefusesNeverBeatsAnotherBehindTheSameDoor(t *testing.T) {
	notes := &vaultNotes{}
	b := &balanced{keeps: map[string]bool{"old": true}}
	one := &opened.Door{Door: b}
	pass := func() Verdict {
		v := atServers("a", "mail")
		rot := &Rotator{Now: time.Now, Authority: willing{}, Campaign: "c", Refusals: &Refusals{Notes: notes}} // as another worker
		rot.AskDoors(t.Context(), []Verdict{v}, DoorAsker{Open: func(string) (*opened.Door, error) { return one, nil }, Now: time.Now}, func() bool { return false })
		return v
	}
	first := pass()
	require.Equal(t, protocol.ReasonDoorTakesOld, first.Stop.Reason)
	for range 3 {
		b.Ask(t.Context(), "somebody", credential.NewSecret("else")) // so that the other machine comes first
		v := pass()
		require.False(t, v.Dead(), "one machine takes the old value still: %q", b.asked)
		require.Equal(t, protocol.ReasonDoorTakesOld, v.Stop.Reason)
	}
	person := DoorAsker{Now: time.Now, Campaign: "c", Refusals: &Refusals{Notes: notes}}
	require.NoError(t, person.Remember(t.Context()))
	b.Ask(t.Context(), "somebody", credential.NewSecret("else"))
	// Two looks of a person's door may cost an account two wrong logins each.
	for range 2 {
		ev, _, stop := person.Ask(t.Context(), NewLook(), one, first.Credential, first.Credential.Doors[0], credential.NewSecret("new"), []credential.Secret{credential.NewSecret("old")})
		if stop != nil {
			require.Equal(t, protocol.ReasonNearLock, stop.Reason)
			continue
		}
		require.True(t, ev.TookOld(), "%q", b.asked)
	}

	b.keeps["old"] = false // its time is over
	require.True(t, pass().Dead())
}

// What a person changed is flushed at the first refusal as well, and two
// refusals are all that a look has.
func TestAPersonsDoorThatRefusesTheNewValueIsFlushedOnceInItsLook(t *testing.T) {
	later := &door.Flush{URL: "https://automation.example.org/flush"}
	for _, row := range []struct {
		software string
		flush    *door.Flush
		second   protocol.Reply
		flushed  int
	}{{"", nil, protocol.Accepted, 1}, {"dovecot", nil, protocol.Refused, 1}, {"saslauthd", nil, "", 0}, {"dovecot", later, "", 1}} {
		mail := &service{answers: map[string][]protocol.Reply{"nas/new": {protocol.Refused, row.second}}}
		flushed := 0
		ask := DoorAsker{Now: time.Now, Campaign: "c", Refusals: &Refusals{},
			Settings: func(string) door.Settings {
				return door.Settings{Type: "submission", Software: row.software, Flush: row.flush}
			},
			Flush: func(context.Context, credential.Credential, credential.DoorLogin) *credential.Finding {
				if flushed++; flushed > 1 {
					return nil
				}
				return &credential.Finding{Code: credential.FindingFlushed}
			}}
		c, look := credential.Credential{ID: "nas", Task: &credential.Task{}}, NewLook()
		ev, f, stop := ask.Ask(t.Context(), look, &opened.Door{Door: mail}, c, credential.DoorLogin{Door: "mail", Login: "nas"}, credential.NewSecret("new"), []credential.Secret{credential.NewSecret("old")})
		require.Equal(t, row.flushed, flushed, row.software)
		require.Equal(t, row.flushed == 1, f != nil)
		refused := ev.Open(true)
		switch {
		case row.second == protocol.Accepted:
			require.NotNil(t, stop, "the refusal before the flush was one of the two")
			require.Equal(t, protocol.ReasonNearLock, stop.Reason)
		case row.second == protocol.Refused:
			require.Equal(t, protocol.ReasonDoorRefusesNew, refused.Reason)
			require.True(t, look.Spent(refused))
			require.Len(t, mail.asked, 2)
		default:
			require.Equal(t, protocol.ReasonDoorRefusesNew, refused.Reason)
			require.False(t, look.Spent(refused))
			require.NotContains(t, ask.RefusedInALook(look, refused).Detail, "saslauthd", "it keeps no refusal")
			if row.flush != nil {
				require.Len(t, mail.asked, 1, "what the web hook began may go on")
				again := ask.RefusedInALook(look, refused)
				require.Contains(t, again.Detail, "its flush was sent, which is given 1m0s for that, and it is asked again after that")
				require.WithinDuration(t, time.Now().Add(time.Minute), again.Until, time.Minute/2)
			}
		}
	}
}
