package hook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Post is a web hook: JSON by POST, over TLS.
type Post struct {
	URL    string
	CA     string            // PEM, besides the system's roots
	Header map[string]string // besides Content-Type
	Body   []byte
	// Never are names and addresses to which nothing goes: those of the
	// compromised device.
	Never []string
}

// Send waits for the answer. said is for the record: "answered 204". No
// redirect is followed, and no proxy asked.
func (p Post) Send(ctx context.Context) (said string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, Longest)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return "could not be sent", false
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range p.Header {
		req.Header.Set(name, value)
	}
	if AtDevice(req.URL.Hostname(), p.Never) {
		return ErrDevice.Error(), false
	}
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: dialer(p.Never).DialContext, DisableKeepAlives: true,
			TLSClientConfig: trusting(p.CA),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	got, err := client.Do(req)
	switch {
	case errors.Is(err, ErrDevice):
		return ErrDevice.Error(), false
	case err != nil && ctx.Err() != nil:
		return fmt.Sprintf("gave no answer within %s", Longest), false
	case err != nil:
		return "gave no answer", false
	}
	defer got.Body.Close()
	_, _ = io.CopyN(io.Discard, got.Body, 1<<16)
	return fmt.Sprintf("answered %d", got.StatusCode), got.StatusCode/100 == 2
}

// dialer connects to no address of the device.
func dialer(never []string) *net.Dialer {
	return &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if AtDevice(address, never) {
			return ErrDevice
		}
		return nil
	}}
}

// trusting holds servers to the system's roots and the PEM text of others.
func trusting(ca string) *tls.Config {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return out
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM([]byte(ca))
	out.RootCAs = roots
	return out
}

// reachTimeout bounds one Reach.
const reachTimeout = 10 * time.Second

// Reach connects to host:port, says nothing there, and hangs up. With secure it
// holds the certificate to the host's name, as TLS from the first byte does.
func Reach(ctx context.Context, address, ca string, secure bool, never []string) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if AtDevice(address, never) {
		return ErrDevice
	}
	var conn net.Conn
	var err error
	if d := dialer(never); secure {
		conn, err = (&tls.Dialer{NetDialer: d, Config: trusting(ca)}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = d.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return err
	}
	return conn.Close()
}

// ErrDevice is a receiver that would tell the thief.
var ErrDevice = errors.New("is at an address of the compromised device: nothing was sent")

// AtDevice reports whether a name or an address, with or without its port, is
// among those of the device.
func AtDevice(where string, device []string) bool {
	if host, _, err := net.SplitHostPort(where); err == nil {
		where = host
	}
	where = plain(where)
	return where != "" && slices.ContainsFunc(device, func(d string) bool { return plain(d) == where })
}

// plain is one way to write a name or an address.
func plain(where string) string {
	where = strings.TrimSuffix(strings.ToLower(strings.Trim(where, "[]")), ".")
	if a, err := netip.ParseAddr(where); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return where
}
