package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"rollcall/internal/door"
	"rollcall/internal/door/conn"
)

// exchange is one login: all that is asked and answered in it, over one
// connection. Behind a balancer that takes turns two connections for each login
// would show each value to the same machine for ever.
//
// A server that closes the connection after an answer gets another one, and a
// balancer that takes turns by requests sees several anyhow. pace keeps those
// from falling in step.
type exchange struct {
	at   door.Settings
	pace *pace

	c    net.Conn
	in   *bufio.Reader
	done func()
	last *http.Response // whose body was not read to its end yet
}

// pace is what a door remembers of its exchanges.
type pace struct {
	// lone: it was seen to close a connection after an answer without a word,
	// so each request gets a connection of its own.
	lone   atomic.Bool
	logins atomic.Int64
}

// further reports whether a login sends one request more than usual, without a
// value: each fourth does. With an even number of requests in each login a
// balancer of requests with two machines behind it would show values to one of
// them alone.
func (p *pace) further() bool { return p.logins.Add(1)%4 == 0 }

func (p *pace) begin(at door.Settings) *exchange { return &exchange{at: at, pace: p} }

// end closes the connection.
func (x *exchange) end() {
	if x.done != nil {
		x.done()
	}
	x.c, x.in, x.done, x.last = nil, nil, nil, nil
}

// mostDrained bounds what is read of a page that nobody wants, to keep its
// connection.
const mostDrained = 256 << 10

// kept reports whether the connection is good for another request. The error is
// of an answer that broke off.
func (x *exchange) kept() (bool, error) {
	if x.c == nil || x.last == nil || x.last.Close || x.pace.lone.Load() {
		return false, nil
	}
	n, err := io.CopyN(io.Discard, x.last.Body, mostDrained)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	// What it said besides is the answer to nothing that it was asked.
	return n < mostDrained && err == nil && x.in.Buffered() == 0, err
}

// ask sends one request, and gives what stands before the body of the answer;
// read, if there is one, reads that. No redirect is followed and no proxy of
// the environment asked: both would show the value to somebody else. Nothing is
// sent twice: it may have been counted.
func (x *exchange) ask(ctx context.Context, method, path string, body []byte, prepare func(*http.Request), read func(*http.Response) error) (*http.Response, error) {
	r, err := x.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if prepare != nil {
		prepare(r)
	}
	again, err := x.kept()
	if err != nil {
		return nil, err
	}
	if !again {
		x.end()
		if x.c, x.done, err = conn.Dial(ctx, x.at); err != nil {
			x.end()
			return nil, err
		}
		x.in = bufio.NewReader(x.c)
	}
	said, begun, err := x.send(r)
	if err != nil {
		if again && !begun && ctx.Err() == nil {
			x.pace.lone.Store(true)
		}
		return nil, err
	}
	x.last = said
	if read != nil {
		err = read(said)
	}
	return said, err
}

// send sends a request and reads what stands before the body of its answer.
// begun: an answer began, if none that can be read.
func (x *exchange) send(r *http.Request) (said *http.Response, begun bool, err error) {
	if err := r.Write(x.c); err != nil {
		return nil, false, err
	}
	if _, err := x.in.Peek(1); err != nil {
		return nil, false, err
	}
	for range 10 {
		said, err := http.ReadResponse(x.in, r)
		if err != nil {
			return nil, true, err
		}
		if said.StatusCode >= 200 {
			return said, true, nil
		}
		// 1xx come before the answer (RFC 9110, 15.2)
	}
	return nil, true, errors.New("no answer behind ten of 1xx")
}

// request is one for a page of the door's, or for a tunnel to path.
func (x *exchange) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	if method == http.MethodConnect {
		r := &http.Request{Method: method, URL: &url.URL{Host: path}, Host: path, Header: http.Header{"User-Agent": {"rollcall"}}}
		return r.WithContext(ctx), nil
	}
	scheme := "https"
	if x.at.TLS == door.ClearText {
		scheme = "http"
	}
	host, port, err := net.SplitHostPort(x.at.Address)
	if err != nil {
		return nil, err
	}
	if x.at.ServerName != "" {
		host = x.at.ServerName
	}
	authority := net.JoinHostPort(host, port)
	if port == door.Types[scheme].Port {
		authority = strings.TrimSuffix(authority, ":"+port)
	}
	r, err := http.NewRequestWithContext(ctx, method, scheme+"://"+authority+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("no request can be made of the door's path")
	}
	r.Header.Set("User-Agent", "rollcall")
	return r, nil
}
