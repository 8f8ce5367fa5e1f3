package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

func whole(event Event, counts *Counts) Entry {
	return Entry{ID: EntryID(campaign, "", "", event), Event: event, Counts: counts}
}

func of(n int, pass string, event Event) Entry {
	cred := listed(n).Credential
	return Entry{ID: EntryID(campaign, cred, pass, event), Event: event, Credential: cred}
}

func dead(n int, servers ...string) Entry {
	e := of(n, "1", EventOutcome)
	e.Attempt, e.Proof = 1, protocol.ProofBind
	for i, s := range servers {
		e.Evidence = append(e.Evidence, protocol.Evidence{
			Server: s, Old: protocol.Refused, New: protocol.Accepted, At: fmt.Sprintf("2026-11-23T16:00:0%d.000Z", i),
		})
	}
	return e
}

// story is a campaign of three credentials on two servers without a flaw.
func story() []Entry {
	entries := []Entry{whole(CampaignStarted, nil), listed(0), listed(1), listed(2), whole(RollClosed, &Counts{Listed: 3})}
	for n := range 3 {
		intent := of(n, "1", EventIntent)
		intent.Attempt = 1
		entries = append(entries, intent)
	}
	exception := of(2, "1", Exception)
	exception.Step, exception.Reason = protocol.Set, protocol.ReasonLocked
	return append(entries, dead(0, "ldap-1", "ldap-2"), dead(1, "ldap-1", "ldap-2"), exception,
		whole(CampaignClosed, &Counts{Listed: 3, Dead: 2, Open: 1}))
}

// ends makes the first credential one that is only ended, dead by such
// evidence.
func ends(s []Entry, death int, proof protocol.Proof, old, new protocol.Reply) {
	s[1].Kind, s[death].Proof = credential.VaultToken, proof
	for i := range s[death].Evidence {
		s[death].Evidence[i].Old, s[death].Evidence[i].New = old, new
	}
}

