// Package record makes the entries of the ledger from what activities are told.
// Names are added here, from the roll: none crosses Temporal. An entry's id is
// the same whenever it is made, so that one that is repeated collapses.
package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/version"
	"rollcall/internal/wire"
)

// Started begins the record of a campaign.
func Started(in wire.Roll, about credential.Incident, contained *credential.Containment, of *credential.Accounting, now time.Time) []ledger.Entry {
	start := ledger.Entry{
		ID: ledger.EntryID(in.Campaign, "", "", ledger.CampaignStarted), At: now, Campaign: in.Campaign,
		Event: ledger.CampaignStarted, Device: in.Device, Actor: in.Actor, Program: version.Current().String(), Spec: in.Spec, Detail: in.Exposure, Servers: in.Servers, Addresses: in.Addresses, Waves: waveNames(in.Waves), DoorPlaces: in.Doors, Incident: incident(about),
	}
	entries := []ledger.Entry{start}
	if c := contained; c != nil {
		entries[0].Rules = ledger.RulesNamed
		if c.By == "" {
			c.By = in.Actor
		}
		entries = append(entries, ledger.ContainmentEntry(in.Campaign, c, now))
	}
	for _, e := range ledger.ProfileEntries(in.Campaign, of) {
		e.At = now
		entries = append(entries, e)
	}
	return entries
}

// NeverListed begins the record of a campaign that ended before it had a roll:
// who opened it, and when, as Vault has it. Where the record has begun already
// it is the same entry, of which the ledger keeps the first.
func NeverListed(campaign, device, actor string, about credential.Incident, opened time.Time) ledger.Entry {
	return ledger.Entry{
		ID: ledger.EntryID(campaign, "", "", ledger.CampaignStarted), At: opened.UTC(), Campaign: campaign,
		Event: ledger.CampaignStarted, Device: device, Actor: actor, Program: version.Current().String(), Incident: incident(about),
	}
}

// incident is nil where a campaign file has none.
func incident(about credential.Incident) *credential.Incident {
	if about.Number == "" {
		return nil
	}
	return &about
}

// waveNames are those of the waves that hold something; nil where there is only
// one.
func waveNames(waves []credential.WaveIndex) map[int]string {
	if len(waves) < 2 {
		return nil
	}
	names := map[int]string{}
	for _, w := range waves {
		if w.Name != "" {
			names[w.Wave] = w.Name
		}
	}
	return names
}

// Names of logins are told as far as an entry has room, whatever whoever may
// write an account's attributes puts there.
const (
	mostLogins   = 32
	longestLogin = 512 // as JSON
)

func withRoom(names []string) (out []string) {
	for _, name := range names {
		if text, err := json.Marshal(name); err == nil && len(text) <= longestLogin && len(out) < mostLogins {
			out = append(out, name)
		}
	}
	return out
}

// listed is a credential as the roll has it.
func listed(campaign string, c credential.Credential, event ledger.Event, which string, now time.Time) ledger.Entry {
	e := ledger.About(campaign, c, event, which, now)
	e.Kind, e.Authority, e.Wave, e.Paths, e.Reasons, e.Lines, e.UsedBy = c.Kind, c.Authority, c.Wave, c.Paths, c.Reasons, c.Lines, c.UsedBy
	e.DeadBefore, e.Owner, e.Due = c.DeadBefore, c.Owner, c.Due
	if e.Logins = withRoom(c.LoginNames); !c.Kind.OpensVault() {
		e.VaultLogins = withRoom(c.VaultLogins())
	}
	for _, d := range c.Doors {
		e.Doors = append(e.Doors, d.Door)
		if d.End != "" {
			if e.DoorEnds == nil {
				e.DoorEnds = map[string]string{}
			}
			e.DoorEnds[d.Door] = d.End
		}
	}
	if c.Task != nil && c.Task.At != nil {
		e.Paths = []credential.Path{*c.Task.At}
	}
	return e
}

// TakenUp are the entries of one credential that was listed again while the
// campaign runs, and of what the new listing found about it. at tells one
// listing of it from another.
func TakenUp(in wire.TakenUpInput, event ledger.Event, at credential.Ref, c credential.Credential, found []credential.Finding, now time.Time) []ledger.Entry {
	which := fmt.Sprintf("%d.%d", at.Page, at.Index)
	if event == ledger.Replaced {
		e := ledger.About(in.Campaign, c, event, which, now)
		e.Actor, e.Paths = in.Actor, c.Paths
		return []ledger.Entry{e}
	}
	e := listed(in.Campaign, c, event, which, now)
	e.Actor = in.Actor
	entries := []ledger.Entry{e}
	for _, f := range Findings(in.Campaign, c.ID, found, now) {
		f.ID = ledger.EntryID(in.Campaign, c.ID, which+"."+string(f.Finding)+fmt.Sprint(len(entries)), ledger.EventFinding)
		entries = append(entries, f)
	}
	return entries
}

