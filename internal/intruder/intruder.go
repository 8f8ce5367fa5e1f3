// Package intruder is the attacker in demo and tests, and so their independent
// judge: it holds stolen credentials, tries each on every server in a loop and
// says when each let it in for the last time. Asked to eavesdrop, it also reads
// Vault with every login and token that it has, all the time, and at the end
// tries what it read at every door. It shares no code with the rest
// of Rollcall (its LDAP and Vault calls are its own) and learns nothing of a
// campaign, so a mistake there cannot hide itself here.
//
// It runs as a process of its own. Credentials and commands arrive as JSON
// lines on standard input, never as arguments; changes and results leave as
// JSON lines on standard output. Only ids, servers, places in Vault and times
// are written, never a DN or a secret. What it reads stays in its memory.
package intruder

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// DefaultPause lies between two passes over one server until a "pause" command
// says otherwise.
const DefaultPause = 500 * time.Millisecond

// Kinds of stolen credential.
const (
	LDAP     = "ldap"
	AppRole  = "approle"
	Userpass = "userpass" // a login to Vault by name and password: userpass, or its method ldap
	Postgres = "postgres" // a role of a PostgreSQL cluster
	Service  = "service"  // a login at a service that asks the directory: mail, files, web
)

// Stolen is one credential and where it is tried. It holds the secret in the
// clear, because it exists to be written to the intruder's standard input;
// printing it with any fmt verb gives the id alone.
type Stolen struct {
	ID      string   `json:"id"`      // names it in the output; to be judged, the id that the ledger uses
	Kind    string   `json:"kind"`    // one of those above
	Servers []string `json:"servers"` // ldap(s)://, http(s)://, postgresql:// or, of a Service, imaps://, ftp://, … URLs
	// CAPEM verifies the servers' certificates; empty means the system's roots.
	// With it, an ldap:// server and a service that can is asked for TLS first
	// (StartTLS); without, it is spoken to in the clear.
	CAPEM string `json:"ca_pem,omitempty"`

	DN string `json:"dn,omitempty"` // of an LDAP account

	Mount  string `json:"mount,omitempty"`   // of the login to Vault; empty means the kind's own name
	RoleID string `json:"role_id,omitempty"` // of the AppRole
	User   string `json:"user,omitempty"`    // of Userpass and Service; the role of Postgres
	Shared string `json:"shared,omitempty"`  // of a Service by RADIUS: the secret of the server's client
	// Reads are folders of KV version 2 that the device's configuration names
	// with this login, "kv/apps/esg-01". Others are found by asking Vault.
	Reads []string `json:"reads,omitempty"`

	// From is an address of this machine from which it is tried; empty is
	// whichever the system takes. PostgreSQL and services that a library logs
	// in to have none.
	From string `json:"from,omitempty"`

	Password string `json:"password,omitempty"` // or the AppRole's secret-id
	// Known is an account that is known and not stolen: values that were read
	// are tried there too. It has no password.
	Known bool `json:"known,omitempty"`
}

// Format keeps the secret out of every print and log.
func (s Stolen) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "stolen "+s.ID) }

// opensVault reports whether it is a login to Vault.
func (s Stolen) opensVault() bool { return s.Kind == AppRole || s.Kind == Userpass }

// Commands. A line of input is either a command or a Stolen.
const (
	Report    = "report"    // write results and a summary now
	Pause     = "pause"     // PauseMS between passes from now on
	Eavesdrop = "eavesdrop" // read Vault, EveryMS after the last reading, until the input ends
)

// Command is a line of input that asks for something.
type Command struct {
	Command string `json:"command"`
	PauseMS int    `json:"pause_ms,omitempty"` // milliseconds

	EveryMS     int  `json:"every_ms,omitempty"`    // milliseconds; DefaultEvery if it is not said
	Connections int  `json:"connections,omitempty"` // LDAP connections to keep for each server, bound with stolen values
	SelfWrite   bool `json:"self_write,omitempty"`  // try at the end to set a password over each of those
}

