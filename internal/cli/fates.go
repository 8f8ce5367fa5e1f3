package cli

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"rollcall/internal/inventory"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
)

// fates shows what became of the credentials of a name in each campaign.
func (s *session) fates(ctx context.Context, records []ownmount.CampaignRecord, of string, asJSON bool) error {
	fates := []knownFate{}
	for _, r := range records {
		err := s.store.Fates(ctx, r.Campaign, func(f ownmount.Fate) {
			if !inventory.Selects(of, f.Credential) {
				return
			}
			k := knownFate{ID: f.ID, Credential: f.Name, Authority: f.Authority, Campaign: r.Campaign, Problem: string(f.Problem), Aside: f.Aside, OnSome: f.Some}
			if !f.DeadAt.IsZero() {
				k.DeadAt = f.DeadAt.UTC().Format(time.RFC3339)
			}
			fates = append(fates, k)
		})
		if err != nil {
			return fmt.Errorf("reading what became of the roll of %s: %w", r.Campaign, err)
		}
	}
	opened := map[string]time.Time{}
	for _, r := range records {
		opened[r.Campaign] = r.OpenedAt
	}
	// The newest campaign comes first, for each.
	slices.SortStableFunc(fates, func(a, b knownFate) int { return cmp.Compare(a.ID, b.ID) })
	if asJSON {
		answers := []firstDeath{}
		for of := range ofEach(fates) {
			answers = append(answers, firstDeathOf(of, opened))
		}
		return printJSON(s.Out, map[string]any{"credentials": fates, "since": answers})
	}
	if len(fates) == 0 {
		return fmt.Errorf("no campaign that Vault knows has a credential called %q (by its DN or the first value of that, its role, its user, or its place in Vault; * stands for any text)", of)
	}
	width, tty := terminal(s.Out)
	if !tty {
		width = math.MaxInt // a line each, for grep
	}
	for of := range ofEach(fates) {
		fmt.Fprintf(s.Out, "%s [%s]\n", report.Clean(of[0].Credential), report.Clean(of[0].Authority))
		fmt.Fprint(s.Out, report.Wrap(report.Clean(firstDeathOf(of, opened).words(s.zoneShown())), "  ", width))
		for _, k := range of {
			fmt.Fprintf(s.Out, "  %s  %s\n", report.Clean(k.Campaign), report.Clean(k.words(s.zoneShown())))
		}
	}
	return nil
}

// ofEach are the fates of each credential, of some that are sorted by it.
func ofEach(fates []knownFate) iter.Seq[[]knownFate] {
	return func(yield func([]knownFate) bool) {
		for i := 0; i < len(fates); {
			n := i
			for n < len(fates) && fates[n].ID == fates[i].ID {
				n++
			}
			if !yield(fates[i:n]) {
				return
			}
			i = n
		}
	}
}

func (k knownFate) words(zone *time.Location) string {
	what := "not proved dead"
	switch {
	case k.DeadAt != "":
		what = "dead since " + stampIn(k.DeadAt, zone)
		if k.Aside {
			what += "; its new value lay where no consumer reads it"
		}
		if k.OnSome {
			what += ", without a server or door that a person had left out"
		}
	case k.Problem != "":
		what += ": " + k.Problem
	}
	return what
}

// firstDeath answers since when the value of a credential is dead that was in
// force before the first campaign that proved one dead: which of its later
// values other campaigns ended is another question. Its JSON keys are stable.
type firstDeath struct {
	ID         string `json:"id"`
	Credential string `json:"credential"`
	Authority  string `json:"authority"`
	// StolenBefore is when that campaign was opened: what was stolen before it
	// is what died there. Absent where nothing was proved dead.
	StolenBefore string `json:"stolen_before,omitempty"`
	DeadAt       string `json:"dead_at,omitempty"`
	Campaign     string `json:"campaign,omitempty"`
	// OnAllAt is when a proof asked every server and door, in that campaign or
	// in a later one, which ended a later value; absent: none did.
	OnAllAt       string `json:"on_all_at,omitempty"`
	OnAllCampaign string `json:"on_all_campaign,omitempty"`
}

// firstDeathOf finds it in the fates of one credential, the newest campaign
// first.
func firstDeathOf(of []knownFate, opened map[string]time.Time) firstDeath {
	out := firstDeath{ID: of[0].ID, Credential: of[0].Credential, Authority: of[0].Authority}
	for _, k := range slices.Backward(of) {
		if k.DeadAt == "" {
			continue
		}
		if out.DeadAt == "" {
			out.DeadAt, out.Campaign = k.DeadAt, k.Campaign
			out.StolenBefore = opened[k.Campaign].UTC().Format(time.RFC3339)
		}
		if !k.OnSome && out.OnAllAt == "" {
			out.OnAllAt, out.OnAllCampaign = k.DeadAt, k.Campaign
		}
	}
	return out
}

func (f firstDeath) words(zone *time.Location) string {
	if f.DeadAt == "" {
		return "no campaign has proved a value of it dead"
	}
	text := "what was stolen before " + stampIn(f.StolenBefore, zone) + " is dead since " + stampIn(f.DeadAt, zone)
	switch {
	case f.OnAllAt == "":
		return text + ", on some servers or doors; no campaign has asked all of them"
	case f.OnAllCampaign != f.Campaign:
		return text + ", on some servers or doors; all of them were asked first in " + f.OnAllCampaign + ", which proved a later value dead at " + stampIn(f.OnAllAt, zone)
	}
	return text + ", on all servers"
}
