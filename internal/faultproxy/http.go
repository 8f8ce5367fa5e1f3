package faultproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"
)

// StartHTTP listens on listen ("127.0.0.1:0" for any port) in front of target,
// an http:// or https:// URL. server is the certificate that clients see; nil
// listens without TLS. client verifies an https:// target. Both sides speak
// HTTP/1.1, so that a connection carries one request at a time and closing it
// breaks no other. The proxy lives until ctx ends or Close.
func StartHTTP(ctx context.Context, listen, target string, server, client *tls.Config) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("fault proxy: target %q is not http(s)://host", target)
	}
	scheme := "http"
	if server != nil {
		scheme = "https"
		server = server.Clone()
		server.NextProtos = []string{"http/1.1"}
	}
	only1 := new(http.Protocols)
	only1.SetHTTP1(true)
	out := &http.Transport{TLSClientConfig: client, Protocols: only1, MaxIdleConnsPerHost: 64, DisableCompression: true}
	return start(ctx, listen, scheme, func(p *Proxy, l net.Listener) service {
		if server != nil {
			l = tls.NewListener(l, server)
		}
		s := &httpService{p: p, l: l, target: u, out: out}
		s.server = &http.Server{Handler: s, Protocols: only1, ErrorLog: log.New(io.Discard, "", 0)}
		return s
	})
}

type httpService struct {
	p      *Proxy
	l      net.Listener
	target *url.URL
	out    *http.Transport
	server *http.Server
}

func (s *httpService) serve() { _ = s.server.Serve(s.l) }

func (s *httpService) close() {
	_ = s.server.Close()
	_ = s.l.Close() // if serve had not begun
	s.out.CloseIdleConnections()
}

func (s *httpService) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	// Read first: the server notices a client that hangs up only when the
	// body has been read.
	body, err := io.ReadAll(in.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	kind := in.Method
	if in.URL.Query().Get("list") == "true" {
		kind = "LIST"
	}
	r, f, ok := s.p.arrive(in.Context(), kind, in.URL.Path)
	switch {
	case !ok || f == Cut:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case f == DropRequest:
		<-in.Context().Done()
		panic(http.ErrAbortHandler)
	}

	status, header, reply, err := s.forward(in, body)
	if err != nil {
		panic(http.ErrAbortHandler) // the server is down, or hung up
	}
	s.p.answered(r)
	if f == DropReply {
		panic(http.ErrAbortHandler)
	}
	for k, v := range header {
		w.Header()[k] = v
	}
	w.WriteHeader(status)
	_, _ = w.Write(reply)
}

// forward sends the request whether or not the client still waits, and reads
// the whole answer. It has a connection to itself or an idle one; net/http may
// send a request again only if an idle connection turned out to be dead before
// any byte of an answer, and then only if its method is idempotent.
func (s *httpService) forward(in *http.Request, body []byte) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(in.Context()), time.Minute)
	defer cancel()
	to := *in.URL
	to.Scheme, to.Host = s.target.Scheme, s.target.Host
	req, err := http.NewRequestWithContext(ctx, in.Method, to.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header = in.Header.Clone()
	req.Header.Del("Connection")
	req.Header.Del("Accept-Encoding")
	res, err := s.out.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	reply, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, nil, err
	}
	res.Header.Del("Connection")
	res.Header.Del("Transfer-Encoding")
	return res.StatusCode, res.Header, reply, nil
}
