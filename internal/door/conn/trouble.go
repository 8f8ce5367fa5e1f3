package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"rollcall/internal/door"
)

// Silence is the word for a door that has not answered within its timeout.
const Silence = "no answer in time"

// Trouble is Explain in words alone.
func Trouble(err error) string { return Explain(err).Why }

// Unreachable is the answer of a door whose connection went wrong.
func Unreachable(err error) door.Said { return Explain(err).Said() }

// Explain words what went wrong with a connection, without the text of errors
// that could quote what was sent, and says what of it shows that the door is
// another one.
func Explain(err error) door.Trouble {
	if said, is := certificate(err); is {
		return said
	}
	var other errSpeaks
	var clear BeginsNoTLS
	var record tls.RecordHeaderError
	var worded door.Trouble
	switch {
	case errors.As(err, &worded):
		return worded
	case errors.As(err, &other):
		return door.Trouble{Why: other.Error(), Fault: door.OtherProtocol}
	case errors.As(err, &clear):
		return door.Trouble{Why: clear.Error(), Fault: door.NoTLS}
	case errors.As(err, &record):
		return door.Trouble{Why: noTLS, Fault: door.OtherProtocol}
	}
	return door.Trouble{Why: why(err)}
}

// BeginsNoTLS is a server that plainly says that it does not begin TLS by a
// command: how, in its protocol's words. What says so for now alone (454, 431,
// UNAVAILABLE) is none.
type BeginsNoTLS string

func (e BeginsNoTLS) Error() string { return fmt.Sprintf("it begins no TLS (%s)", string(e)) }

const noTLS = "no TLS is spoken there"

func why(err error) string {
	var netErr net.Error
	var alert tls.AlertError
	switch {
	case errors.Is(err, errTooMuch):
		return errTooMuch.Error()
	case errors.As(err, &alert):
		return noTLS
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return Silence
	case errors.Is(err, context.Canceled):
		return "it was broken off"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the connection was closed before an answer"
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Error()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	return "an answer that is none of its protocol"
}

// certificate words what is wrong with one. One that has expired is nobody
// else's, so that it is no fault: the door is as one that is silent.
func certificate(err error) (door.Trouble, bool) {
	var name x509.HostnameError
	var issuer x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		return door.Trouble{Fault: door.OtherCertificate, Why: fmt.Sprintf("its certificate is for %s, and not for %s", namesOf(name.Certificate), name.Host)}, true
	case errors.As(err, &issuer):
		by := ""
		if issuer.Cert != nil {
			by = " (it says: " + Line(issuer.Cert.Issuer.String()) + ")"
		}
		return door.Trouble{Fault: door.OtherCertificate, Why: "its certificate is of an authority that neither ca_file nor, without one, the system's roots have" + by}, true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		if time.Now().Before(invalid.Cert.NotBefore) {
			return door.Trouble{Why: "its certificate is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339)}, true
		}
		return door.Trouble{Why: "its certificate has expired, on " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339)}, true
	case errors.As(err, &other):
		return door.Trouble{Why: "its certificate is not trusted, or not of its name"}, true
	}
	return door.Trouble{}, false
}

// mostNames of a certificate are shown.
const mostNames = 4

// namesOf are those that a certificate is for. They are the server's words.
func namesOf(c *x509.Certificate) string {
	var all []string
	if c != nil {
		all = append(all, c.DNSNames...)
		for _, a := range c.IPAddresses {
			all = append(all, a.String())
		}
	}
	if len(all) == 0 {
		return "no name"
	}
	out := make([]string, 0, mostNames)
	for _, one := range all[:min(mostNames, len(all))] {
		out = append(out, Line(one))
	}
	if more := len(all) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return strings.Join(out, ", ")
}
