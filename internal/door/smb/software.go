package smb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/cloudsoda/go-smb2"

	"rollcall/internal/door/conn"
)

// Software is door.Door: the name and the version in a server's challenge,
// which it sends before it knows who asks ([MS-NLMP] 2.2.1.2). Samba says 6.1,
// a Windows of 2022 says 10.0.20348.
func (d *SMB) Software(ctx context.Context) (string, error) {
	heard := &challenge{}
	_, err := d.begin(ctx, heard)
	if heard.text == nil {
		return "", errors.New(trouble(err))
	}
	return conn.Line(heard.words()), nil
}

// challenge is a login that ends with the server's challenge.
type challenge struct {
	smb2.NTLMInitiator
	text []byte
}

var errHeard = errors.New("that was all")

// AcceptSecContext is smb2.Initiator.
func (c *challenge) AcceptSecContext(text []byte) ([]byte, error) {
	c.text = append([]byte{}, text...)
	return nil, errHeard
}

func (c *challenge) words() string {
	const unicode, version = 1, 0x02000000 // NTLMSSP_NEGOTIATE_UNICODE and _VERSION
	m := c.text
	if len(m) < 56 || string(m[:8]) != "NTLMSSP\x00" || m[8] != 2 {
		return ""
	}
	flags, out := binary.LittleEndian.Uint32(m[20:]), ""
	if size, at := int(binary.LittleEndian.Uint16(m[12:])), int(binary.LittleEndian.Uint32(m[16:])); flags&unicode != 0 && at <= len(m) && size <= len(m)-at {
		var name []uint16
		for i := at; i+1 < at+size; i += 2 {
			name = append(name, binary.LittleEndian.Uint16(m[i:]))
		}
		out = string(utf16.Decode(name)) + ", "
	}
	if flags&version == 0 {
		return out + "of no version"
	}
	return out + fmt.Sprintf("version %d.%d.%d", m[48], m[49], binary.LittleEndian.Uint16(m[50:]))
}
