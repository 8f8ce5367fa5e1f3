package logs

import "time"

// Waits is a parser that keeps something back for a line that may come late.
type Waits interface {
	// Beat is called about once a second while a log is followed: what was kept
	// back for a few of them goes out as it is.
	Beat()
}

// Of a log that is followed: beats after which no first line of a connection
// comes, and how many connections may wait for one.
const (
	lateBeats = 3
	maxHeld   = 10_000
)

// held is a connection with early logins.
type held struct {
	is   *conn
	at   time.Time
	beat int
}

// hold keeps an early login of a log that is followed for a while; of one that
// has an end it waits for that.
func (c *conns) hold(is *conn, at time.Time) {
	switch {
	case !c.o.Live:
	case len(is.of.held) >= maxHeld:
		c.giveUp(is)
	default:
		is.of.held = append(is.of.held, held{is, at, c.beats})
	}
}

// overdue gives up what was held too long, by the log's time or by beats.
func (c *conns) overdue(r *run, at time.Time) {
	for len(r.held) > 0 {
		h := r.held[0]
		if at.Sub(h.at) <= early && c.beats-h.beat < lateBeats {
			return
		}
		r.held = r.held[1:]
		c.giveUp(h.is)
	}
}

// beat is that of Waits.
func (c *conns) beat() {
	c.beats++
	for _, r := range c.runs.Values() {
		c.overdue(r, time.Time{})
	}
}

// Beat is that of Waits.
func (p *openLDAP) Beat() { p.c.beat() }

// Beat is that of Waits.
func (p *ds389) Beat() { p.c.beat() }

// Beat is that of Waits.
func (p *ds389JSON) Beat() { p.c.beat() }
