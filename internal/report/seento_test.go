package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Who sees to what is open is shown wherever that is, and whoever closes the
// campaign may say otherwise.
func TestAnOpenItemHasItsOwnerAndDueTimeEverywhere(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	due := at.Add(72 * time.Hour)
	s := ledger.NewState()
	entries := []ledger.Entry{
		{Event: ledger.CampaignStarted, Actor: "jo"},
		{Event: ledger.Listed, Credential: "corp/a", Name: "uid=a", Authority: "corp", Owner: "mail team", Due: due},
		{Event: ledger.Listed, Credential: "corp/b", Name: "uid=b", Authority: "corp"},
		{Event: ledger.RollClosed, Counts: &ledger.Counts{Listed: 2}},
		{Event: ledger.EventOpen, Credential: "corp/a", Step: protocol.Precheck, Reason: protocol.ReasonLocked},
		{Event: ledger.EventOpen, Credential: "corp/b", Step: protocol.Precheck, Reason: protocol.ReasonLocked},
	}
	add := func(e ledger.Entry) {
		e.Campaign, e.At = "c1", at
		e.ID = ledger.EntryID("c1", e.Credential, "", e.Event)
		s.Add(1, e)
	}
	for _, e := range entries {
		add(e)
	}
	shown := func() map[string]string {
		out := map[string]string{"status": SeenTo(s, 100)}
		var text, csv, page, one bytes.Buffer
		require.NoError(t, Text(&text, s, Verification{}, 100))
		require.NoError(t, CSV(&csv, s, Verification{}))
		require.NoError(t, HTML(&page, s, Verification{}, at))
		require.NoError(t, SummaryText(&one, s, Verification{}, at, 100))
		out["text"], out["csv"], out["html"], out["summary"] = text.String(), csv.String(), page.String(), strings.Join(strings.Fields(one.String()), " ")
		doc, err := json.Marshal(StatusOf(s, Verification{}))
		require.NoError(t, err)
		out["json"] = string(doc)
		return out
	}
	for where, text := range shown() {
		require.Contains(t, text, "mail team", where)
	}
	require.Contains(t, shown()["status"], "1 open, owner mail team, due 2026-03-04 12:00:00")
	require.Contains(t, shown()["csv"], "2026-03-04T12:00:00")
	require.Contains(t, shown()["json"], `"owner":"mail team","due":"2026-03-04T12:00:00`)

	for _, where := range []string{"status", "text", "html"} {
		require.Contains(t, strings.ToLower(shown()[where]), "nobody sees to 1 of what is open", where)
		require.Contains(t, shown()[where], "rollcall close --owner", where)
	}
	closedAt := s.ClosedAt
	s.ClosedAt = at
	for _, where := range []string{"status", "text", "html"} {
		require.Contains(t, strings.Join(strings.Fields(shown()[where]), " "), "open: {owner: …}", where)
		require.NotContains(t, shown()[where], "rollcall close --owner", where, "nothing is added to a record after its end")
	}
	s.ClosedAt = closedAt

	add(ledger.Entry{Event: ledger.OpenAccepted, Actor: "jo", Detail: "tonight", Owner: "duty desk"})
	for where, text := range shown() {
		require.NotContains(t, strings.ToLower(text), "nobody sees to", where)
	}
	for where, text := range shown() {
		require.Contains(t, text, "duty desk", where)
	}
	require.NotContains(t, shown()["csv"], "mail team", "whoever closes says otherwise")
}

// An outage hides whether a lock still holds: both have their time.
func TestWhatAnOutageHidesIsShownWithItsTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := ledger.NewState()
	add := func(after time.Duration, e ledger.Entry) {
		e.Campaign, e.At = "c1", at.Add(after)
		e.ID = ledger.EntryID("c1", e.Credential, after.String(), e.Event)
		s.Add(1, e)
	}
	shown := func() (text, page, status string) {
		var b, h bytes.Buffer
		require.NoError(t, Text(&b, s, Verification{}, 200))
		require.NoError(t, HTML(&h, s, Verification{}, at))
		doc, err := json.Marshal(StatusOf(s, Verification{}))
		require.NoError(t, err)
		return b.String(), h.String(), string(doc)
	}
	add(0, ledger.Entry{Event: ledger.CampaignStarted, Actor: "jo"})
	add(0, ledger.Entry{Event: ledger.Listed, Credential: "corp/a", Name: "uid=a", Authority: "corp"})
	add(0, ledger.Entry{Event: ledger.RollClosed, Counts: &ledger.Counts{Listed: 1}})
	add(time.Minute, ledger.Entry{Event: ledger.EventOpen, Credential: "corp/a", Step: protocol.Precheck, Reason: protocol.ReasonLocked})
	add(time.Hour, ledger.Entry{Event: ledger.EventOpen, Credential: "corp/a", Step: protocol.Precheck, Reason: protocol.ReasonUnreachable, Server: "ldaps://one"})
	text, page, status := shown()
	for _, where := range []string{text, page} {
		require.Contains(t, where, "before that locked, since 2026-03-01 12:01:00")
	}
	require.Contains(t, status, `"own":{"step":"precheck","reason":"locked","since":"2026-03-01T12:01:00.000Z"},"unseen_since":"2026-03-01T13:00:00.000Z"`)
	add(4*time.Hour, ledger.Entry{Event: ledger.Exception, Credential: "corp/a", Step: protocol.Precheck, Reason: protocol.ReasonLocked})
	text, page, _ = shown()
	for _, where := range []string{text, page} {
		require.Contains(t, where, "since 2026-03-01 12:01:00")
		require.Contains(t, where, "not looked at since 2026-03-01 13:00:00")
	}
}

// What is said of all that is open takes no task from who has it; what is said
// of that one task does.
func TestClosingTakesNoTaskFromItsOwner(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	due := at.Add(48 * time.Hour)
	s := ledger.NewState()
	add := func(e ledger.Entry) {
		e.Campaign, e.At = "c1", at
		e.ID = ledger.EntryID("c1", e.Credential, "", e.Event)
		s.Add(1, e)
	}
	add(ledger.Entry{Event: ledger.CampaignStarted, Actor: "jo"})
	add(ledger.Entry{Event: ledger.Listed, Credential: "by-hand/radius", Name: "radius", Kind: "shared-secret"})
	add(ledger.Entry{Event: ledger.RollClosed, Counts: &ledger.Counts{Listed: 1}})
	l := s.Credential("by-hand/radius")
	l.Task = &ledger.Task{Due: due, Ends: []ledger.TaskEnd{{TaskSeat: ledger.TaskSeat{End: "a", Owner: "people/kim"}}}}
	add(ledger.Entry{Event: ledger.OpenAccepted, Actor: "jo", Detail: "tonight", Owner: "duty desk", Due: at.Add(time.Hour)})
	owner, until := seenToBy(s, l)
	require.Equal(t, "people/kim", owner)
	require.Equal(t, due, until)
	l.Accepted = &ledger.Acceptance{Owner: "duty desk"}
	owner, _ = seenToBy(s, l)
	require.Equal(t, "duty desk", owner)
}
