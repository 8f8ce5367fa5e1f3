package smb

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
)

// reply is one answer of a server's to a message of the login.
type reply struct {
	status uint32
	flags  uint16 // of the session, where there is one
}

const (
	moreProcessing = 0xC0000016 // STATUS_MORE_PROCESSING_REQUIRED
	pending        = 0x00000103 // STATUS_PENDING: the answer is still to come

	isGuest = 1 // SMB2_SESSION_FLAG_IS_GUEST
	isNull  = 2 // SMB2_SESSION_FLAG_IS_NULL
)

// listening hears what the library does not tell: the answers to the login, and
// whose session it is ([MS-SMB2] 2.2.1 and 2.2.6).
type listening struct {
	net.Conn

	mu    sync.Mutex
	frame []byte // header of the transport, and the begin of the message
	took  int    // of the message, kept or not
	heard []reply
}

// kept of a message: its header, and the answer's fields up to the flags.
const kept = 64 + 4

func (l *listening) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hear(p[:n])
	return n, err
}

// all are the answers up to now.
func (l *listening) all() []reply {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.heard)
}

// hear takes a piece of the stream: messages, each behind four bytes of zero
// and length.
func (l *listening) hear(b []byte) {
	for len(b) > 0 {
		if len(l.frame) < 4 {
			n := min(4-len(l.frame), len(b))
			l.frame, b = append(l.frame, b[:n]...), b[n:]
			if len(l.frame) < 4 {
				return
			}
		}
		size := int(binary.BigEndian.Uint32(l.frame[:4]) & 0xffffff)
		n := min(size-l.took, len(b))
		l.frame = append(l.frame, b[:min(n, 4+kept-len(l.frame))]...)
		l.took, b = l.took+n, b[n:]
		if l.took == size {
			l.message(l.frame[4:])
			l.frame, l.took = l.frame[:0], 0
		}
	}
}

func (l *listening) message(m []byte) {
	const setup, fromServer = 1, 1 // SMB2_SESSION_SETUP, SMB2_FLAGS_SERVER_TO_REDIR
	if len(m) < 64 || string(m[:4]) != "\xfeSMB" || binary.LittleEndian.Uint16(m[12:]) != setup || m[16]&fromServer == 0 || len(l.heard) > 8 {
		return
	}
	r := reply{status: binary.LittleEndian.Uint32(m[8:])}
	if r.status == pending {
		return
	}
	if len(m) >= kept && m[64] == 9 { // the structure's size of an answer that is no error
		r.flags = binary.LittleEndian.Uint16(m[66:])
	}
	l.heard = append(l.heard, r)
}
