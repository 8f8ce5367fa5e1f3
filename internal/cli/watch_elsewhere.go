package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/engine"
	"rollcall/internal/ledger"
	"rollcall/internal/vault/ownmount"
)

// errOverElsewhere ends a watch of a ledger: Vault has the campaign as ended,
// and the ledger was not told.
var errOverElsewhere = errors.New("the campaign is over")

// watchElsewhere follows the device's newest campaign where it runs on a
// Temporal that is not reached from here: by its ledger, where that is in the
// folder of ledgers or somebody gives it out, and else by what Vault has. none
// is why it cannot be followed where it runs.
func (s *session) watchElsewhere(ctx context.Context, none error) error {
	records, err := s.store.Campaigns(ctx, s.cfg.Device)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return none
	}
	campaign := records[0].Campaign
	for _, r := range records {
		if r.ClosedAt.IsZero() && r.Begun {
			campaign = r.Campaign
			break
		}
	}
	folder := s.ledgerDir(campaign)
	if missing(folder) {
		at, found, _ := s.fetch(ctx, campaign)
		if !found {
			return s.watchVault(ctx, campaign)
		}
		folder = at
	} else if engine.Left(s.stateDir) && s.engine == nil { // it was left on this machine
		return s.showLeft(ctx, folder)
	}
	if rec, found, err := s.store.LookAt(ctx, campaign); err == nil && found && rec.ClosedAt.IsZero() && rec.Ago >= fresh {
		return s.showLeft(ctx, folder)
	}
	return s.watchLedger(ctx, campaign, folder)
}

// showLeft shows of a campaign that nobody works on what status does: there is
// nothing to follow.
func (s *session) showLeft(ctx context.Context, folder string) error {
	if err := s.statusFromLedger(ctx, folder, false); err != nil {
		return err
	}
	state, _, err := readLedger(ctx, folder)
	switch {
	case err != nil:
		return err
	case state.Phase == ledger.Closed:
		return codeOf(state)
	}
	return &exit{code: exitUnfinished}
}

// watchLedger shows a ledger as it grows, and the report at its end. Its exit
// code is that of the campaign, as the ledger has it.
func (s *session) watchLedger(ctx context.Context, campaign, folder string) error {
	v := s.newView(campaign)
	v.fetches, v.folder = folder != s.ledgerDir(campaign), folder
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var looked time.Time
	said := ""
	for v.read(ctx); v.state.Phase != ledger.Closed; {
		if time.Since(looked) >= ownmount.SeenEvery {
			looked = time.Now()
			life, err := s.lifeInVault(ctx, campaign)
			if errors.Is(err, errOverElsewhere) {
				v.finish(ctx)
				if v.state.Phase != ledger.Closed {
					return &exit{exitUnfinished, fmt.Errorf("campaign %s: %s. Its last entries did not come here: `rollcall report` shows them once the ledger is given out again", campaign, life)}
				}
				break
			}
			if v.waits = life; life != said && !v.terminal && life != "" {
				s.say("%s", life)
			}
			said = life
		}
		v.refresh(ctx)
		select {
		case <-ctx.Done():
			v.finish(context.WithoutCancel(ctx))
			s.say("not watching campaign %s any more: it goes on where it runs", campaign)
			return &exit{code: exitUnfinished}
		case <-tick.C:
		}
	}
	v.reported = true
	v.showNow()
	if err := s.app.report(ctx, reportFlags{out: output{format: "text"}, dir: v.folder}, nil); err != nil {
		return err
	}
	return codeOf(v.state)
}

// lifeInVault says that nobody works on a campaign, as far as Vault saw it;
// empty where somebody does. errOverElsewhere, with how, where it has ended.
func (s *session) lifeInVault(ctx context.Context, campaign string) (string, error) {
	within, cancel := context.WithTimeout(ctx, lifeTimeout)
	defer cancel()
	rec, found, err := s.store.LookAt(within, campaign)
	switch {
	case err != nil:
		return "whether anybody works on it is not known: " + err.Error(), nil
	case !found:
		return "Vault knows no campaign of that name", nil
	}
	k := recordOf(rec.CampaignRecord, s.now(within), s.zoneShown())
	switch {
	case k.ClosedAt != "":
		return k.words, errOverElsewhere
	case k.State == "running":
		return "", nil
	}
	return "nobody works on it: last sign of life " + stampIn(k.Seen, s.zoneShown()) + "; `rollcall run` where it was started goes on with it", nil
}

// watchVault shows what status shows where there is no ledger to read, and what
// changes of it, until Vault has the campaign as ended or its ledger can be
// read.
func (s *session) watchVault(ctx context.Context, campaign string) error {
	width, _ := terminal(s.Out)
	last := ""
	for {
		known, err := s.whatIsKnown(ctx, []string{campaign})
		if err != nil {
			return err
		}
		var text bytes.Buffer
		known.print(&text, width)
		known.campaign.words = known.campaign.State // which says no more how long ago
		var about bytes.Buffer
		known.print(&about, width)
		if about.String() != last {
			last = about.String()
			if _, err := io.Copy(s.Out, &text); err != nil {
				return err
			}
		}
		if known.campaign.ClosedAt != "" {
			return known.campaign.code()
		}
		select {
		case <-ctx.Done():
			s.say("not watching campaign %s any more: it goes on where it runs", campaign)
			return &exit{code: exitUnfinished}
		case <-time.After(ownmount.SeenEvery):
		}
		if at, found, _ := s.fetch(ctx, campaign); found {
			return s.watchLedger(ctx, campaign, at)
		}
	}
}

// asideFindings are of credentials that are dead and with which not all is
// well.
var asideFindings = []credential.FindingCode{credential.FindingSparePath, credential.FindingPathRefused, credential.FindingLeftBehind, credential.FindingBatchTokens, credential.FindingOrphanTokens}

// code is the exit code of a campaign that has ended, as far as Vault knows:
// what is open but for a finding only the ledger has.
func (k knownCampaign) code() error {
	if k.Listed == nil || k.Dead == nil || *k.Dead < *k.Listed || k.OnSome != nil && *k.OnSome > 0 || k.State != "ended" || k.How != "" && k.How != ledger.EndReached {
		return &exit{code: exitExceptions}
	}
	return nil
}

// codeOf is the exit code of a campaign that has ended, as its ledger has it.
func codeOf(state *ledger.State) error {
	bad := len(state.LeftOut) > 0 || len(state.Accepted) > 0 || state.Why != "" || slices.ContainsFunc(state.Findings, func(f credential.Finding) bool { return f.Code.Incomplete() })
	for c := range state.All() {
		bad = bad || c.Outcome != ledger.Dead || slices.ContainsFunc(c.Findings, func(f credential.Finding) bool { return slices.Contains(asideFindings, f.Code) })
	}
	if bad {
		return &exit{code: exitExceptions}
	}
	return nil
}