func TestVerifyReadsTheStoryForGaps(t *testing.T) {
	const (
		rollClosed = 4
		death0     = 8
		death1     = 9
		ending     = 11
	)
	without := func(n int) func([]Entry) []Entry {
		return func(s []Entry) []Entry { return append(s[:n:n], s[n+1:]...) }
	}
	with := func(change func(s []Entry)) func([]Entry) []Entry {
		return func(s []Entry) []Entry { change(s); return s }
	}
	taken := func(at int, from *TookFrom, by string) func([]Entry) []Entry {
		return func(s []Entry) []Entry {
			e := whole(TookOver, nil)
			e.TookFrom, e.Actor = from, by
			return slices.Insert(s, at, e)
		}
	}
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"nothing wrong", func(s []Entry) []Entry { return s }, 0, ""},
		{"a credential without an end", without(10), noIndex, "never brought to an end"},
		{"a listing left out", without(3), 3, "the roll was closed with 3 credentials, and 2 are listed"},
		{"one listed after the roll was closed", func(s []Entry) []Entry { return append(s, listed(3)) }, 12, "listed after the roll was closed"},
		{"a roll without a count", with(func(s []Entry) { s[rollClosed].Counts = nil }), rollClosed, "without a count"},
		{"a roll never closed", without(rollClosed), ending - 1, "its roll never was"},
		{"a total that is off", with(func(s []Entry) { s[ending].Counts.Dead = 3 }), ending, "closed with 3 listed and 3 dead, and the entries tell of 3 and 2"},
		{"an outcome of something not on the roll", func(s []Entry) []Entry { return append(s, dead(7, "ldap-1")) }, 12, "not on the roll"},
		{"an unknown event", func(s []Entry) []Entry { return append(s, of(0, "", "vanished")) }, 12, `unknown event "vanished"`},
		{"a death without evidence", with(func(s []Entry) { s[death0].Evidence = nil }), death0, "no answer from this server yet"},
		{"a death with a server missing", with(func(s []Entry) { s[death0].Evidence = s[death0].Evidence[:1] }), death0, "unreachable at ldap-2"},
		{"a death with a server twice", with(func(s []Entry) { s[death0].Evidence = append(s[death0].Evidence, s[death0].Evidence[0]) }), death0, "names server ldap-1 twice"},
		{"a death where the old value is accepted", with(func(s []Entry) { s[death1].Evidence[1].Old = protocol.Accepted }), death1, "still accepts the stolen value"},
		{"a death of a locked account", with(func(s []Entry) { s[death1].Evidence[0].Old = protocol.Locked }), death1, "locked at ldap-1"},
		{"a death without the good login", with(func(s []Entry) { s[death1].Evidence[0].New = protocol.Refused }), death1, "new-refused at ldap-1"},
		{"a death by metadata without a change time", with(func(s []Entry) { s[death1].Proof = protocol.ProofMetadata }), death1, "change time has not advanced"},
		{"a death by metadata", with(func(s []Entry) {
			s[death1].Proof = protocol.ProofMetadata
			for i := range s[death1].Evidence {
				s[death1].Evidence[i].Old, s[death1].Evidence[i].Changed = protocol.NotAsked, "20261123160000Z"
			}
		}), 0, ""},
		{"a death that was never announced", without(5), death0 - 1, "called dead in attempt 1, of which no intent stands before it"},
		{"a death in another attempt than the one that was announced", with(func(s []Entry) { s[death0].Attempt = 2 }), death0, "called dead in attempt 2, of which no intent"},
		{"a death that was announced afterwards", with(func(s []Entry) { s[5], s[death0] = s[death0], s[5] }), 5, "of which no intent stands before it"},
		{"an exception that became a death after the end", func(s []Entry) []Entry { return append(s, dead(2, "ldap-1", "ldap-2")) }, 12, "outcome after the campaign was closed by entry 11"},
		{"a take-over", taken(5, &TookFrom{Campaign: "another", Actor: "root@vm", Asked: true}, "anna@vm"), 0, ""},
		{"a take-over of nobody", taken(5, nil, "anna@vm"), 5, "does not say which"},
		{"a take-over of itself", taken(5, &TookFrom{Campaign: campaign}, "anna@vm"), 5, "from itself"},
		{"a take-over that nobody asked for", taken(5, &TookFrom{Campaign: "another", Asked: true}, ""), 5, "does not say who"},
		{"a take-over before the roll was closed", taken(4, &TookFrom{Campaign: "another"}, "anna@vm"), 4, "before the roll was closed"},
		{"a take-over in the middle", taken(7, &TookFrom{Campaign: "another"}, "anna@vm"), 7, "after something was announced"},
		{"a token that was ended", with(func(s []Entry) { ends(s, death0, protocol.ProofRevoked, protocol.Gone, protocol.NotAsked) }), 0, ""},
		{"a token that is there still", with(func(s []Entry) { ends(s, death0, protocol.ProofRevoked, protocol.Accepted, protocol.NotAsked) }), death0, "still knows what was to be ended"},
		{"a token that was not looked up", with(func(s []Entry) { ends(s, death0, protocol.ProofRevoked, protocol.NotAsked, protocol.NotAsked) }), death0, "still knows what was to be ended"},
		{"a token with a new value", with(func(s []Entry) { ends(s, death0, protocol.ProofRevoked, protocol.Gone, protocol.Accepted) }), death0, "called ended without the evidence"},
		{"a token dead by bind", with(func(s []Entry) { ends(s, death0, protocol.ProofBind, protocol.Refused, protocol.Accepted) }), death0, "it is only ended"},
		{"a password dead by being gone", with(func(s []Entry) {
			s[death0].Proof = protocol.ProofRevoked
			for i := range s[death0].Evidence {
				s[death0].Evidence[i].Old, s[death0].Evidence[i].New = protocol.Gone, protocol.NotAsked
			}
		}), death0, "without the evidence"},
		{"a door that was not asked", with(func(s []Entry) { s[1].Doors = []string{"mail"} }), death0, "without the evidence of its doors"},
		{"a door that takes the stolen value", with(func(s []Entry) {
			s[1].Doors = []string{"mail"}
			s[death0].AtDoors = []protocol.DoorEvidence{{Door: "mail", First: protocol.Accepted, Old: protocol.Accepted}}
		}), death0, "cached-at-door"},
		{"a door that was not asked for the stolen value", with(func(s []Entry) {
			s[1].Doors = []string{"mail"}
			s[death0].AtDoors = []protocol.DoorEvidence{{Door: "mail", First: protocol.Accepted, New: protocol.Accepted}}
		}), death0, "silent-door"},
		{"a door that refuses whatever comes", with(func(s []Entry) {
			s[1].Doors = []string{"mail"}
			s[death0].AtDoors = []protocol.DoorEvidence{{Door: "mail", First: protocol.Accepted, Old: protocol.Refused, New: protocol.Refused}}
		}), death0, "refused-at-door"},
		{"a door that shut", with(func(s []Entry) {
			s[1].Doors = []string{"mail"}
			s[death0].AtDoors = []protocol.DoorEvidence{{Door: "mail", First: protocol.Accepted, Old: protocol.Refused, New: protocol.Accepted}}
		}), 0, ""},
		{"a death by hearsay", with(func(s []Entry) { s[death1].Proof = "hearsay" }), death1, `unknown proof "hearsay"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			l := f.open(t)
			_, err := l.Append(t.Context(), c.edit(story()))
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			require.True(t, rep.Closed)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
}

func TestWhileACampaignRunsOpenCredentialsAreNoProblem(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	_, err := l.Append(t.Context(), story()[:9])
	require.NoError(t, err)
	rep, err := Verify(t.Context(), f.dir, f.vkey, nil)
	require.NoError(t, err)
	require.Empty(t, rep.Problems)
	require.False(t, rep.Closed)
	require.Len(t, rep.Open, 2)
	require.Equal(t, listed(1).Credential, rep.Open[0].Credential)
	require.Equal(t, protocol.Set, rep.Open[0].Step)
}

// Lines that Append would not write: put into the log below it.
func TestVerifyFindsEntriesThatRollcallDidNotWrite(t *testing.T) {
	good := withTime(listed(0))
	other := withTime(listed(1))
	other.Campaign = "vpn-02"
	for _, c := range []struct {
		name, line, what string
	}{
		{"the same entry again", `{"id":"` + good.ID + `","at":"2026-11-23T16:00:00Z","campaign":"esg-01","event":"listed"}`, "repeats entry 0"},
		{"another campaign's", "", `of campaign "vpn-02"`},
		{"no JSON", `hello`, "not a ledger entry"},
		{"a key twice", `{"id":"x","id":"y","at":"2026-11-23T16:00:00Z","campaign":"esg-01","event":"finding"}`, "unknown or repeated key"},
		{"an unknown key", `{"id":"x","at":"2026-11-23T16:00:00Z","campaign":"esg-01","event":"finding","note":"x"}`, "unknown or repeated key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			l := f.open(t)
			if c.line == "" {
				c.line = string(mustEncode(t, other))
			}
			require.NoError(t, l.integrate(t.Context(), []idKey{keyOf("1"), keyOf("2")}, [][]byte{mustEncode(t, good), []byte(c.line)}))
			require.NoError(t, l.publish(t.Context()))
			rep, err := Verify(t.Context(), f.dir, f.vkey, nil)
			require.NoError(t, err)
			require.Len(t, rep.Problems, 1)
			require.True(t, rep.says(1, c.what), "%+v", rep.Problems)
		})
	}
}

func TestStateFollowsACredential(t *testing.T) {
	at := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	s := NewState()
	index := uint64(0)
	add := func(e Entry) *CredentialState {
		at = at.Add(time.Minute)
		e.At = at
		s.Add(index, e)
		index++
		return s.Credential(listed(0).Credential)
	}
	still := func(pass int, reason protocol.Reason) Entry {
		e := of(0, strconv.Itoa(pass), EventOpen)
		e.Step, e.Reason, e.Server = protocol.Prove, reason, "ldap-2"
		return e
	}
	require.Equal(t, Listing, s.Phase)
	start := whole(CampaignStarted, nil)
	start.Device, start.Actor, start.Detail = "esg-01", "ops@example.org", "since 1 November"
	require.Nil(t, add(start))
	l := add(listed(0))
	require.Equal(t, NoOutcome, l.Outcome)
	require.Empty(t, l.Step)
	add(whole(RollClosed, &Counts{Listed: 1}))
	require.Equal(t, Running, s.Phase)

	intent := of(0, "1", EventIntent)
	intent.Attempt, intent.From = 1, map[string]int{"kv/a#b": 3}
	l = add(intent)
	require.Equal(t, protocol.Set, l.Step)
	require.Equal(t, at, l.Since)

	add(still(1, protocol.ReasonLagging))
	since := at
	l = add(still(2, protocol.ReasonLagging))
	require.Equal(t, since, l.Since, "it has stood there since the first pass")
	l = add(still(3, protocol.ReasonUnreachable))
	require.Equal(t, at, l.Since)

	finding := of(0, "a", EventFinding)
	finding.Finding = credential.FindingStalePath
	add(finding)
	finding.ID += "again"
	l = add(finding)
	require.Len(t, l.Findings, 1)

	exception := of(0, "", Exception)
	exception.Step, exception.Reason = protocol.Prove, protocol.ReasonUnreachable
	l = add(exception)
	require.Equal(t, IsException, l.Outcome)
	require.Empty(t, s.Open())
	l = add(still(4, protocol.ReasonLagging))
	require.Equal(t, protocol.ReasonUnreachable, l.Reason, "a late pass does not open it again")

	d := dead(0, "ldap-1", "ldap-2")
	d.To = map[string]int{"kv/a#b": 4}
	l = add(d)
	require.Equal(t, Dead, l.Outcome)
	require.Equal(t, index-1, l.Index)
	require.Empty(t, l.Reason)
	require.Equal(t, time.Date(2026, 11, 23, 16, 0, 1, 0, time.UTC), l.DeadAt, "when the last server showed it")
	require.Equal(t, map[string]int{"kv/a#b": 3}, l.From)

	intent.ID, intent.Attempt = EntryID(campaign, l.ID, "2", EventIntent), 2
	l = add(intent)
	require.Equal(t, Dead, l.Outcome, "the stolen value stays dead")
	exception.ID += "again"
	require.Equal(t, Dead, add(exception).Outcome)

	add(whole(CampaignPaused, nil))
	require.Equal(t, Paused, s.Phase)
	add(whole(CampaignResumed, nil))
	require.Equal(t, Running, s.Phase)
	add(whole(CampaignAborted, nil))
	require.Equal(t, Aborting, s.Phase)
	add(whole(CampaignClosed, &Counts{Listed: 1, Dead: 1}))
	require.Equal(t, Closed, s.Phase)
	require.Equal(t, at, s.ClosedAt)
	require.Equal(t, "ops@example.org", s.Actor)
}
