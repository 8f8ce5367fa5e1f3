package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

var openedAt = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// storyOfATask is a campaign of one shared secret with two ends, of which one
// is given to somebody else before it is done.
func storyOfATask() []Entry {
	l := listed(0)
	l.Kind, l.Authority = credential.SecretByHand, credential.PersonAuthority
	opened := of(0, "", TaskOpened)
	opened.Task = &TaskOpening{Due: openedAt.Add(time.Hour), Make: true, At: openedAt, Ends: []TaskSeat{{"gateway", "alice", "e-a"}, {"NPS", "bob", "e-b"}}}
	word := func(statement string, event Event, w Word) Entry {
		e := of(0, statement, event)
		w.Statement, w.At = statement, openedAt.Add(10*time.Minute)
		e.Word = &w
		return e
	}
	moved := word("s2", TaskReassigned, Word{Entity: "e-b", Name: "bob", End: "NPS", To: "carol", ToEntity: "e-c", Note: "on leave"})
	last := word("s3", EndAttested, Word{Entity: "e-c", Name: "carol", End: "NPS"})
	last.Word.At = openedAt.Add(20 * time.Minute)
	outcome := of(0, "1", EventOutcome)
	outcome.Attempt, outcome.Proof = 1, protocol.ProofAttested
	return []Entry{whole(CampaignStarted, nil), l, whole(RollClosed, &Counts{Listed: 1}), opened,
		word("s1", EndAttested, Word{Entity: "e-a", Name: "alice", End: "gateway"}), moved, of(0, "2", TaskOverdue), last, outcome,
		whole(CampaignClosed, &Counts{Listed: 1, Dead: 1})}
}

func TestWhatPeopleSaidIsAProofOnlyIfEachEndWasTheirsAndIsDone(t *testing.T) {
	const (
		line, opened, first, moved, last, death = 1, 3, 4, 5, 7, 8
	)
	without := func(n int) func([]Entry) []Entry {
		return func(s []Entry) []Entry { return append(s[:n:n], s[n+1:]...) }
	}
	word := func(n int, change func(*Word)) func([]Entry) []Entry {
		return func(s []Entry) []Entry { change(s[n].Word); return s }
	}
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"nothing wrong", func(s []Entry) []Entry { return s }, 0, ""},
		{"an end that nobody did", without(last), death - 1, `at the end "NPS" nobody had said that it is done`},
		{"a task that was never opened", without(opened), death - 1, "no task of it was opened before"},
		{"another person", word(first, func(w *Word) { w.Entity, w.Name = "e-b", "bob" }), first, "is seen to by alice (e-a), and not by bob (e-b)"},
		{"whose it was before", word(last, func(w *Word) { w.Entity, w.Name = "e-b", "bob" }), last, "is seen to by carol (e-c), and not by bob (e-b)"},
		{"before it was opened", word(first, func(w *Word) { w.At = openedAt.Add(-time.Second) }), first, "it was said before the end"},
		{"before it was given to him", word(last, func(w *Word) { w.At = openedAt.Add(time.Minute) }), last, "it was said before the end"},
		{"an end that there is not", word(first, func(w *Word) { w.End = "moon" }), first, `no task of it was opened with an end "moon"`},
		{"the same end twice", word(last, func(w *Word) { w.Entity, w.Name, w.End = "e-a", "alice", "gateway" }), last, "was done already"},
		{"nobody", word(first, func(w *Word) { w.Entity = "" }), first, "does not say who said it"},
		{"no statement", word(first, func(w *Word) { w.Statement = "" }), first, "does not say who said it"},
		{"taken", word(moved, func(w *Word) { w.ToEntity = "e-b" }), moved, "somebody took the end"},
		{"given away without a reason", word(moved, func(w *Word) { w.Note = "" }), moved, "does not say to whom and why"},
		{"a task of a password", func(s []Entry) []Entry { s[line].Kind = credential.LDAPPassword; return s }, death, "Rollcall changes it itself"},
		{"a proof of servers for a person's", func(s []Entry) []Entry { s[death].Proof = protocol.ProofRevoked; return s }, death, "dead by revoked, and only a person can change it"},
		{"opened twice", func(s []Entry) []Entry {
			e := of(0, "again", TaskOpened)
			e.Task = s[opened].Task
			return append(s[:opened+1:opened+1], append([]Entry{e}, s[opened+1:]...)...)
		}, opened + 1, "opened twice"},
		{"without its ends", func(s []Entry) []Entry { s[opened].Task = &TaskOpening{Due: openedAt, At: openedAt}; return s }, opened, "does not say its ends"},
		{"said after the end", func(s []Entry) []Entry { return append(append(s[:last:last], s[last+1:]...), s[last]) }, 9, "after the campaign was closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.open(t).Append(t.Context(), c.edit(storyOfATask()))
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
}

