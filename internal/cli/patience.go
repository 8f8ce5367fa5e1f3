package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"rollcall/internal/awaited"
	"rollcall/internal/ledger"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/vault"
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
	deadline := max(loginLeast, time.Duration(s.cfg.Limits.Deadline))
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

	nextSaidEvery = time.Minute // in a pipe, where each time is a line
)

// patience says what a campaign waits for while nothing is recorded, and ends
// the wait for a login that cannot come back.
type patience struct {
	*session
	view               *view // where what comes next is shown; nil: it is said
	campaign, workflow string
	zone               *time.Location // of the times that are shown
	looked             time.Time
	grew               time.Time // when the ledger grew last
	entries            uint64
	login, waiting     string // what was said, or stands on the screen
	next               string // of what comes next
	nextSaid           time.Time
	owner              time.Time
	takenOver          bool // and said
}

func (s *session) newPatience(campaign, workflow string, v *view) *patience {
	return &patience{session: s, view: v, campaign: campaign, workflow: workflow, zone: s.zoneShown(), grew: time.Now()}
}

// look returns whether it said anything, and an error if the wait is in vain.
func (p *patience) look(ctx context.Context, entries uint64) (said bool, err error) {
	now := time.Now()
	if now.Sub(p.looked) < lookEvery {
		return false, nil
	}
	p.looked = now
	if entries != p.entries {
		p.entries, p.grew, p.waiting, p.view.waits = entries, now, "", ""
	}
	if p.engine.Started {
		if said, err = p.lookAtLogin(); said || err != nil {
			return said, err
		}
	}
	if now.Sub(p.owner) >= ownmount.SeenEvery {
		if p.owner = now; p.sayTakenOver(ctx, false) {
			return true, nil
		}
	}
	if now.Sub(p.grew) < quietAfter {
		return false, nil
	}
	if text, about := p.trouble(ctx, p.campaign, p.workflow, 0, p.zone); text != "" {
		return p.tell(text, about), nil
	}
	return p.sayWaits(ctx, now), nil
}

// tell tells what the campaign waits for. On a terminal it stands on the screen
// for as long as it is so. Else it is said, once until about is another one.
func (p *patience) tell(text, about string) (said bool) {
	if p.view.framed() {
		p.view.waits, p.waiting = text, about
		return false
	}
	if about == p.waiting {
		return false
	}
	p.waiting = about
	p.say("%s", text)
	return true
}

// trouble words what keeps a campaign from going on; empty where nothing does.
// about is the same without what changes while it stays so. A server that was
// asked keeps it waiting once it was silent for so long.
func (s *session) trouble(ctx context.Context, campaign, workflow string, silentFor time.Duration, zone *time.Location) (text, about string) {
	if about = s.vaultAway(ctx); about != "" {
		return "waiting: " + about, about
	}
	tries, why := s.engine.Failing(ctx, workflow, workerEnded)
	if why != nil {
		about = waitingFor(why)
		return fmt.Sprintf("waiting (tried %s): %s", plural.Count(tries-1, "time", "times"), about), about
	}
	if since := s.engine.Untaken(ctx, workflow); !since.IsZero() && time.Since(since) > quietAfter {
		about = "since " + since.In(zone).Format(clockTime)
		return fmt.Sprintf("waiting: no worker takes up what lies there %s: look whether `rollcall worker` and `rollcall worker --role ledger` are alive (their /healthz), and start what is not", about), about
	}
	silent := slices.DeleteFunc(s.engine.Awaited(ctx, workflow), func(a awaited.Server) bool { return time.Since(a.Since) < silentFor })
	if len(silent) > 0 {
		within, cancel := context.WithTimeout(ctx, lookEvery)
		defer cancel()
		index, _ := s.store.ReadIndex(within, campaign) // there is none while it is listed
		return "waiting: " + silence(s.cfg, index, silent, zone), "an answer of " + silent[0].Name
	}
	return "", ""
}

// waitLine is what a campaign waits for, as whoever follows it is told: what
// keeps it from going on, or else what it says comes next, which of one that
// gave no answer (nil) is nothing.
func waitLine(trouble string, st *workflows.Status, zone *time.Location) string {
	if trouble != "" || st == nil {
		return trouble
	}
	if text, _ := waits(*st, zone); text != "" {
		return "waiting: " + text
	}
	return ""
}

// vaultAway says that Vault takes and gives nothing; empty where it serves, or
// something between has answered. A worker says so only once it has given up.
func (s *session) vaultAway(ctx context.Context) string {
	within, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	h, err := s.store.Health(within)
	_, answered := vault.ReplyIn(err)
	switch {
	case ctx.Err() != nil, err != nil && answered:
		return ""
	case err != nil:
		return fmt.Sprintf("Vault at %s does not answer: bring it back (VAULT_ADDR, the network), and the campaign goes on by itself", s.store.Address())
	case h.Sealed:
		return fmt.Sprintf("Vault at %s is sealed: unseal it, and the campaign goes on by itself", s.store.Address())
	}
	return ""
}

