package logs

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/event"
)

// Bounds on what is remembered while a log is read.
const (
	maxConns = 100_000 // connections of one source whose address is known
	maxOps   = 64      // logins of one connection that wait for an answer
	maxRuns  = 4_096   // servers, and runs of them, that one source has
	maxName  = 4_096   // bytes of a name
)

// conns joins what a directory's log has on several lines: the address stands
// in the connection's first line alone, the name in the login's, and how it
// ended in the answer's. Numbers of connections begin again when a server
// starts.
type conns struct {
	o     Options
	table *simplelru.LRU[connKey, *conn]
	runs  *simplelru.LRU[string, *run]
	// latest is the run of the line before, and latestKey its key: mostly it is
	// that of the next one too.
	latest    *run
	latestKey string
	ids       int
	// unique: a connection's number comes once, whenever the server starts.
	unique bool
	// unmarked: no line says that the server starts, and nobody but the server
	// writes lines: a number that had been in use is of a server that has
	// started anew.
	unmarked bool
	beats    int
	spare    []*login // room of those that are over
	// near is the connection of the line before: mostly it is that of the next
	// one too. It is the one that the table would drop last.
	near    *conn
	nearKey connKey
}

type connKey struct {
	run  int
	conn uint64
}

type conn struct {
	address netip.Addr
	port    uint16
	known   bool // its first line was seen
	doubt   bool
	gap     int
	closed  time.Time // zero while it is open
	logins  []*login  // few at a time
	one     [1]*login // where they mostly have room
	// op is the highest operation of its logins, and asked when that came.
	op    int64
	asked time.Time
	// bound is as whom it goes on, in the server's own words; "" is nobody, or
	// a login that the logs do not have.
	bound string
	since int64 // the operation by which it does
	// changes wait for an answer.
	changes map[int64]*change
	// early are logins that were over before the connection's first line was
	// written: threads write out of order.
	early []event.Event
	of    *run
}

// Bounds on logins that stand before their connection.
const (
	maxEarly = 8
	early    = 2 * time.Second
)

// run is one life of a server.
type run struct {
	id     int
	server string
	max    uint64
	gap    int
	last   time.Time
	doubt  bool
	held   []held // of a log that is followed, in order
}

// change is one of an entry that waits for its answer.
type change struct {
	event event.Event    // Target is the entry
	what  []event.Change // all that it is; none is nothing of an account's credentials
}

// is says one thing more that it is.
func (x *change) is(what event.Change) {
	if !slices.Contains(x.what, what) {
		x.what = append(x.what, what)
	}
}

// events are what it comes to, one for each thing that it is.
func (x *change) events() (out []event.Event) {
	for _, what := range x.what {
		e := x.event
		if e.Change = what; what == event.NewMember { // who, no line says
			e.Group, e.Target = e.Target, ""
		}
		if what == event.OwnChange && e.Target == "" {
			e.Target = e.Account
		}
		e.Doubts = slices.Clone(e.Doubts)
		out = append(out, e)
	}
	return out
}

// login is one operation of a connection, and its answer.
type login struct {
	event    event.Event
	op       int64
	asked    bool
	answered bool
	named    bool // the server itself has written the name, not as typed
}

func newConns(o Options) *conns {
	c := &conns{o: o}
	c.table, _ = simplelru.NewLRU(maxConns, func(_ connKey, is *conn) { c.drop(is) })
	c.runs, _ = simplelru.NewLRU[string, *run](maxRuns, nil)
	return c
}

// drop lets a connection go; what waits for an answer goes out without one.
func (c *conns) drop(is *conn) {
	slices.SortFunc(is.logins, func(a, b *login) int { return cmp.Compare(a.op, b.op) })
	for _, l := range is.logins {
		if l.answered {
			c.o.Note(event.NoQuestion, l.event.Place, l.event.Server)
		} else {
			c.o.Note(event.NoResult, l.event.Place, l.event.Server)
			l.event.Outcome = event.Unknown
		}
		c.send(is, l)
	}
	is.logins = nil
	for _, op := range slices.Sorted(maps.Keys(is.changes)) {
		if x := is.changes[op]; len(x.what) > 0 {
			c.o.Note(event.NoResult, x.event.Place, x.event.Server)
			c.changed(is, op, x)
		}
	}
	is.changes = nil
	c.giveUp(is)
}

// giveUp sends early logins without the address of their connection.
func (c *conns) giveUp(is *conn) {
	for _, e := range is.early {
		c.o.Note(event.NoAddress, e.Place, e.Server)
		c.o.Event(e)
	}
	is.early = nil
}

// at is the run that a line belongs to, by what its lines say of the server.
func (c *conns) at(key, server string, at time.Time) *run {
	r := c.latest
	if r == nil || key != c.latestKey {
		var ok bool
		if r, ok = c.runs.Get(key); !ok {
			c.ids++
			r = &run{id: c.ids, server: server}
			c.runs.Add(key, r)
		}
		c.latest, c.latestKey = r, key
	}
	if at.After(r.last) {
		if !r.last.IsZero() && c.o.Quiet > 0 && event.Beyond(c.o.Quiet, r.last, at) {
			r.gap++
		}
		r.last = at
	}
	c.overdue(r, at)
	return r
}

