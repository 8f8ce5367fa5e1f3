package intruder

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresOpener logs in to one server of a cluster. Each try is a connection
// of its own. The first session that a login gives is kept, as a thief would:
// PostgreSQL itself ends none because the password was changed.
type postgresOpener struct{ door *door }

// sessions are those that were kept, by a word that stands for each.
type sessions struct {
	mu sync.Mutex
	of map[string]*pgx.Conn
}

func (o *postgresOpener) try(ctx context.Context, t *target) (answer, string, string) {
	if t.via == Session {
		return o.ask(ctx, t.token)
	}
	conn, err := o.connect(ctx, t)
	if err != nil {
		a, detail := postgresAnswer(err)
		return a, detail, ""
	}
	if !t.keepSession() {
		_ = conn.Close(ctx)
		return accepted, "", ""
	}
	word := rand.Text()
	s := &o.door.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]*pgx.Conn{}
	}
	s.of[word] = conn
	return accepted, "", word
}

// ask has a kept session read who it is. One that was closed, or did not answer
// in time, opens nothing any more. Who hangs up meanwhile waits for the answer:
// a question that is broken off ends the session.
func (o *postgresOpener) ask(ctx context.Context, word string) (answer, string, string) {
	s := &o.door.sessions
	s.mu.Lock()
	conn := s.of[word]
	s.mu.Unlock()
	if conn == nil || conn.IsClosed() {
		return refused, "the session was ended", ""
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPatience)
	defer cancel()
	var who string
	err := conn.QueryRow(ctx, "SELECT session_user", pgx.QueryExecModeSimpleProtocol).Scan(&who)
	switch {
	case err == nil:
		return accepted, "", ""
	case conn.IsClosed() && ctx.Err() == nil: // by the server
		return refused, "the session was ended", ""
	}
	return noAnswer, "no usable answer in the session", ""
}

func (o *postgresOpener) connect(ctx context.Context, t *target) (*pgx.Conn, error) {
	u, err := url.Parse(o.door.key.server)
	if err != nil {
		return nil, err
	}
	at, address, _ := strings.Cut(u.Host, "@")
	host, number, err := net.SplitHostPort(at)
	if err != nil {
		host, number = at, "5432"
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return nil, err
	}
	c, err := pgx.ParseConfig("host=127.0.0.1 port=5432 user=x password=x dbname=x sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.User, c.Password, c.Database = host, uint16(port), t.User, t.Password, "postgres"
	c.Fallbacks = nil
	c.TLSConfig = &tls.Config{RootCAs: o.door.tls.RootCAs, ServerName: host, MinVersion: tls.VersionTLS12}
	if address != "" {
		c.LookupFunc = func(context.Context, string) ([]string, error) { return []string{address}, nil }
	}
	return pgx.ConnectConfig(ctx, c)
}

// postgresAnswer reads how a login ended. The server's own text names the role.
func postgresAnswer(err error) (answer, string) {
	var e *pgconn.PgError
	switch {
	case !errors.As(err, &e):
		return noAnswer, "cannot connect"
	case strings.HasPrefix(e.Code, "28"): // a wrong password, or a role that may not log in
		return refused, "SQLSTATE " + e.Code
	}
	return noAnswer, "SQLSTATE " + e.Code // it starts, stops, or has no room
}

// close keeps the sessions: the last try of all comes after it.
func (o *postgresOpener) close() {}

// end closes what was kept.
func (s *sessions) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.of {
		_ = c.Close(context.Background())
	}
}
