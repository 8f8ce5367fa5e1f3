package web

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// askAppRole shows a secret id of the role whose id is login. The role is asked
// for without one first: it may need none (bind_secret_id), and let in whoever
// knows its id, which is no secret. That counts for no lock-out.
func (d *Vault) askAppRole(ctx context.Context, x *exchange, login string, value credential.Secret) door.Said {
	if login == "" {
		return door.Said{Reply: protocol.NotThisWay, Code: "an empty role id"}
	}
	open := d.login(ctx, x, "/login", map[string]string{"role_id": login})
	switch open.Reply {
	case protocol.Accepted, protocol.Restricted:
		return door.Said{Reply: protocol.Guest, Code: open.Code + " without a secret id"}
	case protocol.NotThisWay:
		if open.Code != "400, missing secret_id" {
			return open
		}
	case protocol.Refused: // no such role: to be said of the value
	default:
		return open
	}
	return d.login(ctx, x, "/login", map[string]string{"role_id": login, "secret_id": value.Reveal()})
}

// askToken looks the token up, which spends one of its uses where those are
// counted. One that has a single use left is not looked up again in the life of
// the process: that one is its owner's.
func (d *Vault) askToken(ctx context.Context, x *exchange, value credential.Secret) door.Said {
	spared := door.Said{Reply: protocol.NotThisWay, Code: "it has a single use left, and is not asked about any more"}
	this := sha256.Sum256([]byte(value.Reveal()))
	if _, is := d.lastUse.Load(this); is {
		return spared
	}
	r, in, err := d.call(ctx, x, http.MethodGet, "/v1/auth/token/lookup-self", nil, value.Reveal())
	switch {
	case err != nil:
		return conn.Unreachable(err)
	case r.StatusCode == http.StatusOK && in.Data != nil:
		if in.usesLeft() == 1 {
			d.lastUse.Store(this, true)
			return spared
		}
		return door.Said{Reply: protocol.Accepted, Code: code(r)}
	case r.StatusCode == http.StatusForbidden && (in.says("invalid token") || in.says("bad token")):
		return door.Said{Reply: protocol.Refused, Code: "403, invalid token"}
	case r.StatusCode == http.StatusForbidden && in.says("permission denied"):
		// It is one, and not for this address, or without a right to look.
		return door.Said{Reply: protocol.Restricted, Code: "403, permission denied"}
	}
	return door.Said{Reply: status(r), Code: code(r)}
}

// usesLeft is how many uses a token has left; 0 where they are not counted.
func (in said) usesLeft() int {
	var token struct {
		Uses int `json:"num_uses"`
	}
	if json.Unmarshal(in.Data, &token) != nil {
		return 0
	}
	return token.Uses
}
