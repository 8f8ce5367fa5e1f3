package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/lab"
)

// How much of a real log is repeated.
const (
	realConns   = 200
	realWorkers = 4
	realSearch  = 5 // of each connection
)

// slapdPage is what a real slapd wrote of real connections, without the heads
// of its lines, cut where a repetition has something else.
type slapdPage struct {
	lines [][]piece
	conns uint64
}

// piece is text that stays, or one that a repetition makes.
type piece struct {
	text   []byte
	conn   uint64 // 1 is the page's first
	name   int    // 1 is the first
	client int    // 1 is the first
}

// realSlapd starts a slapd, has clients log in from several addresses, rightly
// and wrongly, and search, and reads what it wrote of that.
func realSlapd(ctx context.Context, dir string) (*slapdPage, error) {
	ca, err := lab.NewCA()
	if err != nil {
		return nil, err
	}
	o := lab.SlapdOptions{Dir: dir, CA: ca, Stats: true}
	for i := range realConns / 4 {
		o.Accounts = append(o.Accounts, lab.Account{UID: fmt.Sprintf("svc%d", i+1), Password: "right"})
	}
	s, err := lab.StartSlapd(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Stop(context.WithoutCancel(ctx)) }()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM)
	conf := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	failed := make(chan error, realWorkers)
	for w := range realWorkers {
		go func() {
			var err error
			for i := w; i < realConns && err == nil; i += realWorkers {
				err = client(s, conf, i)
			}
			failed <- err
		}()
	}
	for range realWorkers {
		if one := <-failed; one != nil {
			err = one
		}
	}
	if err != nil {
		return nil, err
	}
	if err := s.Stop(ctx); err != nil { // all is written
		return nil, err
	}
	text, err := os.ReadFile(s.LogFile())
	if err != nil {
		return nil, err
	}
	return pageOf(text), nil
}

func client(s *lab.Slapd, conf *tls.Config, i int) error {
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%20))}}
	c, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(from), ldap.DialWithTLSConfig(conf))
	if err != nil {
		return err
	}
	defer c.Close()
	dn := s.AccountDN(fmt.Sprintf("svc%d", i%(realConns/4)+1))
	if i%10 == 9 {
		_ = c.Bind(dn, "wrong")
	}
	if err := c.Bind(dn, "right"); err != nil {
		return err
	}
	for range realSearch {
		ask := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"cn", "mail"}, nil)
		if _, err := c.Search(ask); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
			return err
		}
	}
	return nil
}

var changing = regexp.MustCompile(`conn=\d+|uid=svc\d+|IP=127\.0\.0\.\d+:\d+ \(`)

// pageOf cuts the log of a real slapd, as -d stats prints it.
func pageOf(text []byte) *slapdPage {
	p := &slapdPage{}
	first := uint64(0)
	for line := range bytes.Lines(text) {
		_, said, ok := bytes.Cut(line, []byte(" conn="))
		if !ok || bytes.Contains(line, []byte("conn=-1")) {
			continue
		}
		said = append([]byte("conn="), said...)
		var pieces []piece
		at := 0
		for _, m := range changing.FindAllIndex(said, -1) {
			word := string(said[m[0]:m[1]])
			switch {
			case word[0] == 'c':
				pieces = append(pieces, piece{text: said[at : m[0]+5]})
				n, _ := strconv.ParseUint(word[5:], 10, 64)
				if first == 0 {
					first = n
				}
				n -= min(first, n)
				p.conns = max(p.conns, n+1)
				pieces = append(pieces, piece{conn: n + 1})
			case word[0] == 'u':
				pieces = append(pieces, piece{text: said[at : m[0]+4]})
				n, _ := strconv.Atoi(word[7:])
				pieces = append(pieces, piece{name: n})
			default:
				pieces = append(pieces, piece{text: said[at : m[0]+3]})
				host, _, _ := net.SplitHostPort(word[3 : len(word)-2])
				pieces = append(pieces, piece{client: int(net.ParseIP(host).To4()[3])})
				m[1] -= 2
			}
			at = m[1]
		}
		p.lines = append(p.lines, append(pieces, piece{text: said[at:]}))
	}
	return p
}

// write repeats the page until there are so many bytes, each time with other
// names, addresses, numbers of connections and times, as syslog has it.
func (p *slapdPage) write(to *bufio.Writer, size int64) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var head []byte
	for written, turn := int64(0), 0; written < size; turn++ {
		for _, line := range p.lines {
			at = at.Add(1234567 * time.Nanosecond)
			head = at.AppendFormat(head[:0], "2006-01-02T15:04:05.000000+00:00")
			head = append(head, " ldap1 slapd[812]: "...)
			for _, x := range line {
				switch {
				case x.conn > 0:
					head = strconv.AppendUint(head, 1000+uint64(turn)*p.conns+x.conn-1, 10)
				case x.name > 0:
					head = append(head, nameOf(turn, x.name)...)
				case x.client > 0:
					head = append(head, clientOf(turn, x.client)...)
				default:
					head = append(head, x.text...)
				}
			}
			n, _ := to.Write(head)
			written += int64(n)
		}
	}
}

// Names and addresses that repetitions have: so many different ones.
const (
	manyNames   = 20_000
	manyClients = 2_000
)

func nameOf(turn, n int) string { return fmt.Sprintf("svc-%05d", (turn*61+n)%manyNames) }

// clientOf is where one of them comes from: mostly from where it always does.
func clientOf(turn, n int) string {
	c := (turn*61 + n) % manyClients
	return fmt.Sprintf("10.20.%d.%d:%d", c/250, c%250+1, 20_000+turn%30_000)
}

// hostOf is the address of a client without its port.
func hostOf(client string) string {
	host, _, _ := strings.Cut(client, ":")
	return host
}
