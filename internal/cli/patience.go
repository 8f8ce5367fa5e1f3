package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"rollcall/internal/awaited"
	"rollcall/internal/ledger"
	"rollcall/internal/plural"
	"rollcall/internal/report"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
	"rollcall/workflows"
)

// loginLeast is what must be left of a login to Vault so that a campaign is
// begun with it.
const loginLeast = time.Minute

// requireLogin says before anything is begun that the login to Vault may end
// before the campaign does, and refuses one with which nothing could be set.
func (s *session) requireLogin(ctx context.Context) error {
	deadline := time.Duration(s.cfg.Limits.Deadline)
	last, err := s.store.LastFor(ctx, deadline)
	switch {
	case err != nil:
		return fmt.Errorf("%w; nothing was started", err)
	case last.For == 0:
		return nil
	case last.For < loginLeast:
		return fmt.Errorf("the login to Vault ends in %s and cannot be prolonged, too soon to set a value and activate it; nothing was started; %s", last.For, last.Remedy)
	}
	s.say("note: Rollcall's login to Vault ends in %s and cannot be prolonged beyond that; the campaign may take %s. Near its end nothing more is set; %s", last.For, deadline, last.Remedy)
	return nil
}

const (
	lookEvery  = 2 * time.Second
	quietAfter = 5 * time.Second // without a line in the ledger it is asked what the wait is for
	waitsAfter = 8 * time.Second // and, where nothing fails, what comes next: nobody is left alone for 10 s
)

// patience says what a campaign waits for while nothing is recorded, and ends
// the wait for a login that cannot come back.
type patience struct {
	*session
	campaign, workflow string
	looked             time.Time
	grew               time.Time // when the ledger grew last
	entries            uint64
	login, waiting     string // what was said
	owner              time.Time
	takenOver          bool // and said
}

func (s *session) newPatience(campaign, workflow string) *patience {
	return &patience{session: s, campaign: campaign, workflow: workflow, grew: time.Now()}
}

// look returns whether it said anything, and an error if the wait is in vain.
func (p *patience) look(ctx context.Context, entries uint64) (said bool, err error) {
	now := time.Now()
	if now.Sub(p.looked) < lookEvery {
		return false, nil
	}
	p.looked = now
	if entries != p.entries {
		p.entries, p.grew, p.waiting = entries, now, ""
	}
	if p.engine.Started {
		if said, err = p.lookAtLogin(); said || err != nil {
			return said, err
		}
	}
	if now.Sub(p.owner) >= ownmount.SeenEvery {
		if p.owner = now; p.sayTakenOver(ctx) {
			return true, nil
		}
	}
	if now.Sub(p.grew) < quietAfter {
		return false, nil
	}
	tries, why := p.engine.Failing(ctx, p.workflow, workerEnded)
	if why == nil {
		if since := p.engine.Untaken(ctx, p.workflow); !since.IsZero() && now.Sub(since) > quietAfter {
			return p.sayUntaken(since), nil
		}
		if silent := p.engine.Awaited(ctx, p.workflow); len(silent) > 0 {
			return p.saySilent(ctx, silent), nil
		}
		return p.sayWaits(ctx, now), nil
	}
	if waitingFor(why) == p.waiting {
		return false, nil
	}
	p.waiting = waitingFor(why)
	p.say("waiting (tried %s): %s", plural.Count(tries-1, "time", "times"), p.waiting)
	return true, nil
}

// sayTakenOver says, once, that another campaign has taken over.
func (p *patience) sayTakenOver(ctx context.Context) bool {
	if p.takenOver {
		return false
	}
	rec, found, err := p.store.LookAt(ctx, p.campaign)
	if err != nil || !found || !rec.Superseded {
		return false
	}
	p.takenOver = true
	p.say("%v: nothing more of this one is begun, and it ends once what it has in hand is done; `rollcall campaigns` has the other", &ownmount.ClosedMeanwhile{CampaignRecord: rec.CampaignRecord})
	return true
}

// sayUntaken says that no worker takes up what the campaign needs done; once,
// until something has changed.
func (p *patience) sayUntaken(since time.Time) bool {
	about := "since " + since.UTC().Format("15:04:05Z")
	if about == p.waiting {
		return false
	}
	p.waiting = about
	p.say("waiting: no worker takes up what lies there %s: look whether `rollcall worker` and `rollcall worker --role ledger` are alive (their /healthz), and start what is not", about)
	return true
}