// starts says that the server started: its numbers begin again.
func (c *conns) starts(r *run) {
	c.ids++
	r.id, r.max, r.doubt = c.ids, 0, false
}

func newConn(of *run) *conn {
	is := &conn{of: of}
	is.logins = is.one[:0]
	return is
}

// get finds a connection.
func (c *conns) get(key connKey) (*conn, bool) {
	if c.near != nil && c.nearKey == key {
		return c.near, true
	}
	is, ok := c.table.Get(key)
	if ok {
		c.near, c.nearKey = is, key
	}
	return is, ok
}

func (c *conns) add(key connKey, is *conn) {
	c.table.Add(key, is)
	c.near, c.nearKey = is, key
}

// opens takes the first line of a connection.
func (c *conns) opens(r *run, number uint64, at time.Time, address netip.Addr, port uint16, place event.Place) {
	// Threads may write the lines of a few connections out of order.
	const disorder = 64
	key := connKey{r.id, number}
	is, there := c.get(key)
	switch back := there && (is.known || is.again(true, 0, at)) || r.max > number+disorder; {
	case c.unique:
	case back && c.unmarked:
		c.starts(r)
		there = false
	case back:
		c.starts(r)
		r.doubt, there = true, false
		c.o.Note(event.NumbersBack, place, r.server)
	}
	if !there {
		is = newConn(r)
	}
	before := is.early
	is.early = nil
	is.address, is.port, is.known, is.doubt, is.gap = address.Unmap().WithZone(""), port, true, r.doubt, r.gap
	r.max = max(r.max, number)
	c.add(connKey{r.id, number}, is)
	c.o.connected(place, at, r.server, is.address, port)
	for _, e := range before {
		if at.Sub(e.At) > early {
			c.o.Note(event.NoAddress, e.Place, e.Server)
			c.o.Event(e)
			continue
		}
		c.give(is, e)
	}
}

// closes takes the last line of a connection.
func (c *conns) closes(r *run, number uint64, at time.Time) {
	if is, ok := c.get(connKey{r.id, number}); ok && is.closed.IsZero() {
		is.closed = at
	}
}

// again says that a connection of that number began anew, and its first line is
// not in the logs: it is closed, or a login has the number of one that is over.
// Behind the end, threads write what came before it for a moment.
func (is *conn) again(login bool, op int64, at time.Time) bool {
	return !is.closed.IsZero() && at.Sub(is.closed) > early ||
		login && !is.asked.IsZero() && op <= is.op && at.Sub(is.asked) > early
}

// conn is a connection to which something is asked or answered, made where it
// is not there. A number comes again when the server has started: what is known
// of it, and of all others, is of another life of the server then.
func (c *conns) conn(r *run, number uint64, login bool, op int64, at time.Time, place event.Place) *conn {
	is, ok := c.get(connKey{r.id, number})
	switch {
	case ok && (login && is.login(op) != nil || !login && is.changes[op] != nil):
		return is
	case ok && !c.unique && is.again(login, op, at):
		c.o.Note(event.NumbersBack, place, r.server)
		c.starts(r)
		r.doubt, ok = !c.unmarked, false
	}
	if !ok {
		is = newConn(r)
		is.gap, is.doubt = r.gap, r.doubt
		c.add(connKey{r.id, number}, is)
	}
	if login && (is.asked.IsZero() || op > is.op) {
		is.op, is.asked = op, at
	}
	return is
}

// of is a login of a connection, made where it is not there.
func (c *conns) of(r *run, number uint64, op int64, place event.Place, at time.Time) (*conn, *login) {
	is := c.conn(r, number, true, op, at, place)
	l := is.login(op)
	if l == nil {
		if len(is.logins) >= maxOps {
			c.o.Note(event.Evicted, place, r.server)
			c.drop(is)
		}
		l = c.login()
		l.op, l.event = op, event.Event{Place: place, Form: event.DN, Server: r.server, Login: true}
		if is.gap != r.gap {
			l.event.Doubts = append(l.event.Doubts, event.OverGap)
		}
		is.logins = append(is.logins, l)
	}
	return is, l
}

// login makes room for one.
func (c *conns) login() (l *login) {
	if n := len(c.spare); n > 0 {
		l, c.spare = c.spare[n-1], c.spare[:n-1]
		return l
	}
	return &login{}
}

func (is *conn) login(op int64) *login {
	for _, l := range is.logins {
		if l.op == op {
			return l
		}
	}
	return nil
}

// over lets a login go.
func (is *conn) over(op int64) {
	is.logins = slices.DeleteFunc(is.logins, func(l *login) bool { return l.op == op })
}

// asks takes the line of a login.
func (c *conns) asks(r *run, number uint64, op int64, place event.Place, at time.Time, account, method string, named bool) {
	is, l := c.of(r, number, op, place, at)
	if len(account) > maxName {
		account = account[:maxName]
	}
	if !l.asked {
		l.event.Place, l.event.At = place, at
	}
	l.asked = true
	if account != "" && (named || !l.named) {
		l.event.Account, l.named = account, named
	}
	if method != "" {
		l.event.Method = method
	}
	c.finish(is, op, l)
}

