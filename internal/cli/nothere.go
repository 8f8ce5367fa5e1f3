package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rollcall/internal/engine"
	"rollcall/internal/ledger"
	"rollcall/internal/paste"
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
	at       ownmount.LedgerPlace
	here     bool           // that is a folder of this machine
	zone     *time.Location // of the times that are shown; nil: UTC
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
		out.why, out.at, out.here = s.noLedger(ctx, r.Campaign)
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

// noLedger says why no worker gives the ledger of a campaign out, and where it
// is written, as far as Vault knows. here: that is this machine.
func (s *session) noLedger(ctx context.Context, campaign string) (why string, at ownmount.LedgerPlace, here bool) {
	at, here = s.placeOf(ctx, campaign)
	offers, err := s.store.LedgerOffers(ctx)
	switch {
	case err != nil:
		return "whether somebody gives it out cannot be read in Vault: " + err.Error(), at, here
	case len(offers) == 0:
		return noOffers, at, here
	}
	if _, found, why := s.fetch(ctx, campaign); !found && why != nil {
		return strings.ReplaceAll(why.Error(), "\n", "; "), at, here
	}
	return "nobody gives it out", at, here
}

// placeOf is where a ledger is written, and whether that is a folder that is
// there on this machine. What cannot be read is not known.
func (s *session) placeOf(ctx context.Context, campaign string) (at ownmount.LedgerPlace, here bool) {
	at, err := s.store.LedgerAt(ctx, campaign)
	if err != nil {
		return ownmount.LedgerPlace{}, false
	}
	name, err := os.Hostname()
	return at, err == nil && name == at.Host && at.Folder != "" && !missing(at.Folder)
}

// whoseElse says what Vault knows of the device's newest campaign, to follow
// that none runs here; empty where it knows none, or does not say.
func (s *session) whoseElse(ctx context.Context) string {
	records, err := s.store.Campaigns(ctx, s.cfg.Device)
	if err != nil || len(records) == 0 {
		return ""
	}
	r := records[0]
	for _, of := range records { // one that has not ended is the one that is meant
		if of.ClosedAt.IsZero() && of.Begun {
			r = of
			break
		}
	}
	k := recordOf(r, s.now(ctx), s.zoneShown())
	text := fmt.Sprintf("; campaign %s, started %s by %s: %s", r.Campaign, stampIn(k.OpenedAt, s.zoneShown()), cmp.Or(r.Actor, "somebody"), k.words)
	if !r.ClosedAt.IsZero() {
		return text + "; `rollcall report` shows it, and `rollcall run` begins another one, which sets everything once more"
	}
	at, here := s.placeOf(ctx, r.Campaign)
	where := ""
	if at.Folder != "" {
		where = "; its ledger is on " + at.Host + ", in " + at.Folder
	}
	switch {
	case k.State == "running" && here:
		return text + where + ": it runs on this machine, in another folder or with another --state-dir: do it from there"
	case k.State == "running":
		return text + ", elsewhere" + where + ": do it where it runs"
	}
	return text + where + ": `rollcall run` there goes on with it"
}

// noOffers: nobody said where ledgers are given out, as where nobody but
// `rollcall run` works.
const noOffers = "nobody gives ledgers out"

// do is what to do about it.
func (k *notHere) do() string {
	switch {
	case k.here:
		return fmt.Sprintf("`rollcall status --ledger %s` and `rollcall report --ledger %s` read it", paste.Shell(k.at.Folder), paste.Shell(k.at.Folder))
	case k.at.Folder != "":
		return fmt.Sprintf("on %s `rollcall ledger serve --listen :8443`, with the campaign file, gives it out from %s, and this command reads it then; or copy that folder to %s%s", k.at.Host, filepath.Dir(k.at.Folder), filepath.Join(k.folder, k.campaign.Campaign), k.standsStill())
	}
	return fmt.Sprintf("where it is `rollcall ledger serve --listen :8443`, with the campaign file, gives it out, and this command reads it then; or copy its folder to %s%s", filepath.Join(k.folder, k.campaign.Campaign), k.standsStill())
}

// standsStill says of a copy that is made by hand what it is not, while the
// campaign has not ended.
func (k *notHere) standsStill() string {
	if k.campaign.ClosedAt != "" {
		return ""
	}
	return ", which shows what was until then and no more"
}

// neverBegan: it ended before its roll was made, so no ledger was begun either.
func (k *notHere) neverBegan() bool {
	return k.st == nil && k.campaign.ClosedAt != "" && k.campaign.Listed == nil
}

const neverBegan = "it ended before its roll was made: nothing was changed, and there is no ledger of it. What `rollcall run` said then is why; `rollcall doctor` and `rollcall list` say what still stands in the way"

// listing: its roll is being made, before which there is no ledger anywhere.
func (k *notHere) listing() bool { return k.st != nil && k.st.Phase == ledger.Listing }

func (k *notHere) head() string {
	if k.listing() {
		return fmt.Sprintf("campaign %s is being listed, and has no ledger before that is done", k.campaign.Campaign)
	}
	where := "not on this machine"
	switch {
	case k.here:
		where = "in another folder of this machine, " + k.at.Folder
	case k.at.Folder != "":
		where = fmt.Sprintf("not here, but on %s, in %s", k.at.Host, k.at.Folder)
	}
	return fmt.Sprintf("the ledger of campaign %s is %s, and %s", k.campaign.Campaign, where, k.why)
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
	if !k.listing() {
		line(fmt.Sprintf("Vault: %s of %s are noted as dead", k.campaign.dead(), count(k.campaign.Listed)))
	}
	if k.temporal != "" {
		line("Temporal: " + k.temporal)
	}
	if k.st != nil {
		printCounts(w, *k.st)
	}
	if k.waits != "" {
		line(k.waits)
	}
	if !k.listing() {
		line("names, reasons and times stand in the ledger alone: " + k.do())
	}
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
		k := notHere{campaign: knownCampaign{Campaign: v.campaign}, folder: v.cfg.LedgerDir}
		k.why, k.at, k.here = v.noLedger(within, v.campaign)
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
