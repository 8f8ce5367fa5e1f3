package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestWhatPeopleDidIsKeptWithWhoWhenAndWhy(t *testing.T) {
	s := NewState()
	n := uint64(0)
	add := func(e Entry) {
		e.ID, e.Campaign, e.At = EntryID(campaign, e.Credential, string(rune('a'+n)), e.Event), campaign, time.Unix(int64(n), 0).UTC()
		s.Add(n, e)
		s.Add(n, e) // said twice
		n++
	}
	add(Entry{Event: CampaignStarted, Actor: "a@1"})
	add(Entry{Event: DeviceContained, Containment: &credential.Containment{How: credential.Isolated}})
	add(Entry{Event: DeviceContained, Containment: &credential.Containment{Override: "it cannot be off", OverrideBy: "b@1"}})
	add(Entry{Event: CampaignPaused, Actor: "c@1"})
	add(Entry{Event: CampaignResumed, Actor: "d@1"})
	add(Entry{Event: ServerLeftOut, Authority: "corp", Server: "ldap2", Actor: "e@1", Detail: "burnt"})
	add(Entry{Event: DoorNotAsked, Server: "mail", Actor: "h@1", Detail: "its certificate is of yesterday"})
	add(Entry{Event: LoginAccepted, Credential: "vault/approle/x", Name: "approle/x", Actor: "f@1", Detail: "Monday"})
	add(Entry{Event: CampaignAborted, Actor: "g@1"})
	add(Entry{Event: CampaignClosed, Detail: "ended early: because"})
	var got []string
	for _, a := range s.Actions {
		got = append(got, string(a.Event)+" "+a.Who+" "+a.What+" "+a.Why)
	}
	require.Equal(t, []string{
		"campaign-started a@1  ", "contained b@1  it cannot be off", "campaign-paused c@1  ", "campaign-resumed d@1  ",
		"server-left-out e@1 ldap2 of corp burnt", "door-not-asked h@1 mail its certificate is of yesterday", "login-accepted f@1 approle/x Monday", "campaign-aborted g@1  ", "campaign-closed   ended early: because",
	}, got)
	require.Equal(t, "g@1", s.By(CampaignAborted).Who)
	require.EqualValues(t, 8, s.By(CampaignAborted).Index)
	require.Nil(t, s.By(TookOver))
	require.True(t, s.EndedEarly(), "its roll was never closed")
	require.Equal(t, "ended early: because", s.Why)
}

// A ledger of before has neither, and is the same bytes as ever.
func TestWhatACampaignWasStartedWithIsInItsFirstEntryAndInNoOlderOne(t *testing.T) {
	plain := Entry{ID: EntryID(campaign, "", "", CampaignStarted), Campaign: campaign, Event: CampaignStarted, At: time.Unix(1, 0).UTC()}
	line, err := encode(plain)
	require.NoError(t, err)
	require.NotContains(t, string(line), "spec")
	require.NotContains(t, string(line), "dead_before")
	old, err := ParseEntry(line)
	require.NoError(t, err)
	require.True(t, canonical(line, old))

	plain.Spec = &Specification{SHA256: "aa", FileSHA256: "bb"}
	line, err = encode(plain)
	require.NoError(t, err)
	now, err := ParseEntry(line)
	require.NoError(t, err)
	require.True(t, canonical(line, now))
	s := NewState()
	s.Add(0, now)
	require.Equal(t, plain.Spec, s.Spec)
}

func TestACampaignIsNotClosedWithOtherExclusionsThanItsRoll(t *testing.T) {
	for _, row := range []struct {
		roll, end int
		wrong     bool
	}{{2, 2, false}, {2, 0, false}, {2, 1, true}, {0, 1, true}} {
		a := newAudit(&Report{Campaign: campaign})
		for i, e := range []Entry{
			{Event: CampaignStarted}, {Event: RollClosed, Counts: &Counts{Excluded: row.roll}}, {Event: CampaignClosed, Counts: &Counts{Excluded: row.end}},
		} {
			e.ID, e.Campaign, e.At = EntryID(campaign, "", "", e.Event), campaign, time.Unix(1, 0).UTC()
			line, err := encode(e)
			require.NoError(t, err)
			a.entry(int64(i), line)
		}
		a.finish()
		require.Equal(t, row.wrong, a.rep.says(2, "excluded"), "%+v: %v", row, a.rep.Problems)
	}
}