// saySilent says which servers were asked and have not answered; once, until
// something has changed.
func (p *patience) saySilent(ctx context.Context, silent []awaited.Server) bool {
	about := "an answer of " + silent[0].Name
	if about == p.waiting {
		return false
	}
	p.waiting = about
	within, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	index, _ := p.store.ReadIndex(within, p.campaign) // there is none while it is listed
	p.say("waiting: %s", silence(p.cfg, index, silent))
	return true
}

// sayWaits says of a campaign in which nothing fails what comes next, and when;
// once, until something has changed.
func (p *patience) sayWaits(ctx context.Context, now time.Time) bool {
	if now.Sub(p.grew) < waitsAfter {
		return false
	}
	within, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	st, err := p.running(within)
	if err != nil || st == nil {
		return false // what cannot be asked is said by what asks for itself
	}
	text, about := waits(*st)
	if text == "" || about == p.waiting {
		return false
	}
	p.waiting = about
	p.say("waiting: %s", text)
	return true
}

// waits words what the running waves of a campaign wait for; empty where none
// does. about is the same without the times.
func waits(st workflows.Status) (text, about string) {
	names := map[int]string{}
	for _, w := range st.Waves {
		names[w.Wave] = w.Name
	}
	at := func(t time.Time) string { return t.UTC().Format("15:04:05Z") }
	if st.Phase == ledger.Paused {
		return "the campaign is paused: `rollcall resume` goes on with it", "paused"
	}
	var parts []string
	later := 0
	for i, w := range st.Waves {
		switch {
		case w.Ended:
		case i > st.Wave:
			later += w.Listed
		case !w.Next.IsZero():
			of := " of " + report.WaveName(w.Wave, names)
			if len(st.Waves) == 1 {
				of = ""
			}
			parts = append(parts, fmt.Sprintf("%d open%s %s tried again at %s, until %s at the latest", w.Open, of, plural.Pick(w.Open, "is", "are"), at(w.Next), at(w.Until)))
			about += fmt.Sprintf("%d of %d; ", w.Open, w.Wave)
		}
	}
	if len(parts) == 0 {
		return "", ""
	}
	if later > 0 {
		parts = append(parts, plural.Count(later, "begins", "begin")+" after them")
	}
	return strings.Join(parts, "; ") + "; `rollcall report` says what to do about each, and `rollcall close` leaves them open, with an owner, and ends the campaign", about
}

// workerEnded: an activity failed because its worker ended or fell silent. What
// another one has taken up again does not fail.
func workerEnded(why error) bool {
	var silent *temporal.TimeoutError
	var app *temporal.ApplicationError
	return errors.As(why, &silent) || errors.As(why, &app) && app.Type() == wire.BrokenOff
}

func waitingFor(why error) string {
	var silent *temporal.TimeoutError
	if errors.As(why, &silent) {
		return "a worker fell silent; what it had in hand is given out again"
	}
	return cause(why).Error()
}

func (p *patience) lookAtLogin() (said bool, err error) {
	stop := p.store.EndsSoon(gate.RoomToActivate)
	if stop == nil {
		if p.login != "" {
			p.say("Rollcall is logged in to Vault again")
			said = true
		}
		p.login = ""
		return said, nil
	}
	ended := p.store.EndsSoon(0) != nil
	_, terminal := terminal(p.Err)
	if byItself, byPerson := p.store.ComesBack(); ended && !byItself && !(byPerson && terminal) {
		return false, &exit{exitUnfinished, fmt.Errorf("%s; without it nothing can be set, proved or recorded; campaign %s is kept, and the same command goes on from here", stop.Detail, p.campaign)}
	}
	state := fmt.Sprint("ended: ", ended)
	if p.login == state {
		return false, nil
	}
	p.login = state
	p.say("%s; until then nothing more is set", stop.Detail)
	return true, nil
}

// sayUntil waits for ctx to end and says meanwhile when the login of a worker
// ends.
func (a *app) sayUntil(ctx context.Context, store *ownmount.Store) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stop := store.EndsSoon(gate.RoomToActivate)
		if stop != nil && !said {
			a.say("%s; until then this worker sets nothing more", stop.Detail)
		}
		said = stop != nil
	}
}
