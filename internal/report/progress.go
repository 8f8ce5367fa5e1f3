package report

import (
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Progress is a campaign at one moment, as numbers. ProgressOf derives it from
// a ledger; whoever has counters alone can fill it in.
type Progress struct {
	Campaign  string
	Device    string
	Phase     ledger.Phase
	Now       time.Time
	StartedAt time.Time
	Stands    bool // nothing goes on, which the ledger does not say: nobody works on it, or it waits

	Waves   []WaveProgress // in order
	Recent  []RecentDeath  // latest first
	Reasons []ReasonCount  // of open ones and exceptions, most frequent first
	Rate    float64        // deaths per second of late; 0 if unknown
	Finds   int            // findings so far
	LeftOut []ledger.LeftOutServer

	Warnings []credential.Finding // of the campaign as a whole
	Tasks    []StatusTask         // what people see to
}

// WaveProgress counts one wave. What is in none of the counts below waits.
type WaveProgress struct {
	Wave                           int
	Name                           string // see WaveName
	Listed                         int
	Dead, InWork, Open, Exceptions int

	// OnSome are those of Dead that not every server and door showed, because a
	// person had left one out.
	OnSome int
}

// RecentDeath is one of the last credentials that were proved dead.
type RecentDeath struct {
	Name string
	Took time.Duration // from Set to the proof; 0 if unknown
	At   time.Time
}

// ReasonCount is how many credentials are open for one reason.
type ReasonCount struct {
	Reason protocol.Reason
	Count  int
	Server string    // empty if no single one is meant
	Until  time.Time // when the first of their locks ends by itself; zero if nobody knows, or it is over
}

const (
	recentDeaths = 4
	rateWindow   = 10 * time.Second
)

// ProgressOf derives the progress at now. waves names waves by number; it may
// be nil.
func ProgressOf(s *ledger.State, now time.Time, waves map[int]string) Progress {
	f := figuresOf(s)
	p := Progress{Campaign: s.Campaign, Device: s.Device, Phase: s.Phase, Now: now, StartedAt: s.StartedAt, LeftOut: s.LeftOut, Warnings: s.Findings}
	if !s.ClosedAt.IsZero() {
		p.Now = s.ClosedAt
	}
	p.Tasks = tasksFor(s, p.Now)
	for _, n := range wavesOf(f) {
		t := f.ByWave[n]
		p.Waves = append(p.Waves, WaveProgress{n, WaveName(n, waves), t.Listed, t.Dead, t.InWork, t.Open, t.Exceptions, t.OnSome})
	}
	p.Finds = f.Finds
	late := 0
	for _, at := range f.died {
		if p.Now.Sub(time.Unix(0, at)) < rateWindow {
			late++
		}
	}
	if since := min(rateWindow, p.Now.Sub(s.StartedAt)); since >= time.Second {
		p.Rate = float64(late) / since.Seconds()
	}
	for _, l := range f.Recent {
		r := RecentDeath{Name: nameOf(l), At: l.DeadAt}
		if !l.SetAt.IsZero() {
			r.Took = l.DeadAt.Sub(l.SetAt)
		}
		p.Recent = append(p.Recent, r)
	}
	for _, g := range f.ByReason {
		r := ReasonCount{Reason: g.Reason, Count: len(g.Lines), Server: g.Lines[0].Server}
		for _, l := range g.Lines {
			if l.Outcome == ledger.NoOutcome && l.Until.After(p.Now) && (r.Until.IsZero() || l.Until.Before(r.Until)) {
				r.Until = l.Until
			}
			if l.Server != r.Server {
				r.Server = ""
			}
		}
		p.Reasons = append(p.Reasons, r)
	}
	return p
}

// total adds the waves up.
func (p Progress) total() WaveProgress {
	var t WaveProgress
	for _, w := range p.Waves {
		t.Listed += w.Listed
		t.Dead += w.Dead
		t.OnSome += w.OnSome
		t.InWork += w.InWork
		t.Open += w.Open
		t.Exceptions += w.Exceptions
	}
	return t
}

func (w WaveProgress) done() bool { return w.Listed > 0 && w.Dead+w.Exceptions == w.Listed }

// still reports whether nothing goes on.
func (p Progress) still() bool { return p.Stands || p.Phase == ledger.Paused }

// eta is how long the rest takes at the present rate; ok is false if nobody can
// tell: open ones wait for something else than us, and all do where nothing
// goes on.
func (p Progress) eta() (time.Duration, bool) {
	t := p.total()
	rest := t.Listed - t.Dead - t.Exceptions - t.Open
	if p.Rate <= 0 || rest == 0 || p.still() || p.Phase == ledger.Aborting || p.Phase == ledger.Closing {
		return 0, false
	}
	return time.Duration(float64(rest) / p.Rate * float64(time.Second)), true
}
