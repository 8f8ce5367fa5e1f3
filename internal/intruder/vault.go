package intruder

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// vaultOpener logs in with stolen AppRoles, over plain HTTP calls of its own.
type vaultOpener struct {
	door   *door
	client *http.Client
}

func newVaultOpener(d *door) *vaultOpener {
	return &vaultOpener{door: d, client: &http.Client{
		Transport: &http.Transport{TLSClientConfig: d.tls, MaxIdleConnsPerHost: 1},
		Timeout:   patience,
	}}
}

// try logs in, or for a session asks Vault about it. The first login's token
// is kept as a session, for a thief would keep one; later ones are revoked, so
// that a long raid does not fill Vault with tokens.
func (o *vaultOpener) try(ctx context.Context, t *target) (answer, string, string) {
	if t.via == Session {
		a, detail, _ := o.call(ctx, http.MethodGet, "auth/token/lookup-self", t.token, nil)
		return a, detail, ""
	}
	a, detail, body := o.call(ctx, http.MethodPost, "auth/"+strings.Trim(t.Mount, "/")+"/login", "",
		map[string]string{"role_id": t.RoleID, "secret_id": t.Password})
	if a != accepted {
		return a, detail, ""
	}
	var login struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	if json.Unmarshal(body, &login) != nil || login.Auth.Token == "" {
		return silent, "answered a login without a token", ""
	}
	if t.keepSession() {
		return accepted, "", login.Auth.Token
	}
	o.call(ctx, http.MethodPost, "auth/token/revoke-self", login.Auth.Token, nil)
	return accepted, "", ""
}

func (o *vaultOpener) call(ctx context.Context, method, path, token string, body any) (answer, string, []byte) {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return silent, "cannot write the request", nil
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(o.door.key.server, "/")+"/v1/"+path, payload)
	if err != nil {
		return silent, "cannot write the request", nil
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	res, err := o.client.Do(req)
	if err != nil {
		return silent, "cannot connect", nil
	}
	defer res.Body.Close()
	answered, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case err != nil:
		return silent, "the answer was cut short", nil
	case res.StatusCode < 300:
		return accepted, "", answered
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests: // sealed, standby, overloaded
		return silent, http.StatusText(res.StatusCode), nil
	default:
		return refused, http.StatusText(res.StatusCode), nil
	}
}

func (o *vaultOpener) close() { o.client.CloseIdleConnections() }