// FoundAgain are the warnings of a listing that was made again.
func FoundAgain(in wire.TakenUpInput, list []credential.Finding, now time.Time) []ledger.Entry {
	entries := Findings(in.Campaign, "", list, now)
	for i := range entries {
		entries[i].ID = ledger.EntryID(in.Campaign, "", fmt.Sprintf("%s.%s.%d", in.Amended.Proposal, entries[i].Finding, i), ledger.EventFinding)
	}
	return entries
}

// Listed are the entries of one page of the roll: one for each credential
// and the findings of the listing.
func Listed(campaign string, page []credential.Credential, found map[string][]credential.Finding, now time.Time) []ledger.Entry {
	var entries []ledger.Entry
	for _, c := range page {
		e := listed(campaign, c, ledger.Listed, "", now)
		entries = append(entries, e)
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		entries = append(entries, Findings(campaign, id, found[id], now)...)
	}
	return entries
}

// Findings of one credential, or with an empty id of the listing as a whole.
func Findings(campaign, id string, list []credential.Finding, now time.Time) []ledger.Entry {
	var entries []ledger.Entry
	nth := map[credential.FindingCode]int{}
	for _, f := range list {
		which := string(f.Code)
		if nth[f.Code]++; nth[f.Code] > 1 {
			which += fmt.Sprintf(".%d", nth[f.Code]) // one code, said of several things
		}
		entries = append(entries, ledger.Entry{
			ID: ledger.EntryID(campaign, id, which, ledger.EventFinding), At: now, Campaign: campaign,
			Event: ledger.EventFinding, Credential: id, Finding: f.Code, Detail: f.Detail,
		})
	}
	return entries
}

// NotAsked are the entries of doors without which a person went on.
func NotAsked(campaign string, doors []credential.UnfitDoor, now time.Time) (entries []ledger.Entry) {
	for _, u := range doors {
		if u.Override == "" {
			continue // a roll of a build before
		}
		entries = append(entries, ledger.Entry{
			ID: ledger.EntryID(campaign, "", u.Door, ledger.DoorNotAsked), At: now, Campaign: campaign,
			Event: ledger.DoorNotAsked, Server: u.Door, Actor: u.OverrideBy, Detail: u.Override,
		})
	}
	return entries
}

// Read are the entries of readings of logs. signs are those of what is listed,
// by reading.
func Read(campaign string, readings []credential.LogsRead, signs map[string][]ledger.Entry, now time.Time) (entries []ledger.Entry) {
	for _, r := range readings {
		before, last := ledger.ReadingEntries(campaign, r, now)
		entries = append(append(append(entries, before...), signs[r.ID]...), last)
	}
	return entries
}

// Closed ends the list, with what was left out of it and the counts.
func Closed(in wire.Roll, excluded []credential.Exclusion, now time.Time) (entries []ledger.Entry) {
	for _, x := range excluded {
		entries = append(entries, ledger.Entry{
			ID: ledger.EntryID(in.Campaign, x.ID, "", ledger.Excluded), At: now, Campaign: in.Campaign,
			Event: ledger.Excluded, Credential: x.ID, Name: x.Name, Detail: x.Reason, Reasons: x.Found,
		})
	}
	return append(entries, ledger.Entry{
		ID: ledger.EntryID(in.Campaign, "", "", ledger.RollClosed), At: now, Campaign: in.Campaign, Event: ledger.RollClosed,
		Counts: &ledger.Counts{Listed: in.Listed, Excluded: in.Excluded},
	})
}

// Event is what happened to a campaign as a whole.
func Event(in wire.EventInput, now time.Time) ledger.Entry {
	e := ledger.Entry{
		ID: ledger.EntryID(in.Campaign, "", strconv.Itoa(in.Number), in.Event), Campaign: in.Campaign,
		Event: in.Event, Device: in.Device, Actor: in.Actor, Detail: in.Detail, At: now,
		Authority: in.Authority, Server: in.Server, Finding: in.Finding,
	}
	if in.Finding != "" {
		e.ID = ledger.EntryID(in.Campaign, "", string(in.Finding), in.Event)
	}
	return e
}

// Accepted are the entries of a person's word that what is open stays open: one
// for all, and one for each of which he says something else.
func Accepted(e ledger.Entry, in *wire.Acceptance, of []credential.Credential) []ledger.Entry {
	e.Owner, e.Due = in.Owner, in.Due
	entries := []ledger.Entry{e}
	for i, it := range in.Items {
		own := ledger.About(e.Campaign, of[i], ledger.OpenAccepted, "", e.At)
		own.Actor, own.Detail, own.Owner, own.Due = e.Actor, it.Reason, it.Owner, it.Due
		entries = append(entries, own)
	}
	return entries
}

// AnchoredAt says where the checkpoints are copied.
func AnchoredAt(campaign, place string, now time.Time) ledger.Entry {
	return ledger.Entry{
		ID: ledger.EntryID(campaign, "", "", ledger.Anchored), At: now, Campaign: campaign, Event: ledger.Anchored,
		Detail: "every checkpoint of this ledger is copied to " + place + " in Vault, each to a path of its own",
	}
}
