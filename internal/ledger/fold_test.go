package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

type at struct {
	index uint64
	entry Entry
}

// events draws a log: any events of a few credentials in any order, repeats
// included.
func events() *rapid.Generator[[]at] {
	one := rapid.Custom(func(t *rapid.T) Entry {
		n := rapid.IntRange(0, 3).Draw(t, "credential")
		pass := rapid.IntRange(1, 4).Draw(t, "pass")
		event := rapid.SampledFrom([]Event{CampaignStarted, CampaignPaused, CampaignResumed, CampaignAborted, CampaignClosed,
			Listed, Listed, Excluded, RollClosed, EventFinding, EventIntent, EventOutcome, EventOpen, Exception, Anchored, OpenAccepted, "other"}).Draw(t, "event")
		e := of(n, strconv.Itoa(pass), event)
		switch event {
		case Listed:
			e = listed(n)
		case CampaignStarted, CampaignPaused, CampaignResumed, CampaignAborted, CampaignClosed, RollClosed:
			e = whole(event, &Counts{Listed: n})
			e.ID += strconv.Itoa(pass)
		case EventOutcome:
			e = dead(n, "ldap-1")
			e.ID, e.Attempt = EntryID(campaign, e.Credential, strconv.Itoa(pass), EventOutcome), pass
		case EventFinding:
			e.Finding = rapid.SampledFrom([]credential.FindingCode{credential.FindingStalePath, credential.FindingTwoPaths}).Draw(t, "finding")
		case EventIntent:
			e.Attempt, e.From = pass, map[string]int{"kv/a#b": pass}
		case EventOpen, Exception:
			e.Step = rapid.SampledFrom([]protocol.Step{protocol.Set, protocol.Prove}).Draw(t, "step")
			e.Reason = rapid.SampledFrom([]protocol.Reason{protocol.ReasonLagging, protocol.ReasonLocked}).Draw(t, "reason")
		}
		return e
	})
	return rapid.Custom(func(t *rapid.T) []at {
		var log []at
		for i, e := range rapid.SliceOfN(one, 0, 40).Draw(t, "log") {
			e.Campaign, e.At = campaign, time.Date(2026, 11, 23, 16, 0, i, 0, time.UTC)
			log = append(log, at{uint64(i), e})
		}
		return log
	})
}

func fold(log []at) *State {
	s := NewState()
	for _, a := range log {
		s.Add(a.index, a.entry)
	}
	return s
}

// shown is all that a reader of the state can see.
func shown(t require.TestingT, s *State) string {
	raw, err := json.MarshalIndent(s, "", " ")
	require.NoError(t, err)
	return string(raw)
}

func TestFoldingAPrefixAndThenTheRestIsFoldingAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := events().Draw(t, "events")
		cut := rapid.IntRange(0, len(log)).Draw(t, "cut")
		s := fold(log[:cut])
		for _, a := range log[cut:] {
			s.Add(a.index, a.entry)
		}
		require.Equal(t, shown(t, fold(log)), shown(t, s))
	})
}

func TestRepeatedEntriesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := events().Draw(t, "events")
		twice := slices.Clone(log)
		if len(log) > 0 {
			for range rapid.IntRange(1, 5).Draw(t, "repeats") {
				a := log[rapid.IntRange(0, len(log)-1).Draw(t, "which")]
				a.entry.At = a.entry.At.Add(time.Hour)
				from := slices.IndexFunc(twice, func(b at) bool { return b.entry.ID == a.entry.ID })
				to := rapid.IntRange(from+1, len(twice)).Draw(t, "where")
				twice = slices.Insert(twice, to, a)
			}
		}
		require.Equal(t, shown(t, fold(log)), shown(t, fold(twice)))
	})
}

func TestHowCredentialsInterleaveMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := events().Draw(t, "events")
		// Deal the log out by credential, then merge the piles in another
		// order.
		piles := map[string][]at{}
		for _, a := range log {
			piles[a.entry.Credential] = append(piles[a.entry.Credential], a)
		}
		var merged []at
		for len(merged) < len(log) {
			var left []string
			for name, pile := range piles {
				if len(pile) > 0 {
					left = append(left, name)
				}
			}
			slices.Sort(left)
			name := rapid.SampledFrom(left).Draw(t, "next")
			merged = append(merged, piles[name][0])
			piles[name] = piles[name][1:]
		}
		one, other := fold(log), fold(merged)
		for _, s := range []*State{one, other} { // the order of listing is the log's
			slices.SortFunc(s.Credentials, func(a, b *CredentialState) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
			slices.SortFunc(s.Excluded, func(a, b ExcludedCredential) int { return slices.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b))) })
		}
		require.Equal(t, shown(t, one), shown(t, other))
	})
}

func TestWhatAPersonSaysOfTheOpenOnesIsKnownOfEach(t *testing.T) {
	s := NewState()
	due := time.Date(2026, 12, 5, 0, 0, 0, 0, time.UTC)
	all := Entry{ID: EntryID(campaign, "", "1", OpenAccepted), Campaign: campaign, Event: OpenAccepted, Actor: "op@host", Detail: "the rest is theirs", Owner: "the network team", Due: due}
	one := of(1, "", OpenAccepted)
	one.Actor, one.Detail, one.Owner = "op@host", "its own", "jo"
	open := of(0, "", Exception)
	for i, e := range []Entry{listed(0), listed(1), listed(2), all, one, dead(2, "ldap-1"), open} {
		s.Add(uint64(i), e)
	}
	require.Equal(t, Closing, s.Phase)
	require.Equal(t, "the network team", s.AcceptedAs(s.Credentials[0]).Owner)
	require.Equal(t, due, s.AcceptedAs(s.Credentials[0]).Due)
	require.Equal(t, "jo", s.AcceptedAs(s.Credentials[1]).Owner)
	require.Nil(t, s.AcceptedAs(s.Credentials[2]), "it is dead")
}
