// Package doortest tries what every type of door must stand: servers that never
// stop talking, or never begin, certificates of another name, and answers that
// break off at each byte. None of that may be taken for a verdict on a value.
package doortest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// Subject is a door at a real server, and a login there that it takes.
type Subject struct {
	At    door.Settings
	Open  func(door.Settings) door.Door
	Login string
	Value credential.Secret
}

// Ask logs in once and holds the reply to what holds for all: its code names
// neither the account nor the value, and is one short line.
func (s Subject) Ask(t *testing.T, at door.Settings, value credential.Secret) protocol.Reply {
	t.Helper()
	return Ask(t, s.Open(at), s.Login, value)
}

// Ask logs in once at an opened door, likewise.
func Ask(t *testing.T, d door.Door, login string, value credential.Secret) protocol.Reply {
	t.Helper()
	r := d.Ask(t.Context(), login, value)
	t.Logf("%s: %s (%s)", login, r.Reply, r.Code)
	require.NotEqual(t, protocol.NotAsked, r.Reply)
	if login != "" {
		require.NotContains(t, r.Code, login)
	}
	if !value.IsZero() {
		require.NotContains(t, r.Code, value.Reveal())
	}
	require.Equal(t, r.Code, strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.Code), "a code is printable")
	require.LessOrEqual(t, len(r.Code), 120)
	return r.Reply
}

// Certificates: a door whose certificate is of another name, or of nobody's
// trust, is asked nothing.
func (s Subject) Certificates(t *testing.T) {
	other, err := lab.NewCA()
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, s.Ask(t, s.At, s.Value))
	for name, spoil := range map[string]func(*door.Settings){
		"another name":   func(d *door.Settings) { d.ServerName = "other.example.net" },
		"another signer": func(d *door.Settings) { d.CA = string(other.PEM) },
		"unknown signer": func(d *door.Settings) { d.CA = "" },
	} {
		at := s.At
		spoil(&at)
		r := s.Open(at).Ask(t.Context(), s.Login, s.Value)
		require.Equal(t, protocol.Unreachable, r.Reply, name)
		require.Contains(t, r.Code, "certificate", name)
		_, err := s.Open(at).Software(t.Context())
		require.ErrorContains(t, err, "certificate", name)
	}
}

// Foul puts servers in the door's place that keep to nothing. further are
// greetings of the protocol itself that are said without an end.
func (s Subject) Foul(t *testing.T, further ...string) {
	line := strings.Repeat("A", 1<<16)
	for _, text := range append([]string{"A", "\n", "\x00", line + "\r\n", line}, further...) {
		many := []byte(strings.Repeat(text, max(1, 1<<15/len(text))))
		s.answeredBy(t, patience, func(c net.Conn) {
			for {
				if _, err := c.Write(many); err != nil {
					return
				}
			}
		})
		s.answeredBy(t, patience, func(c net.Conn) { _, _ = c.Write([]byte(text)) })
	}
	s.answeredBy(t, patience, func(net.Conn) {})
	s.answeredBy(t, 300*time.Millisecond, func(c net.Conn) {
		for {
			if _, err := c.Read(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	at := s.At
	gone, err := lab.FreePort()
	require.NoError(t, err)
	at.Address = fmt.Sprintf("127.0.0.1:%d", gone)
	require.Equal(t, protocol.Unreachable, s.Ask(t, at, s.Value), "nobody is there")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, protocol.Unreachable, s.Open(s.At).Ask(ctx, s.Login, s.Value).Reply, "it was broken off")
}

// patience is a timeout of a door that is not to be what ends a login. What a
// library makes of a mebibyte of nonsense takes seconds on a busy machine.
const patience = 8 * time.Minute

// answeredBy asks a server that answers each connection with reply, and then
// hangs up. No login is a verdict, nor waits long.
func (s Subject) answeredBy(t *testing.T, timeout time.Duration, reply func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); reply(c) }()
		}
	}()
	at := s.At
	at.Address, at.Timeout = l.Addr().String(), timeout
	began := time.Now()
	require.Contains(t, []protocol.Reply{protocol.Unreachable, protocol.NotThisWay}, s.Ask(t, at, s.Value))
	require.Less(t, time.Since(began), patience/4)
	_, _ = s.Open(at).Software(t.Context()) // comes back
	require.Less(t, time.Since(began), patience/4)
}

// NotTLS: what speaks no TLS is asked nothing.
func (s Subject) NotTLS(t *testing.T) {
	s.answeredBy(t, patience, func(c net.Conn) { _, _ = c.Write([]byte("220 no TLS here\r\n")) })
}

// Says is the address of a server that says one text to whoever connects, and
// takes in silence what he has to say.
func Says(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Write([]byte(text))
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String()
}

// Answers is the address of a server that says the first text to whoever
// connects, and the next one for each line that it hears. It hangs up after so
// many bytes of its own.
func Answers(t *testing.T, left int, texts ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for i, text := range texts {
			if i > 0 {
				if _, err := in.ReadString('\n'); err != nil {
					return
				}
			}
			n := min(left, len(text))
			if _, err := c.Write([]byte(text[:n])); err != nil || n < len(text) {
				return
			}
			left -= n
		}
		_, _ = io.Copy(io.Discard, in)
	}()
	return l.Addr().String()
}

// BeginsNoTLS: a server that plainly does not begin TLS by a command is shown
// nothing, and what it said is a fault of the door, which people are told what
// to do about. s.At is at such a server.
func (s Subject) BeginsNoTLS(t *testing.T, said string) {
	t.Helper()
	require.Equal(t, door.StartTLS, s.At.TLS)
	for _, value := range []credential.Secret{s.Value, Wrong} {
		r := s.Open(s.At).Ask(t.Context(), s.Login, value)
		require.Contains(t, []protocol.Reply{protocol.Unreachable, protocol.NotThisWay}, r.Reply, r.Code)
		require.Equal(t, "it begins no TLS ("+said+")", r.Code)
		fault, _, do := s.At.Unfit(r)
		require.Equal(t, door.NoTLS, fault)
		require.Contains(t, do, "somebody in between may be taking it away")
	}
	_, err := s.Open(s.At).Software(t.Context())
	require.Equal(t, door.Trouble{Why: "it begins no TLS (" + said + ")", Fault: door.NoTLS}, err)
	clear := s.At
	clear.TLS = door.ClearText
	require.Equal(t, protocol.Accepted, s.Ask(t, clear, s.Value), "it takes the value in clear text")
}
