package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
)

func TestAResultWithoutAServerIsShownAsWeakerByWhomAndWhyEverywhere(t *testing.T) {
	s := sampleLeftOut().fold()
	_, doc := render(t, s, verified)
	page := text(doc)
	for _, want := range []string{
		"Dead, but not on every server", "Servers and doors left out by a person", far, "By operator@bastion", "its disk burnt", "1 credential is dead on the other servers only",
		"bind on 1 of 2 servers", "Not asked, because a person had left it out: " + far, "proved dead without a server that a person left out",
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "Clean Every")
	p := ProgressOf(s, noon, nil)
	require.Contains(t, RenderProgress(p, 120, false), "left out  "+far+"  by operator@bastion: its disk burnt")
	before := p
	before.LeftOut = nil
	require.Equal(t, []string{"left out: " + far + " of corp, by operator@bastion: its disk burnt, a new one comes on Monday"},
		withoutTime(ProgressLines(before, p)))
	require.Empty(t, ProgressLines(p, p))
}

func TestAServerThatWasLeftOutForNothingIsShownAndTheRestIsClean(t *testing.T) {
	l := sampleLeftOut()
	last := len(l.entries) - 2
	l.entries[last].LeftOut = nil
	s := l.fold()
	require.Equal(t, 0, StatusOf(s, verified).LeftOut[0].Dead)
	_, doc := render(t, s, verified)
	require.Contains(t, text(doc), "No credential died without it")
	require.NotContains(t, text(doc), "Dead, but not on every server")
}

func TestAResultWithoutADoorIsShownAsWeakerByWhomAndWhyEverywhere(t *testing.T) {
	l := sampleLeftOut()
	for i := range l.entries {
		switch e := &l.entries[i]; e.Event {
		case ledger.CampaignStarted:
			e.DoorPlaces = map[string]string{"nas": "ftp://nas.example.org:21"}
		case ledger.Listed:
			e.Doors = []string{"nas"}
		case ledger.ServerLeftOut:
			e.Event, e.Authority, e.Server = ledger.DoorLeftOut, "", "nas"
		case ledger.EventOutcome:
			e.LeftOut, e.DoorsLeftOut = nil, []string{"nas"}
		}
	}
	s := l.fold()
	_, doc := render(t, s, verified)
	page := text(doc)
	for _, want := range []string{
		"Dead, but not at every door", "Servers and doors left out by a person door nas 2 By operator@bastion", "2 credentials are dead without it",
		"nas ftp://nas.example.org:21 0 of 2 values refused as stolen, the new one accepted before and after; 2 dead without it: a person left it out",
		"Dead without door nas. Not asked, because a person had left it out.", "proved dead without a door that a person left out",
	} {
		require.Contains(t, page, want)
	}
	var b strings.Builder
	require.NoError(t, Text(&b, s, verified, 100))
	require.Contains(t, strings.Join(strings.Fields(b.String()), " "), "Left out by a person: a weaker result door nas by operator@bastion")
	require.Equal(t, StatusLeftOut{Server: "nas", Door: true, Actor: "operator@bastion", Reason: s.LeftOut[0].Reason, At: rfc3339(s.LeftOut[0].At), Dead: 2}, StatusOf(s, verified).LeftOut[0])
	p := ProgressOf(s, noon, nil)
	require.Contains(t, RenderProgress(p, 120, false), "left out  door nas  by operator@bastion")
}

func withoutTime(lines []string) (out []string) {
	for _, l := range lines {
		_, words, _ := strings.Cut(l, "Z ")
		out = append(out, words)
	}
	return out
}