// Run reads stolen credentials and commands from in and tries the credentials
// until in ends or ctx is done. When in ends, everything is tried once more, so
// that the results hold an answer from after the caller's last move. Then (or
// at once when ctx is done) one Result is written for each credential, server
// and way in, and a Summary.
//
// Accounts are not locked by it: see nextTry. Services are tried at leisure
// until the directory behind them refuses the value. An error means a line of
// input that makes no sense (it names the line and never quotes it), or that
// out cannot be written; results are lost in that case. The end of ctx is no
// error.
func Run(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &raid{out: &lines{w: out, failed: cancel}, doors: map[doorKey]*door{}, wrong: map[string]*failures{}, alarm: map[string]*alarm{}, pause: DefaultPause}
	r.ear = &ear{r: r, hints: map[place]bool{}, places: map[place]*secret{}, values: map[[32]byte]*value{}}
	defer r.ear.hangUp()
	defer r.endSessions()

	input := make(chan error, 1)
	go func() { input <- r.read(ctx, in) }()
	var err error
	select {
	case err = <-input:
	case <-ctx.Done():
	}
	if err == nil && ctx.Err() == nil {
		r.finish(ctx)
	}
	r.leave()
	r.report()
	return errors.Join(err, r.out.err())
}

// raid is everything one Run does.
type raid struct {
	out *lines

	mu    sync.Mutex
	doors map[doorKey]*door
	all   []*target            // in the order of arrival
	given []Stolen             // as they came, known ones too
	wrong map[string]*failures // of each credential at all services together
	alarm map[string]*alarm    // of each credential
	pause time.Duration

	ear *ear

	running sync.WaitGroup
	stop    []context.CancelFunc
}

func (r *raid) read(ctx context.Context, in io.Reader) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20) // a CA bundle makes a long line
	for n := 1; sc.Scan(); n++ {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		if err := r.take(ctx, sc.Bytes()); err != nil {
			return fmt.Errorf("intruder: line %d of standard input: %w", n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("intruder: reading standard input: %w", err)
	}
	return nil
}

// take acts on one line. The errors of encoding/json may quote what they could
// not parse, which may be a secret, so they are not passed on.
func (r *raid) take(ctx context.Context, line []byte) error {
	var c Command
	var s Stolen
	if json.Unmarshal(line, &c) != nil || json.Unmarshal(line, &s) != nil {
		return errors.New("not a JSON object with the fields of a stolen credential or a command")
	}
	switch {
	case c.Command == Report:
		r.report()
	case c.Command == Pause && c.PauseMS >= 0:
		r.mu.Lock()
		r.pause = time.Duration(c.PauseMS) * time.Millisecond
		r.mu.Unlock()
	case c.Command == Eavesdrop && c.EveryMS >= 0 && c.Connections >= 0:
		r.ear.listen(ctx, c)
	case c.Command != "":
		return fmt.Errorf("unknown command or bad pause_ms: use %q, %q or %q", Report, Pause, Eavesdrop)
	case s.ID == "" || s.Password == "" != s.Known || len(s.Servers) == 0:
		return errors.New("a stolen credential needs id, password and servers, a known one id and servers")
	case s.Kind == LDAP && s.DN == "":
		return errors.New("a stolen credential of kind ldap needs dn")
	case s.Kind == AppRole && s.RoleID == "":
		return errors.New("a stolen credential of kind approle needs role_id")
	case (s.Kind == Userpass || s.Kind == Postgres || s.Kind == Service) && s.User == "":
		return fmt.Errorf("a stolen credential of kind %s needs user", s.Kind)
	case s.Kind != LDAP && s.Kind != Postgres && s.Kind != Service && !s.opensVault():
		return fmt.Errorf("kind must be %q, %q, %q, %q or %q", LDAP, AppRole, Userpass, Postgres, Service)
	default:
		return r.add(ctx, s)
	}
	return nil
}

func (r *raid) add(ctx context.Context, s Stolen) error {
	if s.Mount == "" {
		s.Mount = s.Kind
	}
	r.mu.Lock()
	if s.Kind == Service {
		if r.wrong[s.ID] == nil {
			r.wrong[s.ID] = &failures{shared: true}
		}
	} else { // what it reads is tried at the directory behind a service
		r.given = append(r.given, s)
	}
	if r.alarm[s.ID] == nil {
		r.alarm[s.ID] = &alarm{}
	}
	wrong, bell := r.wrong[s.ID], r.alarm[s.ID]
	r.mu.Unlock()
	if s.Kind == LDAP && !s.Known {
		bell.asked.Store(true)
	}
	for _, server := range s.Servers {
		d, made, err := r.doorOf(s, server)
		if err != nil {
			return err
		}
		if s.Known {
			continue
		}
		if made {
			r.open(ctx, d)
		}
		r.ear.hint(d, s.Reads)
		t := newTarget(s, server, Login)
		t.alarm = bell
		if s.Kind == Service {
			t.wrong = wrong
		}
		r.join(d, t)
	}
	return nil
}

// doorOf is where a credential is tried, at one of its servers.
func (r *raid) doorOf(s Stolen, server string) (d *door, fresh bool, err error) {
	key := doorKey{server: server, kind: s.Kind, ca: s.CAPEM, from: s.From}
	r.mu.Lock()
	defer r.mu.Unlock()
	d = r.doors[key]
	if d == nil {
		if d, err = newDoor(key); err != nil {
			return nil, false, err
		}
		d.ear = r.ear
		r.doors[key] = d
	}
	fresh, d.open = !d.open && !s.Known, d.open || !s.Known
	return d, fresh, nil
}

func (r *raid) open(ctx context.Context, d *door) {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	r.stop = append(r.stop, cancel)
	r.mu.Unlock()
	r.running.Go(func() { d.loop(ctx, r) })
}

func (r *raid) join(d *door, t *target) {
	r.mu.Lock()
	r.all = append(r.all, t)
	r.mu.Unlock()
	d.add(t)
}

// leave stops the loops, waits for them and closes their connections.
func (r *raid) leave() {
	r.mu.Lock()
	for _, cancel := range r.stop {
		cancel()
	}
	r.mu.Unlock()
	r.ear.stop()
	r.running.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.doors {
		d.hangUp()
	}
}

// endSessions closes the sessions that it kept.
func (r *raid) endSessions() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.doors {
		d.sessions.end()
	}
}

