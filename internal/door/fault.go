package door

import (
	"fmt"

	"rollcall/internal/protocol"
)

// Fault is what shows that a door is not what the campaign file says, or that
// no login there proves anything: no campaign begins with it. A door that is
// silent has none.
type Fault string

// Faults.
const (
	// OtherHostKey: it shows another host key than the file has.
	OtherHostKey Fault = "host-key"
	// OtherCertificate: its certificate is for another name, or of an authority
	// that nobody vouches for.
	OtherCertificate Fault = "certificate"
	// OtherProtocol: it speaks another protocol than its type's.
	OtherProtocol Fault = "protocol"
	// NoTLS: it does not begin TLS by the command of its protocol.
	NoTLS Fault = "no-tls"
	// LetsIn: it lets in a user that cannot exist.
	LetsIn Fault = "lets-in"
)

// Trouble is why a door gave no answer. Why is for people and names neither a
// secret nor an account.
type Trouble struct {
	Why   string
	Fault Fault
}

func (t Trouble) Error() string { return t.Why }

// Said is the answer of a door with such trouble.
func (t Trouble) Said() Said {
	said := Unreachable(t.Why)
	said.Fault = t.Fault
	return said
}

// Unfit is what is wrong with a door that said so to a user that cannot exist,
// and what to do; "" where a campaign may begin with it. What a door of guests
// says of one is a guest's session, which is told from a login.
func (s Settings) Unfit(said Said) (fault Fault, why, do string) {
	fault, why = said.Fault, said.Code
	lets := said.Reply == protocol.Accepted || said.Reply == protocol.Guest && Types[s.Type].Guests == ""
	switch {
	case lets:
		return LetsIn, "a user that cannot exist is let in, so that a login there proves nothing", "close it to guests and unknown users, or take the door out of the campaign file"
	case fault == OtherHostKey:
		do = "somebody in between may be reading what is sent there: compare with the server's own key, on the server (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); write another one into host_key only if it is that one"
	case fault == OtherCertificate:
		do = "see that address, server_name and ca_file are those of the door; if they are, somebody in between may be reading what is sent there: find out who answers"
	case fault == OtherProtocol:
		do = "see that type and port are those of one service"
	case fault == NoTLS:
		do = "let it begin TLS" + s.overTLS() + "; if it has TLS otherwise, somebody in between may be taking it away: find out who answers. With insecure: true whoever is on the way reads each value"
	default:
		return "", "", ""
	}
	return fault, why, do
}

// overTLS names the type that has TLS from the first byte on, where there is
// one of the same protocol.
func (s Settings) overTLS() string {
	other := Types[s.Type].OverTLS
	if other == "" {
		return ""
	}
	return fmt.Sprintf(", or name type %s, which has it from the first byte on, with its port", other)
}
