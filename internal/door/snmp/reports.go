package snmp

import (
	"net"
	"slices"
	"sync"

	"rollcall/internal/protocol"
)

// reports are what the counters mean that an agent names instead of an answer
// (usmStats, RFC 3414, 5). They are not signed.
var reports = map[int]protocol.Reply{
	1: protocol.NotThisWay,  // unsupportedSecLevels: the user has no such key
	2: protocol.Unreachable, // notInTimeWindows, again after its time was taken
	3: protocol.Gone,        // unknownUserNames
	5: protocol.Refused,     // wrongDigests: of another passphrase, or protocol
	6: protocol.Restricted,  // decryptionErrors, behind a good signature
}

// unknownEngineIDs is the answer to a discovery.
const unknownEngineIDs = 4

// listening hears the reports, which the library takes for forgeries, because
// they are not signed, and tells apart for nobody.
type listening struct {
	net.Conn

	mu   sync.Mutex
	ids  []int // of the messages that were sent
	last int   // the report to the last of them
}

func (l *listening) Write(p []byte) (int, error) {
	l.mu.Lock()
	if m, ok := parse(p); ok {
		l.ids, l.last = append(l.ids, m.id), 0
	}
	l.mu.Unlock()
	return l.Conn.Write(p)
}

func (l *listening) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if m, ok := parse(p[:max(n, 0)]); ok && err == nil {
		l.mu.Lock()
		if len(l.ids) > 0 && m.id == l.ids[len(l.ids)-1] && m.report != 0 {
			l.last = m.report
		}
		l.mu.Unlock()
	}
	return n, err
}

// reported is the counter that the last message was answered with. Before the
// first one that is signed there is a discovery.
func (l *listening) reported() (n int, heard bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, len(l.ids) > 1 && l.last != 0 && l.last != unknownEngineIDs
}

// message is what is read of one of SNMPv3.
type message struct {
	id     int
	engine []byte
	report int // a counter of usmStats, 0 if it is none
}

// usmStats is 1.3.6.1.6.3.15.1.1.
var usmStats = []byte{0x2b, 6, 1, 6, 3, 15, 1, 1}

// parse reads a message as far as it is not encrypted (RFC 3412, 6 and RFC
// 3414, 2.4). A report has one variable, and is no other's piece: each length
// has to be that of its datagram.
func parse(datagram []byte) (m message, ok bool) {
	r := &reader{b: datagram, ok: true}
	all := r.inside(0x30)
	r.end()
	version := all.number()
	header := all.inside(0x30)
	m.id = header.number()
	header.number() // how long an answer may be
	header.value(0x04)
	header.number() // the security model
	header.end()
	security := &reader{b: all.value(0x04), ok: all.ok}
	m.engine = security.inside(0x30).value(0x04)
	if !r.ok || !all.ok || !header.ok || !security.ok || version != 3 {
		return message{}, false
	}
	scoped := all.inside(0x30)
	all.end()
	scoped.value(0x04) // context
	scoped.value(0x04)
	report := scoped.inside(0xa8)
	scoped.end()
	report.number() // of the request
	report.number()
	report.number()
	variables := report.inside(0x30)
	report.end()
	one := variables.inside(0x30)
	variables.end()
	name := one.value(0x06)
	one.value(0x41) // Counter32
	one.end()
	if one.ok && variables.ok && report.ok && scoped.ok && all.ok && len(name) == len(usmStats)+2 && slices.Equal(name[:len(usmStats)], usmStats) && name[len(name)-1] == 0 {
		m.report = int(name[len(usmStats)])
	}
	return m, true
}

// reader takes values of BER off its front, as far as SNMP has them. Once
// something is not as asked for, it is no longer ok.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) value(tag byte) []byte {
	if !r.ok || len(r.b) < 2 || r.b[0] != tag {
		r.ok = false
		return nil
	}
	n, rest := int(r.b[1]), r.b[2:]
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 3 || octets > len(rest) {
			r.ok = false
			return nil
		}
		n = 0
		for _, b := range rest[:octets] {
			n = n<<8 | int(b)
		}
		rest = rest[octets:]
	}
	if n > len(rest) {
		r.ok = false
		return nil
	}
	r.b = rest[n:]
	return rest[:n]
}

func (r *reader) inside(tag byte) *reader {
	b := r.value(tag)
	return &reader{b: b, ok: r.ok}
}

func (r *reader) number() (n int) {
	b := r.value(0x02)
	if len(b) == 0 || len(b) > 5 {
		r.ok = false
		return 0
	}
	for _, octet := range b {
		n = n<<8 | int(octet)
	}
	return n
}

// end: nothing may be left.
func (r *reader) end() { r.ok = r.ok && len(r.b) == 0 }
