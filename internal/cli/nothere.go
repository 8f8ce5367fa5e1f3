package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rollcall/internal/engine"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
	"rollcall/workflows"
)

// notHere is what is known of a campaign whose ledger is neither on this
// machine nor given out by a ledger worker: names, reasons and times stand in
// that alone.
type notHere struct {
	campaign knownCampaign
	why      string            // why there is no ledger to read
	st       *workflows.Status // what Temporal says; nil where it says nothing
	temporal string            // why it says nothing
	waits    string            // what it waits for; empty where that is not known, or nothing
	folder   string            // where ledgers would be here
	zone     *time.Location    // of the times that are shown; nil: UTC
}

// whatIsKnown asks Vault and Temporal of a campaign, or of the newest of the
// device.
func (s *session) whatIsKnown(ctx context.Context, args []string) (*notHere, error) {
	records, err := s.store.Campaigns(ctx, "")
	if err != nil {
		return nil, err
	}
	out := &notHere{folder: s.cfg.LedgerDir, zone: s.zoneShown()}
	for _, r := range records {
		if len(args) > 0 && r.Campaign != args[0] || len(args) == 0 && !strings.EqualFold(r.Device, s.cfg.Device) {
			continue
		}
		out.campaign = s.knownOf(ctx, r, s.now(ctx))
		out.why = s.noLedger(ctx, r.Campaign)
		if r.ClosedAt.IsZero() {
			out.askTemporal(ctx, s)
		}
		return out, nil
	}
	if len(args) > 0 {
		return nil, fmt.Errorf("no campaign %s is known to Vault, and %s holds no ledger of it: `rollcall campaigns --all` lists those that it knows", args[0], s.cfg.LedgerDir)
	}
	return nil, fmt.Errorf("no campaign is running for device %s, and %s holds no ledger of one", s.cfg.Device, s.cfg.LedgerDir)
}

func (k *notHere) askTemporal(ctx context.Context, s *session) {
	trouble := ""
	err := s.connect(ctx, false)
	if err == nil {
		trouble, _ = s.trouble(ctx, k.campaign.Campaign, workflows.CampaignID(s.cfg.Device), quietAfter, k.zone)
		k.st, err = s.running(ctx)
	}
	switch {
	case errors.Is(err, engine.ErrNotRunning):
		k.temporal = "no Temporal is configured here (TEMPORAL_ADDRESS), and no engine runs on this machine"
	case err != nil:
		k.temporal = "Temporal says nothing: " + err.Error()
	case k.st == nil:
		k.temporal = "Temporal at " + s.engine.Address + " has no running campaign of the device: it runs with another one, or was lost"
	case k.st.Campaign != k.campaign.Campaign:
		k.temporal = "Temporal at " + s.engine.Address + " runs " + k.st.Campaign
		k.st = nil
		return
	}
	k.waits = waitLine(trouble, k.st, k.zone)
}

// noLedger says why no worker gives the ledger of a campaign out.
func (s *session) noLedger(ctx context.Context, campaign string) string {
	offers, err := s.store.LedgerOffers(ctx)
	switch {
	case err != nil:
		return "whether a ledger worker gives it out cannot be read in Vault: " + err.Error()
	case len(offers) == 0:
		return noOffers
	}
	if _, found, why := s.fetch(ctx, campaign); !found && why != nil {
		return strings.ReplaceAll(why.Error(), "\n", "; ")
	}
	return "no ledger worker gives it out"
}

// noOffers: no ledger worker said where it gives ledgers out, as where nobody
// but `rollcall run` works.
const noOffers = "no ledger worker gives ledgers out"

// do is what to do about it.
func (k *notHere) do() string {
	if k.why == noOffers && os.Getenv("TEMPORAL_ADDRESS") == "" {
		return fmt.Sprintf("on the machine where `rollcall run` ran `rollcall status` and `rollcall report` have it: copy its folder from there to %s, or hand on the HTML that run wrote beside it; where the campaign ran on a Temporal cluster (TEMPORAL_ADDRESS), its ledger worker gives it out if it is started with --serve ADDRESS", k.folder)
	}
	return fmt.Sprintf("to read it from here, start the ledger worker with `rollcall worker --role ledger --serve ADDRESS`; on the machine of the ledger worker `rollcall status` and `rollcall report` have it; or copy its folder to %s", k.folder)
}

// neverBegan: it ended before its roll was made, so no ledger was begun either.
func (k *notHere) neverBegan() bool {
	return k.st == nil && k.campaign.ClosedAt != "" && k.campaign.Listed == nil
}