// finish stops the loops and tries everything once more.
func (r *raid) finish(ctx context.Context) {
	r.leave()
	var last sync.WaitGroup
	for _, d := range r.doors {
		d.last.Store(true)
		last.Go(func() { d.pass(ctx, r, everything) })
	}
	last.Wait()
	r.ear.end(ctx)
}

func (r *raid) report() {
	r.mu.Lock()
	all := append([]*target(nil), r.all...)
	r.mu.Unlock()
	results := make([]Result, 0, len(all))
	for _, t := range all {
		results = append(results, t.result())
	}
	for _, res := range results {
		r.out.write(res)
	}
	r.out.write(Summarise(results))
	r.ear.report()
}

// accounts are all that it was told of.
func (r *raid) accounts() []Stolen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.given)
}

// tried says whether every stolen login to Vault was tried once.
func (r *raid) tried() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(r.all, func(t *target) bool { return t.opensVault() && t.result().State == "" })
}

// knock tries one target at once, out of turn.
func (r *raid) knock(ctx context.Context, d *door, t *target) {
	o := <-d.pool
	defer func() { d.pool <- o }()
	d.once(ctx, r, o, t)
}

// tryOnce tries what it was not given, at one server of an account. It leaves
// no trace in the results.
func (r *raid) tryOnce(ctx context.Context, s Stolen, server string) answer {
	d, _, err := r.doorOf(Stolen{Kind: s.Kind, CAPEM: s.CAPEM, From: s.From, Known: true}, server)
	if err != nil {
		return noAnswer
	}
	o := <-d.pool
	defer func() { d.pool <- o }()
	within, cancel := context.WithTimeout(ctx, d.patience())
	defer cancel()
	t := newTarget(s, server, read)
	t.kept = true // no session of its own: whoever eavesdrops takes the token
	a, _, _ := o.try(within, t)
	return a
}
