// Package web asks doors of the web.
package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// Basic is a door of type https or http: a page behind HTTP basic
// authentication (RFC 7617).
type Basic struct {
	at     door.Settings
	nobody nobody
	pace   pace
}

// OpenBasic gives the door.
func OpenBasic(s door.Settings) *Basic { return &Basic{at: s} }

// Open gives the door of a page by how the value is shown there.
func Open(s door.Settings) door.Door {
	switch s.Auth {
	case door.ByBearer, door.ByHeader:
		return OpenField(s)
	case door.ByForm:
		return OpenForm(s)
	}
	return OpenBasic(s)
}

// Ask is door.Door. It asks for the page without a login first: a page that
// everybody gets says nothing about a value, and may be given to a wrong one
// too (satisfy any, RequireAny).
func (d *Basic) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	if why := noBasicName(login); why != "" {
		return door.Said{Reply: protocol.NotThisWay, Code: why}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	show := func(login string, value credential.Secret) door.Said { return d.show(ctx, login, value) }
	return d.nobody.holds(show(login, value), show)
}

// show offers one value.
func (d *Basic) show(ctx context.Context, login string, value credential.Secret) door.Said {
	x := d.pace.begin(d.at)
	defer x.end()
	open, err := d.get(ctx, x, nil)
	if err == nil && d.pace.further() {
		open, err = d.get(ctx, x, nil)
	}
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case open.StatusCode/100 == 2:
		return door.Said{Reply: protocol.Guest, Code: code(open) + " without a login"}
	case open.StatusCode != http.StatusUnauthorized:
		return door.Said{Reply: status(open), Code: code(open) + " without a login"}
	case !offersBasic(open, "WWW-Authenticate"):
		return door.Said{Reply: protocol.NotThisWay, Code: "401, and HTTP basic is not offered"}
	}
	said, err := d.get(ctx, x, func(r *http.Request) { r.SetBasicAuth(login, value.Reveal()) })
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case said.StatusCode/100 == 2:
		return door.Said{Reply: protocol.Accepted, Code: code(said)}
	case said.StatusCode == http.StatusUnauthorized:
		return door.Said{Reply: protocol.Refused, Code: code(said), UTF8: readsUTF8(said, "WWW-Authenticate")}
	}
	return door.Said{Reply: status(said), Code: code(said)}
}

// Software is door.Door: the field Server (RFC 9110, 10.2.4).
func (d *Basic) Software(ctx context.Context) (string, error) {
	x := d.pace.begin(d.at)
	defer x.end()
	r, err := d.get(ctx, x, nil)
	if err != nil {
		return "", conn.Explain(err)
	}
	return conn.Line(r.Header.Get("Server")), nil
}

// status is what an answer means that is neither a login nor a refusal.
func status(r *http.Response) protocol.Reply {
	if reply, known := statuses[r.StatusCode]; known {
		return reply
	}
	if r.StatusCode/100 == 5 {
		// Among them Apache's 500 for right and wrong values while its
		// directory is down.
		return protocol.Unreachable
	}
	return protocol.NotThisWay
}

// statuses are those that say nothing about the value besides 5xx. What is not
// here, 3xx (a form for the login, most often), 403 and 404 among them, is
// NotThisWay.
var statuses = map[int]protocol.Reply{
	http.StatusTooManyRequests: protocol.TooMany,
	http.StatusRequestTimeout:  protocol.Unreachable,
}

func code(r *http.Response) string { return fmt.Sprint(r.StatusCode) }

// offersBasic reads the challenges of a field, of which one may hold several
// (RFC 9110, 11.6.1 and 11.7.1).
func offersBasic(r *http.Response, field string) bool {
	for _, field := range r.Header.Values(field) {
		for _, challenge := range strings.Split(field, ",") {
			scheme, _, _ := strings.Cut(strings.TrimSpace(challenge), " ")
			if strings.EqualFold(scheme, "Basic") {
				return true
			}
		}
	}
	return false
}

// readsUTF8 reports whether the challenge for HTTP basic has a charset: only
// UTF-8 may stand there (RFC 7617, 2.1). Those of other schemes say nothing of
// this one.
func readsUTF8(r *http.Response, field string) bool {
	for _, field := range r.Header.Values(field) {
		basic := false
		for _, part := range strings.Split(field, ",") {
			part = strings.TrimSpace(part)
			if scheme, _, _ := strings.Cut(part, " "); !strings.Contains(scheme, "=") {
				basic = strings.EqualFold(scheme, "Basic")
			}
			if basic && strings.Contains(strings.ToLower(part), "charset=") {
				return true
			}
		}
	}
	return false
}

// get asks for the page once.
func (d *Basic) get(ctx context.Context, x *exchange, prepare func(*http.Request)) (*http.Response, error) {
	return x.ask(ctx, http.MethodGet, d.at.Path, nil, prepare, nil)
}

// noBasicName is why HTTP basic cannot carry a login name; empty if it can.
func noBasicName(login string) string {
	if login == "" || strings.ContainsRune(login, ':') || strings.ContainsFunc(login, control) {
		return "an empty name, or a character in it that HTTP basic cannot carry"
	}
	return ""
}

// control are the characters that RFC 7617 leaves no place for.
func control(r rune) bool { return r < ' ' || r == 0x7f }