const neverBegan = "it ended before its roll was made: nothing was changed, and there is no ledger of it. What `rollcall run` said then is why; `rollcall doctor` and `rollcall list` say what still stands in the way"

func (k *notHere) head() string {
	return fmt.Sprintf("the ledger of campaign %s is not on this machine, and %s", k.campaign.Campaign, k.why)
}

func (k *notHere) print(w io.Writer, width int) {
	line := func(text string) { fmt.Fprint(w, report.Wrap(report.Clean(text), "", width)) }
	if !k.neverBegan() {
		line(k.head())
	}
	line(fmt.Sprintf("Vault: %s, started %s by %s: %s", k.campaign.Device, stampIn(k.campaign.OpenedAt, cmp.Or(k.zone, time.UTC)), cmp.Or(k.campaign.Actor, "somebody"), k.campaign.words))
	if k.neverBegan() {
		line(neverBegan)
		return
	}
	line(fmt.Sprintf("Vault: %s of %s are noted as dead", k.campaign.dead(), count(k.campaign.Listed)))
	if k.temporal != "" {
		line("Temporal: " + k.temporal)
	}
	if k.st != nil {
		printCounts(w, *k.st)
	}
	if k.waits != "" {
		line(k.waits)
	}
	line("names, reasons and times stand in the ledger alone: " + k.do())
}

// status is that with the keys of the contract.
func (k *notHere) status() report.Status {
	out := report.Status{Campaign: k.campaign.Campaign, Device: k.campaign.Device, State: ledger.Closed,
		ByState: map[string]int{"waiting": 0, "in_work": 0, "open": 0, "exception": 0, "dead": 0}, ByOutcome: map[string]int{"dead": 0, "exception": 0, "excluded": 0},
		Open: []report.StatusOpen{}, Waves: []report.StatusWave{}, LeftOut: []report.StatusLeftOut{}}
	if k.st != nil {
		out = countsOnly(*k.st)
	} else if n := k.campaign; n.Listed != nil && n.Dead != nil {
		out.Listed, out.ByState["dead"], out.ByOutcome["dead"] = *n.Listed, *n.Dead, *n.Dead
		if n.OnSome != nil {
			out.DeadOnSome = *n.OnSome
		}
		out.ByState["open"] = *n.Listed - *n.Dead
	}
	if k.st == nil && k.campaign.ClosedAt == "" {
		out.State = ledger.Running
	}
	out.Elsewhere, out.LastSeen, out.NobodyWorks, out.WaitsFor = k.head(), k.campaign.Seen, k.campaign.State == "silent", k.waits
	return out
}

// knownOf is what Vault has of a campaign.
func (s *session) knownOf(ctx context.Context, r ownmount.CampaignRecord, now time.Time) knownCampaign {
	k := recordOf(r, now, s.zoneShown())
	st, found, err := s.store.StandingOf(ctx, r.Campaign)
	switch {
	case err != nil:
		s.say("warning: how far %s came cannot be read: %v", r.Campaign, err)
	case found:
		k.Listed, k.Excluded = &st.Listed, &st.Excluded
		if st.Noted {
			k.Dead, k.OnSome = &st.Dead, &st.OnSome
		}
	}
	return k
}

// now is the time by Vault's clock, or this machine's.
func (s *session) now(ctx context.Context) time.Time {
	if now, said := s.store.ServerTime(ctx); said {
		return now
	}
	return time.Now()
}

func count(n *int) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}

// showCounts shows of a campaign whose ledger is elsewhere what Temporal says,
// where it is elsewhere, and a line when that changes.
func (v *view) showCounts(ctx context.Context) {
	if !v.fetches || v.reader != nil || time.Since(v.counted) < lookEvery {
		return
	}
	within, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	v.counted = time.Now()
	st, err := v.running(within)
	if err != nil || st == nil || st.Campaign != v.campaign || st.Listed == 0 {
		return
	}
	if v.counts == "" {
		k := notHere{campaign: knownCampaign{Campaign: v.campaign}, why: v.noLedger(within, v.campaign), folder: v.cfg.LedgerDir}
		v.say("note: %s: what follows is counts, from Temporal; %s", k.head(), k.do())
	}
	var text strings.Builder
	printCounts(&text, *st)
	if now := text.String(); now != v.counts {
		v.counts = now
		for line := range strings.Lines(now) {
			v.say("%s", strings.TrimRight(line, "\n"))
		}
	}
}
