package cli

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/plural"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
	"rollcall/workflows"
)

// standing is where a campaign stands, for whoever is asked what to do with it.
type standing struct {
	campaign           string
	listed, dead, open int
}

func standingOf(st workflows.Status) standing {
	out := standing{campaign: st.Campaign, listed: st.Listed}
	for _, w := range st.Waves {
		out.dead += w.Dead
		out.open += w.Open
	}
	return out
}

func standingIn(s *ledger.State) standing {
	by := report.StatusOf(s, report.Verification{})
	return standing{campaign: s.Campaign, listed: by.Listed, dead: by.ByState["dead"], open: by.ByState["open"] + by.ByState["exception"]}
}

func (p standing) String() string {
	if p.listed == 0 {
		return "campaign " + p.campaign + ", which lists"
	}
	text := fmt.Sprintf("campaign %s: %d of %d dead, %d open", p.campaign, p.dead, p.listed, p.open)
	if rest := p.listed - p.dead - p.open; rest > 0 {
		text += fmt.Sprintf(", %d in hand or not tried yet", rest)
	}
	return text
}

// confirmed has somebody asked before an update goes out, once it is known that
// there is a campaign to ask about, and where that stands. more adds what else
// is known; it may be nil.
func (a *app) confirmed(update, what string, arg argument, more func(context.Context, *session, string) string) argument {
	return func(ctx context.Context, s *session) (any, error) {
		with, err := arg(ctx, s)
		if err != nil || !a.asks() {
			return with, err
		}
		st, err := s.running(ctx)
		if err != nil {
			return nil, cannot(update, err)
		}
		if st == nil {
			return nil, cannot(update, s.noneRuns(ctx))
		}
		question := standingOf(*st).String() + ". " + what
		if more != nil {
			question += more(ctx, s, st.Campaign)
		}
		if err := s.confirm(ctx, question, s.cfg.Device); err != nil {
			return nil, err
		}
		return with, s.stillThat(ctx, update, st.Campaign)
	}
}

// stillThat is an error where the campaign that somebody was asked about has
// ended while he thought: what runs by now may be another one.
func (s *session) stillThat(ctx context.Context, update, campaign string) error {
	now, err := s.running(ctx)
	switch {
	case err != nil:
		return cannot(update, err)
	case now == nil:
		return cannot(update, s.noneRuns(ctx))
	case now.Campaign != campaign:
		return cannot(update, fmt.Errorf("campaign %s has ended meanwhile, and campaign %s runs, of which nobody was asked; nothing was done", campaign, now.Campaign))
	}
	return nil
}

// confirmLeft is confirmed of a campaign that nobody works on, which has to be
// started before it could be asked: its ledger says where it stands. none is
// why it cannot be asked, and comes back where nothing is left to ask about.
func (a *app) confirmLeft(ctx context.Context, what string, none error) error {
	return a.withVault(ctx, func(s *session) error {
		all, err := s.store.Campaigns(ctx, s.cfg.Device)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(r ownmount.CampaignRecord) bool { return r.ClosedAt.IsZero() })
		if i < 0 {
			return none
		}
		is := ownmount.Running{CampaignRecord: all[i], Ago: s.now(ctx).Sub(all[i].Seen)}
		at, here := s.placeOf(ctx, is.Campaign)
		if is.Lives() && at.Folder != "" && !here {
			return none // it runs on another machine, which that says
		}
		if !a.asks() {
			return nil
		}
		text, who := "campaign "+is.Campaign+s.farOf(ctx, is.Campaign), "Nobody works on it: it is started for that"
		if state := a.ledgerHere(ctx); state != nil && state.Campaign == is.Campaign {
			text = standingIn(state).String()
		} else if !here {
			who = fmt.Sprintf("It gave its last sign of life %s ago; if it was begun here, it is started for that", max(is.Ago, 0).Round(time.Second))
		}
		return s.confirm(ctx, text+". "+who+". "+what, s.cfg.Device)
	})
}

// whatOfServer says how many of the roll that are not dead a server has, and
// whether it answers: one that does need not be left out.
func (s *session) whatOfServer(ctx context.Context, campaign, server string) (text string) {
	index, err := s.store.ReadIndex(ctx, campaign)
	if err != nil {
		return ""
	}
	n := 0
	err = s.store.Fates(ctx, campaign, func(f ownmount.Fate) {
		if f.DeadAt.IsZero() && slices.Contains(index.Servers[f.Authority], server) {
			n++
		}
	})
	if err == nil {
		text = fmt.Sprintf(" %s of the roll %s not dead there by now.", plural.Count(n, "credential", "credentials"), plural.Pick(n, "is", "are"))
	}
	u, err := url.Parse(server)
	if err != nil || u.Port() == "" {
		return text
	}
	c, err := (&net.Dialer{Timeout: lookEvery, Deadline: time.Now().Add(lookEvery)}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return text + " Its port does not answer from here."
	}
	_ = c.Close()
	return text + " Its port ANSWERS from here, so it may be well."
}