// sayMeanwhile says, until it is ended, what keeps an answer of a workflow
// waiting: of the campaign, or of its tasks.
func (s *session) sayMeanwhile(ctx context.Context, workflow string) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	p := s.newPatience("", workflow, nil)
	var saying sync.WaitGroup
	saying.Go(func() {
		unserved := time.After(noteAfter)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-unserved:
				if s.sayIfUnserved(ctx) {
					return
				}
			case now := <-tick.C:
				if now.Sub(p.grew) < quietAfter {
					continue
				}
				if text, about := p.trouble(ctx, p.campaign, p.workflow, 0, p.zone); text != "" {
					p.tell(text, about)
				}
			}
		}
	})
	return func() {
		cancel()
		saying.Wait()
	}
}

// sayTakenOver says, once, that another campaign has taken over. Until this one
// has ended it stands on the screen of a terminal instead.
func (p *patience) sayTakenOver(ctx context.Context, ended bool) bool {
	if p.takenOver {
		return false
	}
	within, cancel := context.WithTimeout(ctx, lookEvery) // where Vault is away, that is to be said
	defer cancel()
	rec, found, err := p.store.LookAt(within, p.campaign)
	if err != nil || !found || !rec.Superseded {
		return false
	}
	text := fmt.Sprintf("%v: nothing more of this one is begun, and it ends once what it has in hand is done; `rollcall campaigns` has the other", &ownmount.ClosedMeanwhile{CampaignRecord: rec.CampaignRecord})
	if p.view.framed() && !ended {
		p.view.takenOver = text
		return false
	}
	p.takenOver = true
	p.say("%s", text)
	return true
}

// sayWaits tells of a campaign in which nothing fails what comes next, and
// when. On a terminal it is a part of the screen, which changes with it. Else
// it is said, and again when that moment is another one.
func (p *patience) sayWaits(ctx context.Context, now time.Time) (said bool) {
	if now.Sub(p.grew) < waitsAfter {
		return false
	}
	within, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	st, err := p.running(within)
	if err != nil || st == nil {
		return false // what cannot be asked is said by what asks for itself
	}
	text, about := waits(*st, p.zone)
	if text == "" {
		p.view.waits = ""
		return false
	}
	if about == p.waiting && text != p.next && now.Sub(p.nextSaid) >= nextSaidEvery {
		p.waiting = "" // it is said again
	}
	if said = p.tell("waiting: "+text, about); said {
		p.next, p.nextSaid = text, now
	}
	return said
}

// waits words what the running waves of a campaign wait for; empty where none
// does. about is the same without the times.
func waits(st workflows.Status, zone *time.Location) (text, about string) {
	names := map[int]string{}
	for _, w := range st.Waves {
		names[w.Wave] = w.Name
	}
	at := func(t time.Time) string { return t.In(zone).Format(clockTime) }
	ends := ""
	if !st.Stays.IsZero() {
		ends = "; at " + st.Stays.In(zone).Format("2006-01-02 15:04:05Z07:00") + " it ends by itself"
	}
	if st.Phase == ledger.Paused && st.Held {
		return "what was to be tried first was tried; the others wait. " + report.HeldDo + ends, "held"
	}
	if st.Phase == ledger.Paused {
		return "the campaign is paused: `rollcall resume` goes on with it" + ends, "paused"
	}
	if ends != "" {
		return fmt.Sprintf("nothing more of the %d open is tried before a person has corrected it: `rollcall relist` takes that up, unless what Rollcall itself works with was rotated already; `rollcall close` leaves the rest open, with an owner, and ends the campaign%s",
			st.Open, ends), "stays"
	}
	var parts, gaveUp []string
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
			if text := lastGaveUp(w.GaveUp); text != "" && !slices.Contains(gaveUp, text) {
				gaveUp = append(gaveUp, text)
				about += text + "; "
			}
		}
	}
	parts = append(gaveUp, parts...)
	if len(parts) == 0 {
		return "", ""
	}
	if later > 0 {
		parts = append(parts, plural.Count(later, "begins", "begin")+" after them")
	}
	return strings.Join(parts, "; ") + "; `rollcall report` says what to do about each, and `rollcall close` leaves them open, with an owner, and ends the campaign", about
}

// lastGaveUp words what kept the last pass from coming to its end; empty where
// nothing did.
func lastGaveUp(g *workflows.GaveUp) string {
	switch {
	case g == nil:
		return ""
	case g.Reason == protocol.ReasonLedger:
		return "the last pass could not be recorded (" + g.Detail + "), and what is shown of the open is from before"
	}
	return "the last pass was broken off (" + g.Detail + ")"
}

// clockTime is a moment of these days, with its zone.
const clockTime = "15:04:05Z07:00"

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
		if p.login != "" && p.view.login == "" {
			p.say("Rollcall is logged in to Vault again")
			said = true
		}
		p.login, p.view.login = "", ""
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
	text := stop.Detail + "; until then nothing more is set"
	if p.view.framed() {
		p.view.login = text
		return false, nil
	}
	p.say("%s", text)
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
