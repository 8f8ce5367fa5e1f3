package intruder

import (
	"context"
	"errors"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// ldapOpener binds over one connection, which it dials anew when it broke. A
// refused bind leaves the connection anonymous (RFC 4513, 4) and usable.
type ldapOpener struct {
	door *door
	conn *ldap.Conn
}

func (o *ldapOpener) try(ctx context.Context, t *target) (answer, string, string) {
	// A server closes idle connections without a word, which the next bind
	// finds out: so a broken old connection is worth a second dial.
	fresh := o.conn == nil || o.conn.IsClosing()
	a, detail := o.bind(ctx, t)
	if a == noAnswer && !fresh && ctx.Err() == nil {
		a, detail = o.bind(ctx, t)
	}
	return a, detail, ""
}

func (o *ldapOpener) bind(ctx context.Context, t *target) (answer, string) {
	if o.conn == nil || o.conn.IsClosing() {
		if err := o.dial(); err != nil {
			return noAnswer, "cannot connect"
		}
	}
	conn := o.conn
	hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err := conn.Bind(t.DN, t.Password)
	hangUp()
	if err == nil {
		return accepted, ""
	}
	var le *ldap.Error
	if !errors.As(err, &le) || le.ResultCode >= ldap.ErrorNetwork || temporary[le.ResultCode] {
		o.close()
		return noAnswer, "no usable answer to the bind"
	}
	return refused, ldap.LDAPResultCodeMap[le.ResultCode]
}

// temporary are results (RFC 4511, 4.1.9) that speak of the server's state and
// not of the credential.
var temporary = map[uint16]bool{
	ldap.LDAPResultBusy:              true,
	ldap.LDAPResultUnavailable:       true,
	ldap.LDAPResultOther:             true,
	ldap.LDAPResultOperationsError:   true,
	ldap.LDAPResultTimeLimitExceeded: true,
}

func (o *ldapOpener) dial() error {
	o.close()
	dialer := o.door.dialer()
	dialer.Timeout = o.door.patience()
	conn, err := ldap.DialURL(o.door.key.server, ldap.DialWithTLSConfig(o.door.tls), ldap.DialWithDialer(dialer))
	if err != nil {
		return err
	}
	conn.SetTimeout(o.door.patience())
	if strings.HasPrefix(o.door.key.server, "ldap://") && o.door.key.ca != "" {
		if err := conn.StartTLS(o.door.tls.Clone()); err != nil {
			_ = conn.Close()
			return err
		}
	}
	o.conn = conn
	return nil
}

func (o *ldapOpener) close() {
	if o.conn != nil {
		_ = o.conn.Close()
		o.conn = nil
	}
}
