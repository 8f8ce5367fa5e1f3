package conn

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// protocols are told by what their servers say first. That another one is
// spoken is said of these alone: what nobody knows may be the door's own,
// garbled.
var protocols = []struct {
	begins []string
	name   string
	types  []string
}{
	{[]string{"SSH-"}, "SSH", []string{"ssh"}},
	{[]string{"HTTP/"}, "HTTP", []string{"http", "https", "http-proxy", "https-proxy", "vault"}},
	{[]string{"* OK", "* BYE", "* PREAUTH"}, "IMAP", []string{"imap", "imaps"}},
	{[]string{"+OK"}, "POP3", []string{"pop3", "pop3s"}},
	{[]string{"220 ", "220-"}, "SMTP or FTP", []string{"submission", "smtps", "ftp", "ftps"}},
	{[]string{"\x15\x03", "\x16\x03"}, "TLS from the first byte on", nil},
}

// longestOpening of them is read.
const longestOpening = 9

// errSpeaks is a door that speaks another protocol, by its name.
type errSpeaks string

func (e errSpeaks) Error() string { return fmt.Sprintf("it speaks %s", string(e)) }

// opening is a connection that ends when the first bytes read from it are
// plainly another protocol's. A library would say of it what it says of
// anything that it cannot read, or wait for more.
type opening struct {
	net.Conn
	kind string // of the door
	head []byte
	done bool
}

func (o *opening) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if o.done || n == 0 || o.kind == "" {
		return n, err
	}
	o.head = append(o.head, p[:min(n, longestOpening-len(o.head))]...)
	for _, is := range protocols {
		for _, begins := range is.begins {
			switch {
			case !strings.HasPrefix(string(o.head), begins):
			case slices.Contains(is.types, o.kind):
				o.done = true
			default:
				return 0, errSpeaks(is.name)
			}
		}
	}
	o.done = o.done || len(o.head) == longestOpening
	return n, err
}