// People's word makes a campaign complete, and never clean.
func TestACampaignWithPeoplesWordIsCompleteAndNotClean(t *testing.T) {
	story := storyOfAGateway()
	s := NewState()
	for i, e := range story[:len(story)-1] {
		s.Add(uint64(i), e)
	}
	end, _, _ := EndOf(s)
	require.Equal(t, End{Complete: true, Clean: true}, end)
	s.Credentials[0].Proof = protocol.ProofAttested
	end, incomplete, unclean := EndOf(s)
	require.Equal(t, End{Complete: true}, end)
	require.Empty(t, incomplete)
	require.Equal(t, []string{"1 credential dead by people's word alone (attested)"}, unclean)
}

func TestTheStateOfATaskIsWhatItsEntriesTell(t *testing.T) {
	s := NewState()
	for i, e := range storyOfATask()[:7] {
		e.At = openedAt.Add(time.Duration(i) * time.Minute)
		s.Add(uint64(i), e)
	}
	require.Len(t, s.Tasks(), 1)
	task := s.Tasks()[0].Task
	require.Equal(t, 1, task.Left())
	require.Equal(t, []string{"carol"}, task.Waiting())
	require.False(t, task.Overdue.IsZero())
	require.Equal(t, protocol.ReasonByHand, s.Tasks()[0].Reason)
	require.Equal(t, "alice", task.End("GATEWAY").Done.Name)
	require.Nil(t, (*Task)(nil).End("x"))
}

// A value was said to be seen when one end was done already: both are done once
// more with another one, and nothing that was said before counts.
func TestWhatWasDoneWithADiscardedValueIsNotDone(t *testing.T) {
	story := func() []Entry {
		s := storyOfATask()
		renewed := of(0, "s4", TaskRenewed)
		renewed.Word = &Word{Statement: "s4", Entity: "e-b", Name: "bob", At: openedAt.Add(30 * time.Minute), Note: "read out on the phone"}
		handed := of(0, "1", TaskHandedOver)
		handed.Task = &TaskOpening{Due: openedAt.Add(time.Hour), Make: true, At: openedAt.Add(40 * time.Minute), Ends: s[3].Task.Ends}
		word := func(statement, entity, name, end string) Entry {
			e := of(0, statement, EndAttested)
			e.Word = &Word{Statement: statement, Entity: entity, Name: name, End: end, At: openedAt.Add(50 * time.Minute)}
			return e
		}
		out := append(s[:8:8], renewed, handed, word("s5", "e-a", "alice", "gateway"), word("s6", "e-c", "carol", "NPS"))
		return append(out, s[8:]...)
	}
	const renewed, handed, first, last, death = 8, 9, 10, 11, 12
	state := NewState()
	for i, e := range story()[:handed] {
		state.Add(uint64(i), e)
	}
	task := state.Tasks()[0].Task
	require.True(t, task.Renewing)
	require.Equal(t, 2, task.Left())
	require.Equal(t, 2, task.Changes())
	without := func(n ...int) func([]Entry) []Entry {
		return func(s []Entry) (out []Entry) {
			for i, e := range s {
				if !slices.Contains(n, i) {
					out = append(out, e)
				}
			}
			return out
		}
	}
	word := func(n int, change func(*Word)) func([]Entry) []Entry {
		return func(s []Entry) []Entry { change(s[n].Word); return s }
	}
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"nothing wrong", without(), 0, ""},
		{"what was done before counts", without(first), death - 1, `at the end "gateway" nobody had said`},
		{"no other value was handed over", without(handed), death - 1, `nobody had said`},
		{"nobody discarded it", without(renewed, first, last), renewed, "nobody had said that the value before it is not to be used"},
		{"handed over before that", func(s []Entry) []Entry { s[handed].Task.At = openedAt; return s }, handed, "before that was said"},
		{"handed over at no time", func(s []Entry) []Entry { s[handed].Task = nil; return s }, handed, "does not say when"},
		{"said before it was handed over", word(first, func(w *Word) { w.At = openedAt.Add(35 * time.Minute) }), first, "it was said before the end"},
		{"no reason", word(renewed, func(w *Word) { w.Note = "" }), renewed, "when and why"},
		{"by nobody", word(renewed, func(w *Word) { w.Entity = "" }), renewed, "who said it"},
		{"before it was opened", word(renewed, func(w *Word) { w.At = openedAt.Add(-time.Second) }), renewed, "before the task was opened"},
		{"a value that nobody made", func(s []Entry) []Entry { s[3].Task.Make = false; return s }, renewed, "made no value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.open(t).Append(t.Context(), c.edit(story()))
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
}

