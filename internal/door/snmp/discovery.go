package snmp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"rollcall/internal/door"
)

// silence is what is said of no answer.
const silence = "no answer in time"

// software names the maker of an engine by its number (RFC 3411, 5:
// SnmpEngineID; https://www.iana.org/assignments/enterprise-numbers/).
func software(ctx context.Context, at door.Settings) (string, error) {
	engine, err := discover(ctx, at)
	switch {
	case err != nil && trouble(err) == silence:
		return "", errors.New("no answer to SNMPv3's discovery: it is down, does not know this machine, or speaks v2c alone, where silence is no refusal")
	case err != nil:
		return "", errors.New(trouble(err))
	case len(engine) < 5:
		return "", errors.New("its engine has no number")
	}
	maker := binary.BigEndian.Uint32(engine) &^ (1 << 31)
	if maker == 8072 {
		return "SNMPv3, net-snmp", nil
	}
	return fmt.Sprintf("SNMPv3, of enterprise %d", maker), nil
}

// discover asks for the number of an agent's engine, which every agent that
// does SNMPv3 tells whoever asks (RFC 3414, 4).
func discover(ctx context.Context, at door.Settings) (engine []byte, err error) {
	c, err := new(net.Dialer).DialContext(ctx, "udp", at.Address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	buffer := make([]byte, 1<<16)
	for range tries {
		id := make([]byte, 4)
		_, _ = rand.Read(id)
		id[0] = id[0]&0x3f | 0x40 // a positive number of four bytes
		if _, err = c.Write(discovery(id)); err != nil {
			return nil, err
		}
		if ctx.Err() == nil {
			_ = c.SetDeadline(time.Now().Add(wait(at)))
		}
		// What is none of its answers is waited past, and not for ever.
		for range 100 {
			var n int
			if n, err = c.Read(buffer); err != nil {
				break
			}
			if m, ok := parse(buffer[:n]); ok && m.id == int(binary.BigEndian.Uint32(id)) && m.report != 0 {
				return append([]byte(nil), m.engine...), nil
			}
			err = errForeign
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, err
}

// discovery is a request of nobody's for nothing.
func discovery(id []byte) []byte {
	out := []byte{0x30, 0x3e, 0x02, 0x01, 0x03, 0x30, 0x11, 0x02, 0x04}
	out = append(out, id...)
	out = append(out, 0x02, 0x03, 0x00, 0xff, 0xe3, 0x04, 0x01, 0x04, 0x02, 0x01, 0x03) // reportable; USM
	out = append(out, 0x04, 0x10, 0x30, 0x0e, 0x04, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00, 0x04, 0x00)
	out = append(out, 0x30, 0x14, 0x04, 0x00, 0x04, 0x00, 0xa0, 0x0e, 0x02, 0x04)
	out = append(out, id...)
	return append(out, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x00)
}