// replies takes the line of its answer.
func (c *conns) replies(r *run, number uint64, op int64, place event.Place, at time.Time, outcome event.Outcome, code, account string) {
	is, l := c.of(r, number, op, place, at)
	l.answered, l.event.Outcome, l.event.Code = true, outcome, code
	if l.event.At.IsZero() {
		l.event.At = at
	}
	if account != "" && !l.named {
		l.event.Account, l.named = account, true
	}
	c.finish(is, op, l)
}

func (c *conns) finish(is *conn, op int64, l *login) {
	if l.asked && l.answered {
		is.over(op)
		c.send(is, l)
		if *l = (login{}); len(c.spare) < maxOps {
			c.spare = append(c.spare, l)
		}
	}
}

// goesOn lets an operation go that is not over (a SASL login in several steps):
// the next step is an operation of its own.
func (c *conns) goesOn(r *run, number uint64, op int64) {
	if is, ok := c.get(connKey{r.id, number}); ok {
		is.over(op)
	}
}

func (c *conns) send(is *conn, l *login) {
	e := l.event
	is.bound, is.since = "", l.op // one that failed leaves nobody (RFC 4513, 4)
	if e.Outcome == event.Accepted && l.named {
		is.bound = e.Account
	}
	if e.Outcome == event.Accepted && e.Account != "" && !l.named {
		// A name without a password is let in as nobody (RFC 4513 section
		// 5.1.2), or the line that says as whom is lost: it is no proof of a
		// use.
		c.o.Note(event.NotAsWhom, e.Place, e.Server)
		e.Outcome = event.Unknown
	}
	switch {
	case e.Account == "" && e.Outcome.Bad():
		c.o.Note(event.NamesNobody, e.Place, e.Server)
	case e.Account == "":
		return // anonymous
	}
	switch {
	case is.known:
		c.give(is, e)
	case len(is.early) < maxEarly:
		e.Doubts = nil
		is.early = append(is.early, e)
		c.hold(is, e.At)
	default:
		c.o.Note(event.NoAddress, e.Place, e.Server)
		c.o.Event(e)
	}
}

// give hands on a login of a connection whose address is known.
func (c *conns) give(is *conn, e event.Event) {
	e.Address, e.Port = is.address, is.port
	if is.doubt {
		e.Doubts = append(e.Doubts, event.AfterBackwards)
	}
	c.o.Event(e)
}

// changing takes the line of a change to an entry; what it is may come on lines
// behind it.
func (c *conns) changing(r *run, number uint64, op int64, place event.Place, at time.Time, target string) *change {
	is := c.conn(r, number, false, op, at, place)
	if is.changes == nil {
		is.changes = map[int64]*change{}
	}
	if x := is.changes[op]; x != nil {
		return x
	}
	if len(is.changes) >= maxOps {
		c.o.Note(event.Evicted, place, r.server)
		clear(is.changes)
	}
	x := &change{event: event.Event{Place: place, At: at, Server: r.server, Form: event.DN, Account: is.bound, Target: cutName(target), Outcome: event.Unknown}}
	if is.gap != r.gap {
		x.event.Doubts = append(x.event.Doubts, event.OverGap)
	}
	is.changes[op] = x
	return x
}

// isChanged takes the answer to a change, if there is one that waits.
func (c *conns) isChanged(r *run, number uint64, op int64, outcome event.Outcome, code string) {
	is, ok := c.get(connKey{r.id, number})
	if !ok || is.changes[op] == nil {
		return
	}
	x := is.changes[op]
	delete(is.changes, op)
	if len(x.what) == 0 {
		return // of what is none of an account's credentials
	}
	x.event.Outcome, x.event.Code = outcome, code
	c.changed(is, op, x)
}

// changed hands on a change. Threads may write a login's answer behind the
// change that was made with it.
func (c *conns) changed(is *conn, op int64, x *change) {
	if is.since < op {
		x.event.Account = is.bound
	}
	if x.event.Account == "" {
		c.o.Note(event.ByUnknown, x.event.Place, x.event.Server)
	}
	if !is.known {
		c.o.Note(event.NoAddress, x.event.Place, x.event.Server)
	}
	for _, e := range x.events() {
		if is.known {
			c.give(is, e)
		} else {
			c.o.Event(e)
		}
	}
}

// close ends the source.
func (c *conns) close() {
	c.near = nil
	for c.table.Len() > 0 {
		c.table.RemoveOldest()
	}
}

// ldapOutcome reads a result code (RFC 4511 appendix A.1) of a bind. more says
// that it goes on (saslBindInProgress).
func ldapOutcome(code int) (o event.Outcome, more bool) {
	switch code {
	case 0:
		return event.Accepted, false
	case 14:
		return "", true
	case 49, 32, 48, 34: // invalidCredentials, noSuchObject, inappropriateAuthentication, invalidDNSyntax
		return event.Refused, false
	case 19: // constraintViolation: how 389 Directory Server says locked
		return event.Locked, false
	}
	return event.Failed, false
}
