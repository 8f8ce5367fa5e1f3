package snmp

import (
	"context"
	"strings"

	"github.com/gosnmp/gosnmp"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// Community is a door of type snmpv2c, whose value is the community (RFC 1901).
type Community struct{ at door.Settings }

// OpenCommunity gives the door.
func OpenCommunity(s door.Settings) *Community { return &Community{s} }

// Ask is door.Door. A community that an agent does not know is met with
// silence, as is everything while it is down, or the datagram is lost. So each
// silent try is followed by the discovery of SNMPv3, which an agent answers to
// whoever asks: one that does, each time, and never answers the community,
// refuses it. What an agent says that does no SNMPv3 is told from nothing.
func (d *Community) Ask(ctx context.Context, _ string, value credential.Secret) door.Said {
	if value.IsZero() {
		return door.Said{Reply: protocol.NotThisWay, Code: "no value"}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	for range tries {
		reply, err := d.once(ctx, value)
		if err == nil && reply.PDUType == gosnmp.GetResponse {
			return door.Said{Reply: protocol.Accepted, Code: "an answer, " + strings.ToLower(reply.Error.String())}
		}
		if err == nil {
			err = errForeign
		}
		if why := trouble(err); why != silence {
			return door.Unreachable(why)
		}
		if _, err := discover(ctx, d.at); err != nil {
			return door.Unreachable(silence + ", nor to SNMPv3's discovery")
		}
	}
	return door.Said{Reply: protocol.Refused, Code: "silence, while discovery is answered"}
}

func (d *Community) once(ctx context.Context, value credential.Secret) (*gosnmp.SnmpPacket, error) {
	client := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: value.Reveal()}
	c, err := connected(ctx, d.at, client)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return get(client)
}

// Software is door.Door.
func (d *Community) Software(ctx context.Context) (string, error) { return software(ctx, d.at) }
