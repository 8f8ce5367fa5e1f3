package intruder

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"io"
)

// mysqlLogin is the login of MariaDB and MySQL by the method
// mysql_native_password, over TLS where the server has it
// (https://mariadb.com/kb/en/connection/). A method that is another one is no
// answer.
func mysqlLogin(w *wire, t *target) (answer, string) {
	m := &packets{wire: w}
	hello := m.read()
	version := bytes.IndexByte(hello, 0)
	if version < 1 || hello[0] != 10 || len(hello) < version+44 {
		return noAnswer, "no greeting"
	}
	rest := hello[version+1:]
	salt := append(bytes.Clone(rest[4:12]), rest[31:43]...)
	const long, new41, withTLS, secure, plugins = 1, 1 << 9, 1 << 11, 1 << 15, 1 << 19
	can := uint32(long | new41 | secure | plugins)
	if offers := uint32(binary.LittleEndian.Uint16(rest[13:])); w.starts && offers&withTLS == 0 {
		return noAnswer, "no TLS"
	}
	if w.starts {
		can |= withTLS
	}
	begin := append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, can), 1<<16), 45)
	begin = append(begin, make([]byte, 23)...)
	if w.starts {
		m.write(begin)
		w.over(tls.Client(w.conn, w.tls))
	}
	begin = append(append(begin, t.User...), 0, 20)
	begin = append(append(begin, scrambled(salt, t.Password)...), "mysql_native_password\x00"...)
	m.write(begin)
	for range 3 {
		p := m.read()
		switch {
		case w.err != nil || len(p) == 0:
			return noAnswer, "no usable answer"
		case p[0] == 0:
			m.next = 0
			m.write([]byte{1}) // it is over
			w.err = nil
			return accepted, ""
		case p[0] == 0xff && len(p) > 2:
			switch number := binary.LittleEndian.Uint16(p[1:]); number {
			case 1045, 1698:
				return refused, "access denied"
			}
			return noAnswer, "an error that is no word on the value"
		case p[0] == 0xfe:
			method, challenge, _ := bytes.Cut(p[1:], []byte{0})
			if string(method) != "mysql_native_password" || len(challenge) < 20 {
				return noAnswer, "another method"
			}
			m.write(scrambled(challenge[:20], t.Password))
		}
	}
	return noAnswer, "no end"
}

// packets are a connection of MySQL's.
type packets struct {
	*wire
	next byte
}

func (m *packets) read() []byte {
	if m.err != nil {
		return nil
	}
	head := make([]byte, 4)
	if _, m.err = io.ReadFull(m.in, head); m.err != nil {
		return nil
	}
	m.next = head[3] + 1
	body := make([]byte, int(head[0])|int(head[1])<<8) // none is longer here
	_, m.err = io.ReadFull(m.in, body)
	return body
}

func (m *packets) write(body []byte) {
	if m.err == nil {
		_, m.err = m.conn.Write(append([]byte{byte(len(body)), byte(len(body) >> 8), 0, m.next}, body...))
		m.next++
	}
}

// scrambled is what shows that one has a password, and not which.
func scrambled(salt []byte, password string) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mask := sha1.Sum(append(bytes.Clone(salt), twice[:]...))
	subtle.XORBytes(once[:], once[:], mask[:])
	return once[:]
}
