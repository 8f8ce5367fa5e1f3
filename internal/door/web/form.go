package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// Form is a door of type https or http: a login form of a page. What tells a
// good login from a bad one is not the same for any two of them, so the
// campaign file has a mark for each (door.Mark).
type Form struct {
	at     door.Settings
	nobody nobody
	pace   pace
}

// OpenForm gives the door.
func OpenForm(s door.Settings) *Form { return &Form{at: s} }

// Ask is door.Door. The page is fetched first: it may set a cookie and have
// hidden fields without which no login is looked at, and one that has the mark
// of success without a login shows that the mark is none. No redirect is
// followed, so that what a good login opens is not asked for.
func (d *Form) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	return d.nobody.holds(d.send(ctx, login, value), func(login string, value credential.Secret) door.Said { return d.send(ctx, login, value) })
}

// send fetches the page and sends its form once.
func (d *Form) send(ctx context.Context, login string, value credential.Secret) door.Said {
	x := d.pace.begin(d.at)
	defer x.end()
	page, text, err := d.ask(ctx, x, http.MethodGet, d.at.Path, nil, nil)
	if err == nil && d.pace.further() {
		page, text, err = d.ask(ctx, x, http.MethodGet, d.at.Path, nil, nil)
	}
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case noVerdict(page):
		return door.Said{Reply: status(page), Code: code(page) + " without a login"}
	case d.marked(page, text, d.at.Form.Success):
		return door.Said{Reply: protocol.Guest, Code: code(page) + " with the mark of success, without a login"}
	}
	action := d.at.Form.Action
	if action == "" {
		action = d.at.Path
	}
	said, text, err := d.ask(ctx, x, http.MethodPost, action, d.filled(text, login, value), page.Cookies())
	if err != nil {
		return conn.Unreachable(err)
	}
	if noVerdict(said) {
		return door.Said{Reply: status(said), Code: code(said)}
	}
	good, bad := d.marked(said, text, d.at.Form.Success), d.marked(said, text, d.at.Form.Failure)
	switch {
	case good && bad:
		return door.Said{Reply: protocol.NotThisWay, Code: code(said) + ", both marks"}
	case good:
		return door.Said{Reply: protocol.Accepted, Code: code(said) + ", the mark of success"}
	case bad:
		// A form is sent in the characters of its page.
		return door.Said{Reply: protocol.Refused, Code: code(said) + ", the mark of failure", UTF8: strings.Contains(strings.ToLower(page.Header.Get("Content-Type")), "charset=utf-8")}
	}
	return door.Said{Reply: status(said), Code: code(said) + ", neither mark"}
}

// noVerdict reports an answer that says nothing, whatever marks it has: a
// server shows its form again also where it cannot tell.
func noVerdict(r *http.Response) bool {
	_, known := statuses[r.StatusCode]
	return known || r.StatusCode/100 == 5
}

// filled is what is sent: the form of the campaign file, with hidden fields of
// the page that it does not name.
func (d *Form) filled(page []byte, login string, value credential.Secret) []byte {
	body := strings.NewReplacer("{login}", url.QueryEscape(login), "{value}", url.QueryEscape(value.Reveal())).Replace(d.at.Form.Body)
	own := map[string]bool{}
	for pair := range strings.SplitSeq(d.at.Form.Body, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil {
			own[name] = true
		}
	}
	for name, values := range hidden(page) {
		if !own[name] {
			body += "&" + url.Values{name: values}.Encode()
		}
	}
	return []byte(body)
}

// hidden are the hidden fields of the page's first form that asks for a
// password.
func hidden(page []byte) url.Values {
	fields, asks := url.Values{}, false
	for in := html.NewTokenizer(strings.NewReader(string(page))); ; {
		switch in.Next() {
		case html.ErrorToken:
			return nil
		case html.StartTagToken, html.SelfClosingTagToken:
			t := in.Token()
			at := map[string]string{}
			for _, a := range t.Attr {
				at[a.Key] = a.Val
			}
			switch {
			case t.Data == "form":
				fields, asks = url.Values{}, false
			case t.Data == "input" && strings.EqualFold(at["type"], "hidden") && at["name"] != "":
				fields.Add(at["name"], at["value"])
			case t.Data == "input" && strings.EqualFold(at["type"], "password"):
				asks = true
			}
		case html.EndTagToken:
			if t := in.Token(); t.Data == "form" && asks {
				return fields
			}
		}
	}
}

// marked reports whether an answer has all that a mark has.
func (d *Form) marked(r *http.Response, text []byte, m door.Mark) bool {
	return m != (door.Mark{}) && (m.Status == 0 || m.Status == r.StatusCode) &&
		(m.Body == "" || strings.Contains(string(text), m.Body)) &&
		(m.Location == "" || leads(r, m.Location))
}

// leads reports whether a redirect leads to a mark's place: a path of this
// server or a URL; what ends in * stands for all that begin so.
func leads(r *http.Response, mark string) bool {
	to, err := r.Location() // resolved against what was asked for
	if err != nil {
		return false
	}
	place := to.String()
	if strings.HasPrefix(mark, "/") {
		if to.Host != r.Request.URL.Host {
			return false
		}
		place = to.RequestURI()
	}
	if begin, all := strings.CutSuffix(mark, "*"); all {
		return strings.HasPrefix(place, begin)
	}
	return place == mark
}

// Software is door.Door.
func (d *Form) Software(ctx context.Context) (string, error) {
	x := d.pace.begin(d.at)
	defer x.end()
	r, _, err := d.ask(ctx, x, http.MethodGet, d.at.Path, nil, nil)
	if err != nil {
		return "", conn.Explain(err)
	}
	return conn.Line(r.Header.Get("Server")), nil
}

func (d *Form) ask(ctx context.Context, x *exchange, method, path string, body []byte, cookies []*http.Cookie) (r *http.Response, text []byte, err error) {
	r, err = x.ask(ctx, method, path, body, func(r *http.Request) {
		if body != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for _, c := range cookies {
			if c.MaxAge >= 0 {
				r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted})
			}
		}
	}, func(said *http.Response) error {
		text, err = io.ReadAll(said.Body) // conn bounds it
		return err
	})
	return r, text, err
}
