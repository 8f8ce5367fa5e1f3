package intruder

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// servicePatience is for one login at a service: many answer a wrong one late,
// the later the more of them an address sends (Dovecot: 2 s, and 15 s more).
const servicePatience = 40 * time.Second

// serviceRest is the shortest pause between two passes over a service.
const serviceRest = time.Second

// protocols are how a login at a service is made, by the scheme of its URL, and
// whether it is TLS from the first byte on. They are the plain lines of each
// protocol, and nothing that Rollcall asks its doors with.
var protocols = map[string]struct {
	tls   bool
	login func(*wire, *target) (answer, string)
}{
	"imap": {false, imapLogin}, "imaps": {true, imapLogin},
	"pop3": {false, pop3Login}, "pop3s": {true, pop3Login},
	"submission": {false, smtpLogin}, "smtps": {true, smtpLogin},
	"ftp": {false, ftpLogin}, "ftps": {true, ftpLogin},
	"mysql": {false, mysqlLogin},
	"https": {true, nil}, "http": {false, nil}, "smb": {false, nil}, "ssh": {false, nil}, // libraries
	"http-proxy": {false, nil}, "https-proxy": {true, nil}, "radius": {false, nil}, "snmp": {false, nil}, "snmpv2c": {false, nil},
}

// libraries are the protocols of which a library makes the whole login.
var libraries = map[string]func(*serviceOpener, context.Context, *target) (answer, string){
	"https": (*serviceOpener).page, "http": (*serviceOpener).page,
	"http-proxy": (*serviceOpener).tunnel, "https-proxy": (*serviceOpener).tunnel,
	"smb": (*serviceOpener).smbLogin, "ssh": (*serviceOpener).sshLogin, "radius": (*serviceOpener).radiusLogin,
	"snmp": (*serviceOpener).snmpLogin, "snmpv2c": (*serviceOpener).communityLogin,
}

// serviceOpener logs in at a service in front of a directory, over a connection
// of its own for each try.
type serviceOpener struct {
	door   *door
	scheme string
	host   string
}

func newServiceOpener(d *door) *serviceOpener {
	u, _ := url.Parse(d.key.server) // newDoor has
	return &serviceOpener{d, u.Scheme, u.Host}
}

func (o *serviceOpener) try(ctx context.Context, t *target) (answer, string, string) {
	p := protocols[o.scheme]
	if p.login == nil {
		a, detail := libraries[o.scheme](o, ctx, t)
		return a, detail, ""
	}
	conn, err := o.door.dialer().DialContext(ctx, "tcp", o.host)
	if err != nil {
		return noAnswer, "cannot connect", ""
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	w := &wire{tls: o.door.tls, starts: !p.tls && o.door.key.ca != ""}
	if p.tls {
		conn = tls.Client(conn, o.door.tls)
	}
	w.over(conn)
	a, detail := p.login(w, t)
	if w.err != nil {
		return noAnswer, "no usable answer", ""
	}
	return a, detail, ""
}

func (o *serviceOpener) close() {}

// page asks for a page by HTTP basic. Whoever gets it without a login would get
// it with a wrong one too.
func (o *serviceOpener) page(ctx context.Context, t *target) (answer, string) {
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: o.door.tls, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	status := func(login bool) int {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.door.key.server, nil)
		if err != nil {
			return 0
		}
		if login {
			req.SetBasicAuth(t.User, t.Password)
		}
		res, err := client.Do(req)
		if err != nil {
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	switch code := status(true); {
	case code == http.StatusUnauthorized:
		return refused, http.StatusText(code)
	case code/100 == 2 && status(false) == http.StatusUnauthorized:
		return accepted, ""
	case code == 0:
		return noAnswer, "cannot connect"
	default:
		return noAnswer, http.StatusText(code)
	}
}

// wire is a connection on which lines go to and fro. After its first error
// every line is empty.
type wire struct {
	conn   net.Conn
	in     *bufio.Reader
	tls    *tls.Config
	starts bool // TLS is begun by a command
	err    error
}

func (w *wire) over(conn net.Conn) { w.conn, w.in = conn, bufio.NewReaderSize(conn, 4096) }

// secure begins TLS, after the server has said that it is ready to.
func (w *wire) secure() { w.over(tls.Client(w.conn, w.tls)) }

func (w *wire) send(line string) {
	if w.err == nil {
		_, w.err = w.conn.Write([]byte(line + "\r\n"))
	}
}

func (w *wire) line() string {
	if w.err != nil {
		return ""
	}
	var line []byte
	if line, w.err = w.in.ReadSlice('\n'); w.err != nil { // one that is too long, too
		return ""
	}
	return strings.TrimRight(string(line), "\r\n")
}

// maxLines is more lines than an answer has.
const maxLines = 200

// answer reads to the last line of an answer as SMTP and FTP have it: three
// digits and no hyphen (RFC 5321, 4.2; RFC 959, 4.2).
func (w *wire) answer() string {
	for range maxLines {
		line := w.line()
		if w.err != nil || len(line) >= 3 && strings.Trim(line[:3], "0123456789") == "" && !strings.HasPrefix(line[3:], "-") {
			return line
		}
	}
	return ""
}

// ask sends a line and gives the code of its answer.
func (w *wire) ask(line string) string {
	w.send(line)
	return code(w.answer())
}

func code(line string) string { return line[:min(3, len(line))] }

func base64of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
