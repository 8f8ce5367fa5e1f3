package faultproxy

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// StartPostgres listens in front of target, a postgresql:// URL with a port.
// server must be the target's own certificate, or a login by SCRAM fails: both
// sides put a hash of what the client saw into it (RFC 5929 section 4). client
// verifies the target. The proxy lives until ctx ends or Close.
//
// A login is one request, however many messages it takes, and so is what goes
// up to one ReadyForQuery: a statement, or a batch of them.
func StartPostgres(ctx context.Context, listen, target string, server, client *tls.Config) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil || u.Port() == "" || u.Scheme != "postgresql" {
		return nil, fmt.Errorf("fault proxy: target %q is not postgresql://host:port", target)
	}
	client = client.Clone()
	if client.ServerName == "" {
		client.ServerName = u.Hostname()
	}
	return start(ctx, listen, "postgresql", func(p *Proxy, l net.Listener) service {
		return &postgresService{p: p, l: l, at: u.Host, server: server, client: client}
	})
}

type postgresService struct {
	p              *Proxy
	l              net.Listener
	at             string
	server, client *tls.Config
	conns
}

func (s *postgresService) serve() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		go s.pair(c)
	}
}

func (s *postgresService) close() {
	_ = s.l.Close()
	s.closeAll()
}

// Codes of untyped messages (PostgreSQL 15, 55.7).
const (
	cancelRequest = 80877102
	sslRequest    = 80877103
)

// pair joins one client's connection with one of its own to the server.
func (s *postgresService) pair(tcp net.Conn) {
	defer s.remove(tcp)
	if !s.add(tcp) {
		return
	}
	first, err := readStartup(tcp)
	if err != nil || codeOf(first) != sslRequest {
		return
	}
	if _, err := tcp.Write([]byte{'S'}); err != nil {
		return
	}
	client := tls.Server(tcp, s.server)
	startup, err := readStartup(client)
	if err != nil {
		return
	}
	server, err := s.dial()
	if err != nil {
		return // the client sees a closed connection, as of a server that died
	}
	defer s.remove(server)
	if !s.add(server) {
		return
	}
	if codeOf(startup) == cancelRequest {
		_, _ = server.Write(startup)
		_, _ = io.Copy(io.Discard, server) // it hangs up when it has done that
		return
	}
	(&postgresHop{p: s.p, client: client, server: server}).join(startup)
}

// dial connects to the server and asks it for TLS.
func (s *postgresService) dial() (net.Conn, error) {
	tcp, err := net.DialTimeout("tcp", s.at, 10*time.Second)
	if err != nil {
		return nil, err
	}
	ask := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)
	reply := make([]byte, 1)
	if _, err = tcp.Write(ask); err == nil {
		_, err = io.ReadFull(tcp, reply)
	}
	if err == nil && reply[0] != 'S' {
		err = errors.New("fault proxy: the server takes no TLS")
	}
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	return tls.Client(tcp, s.client), nil
}

// readStartup reads a message without a type: the first ones of a connection.
func readStartup(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	return readBody(r, head, binary.BigEndian.Uint32(head), 8)
}

// readTyped reads a message with its type, which is its first byte.
func readTyped(r io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	return readBody(r, head, binary.BigEndian.Uint32(head[1:]), 4)
}

// readBody reads on to length, which counts itself.
func readBody(r io.Reader, head []byte, length, least uint32) ([]byte, error) {
	if length < least || length > 1<<24 {
		return nil, errors.New("fault proxy: not a message of PostgreSQL")
	}
	whole := append(head, make([]byte, length-4)...)
	_, err := io.ReadFull(r, whole[len(head):])
	return whole, err
}

func codeOf(startup []byte) uint32 { return binary.BigEndian.Uint32(startup[4:]) }
