package vault

import (
	"context"
	"net/http"
	"strings"

	"rollcall/internal/credential"
)

// AuditHash is what an audit device writes in the place of a value. Whoever has
// such hashes can find a value in the device's log, and whoever may ask for
// them can guess short ones: the right to it is no part of what `init` gives.
func (c *Client) AuditHash(ctx context.Context, device string, value credential.Secret) (string, error) {
	device = strings.Trim(device, "/")
	hash, err := c.api.Sys().AuditHashWithContext(ctx, device, value.Reveal())
	if err != nil {
		return "", c.Fail("hash a value as the audit device does", "sys/audit-hash/"+device, "update", err)
	}
	return hash, nil
}

// RoleID is by what an AppRole logs in, of mount/role; "" where there is no
// such role. It is no secret, and the one name that a refused login has.
func (c *Client) RoleID(ctx context.Context, login string) (string, error) {
	i := strings.LastIndex(login, "/")
	if i < 0 {
		return "", nil
	}
	at := "auth/" + login[:i] + "/role/" + login[i+1:] + "/role-id"
	got, err := c.api.Logical().ReadWithContext(ctx, at)
	switch {
	case Answered(err, http.StatusNotFound):
		return "", nil
	case err != nil:
		return "", c.Fail("read a role-id", at, "read", err)
	case got == nil:
		return "", nil
	}
	id, _ := got.Data["role_id"].(string)
	return id, nil
}
