package web

import (
	"context"
	"net/http"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// Proxy is a door of type http-proxy or https-proxy: a proxy of the web behind
// HTTP basic authentication, which is asked for a tunnel (CONNECT; RFC 9110,
// 9.3.6 and 11.7) to Settings.Path, host:port. Nothing is sent through it. Only
// a proxy says 2xx to CONNECT, so that the answer is never the target's; a page
// that is asked for by it would answer with codes of its own.
type Proxy struct {
	at     door.Settings
	nobody nobody
	pace   pace
}

// OpenProxy gives the door.
func OpenProxy(s door.Settings) *Proxy { return &Proxy{at: s} }

// Ask is door.Door. It asks without a login first: a proxy that takes that, as
// one does that lets in an address, says nothing about a value.
func (d *Proxy) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	if why := noBasicName(login); why != "" {
		return door.Said{Reply: protocol.NotThisWay, Code: why}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	show := func(login string, value credential.Secret) door.Said { return d.show(ctx, login, value) }
	said := show(login, value)
	if said.Reply == protocol.Restricted {
		said = d.denied(said, show)
	}
	return d.nobody.holds(said, show)
}

// denied judges a tunnel that is denied with a login (403): the value was right
// if one of nobody's is refused. Else rules decide before the login does.
func (d *Proxy) denied(said door.Said, show func(login string, value credential.Secret) door.Said) door.Said {
	if reply := show(nobodys()).Reply; reply != protocol.Refused {
		return door.Said{Reply: protocol.NotThisWay, Code: said.Code + ", and none to a user that cannot exist"}
	}
	return said
}

// show offers one value.
func (d *Proxy) show(ctx context.Context, login string, value credential.Secret) door.Said {
	x := d.pace.begin(d.at)
	defer x.end()
	open, err := d.tunnel(ctx, x, nil)
	if err == nil && d.pace.further() {
		open, err = d.tunnel(ctx, x, nil)
	}
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case open.StatusCode/100 == 2:
		return door.Said{Reply: protocol.Guest, Code: code(open) + " without a login"}
	case open.StatusCode != http.StatusProxyAuthRequired:
		return door.Said{Reply: status(open), Code: code(open) + " without a login"}
	case !offersBasic(open, "Proxy-Authenticate"):
		return door.Said{Reply: protocol.NotThisWay, Code: "407, and HTTP basic is not offered"}
	}
	said, err := d.tunnel(ctx, x, func(r *http.Request) {
		r.SetBasicAuth(login, value.Reveal())
		r.Header["Proxy-Authorization"] = r.Header["Authorization"]
		r.Header.Del("Authorization")
	})
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case said.StatusCode/100 == 2:
		return door.Said{Reply: protocol.Accepted, Code: code(said)}
	case said.StatusCode == http.StatusProxyAuthRequired:
		return door.Said{Reply: protocol.Refused, Code: code(said), UTF8: readsUTF8(said, "Proxy-Authenticate")}
	case said.StatusCode == http.StatusForbidden:
		return door.Said{Reply: protocol.Restricted, Code: code(said) + " with the login"}
	}
	return door.Said{Reply: status(said), Code: code(said) + " with the login"}
}

// Software is door.Door: the field Server (RFC 9110, 10.2.4).
func (d *Proxy) Software(ctx context.Context) (string, error) {
	x := d.pace.begin(d.at)
	defer x.end()
	r, err := d.tunnel(ctx, x, nil)
	if err != nil {
		return "", conn.Explain(err)
	}
	return conn.Line(r.Header.Get("Server")), nil
}

// tunnel asks for one. A connection that became one is good for nothing else.
func (d *Proxy) tunnel(ctx context.Context, x *exchange, prepare func(*http.Request)) (*http.Response, error) {
	said, err := x.ask(ctx, http.MethodConnect, d.at.Path, nil, prepare, nil)
	if err == nil && said.StatusCode/100 == 2 {
		said.Close = true
	}
	return said, err
}