// Doors may be the proof where each end has one, and whatever the proof is,
// each door that takes it has shown what it could.
func TestADeathByDoorsIsHeldToTheirEvidence(t *testing.T) {
	const line, death = 1, 8
	shut := func(doors ...string) (out []protocol.DoorEvidence) {
		for _, d := range doors {
			out = append(out, protocol.DoorEvidence{Door: d, First: protocol.Accepted, Old: protocol.Refused, New: protocol.Accepted})
		}
		return out
	}
	newOnly := []protocol.DoorEvidence{{Door: "gw", First: protocol.Accepted, New: protocol.Accepted}}
	for _, c := range []struct {
		name  string
		doors []string
		ends  map[string]string
		ev    []protocol.DoorEvidence
		proof protocol.Proof
		what  string
	}{
		{"both ends", []string{"gw", "nps"}, map[string]string{"gw": "gateway", "nps": "NPS"}, shut("gw", "nps"), protocol.ProofDoors, ""},
		{"one end", []string{"gw"}, map[string]string{"gw": "gateway"}, shut("gw"), protocol.ProofDoors, "not each of its ends has one"},
		{"doors of no end", []string{"gw", "nps"}, nil, shut("gw", "nps"), protocol.ProofDoors, "not each of its ends has one"},
		{"no doors", nil, nil, nil, protocol.ProofDoors, "not each of its ends has one"},
		{"one was not asked", []string{"gw", "nps"}, map[string]string{"gw": "gateway", "nps": "NPS"}, shut("gw"), protocol.ProofDoors, "without the evidence of its doors"},
		{"the stolen value was not offered", []string{"gw", "nps"}, map[string]string{"gw": "gateway", "nps": "NPS"}, append(newOnly, shut("nps")...), protocol.ProofDoors, "without the evidence of its doors"},
		{"by word, and one door", []string{"gw"}, map[string]string{"gw": "gateway"}, shut("gw"), protocol.ProofAttested, ""},
		{"by word, and a door for the new one", []string{"gw"}, nil, newOnly, protocol.ProofAttested, ""},
		{"by word, and the door was not asked", []string{"gw"}, nil, nil, protocol.ProofAttested, "without the evidence of its doors"},
		{"by word, and the door takes it", []string{"gw"}, nil, []protocol.DoorEvidence{{Door: "gw", First: protocol.Accepted, Old: protocol.Accepted, New: protocol.Accepted}}, protocol.ProofAttested, "without the evidence of its doors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			s := storyOfATask()
			s[line].Doors, s[line].DoorEnds = c.doors, c.ends
			s[death].Proof, s[death].AtDoors = c.proof, c.ev
			_, err := f.open(t).Append(t.Context(), s)
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(death, c.what), "%+v", rep.Problems)
		})
	}
	// A password of a directory is proved by servers, and nobody's word.
	f := newFixture(t)
	s := storyOfATask()
	s[line].Kind = credential.LDAPPassword
	s[line].Doors, s[line].DoorEnds, s[death].AtDoors, s[death].Proof = []string{"gw", "nps"}, map[string]string{"gw": "gateway", "nps": "NPS"}, shut("gw", "nps"), protocol.ProofDoors
	_, err := f.open(t).Append(t.Context(), s)
	require.NoError(t, err)
	rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
	require.NoError(t, err)
	require.True(t, rep.says(death, "Rollcall changes it itself"), "%+v", rep.Problems)
}

// What doors prove is no word, and keeps no campaign from being clean.
func TestACampaignWhosePeoplesTasksDoorsProveIsClean(t *testing.T) {
	story := storyOfAGateway()
	s := NewState()
	for i, e := range story[:len(story)-1] {
		s.Add(uint64(i), e)
	}
	s.Credentials[0].Proof = protocol.ProofDoors
	end, _, _ := EndOf(s)
	require.Equal(t, End{Complete: true, Clean: true}, end)
}
