package lab

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a small name server with records of its own, for clients that look for
// servers: it answers SRV (RFC 2782), A and AAAA questions over UDP, and says
// of every other name that it is not there.
type DNS struct {
	conn *net.UDPConn
	done chan struct{}

	mu      sync.Mutex
	srv     map[string][]SRV
	hosts   map[string][][4]byte
	hosts6  map[string][]net.IP
	refuses bool
	turns   bool
	asked   int
}

// SRV is where a service listens.
type SRV struct {
	Target string
	Port   uint16
}

// StartDNS listens on a UDP address: "127.0.0.1:0", or with root
// "127.0.0.53:53" for a client that cannot be told a port.
func StartDNS(listen string) (*DNS, error) {
	addr, err := net.ResolveUDPAddr("udp", listen)
	if err != nil {
		return nil, fmt.Errorf("lab: DNS: %w", err)
	}
	conn, err := net.ListenUDP("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("lab: DNS: %w", err)
	}
	d := &DNS{conn: conn, done: make(chan struct{}), srv: map[string][]SRV{}, hosts: map[string][][4]byte{}, hosts6: map[string][]net.IP{}}
	go d.serve()
	return d, nil
}

// Service sets the SRV records of a name such as "_ldaps._tcp.example.org".
func (d *DNS) Service(name string, records ...SRV) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.srv[canonical(name)] = records
}

// Host gives a name its addresses.
func (d *DNS) Host(name string, addresses ...[4]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts[canonical(name)] = addresses
}

// Host6 gives a name of Host addresses of IPv6 besides.
func (d *DNS) Host6(name string, addresses ...net.IP) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts6[canonical(name)] = addresses
}

// InTurn makes the server answer with one address of a name at a time, as some
// do that spread load.
func (d *DNS) InTurn(turns bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turns = turns
}

// Fail makes the server answer SERVFAIL to everything, or no more.
func (d *DNS) Fail(fail bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuses = fail
}

// Addr is where it listens.
func (d *DNS) Addr() string { return d.conn.LocalAddr().String() }

// Resolver asks this server and no other.
func (d *DNS) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", d.Addr())
	}}
}

// Close ends the server.
func (d *DNS) Close() {
	_ = d.conn.Close()
	<-d.done
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

func (d *DNS) serve() {
	defer close(d.done)
	buf := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		var question dnsmessage.Message
		if question.Unpack(buf[:n]) != nil || len(question.Questions) != 1 {
			continue
		}
		if out, err := d.answer(question); err == nil {
			_, _ = d.conn.WriteToUDP(out, from)
		}
	}
}

func (d *DNS) answer(m dnsmessage.Message) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := m.Questions[0]
	name := canonical(q.Name.String())
	m.Response, m.Authoritative, m.RecursionAvailable = true, true, true
	m.Additionals = nil
	addresses, known := d.hosts[name]
	records := d.srv[name]
	switch {
	case d.refuses:
		m.RCode = dnsmessage.RCodeServerFailure
	case !known && records == nil:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA && known:
		if d.asked++; d.turns {
			addresses = addresses[d.asked%len(addresses):][:1]
		}
		for _, a := range addresses {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(q), Body: &dnsmessage.AResource{A: a}})
		}
	case q.Type == dnsmessage.TypeAAAA:
		for _, a := range d.hosts6[name] {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(q), Body: &dnsmessage.AAAAResource{AAAA: [16]byte(a.To16())}})
		}
	case q.Type == dnsmessage.TypeSRV:
		for _, r := range records {
			target, err := dnsmessage.NewName(canonical(r.Target))
			if err != nil {
				return nil, err
			}
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(q), Body: &dnsmessage.SRVResource{Target: target, Port: r.Port, Weight: 100}})
		}
	}
	return m.Pack()
}

func header(q dnsmessage.Question) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
}
