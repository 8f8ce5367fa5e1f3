package intruder

import (
	"context"
	"crypto/tls"
	"net/url"
	"strings"
)

// tunnel asks a proxy of the web for one, with the login in its first request.
// Where it leads is the path of the server's URL. One that is given without a
// login would be given with a wrong one too.
func (o *serviceOpener) tunnel(ctx context.Context, t *target) (answer, string) {
	u, err := url.Parse(o.door.key.server)
	if err != nil {
		return noAnswer, "no URL"
	}
	to := strings.TrimPrefix(u.Path, "/")
	ask := func(fields ...string) string {
		conn, err := o.door.dialer().DialContext(ctx, "tcp", o.host)
		if err != nil {
			return ""
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		if protocols[o.scheme].tls {
			conn = tls.Client(conn, o.door.tls)
		}
		w := &wire{}
		w.over(conn)
		w.send(strings.Join(append([]string{"CONNECT " + to + " HTTP/1.1", "Host: " + to}, append(fields, "")...), "\r\n"))
		_, status, _ := strings.Cut(w.line(), " ")
		return code(status)
	}
	switch said := ask("Proxy-Authorization: Basic " + base64of(t.User+":"+t.Password)); {
	case said == "407":
		return refused, said
	case strings.HasPrefix(said, "2") && ask() == "407":
		return accepted, ""
	case said == "":
		return noAnswer, "cannot connect"
	default:
		return noAnswer, said
	}
}
