// Package smb asks doors of SMB: Samba's and Windows' file servers.
package smb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/cloudsoda/go-smb2"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// SMB is a door of type smb: a login by NTLMv2, and a connection to IPC$ that
// both sides sign. Only who knows the value, or asks somebody who does, can
// sign, so that nobody in between can say "accepted" in the server's place.
type SMB struct{ at door.Settings }

// Open gives the door.
func Open(s door.Settings) *SMB { return &SMB{s} }

// Ask is door.Door.
func (d *SMB) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	domain, user := split(login)
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	if user == "" || strings.ContainsRune(login, 0) || !utf8.ValidString(login) {
		// The empty name is anonymous' own, with whatever value.
		return door.Said{Reply: protocol.NotThisWay, Code: "a name that is empty, or that UTF-16 cannot carry"}
	}
	heard, err := d.login(ctx, domain, user, value)
	return judge(heard, err)
}

// split reads DOMAIN\name. A name with an @ goes as it is.
func split(login string) (domain, user string) {
	if before, after, ok := strings.Cut(login, `\`); ok {
		return before, after
	}
	return "", login
}

// judge reads what was heard of a login, and how it ended. The library's own
// words are asked for nothing: it hides who the session is of, and which
// message an error answers.
func judge(heard []reply, err error) door.Said {
	if len(heard) == 0 {
		return door.Unreachable(trouble(err))
	}
	last := heard[len(heard)-1]
	code := fmt.Sprintf("0x%08X", last.status)
	switch {
	case len(heard) == 1 && last.status == 0:
		return door.Said{Reply: protocol.Guest, Code: "a session before anything was proved"}
	case len(heard) == 1 && last.status == moreProcessing:
		// It broke off, or the library did, before the value was answered.
		return door.Unreachable(trouble(err))
	case len(heard) == 1:
		return door.Said{Reply: early(last.status), Code: code + " before the value"}
	case len(heard) > 2 || heard[0].status != moreProcessing:
		return door.Unreachable(errForeign.Error())
	case last.status != 0:
		return door.Said{Reply: answered(last.status), Code: code}
	case last.flags&(isGuest|isNull) != 0:
		return door.Said{Reply: protocol.Guest, Code: "a session of a guest's"}
	case err == nil:
		return door.Said{Reply: protocol.Accepted, Code: "a session"}
	}
	var refused *smb2.ResponseError
	if errors.As(err, &refused) || errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		// Signed, as everything is from here on.
		return door.Said{Reply: protocol.Restricted, Code: "a session, and no IPC$"}
	}
	return door.Unreachable(trouble(err))
}

// login goes as far as the server lets it.
func (d *SMB) login(ctx context.Context, domain, user string, value credential.Secret) (heard []reply, err error) {
	return d.begin(ctx, &smb2.NTLMInitiator{User: user, Password: value.Reveal(), Domain: domain, Workstation: "rollcall", TargetSPN: "cifs/" + d.host()})
}

// begin logs in as who. heard are the server's answers to the messages of the
// login.
func (d *SMB) begin(ctx context.Context, who smb2.Initiator) (heard []reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return nil, err
	}
	defer done()
	over := &listening{Conn: raw}
	defer func() {
		if recover() != nil {
			err = errForeign // an answer that the library's parsers did not expect
		}
		heard = over.all()
	}()
	dialer := &smb2.Dialer{Negotiator: smb2.Negotiator{RequireMessageSigning: true}, Initiator: who}
	session, err := dialer.DialConn(ctx, over, d.at.Address)
	if err != nil {
		return nil, err
	}
	session = session.WithContext(ctx)
	if said := over.all(); len(said) == 0 || said[len(said)-1].flags&(isGuest|isNull) == 0 {
		var share *smb2.Share
		if share, err = session.Mount(`\\` + d.host() + `\IPC$`); err == nil {
			err = share.Umount()
		}
	}
	_ = session.Logoff()
	return nil, err
}

func (d *SMB) host() string {
	if d.at.ServerName != "" {
		return d.at.ServerName // where Address is the one that was looked up
	}
	if host, _, err := net.SplitHostPort(d.at.Address); err == nil {
		return host
	}
	return d.at.Address
}

var errForeign = errors.New("an answer that is none of its protocol")

func trouble(err error) string {
	var transport *smb2.TransportError
	if errors.As(err, &transport) {
		err = transport.Err
	}
	if err == nil {
		err = errForeign
	}
	return conn.Trouble(err)
}
