package intruder

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxConns is the most connections to one server at a time.
	maxConns = 4
	// patience is for one connect or one try, but for those of services.
	patience = 5 * time.Second
	// lastPatience is for one of the last pass: who gives up there says nothing
	// of what is left at that server.
	lastPatience = time.Minute
)

// answer is what a server made of one try.
type answer string

const (
	untried  answer = ""
	accepted answer = "accepted"
	refused  answer = "refused"
	noAnswer answer = "unreachable" // no answer that says anything about the credential
)

// opener tries targets over one connection. It belongs to one goroutine.
type opener interface {
	// try presents the target once. detail says in words why it was silent
	// or refused, without secrets. token is a session that the login gave.
	try(ctx context.Context, t *target) (a answer, detail, token string)
	close()
}

type doorKey struct{ server, kind, ca, from string }

// door is one server that is tried, with all credentials that may open it.
type door struct {
	key  doorKey
	tls  *tls.Config
	pool chan opener // hands of them, made once and used in turn
	open bool        // a loop tries its targets; raid.mu guards it
	last atomic.Bool // the last pass has begun
	ear  *ear

	sessions sessions // of PostgreSQL, that were kept

	mu      sync.Mutex
	targets []*target
}

func newDoor(key doorKey) (*door, error) {
	u, err := url.Parse(key.server)
	if err != nil || u.Host == "" {
		return nil, errors.New("a server is not a URL with a host")
	}
	want := map[string]bool{LDAP + "ldap": true, LDAP + "ldaps": true, AppRole + "http": true, AppRole + "https": true,
		Userpass + "http": true, Userpass + "https": true, Postgres + "postgresql": true}
	for scheme := range protocols {
		want[Service+scheme] = true
	}
	if !want[key.kind+u.Scheme] {
		return nil, fmt.Errorf("server %s://%s does not fit kind %q: use ldap(s):// for ldap, postgresql:// for postgres, its protocol for a service, http(s):// for the others", u.Scheme, u.Host, key.kind)
	}
	d := &door{key: key, tls: &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}, pool: make(chan opener, maxConns)}
	if key.ca != "" {
		d.tls.RootCAs = x509.NewCertPool()
		if !d.tls.RootCAs.AppendCertsFromPEM([]byte(key.ca)) {
			return nil, fmt.Errorf("ca_pem for server %s holds no certificate", u.Host)
		}
	}
	if key.from != "" && (net.ParseIP(key.from) == nil || key.kind == Postgres || key.kind == Service && protocols[u.Scheme].login == nil) {
		return nil, fmt.Errorf("from is no IP address, or %s cannot be tried from one", u.Scheme)
	}
	for range maxConns {
		switch key.kind {
		case LDAP:
			d.pool <- &ldapOpener{door: d}
		case Postgres:
			d.pool <- &postgresOpener{door: d}
		case Service:
			d.pool <- newServiceOpener(d)
		default:
			d.pool <- newVaultOpener(d)
		}
	}
	return d, nil
}

// dialer dials from where its credentials are tried.
func (d *door) dialer() *net.Dialer {
	dialer := new(net.Dialer)
	if d.key.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(d.key.from)}
	}
	return dialer
}

func (d *door) add(t *target) {
	d.mu.Lock()
	d.targets = append(d.targets, t)
	d.mu.Unlock()
}

// loop makes one pass after the other until ctx ends.
func (d *door) loop(ctx context.Context, r *raid) {
	for ctx.Err() == nil {
		began := time.Now()
		d.pass(ctx, r, due)
		r.mu.Lock()
		pause := r.pause
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(max(pause, d.rest(time.Since(began)))):
		}
	}
}

// rest is the shortest pause between two passes, the last of which took so
// long: each login costs PostgreSQL a process, and a service two or more.
func (d *door) rest(pass time.Duration) time.Duration {
	switch d.key.kind {
	case Postgres:
		return 300 * time.Millisecond
	case Service:
		return max(serviceRest, 2*pass)
	}
	return time.Millisecond
}

// patience is for one try.
func (d *door) patience() time.Duration {
	switch {
	case d.last.Load():
		return lastPatience
	case d.key.kind == Service:
		return servicePatience
	}
	return patience
}

// scope is which targets a pass takes.
type scope int

const (
	due scope = iota // those whose time has come
	everything
)

// pass tries targets once each, hands at a time. The first silence ends it:
// more tries would only wait for the same server.
func (d *door) pass(ctx context.Context, r *raid, which scope) {
	d.mu.Lock()
	queue := make(chan *target, len(d.targets))
	for _, t := range d.targets {
		if which == everything || t.due(time.Now()) {
			queue <- t
		}
	}
	d.mu.Unlock()
	close(queue)

	pass, give := context.WithCancel(ctx)
	defer give()
	var working sync.WaitGroup
	for range min(maxConns, len(queue)) {
		working.Go(func() {
			o := <-d.pool
			defer func() { d.pool <- o }()
			for t := range queue {
				if pass.Err() != nil {
					return
				}
				if d.once(ctx, r, o, t) == noAnswer {
					give()
				}
			}
		})
	}
	working.Wait()
}

// hangUp closes all connections. No pass may be running.
func (d *door) hangUp() {
	for range maxConns {
		o := <-d.pool
		o.close()
		d.pool <- o
	}
}

func (d *door) once(ctx context.Context, r *raid, o opener, t *target) answer {
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, d.patience())
	a, detail, token := o.try(within, t)
	cancel()
	if a == noAnswer && ctx.Err() != nil {
		return noAnswer // we hung up: no news of the server
	}
	if c, changed := t.note(a, detail, began); changed {
		r.out.write(c)
	}
	if a == accepted && t.Kind == LDAP {
		d.ear.keep(ctx, d, t)
	}
	if token != "" {
		session := newTarget(t.Stolen, t.server, Session)
		session.token = token
		r.join(d, session)
	}
	return a
}
