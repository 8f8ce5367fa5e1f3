package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// Vault is a door of type vault: a login by userpass, by ldap in front of a
// directory, or by approle, or a token. Its path is the method's,
// auth/userpass.
type Vault struct {
	at      door.Settings
	pace    pace
	lastUse sync.Map // hashes of tokens that have a single use left
}

// OpenVault gives the door.
func OpenVault(s door.Settings) *Vault { return &Vault{at: s} }

// said is what is read of an answer.
type said struct {
	Auth *struct {
		ClientToken string          `json:"client_token"`
		MFA         json.RawMessage `json:"mfa_requirement"`
	} `json:"auth"`
	Data    json.RawMessage `json:"data"`
	Errors  []string        `json:"errors"`
	Version string          `json:"version"`
}

// Ask is door.Door. The token of a good login is revoked.
func (d *Vault) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	x := d.pace.begin(d.at)
	defer x.end()
	switch d.at.Auth {
	case door.ByToken:
		return d.askToken(ctx, x, value)
	case door.ByAppRole:
		return d.askAppRole(ctx, x, login, value)
	}
	if login == "" || strings.ContainsAny(login, "/?#%") || strings.ContainsFunc(login, control) {
		return door.Said{Reply: protocol.NotThisWay, Code: "an empty name, or one that no path can hold"}
	}
	return d.login(ctx, x, "/login/"+url.PathEscape(login), map[string]string{"password": value.Reveal()})
}

// login tries to log in once.
func (d *Vault) login(ctx context.Context, x *exchange, path string, with map[string]string) door.Said {
	body, err := json.Marshal(with)
	if err != nil {
		return door.Said{Reply: protocol.NotThisWay, Code: "a value that JSON cannot carry"}
	}
	r, in, err := d.call(ctx, x, http.MethodPost, "/v1/"+strings.Trim(d.at.Path, "/")+path, body, "")
	if err != nil {
		return conn.Unreachable(err)
	}
	switch {
	case r.StatusCode == http.StatusOK && in.Auth != nil && in.Auth.ClientToken != "":
		if !d.revoke(ctx, x, in.Auth.ClientToken) {
			return door.Said{Reply: protocol.Accepted, Code: "200, and its token was not revoked"}
		}
		return door.Said{Reply: protocol.Accepted, Code: code(r)}
	case r.StatusCode == http.StatusOK && in.Auth != nil && len(in.Auth.MFA) > 0 && string(in.Auth.MFA) != "null":
		// Vault asks for a second factor after the password was checked.
		return door.Said{Reply: protocol.Restricted, Code: "200, a second factor is asked for"}
	case r.StatusCode == http.StatusBadRequest:
		for _, row := range vaultErrors {
			if in.says(row.text) {
				return door.Said{Reply: row.means, Code: "400, " + row.text}
			}
		}
		return door.Said{Reply: protocol.NotThisWay, Code: code(r)}
	case r.StatusCode == http.StatusOK:
		return door.Said{Reply: protocol.NotThisWay, Code: "200 without a token"}
	}
	// 403 is a user who is locked out, with whatever value, an address or an
	// entity.
	return door.Said{Reply: status(r), Code: code(r)}
}

// says reports whether one of the errors has such a text in it. They may quote
// the value, and are shown to nobody.
func (in said) says(text string) bool {
	return slices.ContainsFunc(in.Errors, func(e string) bool { return strings.Contains(e, text) })
}

// vaultErrors are texts of a 400 (builtin/credential/userpass and approle,
// vault/logical). Everything else in one says nothing. A directory behind ldap
// that is down is a 500.
var vaultErrors = []struct {
	text  string
	means protocol.Reply
}{
	{"invalid username or password", protocol.Refused},
	// ldap: the directory refuses the bind, or has no such user.
	{"invalid credentials", protocol.Refused},
	// approle: a secret id that is not one (any more: destroyed, expired, its
	// uses spent), or no such role.
	{"invalid role or secret ID", protocol.Refused},
	{"invalid secret_id", protocol.Refused},
	// approle: the secret id was found, and is not for this address.
	{"CIDR restrictions on the secret ID", protocol.Restricted},
	{"missing secret_id", protocol.NotThisWay},
}

// Software is door.Door (GET sys/seal-status, which needs no token).
func (d *Vault) Software(ctx context.Context) (string, error) {
	x := d.pace.begin(d.at)
	defer x.end()
	r, in, err := d.call(ctx, x, http.MethodGet, "/v1/sys/seal-status", nil, "")
	if err != nil {
		return "", conn.Explain(err)
	}
	if r.StatusCode != http.StatusOK || in.Version == "" {
		return "", nil
	}
	return conn.Line("Vault " + in.Version), nil
}

// revoke leaves no token behind, also when nobody waits for the answer any
// more. It reports whether Vault did it: not for a batch token, nor for one
// whose policies do not allow it.
func (d *Vault) revoke(ctx context.Context, x *exchange, token string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r, _, err := d.call(ctx, x, http.MethodPost, "/v1/auth/token/revoke-self", nil, token)
	if err != nil { // the login's own connection ends with its time
		another := d.pace.begin(d.at)
		defer another.end()
		r, _, err = d.call(ctx, another, http.MethodPost, "/v1/auth/token/revoke-self", nil, token)
	}
	return err == nil && r.StatusCode/100 == 2
}

// call gives an answer with what its body says. A body that is none of Vault's
// says nothing, and one that breaks off is an error.
func (d *Vault) call(ctx context.Context, x *exchange, method, path string, body []byte, token string) (*http.Response, said, error) {
	var in said
	r, err := x.ask(ctx, method, path, body, func(r *http.Request) {
		r.Header.Set("X-Vault-Request", "true")
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		if token != "" {
			r.Header.Set("X-Vault-Token", token)
		}
	}, func(r *http.Response) error {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if json.Unmarshal(text, &in) != nil {
			in = said{}
		}
		return nil
	})
	return r, in, err
}
