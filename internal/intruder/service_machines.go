package intruder

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cloudsoda/go-smb2"
	"github.com/gosnmp/gosnmp"
	"golang.org/x/crypto/ssh"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
)

// The services that machines and networks have: each by its library, as a
// thief's own tools have it, and nothing that Rollcall asks its doors with.

// smbLogin is a session, and IPC$ with signatures, which a guest has not.
func (o *serviceOpener) smbLogin(ctx context.Context, t *target) (answer, string) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", o.host)
	if err != nil {
		return noAnswer, "cannot connect"
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	dialer := &smb2.Dialer{Negotiator: smb2.Negotiator{RequireMessageSigning: true}, Initiator: &smb2.NTLMInitiator{User: t.User, Password: t.Password}}
	over := &guests{Conn: conn}
	session, err := dialer.DialConn(ctx, over, o.host)
	const logonFailure, wrongPassword = 0xC000006D, 0xC000006A
	var said *smb2.ResponseError
	switch {
	case errors.As(err, &said) && (said.Code == logonFailure || said.Code == wrongPassword):
		return refused, "LOGON_FAILURE"
	case err != nil:
		return noAnswer, "no usable answer"
	}
	defer func() { _ = session.Logoff() }()
	if over.isGuest() {
		return noAnswer, "a guest's session, which whoever comes is given"
	}
	name, _, _ := net.SplitHostPort(o.host)
	share, err := session.WithContext(ctx).Mount(`\\` + name + `\IPC$`)
	switch {
	case errors.Is(err, os.ErrPermission):
		return accepted, "" // he is who he says
	case err != nil:
		return noAnswer, "a session, and no IPC$"
	}
	_ = share.Umount()
	return accepted, ""
}

// sshLogin is one login, with a private key if the value is one. A thief asks
// for no host key.
func (o *serviceOpener) sshLogin(ctx context.Context, t *target) (answer, string) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", o.host)
	if err != nil {
		return noAnswer, "cannot connect"
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	sent := false
	once := func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		if len(questions) != 1 || sent {
			return make([]string, len(questions)), nil
		}
		sent = true
		return []string{t.Password}, nil
	}
	with := &ssh.ClientConfig{User: t.User, HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // he is the thief
		AuthCallback: func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			key, err := ssh.ParsePrivateKey([]byte(t.Password))
			offers := strings.Join(c.AllowedMethods, " ")
			switch {
			case sent || len(c.PartialSuccessMethods) > 0:
				return nil, nil
			case err == nil:
				sent = true
				return ssh.PublicKeys(key), nil
			case strings.Contains(offers, "password"):
				sent = true
				return ssh.Password(t.Password), nil
			}
			return ssh.KeyboardInteractive(once), nil
		}}
	c, channels, requests, err := ssh.NewClientConn(conn, o.host, with)
	if err != nil {
		if sent && strings.Contains(err.Error(), "ssh: unable to authenticate") {
			return refused, "SSH_MSG_USERAUTH_FAILURE"
		}
		return noAnswer, "no usable answer"
	}
	go ssh.DiscardRequests(requests)
	go func() {
		for ch := range channels {
			_ = ch.Reject(ssh.Prohibited, "")
		}
	}()
	_ = c.Close()
	return accepted, ""
}

// radiusLogin is PAP (RFC 2865), signed with the secret that was stolen as
// well.
func (o *serviceOpener) radiusLogin(ctx context.Context, t *target) (answer, string) {
	p := radius.New(radius.CodeAccessRequest, []byte(t.Shared))
	err := errors.Join(rfc2869.MessageAuthenticator_Set(p, make([]byte, md5.Size)), rfc2865.UserName_SetString(p, t.User), rfc2865.UserPassword_SetString(p, t.Password))
	if err != nil {
		return noAnswer, "a value that no request can carry"
	}
	wire, err := p.MarshalBinary()
	if err != nil {
		return noAnswer, "a value that no request can carry"
	}
	h := hmac.New(md5.New, p.Secret)
	h.Write(wire)
	_ = rfc2869.MessageAuthenticator_Set(p, h.Sum(nil))
	within, cancel := context.WithTimeout(ctx, servicePatience)
	defer cancel()
	got, err := radius.Exchange(within, p, o.host)
	switch {
	case err != nil:
		return noAnswer, "no usable answer"
	case got.Code == radius.CodeAccessAccept:
		return accepted, ""
	case got.Code == radius.CodeAccessReject:
		return refused, got.Code.String()
	}
	return noAnswer, got.Code.String()
}

// agentPatience is for one question to an SNMP agent. Its silence is what a
// wrong community gets, so a slow answer must not pass for one.
const agentPatience = 10 * time.Second

// agent is an SNMP agent that is asked once, for how long it runs.
func (o *serviceOpener) agent(ctx context.Context) (*gosnmp.GoSNMP, error) {
	host, number, err := net.SplitHostPort(o.host)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(number, 10, 16)
	return &gosnmp.GoSNMP{Target: host, Port: uint16(port), Transport: "udp", Context: ctx, Timeout: agentPatience, Retries: 0, MaxOids: 1}, err
}

func asks(g *gosnmp.GoSNMP) error {
	if err := g.Connect(); err != nil {
		return err
	}
	defer g.Conn.Close()
	_, err := g.Get([]string{".1.3.6.1.2.1.1.3.0"})
	return err
}

// byUser adds a user of SNMPv3 (RFC 3414).
func byUser(g *gosnmp.GoSNMP, name, value string) {
	g.Version, g.SecurityModel, g.MsgFlags = gosnmp.Version3, gosnmp.UserSecurityModel, gosnmp.NoAuthNoPriv
	with := &gosnmp.UsmSecurityParameters{UserName: name}
	if value != "" {
		g.MsgFlags = gosnmp.AuthNoPriv
		with.AuthenticationProtocol, with.AuthenticationPassphrase = gosnmp.SHA, value
	}
	g.SecurityParameters = with
}

// snmpLogin signs one question with the value.
func (o *serviceOpener) snmpLogin(ctx context.Context, t *target) (answer, string) {
	g, err := o.agent(ctx)
	if err != nil {
		return noAnswer, "no address"
	}
	byUser(g, t.User, t.Password)
	switch err := asks(g); {
	case err == nil:
		return accepted, ""
	case strings.Contains(err.Error(), "not authentic"): // an agent's report is not signed
		return refused, "a report"
	}
	return noAnswer, "no usable answer"
}

// communityLogin asks with the value as community. An agent is silent to a
// wrong one: that it is there shows what it says to a user that it has not.
func (o *serviceOpener) communityLogin(ctx context.Context, t *target) (answer, string) {
	g, err := o.agent(ctx)
	if err != nil {
		return noAnswer, "no address"
	}
	g.Version, g.Community = gosnmp.Version2c, t.Password
	if asks(g) == nil {
		return accepted, ""
	}
	there, err := o.agent(ctx)
	if err != nil {
		return noAnswer, "no address"
	}
	byUser(there, "nobody-of-that-name", "")
	if err := asks(there); err == nil || errors.Is(err, gosnmp.ErrUnknownUsername) {
		return refused, "silence to the community, and an answer to another question"
	}
	return noAnswer, "silence"
}
