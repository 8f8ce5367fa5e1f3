package web

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"regexp"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// Field is a door of type https or http: a page for whoever has the value in a
// field of his request, as a bearer token (RFC 6750) or in one of its own.
type Field struct {
	at     door.Settings
	nobody nobody
	pace   pace
}

// OpenField gives the door.
func OpenField(s door.Settings) *Field { return &Field{at: s} }

// Ask is door.Door. login is not asked for there. The page is asked for without
// a value first, as with Basic.
func (d *Field) Ask(ctx context.Context, _ string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	return d.nobody.holds(d.show(ctx, value), func(_ string, value credential.Secret) door.Said { return d.show(ctx, value) })
}

// show offers one value. 403 is what some servers say of a wrong value, and
// others of a right one that may not read this page: what they say to a value
// of nobody's tells, word for word. An answer that differs from that one is of
// another cause, and says nothing.
func (d *Field) show(ctx context.Context, value credential.Secret) door.Said {
	x := d.pace.begin(d.at)
	defer x.end()
	open, _, err := d.get(ctx, x, credential.Secret{})
	if err == nil && d.pace.further() {
		open, _, err = d.get(ctx, x, credential.Secret{})
	}
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case open.StatusCode/100 == 2:
		return door.Said{Reply: protocol.Guest, Code: code(open) + " without a value"}
	case open.StatusCode != http.StatusUnauthorized && open.StatusCode != http.StatusForbidden && open.StatusCode != http.StatusBadRequest:
		return door.Said{Reply: status(open), Code: code(open) + " without a value"}
	}
	said, page, err := d.get(ctx, x, value)
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case said.StatusCode/100 == 2:
		return door.Said{Reply: protocol.Accepted, Code: code(said)}
	case challenges(said, "insufficient_scope"): // RFC 6750, 3.1
		return door.Said{Reply: protocol.Restricted, Code: code(said) + ", insufficient_scope"}
	case said.StatusCode == http.StatusUnauthorized:
		return door.Said{Reply: protocol.Refused, Code: code(said)}
	case said.StatusCode != http.StatusForbidden:
		return door.Said{Reply: status(said), Code: code(said)}
	}
	nobodys := credential.NewSecret(rand.Text())
	none, other, err := d.get(ctx, x, nobodys)
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case none.StatusCode == http.StatusForbidden && worded(said, page, value) != worded(none, other, nobodys):
		return door.Said{Reply: protocol.NotThisWay, Code: "403, and another one than to a value of nobody's"}
	case none.StatusCode == http.StatusForbidden:
		return door.Said{Reply: protocol.Refused, Code: "403, as to a value of nobody's",
			Doubt: "it answers 403 to a value of nobody's, and where it has the same words for a key that may not read this page it refuses that too: name a page that every key of the account may read"}
	case none.StatusCode == http.StatusUnauthorized:
		return door.Said{Reply: protocol.Restricted, Code: "403, and 401 to a value of nobody's"}
	}
	return door.Said{Reply: status(none), Code: code(none) + " to a value of nobody's"}
}

func challenges(r *http.Response, text string) bool {
	return strings.Contains(strings.Join(r.Header.Values("WWW-Authenticate"), ","), text)
}

// Software is door.Door.
func (d *Field) Software(ctx context.Context) (string, error) {
	x := d.pace.begin(d.at)
	defer x.end()
	r, _, err := d.get(ctx, x, credential.Secret{})
	if err != nil {
		return "", conn.Explain(err)
	}
	return conn.Line(r.Header.Get("Server")), nil
}

// worded is what an answer says, without what differs from one to the next:
// the value itself, and words with digits in them (numbers of requests, times).
func worded(r *http.Response, page []byte, value credential.Secret) string {
	text := strings.Join(r.Header.Values("WWW-Authenticate"), ",") + "\n" + r.Header.Get("Content-Type") + "\n" + string(page)
	return numbered.ReplaceAllString(strings.ReplaceAll(text, value.Reveal(), ""), "")
}

var numbered = regexp.MustCompile(`[\pL\d_-]*\d[\pL\d_-]*`)

// mostOfPage bounds what is read of an answer that is compared.
const mostOfPage = 64 << 10

func (d *Field) get(ctx context.Context, x *exchange, value credential.Secret) (r *http.Response, page []byte, err error) {
	r, err = x.ask(ctx, http.MethodGet, d.at.Path, nil, func(r *http.Request) {
		switch {
		case value.IsZero():
		case d.at.Auth == door.ByBearer:
			r.Header.Set("Authorization", "Bearer "+value.Reveal())
		default:
			r.Header.Set(d.at.Header, value.Reveal())
		}
	}, func(said *http.Response) (err error) {
		if said.StatusCode == http.StatusForbidden {
			page, err = io.ReadAll(io.LimitReader(said.Body, mostOfPage))
		}
		return err
	})
	return r, page, err
}
