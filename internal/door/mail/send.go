package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"

	"github.com/emersion/go-sasl"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
)

// Message is one mail, with its header, as RFC 5322 has it. It holds names and
// no value.
type Message struct {
	From string
	To   []string
	Text []byte
}

// Send hands a message to a server, after a login where there is one. mayTalk
// is asked of the address that was dialled before anything is said there. said
// is for the record, without what the server says: that may quote names.
func Send(ctx context.Context, at door.Settings, login string, password credential.Secret, m Message, mayTalk func(net.Addr) error) (said string, ok bool) {
	d := &SMTP{at}
	c, heard, done, err := d.open(ctx)
	if err != nil {
		return "was not reached: " + trouble(err), false
	}
	defer done()
	if err := mayTalk(heard.RemoteAddr()); err != nil {
		return err.Error(), false
	}
	if login != "" {
		how := mechanismOf(c, login, password)
		if how == nil {
			return "offers no login by password (neither PLAIN nor LOGIN)", false
		}
		if err := c.Auth(mechanism{how}); err != nil {
			return "refused the login: " + trouble(err), false
		}
	}
	if err := hand(c, m); err != nil {
		return "did not take the message: " + trouble(err), false
	}
	_ = c.Quit() // it has the message
	return "took it", true
}

// mechanismOf is how a server lets a password be shown; nil if it does not.
func mechanismOf(c *smtp.Client, login string, password credential.Secret) sasl.Client {
	_, offered := c.Extension("AUTH")
	switch mechanisms := strings.Fields(strings.ToUpper(offered)); {
	case has(mechanisms, sasl.Plain):
		return sasl.NewPlainClient("", login, password.Reveal())
	case has(mechanisms, sasl.Login):
		return sasl.NewLoginClient(login, password.Reveal())
	}
	return nil
}

func hand(c *smtp.Client, m Message) error {
	if err := c.Mail(m.From); err != nil {
		return err
	}
	for _, to := range m.To {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.Text); err != nil {
		return err
	}
	return w.Close()
}

// trouble is an error without the server's own words.
func trouble(err error) string {
	var said *textproto.Error
	if errors.As(err, &said) {
		return fmt.Sprintf("code %d", said.Code)
	}
	return conn.Trouble(err)
}
