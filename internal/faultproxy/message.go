package faultproxy

import (
	"bytes"
	"fmt"
	"io"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// message is one LDAPMessage (RFC 4511, 4.1.1) and its bytes as they came.
type message struct {
	raw []byte
	id  int64
	op  *ber.Packet
}

// readMessage reads one message. Any error means that the connection is of no
// more use.
func readMessage(r io.Reader) (message, error) {
	var raw bytes.Buffer
	p, err := ber.ReadPacket(io.TeeReader(r, &raw))
	if err != nil {
		return message{}, err
	}
	if len(p.Children) < 2 {
		return message{}, fmt.Errorf("not an LDAPMessage")
	}
	id, ok := p.Children[0].Value.(int64)
	if !ok {
		return message{}, fmt.Errorf("an LDAPMessage without a message id")
	}
	return message{raw: raw.Bytes(), id: id, op: p.Children[1]}, nil
}

// Application tags of RFC 4511, 4.2 to 4.12.
const (
	bindRequest     ber.Tag = 0
	bindResponse    ber.Tag = 1
	unbindRequest   ber.Tag = 2
	searchDone      ber.Tag = 5
	abandonRequest  ber.Tag = 16
	extendedRequest ber.Tag = 23
	deleteRequest   ber.Tag = 10
)

var kinds = map[ber.Tag]string{
	bindRequest: "bind", 3: "search", 6: "modify", 8: "add", deleteRequest: "delete",
	12: "rename", 14: "compare", extendedRequest: "extended",
}

// lastOf are the responses that end an operation.
var lastOf = map[ber.Tag]bool{bindResponse: true, searchDone: true, 7: true, 9: true, 11: true, 13: true, 15: true, 24: true}

func (m message) awaitsReply() bool {
	return m.op.Tag != unbindRequest && m.op.Tag != abandonRequest
}

func (m message) last() bool { return lastOf[m.op.Tag] }

func (m message) kind() string {
	if k, ok := kinds[m.op.Tag]; ok {
		return k
	}
	return fmt.Sprintf("operation %d", m.op.Tag)
}

// detail is the DN, the search base or the OID, and nothing else of the
// request: the rest may hold secrets.
func (m message) detail() string {
	at := 0
	switch m.op.Tag {
	case deleteRequest:
		return m.op.Data.String()
	case bindRequest: // the version comes first
		at = 1
	}
	if at >= len(m.op.Children) {
		return ""
	}
	if m.op.Tag == extendedRequest { // [0] LDAPOID, which has no universal tag
		return m.op.Children[at].Data.String()
	}
	text, _ := m.op.Children[at].Value.(string)
	return text
}
