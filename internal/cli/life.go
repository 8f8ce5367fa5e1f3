package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/engine"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
	"rollcall/workflows"
)

// life is whether anybody works on a campaign that has not ended, which its
// ledger cannot say.
type life struct {
	Seen   time.Time // last sign of life, by Vault's clock; zero if not known
	Nobody bool
	Words  string // for people
	// Status is what the campaign says of itself; nil where nobody serves it
	// here, or it does not answer.
	Status *workflows.Status
	// Waits is what it waits for; empty where that is not known, or nothing.
	Waits string
	// Stands: as far as is known here nothing of it goes on.
	Stands bool
}

const (
	// lifeTimeout bounds the look, which is an extra to what the ledger says.
	lifeTimeout = 5 * time.Second
	// fresh is how old a sign of life may be of a campaign whose worker is
	// there.
	fresh = 3 * ownmount.SeenEvery
)

// lifeOf asks Vault when a campaign was last seen, and Temporal who serves it
// and what it waits for. Times in words are in zone.
func (a *app) lifeOf(ctx context.Context, folder string, state *ledger.State, zone *time.Location) life {
	if state.Phase == ledger.Closed || state.Campaign == "" {
		return life{}
	}
	ctx, cancel := context.WithTimeout(ctx, lifeTimeout)
	defer cancel()
	s, err := a.openVault(ctx)
	if err != nil {
		return life{Words: "whether anybody works on it is not known, for Vault cannot be asked: " + err.Error()}
	}
	defer s.close()
	rec, found, err := s.store.LookAt(ctx, state.Campaign)
	switch {
	case err != nil:
		return life{Words: "whether anybody works on it is not known: " + err.Error()}
	case !found:
		return life{Words: "Vault knows no campaign of that name, so nobody works on it with this Vault"}
	}
	if text := s.olderCopy(ctx, folder, state.Campaign); text != "" {
		return life{Seen: rec.Seen, Words: text}
	}
	if !rec.ClosedAt.IsZero() {
		return life{Seen: rec.Seen, Nobody: true, Words: (&ownmount.ClosedMeanwhile{CampaignRecord: rec.CampaignRecord}).Error() + ", and this ledger was not told: nobody works on it"}
	}
	out := life{Seen: rec.Seen, Stands: rec.Ago >= fresh}
	ago := max(rec.Ago, 0).Round(time.Second)
	seen := fmt.Sprintf("last sign of life %s ago (%s)", ago, rec.Seen.In(zone).Format(time.RFC3339))
	if !rec.Begun {
		seen = fmt.Sprintf("no worker has taken it up since it was opened %s ago", ago)
	}
	why, do := s.unserved(ctx)
	out.Stands = out.Stands || why != "" && !a.isFetched(folder)
	if why != "" && onlyPeopleLeft(state) {
		out.Nobody = rec.Ago >= fresh
		out.Words = "people are waited for, and nothing has to run meanwhile: what they say is taken up by the next `rollcall run` where it was started (" + seen + ", and " + why + ")"
		return out
	}
	if why == "" {
		var silentFor time.Duration
		if time.Since(state.LatestAt) < quietAfter {
			silentFor = quietAfter // it is on its way, whoever was asked a moment ago
		}
		// First, for a campaign without a worker gives no answer in this time.
		trouble, _ := s.trouble(ctx, state.Campaign, workflows.CampaignID(s.cfg.Device), silentFor, zone)
		st, err := s.running(ctx)
		if err == nil && st != nil && st.Campaign == state.Campaign {
			out.Status = st
		}
		if err != nil || out.Status != nil { // else it is another one that waits
			out.Waits = waitLine(trouble, out.Status, zone)
			out.Stands = out.Stands || trouble != "" || out.Waits != "" && silentFor == 0
		}
	}
	switch {
	case rec.Ago < fresh && (why == "" || a.isFetched(folder)):
		out.Words = seen // of a copy somebody gives the ledger out, where it runs
	case rec.Ago < fresh:
		out.Words = seen + ", but " + why + ": unless it runs elsewhere, nobody works on it; " + do
	case why == "":
		out.Nobody, out.Words = true, "nobody works on it: "+seen+"; a worker is there and says nothing: look at its own messages, and whether it reaches Vault"
	default:
		out.Nobody, out.Words = true, fmt.Sprintf("nobody works on it: %s, and %s; %s. `rollcall run` elsewhere takes over %s after the last sign of life", seen, why, do, ownmount.SupersededGrace)
	}
	return out
}

// olderCopy says that a folder has fewer entries than Vault has anchored: the
// ledger went on elsewhere. Empty if it has not, or nobody can tell.
func (s *session) olderCopy(ctx context.Context, folder, campaign string) string {
	anchored, err := s.store.AnchoredSize(ctx, campaign)
	if err != nil {
		return ""
	}
	r, err := ledger.OpenReader(folder) // after the anchor, for a ledger may grow meanwhile
	if err != nil {
		return ""
	}
	cp, err := r.Checkpoint()
	if err != nil || cp.Size >= anchored {
		return ""
	}
	return fmt.Sprintf("%s is an older copy: it has %s, and Vault has anchored %d. What is shown is of then. Where the ledger is written `rollcall status` shows what is so; here it does once this copy is taken away, if a ledger worker gives the ledger out",
		folder, report.Plural(int(cp.Size), "entry", "entries"), anchored)
}

// onlyPeopleLeft reports whether all that is open are people's tasks.
func onlyPeopleLeft(state *ledger.State) bool {
	open := state.Open()
	return len(open) > 0 && !slices.ContainsFunc(open, func(c *ledger.CredentialState) bool { return c.Task == nil })
}

// unserved says why nobody here serves a campaign, and what to do; empty if
// somebody does or Temporal does not say.
func (s *session) unserved(ctx context.Context) (why, do string) {
	const again = "`rollcall run` where it was started goes on from there, and nothing is lost"
	err := s.connect(ctx, false)
	if errors.Is(err, engine.ErrNotRunning) {
		return "no engine runs on this machine", again
	}
	if err != nil {
		return "Temporal does not answer", "bring it back (TEMPORAL_ settings), and the campaign goes on by itself"
	}
	missing, err := s.missingWorkers(ctx)
	if err != nil || len(missing) == 0 {
		return "", ""
	}
	if s.engine.Local {
		return "the engine on this machine has no worker", again
	}
	return "no worker serves it at " + s.engine.Address, "start " + quoted(missing) + ", and it goes on by itself"
}
